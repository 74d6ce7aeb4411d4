//! What this node does with the ring as its client: look the owner up, ask it, ask others if it is silent.
//!
//! An operation holds a number of its own; lookups and requests carry it. Every operation ends: with success, with the
//! failure told, or after as many attempts as are worth making.

use super::get::Reading;
use super::writing::Writing;
use super::{Call, Store};
use crate::chord::core::{Core, Received};
use crate::chord::lookup::{FoundAt, Goal};
use crate::chord::node::Node;
use crate::chord::notice::Notice;
use crate::chord::{Context, Failure, Instant};
use std::time::Duration;
use throng_wire::chord::{Message, RingId};

/// Attempts, each with a lookup of its own, before an operation fails.
pub(crate) const ATTEMPTS: u8 = 4;
/// Pause before the second attempt; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// No attempt is begun so long after the first failed.
const LONGEST: Duration = Duration::from_secs(20);

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Where the key lies.
    pub key: RingId,
    /// Attempts begun.
    pub attempts: u8,
    /// When the first failed.
    pub failed: Option<Instant>,
    /// When to try again, or to do more than wait.
    pub due: Option<Instant>,
    /// The replica set, the owner first, once it is known.
    pub set: Vec<Node>,
    /// Hosts contacted to find the owner.
    pub hops: u8,
    /// What is done.
    pub task: Task,
}

/// What an operation does.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Stores records.
    Put(Box<Writing>),
    /// Reads records.
    Get(Box<Reading>),
    /// Finds who owns what we keep without need, so that it may be deleted.
    Delete(usize),
}

impl Store {
    /// Begins an operation; the key's owner is looked up first. None if too many are under way.
    pub(crate) fn begin(&mut self, core: &mut Core, key: RingId, task: Task) -> Option<u32> {
        if !self.may_begin(core) {
            return None;
        }
        let number = self.number();
        let operation =
            Operation { key, attempts: 0, failed: None, due: None, set: Vec::new(), hops: 0, task };
        self.operations.insert(number, operation);
        self.look(core, number);
        Some(number)
    }

    /// Whether another may begin.
    pub(crate) fn may_begin(&self, core: &Core) -> bool {
        self.operations.len() < usize::from(core.config.storing.operations)
    }

    /// Looks the owner up (again).
    pub(super) fn look(&mut self, core: &mut Core, number: u32) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        operation.attempts += 1;
        operation.due = None;
        let via = match &operation.task {
            Task::Get(reading) => reading.via,
            _ => None,
        };
        let at = core.vnodes.iter().position(|vnode| vnode.is_member()).unwrap_or(0);
        core.notices.push_back(Notice::Look { at, key: operation.key, goal: Goal::Store(number), via });
    }

    /// What the lookup came to.
    pub(crate) fn on_found(
        &mut self,
        core: &mut Core,
        number: u32,
        found: Option<Box<FoundAt>>,
        cx: &mut Context<'_>,
    ) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let Some(found) = found else { return self.again(core, number, Failure::Unanswered, cx) };
        let rule = core.config.id_rule;
        let contacts = std::iter::once(&found.owner.contact).chain(&found.replicas);
        operation.set = contacts.filter_map(|contact| Node::of(rule, contact)).collect();
        operation.hops = found.hops;
        match &operation.task {
            Task::Put(_) => self.put_to_owner(core, number, &found, cx),
            Task::Get(_) => self.read_first(core, number, cx),
            Task::Delete(at) => {
                let at = *at;
                self.operations.remove(&number);
                self.on_foreign_owner(core, at, &found, cx);
            }
        }
    }

    /// An attempt failed: another later, or the operation is over.
    pub(crate) fn again(&mut self, core: &mut Core, number: u32, failure: Failure, cx: &mut Context<'_>) {
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let failed = *operation.failed.get_or_insert(cx.now());
        if operation.attempts < ATTEMPTS && cx.now().since(failed) < LONGEST {
            let pause = PAUSE * (1 << operation.attempts.saturating_sub(1).min(6));
            operation.due = Some(cx.now() + pause);
            return;
        }
        let Some(operation) = self.operations.remove(&number) else { return };
        match operation.task {
            Task::Put(writing) => self.put_failed(core, *writing, failure, cx),
            Task::Get(reading) => self.get_failed(core, *reading, failure, cx),
            Task::Delete(_) => {}
        }
    }

    /// An answer to a request of an operation.
    pub(crate) fn on_operation_reply(
        &mut self,
        core: &mut Core,
        (number, from): (u32, &Received),
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) {
        match (self.operations.get(&number).map(|operation| &operation.task), message) {
            (Some(Task::Put(_)), Message::PutAck(ack)) => {
                self.on_put_ack(core, (number, &from.from), ack, cx)
            }
            (Some(Task::Get(_)), Message::Got(got)) => self.on_got(core, (number, &from.from), got, cx),
            (Some(Task::Put(_)), Message::Busy(busy)) => {
                let wait = Duration::from_millis(u64::from(busy.retry_after.max(100)));
                self.put_refused(core, (number, &from.from), Some(cx.now() + wait), cx);
            }
            (Some(Task::Put(_)), _) => self.put_refused(core, (number, &from.from), None, cx),
            (Some(Task::Get(_)), _) => self.read_failed(core, (number, &from.from), cx),
            _ => {}
        }
    }

    /// A request of an operation went unanswered.
    pub(crate) fn on_operation_failure(
        &mut self,
        core: &mut Core,
        (number, asked): (u32, &Node),
        cx: &mut Context<'_>,
    ) {
        match self.operations.get(&number).map(|operation| &operation.task) {
            Some(Task::Put(_)) => self.put_unanswered(core, (number, asked), cx),
            Some(Task::Get(_)) => self.read_failed(core, (number, asked), cx),
            _ => {}
        }
    }

    /// Does what is due.
    pub(crate) fn operate(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let due: Vec<u32> = self
            .operations
            .iter()
            .filter(|(_, operation)| operation.due.is_some_and(|due| due <= cx.now()))
            .map(|(number, _)| *number)
            .collect();
        for number in due {
            let Some(operation) = self.operations.get_mut(&number) else { continue };
            operation.due = None;
            let waits = matches!(&operation.task, Task::Get(reading) if reading.is_asking());
            if waits {
                self.read_next(core, number, cx);
            } else {
                self.look(core, number);
            }
        }
    }

    /// What a request for an operation is sent as.
    pub(crate) fn ask(
        &mut self,
        core: &mut Core,
        (number, to): (u32, Node),
        patience: (Duration, u8),
        (message, cx): (&Message<'_>, &mut Context<'_>),
    ) -> bool {
        let at = core.vnodes.iter().position(|vnode| vnode.is_member()).unwrap_or(0);
        let purpose = crate::chord::rpc::Purpose::Storage(Call::Operation(number));
        let plan = crate::chord::rpc::Plan { at, to, purpose, rto: patience.0, sends: patience.1 };
        core.call_with(cx, plan, message).is_some()
    }
}
