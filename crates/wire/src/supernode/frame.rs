//! Framing between supernodes: kind, length, body.

/// Bytes of kind and length.
pub const HEAD: usize = 3;
/// Bytes of a body at most: its length has 16 bits.
pub const MAX_BODY: usize = 65_535;

/// One unit of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Which message.
    pub kind: u8,
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes` and how many bytes it took; `None` if more must come.
    pub fn split(bytes: &'a [u8]) -> Option<(Frame<'a>, usize)> {
        let [kind, high, low] = *bytes.first_chunk::<HEAD>()?;
        let end = HEAD + usize::from(u16::from_be_bytes([high, low]));
        Some((Frame { kind, body: bytes.get(HEAD..end)? }, end))
    }

    /// Appends a frame whose body `fill` appends; `false`, and nothing appended, if that is over [`MAX_BODY`].
    pub fn put(kind: u8, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) -> bool {
        let start = out.len();
        out.extend_from_slice(&[kind, 0, 0]);
        fill(out);
        let Ok(length) = u16::try_from(out.len() - start - HEAD) else {
            out.truncate(start);
            return false;
        };
        out[start + 1..start + HEAD].copy_from_slice(&length.to_be_bytes());
        true
    }
}
