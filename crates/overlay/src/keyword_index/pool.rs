//! Byte strings of a few sizes: an allocator for millions of small pieces.
//!
//! Pieces live in one vector a size class, freed ones on a list through themselves, so that a piece costs its
//! rounding and nothing else: no header of the system's allocator, no pointer of eight bytes. Vectors grow by an
//! eighth, not by doubling.

/// Sizes of the classes: steps of an eighth to a quarter.
const SIZES: [u16; 40] = [
    4, 8, 12, 16, 20, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 288, 320, 352,
    384, 448, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2560,
];

/// The longest piece.
pub(super) const LONGEST: usize = 2560;

/// Ends a list of free pieces.
const NONE: u32 = u32::MAX;

/// Where a byte string lies: eight bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) slot: u32,
    pub(super) len: u16,
    pub(super) class: u8,
}

impl Piece {
    /// The empty string, which occupies nothing.
    pub(super) const EMPTY: Piece = Piece { slot: 0, len: 0, class: 0 };

    pub(super) const fn is_empty(self) -> bool {
        self.len == 0
    }
}

struct Class {
    bytes: Vec<u8>,
    free: u32,
}

/// All pieces of an index.
pub(super) struct Pool {
    classes: [Class; SIZES.len()],
}

impl Pool {
    pub(super) fn new() -> Pool {
        Pool { classes: std::array::from_fn(|_| Class { bytes: Vec::new(), free: NONE }) }
    }

    /// The string.
    pub(super) fn bytes(&self, piece: Piece) -> &[u8] {
        if piece.is_empty() {
            return &[];
        }
        let at = start(piece);
        &self.classes[usize::from(piece.class)].bytes[at..at + usize::from(piece.len)]
    }

    /// Stores a string of at most [`LONGEST`] bytes.
    pub(super) fn store(&mut self, bytes: &[u8]) -> Piece {
        if bytes.is_empty() {
            return Piece::EMPTY;
        }
        let mut piece = self.allocate(bytes.len());
        piece.len = bytes.len() as u16;
        self.room(piece)[..bytes.len()].copy_from_slice(bytes);
        piece
    }

    /// Gives a string back.
    pub(super) fn release(&mut self, piece: Piece) {
        if piece.is_empty() {
            return;
        }
        let class = &mut self.classes[usize::from(piece.class)];
        let (at, next) = (start(piece), class.free.to_le_bytes());
        class.bytes[at..at + 4].copy_from_slice(&next);
        class.free = piece.slot;
    }

    /// Replaces `cut` of a string by `with`; moves it where its new length belongs.
    pub(super) fn splice(&mut self, piece: &mut Piece, cut: std::ops::Range<usize>, with: &[u8]) {
        let old = usize::from(piece.len);
        let new = old - cut.len() + with.len();
        if new == 0 {
            self.release(std::mem::replace(piece, Piece::EMPTY));
        } else if old > 0 && class_of(new) == usize::from(piece.class) {
            piece.len = new as u16;
            let room = self.room(*piece);
            room.copy_within(cut.end..old, cut.start + with.len());
            room[cut.start..cut.start + with.len()].copy_from_slice(with);
        } else {
            let mut moved = self.allocate(new);
            moved.len = new as u16;
            self.copy_spliced(*piece, moved, cut, with);
            self.release(std::mem::replace(piece, moved));
        }
    }

    /// Bytes held, free pieces included.
    pub(super) fn held(&self) -> usize {
        self.classes.iter().map(|class| class.bytes.len()).sum()
    }

    fn copy_spliced(&mut self, from: Piece, to: Piece, cut: std::ops::Range<usize>, with: &[u8]) {
        let mut buffer = [0; LONGEST];
        let new = usize::from(to.len);
        let old = self.bytes(from);
        buffer[..cut.start].copy_from_slice(&old[..cut.start]);
        buffer[cut.start..cut.start + with.len()].copy_from_slice(with);
        buffer[cut.start + with.len()..new].copy_from_slice(&old[cut.end..]);
        self.room(to)[..new].copy_from_slice(&buffer[..new]);
    }

    fn room(&mut self, piece: Piece) -> &mut [u8] {
        let (at, size) = (start(piece), SIZES[usize::from(piece.class)]);
        let end = at + usize::from(size);
        &mut self.classes[usize::from(piece.class)].bytes[at..end]
    }

    fn allocate(&mut self, len: usize) -> Piece {
        let index = class_of(len);
        let (class, size) = (&mut self.classes[index], usize::from(SIZES[index]));
        let slot = class.free;
        if slot == NONE {
            let end = class.bytes.len();
            if class.bytes.capacity() < end + size {
                class.bytes.reserve_exact((end / 8).max(size * 4));
            }
            class.bytes.resize(end + size, 0);
            return Piece { slot: (end / size) as u32, len: 0, class: index as u8 };
        }
        let at = slot as usize * size;
        let next = class.bytes[at..at + 4].try_into().expect("four bytes");
        class.free = u32::from_le_bytes(next);
        Piece { slot, len: 0, class: index as u8 }
    }
}

fn start(piece: Piece) -> usize {
    piece.slot as usize * usize::from(SIZES[usize::from(piece.class)])
}

/// The smallest class that holds `len` bytes.
fn class_of(len: usize) -> usize {
    usize::from(CLASS_OF[len.div_ceil(4)])
}

const CLASS_OF: [u8; LONGEST / 4 + 1] = {
    let mut table = [0; LONGEST / 4 + 1];
    let (mut words, mut class) = (0, 0);
    while words <= LONGEST / 4 {
        if words * 4 > SIZES[class] as usize {
            class += 1;
        }
        table[words] = class as u8;
        words += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_takes_eight_bytes_and_every_length_has_the_smallest_class_that_holds_it() {
        assert_eq!(size_of::<Piece>(), 8);
        for len in 1..=LONGEST {
            let class = class_of(len);
            assert!(usize::from(SIZES[class]) >= len);
            assert!(class == 0 || usize::from(SIZES[class - 1]) < len, "{len}");
        }
    }

    #[test]
    fn strings_survive_growing_shrinking_and_the_reuse_of_their_places() {
        let mut pool = Pool::new();
        let mut pieces: Vec<(Piece, Vec<u8>)> = Vec::new();
        for round in 0..2_000_usize {
            let bytes: Vec<u8> = (0..round % 300).map(|at| (at * 7 + round) as u8).collect();
            pieces.push((pool.store(&bytes), bytes));
            let other = (round * 31) % pieces.len();
            let (piece, expected) = &mut pieces[other];
            let cut = (round % 5).min(expected.len())
                ..(round % 11).min(expected.len()).max((round % 5).min(expected.len()));
            let with = vec![round as u8; round % 17];
            pool.splice(piece, cut.clone(), &with);
            expected.splice(cut, with);
            if round % 3 == 0 {
                let (piece, _) = pieces.swap_remove((round * 17) % pieces.len());
                pool.release(piece);
            }
        }
        assert!(pieces.iter().all(|(piece, bytes)| pool.bytes(*piece) == bytes));
        let held = pool.held();
        let stored: Vec<Piece> = pieces.iter().map(|(_, bytes)| pool.store(bytes)).collect();
        stored.into_iter().for_each(|piece| pool.release(piece));
        pieces.iter().for_each(|(piece, _)| pool.release(*piece));
        for (_, bytes) in &pieces {
            pool.store(bytes);
        }
        assert!(pool.held() < held * 5 / 2, "freed places are used again");
    }
}
