//! The beginnings of pieces roots that hits carried in their md5 words: what a magnet link's content must agree with.

use std::collections::{BTreeMap, VecDeque};
use throng_overlay::discovery::Source;

/// Hits remembered; the oldest is forgotten first. A hit takes some 200 bytes.
const MAX: usize = 4_096;

/// Roots' beginnings by the copy that had them.
#[derive(Default)]
pub(super) struct Heads {
    of: BTreeMap<Source, [u8; 16]>,
    order: VecDeque<Source>,
}

impl Heads {
    pub(super) fn add(&mut self, source: Source, head: [u8; 16]) {
        if self.of.insert(source.clone(), head).is_none() {
            self.order.push_back(source);
        }
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
    }

    pub(super) fn of(&self, source: &Source) -> Option<[u8; 16]> {
        self.of.get(source).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::Endpoint;

    #[test]
    fn the_latest_hits_are_remembered() {
        let hit = |number: u32| Source::Directory {
            server: Endpoint::v4([127, 0, 0, 1], 8888),
            nick: b"zoe".to_vec(),
            name: number.to_string().into_bytes(),
        };
        let mut heads = Heads::default();
        for number in 0..MAX as u32 + 10 {
            heads.add(hit(number), [number as u8; 16]);
            heads.add(hit(number), [number as u8; 16]);
        }
        assert_eq!(heads.of.len(), MAX);
        assert_eq!((heads.of(&hit(9)), heads.of(&hit(10))), (None, Some([10; 16])));
    }
}
