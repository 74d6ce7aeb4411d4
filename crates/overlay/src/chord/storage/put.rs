//! Storing, as the client (4.3): the owner is asked to write and to copy; if it is silent we write to the replica set
//! ourselves. "Stored" is said only when the quorum has acknowledged; a lower number is told as it is, and tried again.

use super::Store;
use super::bulk;
use super::operation::{Operation, Task};
use super::quota;
use super::serve::INLINE;
use super::writing::{Cause, Item, State, Writing, apply, count_direct, fitting, renewals, travelling};
use crate::chord::core::Core;
use crate::chord::lookup::FoundAt;
use crate::chord::node::Node;
use crate::chord::{Context, Event, Failure, Instant};
use crate::discovery::Ticket;
use std::time::Duration;
use throng_wire::chord::{
    Limit, Message, Outcome, Put, PutAck, PutFlags, PutResult, Record, Refresh, RingId,
};

/// An owner waits for replicas up to 2.5 s: patience with a put is longer than with a ping.
const PATIENCE: (Duration, u8) = (Duration::from_millis(700), 4);
impl Store {
    /// The owner is known: ask it to write.
    pub(crate) fn put_to_owner(
        &mut self,
        core: &mut Core,
        number: u32,
        found: &FoundAt,
        cx: &mut Context<'_>,
    ) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let Some(owner) = operation.set.first().copied() else { return };
        let hosts = u8::try_from(operation.set.len()).unwrap_or(u8::MAX);
        let Some(writing) = operation.writing() else { return };
        writing.direct = None;
        writing.of = hosts;
        let large = writing.open().find(|item| item.body.len() > INLINE).map(|item| item.body.clone());
        if let Some(body) = large {
            let (flags, cas) = (writing.flags, writing.cas);
            return self.put_large(core, (number, owner), (&body, flags, cas), cx);
        }
        let low = found.owner.claim.low().unwrap_or(owner.id);
        let many = bulk::many(&writing.items, low, owner.id);
        if let Some(many) = many.filter(|_| writing.by_stream && writing.cas.is_none()) {
            (writing.sent, writing.answered) = (many, 0);
            return self.put_many(core, (number, owner), cx);
        }
        writing.sent = fitting(&writing.items, low, owner.id);
        let items = writing.items.clone();
        let (flags, cas, sent) = (writing.flags, writing.cas, writing.sent.clone());
        let records = travelling(&items, &sent);
        let renewals = renewals(&items, &sent);
        let message = if renewals.is_empty() {
            Message::Put(Put { flags, cas, records: (&records).into() })
        } else {
            Message::Refresh(Refresh { items: (&renewals).into() })
        };
        let patience = (PATIENCE.0.max(core.rto(&owner)), PATIENCE.1);
        if records.is_empty() || !self.ask(core, (number, owner), patience, (&message, cx)) {
            self.again(core, number, Failure::Busy, cx);
        }
    }

    /// Somebody answered a put.
    pub(crate) fn on_put_ack(
        &mut self,
        core: &mut Core,
        (number, from): (u32, &Node),
        ack: &PutAck<'_>,
        cx: &mut Context<'_>,
    ) {
        self.holder_load = ack.load;
        let results = ack.results.to_vec();
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let owner = operation.set.first().copied();
        let Some(writing) = operation.writing() else { return };
        match &mut writing.direct {
            Some(waiting) => {
                waiting.retain(|node| node.endpoint != from.endpoint);
                count_direct(writing, &results);
                self.conclude_direct(core, number, cx);
            }
            None if owner.is_some_and(|owner| owner.endpoint == from.endpoint) => {
                let need = core.config.write_quorum;
                apply(writing, (0, &results), need);
                if self.clocks.guess().is_none_or(|ahead| ahead > -60) && writing.is_dated_ahead() {
                    // The owner's clock is wrong, or ours; the others of the set will tell.
                    return self.put_directly(core, number, cx);
                }
                self.on_applied(core, number, cx);
            }
            None => {}
        }
    }

    /// A large record has reached its owner by stream, or could not.
    pub(crate) fn on_large_put(
        &mut self,
        core: &mut Core,
        number: u32,
        result: Option<PutResult>,
        cx: &mut Context<'_>,
    ) {
        let Some(writing) = self.operations.get_mut(&number).and_then(Operation::writing) else { return };
        let is_large = |item: &Item| matches!(item.state, State::Open(_)) && item.body.len() > INLINE;
        writing.sent = writing.items.iter().position(is_large).into_iter().collect();
        match result {
            Some(result) => {
                apply(writing, (0, &[result]), core.config.write_quorum);
                self.on_applied(core, number, cx);
            }
            None => self.again(core, number, Failure::Unanswered, cx),
        }
    }

    /// The owner has answered: done, or what is left once more.
    fn on_applied(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let Some(writing) = operation.writing() else { return };
        let progress = writing.items.iter().any(|item| !matches!(item.state, State::Open(_)));
        // What is passed on and did not fit one datagram follows at once: more is coming.
        let is_stored = |index: &usize| matches!(writing.items[*index].state, State::Stored(_));
        let urgent = matches!(writing.cause, Cause::Forward(_)) && writing.sent.iter().any(is_stored);
        let next = writing.open().map(|item| (item.key, item.state, item.body.len() > INLINE)).next();
        match next {
            None => self.put_done(core, number, cx),
            // What the owner could not copy to enough we copy ourselves.
            Some((_, State::Open(copies), false)) if copies > 0 => self.put_directly(core, number, cx),
            Some((key, ..)) => {
                operation.key = key;
                if operation.writing().is_some_and(|writing| writing.pause > 0) {
                    return self.put_paused(core, (number, progress), cx);
                }
                if progress {
                    operation.attempts = operation.attempts.saturating_sub(1);
                }
                self.again(core, number, Failure::Unanswered, cx);
                if let Some(operation) = self.operations.get_mut(&number).filter(|_| urgent) {
                    operation.due = Some(cx.now());
                }
            }
        }
    }

    /// The owner is silent, or reached too few: write to every host of the set ourselves (4.3, step 5).
    pub(crate) fn put_directly(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let set = operation.set.clone();
        let Some(writing) = operation.writing() else { return };
        writing.items.iter_mut().for_each(|item| item.short = false);
        writing.sent = fitting(&writing.items, RingId::MIN, RingId::MIN);
        let (items, sent) = (writing.items.clone(), writing.sent.clone());
        let records = travelling(&items, &sent);
        let flags = writing.flags.with(PutFlags::LOCAL);
        for item in &mut writing.items {
            if let State::Open(copies) = &mut item.state {
                *copies = 0;
            }
        }
        let mut waiting = Vec::new();
        let message = Message::Put(Put { flags, cas: None, records: (&records).into() });
        for node in set {
            if !records.is_empty() && self.ask(core, (number, node), (core.rto(&node), 3), (&message, cx)) {
                waiting.push(node);
            }
        }
        let none = waiting.is_empty();
        if let Some(writing) = self.operations.get_mut(&number).and_then(Operation::writing) {
            writing.direct = Some(waiting);
        }
        if none {
            self.conclude_direct(core, number, cx);
        }
    }

    fn conclude_direct(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(writing) = self.operations.get_mut(&number).and_then(Operation::writing) else { return };
        let need = core.config.write_quorum.clamp(1, writing.of.max(1));
        let least = writing.open().filter_map(|item| item.copies()).min();
        let waiting = writing.direct.as_ref().is_some_and(|direct| !direct.is_empty());
        match least {
            Some(copies) if copies < need && waiting => {}
            Some(copies) if copies < need => {
                let failure = match copies {
                    0 => Failure::Unanswered,
                    _ => Failure::Partial { copies: u32::from(copies), needed: u32::from(need) },
                };
                self.again(core, number, failure, cx);
            }
            _ => {
                let of = writing.of;
                for item in &mut writing.items {
                    if let State::Open(copies) = item.state {
                        let outcome = Outcome::Stored { copies, of, durable: false };
                        item.state = State::Stored(PutResult { outcome, count: 0, shard_bits: 0 });
                    }
                }
                self.put_done(core, number, cx);
            }
        }
    }

    /// The owner or a replica would not: it is not its key, or it has too much to do.
    pub(crate) fn put_refused(
        &mut self,
        core: &mut Core,
        (number, from): (u32, &Node),
        retry: Option<Instant>,
        cx: &mut Context<'_>,
    ) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let direct = operation.writing().is_some_and(|writing| writing.direct.is_some());
        if direct {
            return self.put_unanswered(core, (number, from), cx);
        }
        self.again(core, number, Failure::Busy, cx);
        if let (Some(retry), Some(operation)) = (retry, self.operations.get_mut(&number)) {
            operation.due = operation.due.max(Some(retry));
        }
    }

    /// Somebody asked to write is silent.
    pub(crate) fn put_unanswered(
        &mut self,
        core: &mut Core,
        (number, asked): (u32, &Node),
        cx: &mut Context<'_>,
    ) {
        let Some(writing) = self.operations.get_mut(&number).and_then(Operation::writing) else { return };
        match &mut writing.direct {
            Some(waiting) => {
                waiting.retain(|node| node.endpoint != asked.endpoint);
                self.conclude_direct(core, number, cx);
            }
            None => self.put_directly(core, number, cx),
        }
    }

    pub(super) fn put_done(&mut self, core: &mut Core, number: u32, cx: &mut Context<'_>) {
        let Some(operation) = self.operations.remove(&number) else { return };
        let Task::Put(writing) = operation.task else { return };
        match writing.cause {
            Cause::App(ticket) => self.app_put_done(core, (ticket, *writing), cx),
            Cause::Own | Cause::Renewal => self.own_put_done(core, (writing.cause, &writing.items), cx),
            Cause::Forward(home) => self.passed_on(home, &writing.items, cx.now()),
        }
    }

    /// The operation is over without success.
    pub(crate) fn put_failed(
        &mut self,
        core: &mut Core,
        writing: Writing,
        failure: Failure,
        cx: &mut Context<'_>,
    ) {
        match writing.cause {
            Cause::App(ticket) => {
                let failure = if core.vnodes.iter().any(|vnode| vnode.is_member()) {
                    failure
                } else {
                    Failure::NotJoined
                };
                cx.emit(Event::Failed { ticket, failure });
            }
            Cause::Own | Cause::Renewal => self.own_put_done(core, (writing.cause, &writing.items), cx),
            Cause::Forward(home) => self.passed_on(home, &writing.items, cx.now()),
        }
    }

    fn app_put_done(&mut self, core: &mut Core, (ticket, writing): (Ticket, Writing), cx: &mut Context<'_>) {
        let Some(item) = writing.items.first() else { return };
        let failure = match item.state {
            State::Stored(result) => return self.app_stored(core, (ticket, item, result), cx),
            State::Refused(PutResult { outcome: Outcome::Conflict { seq }, .. }) => {
                let body = self.outnumber(core, item, seq, writing.cas);
                match self.once_more(core, (ticket, item), body) {
                    Ok(()) => return,
                    Err(busy) => busy.unwrap_or(Failure::Conflict { seq }),
                }
            }
            State::Refused(PutResult {
                outcome: Outcome::Refused { limit: limit @ Limit::Future, retry_after },
                ..
            }) => {
                let body = self.redate(core, item, cx.now());
                match self.once_more(core, (ticket, item), body) {
                    Ok(()) => return,
                    Err(busy) => {
                        busy.unwrap_or(Failure::OverQuota { limit: quota::words(limit), retry_after })
                    }
                }
            }
            State::Refused(PutResult { outcome: Outcome::Refused { limit, retry_after }, .. }) => {
                Failure::OverQuota { limit: quota::words(limit), retry_after }
            }
            State::Refused(_) | State::Open(_) => Failure::Unanswered,
        };
        cx.emit(Event::Failed { ticket, failure });
    }

    /// Stores a record signed anew in place of one that was refused; fails with nothing if there is none.
    fn once_more(
        &mut self,
        core: &mut Core,
        (ticket, item): (Ticket, &Item),
        body: Option<Box<[u8]>>,
    ) -> Result<(), Option<Failure>> {
        let body = body.ok_or(None)?;
        let retry = Writing::new(Cause::App(ticket), vec![(item.key, body)], None);
        let begun = self.begin(core, item.key, Task::Put(Box::new(retry)));
        begun.map(drop).ok_or(Some(Failure::Busy))
    }

    fn app_stored(
        &mut self,
        core: &mut Core,
        (ticket, item, result): (Ticket, &Item, PutResult),
        cx: &mut Context<'_>,
    ) {
        let Ok(record) = Record::decode(&item.body) else { return };
        let Outcome::Stored { copies, of, .. } = result.outcome else { return };
        let hash = match record {
            Record::Immutable(value) => throng_wire::chord::immutable_hash(value),
            Record::Signed(_) => [0; 32],
        };
        self.keep_alive(core, item.key, &item.body, cx);
        let (copies, of) = (u32::from(copies), u32::from(of));
        cx.emit(Event::Stored { ticket, copies, of, seq: record.seq(), hash });
    }
}
