//! Copies of what is being written by stream, to one replica (4.3, step 4).
//!
//! One stream a replica, for all writes under way; it stays open while there is anything to copy and for as long as
//! streams may be silent. The replica answers in the order it was sent.

use super::Store;
use super::id::Locator;
use super::job::Job;
use super::serve::held;
use super::write::Write;
use crate::chord::Context;
use crate::chord::core::Core;
use crate::chord::node::Node;
use std::collections::VecDeque;
use throng_machine::{Endpoint, StreamId};
use throng_wire::chord::{Claim, Frame, FrameCopy, Outcome, PutFlags, PutResult};

/// Copies sent and not yet acknowledged at most.
const WINDOW: usize = 512;

/// A record of a write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    write: u32,
    place: usize,
    /// Of this write no other record follows.
    last: bool,
    id: Locator,
}

/// What one replica is to have.
#[derive(Clone, Default, Debug)]
pub(crate) struct Relay {
    waiting: VecDeque<Copied>,
    flying: VecDeque<(u32, Copied)>,
    sent: u32,
}

impl Relay {
    /// A copy was answered: which, and whether it is time to send more.
    pub(super) fn on_ack(&mut self, number: u32) -> (Option<Copied>, bool) {
        let front = self.flying.front().is_some_and(|(sent, _)| *sent == number);
        let copied = if front { self.flying.pop_front().map(|(_, copied)| copied) } else { None };
        (copied, !self.waiting.is_empty() && self.flying.len() <= WINDOW / 2)
    }
}

impl Store {
    /// Has the records of a write copied to other holders.
    pub(super) fn replicate_many(
        &mut self,
        core: &mut Core,
        (at, number, others): (usize, u32, Vec<Node>),
        mut write: Write,
        cx: &mut Context<'_>,
    ) {
        let last = write.taken().last().map(|(place, _)| place);
        let copy = |(place, id)| Copied { write: number, place, last: Some(place) == last, id };
        let copies: Vec<Copied> = write.taken().map(copy).collect();
        write.outstanding = write.outstanding.saturating_add(u8::try_from(others.len()).unwrap_or(u8::MAX));
        self.writes.insert(number, write);
        self.disk.wait(super::disk::Waiter::Write(number));
        for node in others {
            self.relay(core, (at, node), &copies, cx);
        }
    }

    fn relay(&mut self, core: &mut Core, (at, node): (usize, Node), copies: &[Copied], cx: &mut Context<'_>) {
        if let Some((stream, relay)) = self.relay_to(node.endpoint) {
            relay.waiting.extend(copies);
            if let Some(stream) = stream {
                self.pump(core, stream, cx);
            }
            return;
        }
        let relay = Relay { waiting: copies.to_vec().into(), ..Relay::default() };
        self.start(core, (at, node), Job::Relay(relay), cx);
    }

    /// What goes to a host already, and on which stream if it has one.
    fn relay_to(&mut self, host: Endpoint) -> Option<(Option<StreamId>, &mut Relay)> {
        let knocking = self.streams.knocking.values_mut().filter(|(_, to, _)| to.endpoint == host);
        let knocking = knocking.map(|(_, _, job)| (None, job));
        let is_there =
            |talk: &&mut super::stream::Talk| talk.peer.is_some_and(|peer| peer.from.endpoint == host);
        let talks = self.streams.talks.iter_mut();
        let open = talks.filter_map(|(stream, talk)| {
            Some(talk).filter(is_there).and_then(|talk| Some((Some(*stream), talk.job.as_mut()?)))
        });
        let mut jobs = open.chain(knocking);
        jobs.find_map(|(stream, job)| match job {
            Job::Relay(relay) => Some((stream, relay)),
            _ => None,
        })
    }

    /// Sends as many copies as may be unacknowledged.
    pub(super) fn pump_relay(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        claim: Claim,
        cx: &mut Context<'_>,
    ) {
        let now = cx.now();
        let Some(talk) = self.streams.talks.get_mut(&stream).filter(|talk| talk.ready) else { return };
        let Some(Job::Relay(relay)) = &mut talk.job else { return };
        let room = WINDOW.saturating_sub(relay.flying.len()).min(relay.waiting.len());
        let (mut lost, records) = (Vec::new(), &self.records);
        if room == 0 {
            return;
        }
        cx.write(stream, |out| {
            for copied in relay.waiting.drain(..room) {
                let held = records.find(&copied.id, now).and_then(|stored| held(stored, now));
                let number = relay.sent;
                let copy = |held| FrameCopy { number, claim, flags: PutFlags::default(), held };
                if held.is_some_and(|held| Frame::Copy(copy(held)).encode(out).is_ok()) {
                    relay.sent = relay.sent.wrapping_add(1);
                    relay.flying.push_back((number, copied));
                } else {
                    lost.push(copied);
                }
            }
        });
        for copied in lost {
            self.relayed(core, copied, false, cx);
        }
    }

    /// A replica has answered a copy; what it was not sent, or not yet, it cannot answer.
    pub(super) fn on_relayed(
        &mut self,
        core: &mut Core,
        copied: Option<Copied>,
        result: &PutResult,
        cx: &mut Context<'_>,
    ) {
        match copied {
            Some(copied) => {
                self.relayed(core, copied, matches!(result.outcome, Outcome::Stored { .. }), cx);
            }
            None => core.blame(crate::chord::violation::Violation::Malformed),
        }
    }

    fn relayed(&mut self, core: &mut Core, copied: Copied, stored: bool, cx: &mut Context<'_>) {
        if !stored {
            self.doubt_copies(core, None, cx);
        }
        let Some(write) = self.writes.get_mut(&copied.write) else { return };
        if stored {
            write.add_copy(copied.place);
        }
        if copied.last {
            write.outstanding = write.outstanding.saturating_sub(1);
            self.conclude(core, copied.write, false, cx);
        }
    }

    /// The stream is gone: what it had not brought over was not copied.
    pub(super) fn on_relay_over(&mut self, core: &mut Core, relay: Relay, cx: &mut Context<'_>) {
        let Relay { waiting, flying, .. } = relay;
        for copied in flying.into_iter().map(|(_, copied)| copied).chain(waiting) {
            self.relayed(core, copied, false, cx);
        }
    }
}
