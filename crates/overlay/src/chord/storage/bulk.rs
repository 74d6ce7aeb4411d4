//! Many records at once, by stream: what a publisher has for one owner goes there in one go (4.7).
//!
//! At the publisher an operation whose owner has more than a few of its records opens a stream, keeps a window of frames
//! unanswered, and goes on to the next owner at once. At the holder frames that come together are written together: one
//! write, one change of the disk, one answer.

use super::disk::Waiter;
use super::job::Job;
use super::operation::Operation;
use super::stream::hello_header;
use super::write::{Asker, How, MOST};
use super::writing::{Item, State, apply};
use super::{Store, placement};
use crate::chord::core::{Core, Received};
use crate::chord::node::Node;
use crate::chord::{Context, Failure};
use std::time::Duration;
use throng_machine::StreamId;
use throng_wire::chord::{Frame, FramePut, Held, Limit, Outcome, PutFlags, PutResult, Record, RingId, own};

/// More records than this for one owner go by stream: as many as three datagrams take.
const FEW: usize = 8;
/// Frames sent and not yet answered at most.
const WINDOW: u32 = 256;
/// Records written together at most.
const TOGETHER: usize = 64;

/// How far a stream of puts is.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Many {
    sent: u32,
    answered: u32,
}

impl Many {
    /// One more is answered; whether it is time to send more, or to end.
    pub(super) fn on_ack(&mut self) -> bool {
        self.answered = self.answered.saturating_add(1);
        self.sent.saturating_sub(self.answered) <= WINDOW / 2
    }
}

/// Which of an operation's records the owner of `(low, owner]` is to have, if they are many.
pub(super) fn many(items: &[Item], low: RingId, owner: RingId) -> Option<Vec<usize>> {
    let is_meant = |item: &Item| matches!(item.state, State::Open(_)) && own(low, item.key, owner);
    let meant = items.iter().enumerate().filter(|(_, item)| is_meant(item) && !item.short);
    Some(meant.map(|(index, _)| index).collect::<Vec<_>>()).filter(|meant| meant.len() > FEW)
}

impl Store {
    /// Stores what the owner is to have of an operation's records; which they are is in the operation.
    pub(super) fn put_many(&mut self, core: &mut Core, (number, owner): (u32, Node), cx: &mut Context<'_>) {
        self.start(core, (0, owner), Job::Many(number, Many::default()), cx);
    }

    /// Sends as many as may be unanswered; ends when all are answered.
    pub(super) fn pump_many(&mut self, core: &mut Core, stream: StreamId, cx: &mut Context<'_>) {
        let Some(talk) = self.streams.talks.get_mut(&stream) else { return };
        let Some(Job::Many(number, many)) = &mut talk.job else { return };
        let writing = self.operations.get_mut(number).and_then(Operation::writing);
        let Some(writing) = writing else { return self.finish(core, stream, None, cx) };
        let all = match writing.pause {
            0 => u32::try_from(writing.sent.len()).unwrap_or(u32::MAX),
            // It takes no more for now: what it has is answered, and the others wait.
            _ => many.sent,
        };
        let until = all.min(many.answered.saturating_add(WINDOW));
        let first = many.sent;
        many.sent = until.max(first);
        if many.answered >= all {
            return self.finish(core, stream, None, cx);
        }
        if first < until {
            cx.write(stream, |out| {
                for place in first..until {
                    let item = writing.sent.get(place as usize).and_then(|index| writing.items.get(*index));
                    let Some(Ok(record)) = item.map(|item| Record::decode(&item.body)) else { continue };
                    let held = Held { remaining: super::writing::life(&record), record };
                    // What has no encoding is not sent, and stays open.
                    let put = FramePut { number: place, flags: writing.flags, cas: None, held };
                    let _ = Frame::Put(put).encode(out);
                }
            });
        }
    }

    /// The owner is ourselves.
    pub(super) fn put_many_here(
        &mut self,
        core: &mut Core,
        (number, at, to): (u32, usize, Node),
        cx: &mut Context<'_>,
    ) {
        let header = hello_header(core, (at, &to));
        let from = Received { from: to, at, header, proved: true, sample: None };
        let Some(writing) = self.operations.get_mut(&number).and_then(Operation::writing) else { return };
        let how = How { flags: writing.flags, cas: None };
        let chosen = writing.sent.iter().filter_map(|index| writing.items.get(*index));
        let bodies: Vec<Box<[u8]>> = chosen.map(|item| item.body.clone()).collect();
        for (chunk, first) in bodies.chunks(TOGETHER).zip((0..).step_by(TOGETHER)) {
            let records: Vec<Option<Held<'_>>> = chunk
                .iter()
                .map(|body| {
                    let record = Record::decode(body).ok()?;
                    Some(Held { remaining: super::writing::life(&record), record })
                })
                .collect();
            self.write(core, Asker::Many(number, first, from), (&records, how), cx);
        }
    }

    /// The owner has said what became of some, `first` the first of them in what it was sent.
    pub(super) fn on_many_put(
        &mut self,
        core: &mut Core,
        (number, first): (u32, u32),
        results: &[PutResult],
        cx: &mut Context<'_>,
    ) {
        let need = core.config.write_quorum;
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let ours = operation.set.first().map(|owner| owner.endpoint) == core.endpoint;
        let Some(writing) = operation.writing() else { return };
        apply(writing, (first as usize, results), need);
        writing.answered = writing.answered.saturating_add(results.len());
        if ours && writing.answered >= writing.sent.len() {
            self.many_done(core, number, cx);
        }
    }

    /// The stream is over, in good order or not.
    pub(super) fn on_many_over(
        &mut self,
        core: &mut Core,
        number: u32,
        (many, whole): (&Many, bool),
        cx: &mut Context<'_>,
    ) {
        if !whole
            && many.answered == 0
            && let Some(writing) = self.operations.get_mut(&number).and_then(Operation::writing)
        {
            // No stream can be had there: by datagram then.
            writing.by_stream = false;
        }
        self.many_done(core, number, cx);
    }

    /// Goes on with what is left, at once if that was of any use.
    fn many_done(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let Some(writing) = operation.writing() else { return };
        let settled = |index: &usize| {
            writing.items.get(*index).is_some_and(|item| !matches!(item.state, State::Open(_)))
        };
        let progress = writing.sent.iter().any(settled);
        let Some(key) = writing.open().next().map(|item| item.key) else {
            return self.put_done(core, number, cx);
        };
        let pauses = writing.pause > 0;
        operation.key = key;
        if pauses {
            return self.put_paused(core, (number, progress), cx);
        }
        if progress {
            operation.attempts = operation.attempts.saturating_sub(1);
            return self.look(core, number);
        }
        self.again(core, number, Failure::Busy, cx);
    }
}

impl Store {
    /// The owner takes no more for now: the rest follows when it said, as often as it takes some.
    pub(super) fn put_paused(
        &mut self,
        core: &mut Core,
        (number, progress): (u32, bool),
        cx: &mut Context<'_>,
    ) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        operation.attempts = operation.attempts.saturating_sub(1);
        if progress {
            operation.failed = None;
        }
        let seconds = operation.writing().map_or(0, |writing| std::mem::take(&mut writing.pause));
        let until = cx.now() + Duration::from_secs(u64::from(seconds));
        self.again(core, number, Failure::Busy, cx);
        if let Some(operation) = self.operations.get_mut(&number) {
            operation.due = operation.due.max(Some(until));
        }
    }
}

/// Frames of another's stream that came together and are alike.
#[derive(Default)]
pub(super) struct Run<'a> {
    /// Puts with their flags, or copies.
    puts: Option<PutFlags>,
    first: u32,
    records: Vec<Held<'a>>,
}

impl<'a> Run<'a> {
    /// Takes one more, if it goes with the others.
    fn takes(&mut self, puts: Option<PutFlags>, number: u32, held: Held<'a>) -> bool {
        let next = u32::try_from(self.records.len()).unwrap_or(u32::MAX).wrapping_add(self.first);
        let goes =
            self.records.is_empty() || (self.puts == puts && next == number && self.records.len() < TOGETHER);
        if goes {
            if self.records.is_empty() {
                (self.puts, self.first) = (puts, number);
            }
            self.records.push(held);
        }
        goes
    }
}

impl Store {
    /// Keeps a frame for later, to be handled with those that come with it; false if it is none of that kind.
    pub(super) fn gather<'a>(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        (run, frame): (&mut Run<'a>, Frame<'a>),
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(talk) = self.streams.talks.get(&stream) else { return false };
        if talk.job.is_some() || talk.peer.is_none() {
            return false;
        }
        let (puts, number, held) = match frame {
            Frame::Put(put) if put.cas.is_none() => (Some(put.flags), put.number, put.held),
            Frame::Copy(copy) => (None, copy.number, copy.held),
            _ => return false,
        };
        if !run.takes(puts, number, held) {
            self.settle(core, stream, run, cx);
            run.takes(puts, number, held);
        }
        true
    }

    /// Handles what was kept.
    pub(super) fn settle(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        run: &mut Run<'_>,
        cx: &mut Context<'_>,
    ) {
        let Run { puts, first, records } = std::mem::take(run);
        let Some(peer) = self.streams.talks.get(&stream).and_then(|talk| talk.peer) else { return };
        if records.len() > 1 {
            self.verified.begin();
        }
        match puts {
            _ if records.is_empty() => {}
            Some(flags) => self.put_together(core, (stream, first, &peer), (&records, flags), cx),
            None => self.copy_together(core, (stream, first, &peer), &records, cx),
        }
    }

    fn put_together(
        &mut self,
        core: &mut Core,
        (stream, first, peer): (StreamId, u32, &Received),
        (records, flags): (&[Held<'_>], PutFlags),
        cx: &mut Context<'_>,
    ) {
        let how = How { flags, cas: None };
        let owner = |held: &Held<'_>| placement::owner_of(core, held.record.ring_key());
        let owners: Vec<Option<usize>> = records.iter().map(owner).collect();
        let mut number = first;
        for group in owners.chunk_by(|one, other| one == other) {
            let from = number.wrapping_sub(first) as usize;
            let group: Vec<_> = records.iter().skip(from).take(group.len()).copied().map(Some).collect();
            if self.writes.len() >= MOST || self.disk.is_busy() {
                let outcome = Outcome::Refused { limit: Limit::Rate, retry_after: 1 };
                let refused = vec![PutResult { outcome, count: 0, shard_bits: 0 }; group.len()];
                self.acknowledge_frames(stream, number, &refused, cx);
            } else {
                self.write(core, Asker::Stream(stream, number, *peer), (&group, how), cx);
            }
            number = number.wrapping_add(u32::try_from(group.len()).unwrap_or(u32::MAX));
        }
    }

    fn copy_together(
        &mut self,
        core: &mut Core,
        (stream, first, peer): (StreamId, u32, &Received),
        records: &[Held<'_>],
        cx: &mut Context<'_>,
    ) {
        let host = peer.from.endpoint;
        let trusted = placement::is_neighbour(core, host);
        if trusted {
            self.verified.check_together(records.iter(), cx.rng());
        }
        let refused = |outcome| PutResult { outcome, count: 0, shard_bits: 0 };
        let mut results = Vec::with_capacity(records.len());
        for held in records {
            results.push(if !trusted && !placement::keeps(core, held.record.ring_key()) {
                refused(Outcome::NotMine)
            } else if !trusted && !self.puts.admit(host, 1, core.config.storing.puts, cx.now()) {
                refused(Outcome::Refused { limit: Limit::Rate, retry_after: 1 })
            } else {
                self.take_copy(core, held, cx.now())
            });
        }
        self.disk.wait(Waiter::Frames(stream, first, results));
    }
}
