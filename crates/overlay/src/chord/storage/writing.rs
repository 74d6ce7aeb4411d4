//! Records of ours on their way to their owners: what is sent next, and how each stands.

use super::operation::{Operation, Task};
use crate::chord::node::Node;
use crate::discovery::Ticket;
use throng_wire::chord::{
    Held, Limit, MAX_PAYLOAD, Outcome, PutFlags, PutResult, Record, RefreshItem, RingId, own,
};

/// Seconds that an owner's wish to be left alone counts at most.
const MOST_PAUSE: u32 = 10;
/// Bytes of a renewal: key, id, version, life, hash and signature.
const RENEWAL: usize = 144;
/// Bytes of a put that are not records.
const OVERHEAD: usize = 32;

/// On whose behalf records are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// The application's.
    App(Ticket),
    /// A walk along the ring with our own publications: the publisher is told.
    Own,
    /// The renewal of records of ours.
    Renewal,
    /// Postings passed on from shard 0 of their word, which lies here, to the shard they belong to: nobody is told.
    Forward(RingId),
}

/// Records on their way.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    /// For whom.
    pub cause: Cause,
    /// What and how far.
    pub items: Vec<Item>,
    /// The version to be replaced.
    pub cas: Option<u64>,
    /// Flags of the put.
    pub flags: PutFlags,
    /// Writing to the set ourselves: nodes that have not answered yet.
    pub direct: Option<Vec<Node>>,
    /// Which of the items were sent last, in order.
    pub sent: Vec<usize>,
    /// How many of them were answered, if they went by stream.
    pub answered: usize,
    /// Whether many may go by stream; not where none could be had.
    pub by_stream: bool,
    /// Hosts of the set.
    pub of: u8,
    /// Seconds the owner wants to be left alone, if it takes no more for now.
    pub pause: u32,
}

/// One of the records.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its place on the ring.
    pub key: RingId,
    /// Encoded.
    pub body: Box<[u8]>,
    /// The holders are believed to have the body: only version and signature are sent.
    pub short: bool,
    /// How it stands.
    pub state: State,
}

/// How a record stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Not yet acknowledged by enough; by that many.
    Open(u8),
    /// Acknowledged by that many, at least the quorum; and what the owner said of its key.
    Stored(PutResult),
    /// Refused for good.
    Refused(PutResult),
}

impl Writing {
    /// Some records to be stored.
    pub(crate) fn new(cause: Cause, items: Vec<(RingId, Box<[u8]>)>, cas: Option<u64>) -> Writing {
        let items = items
            .into_iter()
            .map(|(key, body)| Item { key, body, short: false, state: State::Open(0) })
            .collect();
        Writing {
            cause,
            items,
            cas,
            flags: PutFlags::DURABLE,
            direct: None,
            sent: Vec::new(),
            answered: 0,
            by_stream: true,
            of: 0,
            pause: 0,
        }
    }

    /// Postings of the word whose shard 0 lies at `home`, for the shard at `key`.
    pub(crate) fn forward(home: RingId, key: RingId, bodies: Vec<Box<[u8]>>) -> Writing {
        let items = bodies.into_iter().map(|body| (key, body)).collect();
        Writing { flags: PutFlags::FORWARDED, ..Writing::new(Cause::Forward(home), items, None) }
    }

    /// The same, as renewals of what the holders have.
    pub(crate) fn renewing(mut self) -> Writing {
        self.items.iter_mut().for_each(|item| item.short = true);
        self
    }

    /// Whether something was refused for its date; that is open again.
    pub(super) fn is_dated_ahead(&mut self) -> bool {
        let ahead = Outcome::Refused { limit: Limit::Future, retry_after: 0 };
        let is_ahead =
            |item: &&mut Item| matches!(item.state, State::Refused(result) if result.outcome == ahead);
        let mut found = false;
        for item in self.items.iter_mut().filter(is_ahead) {
            (item.state, found) = (State::Open(0), true);
        }
        found
    }

    pub(super) fn open(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| matches!(item.state, State::Open(_)))
    }
}

impl Operation {
    /// The reading, if that is the task.
    pub(crate) fn reading(&mut self) -> Option<&mut super::get::Reading> {
        match &mut self.task {
            Task::Get(reading) => Some(reading),
            _ => None,
        }
    }

    /// The writing, if that is the task.
    pub(crate) fn writing(&mut self) -> Option<&mut Writing> {
        match &mut self.task {
            Task::Put(writing) => Some(writing),
            _ => None,
        }
    }
}

/// Which open records have keys the owner has, as many as one datagram takes; the others wait for the next attempt.
pub(super) fn fitting(items: &[Item], low: RingId, owner: RingId) -> Vec<usize> {
    let is_meant = |item: &Item| matches!(item.state, State::Open(_)) && own(low, item.key, owner);
    let short = items.iter().any(|item| item.short && is_meant(item));
    let (mut room, most) = (MAX_PAYLOAD - OVERHEAD, if short { 7 } else { 32 });
    let mut fit = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let size = if short { RENEWAL } else { item.body.len() + 4 };
        if is_meant(item) && item.short == short && size <= room && fit.len() < most {
            room -= size;
            fit.push(index);
        }
    }
    fit
}

/// Records of our own as they travel.
pub(super) fn travelling<'a>(items: &'a [Item], which: &[usize]) -> Vec<Held<'a>> {
    let chosen = which.iter().filter_map(|index| items.get(*index));
    let records = chosen.filter_map(|item| Record::decode(&item.body).ok());
    records.map(|record| Held { remaining: life(&record), record }).collect()
}

/// Records of our own as renewals, if they are to be sent so.
pub(super) fn renewals<'a>(items: &'a [Item], which: &[usize]) -> Vec<RefreshItem<'a>> {
    let chosen = which.iter().filter_map(|index| items.get(*index)).filter(|item| item.short);
    let renewal = |item: &'a Item| match Record::decode(&item.body).ok()? {
        record @ Record::Signed(signed) => Some(RefreshItem {
            key: item.key,
            id: record.id(),
            seq: signed.seq,
            ttl: signed.ttl,
            hash: super::id::Version::of(signed.seq, record.value()).hash,
            signature: signed.signature,
        }),
        record @ Record::Immutable(value) => Some(RefreshItem {
            key: item.key,
            id: record.id(),
            seq: 0,
            ttl: super::validity::IMMUTABLE_TTL,
            hash: super::id::Version::of(0, value).hash,
            signature: &[0; 64],
        }),
    };
    chosen.filter_map(renewal).collect()
}

/// Seconds that the signer gives a record.
pub(crate) fn life(record: &Record<'_>) -> u32 {
    match record {
        Record::Immutable(_) => super::validity::IMMUTABLE_TTL,
        Record::Signed(signed) => signed.ttl,
    }
}

impl Item {
    pub(super) fn copies(&self) -> Option<u8> {
        match self.state {
            State::Open(copies) => Some(copies),
            _ => None,
        }
    }
}

/// Takes the owner's word on the records sent last, from the `first` of them on.
pub(super) fn apply(writing: &mut Writing, (first, results): (usize, &[PutResult]), need: u8) {
    let patient = !matches!(writing.cause, Cause::App(_));
    for (index, result) in writing.sent.iter().skip(first).zip(results) {
        let Some(item) = writing.items.get_mut(*index) else { continue };
        item.state = match result.outcome {
            Outcome::Stored { copies, of, .. } if copies >= need.clamp(1, of.max(1)) => {
                State::Stored(*result)
            }
            Outcome::Stored { copies, .. } => State::Open(copies.max(1)),
            Outcome::NotMine | Outcome::NeedBody => State::Open(0),
            // Who publishes, or passes on what came from many, goes slower; a person is told.
            Outcome::Refused { limit: Limit::Rate, retry_after } if patient => {
                writing.pause = writing.pause.max(retry_after.clamp(1, MOST_PAUSE));
                State::Open(0)
            }
            _ => State::Refused(*result),
        };
        // Whatever is to be sent again is sent whole.
        item.short = false;
    }
}

/// Counts what a host of the set says of the records sent last.
pub(super) fn count_direct(writing: &mut Writing, results: &[PutResult]) {
    for (index, result) in writing.sent.iter().zip(results) {
        let Some(item) = writing.items.get_mut(*index) else { continue };
        match (result.outcome, &mut item.state) {
            (Outcome::Stored { .. }, State::Open(copies)) => *copies = copies.saturating_add(1),
            (Outcome::Conflict { .. }, state) => *state = State::Refused(*result),
            _ => {}
        }
    }
}
