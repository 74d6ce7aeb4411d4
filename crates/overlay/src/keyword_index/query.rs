//! What can be asked of an index and how it answers.

use super::entry::{Attributes, Entry, Kind};
use super::words::Words;
use super::{DocId, OwnerId};
use std::ops::RangeInclusive;

/// Bounds on a number, both included; the default lets everything through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { min: 0, max: u64::MAX }
    }
}

impl Bounds {
    /// Narrows to at least `min`.
    pub fn at_least(&mut self, min: u64) {
        self.min = self.min.max(min);
    }

    /// Narrows to at most `max`.
    pub fn at_most(&mut self, max: u64) {
        self.max = self.max.min(max);
    }

    /// Narrows to exactly `value`.
    pub fn equal_to(&mut self, value: u64) {
        self.at_least(value);
        self.at_most(value);
    }

    /// Whether a value is within.
    pub const fn contains(&self, value: u64) -> bool {
        self.min <= value && value <= self.max
    }
}

impl From<RangeInclusive<u64>> for Bounds {
    fn from(range: RangeInclusive<u64>) -> Bounds {
        Bounds { min: *range.start(), max: *range.end() }
    }
}

/// What the numbers of a document have to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filters {
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Bytes.
    pub size: Bounds,
    /// kbit/s.
    pub bitrate: Bounds,
    /// Hz.
    pub frequency: Bounds,
    /// Seconds.
    pub duration: Bounds,
    /// The owner's line speed, in the unit it was set in.
    pub speed: Bounds,
}

impl Filters {
    /// Whether a document's own numbers are right; the owner's speed is checked apart.
    pub fn accepts(&self, attributes: &Attributes) -> bool {
        self.kind.is_none_or(|kind| kind == attributes.kind)
            && self.size.contains(attributes.size)
            && self.bitrate.contains(attributes.bitrate.into())
            && self.frequency.contains(attributes.frequency.into())
            && self.duration.contains(attributes.duration.into())
    }
}

/// A document that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hit<'a> {
    /// Its id.
    pub doc: DocId,
    /// Who has it.
    pub owner: OwnerId,
    /// What it is.
    pub entry: Entry<'a>,
}

/// Which of many documents are returned.
#[derive(Clone, Copy, Default)]
pub enum Order<'a> {
    /// Those with the smallest ids.
    #[default]
    Ascending,
    /// Those with the next ids from this one on, then from the smallest: with another start each time,
    /// all owners of a popular document have their turn.
    From(DocId),
    /// Those with the highest rank, best first; looks at all that the cap of work allows.
    Rank(&'a dyn Fn(&Hit<'_>) -> u64),
}

/// A search.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// All of these must occur; a query without any finds nothing.
    pub words: &'a Words,
    /// None of these may occur.
    pub excluded: &'a Words,
    /// What the numbers must be.
    pub filters: Filters,
    /// Whose documents are left out: the searcher's own.
    pub not_owner: Option<OwnerId>,
    /// Whose documents may be returned, asked before an entry is read.
    pub accept: &'a dyn Fn(OwnerId) -> bool,
    /// The most hits.
    pub limit: u32,
    /// Which ones.
    pub order: Order<'a>,
    /// The most work, in steps of some nanoseconds to some tens: runs of a list read, entries read.
    pub work: u32,
}

/// Steps that a search may take unless told otherwise: some milliseconds.
pub const DEFAULT_WORK: u32 = 200_000;

static NO_WORDS: Words = Words::EMPTY;

impl<'a> Query<'a> {
    /// A search for words, with no other wish: up to 100 hits.
    pub fn new(words: &'a Words) -> Query<'a> {
        Query {
            words,
            excluded: &NO_WORDS,
            filters: Filters::default(),
            not_owner: None,
            accept: &|_| true,
            limit: 100,
            order: Order::Ascending,
            work: DEFAULT_WORK,
        }
    }
}

/// How a search ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// Documents returned.
    pub hits: u32,
    /// The cap of work was reached: there may be more.
    pub partial: bool,
    /// The limit of hits was reached: there may be more.
    pub full: bool,
    /// Steps taken.
    pub work: u32,
}
