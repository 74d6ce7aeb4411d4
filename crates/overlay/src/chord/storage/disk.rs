//! Nothing is acknowledged before the disk has it: changes go out in `Event::Persist`, and what depends on them waits
//! for `Command::Persisted`.

use super::Store;
use crate::chord::core::{Core, Received};
use crate::chord::{Change, Context, Event, PersistId};
use std::collections::BTreeMap;
use throng_machine::StreamId;
use throng_wire::chord::PutResult;

/// Batches on their way to the disk at most; while there are more, puts are refused.
const MOST: usize = 256;

/// What depends on a batch.
#[derive(Clone, Debug)]
pub(crate) enum Waiter {
    /// The owner's own copy of a write.
    Write(u32),
    /// A replica's answer to a datagram.
    Answer(Box<(Received, Vec<PutResult>)>),
    /// Answers on a stream: which, the first record's number there, and the others' after it.
    Frames(StreamId, u32, Vec<PutResult>),
}

/// Batches under way.
#[derive(Clone, Default, Debug)]
pub(crate) struct Disk {
    next: u64,
    batches: BTreeMap<u64, Vec<Waiter>>,
    waiting: Vec<Waiter>,
    /// Batches that did not reach the disk.
    pub failed: u64,
}

impl Disk {
    /// Whether nothing waits for the disk.
    pub(crate) fn is_idle(&self) -> bool {
        self.batches.is_empty() && self.waiting.is_empty()
    }

    /// Gives back room that is not needed.
    pub(crate) fn release(&mut self) {
        super::rest::release(&mut self.batches);
    }

    /// Whether no more may be written for now.
    pub(crate) fn is_busy(&self) -> bool {
        self.batches.len() >= MOST
    }

    /// Something waits for what has just been changed.
    pub(crate) fn wait(&mut self, waiter: Waiter) {
        self.waiting.push(waiter);
    }
}

impl Store {
    /// Sends what changed since the last call to the disk, at the end of every input.
    pub(crate) fn flush(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let changed = self.records.take_changed();
        let waiting = std::mem::take(&mut self.disk.waiting);
        if !core.config.storing.durable {
            return self.resolve(core, waiting, true, cx);
        }
        if changed.is_empty() {
            // What it waits for was changed before: the last batch under way brings it, if there is any.
            match self.disk.batches.last_entry() {
                Some(mut last) => last.get_mut().extend(waiting),
                None => self.resolve(core, waiting, true, cx),
            }
            return;
        }
        let change = |id: &super::id::Locator| match self.records.find(id, cx.now()) {
            Some(stored) => {
                let (record, remaining) = (stored.body.to_vec(), stored.remaining(cx.now()));
                Change::Write { id: id.to_bytes(), record, remaining }
            }
            None => Change::Remove { id: id.to_bytes() },
        };
        let changes = changed.iter().map(change).collect();
        self.disk.next += 1;
        self.disk.batches.insert(self.disk.next, waiting);
        cx.emit(Event::Persist(PersistId(self.disk.next), changes));
    }

    /// The disk has a batch, or failed.
    pub(crate) fn on_persisted(&mut self, core: &mut Core, id: PersistId, done: bool, cx: &mut Context<'_>) {
        let Some(waiters) = self.disk.batches.remove(&id.0) else { return };
        self.disk.failed += u64::from(!done);
        self.resolve(core, waiters, done, cx);
    }

    fn resolve(&mut self, core: &mut Core, waiters: Vec<Waiter>, done: bool, cx: &mut Context<'_>) {
        for waiter in waiters {
            match waiter {
                Waiter::Write(number) => self.on_own_copy(core, number, done, cx),
                Waiter::Answer(answer) => {
                    let (from, mut results) = *answer;
                    if !done {
                        results.iter_mut().for_each(fail);
                    }
                    self.acknowledge(core, &from, &results, None, cx);
                }
                Waiter::Frames(stream, first, mut results) => {
                    if !done {
                        results.iter_mut().for_each(fail);
                    }
                    self.acknowledge_frames(stream, first, &results, cx);
                }
            }
        }
    }
}

/// The disk is full or broken: this holder cannot promise to keep it.
fn fail(result: &mut PutResult) {
    use throng_wire::chord::{Limit, Outcome};
    if matches!(result.outcome, Outcome::Stored { .. }) {
        result.outcome = Outcome::Refused { limit: Limit::Store, retry_after: 600 };
    }
}
