//! Ways back: which link an id first came on. Two generations bound age and memory without any timer.

use super::{Id, LinkId};
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;
use std::time::Duration;
use throng_machine::Instant;

/// Where something came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// From this node itself.
    Own,
    /// On a link, which may be gone by now.
    Link(LinkId),
}

/// How much is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouteLimits {
    /// An unused entry is kept at least half as long as this and at most this long; 20 min, twice what the notes ask.
    pub age: Duration,
    /// Entries at most; 131,072, about 4 MiB: at 100 messages a second enough for the age.
    pub entries: usize,
}

impl Default for RouteLimits {
    fn default() -> RouteLimits {
        RouteLimits { age: Duration::from_secs(20 * 60), entries: 1 << 17 }
    }
}

/// What a table knew of an id it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noted {
    /// Nothing; it knows it now.
    New,
    /// It came from the same place with a lower TTL.
    Farther,
    /// It came from there.
    Known(Origin),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: Id,
    /// A link's number, or [`OWN`].
    link: u32,
    ttl: u8,
}

const OWN: u32 = u32::MAX;

impl Entry {
    fn origin(&self) -> Origin {
        if self.link == OWN { Origin::Own } else { Origin::Link(LinkId(self.link)) }
    }
}

/// A bounded table from ids to where they came from.
///
/// Entries are noted in the young generation; when that is half of the limits old or large it becomes the old one and
/// the old one is forgotten. Using an entry moves it to the young generation. Nothing is allocated while it is empty.
#[derive(Debug)]
pub struct Routes {
    young: HashTable<Entry>,
    old: HashTable<Entry>,
    young_since: Instant,
    key: [u64; 2],
    limits: RouteLimits,
}

impl Routes {
    /// An empty table; `key` keys its hash.
    pub fn new(limits: RouteLimits, key: [u64; 2]) -> Routes {
        let (young, old) = (HashTable::new(), HashTable::new());
        Routes { young, old, young_since: Instant::EPOCH, key, limits }
    }

    /// Notes where an id comes from, unless it is known.
    pub fn note(&mut self, id: &Id, origin: Origin, ttl: u8, now: Instant) -> Noted {
        self.turn(now);
        let hash = self.hash(id);
        let Some(known) = self.touch(id, hash) else {
            self.insert(hash, Entry { id: *id, link: number(origin), ttl });
            return Noted::New;
        };
        if known.link == number(origin) && known.ttl < ttl {
            known.ttl = ttl;
            return Noted::Farther;
        }
        Noted::Known(known.origin())
    }

    /// Says that an id is reached there from now on, whatever was known.
    pub fn set(&mut self, id: &Id, origin: Origin, now: Instant) {
        self.turn(now);
        let hash = self.hash(id);
        match self.touch(id, hash) {
            Some(known) => known.link = number(origin),
            None => self.insert(hash, Entry { id: *id, link: number(origin), ttl: u8::MAX }),
        }
    }

    /// Where an id came from; using it keeps it.
    pub fn find(&mut self, id: &Id, now: Instant) -> Option<Origin> {
        self.turn(now);
        let hash = self.hash(id);
        self.touch(id, hash).map(|entry| entry.origin())
    }

    /// How many ids it knows.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry, in the young generation from now on.
    fn touch(&mut self, id: &Id, hash: u64) -> Option<&mut Entry> {
        if let Ok(found) = self.old.find_entry(hash, |entry| entry.id == *id) {
            let (entry, _) = found.remove();
            self.insert(hash, entry);
        }
        self.young.find_mut(hash, |entry| entry.id == *id)
    }

    fn insert(&mut self, hash: u64, entry: Entry) {
        if self.young.len() >= self.limits.entries / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        let key = self.key;
        self.young.insert_unique(hash, entry, |entry| hash_with(key, &entry.id));
    }

    /// Lets generations pass as time does.
    fn turn(&mut self, now: Instant) {
        let passed = now - self.young_since;
        if passed < self.limits.age / 2 {
            return;
        }
        self.old = std::mem::take(&mut self.young);
        if passed >= self.limits.age {
            self.old = HashTable::new();
        }
        self.young_since = now;
    }

    fn hash(&self, id: &Id) -> u64 {
        hash_with(self.key, id)
    }
}

fn number(origin: Origin) -> u32 {
    match origin {
        Origin::Own => OWN,
        // A node that has had four thousand million links forgets where this one's messages came from.
        Origin::Link(LinkId(link)) => link.min(OWN - 1),
    }
}

fn hash_with(key: [u64; 2], id: &Id) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key[0], key[1]);
    hasher.write(id);
    hasher.finish()
}
