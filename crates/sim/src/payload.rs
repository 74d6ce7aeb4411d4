//! What travels, held so that the usual small message lies in the one cache line of its carrier.

use throng_machine::Extent;

/// Room for a request (17 bytes) or the header of a block (13 bytes).
const INLINE: usize = 18;
/// Longer buffers than this are given back after use.
const KEPT_CAPACITY: usize = 256;

/// File data in a chunk, without its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blank {
    /// How many of the chunk's real bytes go before it.
    pub at: u32,
    pub corrupt: bool,
    /// Which part of the sender's content it is.
    pub extent: Extent,
}

/// What travels over a stream as one: real bytes and blanks in order, few of both inline; a cache line.
#[derive(Default, Debug)]
#[repr(align(64))]
pub(crate) struct Chunk {
    /// The end that sent it.
    pub end: u32,
    pub next: u32,
    /// Bytes and blanks together.
    pub len: u32,
    /// The stream ends after this chunk.
    pub fin: bool,
    inline: [u8; INLINE],
    inline_len: u8,
    blank: Option<Blank>,
    /// Everything, once there is more.
    long: Option<Box<Long>>,
}

#[derive(Default, Debug)]
struct Long {
    in_use: bool,
    bytes: Vec<u8>,
    blanks: Vec<Blank>,
}

impl Chunk {
    /// The real bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.long {
            Some(long) if long.in_use => &long.bytes,
            _ => &self.inline[..usize::from(self.inline_len)],
        }
    }

    /// The blanks, by position.
    pub(crate) fn blanks(&self) -> &[Blank] {
        match &self.long {
            Some(long) if long.in_use => &long.blanks,
            _ => self.blank.as_slice(),
        }
    }

    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u32;
        let start = usize::from(self.inline_len);
        if self.is_inline()
            && let Some(room) = self.inline.get_mut(start..start + bytes.len())
        {
            room.copy_from_slice(bytes);
            self.inline_len += bytes.len() as u8;
            return;
        }
        self.long().bytes.extend_from_slice(bytes);
    }

    /// Appends `len` blanks that are `extent` of the sender's content.
    pub(crate) fn push_blank(&mut self, extent: Extent, corrupt: bool) {
        self.len += extent.len;
        let blank = Blank { at: self.bytes().len() as u32, corrupt, extent };
        if self.is_inline() && self.blank.is_none() {
            self.blank = Some(blank);
            return;
        }
        self.long().blanks.push(blank);
    }

    /// Forgets everything but memory of modest size.
    pub(crate) fn clear(&mut self) {
        (self.inline_len, self.blank) = (0, None);
        (self.len, self.fin) = (0, false);
        if let Some(long) = &mut self.long {
            if long.bytes.capacity() > KEPT_CAPACITY {
                self.long = None;
            } else {
                long.in_use = false;
                long.bytes.clear();
                long.blanks.clear();
            }
        }
    }

    fn is_inline(&self) -> bool {
        !self.long.as_ref().is_some_and(|long| long.in_use)
    }

    fn long(&mut self) -> &mut Long {
        let long = self.long.get_or_insert_default();
        if !long.in_use {
            long.in_use = true;
            long.bytes.extend_from_slice(&self.inline[..usize::from(self.inline_len)]);
            long.blanks.extend(self.blank);
        }
        long
    }
}

/// A datagram's bytes: up to 46 lie inline.
#[derive(Debug)]
pub(crate) enum Message {
    Short(u8, [u8; 46]),
    Long(Box<[u8]>),
}

impl Default for Message {
    fn default() -> Message {
        Message::Short(0, [0; 46])
    }
}

impl Message {
    pub(crate) fn new(bytes: &[u8]) -> Message {
        let mut short = [0; 46];
        match short.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Message::Short(bytes.len() as u8, short)
            }
            None => Message::Long(bytes.into()),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Message::Short(len, bytes) => &bytes[..usize::from(*len)],
            Message::Long(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::ContentId;

    #[test]
    fn a_chunk_holds_the_same_inline_and_spilled() {
        let extent = |offset| Extent { content: ContentId(1), offset, len: 9 };
        let mut chunk = Chunk::default();
        for round in 0..3u8 {
            let mut expected = Vec::new();
            for step in 0..=round * 4 {
                chunk.push_bytes(&[step; 7]);
                chunk.push_blank(extent(u64::from(step)), false);
                expected.extend_from_slice(&[step; 7]);
                assert_eq!(chunk.bytes(), expected);
                let places: Vec<u32> = chunk.blanks().iter().map(|blank| blank.at).collect();
                assert_eq!(places, (1..=u32::from(step) + 1).map(|at| at * 7).collect::<Vec<_>>());
            }
            chunk.clear();
            assert!(chunk.bytes().is_empty() && chunk.blanks().is_empty());
        }
    }

    #[test]
    fn messages_of_any_length_come_back() {
        for len in [0, 1, 45, 46, 47, 1_472] {
            let bytes = vec![7; len];
            assert_eq!(Message::new(&bytes).bytes(), bytes);
        }
        assert_eq!((size_of::<Message>(), size_of::<Chunk>()), (48, 64));
    }
}
