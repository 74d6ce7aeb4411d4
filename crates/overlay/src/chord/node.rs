//! Who a node is, and what is known of it (sections 1.3 and 1.4 of the note).
//!
//! "The same node" always compares id and incarnation: of two with one id the lower incarnation is dead.

use super::Config;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::{Contact, IdRule, RingId};

/// One virtual node of one run of a process; the id follows from the address and is never taken on anyone's word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Node {
    /// Its place on the ring.
    pub id: RingId,
    /// The start of its process.
    pub incarnation: u32,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// Its index at its host.
    pub vnode: u8,
}

impl Node {
    /// The node at an address; none if the rule for ids allows no such index.
    pub fn new(rule: IdRule, endpoint: Endpoint, vnode: u8, incarnation: u32) -> Option<Node> {
        let id = rule.id(endpoint.socket_addr(), vnode)?;
        Some(Node { id, incarnation, endpoint, vnode })
    }

    /// The node a contact on the wire means; none if the rule for ids allows no such index.
    pub fn of(rule: IdRule, contact: &Contact) -> Option<Node> {
        Node::new(rule, contact.address.into(), contact.vnode, contact.incarnation)
    }

    /// As it is sent.
    pub fn contact(&self) -> Contact {
        Contact::new(self.endpoint.socket_addr(), self.vnode, self.incarnation)
    }

    /// Whether this is an earlier run of the same node, and so dead.
    pub fn is_before(&self, other: &Node) -> bool {
        self.id == other.id && self.incarnation < other.incarnation
    }
}

/// Hundredths of a second since the driver's epoch, wrapping after 497 days; zero means never.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stamp(u32);

impl Stamp {
    /// Never.
    pub const NEVER: Stamp = Stamp(0);

    /// Now.
    pub fn at(now: Instant) -> Stamp {
        Stamp(((now.as_micros() / 10_000) as u32).max(1))
    }

    /// As bytes that need no alignment.
    pub(crate) fn to_bytes(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }

    /// What [`Stamp::to_bytes`] was made of.
    pub(crate) fn from_bytes(bytes: [u8; 4]) -> Stamp {
        Stamp(u32::from_ne_bytes(bytes))
    }

    /// How long ago it was; `None` if never.
    pub fn age(self, now: Instant) -> Option<Duration> {
        let age = Stamp::at(now).0.wrapping_sub(self.0);
        (self.0 != 0).then(|| Duration::from_millis(u64::from(if age > u32::MAX / 2 { 0 } else { age }) * 10))
    }

    /// Whether it lies within the last `span`.
    pub fn within(self, span: Duration, now: Instant) -> bool {
        self.age(now).is_some_and(|age| age < span)
    }
}

/// Whether a node answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Health {
    /// As far as we know.
    Alive,
    /// Three sends went unanswered: skipped by lookups, kept in its place until others confirm.
    Suspect,
    /// Confirmed dead; only a predecessor, which is never cleared, is kept so.
    Dead,
}

/// A node in a table of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Which.
    pub node: Node,
    /// When it was last heard, by proof of its address.
    pub heard: Stamp,
    /// Whether it answers.
    pub health: Health,
    /// Alive, but only others reach it.
    pub relay_only: bool,
    pub(super) rtt: Rtt,
}

impl Entry {
    /// A node we know from others.
    pub fn hearsay(node: Node) -> Entry {
        Entry { node, heard: Stamp::NEVER, health: Health::Alive, relay_only: false, rtt: Rtt::default() }
    }

    /// Whether lookups may use it.
    pub fn is_usable(&self) -> bool {
        self.health == Health::Alive && !self.relay_only
    }

    /// What is known of its round trip.
    pub fn rtt(&self) -> Rtt {
        self.rtt
    }

    /// It was heard just now, and answered after `sample` if it was asked.
    pub fn on_heard(&mut self, sample: Option<Duration>, now: Instant) {
        self.heard = Stamp::at(now);
        self.health = Health::Alive;
        if let Some(sample) = sample {
            self.relay_only = false;
            self.rtt.sample(sample);
        }
    }

    /// It left all sends of a request unanswered.
    pub fn on_silent(&mut self) {
        self.health = Health::Suspect;
        self.rtt.back_off();
    }
}

/// Smoothed round trip and its deviation (RFC 6298), in units of 100 µs up to 6.5 s.
///
/// After a request that went unanswered the time-out is doubled until there is a measurement again (RFC 6298, 5.7):
/// answers of a network that suddenly became slower than all sends together would never be waited for, and every
/// neighbour be suspected for ever.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rtt {
    smoothed: u16,
    deviation: u16,
    /// How often the time-out was doubled since the last measurement.
    doubled: u8,
}

/// A time-out is doubled so often at most: from the least, 50 ms, to beyond the greatest.
const MOST_DOUBLED: u8 = 5;

impl Rtt {
    /// As bytes that need no alignment.
    pub(crate) fn to_bytes(self) -> [u8; 5] {
        let ([a, b], [c, d]) = (self.smoothed.to_ne_bytes(), self.deviation.to_ne_bytes());
        [a, b, c, d, self.doubled]
    }

    /// What [`Rtt::to_bytes`] was made of.
    pub(crate) fn from_bytes([a, b, c, d, doubled]: [u8; 5]) -> Rtt {
        Rtt { smoothed: u16::from_ne_bytes([a, b]), deviation: u16::from_ne_bytes([c, d]), doubled }
    }

    /// Takes in a measurement.
    pub fn sample(&mut self, sample: Duration) {
        let sample = u16::try_from(sample.as_micros() / 100).unwrap_or(u16::MAX).max(1);
        self.doubled = 0;
        if self.smoothed == 0 {
            *self = Rtt { smoothed: sample, deviation: sample / 2, doubled: 0 };
            return;
        }
        let error = i32::from(sample) - i32::from(self.smoothed);
        let smoothed = i32::from(self.smoothed) + error / 8;
        let deviation = i32::from(self.deviation) + (error.abs() - i32::from(self.deviation)) / 4;
        self.smoothed = u16::try_from(smoothed).unwrap_or(u16::MAX).max(1);
        self.deviation = u16::try_from(deviation).unwrap_or(0);
    }

    /// There was no answer to all sends.
    pub fn back_off(&mut self) {
        self.doubled = MOST_DOUBLED.min(self.doubled + 1);
    }

    /// The smoothed round trip, once measured.
    pub fn smoothed(self) -> Option<Duration> {
        (self.smoothed != 0).then(|| Duration::from_micros(u64::from(self.smoothed) * 100))
    }

    /// srtt + 4 rttvar, doubled as often as it was too short, within the configured bounds.
    pub fn rto(self, config: &Config) -> Duration {
        let timers = &config.timers;
        if self.smoothed == 0 {
            return timers.rto_first;
        }
        let micros = (u64::from(self.smoothed) + 4 * u64::from(self.deviation)) * 100;
        let rto = Duration::from_micros(micros).max(timers.rto_least);
        rto.saturating_mul(1 << self.doubled).min(timers.rto_most)
    }

    /// srtt + 2 rttvar: when a second replica is worth asking.
    pub fn hedge(self, config: &Config) -> Duration {
        if self.smoothed == 0 {
            return config.timers.rto_first;
        }
        Duration::from_micros((u64::from(self.smoothed) + 2 * u64::from(self.deviation)) * 100)
    }
}
