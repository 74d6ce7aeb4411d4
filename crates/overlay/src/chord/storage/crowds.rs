//! How many postings lie at a key, known without counting them where they are many: every posting that comes is weighed
//! against that number, and its answer says it.

use super::id::Locator;
use std::collections::BTreeMap;
use throng_wire::chord::{Kind, RingId};

/// From this many on the number is kept. Fewer are counted as quickly.
const MANY: u32 = 32;

/// Keys with many postings, and how many. A key is in here if it has [`MANY`] or more, and until it has less than half of
/// them; so there are fewer of them than postings held.
#[derive(Clone, Default, Debug)]
pub(crate) struct Crowds(BTreeMap<RingId, u32>);

impl Crowds {
    /// Postings at a key of a store.
    pub(crate) fn count<V>(&self, held: &BTreeMap<Locator, V>, key: RingId) -> u32 {
        self.0.get(&key).copied().unwrap_or_else(|| counted(held, key))
    }

    /// A record was added that was not held before.
    pub(crate) fn added<V>(&mut self, held: &BTreeMap<Locator, V>, id: &Locator) {
        if id.kind() != Kind::Posting {
            return;
        }
        if let Some(count) = self.0.get_mut(&id.key) {
            *count += 1;
            return;
        }
        let count = counted(held, id.key);
        if count >= MANY {
            self.0.insert(id.key, count);
        }
    }

    /// A record that was held is gone.
    pub(crate) fn removed(&mut self, id: &Locator) {
        if id.kind() != Kind::Posting {
            return;
        }
        if let Some(count) = self.0.get_mut(&id.key) {
            *count -= 1;
            if *count < MANY / 2 {
                self.0.remove(&id.key);
            }
        }
    }
}

fn counted<V>(held: &BTreeMap<Locator, V>, key: RingId) -> u32 {
    let all = held.range(Locator::first_of(key, Kind::Posting)..=Locator::last_of(key, Kind::Posting));
    u32::try_from(all.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use throng_wire::chord::RecordId;

    fn locator(key: u8, kind: Kind, id: u8) -> Locator {
        Locator::new(RingId([key; 20]), kind, RecordId([id; 32]))
    }

    proptest! {
        #[test]
        fn the_number_kept_is_the_number_counted(
            steps in proptest::collection::vec((any::<bool>(), 0..2u8, any::<bool>(), 0..80u8), 0..600),
        ) {
            let (mut held, mut crowds) = (BTreeMap::new(), Crowds::default());
            for (adds, key, posting, id) in steps {
                let id = locator(key, if posting { Kind::Posting } else { Kind::Provider }, id);
                if adds && held.insert(id, ()).is_none() {
                    crowds.added(&held, &id);
                } else if !adds && held.remove(&id).is_some() {
                    crowds.removed(&id);
                }
                let key = RingId([key; 20]);
                prop_assert_eq!(crowds.count(&held, key), counted(&held, key));
            }
        }
    }
}
