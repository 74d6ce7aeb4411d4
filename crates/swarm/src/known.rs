//! Addresses of possible peers: bounded, with back-off, dialled best first.

use crate::PeerSource;
use std::collections::BTreeMap;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};

/// The first pause after a failed dial; it doubles to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// A peer the person named is tried again sooner: it may be starting right now.
const FIRST_PAUSE_MANUAL: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30 * 60);
/// After that many failures an address of a stranger is forgotten.
const MAX_FAILURES: u32 = 6;

#[derive(Clone, Copy, Debug)]
struct Known {
    source: PeerSource,
    failures: u32,
    not_before: Instant,
    connected: bool,
    /// Of no use: ourselves, shut out.
    useless: bool,
    /// Another seed, or one that wants nothing: of no use while we want nothing either.
    seed: bool,
}

impl Known {
    fn is_free(&self) -> bool {
        !self.connected && !self.useless && !self.seed
    }
}

/// Addresses of possible peers of one torrent.
#[derive(Debug, Default)]
pub(crate) struct KnownPeers {
    peers: BTreeMap<Endpoint, Known>,
}

impl KnownPeers {
    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Learns an address; when full, one from a lesser source that is not connected makes room.
    pub(crate) fn add(&mut self, address: Endpoint, source: PeerSource, limit: usize) {
        if !address.is_dialable() {
            return;
        }
        if let Some(known) = self.peers.get_mut(&address) {
            known.source = known.source.min(source);
            return;
        }
        if self.peers.len() >= limit && !self.make_room(source) {
            return;
        }
        let not_before = Instant::EPOCH;
        let known = Known { source, failures: 0, not_before, connected: false, useless: false, seed: false };
        self.peers.insert(address, known);
    }

    fn make_room(&mut self, source: PeerSource) -> bool {
        let victim = self
            .peers
            .iter()
            .filter(|(_, known)| !known.connected && (known.source > source || known.failures > 0))
            .max_by_key(|(_, known)| (known.failures, known.source))
            .map(|(address, _)| *address);
        victim.is_some_and(|address| self.peers.remove(&address).is_some())
    }

    /// The address to dial next: fewest failures, best source, then by `rank`; and when to look again if none may be
    /// dialled now.
    pub(crate) fn next(&self, now: Instant, rank: impl Fn(&Endpoint) -> u32) -> Option<Endpoint> {
        let ready = self.peers.iter().filter(|(_, known)| known.is_free() && known.not_before <= now);
        let best = ready.min_by_key(|(address, known)| (known.failures, known.source, rank(address)));
        best.map(|(address, _)| *address)
    }

    /// When the first address that may not be dialled yet may be.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.peers.values().filter(|known| known.is_free()).map(|known| known.not_before).min()
    }

    /// A connection to or from this listening address exists.
    pub(crate) fn connected(&mut self, address: Endpoint) {
        if let Some(known) = self.peers.get_mut(&address) {
            known.connected = true;
        }
    }

    /// A connection ended; `worked` if it got past the handshake and had been of use.
    pub(crate) fn ended(&mut self, address: Endpoint, worked: bool, now: Instant) {
        let Some(known) = self.peers.get_mut(&address) else { return };
        known.connected = false;
        known.failures = if worked { 0 } else { known.failures + 1 };
        let manual = known.source == PeerSource::Manual;
        let first = if manual { FIRST_PAUSE_MANUAL } else { FIRST_PAUSE };
        known.not_before = now + (first * (1 << known.failures.saturating_sub(1).min(10))).min(MAX_PAUSE);
        if known.failures > MAX_FAILURES && !manual {
            self.peers.remove(&address);
        }
    }

    /// Do not dial it while we want nothing: it is a seed, as we are.
    pub(crate) fn set_aside(&mut self, address: Endpoint) {
        if let Some(known) = self.peers.get_mut(&address) {
            known.seed = true;
        }
    }

    /// We want something again: seeds are of use.
    pub(crate) fn welcome_seeds(&mut self) {
        self.peers.values_mut().for_each(|known| known.seed = false);
    }

    /// Never dial it again: it is ourselves or shut out.
    pub(crate) fn forget(&mut self, address: Endpoint) {
        if let Some(known) = self.peers.get_mut(&address) {
            known.useless = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> Endpoint {
        Endpoint::v4([10, 0, 0, last], 6881)
    }

    #[test]
    fn a_failing_address_is_tried_ever_more_rarely_and_then_forgotten() {
        let mut known = KnownPeers::default();
        known.add(at(1), PeerSource::Tracker, 10);
        let mut now = Instant::EPOCH;
        let mut pauses = Vec::new();
        while known.len() > 0 {
            known.ended(at(1), false, now);
            if let Some(next) = known.next_at() {
                pauses.push((next - now).as_secs());
                now = next;
            }
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480]);
    }

    #[test]
    fn strangers_from_exchange_do_not_push_out_those_from_the_tracker() {
        let mut known = KnownPeers::default();
        known.add(at(1), PeerSource::Exchange, 1);
        known.add(at(2), PeerSource::Tracker, 1);
        known.add(at(3), PeerSource::Exchange, 1);
        assert_eq!(known.next(Instant::EPOCH, |_| 0), Some(at(2)));
        assert_eq!(known.len(), 1);
    }

    #[test]
    fn connected_addresses_are_not_dialled_again() {
        let mut known = KnownPeers::default();
        known.add(at(1), PeerSource::Manual, 10);
        known.connected(at(1));
        assert_eq!(known.next(Instant::EPOCH, |_| 0), None);
        known.ended(at(1), false, Instant::EPOCH);
        assert_eq!(known.next(Instant::EPOCH, |_| 0), None);
        assert_eq!(known.next(Instant::EPOCH + FIRST_PAUSE_MANUAL, |_| 0), Some(at(1)));
    }

    #[test]
    fn what_is_of_no_use_stays_so_when_its_connection_ends() {
        let mut known = KnownPeers::default();
        known.add(at(1), PeerSource::Manual, 10);
        known.forget(at(1));
        known.ended(at(1), true, Instant::EPOCH);
        assert_eq!(known.next(Instant::from_micros(u64::MAX), |_| 0), None);
        assert_eq!(known.next_at(), None);
    }
}
