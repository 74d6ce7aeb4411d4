//! Finding who sent the wrong block of a bad piece, and shutting only that one out.
//!
//! v1 knows only that a piece is wrong. If one peer sent all of it, that peer lied. Otherwise the digests of its
//! blocks are kept with their senders until the piece was fetched again and is right; where they differ, the first
//! sender lied. v2 names wrong blocks by their leaf hashes (BEP 52).

use crate::peer::Peer;
use std::collections::{BTreeMap, VecDeque};
use throng_machine::{Endpoint, StreamId};

/// Bad pieces whose copies are compared at one time; an attacker cannot make us hold more.
const MAX_PIECES: usize = 64;
/// Peers remembered after they left.
const MAX_LEFT: usize = 512;

/// A peer that can be shut out even after it left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Suspect {
    pub(crate) stream: StreamId,
    pub(crate) address: Endpoint,
    pub(crate) id: [u8; 20],
    pub(crate) client: String,
}

impl Suspect {
    pub(crate) fn of(peer: &Peer) -> Suspect {
        Suspect { stream: peer.stream, address: peer.address, id: peer.id, client: peer.told.client.clone() }
    }
}

/// What is remembered of bad pieces.
#[derive(Default, Debug)]
pub(crate) struct Blame {
    left: VecDeque<Suspect>,
    copies: BTreeMap<u32, Vec<(u64, StreamId)>>,
}

impl Blame {
    /// A peer that delivered something leaves, or is about to be judged.
    pub(crate) fn remember(&mut self, peer: &Peer) {
        let known = self.left.iter().any(|suspect| suspect.stream == peer.stream);
        if peer.down.total() > 0 && !known {
            if self.left.len() >= MAX_LEFT {
                self.left.pop_front();
            }
            self.left.push_back(Suspect::of(peer));
        }
    }

    /// A peer that left, if it is remembered.
    pub(crate) fn left(&self, stream: StreamId) -> Option<Suspect> {
        self.left.iter().find(|suspect| suspect.stream == stream).cloned()
    }

    /// Keeps the digests and senders of a bad piece.
    pub(crate) fn keep(&mut self, piece: u32, copy: Vec<(u64, StreamId)>) {
        if self.copies.len() < MAX_PIECES || self.copies.contains_key(&piece) {
            self.copies.insert(piece, copy);
        }
    }

    /// The piece is right now: who sent the blocks that were wrong before?
    pub(crate) fn resolve(&mut self, piece: u32, right: &[u64]) -> Vec<StreamId> {
        let wrong = self.copies.remove(&piece).unwrap_or_default();
        let mut liars: Vec<StreamId> = wrong
            .iter()
            .zip(right)
            .filter(|((digest, _), right)| digest != *right)
            .map(|((_, by), _)| *by)
            .collect();
        liars.sort_unstable();
        liars.dedup();
        liars
    }

    /// Whether the application is to give digests when this piece is right.
    pub(crate) fn compares(&self, piece: u32) -> bool {
        self.copies.contains_key(&piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_senders_of_blocks_that_differ_are_to_blame() {
        let (a, b) = (StreamId(1), StreamId(2));
        let mut blame = Blame::default();
        blame.keep(7, vec![(10, a), (11, b), (12, a), (13, b)]);
        assert!(blame.compares(7));
        assert_eq!(blame.resolve(7, &[10, 99, 12, 98]), [b]);
        assert_eq!(blame.resolve(7, &[0, 0, 0, 0]), []);
    }

    #[test]
    fn an_attacker_cannot_fill_the_memory_with_bad_pieces() {
        let mut blame = Blame::default();
        for piece in 0..1000 {
            blame.keep(piece, vec![(1, StreamId(piece))]);
        }
        assert_eq!(blame.copies.len(), MAX_PIECES);
    }
}
