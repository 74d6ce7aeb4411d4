//! Network address translators for datagrams, one a host (RFC 4787's mapping and filtering behaviours).

use crate::config::Nat;
use std::collections::BTreeMap;
use throng_machine::{Endpoint, SplitMix64};

/// What a NAT remembers of outbound datagrams: when (µs) the last went to each destination.
#[derive(Default, Debug)]
pub(crate) struct NatTable {
    sent: BTreeMap<Endpoint, u64>,
    last: Option<u64>,
    prune_at: usize,
}

impl NatTable {
    /// Notes an outbound datagram.
    pub(crate) fn outbound(&mut self, to: Endpoint, now: u64, timeout: u64) {
        self.last = Some(now);
        self.sent.insert(to, now);
        if self.sent.len() > self.prune_at {
            self.sent.retain(|_, at| now.saturating_sub(*at) <= timeout);
            self.prune_at = 64 + self.sent.len() * 2;
        }
    }

    /// Whether a datagram from `from` is let in.
    pub(crate) fn admits(&self, nat: Nat, from: Endpoint, now: u64, timeout: u64) -> bool {
        let fresh = |at: &u64| now.saturating_sub(*at) <= timeout;
        match nat {
            Nat::Open => true,
            Nat::FullCone => self.last.as_ref().is_some_and(fresh),
            Nat::Restricted => {
                let ports = from.with_port(0)..=from.with_port(u16::MAX);
                self.sent.range(ports).any(|(_, at)| fresh(at))
            }
            Nat::PortRestricted | Nat::Symmetric => self.sent.get(&from).is_some_and(fresh),
        }
    }
}

/// The port from which `to` sees datagrams of a host come.
pub(crate) fn public_port(nat: Nat, own: u16, seed: u64, host: u32, to: Endpoint) -> u16 {
    if nat != Nat::Symmetric {
        return own;
    }
    let ip = crate::host::host_at(to).unwrap_or(u32::MAX);
    let destination = u64::from(ip) << 16 | u64::from(to.port());
    let draw = SplitMix64::mix(SplitMix64::mix(seed, u64::from(host)), destination);
    1_024 + (draw % 64_000) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_lets_in_whom_it_should() {
        let peer = Endpoint::v4([10, 0, 0, 1], 5);
        let (other_port, stranger) = (peer.with_port(6), Endpoint::v4([10, 0, 0, 2], 5));
        let mut table = NatTable::default();
        assert!(!table.admits(Nat::FullCone, peer, 0, 100));
        table.outbound(peer, 10, 100);
        let admitted = |nat| [peer, other_port, stranger].map(|from| table.admits(nat, from, 50, 100));
        assert_eq!(admitted(Nat::Open), [true, true, true]);
        assert_eq!(admitted(Nat::FullCone), [true, true, true]);
        assert_eq!(admitted(Nat::Restricted), [true, true, false]);
        assert_eq!(admitted(Nat::PortRestricted), [true, false, false]);
        assert_eq!(admitted(Nat::Symmetric), [true, false, false]);
        assert!(!table.admits(Nat::FullCone, peer, 111, 100), "a mapping times out");
    }

    #[test]
    fn a_symmetric_nat_shows_each_destination_another_port() {
        let to = |port| Endpoint::v4([10, 0, 0, 1], port);
        assert_eq!(public_port(Nat::FullCone, 7, 1, 2, to(1)), 7);
        assert_ne!(public_port(Nat::Symmetric, 7, 1, 2, to(1)), public_port(Nat::Symmetric, 7, 1, 2, to(2)));
    }

    #[test]
    fn a_table_forgets_what_timed_out() {
        let mut table = NatTable::default();
        for at in 0..100_000u32 {
            let [_, a, b, c] = at.to_be_bytes();
            table.outbound(Endpoint::v4([10, a, b, c], 1), u64::from(at), 100);
        }
        assert!(table.sent.len() < 500, "{}", table.sent.len());
    }
}
