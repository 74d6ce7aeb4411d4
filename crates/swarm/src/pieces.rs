//! Sets of pieces: one bit each, with a count.

/// A set of piece indexes below a fixed length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PieceSet {
    words: Box<[u64]>,
    len: u32,
    count: u32,
}

impl PieceSet {
    /// The empty set of pieces `0..len`.
    pub(crate) fn new(len: u32) -> PieceSet {
        PieceSet { words: vec![0; len.div_ceil(64) as usize].into(), len, count: 0 }
    }

    /// All pieces.
    pub(crate) fn full(len: u32) -> PieceSet {
        let mut set = PieceSet { words: vec![u64::MAX; len.div_ceil(64) as usize].into(), len, count: len };
        if let (Some(last), tail @ 1..) = (set.words.last_mut(), len % 64) {
            *last = (1 << tail) - 1;
        }
        set
    }

    /// From a bitfield message (BEP 3: first piece in the high bit); `None` if its length or spare bits are wrong.
    pub(crate) fn from_bitfield(bits: &[u8], len: u32) -> Option<PieceSet> {
        if bits.len() != len.div_ceil(8) as usize {
            return None;
        }
        let mut set = PieceSet::new(len);
        for (word, bytes) in set.words.iter_mut().zip(bits.chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_be_bytes(padded).reverse_bits();
        }
        set.count = set.words.iter().map(|word| word.count_ones()).sum();
        let spare =
            set.words.last().map_or(0, |last| if len.is_multiple_of(64) { 0 } else { last >> (len % 64) });
        (spare == 0).then_some(set)
    }

    /// As the payload of a bitfield message.
    pub(crate) fn to_bitfield(&self) -> Vec<u8> {
        let mut bits: Vec<u8> =
            self.words.iter().flat_map(|word| word.reverse_bits().to_be_bytes()).collect();
        bits.truncate(self.len.div_ceil(8) as usize);
        bits
    }

    /// How many pieces there are to have.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// How many are in the set.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Whether every piece is in the set (false for no pieces at all).
    pub(crate) fn is_full(&self) -> bool {
        self.count == self.len && self.len > 0
    }

    /// Whether a piece is in the set; false beyond its length.
    pub(crate) fn has(&self, piece: u32) -> bool {
        self.words.get(piece as usize / 64).is_some_and(|word| word >> (piece % 64) & 1 == 1)
    }

    /// Puts a piece in; false if it was there already or lies beyond the length.
    pub(crate) fn insert(&mut self, piece: u32) -> bool {
        if piece >= self.len || self.has(piece) {
            return false;
        }
        self.words[piece as usize / 64] |= 1 << (piece % 64);
        self.count += 1;
        true
    }

    /// Takes a piece out; false if it was not there.
    pub(crate) fn remove(&mut self, piece: u32) -> bool {
        if !self.has(piece) {
            return false;
        }
        self.words[piece as usize / 64] &= !(1 << (piece % 64));
        self.count -= 1;
        true
    }

    /// The 64 pieces from `64 * index`, first in the low bit.
    pub(crate) fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    /// How many words of 64 pieces there are.
    pub(crate) fn words(&self) -> usize {
        self.words.len()
    }

    /// The pieces, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bitfield_with_spare_bits_set_or_of_the_wrong_length_is_refused() {
        assert!(PieceSet::from_bitfield(&[0xff, 0x80], 9).is_some_and(|set| set.is_full()));
        assert_eq!(PieceSet::from_bitfield(&[0xff, 0xc0], 9), None);
        assert_eq!(PieceSet::from_bitfield(&[0xff], 9), None);
        assert_eq!(PieceSet::from_bitfield(&[0xff, 0, 0], 9), None);
    }

    #[test]
    fn a_full_set_has_exactly_its_pieces() {
        for len in [0, 1, 63, 64, 65, 1000] {
            let set = PieceSet::full(len);
            assert_eq!(set.iter().collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
            assert!(!set.has(len));
        }
    }

    proptest! {
        #[test]
        fn a_set_goes_to_a_bitfield_and_back(len in 0u32..300, picks in proptest::collection::vec(0u32..300, 0..60)) {
            let mut set = PieceSet::new(len);
            for piece in picks {
                set.insert(piece);
                if piece % 3 == 0 { set.remove(piece); }
            }
            prop_assert_eq!(set.count() as usize, set.iter().count());
            prop_assert_eq!(PieceSet::from_bitfield(&set.to_bitfield(), len), Some(set));
        }
    }
}
