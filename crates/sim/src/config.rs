//! Choices as data: the network between the hosts, and what kinds of hosts there are.

use crate::Churn;
use std::time::Duration;
use throng_machine::{Entropy, SplitMix64};

/// The network between the hosts.
#[derive(Clone, PartialEq, Debug)]
pub struct Network {
    /// One-way latency between two hosts, before what their profiles add.
    pub latency: Latency,
    /// Up to this much more for each datagram or chunk, uniformly; none. Streams stay in order.
    pub jitter: Duration,
    /// Share of datagrams lost; 0.
    pub loss: f64,
    /// Share of datagrams that arrive twice; 0.
    pub duplicate: f64,
    /// Share of datagrams held back by up to [`Network::reorder_by`]; 0.
    pub reorder: f64,
    /// See [`Network::reorder`]; 50 ms.
    pub reorder_by: Duration,
    /// Largest datagram payload in bytes; 1,472 as on an Ethernet with IPv4.
    pub mtu: usize,
    /// Each direction of a stream breaks after a random number of bytes, uniform below twice this; never.
    pub cut_every: Option<u64>,
    /// Cut what is delivered at random offsets, for the sake of parsers; off.
    pub fragment: bool,
    /// Bytes a stream may have under way, as a receive window; 4 MiB.
    pub window: u32,
    /// After this, a connection attempt nobody answers is refused; 10 s.
    pub connect_timeout: Duration,
    /// After this, a stream whose other end vanished is broken; 30 s.
    pub silence: Duration,
    /// Datagrams that would wait longer than this for a link are dropped; 1 s.
    pub queue_limit: Duration,
    /// A NAT forgets a mapping this long after the last outbound datagram; 60 s.
    pub nat_timeout: Duration,
    /// Count messages and bytes of each host (24 bytes a host); off.
    pub count_hosts: bool,
}

impl Default for Network {
    fn default() -> Network {
        Network {
            latency: Latency::Constant(Duration::from_millis(20)),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::from_millis(50),
            mtu: 1_472,
            cut_every: None,
            fragment: false,
            window: 4 << 20,
            connect_timeout: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            queue_limit: Duration::from_secs(1),
            nat_timeout: Duration::from_secs(60),
            count_hosts: false,
        }
    }
}

/// One-way latency as a function of two hosts; the same in both directions.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Latency {
    /// The same between any two.
    Constant(Duration),
    /// Drawn once for each pair, uniformly.
    Uniform {
        /// The least.
        min: Duration,
        /// The most.
        max: Duration,
    },
    /// Hosts lie at random points of a square: triangle inequality holds, as it nearly does in the world.
    Plane {
        /// Between neighbours.
        near: Duration,
        /// Added along a whole side of the square.
        side: Duration,
    },
}

impl Latency {
    /// µs between two hosts.
    pub(crate) fn micros(self, seed: u64, a: u32, b: u32) -> u64 {
        match self {
            Latency::Constant(latency) => micros(latency),
            Latency::Uniform { min, max } => {
                let spread = micros(max).saturating_sub(micros(min)) + 1;
                micros(min) + SplitMix64::mix(seed, link(a.min(b), a.max(b))) % spread
            }
            Latency::Plane { near, side } => {
                let ((ax, ay), (bx, by)) = (point(seed, a), point(seed, b));
                micros(near) + ((ax - bx).hypot(ay - by) * micros(side) as f64) as u64
            }
        }
    }
}

fn point(seed: u64, host: u32) -> (f64, f64) {
    let mut rng = SplitMix64::new(SplitMix64::mix(seed, u64::from(host) | 1 << 40));
    let mut coordinate = || rng.next_u64() as f64 / u64::MAX as f64;
    (coordinate(), coordinate())
}

/// A number for a pair of hosts.
pub(crate) fn link(from: u32, to: u32) -> u64 {
    u64::from(from) << 32 | u64::from(to)
}

pub(crate) fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(duration.subsec_micros()))
}

/// Whether a draw falls within a share.
pub(crate) fn chance(rng: &mut SplitMix64, share: f64) -> bool {
    share > 0.0 && ((rng.next_u64() >> 11) as f64) < share * (1u64 << 53) as f64
}

/// A kind of host; many hosts share one.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// Uplink in bytes a second; unlimited.
    pub up: Option<u64>,
    /// Downlink in bytes a second; unlimited.
    pub down: Option<u64>,
    /// Latency that this host adds to every path, one way; none.
    pub access: Duration,
    /// Share of datagrams lost on this host's access link, either way; 0.
    pub loss: f64,
    /// The NAT before it; none.
    pub nat: Nat,
    /// Whether it accepts streams (a NAT does not let them in whatever this says); yes.
    pub listens: bool,
    /// The port on which it listens and from which it sends datagrams; 6,881.
    pub port: u16,
    /// Its disk.
    pub disk: Disk,
    /// How it comes and goes; it stays.
    pub churn: Option<Churn>,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile {
            up: None,
            down: None,
            access: Duration::ZERO,
            loss: 0.0,
            nat: Nat::Open,
            listens: true,
            port: 6_881,
            disk: Disk::default(),
            churn: None,
        }
    }
}

/// What a NAT lets in (RFC 4787); all but [`Nat::Open`] let no stream in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nat {
    /// No NAT.
    Open,
    /// Once the host has sent anything, anybody may answer.
    FullCone,
    /// Addresses it has sent to may answer, from any port.
    Restricted,
    /// Only address and port it has sent to may answer.
    PortRestricted,
    /// As before, and every destination sees another port.
    Symmetric,
}

/// A disk: operations wait for each other.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Disk {
    /// Time an operation takes whatever its size; none.
    pub latency: Duration,
    /// Bytes a second; unlimited.
    pub rate: Option<u64>,
    /// Share of operations that fail; 0.
    pub failures: f64,
}

impl Default for Disk {
    fn default() -> Disk {
        Disk { latency: Duration::ZERO, rate: None, failures: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_the_same_both_ways_and_within_its_bounds() {
        let ms = Duration::from_millis;
        let models = [
            Latency::Uniform { min: ms(5), max: ms(90) },
            Latency::Plane { near: ms(5), side: ms(60) },
            Latency::Constant(ms(7)),
        ];
        for model in models {
            let all: Vec<u64> = (0..500).map(|host| model.micros(9, host, host + 77)).collect();
            assert!(all.iter().all(|latency| (5_000..=90_000).contains(latency)));
            assert!((0..500).all(|host| model.micros(9, host + 77, host) == all[host as usize]));
            assert!(matches!(model, Latency::Constant(_)) || all.windows(2).any(|two| two[0] != two[1]));
        }
    }
}
