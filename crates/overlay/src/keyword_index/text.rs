//! What a term of the dictionary is told by: eight bytes.
//!
//! Words of up to seven bytes, which most are, lie in these bytes themselves, so that comparing one reads no other
//! memory; longer ones lie in the pool. Of a content key there is a part of its keyed hash.

use super::pool::{Piece, Pool};

/// The longest word that lies here; bytes.
const INLINE: usize = 7;

/// Last byte of a word in the pool.
const POOLED: u8 = 0xfe;

/// Last byte of a content key.
const KEY: u8 = 0xff;

/// The last byte is a length up to [`INLINE`], [`POOLED`] or [`KEY`]; unused bytes are zero, so equal terms in place
/// are equal here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Text([u8; 8]);

impl Text {
    /// A content key by 32 bits of its hash.
    pub(super) fn key(print: u32) -> Text {
        let [a, b, c, d] = print.to_le_bytes();
        Text([a, b, c, d, 0, 0, 0, KEY])
    }

    /// A word, if it is short enough to lie here.
    #[inline]
    pub(super) fn short(word: &[u8]) -> Option<Text> {
        let mut bytes = [0; 8];
        bytes.get_mut(..word.len()).filter(|_| word.len() <= INLINE)?.copy_from_slice(word);
        bytes[INLINE] = word.len() as u8;
        Some(Text(bytes))
    }

    /// A word of at most 255 bytes, stored in the pool if it must.
    pub(super) fn store(word: &[u8], pool: &mut Pool) -> Text {
        Text::short(word).unwrap_or_else(|| {
            let piece = pool.store(word);
            let [a, b, c, d] = piece.slot.to_le_bytes();
            Text([a, b, c, d, piece.len as u8, piece.class, 0, POOLED])
        })
    }

    /// Gives back what the pool holds of it.
    pub(super) fn release(self, pool: &mut Pool) {
        if let Some(piece) = self.piece() {
            pool.release(piece);
        }
    }

    /// The part of its hash, if it is a content key.
    pub(super) fn as_key(self) -> Option<u32> {
        let [a, b, c, d, .., kind] = self.0;
        (kind == KEY).then(|| u32::from_le_bytes([a, b, c, d]))
    }

    /// The bytes of a word; of a content key none.
    pub(super) fn bytes<'a>(&'a self, pool: &'a Pool) -> &'a [u8] {
        match self.piece() {
            Some(piece) => pool.bytes(piece),
            None => self.0.get(..usize::from(self.0[INLINE])).unwrap_or(&[]),
        }
    }

    /// Whether it is this word, which is longer than those in place.
    #[inline]
    pub(super) fn is_long(self, word: &[u8], pool: &Pool) -> bool {
        self.piece().is_some_and(|piece| usize::from(piece.len) == word.len() && pool.bytes(piece) == word)
    }

    fn piece(self) -> Option<Piece> {
        let [a, b, c, d, len, class, _, kind] = self.0;
        let slot = u32::from_le_bytes([a, b, c, d]);
        (kind == POOLED).then_some(Piece { slot, len: len.into(), class })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_length_come_back_and_only_long_ones_take_room() {
        let mut pool = Pool::new();
        for length in 0..=48 {
            let word: Vec<u8> = (0..length).map(|at| b'a' + at).collect();
            let text = Text::store(&word, &mut pool);
            assert_eq!(text.bytes(&pool), word);
            assert_eq!(text.as_key(), None);
            assert_eq!((pool.held() > 0, text.is_long(&word, &pool)), (length > 7, length > 7));
            assert_eq!(Text::short(&word), (length <= 7).then_some(text));
        }
        assert!(!Text::store(b"crossings", &mut pool).is_long(b"crossing", &pool));
    }

    #[test]
    fn keys_are_no_words() {
        let mut pool = Pool::new();
        for print in [0, 7, u32::MAX] {
            let key = Text::key(print);
            assert_eq!((key.as_key(), key.bytes(&pool)), (Some(print), &b""[..]));
            assert!((0..8).all(|length| Text::short(&vec![0xff; length]) != Some(key)));
            key.release(&mut pool);
        }
        assert_eq!(pool.held(), 0);
    }
}
