//! Pieces begun: the state of every block, and who was asked for it or sent it.

use throng_machine::StreamId;

/// What is known of one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlockState {
    /// Nobody was asked.
    Free,
    /// That many peers were asked.
    Asked(u8),
    /// Its bytes are coming in from one peer; those of others are discarded, so that blame is clear.
    Arriving(StreamId),
    /// That peer sent it.
    Received(StreamId),
}

/// A piece begun.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    blocks: Box<[BlockState]>,
    free: u32,
    received: u32,
    /// All blocks are here and the application is hashing them.
    pub(crate) verifying: bool,
}

impl Partial {
    pub(crate) fn new(blocks: u32) -> Partial {
        Partial {
            blocks: vec![BlockState::Free; blocks as usize].into(),
            free: blocks,
            received: 0,
            verifying: false,
        }
    }

    pub(crate) fn block(&self, index: u32) -> Option<BlockState> {
        self.blocks.get(index as usize).copied()
    }

    pub(crate) fn len(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// Blocks nobody was asked for.
    pub(crate) fn free(&self) -> u32 {
        self.free
    }

    /// The first block nobody was asked for, marked as asked.
    pub(crate) fn take_free(&mut self) -> Option<u32> {
        if self.free == 0 {
            return None;
        }
        let index = self.blocks.iter().position(|state| *state == BlockState::Free)?;
        self.blocks[index] = BlockState::Asked(1);
        self.free -= 1;
        Some(index as u32)
    }

    /// One more peer is asked for a block that was asked for already (endgame).
    pub(crate) fn ask_again(&mut self, index: u32) {
        if let Some(BlockState::Asked(askers)) = self.blocks.get_mut(index as usize) {
            *askers = askers.saturating_add(1);
        }
    }

    /// A peer's bytes of the block begin to arrive; false if it is here or coming from another.
    pub(crate) fn begin(&mut self, index: u32, from: StreamId) -> bool {
        match self.blocks.get_mut(index as usize) {
            Some(state @ (BlockState::Free | BlockState::Asked(_))) => {
                self.free -= u32::from(*state == BlockState::Free);
                *state = BlockState::Arriving(from);
                true
            }
            _ => false,
        }
    }

    /// Marks all blocks from `index` that are not here or arriving as asked for once more; returns which.
    pub(crate) fn claim_from(&mut self, index: u32) -> Vec<u32> {
        let mut claimed = Vec::new();
        for index in index..self.len() {
            match self.blocks.get_mut(index as usize) {
                Some(state @ BlockState::Free) => {
                    *state = BlockState::Asked(1);
                    self.free -= 1;
                }
                Some(BlockState::Asked(askers)) => *askers = askers.saturating_add(1),
                _ => continue,
            }
            claimed.push(index);
        }
        claimed
    }

    /// Whether every block is here.
    pub(crate) fn is_complete(&self) -> bool {
        self.received == self.len()
    }

    /// The block is here; returns whether it was the last.
    pub(crate) fn finish(&mut self, index: u32, from: StreamId) -> bool {
        if let Some(state @ BlockState::Arriving(_)) = self.blocks.get_mut(index as usize) {
            *state = BlockState::Received(from);
            self.received += 1;
        }
        self.is_complete()
    }

    /// A peer that was asked will not send it: the block is free once nobody else was asked.
    pub(crate) fn release(&mut self, index: u32, from: StreamId) {
        let Some(state) = self.blocks.get_mut(index as usize) else { return };
        match *state {
            BlockState::Asked(askers @ 2..) => *state = BlockState::Asked(askers - 1),
            BlockState::Arriving(by) if by != from => {}
            BlockState::Asked(_) | BlockState::Arriving(_) => {
                *state = BlockState::Free;
                self.free += 1;
            }
            BlockState::Free | BlockState::Received(_) => {}
        }
    }

    /// A block that was here is wrong: fetch it again.
    pub(crate) fn reset(&mut self, index: u32) {
        if let Some(state @ BlockState::Received(_)) = self.blocks.get_mut(index as usize) {
            *state = BlockState::Free;
            self.free += 1;
            self.received -= 1;
        }
        self.verifying = false;
    }

    /// Who sent each block.
    pub(crate) fn senders(&self) -> impl Iterator<Item = Option<StreamId>> + '_ {
        self.blocks.iter().map(|state| match state {
            BlockState::Received(by) => Some(*by),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: StreamId = StreamId(1);
    const B: StreamId = StreamId(2);

    #[test]
    fn a_block_asked_twice_is_free_only_when_both_gave_up() {
        let mut partial = Partial::new(2);
        assert_eq!(partial.take_free(), Some(0));
        partial.ask_again(0);
        partial.release(0, A);
        assert_eq!(partial.free(), 1);
        partial.release(0, B);
        assert_eq!(partial.free(), 2);
    }

    #[test]
    fn only_one_peer_at_a_time_delivers_a_block() {
        let mut partial = Partial::new(1);
        partial.take_free();
        partial.ask_again(0);
        assert!(partial.begin(0, A));
        assert!(!partial.begin(0, B));
        partial.release(0, B);
        assert_eq!(partial.block(0), Some(BlockState::Arriving(A)));
        assert!(partial.finish(0, A));
        assert_eq!(partial.senders().collect::<Vec<_>>(), [Some(A)]);
    }

    #[test]
    fn a_wrong_block_is_fetched_again_alone() {
        let mut partial = Partial::new(2);
        for index in 0..2 {
            partial.take_free();
            partial.begin(index, A);
            partial.finish(index, A);
        }
        partial.reset(1);
        assert_eq!(partial.free(), 1);
        assert_eq!(partial.take_free(), Some(1));
    }
}
