//! What is told of a document besides its words, and its compact form.
//!
//! Entries of one owner are packed sixteen a block, each telling how much of its name is the same as the one
//! before (the folder, mostly). Frequent bit rates and sampling rates are one byte, numbers are varints.

use std::fmt;

/// Longest name; bytes.
pub const MAX_NAME: usize = 1024;

/// Longest content key; bytes.
pub const MAX_KEY: usize = 64;

/// The kind of a document, as search languages tell them apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Kind {
    /// Music in the format everything began with; what says no kind.
    #[default]
    Mp3,
    /// Other sound.
    Audio,
    /// Moving pictures.
    Video,
    /// Programs.
    Application,
    /// Pictures.
    Image,
    /// Text and documents.
    Text,
    /// Anything else.
    Other,
}

const KINDS: [Kind; 8] = [
    Kind::Mp3,
    Kind::Audio,
    Kind::Video,
    Kind::Application,
    Kind::Image,
    Kind::Text,
    Kind::Other,
    Kind::Other,
];

/// Sampling rates that take no byte of their own; Hz.
const FREQUENCIES: [u32; 15] = [
    44_100, 0, 8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 48_000, 64_000, 88_200, 96_000,
    176_400, 192_000,
];

/// Frequent bit rates of more than seven bits, then the escape; kbit/s.
const BITRATES: [u32; 9] = [128, 144, 160, 192, 224, 256, 320, 384, 512];

/// The escape of [`BITRATES`].
const OTHER_BITRATE: u8 = u8::MAX;

/// The numbers of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// What it is.
    pub kind: Kind,
    /// Length in bytes.
    pub size: u64,
    /// Bit rate in kbit/s, zero if unknown.
    pub bitrate: u32,
    /// Sampling rate in Hz, zero if unknown.
    pub frequency: u32,
    /// Playing time in seconds, zero if unknown.
    pub duration: u32,
}

/// A document as its owner tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Its name or path, any bytes.
    pub name: &'a [u8],
    /// A hash of its content that it can be found by, or nothing.
    pub key: &'a [u8],
    /// Its numbers.
    pub attributes: Attributes,
}

/// Appends an entry that follows one named `before`.
pub(super) fn encode(entry: &Entry<'_>, before: &[u8], out: &mut Vec<u8>) {
    let shared = before.iter().zip(entry.name).take_while(|(a, b)| a == b).count();
    put(shared as u64, out);
    put((entry.name.len() - shared) as u64, out);
    out.extend_from_slice(&entry.name[shared..]);
    let attributes = &entry.attributes;
    let frequency = FREQUENCIES.iter().position(|known| *known == attributes.frequency).unwrap_or(15);
    out.push((attributes.kind as u8) << 5 | u8::from(!entry.key.is_empty()) << 4 | frequency as u8);
    if frequency == 15 {
        put(u64::from(attributes.frequency), out);
    }
    put_bitrate(attributes.bitrate, out);
    put(u64::from(attributes.duration), out);
    put(attributes.size, out);
    if !entry.key.is_empty() {
        out.push(entry.key.len() as u8);
        out.extend_from_slice(entry.key);
    }
}

fn put_bitrate(bitrate: u32, out: &mut Vec<u8>) {
    match (bitrate, BITRATES.iter().position(|known| *known == bitrate)) {
        (0..128, _) => out.push(bitrate as u8),
        (_, Some(known)) => out.push(128 + known as u8),
        _ => {
            out.push(OTHER_BITRATE);
            put(u64::from(bitrate), out);
        }
    }
}

fn put(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads the entries of a block, which only this module writes, one after the other.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    name: Vec<u8>,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({}/{})", self.at, self.bytes.len())
    }
}

impl<'a> Reader<'a> {
    /// Reads a block, with a buffer for names from an earlier use.
    pub(super) fn new(bytes: &'a [u8], name: Vec<u8>) -> Reader<'a> {
        Reader { bytes, at: 0, name }
    }

    /// Begins another block.
    pub(super) fn restart(&mut self, bytes: &'a [u8]) {
        (self.bytes, self.at) = (bytes, 0);
    }

    /// The next entry; there must be one.
    pub(super) fn next(&mut self) -> Entry<'_> {
        let (shared, own) = (self.varint() as usize, self.varint() as usize);
        self.name.truncate(shared);
        self.name.extend_from_slice(&self.bytes[self.at..self.at + own]);
        self.at += own;
        let flags = self.byte();
        let frequency = match FREQUENCIES.get(usize::from(flags & 15)) {
            Some(known) => *known,
            None => self.varint() as u32,
        };
        let bitrate = match self.byte() {
            low @ 0..128 => u32::from(low),
            OTHER_BITRATE => self.varint() as u32,
            known => BITRATES[usize::from(known - 128)],
        };
        let duration = self.varint() as u32;
        let size = self.varint();
        let key_len = if flags & 16 == 0 { 0 } else { usize::from(self.byte()) };
        let key = &self.bytes[self.at..self.at + key_len];
        self.at += key_len;
        let kind = KINDS[usize::from(flags >> 5)];
        Entry { name: &self.name, key, attributes: Attributes { kind, size, bitrate, frequency, duration } }
    }

    /// Passes over an entry; only the next one's name needs it.
    pub(super) fn into_name(self) -> Vec<u8> {
        self.name
    }

    fn byte(&mut self) -> u8 {
        let byte = self.bytes[self.at];
        self.at += 1;
        byte
    }

    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_song_takes_its_own_name_and_nine_bytes() {
        let (mut out, name) = (Vec::new(), &br"C:\My Music\Aphex Tone - Zebra Song.mp3"[..]);
        let attributes =
            Attributes { kind: Kind::Mp3, size: 5_000_000, bitrate: 128, frequency: 44_100, duration: 180 };
        encode(&Entry { name, key: &[], attributes }, br"C:\My Music\Aphex", &mut out);
        // Shared 17, own 22, the rest; kind 0, no key, 44100; 128; 180 = b4 01; 5000000 = c0 96 b1 02.
        assert_eq!(out[..2], [17, 22]);
        assert_eq!(out[24..], [0x00, 0x80, 0xb4, 0x01, 0xc0, 0x96, 0xb1, 0x02]);
    }

    proptest! {
        #[test]
        fn entries_come_back_as_they_were(
            names in prop::collection::vec(prop::collection::vec(0..4u8, 0..300), 1..16),
            numbers in prop::collection::vec((0..7usize, any::<u64>(), 0..600u32, 0..60_000u32, any::<u32>()), 16),
            keys in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 16),
        ) {
            let entries: Vec<Entry<'_>> = names.iter().zip(&numbers).zip(&keys).map(|((name, n), key)| {
                let kind = KINDS[n.0];
                let attributes = Attributes { kind, size: n.1, bitrate: n.2, frequency: n.3, duration: n.4 };
                Entry { name, key, attributes }
            }).collect();
            let (mut out, mut before) = (Vec::new(), &[][..]);
            for entry in &entries {
                encode(entry, before, &mut out);
                before = entry.name;
            }
            let mut reader = Reader::new(&out, Vec::new());
            for entry in &entries {
                prop_assert_eq!(&reader.next(), entry);
            }
            prop_assert_eq!(reader.at, out.len());
        }
    }
}
