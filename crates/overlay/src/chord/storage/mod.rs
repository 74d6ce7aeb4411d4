//! Records and their replicas (sections 2.10 and 4 of the note).
//!
//! `records` is what is held, under `quota`, `shard` and `validity`; `take` checks what comes in, `write` and `serve` answer
//! others; `put`, `get` and `own` are this node as a client, each step an `operation`; `sync` makes two stores equal, `upkeep`
//! says when; `stream` carries what is too large for datagrams; `disk` holds back what is not on the disk. A host that neither
//! holds nor wants anything has no [`Store`], only the door to it: a million such hosts share a simulator.

mod bulk;
mod clocks;
mod compare;
mod config;
mod crowds;
mod digest;
mod disk;
mod expiry;
mod get;
mod holders;
mod id;
mod job;
mod moving;
mod operation;
mod own;
mod placement;
mod put;
mod quota;
mod rates;
mod records;
mod relay;
mod rest;
mod serve;
mod shard;
mod shards;
mod sign;
mod status;
mod stream;
mod sync;
mod take;
mod upkeep;
mod validity;
mod verified;
mod wish;
mod write;
mod writing;

#[cfg(test)]
mod tests;

pub use config::Storing;
pub use quota::Quotas;
pub use records::Counters;
pub use status::StoreStatus;

use super::config::Host;
use super::core::{Core, Received};
use super::lookup::FoundAt;
use super::node::Node;
use super::notice::Notice;
use super::{Command, Context, Instant};
use crate::chord::violation::Violation;
pub(crate) use get::{Audit, Reading};
pub(crate) use id::Locator;
pub(crate) use operation::Task;
pub(crate) use shards::resharded;
pub(crate) use sign::Draft;
pub(crate) use validity::words_of;
pub(crate) use writing::{Cause, Item, State, Writing};

use std::collections::BTreeMap;
use throng_machine::{Deadline, Endpoint, StreamId, StreamInput};
use throng_wire::chord::{Message, Outcome, Prefix, PutResult, RecordId, RingId};

/// What a request of the store is for; kept small, it is stored with each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    /// Part of the operation of that number.
    Operation(u32),
    /// A copy for the write of that number.
    Copied(u32),
    /// Part of a comparison: its number, and the request's within it.
    Synced(u32, u32),
    /// A read passed on to the holder before us.
    Through(u32),
    /// A token, before a stream is opened.
    Token(u32),
    /// The owner's word on a range that may be deleted.
    Confirmed(u32),
    /// Copies of what lies elsewhere by now are given up.
    Moved,
}

/// The door to the store of this host.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    key_seed: Box<[u8; 32]>,
    store: Option<Box<Store>>,
}

/// All records of this host, and what is under way about them.
#[derive(Clone, Default, Debug)]
pub(crate) struct Store {
    records: records::Records,
    key_seed: [u8; 32],
    signer: Option<sign::Signer>,
    numbers: u32,
    disk: disk::Disk,
    writes: BTreeMap<u32, write::Write>,
    operations: BTreeMap<u32, operation::Operation>,
    syncs: BTreeMap<u32, Box<sync::Sync>>,
    pushed: BTreeMap<(u32, u32), Vec<Locator>>,
    pulled: BTreeMap<(u32, u32), (Prefix, Vec<RecordId>)>,
    through: BTreeMap<u32, Received>,
    confirming: BTreeMap<u32, (RingId, RingId)>,
    upkeep: Vec<upkeep::Upkeep>,
    death_until: Option<Instant>,
    streams: stream::Streams,
    shards: shards::Shards,
    puts: rates::Rates,
    gets: rates::Rates,
    heat: rates::Heat,
    clocks: clocks::Clocks,
    verified: verified::Verified,
    own: own::Own,
    holder_load: u8,
    deleted: u64,
    /// When to let go of what is not needed any more.
    rest_at: Option<Instant>,
    pub(crate) publishing: super::publish::Publishing,
}

impl Storage {
    /// The store of a host.
    pub(crate) fn new(host: &Host) -> Storage {
        Storage { key_seed: Box::new(host.key_seed), store: None }
    }

    /// The store in numbers.
    pub(crate) fn status(&self) -> StoreStatus {
        self.store.as_ref().map_or_else(StoreStatus::default, |store| store.status())
    }

    fn store(&mut self, core: &Core, cx: &mut Context<'_>) -> &mut Store {
        let store = self.store.get_or_insert_with(|| Box::new(Store::new(&self.key_seed, cx)));
        store.fit(core, cx);
        store.rest_at.get_or_insert(cx.now() + rest::AFTER);
        store
    }

    /// The application asks for something that concerns the store.
    pub(crate) fn on_command(&mut self, core: &mut Core, command: Command, cx: &mut Context<'_>) {
        let store = self.store(core, cx);
        match command {
            Command::Put(ticket, put) => store.on_put_command(core, (ticket, put), cx),
            Command::Get(ticket, want) => store.on_get_command(core, (ticket, want), cx),
            Command::Persisted(id, done) => store.on_persisted(core, id, done, cx),
            Command::Restore { record, remaining } => store.restore(core, &record, remaining, cx.now()),
            Command::Discovery(command) => store.on_discovery(core, command, cx),
            Command::Start(_) | Command::Leave | Command::Measure { .. } => {}
        }
        store.flush(core, cx);
    }

    /// A message of the store that is no answer to a request.
    pub(crate) fn on_message(
        &mut self,
        core: &mut Core,
        from: &Received,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) {
        let store = self.store(core, cx);
        match message {
            Message::Get(get) => store.on_get(core, from, get, cx),
            Message::Put(put) => store.on_put(core, from, put, cx),
            Message::Refresh(refresh) => store.on_refresh(core, from, refresh, cx),
            Message::Replicate(copies) => store.on_replicate(core, from, copies, cx),
            Message::Digest(digest) => store.on_digest(core, from, digest, cx),
            Message::Pull(pull) => store.on_pull(core, from, pull, cx),
            Message::Confirm(confirm) => store.on_confirm(core, from, confirm, cx),
            _ => core.blame(Violation::Unasked),
        }
        store.flush(core, cx);
    }

    /// The answer to a request of ours.
    pub(crate) fn on_reply(
        &mut self,
        core: &mut Core,
        call: Call,
        from: &Received,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) {
        let store = self.store(core, cx);
        if let Message::PutAck(ack) = message {
            store.hear_clock(core, from.from.endpoint, ack.clock, cx.now());
        }
        match call {
            Call::Operation(number) => store.on_operation_reply(core, (number, from), message, cx),
            Call::Copied(number) => {
                let results = match message {
                    Message::PutAck(ack) => Some(ack.results.to_vec()),
                    _ => None,
                };
                let kept = |result: &PutResult| matches!(result.outcome, Outcome::Stored { .. });
                if !results.as_ref().is_some_and(|results| results.iter().all(kept)) {
                    store.doubt_copies(core, Some(&from.from), cx);
                }
                store.on_copied(core, number, results.as_deref(), cx);
            }
            Call::Synced(number, serial) => store.on_sync_reply(core, (number, serial), message, cx),
            Call::Through(number) => {
                let got = match message {
                    Message::Got(got) => Some(got),
                    _ => None,
                };
                store.on_through(core, number, got, cx);
            }
            Call::Token(number) => store.on_token(core, number, true, cx),
            Call::Confirmed(number) => {
                let confirmed = match message {
                    Message::Confirmed(confirmed) => Some(confirmed),
                    _ => None,
                };
                store.on_confirmed(core, number, confirmed, cx);
            }
            Call::Moved => {}
        }
        store.flush(core, cx);
    }

    /// A request of ours was sent as often as planned without an answer.
    pub(crate) fn on_failure(&mut self, core: &mut Core, call: Call, asked: &Node, cx: &mut Context<'_>) {
        let store = self.store(core, cx);
        match call {
            Call::Operation(number) => store.on_operation_failure(core, (number, asked), cx),
            Call::Copied(number) => {
                store.doubt_copies(core, Some(asked), cx);
                store.on_copied(core, number, None, cx);
            }
            Call::Synced(number, _) => store.on_sync_failure(core, number, cx),
            Call::Through(number) => store.on_through(core, number, None, cx),
            Call::Token(number) => store.on_token(core, number, false, cx),
            Call::Confirmed(number) => store.on_confirmed(core, number, None, cx),
            Call::Moved => {}
        }
        store.flush(core, cx);
    }

    /// A neighbour told its clock, in milliseconds since 1970; of interest to those that hold records.
    pub(crate) fn on_pong(&mut self, core: &Core, from: &Node, clock: u64, now: Instant) {
        if let Some(store) = &mut self.store {
            store.hear_clock(core, from.endpoint, clock / 1_000, now);
        }
    }

    /// What a lookup with `Goal::Store(number)` came to.
    pub(crate) fn on_found(
        &mut self,
        core: &mut Core,
        number: u32,
        found: Option<Box<FoundAt>>,
        cx: &mut Context<'_>,
    ) {
        let store = self.store(core, cx);
        store.on_found(core, number, found, cx);
        store.flush(core, cx);
    }

    /// Something happened to a stream.
    pub(crate) fn on_stream(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        input: StreamInput<'_>,
        cx: &mut Context<'_>,
    ) {
        let store = self.store(core, cx);
        store.on_stream(core, stream, input, cx);
        store.flush(core, cx);
    }

    /// News of the ring; a host without a store has nothing to copy and misses nothing it could know of.
    pub(crate) fn on_notice(&mut self, core: &mut Core, notice: &Notice, cx: &mut Context<'_>) {
        if let Some(store) = &mut self.store {
            store.on_notice(core, notice, cx);
            return store.flush(core, cx);
        }
        match notice {
            Notice::Copy { at, to, low, high } => {
                core.copied(*at, to, self.range_digest(*low, *high, cx.now()))
            }
            Notice::HandOver { at } => core.handed_over(*at),
            Notice::CatchUp { at } => core.caught_up(*at),
            _ => {}
        }
    }

    /// Root of the digest tree of (low, high].
    pub(crate) fn range_digest(&self, low: RingId, high: RingId, now: Instant) -> [u8; 16] {
        self.store.as_ref().map_or([0; 16], |store| store.range_digest(low, high, now))
    }

    /// Time may have reached `deadline`.
    pub(crate) fn on_timeout(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let Some(store) = &mut self.store else { return };
        if store.deadline().is_none_or(|due| due > cx.now()) {
            return;
        }
        let late: Vec<u32> =
            store.writes.iter().filter(|(_, write)| write.due() <= cx.now()).map(|(n, _)| *n).collect();
        for number in late {
            store.conclude(core, number, true, cx);
        }
        store.operate(core, cx);
        store.keep_up(core, cx);
        store.renew(core, cx);
        store.tend_streams(core, cx);
        store.publish_due(core, cx);
        store.drop_passed(core, cx);
        store.flush(core, cx);
        if store.rest(core, cx.now()) {
            self.store = None;
        }
    }

    /// When to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.store.as_ref().and_then(|store| store.deadline())
    }
}

impl Store {
    fn hear_clock(&mut self, core: &Core, peer: Endpoint, clock: u64, now: Instant) {
        if core.endpoint != Some(peer) {
            self.clocks.heard(peer, clock, core.unix_time(now));
        }
    }

    /// A number for something under way.
    fn number(&mut self) -> u32 {
        self.numbers = self.numbers.wrapping_add(1);
        self.numbers
    }

    fn deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.writes.values().map(write::Write::due).min());
        deadline.at(self.operations.values().filter_map(|operation| operation.due).min());
        deadline.at(self.upkeep_deadline());
        deadline.at(self.own.deadline());
        deadline.at(self.streams.deadline()).at(self.shards.deadline());
        deadline.at(self.publishing.deadline()).at(self.rest_at);
        deadline.earliest()
    }

    /// Takes back a record found on the disk; checked again, since disks rot.
    fn restore(&mut self, core: &mut Core, body: &[u8], remaining: u32, now: Instant) {
        let Ok(record) = throng_wire::chord::Record::decode(body) else {
            return core.blame(Violation::BadRecord);
        };
        let candidate = validity::candidate(&record, Some(remaining), quota::Network::UNKNOWN);
        let (Ok(candidate), Ok(())) = (candidate, self.verified.check(&record)) else {
            return core.blame(Violation::BadRecord);
        };
        let clock = self.clock(core, now);
        let id = candidate.id;
        let kept = self.records.offer(candidate, None, clock, &core.config.storing.quotas).is_ok();
        self.records.on_disk(&id, kept);
    }
}
