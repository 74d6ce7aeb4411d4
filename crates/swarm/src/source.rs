//! Sources outside BitTorrent: what the application calls them, and what one is doing.

use crate::rate::Rate;
use std::ops::Range;
use throng_machine::{Instant, StreamId};

/// The application's name for a source of one torrent; below 2^31, never used twice for one torrent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(pub u32);

impl SourceId {
    /// As the sender of a block. Streams are numbered from the bottom and sources from the top: they would meet after
    /// two thousand million connections.
    pub(crate) fn sender(self) -> StreamId {
        StreamId(u32::MAX - self.0)
    }

    /// The source that a sender is, if it is none of our streams.
    pub(crate) fn of(sender: StreamId) -> Option<SourceId> {
        (sender.0 > u32::MAX / 2).then(|| SourceId(u32::MAX - sender.0))
    }
}

/// A source as a person wants to see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceStatus {
    /// Which.
    pub source: SourceId,
    /// Bytes from it so far.
    pub downloaded: u64,
    /// Bytes a second from it.
    pub download_rate: u64,
    /// Whether it was asked for something and that has not ended.
    pub fetching: bool,
}

/// One source: it can send any run of its pieces, one run at a time.
#[derive(Debug)]
pub(crate) struct Source {
    /// What it has, whole.
    pub(crate) pieces: Range<u32>,
    /// The application will carry out a fetch.
    pub(crate) ready: bool,
    pub(crate) fetch: Option<Fetch>,
    pub(crate) down: Rate,
    /// When it last sent something, or was last asked.
    pub(crate) heard: Instant,
}

/// What a source was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    /// Where its next byte belongs, in the piece space.
    pub(crate) at: u64,
    /// The piece that byte belongs to; it and those up to `end` are reserved.
    pub(crate) piece: u32,
    pub(crate) end: u32,
    /// Blocks of `piece` that count it among those asked, ascending; those behind `at` are here.
    pub(crate) claimed: Vec<u32>,
    /// The block that comes in is kept.
    pub(crate) wanted: bool,
}

impl Source {
    pub(crate) fn new(pieces: Range<u32>, now: Instant) -> Source {
        Source { pieces, ready: true, fetch: None, down: Rate::new(now), heard: now }
    }

    /// The pieces nobody else is to be asked for.
    pub(crate) fn reserved(&self) -> Option<Range<u32>> {
        self.fetch.as_ref().map(|fetch| fetch.piece..fetch.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_by_the_blocks_it_sent_and_no_stream_is_taken_for_one() {
        for id in [0, 7, 1 << 20] {
            assert_eq!(SourceId::of(SourceId(id).sender()), Some(SourceId(id)));
            assert_eq!(SourceId::of(StreamId(id)), None);
        }
    }
}
