//! What bounds what strangers can make us do or believe: how often one address calls, where it sees us.

use crate::flood::Budget;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use throng_machine::{Endpoint, Instant};

/// Addresses remembered; when there are more, those with a full purse are forgotten, then new ones are refused.
const MOST_ADDRESSES: usize = 1_024;
/// Peers whose word on our address counts.
const VOTES: usize = 8;
/// After a peer was asked to call us, nobody having called for so long means that nobody can.
pub(super) const CALLED_BACK: Duration = Duration::from_secs(30);

/// How often addresses do something.
#[derive(Default, Debug)]
pub(super) struct Calls(BTreeMap<IpAddr, (Budget, Instant)>);

impl Calls {
    /// Whether an address may once more: a burst, then one each so often.
    pub(super) fn spend(&mut self, ip: IpAddr, (burst, every): (u32, Duration), now: Instant) -> bool {
        if self.0.len() >= MOST_ADDRESSES && !self.0.contains_key(&ip) {
            self.0.retain(|_, (_, last)| now - *last < every * burst);
            if self.0.len() >= MOST_ADDRESSES {
                return false;
            }
        }
        let (budget, last) = self.0.entry(ip).or_insert((Budget::default(), now));
        *last = now;
        budget.spend(burst, every, now)
    }
}

/// What several kinds of addresses have done; made with the first.
#[derive(Default, Debug)]
pub(super) struct Guards {
    /// Handshakes begun.
    pub(super) calls: Calls,
    /// Addresses called on a push's word.
    pub(super) pushed: Calls,
    /// Addresses called on their own word.
    pub(super) called_back: Calls,
    /// Datagrams sent to us.
    pub(super) heard: Calls,
}

/// Where others see us, and whether they can call us.
#[derive(Default, Debug)]
pub(super) struct SeenAs {
    votes: Vec<(IpAddr, Ipv4Addr)>,
    /// When somebody last called.
    reached: Option<Instant>,
    /// When a peer was asked to call, as nobody had, or nobody for long.
    asked: Option<Instant>,
}

impl SeenAs {
    /// A peer says under which address it sees us; the last word of each counts.
    pub(super) fn vote(&mut self, peer: Endpoint, seen: Ipv4Addr) {
        self.votes.retain(|(by, _)| *by != peer.ip());
        if self.votes.len() >= VOTES {
            self.votes.remove(0);
        }
        self.votes.push((peer.ip(), seen));
    }

    /// The address that most say, the latest of those.
    pub(super) fn address(&self) -> Option<Ipv4Addr> {
        let count = |ip: &Ipv4Addr| self.votes.iter().filter(|(_, seen)| seen == ip).count();
        self.votes.iter().map(|(_, seen)| *seen).max_by_key(|seen| count(seen))
    }

    pub(super) fn reached(&mut self, now: Instant) {
        self.reached = Some(now);
    }

    pub(super) fn is_reached(&self) -> bool {
        self.reached.is_some()
    }

    /// Whether nobody has called for so long, nor was asked to since.
    pub(super) fn is_quiet(&self, long: Duration, now: Instant) -> bool {
        let called = self.reached.is_some_and(|at| now - at > long);
        called && self.asked.is_none_or(|at| now - at > long)
    }

    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    pub(super) fn asked_again(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// Whether nobody can call us, as far as we know: we believe we can be called until a call that we asked for does
    /// not come.
    pub(super) fn is_firewalled(&self, now: Instant) -> bool {
        let called_since = |asked| self.reached.is_some_and(|reached| reached >= asked);
        self.asked.is_some_and(|asked| now - asked > CALLED_BACK && !called_since(asked))
    }
}
