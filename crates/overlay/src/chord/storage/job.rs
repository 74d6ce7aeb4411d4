//! What we open streams for: storing and reading large values, copying many records; one job a stream.
//!
//! Whoever wanted it is told how it ended, once: by the other end, by a broken stream, or by its silence.

use super::bulk::Many;
use super::id::Locator;
use super::relay::Relay;
use super::serve::{before, held};
use super::write::{Asker, How};
use super::{Call, Store};
use crate::chord::Context;
use crate::chord::core::{Core, Received};
use crate::chord::node::Node;
use crate::chord::rpc::Purpose;
use crate::chord::violation::Violation;
use std::collections::VecDeque;
use throng_machine::{StreamId, TokenBucket};
use throng_wire::chord::{
    Bye, ByeReason, Frame, FrameCopy, FramePut, Get, Held, KindSet, Message, Outcome, Padding, Pull,
    PutFlags, PutResult, Record, RingId, Selector, Summary,
};

use super::stream::{hello_header, send};

/// Streams of ours at most.
const MOST_OUT: usize = 64;
/// Records sent and not yet acknowledged at most.
const WINDOW: u32 = 64;

/// What we opened a stream for.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Storing a large value, for an operation.
    Put(u32, Box<[u8]>, PutFlags, Option<u64>),
    /// Copying it to a replica, for a write.
    Copy(u32, Box<[u8]>),
    /// Reading one, for an operation.
    Fetch(u32, Summary),
    /// Copying many records, for a comparison.
    Push(u32, VecDeque<Locator>, Progress),
    /// Reading large ones, for a comparison.
    Pull(u32, VecDeque<Summary>, u32),
    /// Storing many, for an operation.
    Many(u32, Many),
    /// Copying to a replica what writes that are under way bring, as long as they do.
    Relay(Relay),
}

/// How far copying is.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Progress {
    sent: u32,
    acknowledged: u32,
    taken: u32,
}

impl Store {
    /// Stores a large value at an owner.
    pub(crate) fn put_large(
        &mut self,
        core: &mut Core,
        (number, owner): (u32, Node),
        (body, flags, cas): (&[u8], PutFlags, Option<u64>),
        cx: &mut Context<'_>,
    ) {
        self.start(core, (0, owner), Job::Put(number, body.into(), flags, cas), cx);
    }

    /// Copies a large value to a replica; false if that cannot be tried.
    pub(crate) fn copy_large(
        &mut self,
        core: &mut Core,
        (at, node): (usize, Node),
        (number, held): (u32, &Held<'_>),
        cx: &mut Context<'_>,
    ) -> bool {
        let mut body = Vec::new();
        let encoded = held.record.encode(&mut body).is_ok();
        if encoded {
            self.start(core, (at, node), Job::Copy(number, body.into()), cx);
        }
        encoded
    }

    /// Reads a large value.
    pub(crate) fn fetch_large(
        &mut self,
        core: &mut Core,
        (number, from): (u32, Node),
        summary: &Summary,
        cx: &mut Context<'_>,
    ) {
        self.start(core, (0, from), Job::Fetch(number, *summary), cx);
    }

    /// Copies many records to a neighbour.
    pub(crate) fn push_by_stream(
        &mut self,
        core: &mut Core,
        (number, at, peer): (u32, usize, Node),
        ids: Vec<Locator>,
        cx: &mut Context<'_>,
    ) {
        self.start(core, (at, peer), Job::Push(number, ids.into(), Progress::default()), cx);
    }

    /// Reads large records of a neighbour.
    pub(crate) fn pull_by_stream(
        &mut self,
        core: &mut Core,
        (number, at, peer): (u32, usize, Node),
        wanted: &[Summary],
        cx: &mut Context<'_>,
    ) {
        self.start(core, (at, peer), Job::Pull(number, wanted.to_vec().into(), 0), cx);
    }

    pub(super) fn start(&mut self, core: &mut Core, (at, to): (usize, Node), job: Job, cx: &mut Context<'_>) {
        let ours = self.streams.talks.values().filter(|talk| talk.job.is_some()).count();
        if core.endpoint == Some(to.endpoint) {
            return self.at_home(core, (at, to), job, cx);
        }
        if ours >= MOST_OUT {
            return self.on_job_over(core, job, None, cx);
        }
        if core.proofs.held(to.endpoint, cx.now()) != 0 {
            return self.open(core, (at, to), job, cx);
        }
        // Any answer brings a token; a read that wants nothing is the smallest question.
        let number = self.number();
        let key = RingId::MIN;
        let get = Get {
            key,
            kinds: KindSet::ALL,
            selector: Selector::None,
            limit: 0,
            cursor: 0,
            padding: Padding::NONE,
        };
        let call = Purpose::Storage(Call::Token(number));
        match core.call(cx, (at, to), call, &Message::Get(get)) {
            Some(_) => {
                self.streams.knocking.insert(number, (at, to, job));
            }
            None => self.on_job_over(core, job, None, cx),
        }
    }

    /// The other end is ourselves.
    fn at_home(&mut self, core: &mut Core, (at, to): (usize, Node), job: Job, cx: &mut Context<'_>) {
        let now = cx.now();
        match &job {
            Job::Put(number, body, flags, cas) => {
                let (number, how) = (*number, How { flags: *flags, cas: *cas });
                let header = hello_header(core, (at, &to));
                let from = Received { from: to, at, header, proved: true, sample: None };
                let Ok(record) = Record::decode(body) else { return };
                let held = Held { remaining: super::writing::life(&record), record };
                self.write(core, Asker::Local(number, from), (&[Some(held)], how), cx);
            }
            Job::Fetch(number, wanted) => {
                let number = *number;
                let found = self.records.at(wanted.key, now).find(|(id, _)| id.is_of(&wanted.id));
                let body = found.map(|(_, stored)| (stored.body.clone(), stored.remaining(now)));
                let record = body.as_ref().and_then(|(body, _)| Record::decode(body).ok());
                let remaining = body.as_ref().map_or(0, |(_, remaining)| *remaining);
                self.on_fetched(core, number, record.map(|record| Held { remaining, record }), cx);
            }
            Job::Many(number, _) => self.put_many_here(core, (*number, at, to), cx),
            _ => self.on_job_over(core, job, None, cx),
        }
    }

    /// The token has come, or will not.
    pub(crate) fn on_token(&mut self, core: &mut Core, number: u32, answered: bool, cx: &mut Context<'_>) {
        let Some((at, to, job)) = self.streams.knocking.remove(&number) else { return };
        if answered { self.open(core, (at, to), job, cx) } else { self.on_job_over(core, job, None, cx) }
    }

    /// What the other end answers on a stream of ours.
    pub(super) fn on_job_frame(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        frame: &Frame<'_>,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(talk) = self.streams.talks.get_mut(&stream) else { return false };
        match (&mut talk.job, frame) {
            (Some(Job::Put(..) | Job::Copy(..)), Frame::Ack(ack)) => {
                let result = ack.result;
                self.finish(core, stream, Some(Given::Result(result)), cx);
            }
            (Some(Job::Push(_, _, progress)), Frame::Ack(ack)) => {
                progress.acknowledged += 1;
                progress.taken += u32::from(matches!(ack.result.outcome, Outcome::Stored { .. }));
                self.pump(core, stream, cx);
            }
            (Some(Job::Many(number, many)), Frame::Ack(ack)) => {
                let (number, more) = (*number, many.on_ack());
                self.on_many_put(core, (number, ack.number), &[ack.result], cx);
                if more {
                    self.pump(core, stream, cx);
                }
            }
            (Some(Job::Relay(relay)), Frame::Ack(ack)) => {
                let (copied, more) = relay.on_ack(ack.number);
                self.on_relayed(core, copied, &ack.result, cx);
                if more {
                    self.pump(core, stream, cx);
                }
            }
            (Some(Job::Fetch(..)), Frame::Record(held)) => {
                self.finish(core, stream, Some(Given::Record(held)), cx);
            }
            (Some(Job::Fetch(..)), Frame::End(_)) => self.finish(core, stream, None, cx),
            (Some(Job::Pull(_, wanted, _)), Frame::Record(held)) => {
                let asked = wanted.front().is_some_and(|wanted| wanted.id == held.record.id());
                if asked {
                    let result = self.take_copy(core, held, cx.now());
                    self.on_pulled(stream, matches!(result.outcome, Outcome::Stored { .. }));
                }
            }
            (Some(Job::Pull(_, wanted, _)), Frame::End(_)) => {
                wanted.pop_front();
                self.pump(core, stream, cx);
            }
            _ => {
                core.blame(Violation::Malformed);
                self.hang_up(core, (stream, ByeReason::Malformed), cx);
            }
        }
        true
    }

    fn on_pulled(&mut self, stream: StreamId, taken: bool) {
        if let Some(Job::Pull(_, _, count)) =
            self.streams.talks.get_mut(&stream).and_then(|talk| talk.job.as_mut())
        {
            *count += u32::from(taken);
        }
    }

    /// Sends what a job may send now; ends it when all is done.
    pub(super) fn pump(&mut self, core: &mut Core, stream: StreamId, cx: &mut Context<'_>) {
        let now = cx.now();
        let bucket = self
            .streams
            .bucket
            .get_or_insert_with(|| TokenBucket::new(Some(core.config.storing.copy_rate), now));
        let Some(talk) = self.streams.talks.get_mut(&stream).filter(|talk| talk.ready) else { return };
        let at = talk.peer.map_or(0, |peer| peer.at);
        let claim = core.vnodes.get(at).map(|vnode| vnode.claim).unwrap_or_default();
        match &mut talk.job {
            Some(Job::Put(_, body, flags, cas)) => {
                if let Ok(record) = Record::decode(body) {
                    let held = Held { remaining: super::writing::life(&record), record };
                    let put = FramePut { number: 0, flags: *flags, cas: *cas, held };
                    send(stream, &Frame::Put(put), cx);
                }
            }
            Some(Job::Copy(_, body)) => {
                if let Ok(record) = Record::decode(body) {
                    let held = Held { remaining: super::writing::life(&record), record };
                    let flags = PutFlags::default();
                    send(stream, &Frame::Copy(FrameCopy { number: 0, claim, flags, held }), cx);
                }
            }
            Some(Job::Fetch(_, summary)) => ask_for(stream, summary, cx),
            Some(Job::Pull(_, wanted, _)) => match wanted.front() {
                Some(summary) => ask_for(stream, summary, cx),
                None => self.finish(core, stream, None, cx),
            },
            Some(Job::Push(_, ids, progress)) => {
                while progress.sent - progress.acknowledged < WINDOW {
                    if !bucket.is_open(now) {
                        let opens = bucket.opens_at();
                        self.streams.paused = self.streams.paused.min(opens).or(opens);
                        return;
                    }
                    let Some(id) = ids.pop_front() else { break };
                    let Some(stored) = self.records.find(&id, now) else { continue };
                    let Some(held) = held(stored, now) else { continue };
                    bucket.take(stored.body.len() as u64);
                    progress.sent += 1;
                    let flags = PutFlags::default();
                    send(stream, &Frame::Copy(FrameCopy { number: progress.sent, claim, flags, held }), cx);
                }
                if ids.is_empty() && progress.sent == progress.acknowledged {
                    self.finish(core, stream, None, cx);
                }
            }
            Some(Job::Many(..)) => self.pump_many(core, stream, cx),
            Some(Job::Relay(_)) => self.pump_relay(core, stream, claim, cx),
            None => {}
        }
    }

    /// A job has come to its end.
    pub(super) fn finish(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        given: Option<Given<'_>>,
        cx: &mut Context<'_>,
    ) {
        let Some(talk) = self.streams.talks.remove(&stream) else { return };
        send(stream, &Frame::Bye(Bye { reason: ByeReason::Done }), cx);
        cx.close(stream);
        if let Some(job) = talk.job {
            let given = given.unwrap_or(Given::Done);
            self.on_job_over(core, job, Some(given), cx);
        }
    }

    /// Tells whoever wanted a stream what came of it; nothing if it broke.
    pub(super) fn on_job_over(
        &mut self,
        core: &mut Core,
        job: Job,
        given: Option<Given<'_>>,
        cx: &mut Context<'_>,
    ) {
        match (job, given) {
            (Job::Put(number, ..), Some(Given::Result(result))) => {
                self.on_large_put(core, number, Some(result), cx);
            }
            (Job::Put(number, ..), _) => self.on_large_put(core, number, None, cx),
            (Job::Copy(number, _), Some(Given::Result(result))) => {
                self.on_copied(core, number, Some(&[result]), cx);
            }
            (Job::Copy(number, _), _) => self.on_copied(core, number, None, cx),
            (Job::Fetch(number, _), Some(Given::Record(held))) => {
                self.on_fetched(core, number, Some(*held), cx);
            }
            (Job::Fetch(number, _), _) => self.on_fetched(core, number, None, cx),
            (Job::Push(number, _, progress), given) => {
                self.on_streamed(core, number, given.map(|_| progress.taken), cx);
            }
            (Job::Many(number, many), given) => self.on_many_over(core, number, (&many, given.is_some()), cx),
            (Job::Relay(relay), _) => self.on_relay_over(core, relay, cx),
            (Job::Pull(number, _, taken), given) => {
                self.on_streamed(core, number, given.map(|_| taken), cx);
            }
        }
    }
}

/// What a job was given at its end.
pub(super) enum Given<'a> {
    /// Nothing in particular.
    Done,
    /// What became of a record.
    Result(PutResult),
    /// A record.
    Record(&'a Held<'a>),
}

fn ask_for(stream: StreamId, summary: &Summary, cx: &mut Context<'_>) {
    let ids = [summary.id];
    let (low, high) = (before(summary.key), summary.key);
    send(stream, &Frame::Pull(Pull { low, high, after: None, ids: (&ids[..]).into() }), cx);
}
