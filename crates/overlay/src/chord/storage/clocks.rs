//! What others' clocks say: the median of at least five peers corrects ours (4.2, section 5 row 15).

use throng_machine::Endpoint;

/// Peers remembered, the latest.
const MOST: usize = 15;
/// Peers that must agree before their median counts.
const ENOUGH: usize = 5;

/// How far the clocks of others are ahead of ours, in seconds.
#[derive(Clone, Default, Debug)]
pub(crate) struct Clocks {
    ahead: Vec<Said>,
}

/// What one address says, packed: those of a million holders share a machine.
#[derive(Clone, Copy, Debug)]
struct Said {
    by: [u8; 16],
    /// A clock off by more than 68 years is off by 68 years.
    ahead: [u8; 4],
}

impl Said {
    fn ahead(&self) -> i32 {
        i32::from_ne_bytes(self.ahead)
    }
}

/// An IP address as IPv6 writes it.
fn name(peer: Endpoint) -> [u8; 16] {
    match peer.ip() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(ip) => ip.octets(),
    }
}

impl Clocks {
    /// A peer said its time while ours was `unix`.
    pub(crate) fn heard(&mut self, peer: Endpoint, clock: u64, unix: u64) {
        let ahead = i64::try_from(clock).unwrap_or(i64::MAX).saturating_sub_unsigned(unix);
        let ahead = ahead.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let said = Said { by: name(peer), ahead: ahead.to_ne_bytes() };
        self.ahead.retain(|other| other.by != said.by);
        if self.ahead.len() >= MOST {
            self.ahead.remove(0);
        }
        if self.ahead.len() == self.ahead.capacity() {
            self.ahead.reserve_exact(5);
        }
        self.ahead.push(said);
    }

    /// The median of few: good enough to date one record again that a holder refused; none of fewer than three.
    pub(crate) fn guess(&self) -> Option<i64> {
        (self.ahead.len() >= 3).then(|| self.median())
    }

    fn median(&self) -> i64 {
        let mut ahead: Vec<i32> = self.ahead.iter().map(Said::ahead).collect();
        ahead.sort_unstable();
        ahead.get(ahead.len() / 2).copied().unwrap_or(0).into()
    }

    /// Seconds to add to our clock; 0 while too few have spoken, or if they differ by less than a minute.
    pub(crate) fn offset(&self) -> i64 {
        let median = self.median();
        if self.ahead.len() < ENOUGH || median.abs() < 60 { 0 } else { median }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> Endpoint {
        Endpoint::v4([10, 0, 0, n], 1)
    }

    #[test]
    fn a_minority_moves_no_clock_and_a_majority_does() {
        let mut clocks = Clocks::default();
        for n in 0..4 {
            clocks.heard(peer(n), 1_000, 1_000);
            clocks.heard(peer(n).with_port(9), 1_000, 1_000);
        }
        assert_eq!(clocks.offset(), 0);
        for n in 4..7 {
            clocks.heard(peer(n), u64::MAX, 1_000);
        }
        assert_eq!(clocks.offset(), 0, "three of seven lie");
        let mut slow = Clocks::default();
        (0..5).for_each(|n| slow.heard(peer(n), 4_600, 1_000));
        assert_eq!(slow.offset(), 3_600);
    }

    #[test]
    fn the_peers_remembered_are_bounded() {
        let mut clocks = Clocks::default();
        (0..200).for_each(|n| clocks.heard(peer(n), 1, 1));
        assert_eq!(clocks.ahead.len(), MOST);
    }
}
