//! Requests under way: who was asked what, when to ask again, and what the answer is for.
//!
//! The low 16 bits of a transaction id are its slot, the rest is random: an answer is found in one step and a stranger
//! has to guess 48 bits as well as the address. All virtual nodes of a host share the table.

use super::node::Node;
use super::{lookup, maintenance, storage};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use throng_machine::{Endpoint, Entropy, Instant};

/// Where the token lies in an encoded request: it ends the header.
const TOKEN: std::ops::Range<usize> = throng_wire::chord::HEADER_LEN - 8..throng_wire::chord::HEADER_LEN;

/// Requests given up are known for so long, and so many of them: slow hosts answer later than strangers are waited for.
const LATE: Duration = Duration::from_secs(10);
const MOST_LATE: usize = 16;

/// What an answer, or the lack of one, is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Ring maintenance, failure detection, ownership, small rings, merging.
    Ring(maintenance::Call),
    /// Lookups, fingers and the full table.
    Lookup(lookup::Call),
    /// The store.
    Storage(storage::Call),
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// Its transaction.
    pub txid: u64,
    /// Which of our virtual nodes asks, as a position in `Core::vnodes`.
    pub at: usize,
    /// Who is asked; an incarnation of 0 stands for any.
    pub to: Node,
    /// What for.
    pub purpose: Purpose,
    /// When it was first sent, or sent again with the token asked for.
    pub first: Instant,
    /// Sends so far.
    pub sends: u8,
    most: u8,
    challenged: bool,
    due: Instant,
    rto: Duration,
    bytes: Box<[u8]>,
}

/// What a request is to be sent with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Which of our virtual nodes asks.
    pub at: usize,
    /// Who is asked.
    pub to: Node,
    /// What for.
    pub purpose: Purpose,
    /// How long the first send is waited for; each further one twice as long.
    pub rto: Duration,
    /// Sends in all.
    pub sends: u8,
}

/// The table of requests.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rpc {
    slots: Vec<Option<Pending>>,
    free: Vec<u16>,
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Boxed, for there are none nearly always.
    late: Option<Box<Late>>,
}

/// Requests given up: the transaction, who was asked and when first.
#[derive(Clone, Default, Debug)]
struct Late(Vec<(u64, Node, Instant)>);

impl Rpc {
    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// All under way, in no particular but a reproducible order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.slots.iter().flatten()
    }

    /// A transaction id for a new request; its slot stays taken until [`Rpc::start`].
    pub(crate) fn reserve(&mut self, most: u16, rng: &mut dyn Entropy) -> Option<u64> {
        if self.len() >= usize::from(most) {
            return None;
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u16::try_from(self.slots.len()).ok()?;
                self.slots.push(None);
                slot
            }
        };
        Some((rng.next_u64() & !0xffff) | u64::from(slot))
    }

    /// Gives back a slot that was reserved for nothing.
    pub(crate) fn release(&mut self, txid: u64) {
        self.free.push(txid as u16);
    }

    /// Keeps a request whose bytes, with this transaction id, have just been sent.
    pub(crate) fn start(&mut self, txid: u64, plan: Plan, bytes: Box<[u8]>, now: Instant) {
        let Plan { at, to, purpose, rto, sends } = plan;
        let due = now + rto;
        let pending = Pending {
            txid,
            at,
            to,
            purpose,
            first: now,
            sends: 1,
            most: sends,
            challenged: false,
            due,
            rto,
            bytes,
        };
        if let Some(slot) = self.slots.get_mut(slot_of(txid)) {
            *slot = Some(pending);
            self.due.push(Reverse((due, txid)));
        }
    }

    /// The request of this transaction.
    pub(crate) fn find(&self, txid: u64) -> Option<&Pending> {
        self.slots.get(slot_of(txid))?.as_ref().filter(|pending| pending.txid == txid)
    }

    /// Ends a request.
    pub(crate) fn take(&mut self, txid: u64) -> Option<Pending> {
        let slot = self.slots.get_mut(slot_of(txid))?;
        let pending = slot.take_if(|pending| pending.txid == txid)?;
        self.free.push(txid as u16);
        if self.len() == 0 {
            // A quiet node holds nothing.
            *self = Rpc { late: self.late.take(), ..Rpc::default() };
        }
        Some(pending)
    }

    /// The bytes to send again because the address was challenged; once a request. The time it takes counts from now: with
    /// the challenge it is two round trips, and whoever took them for one would wait twice as long for ever.
    pub(crate) fn challenged(
        &mut self,
        txid: u64,
        from: Endpoint,
        token: u64,
        now: Instant,
    ) -> Option<&[u8]> {
        let pending = self.slots.get_mut(slot_of(txid))?.as_mut()?;
        if pending.txid != txid || pending.to.endpoint != from || pending.challenged {
            return None;
        }
        pending.challenged = true;
        (pending.first, pending.due) = (now, now + pending.rto);
        self.due.push(Reverse((pending.due, txid)));
        pending.bytes.get_mut(TOKEN)?.copy_from_slice(&token.to_be_bytes());
        Some(&pending.bytes)
    }

    /// The next request whose patience is over: its bytes to be sent again, or itself if it has been sent enough.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Expired> {
        self.forget(now);
        while let Some(Reverse((due, txid))) = self.due.peek().copied() {
            if due > now {
                return None;
            }
            self.due.pop();
            let Some(pending) = self.slots.get_mut(slot_of(txid)).and_then(Option::as_mut) else { continue };
            if pending.txid != txid || pending.due != due {
                continue;
            }
            if pending.sends >= pending.most {
                let failed = self.take(txid)?;
                self.give_up(&failed);
                return Some(Expired::Failed(failed));
            }
            pending.sends += 1;
            pending.rto *= 2;
            pending.due = now + pending.rto;
            self.due.push(Reverse((pending.due, txid)));
            return Some(Expired::Again(pending.to.endpoint, pending.bytes.clone()));
        }
        None
    }

    fn give_up(&mut self, failed: &Pending) {
        let Late(late) = &mut **self.late.get_or_insert_default();
        if late.len() >= MOST_LATE {
            late.remove(0);
        }
        late.push((failed.txid, failed.to, failed.first));
    }

    fn forget(&mut self, now: Instant) {
        if let Some(late) = self.late.as_mut() {
            late.0.retain(|(.., first)| now.since(*first) < LATE);
        }
        self.late.take_if(|late| late.0.is_empty());
    }

    /// When a request was first sent that this node was given up on.
    pub(crate) fn late(&self, txid: u64, from: &Node) -> Option<Instant> {
        self.late
            .as_ref()?
            .0
            .iter()
            .find(|(late, to, _)| (late, to) == (&txid, from))
            .map(|(.., first)| *first)
    }

    /// When the next patience is over. Forgets deadlines of requests that have ended.
    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        while let Some(Reverse((due, txid))) = self.due.peek().copied() {
            if self.find(txid).is_some_and(|pending| pending.due == due) {
                return Some(due);
            }
            self.due.pop();
        }
        None
    }
}

/// What to do about a request whose patience is over.
#[derive(Clone, Debug)]
pub(crate) enum Expired {
    /// Send these bytes again.
    Again(Endpoint, Box<[u8]>),
    /// It was sent enough.
    Failed(Pending),
}

fn slot_of(txid: u64) -> usize {
    usize::from(txid as u16)
}
