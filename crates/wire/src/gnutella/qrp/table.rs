//! A table of words, and the patches that lead from one to another.

use super::{MOST_ENTRIES, Patch, QrpError, QrpMessage};
use std::io::Write;

/// The infinity our own tables use, and what makes a word present.
const INFINITY: u8 = 7;
const ADD: u8 = 0x0a;
const REMOVE: u8 = 0x06;
/// Bytes of a patch that are looked at together.
const RUN: usize = 64;
/// Bytes of one patch message of ours.
const PIECE: usize = 4_000;

/// The 32-bit product a word's entry is taken from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WordHash(pub u32);

impl WordHash {
    /// The entry in a table of 2^bits.
    pub fn entry(self, bits: u32) -> u32 {
        if bits == 0 { 0 } else { self.0 >> (32 - bits.min(32)) }
    }
}

/// Hashes a word, which is brought to lower case first.
pub fn hash_of(word: &str) -> WordHash {
    let mut folded = 0u32;
    let mut place = 0;
    let mut units = [0; 2];
    for letter in word.chars().flat_map(char::to_lowercase) {
        for unit in letter.encode_utf16(&mut units) {
            folded ^= u32::from(*unit & 0xff) << (8 * (place & 3));
            place += 1;
        }
    }
    WordHash(folded.wrapping_mul(0x4f1b_bcdc))
}

/// Which words somebody has: one bit an entry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QrpTable {
    words: Vec<u64>,
    bits: u32,
}

impl QrpTable {
    /// An empty table of 2^bits entries, at most 2^21.
    pub fn new(bits: u32) -> QrpTable {
        let bits = bits.min(MOST_ENTRIES.ilog2());
        QrpTable { words: vec![0; (1usize << bits).div_ceil(64)], bits }
    }

    /// Entries as a power of two.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Entries.
    pub fn entries(&self) -> u32 {
        1 << self.bits
    }

    /// Notes a word.
    pub fn insert(&mut self, word: WordHash) {
        let entry = word.entry(self.bits);
        if let Some(bits) = self.words.get_mut(entry as usize / 64) {
            *bits |= 1 << (entry % 64);
        }
    }

    /// Whether the word may be there.
    pub fn contains(&self, word: WordHash) -> bool {
        self.has(word.entry(self.bits))
    }

    fn has(&self, entry: u32) -> bool {
        self.words.get(entry as usize / 64).is_some_and(|bits| bits >> (entry % 64) & 1 == 1)
    }

    fn set(&mut self, entry: u32, present: bool) {
        if let Some(bits) = self.words.get_mut(entry as usize / 64) {
            let bit = 1 << (entry % 64);
            *bits = if present { *bits | bit } else { *bits & !bit };
        }
    }

    /// Adds all words of another table, of any size.
    pub fn merge(&mut self, other: &QrpTable) {
        for entry in other.present() {
            if other.bits >= self.bits {
                self.set(entry >> (other.bits - self.bits), true);
            } else {
                // One entry of a smaller table stands for several here.
                let spread = self.bits - other.bits;
                (0..1 << spread).for_each(|low| self.set(entry << spread | low, true));
            }
        }
    }

    /// Entries that are present, ascending.
    pub fn present(&self) -> impl Iterator<Item = u32> + '_ {
        let words = (0u32..).zip(&self.words).filter(|(_, bits)| **bits != 0);
        words.flat_map(|(word, bits)| {
            let rest = |left: &u64| Some(left & (left - 1)).filter(|left| *left != 0);
            std::iter::successors(Some(*bits), rest).map(move |left| word * 64 + left.trailing_zeros())
        })
    }

    /// How many are present.
    pub fn count(&self) -> u32 {
        self.words.iter().map(|bits| bits.count_ones()).sum()
    }

    /// Bytes of memory beside the struct itself.
    pub fn memory(&self) -> usize {
        self.words.capacity() * 8
    }

    /// Whether a query may find something here: words of fewer than 3 bytes are not tested; all of one or two, two
    /// thirds of more; a hash that is there suffices, and one that is not keeps a search for it away.
    pub fn may_match<'a>(&self, words: impl IntoIterator<Item = &'a str>, urns: &[WordHash]) -> bool {
        if urns.iter().any(|urn| self.contains(*urn)) {
            return true;
        }
        let (mut tested, mut found) = (0, 0);
        for word in words.into_iter().filter(|word| word.len() >= 3) {
            tested += 1;
            found += u32::from(self.contains(hash_of(word)));
        }
        match tested {
            0 => urns.is_empty(),
            1 | 2 => found == tested,
            _ => 3 * found / tested >= 2,
        }
    }

    /// Changes the entries a whole sequence says.
    pub(super) fn apply(&mut self, bits: u8, data: &[u8]) -> Result<(), QrpError> {
        let per_byte = 8 / u32::from(bits);
        if data.len() as u64 * u64::from(per_byte) != u64::from(self.entries().max(per_byte)) {
            return Err(QrpError::Size);
        }
        // Nearly all of it is zero: long runs are passed over at once.
        for (begin, run) in (0u32..).step_by(RUN).zip(data.chunks(RUN)) {
            if run.iter().fold(0, |all, byte| all | byte) != 0 {
                (begin..).zip(run).for_each(|(at, byte)| self.apply_byte(at * per_byte, bits, *byte));
            }
        }
        Ok(())
    }

    /// Changes the entries that a byte stands for, from that one on.
    fn apply_byte(&mut self, from: u32, bits: u8, byte: u8) {
        for slot in 0..8 / u32::from(bits) {
            let shift = 8 - u32::from(bits) * (slot + 1);
            let value = u32::from(byte) >> shift & ((1 << bits) - 1);
            self.change(from + slot, bits, value);
        }
    }

    fn change(&mut self, entry: u32, bits: u8, value: u32) {
        if value == 0 || entry >= self.entries() {
            return;
        }
        let negative = value >> (bits - 1) & 1 == 1;
        let present = if bits == 1 { !self.has(entry) } else { negative };
        self.set(entry, present);
    }
}

/// The reset our tables begin with.
pub fn reset(table: &QrpTable) -> QrpMessage<'static> {
    QrpMessage::Reset { entries: table.entries(), infinity: INFINITY }
}

/// The patches that lead from one table to another of the same size, as payloads; the first table after a reset is
/// empty. Four bits an entry, zlib.
pub fn table_patches(from: Option<&QrpTable>, to: &QrpTable) -> Vec<Vec<u8>> {
    let mut data = vec![0u8; (to.entries() as usize).div_ceil(2)];
    let mut note = |entry: u32, value: u8| {
        if let Some(byte) = data.get_mut(entry as usize / 2) {
            *byte |= if entry.is_multiple_of(2) { value << 4 } else { value };
        }
    };
    let had = |entry: u32| from.is_some_and(|from| from.has(entry));
    to.present().filter(|entry| !had(*entry)).for_each(|entry| note(entry, ADD));
    let gone = from.into_iter().flat_map(QrpTable::present).filter(|entry| !to.has(*entry));
    gone.for_each(|entry| note(entry, REMOVE));
    let packed = deflate(&data);
    let of = packed.len().div_ceil(PIECE).min(255);
    let size = packed.len().div_ceil(of.max(1));
    let pieces = (1u8..=255).zip(packed.chunks(size.max(1)));
    let payload = |(number, data)| {
        let mut out = Vec::new();
        QrpMessage::Patch(Patch { number, of: of as u8, compressor: 1, bits: 4, data }).put(&mut out);
        out
    };
    pieces.map(payload).collect()
}

pub(super) fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to a Vec can't fail.
    let _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}
