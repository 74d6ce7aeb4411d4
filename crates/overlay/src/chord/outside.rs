//! Our address as others see it (section 1.3). If it changes all our ids change: we enter again, under the new ones.
//!
//! Every answer to a ping echoes the address the ping came from. One that differs from ours is believed when three
//! peers in different networks agree on it and none in between saw the old one; at most every ten minutes. Under the
//! rule for private networks each IP address counts as a network.

use super::Context;
use super::Event;
use super::core::{Core, Life};
use super::node::Node;
use super::notice::Notice;
use std::net::IpAddr;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::IdRule;

/// Peers that must agree.
const ENOUGH: usize = 3;
/// Peers remembered.
const MOST: usize = 8;
/// What peers said counts for this long, and an address is kept for this long.
const COUNTS: Duration = Duration::from_secs(600);

/// What peers said of our address since one of them last confirmed it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Outside {
    said: Vec<(Network, Endpoint, Instant)>,
    moved: Option<Instant>,
}

/// Who counts once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Network {
    Wide(u64),
    Host(IpAddr),
}

impl Core {
    /// A peer that answered us saw us at this address.
    pub(crate) fn seen_at(&mut self, cx: &mut Context<'_>, from: &Node, seen: Endpoint) {
        let Some(own) = self.endpoint else { return };
        if seen == own {
            // The old one holds still.
            if let Some(outside) = &mut self.outside {
                outside.said.clear();
            }
            return;
        }
        let now = cx.now();
        if self.life != Life::Running || !seen.is_dialable() || from.endpoint == own {
            return;
        }
        let network = match self.config.id_rule {
            IdRule::Open => Network::Host(from.endpoint.ip()),
            IdRule::Prefix => Network::Wide(super::suspicion::prefix16(from)),
        };
        let outside = self.outside.get_or_insert_default();
        outside.said.retain(|(of, _, at)| *of != network && now.since(*at) < COUNTS);
        if outside.said.len() >= MOST {
            outside.said.remove(0);
        }
        outside.said.push((network, seen, now));
        let agree = outside.said.iter().filter(|(_, said, _)| *said == seen).count();
        let settled = outside.moved.is_none_or(|moved| now.since(moved) >= COUNTS);
        if agree >= ENOUGH && settled {
            (outside.said, outside.moved) = (Vec::new(), Some(now));
            self.move_to(cx, seen);
        }
    }

    /// From now on we are others: who knew us finds us gone, and we join through those we knew.
    fn move_to(&mut self, cx: &mut Context<'_>, address: Endpoint) {
        let known = self.acquaintances();
        for at in 0..self.vnodes.len() {
            self.deactivate(at);
            self.notices.push_back(Notice::Gone { at });
        }
        let told = std::mem::take(&mut self.bootstrap);
        self.bootstrap =
            known.iter().map(|node| node.endpoint).chain(told).filter(|to| *to != address).collect();
        self.bootstrap.truncate(super::join::MOST_BOOTSTRAP);
        self.detector.confirming.clear();
        self.next_vnode = None;
        self.settle_at(address);
        if !self.vnodes.is_empty() {
            cx.emit(Event::Isolated);
            self.begin_join(cx, 0);
        }
    }
}
