//! What a source sends: taken block by block, in order, as if a peer had sent it.

use super::Torrent;
use crate::rate::BLOCK;
use crate::shared::{Cx, Shared};
use crate::source::{Fetch, SourceId};
use throng_machine::Extent;
use throng_wire::peer::Block;

impl Torrent {
    /// Bytes of a source, the next of what it was asked for; positions handed to [`Cx::place`] count from their start.
    pub(crate) fn source_data(&mut self, id: SourceId, len: u32, shared: &mut Shared, cx: &mut Cx<'_>) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        source.down.add(u64::from(len), cx.now());
        source.heard = cx.now();
        let Some(mut fetch) = source.fetch.take() else { return self.wasted += u64::from(len) };
        self.down.add(u64::from(len), cx.now());
        shared.download.take(u64::from(len));
        let mut used = 0;
        while used < len && fetch.piece < fetch.end {
            used += self.take_run(&mut fetch, id, (len - used, used), shared, cx);
        }
        self.wasted += u64::from(len - used);
        if let Some(source) = self.sources.get_mut(&id) {
            source.fetch = Some(fetch);
        }
    }

    /// Takes up to `count` bytes, `input` bytes into the input, as far as one block or the padding behind it goes.
    fn take_run(
        &mut self,
        fetch: &mut Fetch,
        id: SourceId,
        (count, input): (u32, u32),
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> u32 {
        let begin = (fetch.at - self.offset(fetch.piece, 0)) as u32;
        let block = self.block(fetch.piece, begin / BLOCK);
        let end = block.begin + block.length;
        // Behind the data of a piece lies padding, or nothing at all (v2), up to the next piece.
        let whole = match fetch.piece + 1 < fetch.end {
            true => self.offset(1, 0) as u32,
            false => self.piece_len(fetch.piece),
        };
        let step = count.min(if begin < end { end } else { whole }.saturating_sub(begin));
        if begin < end {
            if begin == block.begin {
                fetch.wanted = self.begin_from(fetch, block, id, shared);
            }
            if fetch.wanted {
                cx.place(Extent { content: self.content, offset: fetch.at, len: step }, input);
            } else {
                self.wasted += u64::from(step);
            }
            if begin + step == end && std::mem::take(&mut fetch.wanted) {
                self.received(block, id.sender(), shared, cx);
            }
        }
        fetch.at += u64::from(step);
        if begin + step >= whole {
            fetch.piece += 1;
            fetch.claimed.clear();
        }
        step
    }

    /// A block begins to arrive: whether it is kept. With the first, the rest of its piece is marked as asked for.
    fn begin_from(&mut self, fetch: &mut Fetch, block: Block, id: SourceId, shared: &mut Shared) -> bool {
        let (piece, index) = (block.piece, block.begin / BLOCK);
        if !self.wants(piece) {
            return false;
        }
        if !self.partials.contains_key(&piece) {
            fetch.claimed.clear();
            self.insert_partial(piece, shared);
        }
        let Some(partial) = self.partials.get_mut(&piece) else { return false };
        if fetch.claimed.is_empty() {
            fetch.claimed = partial.claim_from(index);
        }
        partial.begin(index, id.sender())
    }

    /// What comes of this piece is of no more use.
    pub(super) fn forget_arrival(&mut self, piece: u32) {
        let fetches = self.sources.values_mut().filter_map(|source| source.fetch.as_mut());
        fetches.filter(|fetch| fetch.piece == piece).for_each(|fetch| fetch.wanted = false);
    }
}
