//! Options behind an announce request (BEP 41): `0` ends them, `1` is padding, others are type, length, data.
//! Type 2, URLData, carries path and query of the tracker's URL in pieces of at most 255 bytes.

use super::ANNOUNCE_LEN;

const END: u8 = 0;
const NOP: u8 = 1;
const URL_DATA: u8 = 2;

/// Most bytes of options we write or read: the announce stays within one 1,500-byte packet.
pub const OPTIONS_MAX: usize = 1_400 - ANNOUNCE_LEN;

/// Iterates over the options as (type, data); stops at the end mark, at the first cut option, or at the end of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a>(pub &'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match *self.0 {
                [] | [END, ..] => return None,
                [NOP, ref rest @ ..] => self.0 = rest,
                [kind, len, ref rest @ ..] => {
                    let (data, rest) = rest.split_at_checked(usize::from(len))?;
                    self.0 = rest;
                    return Some((kind, data));
                }
                [_] => return None,
            }
        }
    }
}

impl<'a> Options<'a> {
    /// The pieces of path and query, in order.
    pub fn url_data(self) -> impl Iterator<Item = &'a [u8]> {
        self.filter(|(kind, _)| *kind == URL_DATA).map(|(_, data)| data)
    }
}

/// Appends path and query as URLData options; false, with nothing written, if they exceed [`OPTIONS_MAX`].
pub fn push_url_data(path_and_query: &str, out: &mut Vec<u8>) -> bool {
    let bytes = path_and_query.as_bytes();
    if bytes.len() + 2 * bytes.len().div_ceil(255) > OPTIONS_MAX {
        return false;
    }
    for chunk in bytes.chunks(255) {
        let len = u8::try_from(chunk.len()).expect("a chunk has at most 255 bytes");
        out.extend_from_slice(&[URL_DATA, len]);
        out.extend_from_slice(chunk);
    }
    true
}
