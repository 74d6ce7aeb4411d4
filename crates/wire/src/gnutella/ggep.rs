//! GGEP blocks: named extensions in pings, pongs, queries, hits and pushes (section 4.5 of the note).
//!
//! A block that is broken ends where it breaks; what was read before counts. Inflated data is bounded.

use std::borrow::Cow;
use std::io::Read;

/// Begins a block.
pub const MAGIC: u8 = 0xc3;
const LAST: u8 = 0x80;
const COBS: u8 = 0x40;
const DEFLATED: u8 = 0x20;
const RESERVED: u8 = 0x10;
/// Bytes an extension may inflate to; the largest in use are lists of addresses.
const MAX_INFLATED: u64 = 65_536;
/// Extensions looked at in a block; real ones have less than ten.
const MAX_EXTENSIONS: usize = 64;
/// The longest length three bytes can tell.
const MAX_DATA: usize = (1 << 18) - 1;

/// One extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extension<'a> {
    /// Its name, 1 to 15 bytes.
    pub id: &'a [u8],
    /// Its data, decoded.
    pub data: Cow<'a, [u8]>,
}

/// A block's bytes, from the magic byte on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Block<'a>(&'a [u8]);

impl<'a> Block<'a> {
    /// The block at the start of bytes and what follows it; `None` if none begins there or its frame is broken.
    pub fn take(bytes: &'a [u8]) -> Option<(Block<'a>, &'a [u8])> {
        let mut rest = bytes.strip_prefix(&[MAGIC])?;
        for _ in 0..MAX_EXTENSIONS {
            let raw = Raw::take(&mut rest)?;
            if raw.flags & LAST != 0 {
                return Some((Block(&bytes[..bytes.len() - rest.len()]), rest));
            }
        }
        None
    }

    /// The extensions in order; one whose data cannot be decoded is left out.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let mut rest = self.0.get(1..).unwrap_or_default();
        let raw = std::iter::from_fn(move || if rest.is_empty() { None } else { Raw::take(&mut rest) });
        raw.filter_map(|raw| Some(Extension { id: raw.id, data: raw.decoded()? }))
    }

    /// The first extension of that name.
    pub fn find(&self, id: &[u8]) -> Option<Cow<'a, [u8]>> {
        self.iter().find(|extension| extension.id == id).map(|extension| extension.data)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there is no block at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An extension as it is sent.
struct Raw<'a> {
    flags: u8,
    id: &'a [u8],
    data: &'a [u8],
}

impl<'a> Raw<'a> {
    fn take(bytes: &mut &'a [u8]) -> Option<Raw<'a>> {
        let (flags, rest) = bytes.split_first()?;
        let length = usize::from(flags & 0x0f);
        if length == 0 || flags & RESERVED != 0 {
            return None;
        }
        let (id, mut rest) = rest.split_at_checked(length)?;
        let count = take_length(&mut rest)?;
        let (data, rest) = rest.split_at_checked(count)?;
        *bytes = rest;
        Some(Raw { flags: *flags, id, data })
    }

    fn decoded(&self) -> Option<Cow<'a, [u8]>> {
        let plain =
            if self.flags & COBS != 0 { Cow::Owned(from_cobs(self.data)?) } else { Cow::Borrowed(self.data) };
        if self.flags & DEFLATED == 0 { Some(plain) } else { inflate(&plain).map(Cow::Owned) }
    }
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for _ in 0..3 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        length = length << 6 | usize::from(byte & 0x3f);
        match byte & 0xc0 {
            0x80 => {}
            0x40 => return Some(length),
            _ => return None,
        }
    }
    None
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    for group in [12, 6] {
        if length >> group != 0 {
            out.push(0x80 | (length >> group) as u8 & 0x3f);
        }
    }
    out.push(0x40 | length as u8 & 0x3f);
}

fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut inflated = Vec::new();
    flate2::read::ZlibDecoder::new(bytes).take(MAX_INFLATED + 1).read_to_end(&mut inflated).ok()?;
    (inflated.len() as u64 <= MAX_INFLATED).then_some(inflated)
}

/// Undoes COBS: no zero byte may occur in hit records.
pub fn from_cobs(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len());
    while let Some((code, rest)) = bytes.split_first() {
        let (piece, rest) = rest.split_at_checked(usize::from(code.checked_sub(1)?))?;
        plain.extend_from_slice(piece);
        if *code != 0xff && !rest.is_empty() {
            plain.push(0);
        }
        bytes = rest;
    }
    Some(plain)
}

/// Removes zero bytes.
pub fn to_cobs(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 254 + 1);
    let pieces: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    for piece in pieces {
        let mut chunks = piece.chunks_exact(254);
        for chunk in &mut chunks {
            out.push(0xff);
            out.extend_from_slice(chunk);
        }
        let rest = chunks.remainder();
        out.push(rest.len() as u8 + 1);
        out.extend_from_slice(rest);
    }
    out
}

/// Builds a block.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Where the flags of the latest extension are.
    latest: Option<usize>,
}

impl Writer {
    /// Adds an extension as it is; one with too long a name or data is left out.
    pub fn put(&mut self, id: &[u8], data: &[u8]) -> &mut Writer {
        self.extension(0, id, data)
    }

    /// Adds an extension that must not hold a zero byte, as in hit records: coded if it does.
    pub fn put_without_zeros(&mut self, id: &[u8], data: &[u8]) -> &mut Writer {
        if data.contains(&0) { self.extension(COBS, id, &to_cobs(data)) } else { self.extension(0, id, data) }
    }

    fn extension(&mut self, flags: u8, id: &[u8], data: &[u8]) -> &mut Writer {
        if id.is_empty() || id.len() > 15 || data.len() > MAX_DATA {
            return self;
        }
        if self.bytes.is_empty() {
            self.bytes.push(MAGIC);
        }
        self.latest = Some(self.bytes.len());
        self.bytes.push(flags | id.len() as u8);
        self.bytes.extend_from_slice(id);
        put_length(&mut self.bytes, data.len());
        self.bytes.extend_from_slice(data);
        self
    }

    /// The block; nothing if nothing was added.
    pub fn finish(mut self) -> Vec<u8> {
        if let Some(latest) = self.latest {
            self.bytes[latest] |= LAST;
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_written_as_in_the_note() {
        let known: [(usize, &[u8]); 6] = [
            (0, &[0x40]),
            (63, &[0x7f]),
            (64, &[0x81, 0x40]),
            (4_095, &[0xbf, 0x7f]),
            (4_096, &[0x81, 0x80, 0x40]),
            (262_143, &[0xbf, 0xbf, 0x7f]),
        ];
        for (length, bytes) in known {
            let mut out = Vec::new();
            put_length(&mut out, length);
            assert_eq!(out, bytes);
            assert_eq!(take_length(&mut &out[..]), Some(length));
        }
        for broken in [&[0xc0u8][..], &[0x00], &[0x81, 0x81, 0x81, 0x40], &[]] {
            assert_eq!(take_length(&mut &broken[..]), None);
        }
    }

    #[test]
    fn cobs_is_that_of_the_note() {
        let known: [(&[u8], &[u8]); 4] = [
            (&[0], &[1, 1]),
            (&[0x11, 0, 0x22], &[2, 0x11, 2, 0x22]),
            (&[], &[1]),
            (&[0x11, 0x22], &[3, 0x11, 0x22]),
        ];
        for (plain, coded) in known {
            assert_eq!(to_cobs(plain), coded);
            assert_eq!(from_cobs(coded).as_deref(), Some(plain));
        }
        assert_eq!((from_cobs(&[0]), from_cobs(&[5, 1])), (None, None));
        let recorded = HEXLOWER.decode(
            b"023d1496ab624abaa7248d15aa062dc7be075d018069e1fcf13139de1742d46f47eaabe83c033bf8d6c5b45dde",
        );
        assert!(recorded.is_ok());
    }

    #[test]
    fn a_recorded_block_reads_and_is_written_the_same() {
        let bytes = [0xc3, 0x02, 0x53, 0x4f, 0x40, 0x82, 0x50, 0x52, 0x40, 0x99];
        let (block, rest) = Block::take(&bytes).unwrap();
        let ids: Vec<_> = block.iter().map(|extension| extension.id).collect();
        assert_eq!((ids, rest), (vec![&b"SO"[..], b"PR"], &[0x99][..]));
        assert!(block.find(b"PR").is_some() && block.find(b"QK").is_none());
        let mut writer = Writer::default();
        writer.put(b"SO", b"").put(b"PR", b"");
        assert_eq!(writer.finish(), block.bytes());
    }

    #[test]
    fn a_chain_without_end_and_a_bomb_are_not_followed() {
        let endless: Vec<u8> = std::iter::once(MAGIC).chain([0x01, b'A', 0x40].repeat(10_000)).collect();
        assert_eq!(Block::take(&endless), None);
        let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut bomb, &vec![0; 10 << 20]).unwrap();
        let mut writer = Writer::default();
        writer.extension(DEFLATED, b"Z", &bomb.finish().unwrap());
        let block = writer.finish();
        assert_eq!(Block::take(&block).unwrap().0.find(b"Z"), None);
    }

    proptest! {
        #[test]
        fn any_extensions_survive(parts in prop::collection::vec(("[A-Z]{1,15}", prop::collection::vec(any::<u8>(), 0..600)), 1..10)) {
            let mut writer = Writer::default();
            for (id, data) in &parts {
                writer.put_without_zeros(id.as_bytes(), data);
            }
            let bytes = writer.finish();
            let (block, rest) = Block::take(&bytes).unwrap();
            prop_assert!(rest.is_empty());
            let read: Vec<_> = block.iter().map(|part| (part.id.to_vec(), part.data.into_owned())).collect();
            let wrote: Vec<_> = parts.iter().map(|(id, data)| (id.as_bytes().to_vec(), data.clone())).collect();
            prop_assert_eq!(read, wrote);
        }

        #[test]
        fn any_data_survives_cobs_without_a_zero(data in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let coded = to_cobs(&data);
            prop_assert!(!coded.contains(&0));
            prop_assert_eq!(from_cobs(&coded), Some(data));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [&[MAGIC][..], &bytes].concat();
            if let Some((block, _)) = Block::take(&bytes) {
                let _ = block.iter().count();
            }
        }
    }
}
