//! Connections: framing, what waits to be read or sent, and how much of everything was asked for lately.
//!
//! An idle connection is some 100 bytes here; its input buffer exists only while a frame is not whole.

use super::command::CheckId;
use super::config::Rate;
use super::links::LinkId;
use super::people::PersonId;
use hashbrown::HashTable;
use throng_machine::{Endpoint, Instant, StreamId};

/// A connection's number; used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct ConnId(pub(super) u32);

/// What a connection is.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nobody yet.
    Fresh,
    /// Waiting for the application's word on a password; what arrives meanwhile is kept.
    Checking(Box<Waiting>),
    /// A user.
    User(PersonId),
    /// Another server, or one that says so.
    Link(LinkId),
}

/// A login, or a question, that waits for a password to be checked.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) check: CheckId,
    /// `None` for message 11, which only asks.
    pub(super) login: Option<Wish>,
}

/// What was asked for at login.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) nick: Vec<u8>,
    pub(super) client: Vec<u8>,
    pub(super) port: u16,
    pub(super) speed: u8,
}

/// A token bucket of eight bytes: sixtieths of messages, refilled by the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    sixtieths: u32,
    at: u32,
}

impl Budget {
    pub(super) const fn full(rate: Rate, now: u32) -> Budget {
        Budget { sixtieths: rate.burst.saturating_mul(60), at: now }
    }

    /// Takes one if there is one.
    pub(super) fn take(&mut self, rate: Rate, now: u32) -> bool {
        let gained = now.saturating_sub(self.at).saturating_mul(rate.a_minute);
        self.sixtieths = self.sixtieths.saturating_add(gained).min(rate.burst.saturating_mul(60));
        self.at = now;
        let enough = self.sixtieths >= 60;
        if enough {
            self.sixtieths -= 60;
        }
        enough
    }

    /// Gives one back.
    pub(super) fn give_back(&mut self) {
        self.sixtieths = self.sixtieths.saturating_add(60);
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: StreamId,
    pub(super) from: Endpoint,
    pub(super) phase: Phase,
    /// Input that is no whole frame yet, or must wait.
    pub(super) input: Vec<u8>,
    /// Bytes written that have not left.
    pub(super) queued: u32,
    pub(super) messages: Budget,
    pub(super) searches: Budget,
    /// When the frame at the beginning of `input` began, in seconds; zero if there is none.
    pub(super) frame_since: u32,
}

/// All connections.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<Option<Connection>>,
    free: Vec<u32>,
    streams: HashTable<u32>,
    count: u32,
}

impl Connections {
    pub(super) const fn len(&self) -> u32 {
        self.count
    }

    /// One more than the highest number in use, or more.
    pub(super) fn end(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(super) fn add(&mut self, connection: Connection) -> ConnId {
        let stream = connection.stream;
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.slots[number as usize] = Some(connection);
        let slots = &self.slots;
        let rehash = |number: &u32| slots[*number as usize].as_ref().map_or(0, |slot| hash(slot.stream));
        self.streams.insert_unique(hash(stream), number, rehash);
        self.count += 1;
        ConnId(number)
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Connection> {
        let connection = self.slots.get_mut(conn.0 as usize)?.take()?;
        if let Ok(entry) = self.streams.find_entry(hash(connection.stream), |number| *number == conn.0) {
            entry.remove();
        }
        self.free.push(conn.0);
        self.count -= 1;
        Some(connection)
    }

    pub(super) fn by_stream(&self, stream: StreamId) -> Option<ConnId> {
        let same =
            |number: &u32| self.slots[*number as usize].as_ref().is_some_and(|slot| slot.stream == stream);
        self.streams.find(hash(stream), same).copied().map(ConnId)
    }

    pub(super) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.slots.get(conn.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slots.get_mut(conn.0 as usize)?.as_mut()
    }

    /// The user of a connection.
    pub(super) fn person(&self, conn: ConnId) -> Option<PersonId> {
        match self.get(conn)?.phase {
            Phase::User(who) => Some(who),
            _ => None,
        }
    }
}

/// The driver chooses stream ids, so nobody can make them collide.
fn hash(stream: StreamId) -> u64 {
    u64::from(stream.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Seconds since the driver's epoch, from one on.
pub(super) fn seconds(now: Instant) -> u32 {
    u32::try_from(now.as_micros() / 1_000_000).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_gives_its_burst_and_then_its_rate() {
        let rate = Rate { a_minute: 30, burst: 5 };
        let mut budget = Budget::full(rate, 1);
        assert_eq!((0..20).filter(|_| budget.take(rate, 1)).count(), 5);
        let later = (2..122).filter(|second| budget.take(rate, *second)).count();
        assert_eq!(later, 60, "one each two seconds");
    }

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Option<Connection>>() <= 104, "{}", size_of::<Option<Connection>>());
    }
}
