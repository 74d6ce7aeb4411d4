//! A fixed set of pieces that any thread may change.

use std::sync::atomic::{AtomicU64, Ordering};

/// One bit a piece; all start clear.
#[derive(Debug)]
pub struct AtomicBitmap {
    words: Box<[AtomicU64]>,
    len: u32,
}

impl AtomicBitmap {
    /// Room for `len` bits.
    pub fn new(len: u32) -> AtomicBitmap {
        AtomicBitmap { words: (0..len.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(), len }
    }

    /// How many bits there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are no bits at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the bit is set; those beyond the end are not.
    pub fn contains(&self, bit: u32) -> bool {
        self.word(bit).is_some_and(|(word, mask)| word.load(Ordering::Acquire) & mask != 0)
    }

    /// Sets the bit, if there is one.
    pub fn insert(&self, bit: u32) {
        if let Some((word, mask)) = self.word(bit) {
            word.fetch_or(mask, Ordering::AcqRel);
        }
    }

    /// Clears the bit, if there is one.
    pub fn remove(&self, bit: u32) {
        if let Some((word, mask)) = self.word(bit) {
            word.fetch_and(!mask, Ordering::AcqRel);
        }
    }

    /// How many bits are set.
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.load(Ordering::Acquire).count_ones()).sum()
    }

    /// The bits as peers send them: first piece in the high bit (BEP 3).
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes =
            self.words.iter().flat_map(|word| word.load(Ordering::Acquire).reverse_bits().to_be_bytes());
        bytes.take(self.len.div_ceil(8) as usize).collect()
    }

    /// Sets the bits that are set in a bitfield as peers send them; what is too long is not looked at.
    pub fn insert_bytes(&self, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate().take(self.len.div_ceil(8) as usize) {
            let first = index as u32 * 8;
            (0..8).filter(|bit| byte & (0x80 >> bit) != 0).for_each(|bit| self.insert(first + bit));
        }
    }

    fn word(&self, bit: u32) -> Option<(&AtomicU64, u64)> {
        (bit < self.len).then(|| (&self.words[(bit / 64) as usize], 1 << (bit % 64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_shown_with_the_first_piece_in_the_high_bit() {
        let bits = AtomicBitmap::new(70);
        [0, 9, 64, 69, 70, 500].iter().for_each(|&bit| bits.insert(bit));
        assert_eq!(bits.to_bytes(), [0x80, 0x40, 0, 0, 0, 0, 0, 0, 0x84]);
        assert_eq!((bits.count(), bits.contains(69), bits.contains(70)), (4, true, false));
        let copy = AtomicBitmap::new(70);
        copy.insert_bytes(&[0x80, 0x40, 0, 0, 0, 0, 0, 0, 0x87, 0xff]);
        assert_eq!(copy.to_bytes(), bits.to_bytes());
        copy.remove(9);
        assert_eq!(copy.count(), 3);
    }
}
