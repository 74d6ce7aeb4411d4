//! Deflating without a memory (RFC 1951): each piece is coded by itself, with fixed codes and matches within the piece.
//!
//! What zlib keeps of a link is 300 KiB, and a flush costs it as much as deflating dozens of queries. Here all links
//! share one table of 8 KiB, and a flush costs five bytes. The price is size: queries come out at two thirds instead of
//! half. Any zlib reads it.

/// A piece: every distance within it can be told.
const PIECE: usize = 32 << 10;
/// Shorter matches would be longer than what they stand for.
const SHORTEST: usize = 4;
const LONGEST: usize = 258;
const HASH_BITS: u32 = 12;
/// The header of a zlib stream: deflate, 32 KiB, fastest.
pub(super) const ZLIB: [u8; 2] = [0x78, 0x01];
/// What tells a reader that all before it is there: an empty stored block, after padding.
const SYNC: [u8; 4] = [0, 0, 0xff, 0xff];

/// A code and how many bits it has, the first bit lowest.
type Code = (u16, u8);

const fn reversed(code: u16, bits: u8) -> Code {
    (code.reverse_bits() >> (16 - bits), bits)
}

/// The fixed codes of literals and lengths (3.2.6).
const SYMBOLS: [Code; 288] = {
    let mut codes = [(0, 0); 288];
    let mut symbol = 0u16;
    while symbol < 288 {
        codes[symbol as usize] = match symbol {
            0..=143 => reversed(0x30 + symbol, 8),
            144..=255 => reversed(0x190 + symbol - 144, 9),
            256..=279 => reversed(symbol - 256, 7),
            _ => reversed(0xc0 + symbol - 280, 8),
        };
        symbol += 1;
    }
    codes
};

const END: usize = 256;

/// The code of each match length (3.2.5): symbol and extra bits together, and how many bits that is.
const LENGTHS: [(u32, u8); LONGEST + 1] = {
    let mut codes = [(0, 0); LONGEST + 1];
    let mut length = 3;
    while length <= LONGEST {
        let (symbol, extra, rest) = if length == LONGEST {
            (285, 0, 0)
        } else if length < 11 {
            (254 + length, 0, 0)
        } else {
            let offset = (length - 3) as u32;
            let extra = offset.ilog2() - 2;
            let group = (offset >> extra) as usize;
            (257 + 4 * extra as usize + group, extra, offset & ((1 << extra) - 1))
        };
        let (code, bits) = SYMBOLS[symbol];
        codes[length] = (code as u32 | rest << bits, bits + extra as u8);
        length += 1;
    }
    codes
};

/// A distance's code: five bits, then extra ones.
fn distance_code(distance: u32) -> (u32, u8) {
    let offset = distance - 1;
    let (symbol, extra) = match offset {
        0..=3 => (offset, 0),
        _ => {
            let extra = offset.ilog2() - 1;
            (2 * extra + (offset >> extra), extra)
        }
    };
    let (code, bits) = reversed(symbol as u16, 5);
    let rest = offset & ((1 << extra) - 1);
    (u32::from(code) | rest << bits, bits + extra as u8)
}

/// Bits on their way into bytes.
struct Bits<'a> {
    out: &'a mut Vec<u8>,
    held: u64,
    count: u8,
}

impl Bits<'_> {
    /// At most 32 bits.
    fn put(&mut self, bits: u32, count: u8) {
        self.held |= u64::from(bits) << self.count;
        self.count += count;
        if self.count >= 32 {
            self.out.extend_from_slice(&(self.held as u32).to_le_bytes());
            self.held >>= 32;
            self.count -= 32;
        }
    }

    fn symbol(&mut self, symbol: usize) {
        let (code, bits) = SYMBOLS[symbol];
        self.put(code.into(), bits);
    }

    /// Pads to a byte.
    fn align(mut self) {
        while self.count > 0 {
            self.out.push(self.held as u8);
            self.held >>= 8;
            self.count = self.count.saturating_sub(8);
        }
    }
}

/// Where four bytes were seen last in the piece under way, plus one.
pub(super) struct Packer(Box<[u16; 1 << HASH_BITS]>);

impl Default for Packer {
    fn default() -> Packer {
        Packer(Box::new([0; 1 << HASH_BITS]))
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    /// Appends `data` deflated, readable to its last byte whatever follows. Nothing for no data.
    pub(super) fn pack(&mut self, data: &[u8], out: &mut Vec<u8>) {
        for piece in data.chunks(PIECE) {
            let begin = out.len();
            out.reserve(piece.len() + 16);
            self.coded(piece, out);
            if out.len() - begin > piece.len() + 5 {
                out.truncate(begin);
                stored(piece, out);
            }
        }
    }

    /// A block with fixed codes.
    fn coded(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.0.fill(0);
        let mut bits = Bits { out, held: 0, count: 0 };
        bits.put(0b010, 3);
        let mut at = 0;
        while let Some(next) = piece.get(at..).and_then(<[u8]>::first_chunk::<SHORTEST>) {
            let place = u32::from_le_bytes(*next).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
            let seen = std::mem::replace(&mut self.0[place as usize], at as u16 + 1);
            let length = usize::from(seen).checked_sub(1).map_or(0, |seen| matching(piece, seen, at));
            if length < SHORTEST {
                bits.symbol(piece[at].into());
                at += 1;
                continue;
            }
            let (code, count) = LENGTHS[length];
            bits.put(code, count);
            let (code, count) = distance_code(at as u32 + 1 - u32::from(seen));
            bits.put(code, count);
            at += length;
        }
        piece.get(at..).unwrap_or_default().iter().for_each(|byte| bits.symbol((*byte).into()));
        bits.symbol(END);
        // An empty stored block follows, whose header is three zeros before the padding.
        bits.put(0, 3);
        bits.align();
        out.extend_from_slice(&SYNC);
    }
}

/// How long what is at `at` is the same as at `seen`, which is before it.
fn matching(piece: &[u8], seen: usize, at: usize) -> usize {
    let most = LONGEST.min(piece.len() - at);
    let (seen, here) = (&piece[seen..], &piece[at..at + most]);
    let eights = seen.as_chunks::<8>().0.iter().zip(here.as_chunks::<8>().0);
    let same = 8 * eights.take_while(|(a, b)| a == b).count();
    same + seen[same..].iter().zip(&here[same..]).take_while(|(a, b)| a == b).count()
}

/// A block as it is.
fn stored(piece: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    let length = piece.len() as u16;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(piece);
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Decompress, FlushDecompress};
    use proptest::prelude::*;

    fn unpack(packed: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(size + 1);
        Decompress::new(false).decompress_vec(packed, &mut out, FlushDecompress::Sync).unwrap();
        out
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read_by_any_zlib(
            pieces in prop::collection::vec((0..40usize, any::<u8>(), 1..3_000usize), 0..40),
        ) {
            let mut data = Vec::new();
            for (kind, seed, size) in pieces {
                let byte = |at: usize| match kind {
                    0..10 => seed,
                    10..20 => (at as u8).wrapping_mul(seed) >> 3,
                    _ => (at * at % 251) as u8 ^ seed,
                };
                data.extend((0..size).map(byte));
            }
            let (mut packer, mut packed) = (Packer::default(), Vec::new());
            packer.pack(&data, &mut packed);
            prop_assert_eq!(unpack(&packed, data.len()), data);
        }

        #[test]
        fn noise_grows_by_five_bytes_a_piece_at_most(data in prop::collection::vec(any::<u8>(), 1..70_000)) {
            let mut packed = Vec::new();
            Packer::default().pack(&data, &mut packed);
            prop_assert!(packed.len() <= data.len() + 5 * data.len().div_ceil(PIECE));
            prop_assert_eq!(unpack(&packed, data.len()), data);
        }
    }

    #[test]
    fn all_lengths_and_distances_are_coded() {
        for gap in [1, 2, 4, 5, 60, 1_000, 20_000, 32_000] {
            for length in 4..=259 {
                let word: Vec<u8> = (0..length).map(|at| (at * 7 % 256) as u8).collect();
                let between: Vec<u8> = (0..gap).map(|at| (at % 3) as u8 ^ 0x80).collect();
                let data = [&word[..], &between, &word].concat();
                let mut packed = Vec::new();
                Packer::default().pack(&data, &mut packed);
                assert_eq!(unpack(&packed, data.len()), data, "{gap} {length}");
            }
        }
    }

    #[test]
    fn queries_come_out_at_two_thirds() {
        let mut data = Vec::new();
        let mut rng = throng_machine::SplitMix64::new(1);
        for number in 0..50 {
            let mut id = [0; 16];
            throng_machine::Entropy::fill(&mut rng, &mut id);
            data.extend(id);
            data.extend([0x80, 3, 1, 33, 0, 0, 0, 0x98, 0]);
            data.extend(format!("some artist {} song {}\0", number * 977 % 991, number).bytes());
        }
        let mut packed = Vec::new();
        Packer::default().pack(&data, &mut packed);
        assert!(packed.len() * 3 < data.len() * 2, "{} of {}", packed.len(), data.len());
    }
}
