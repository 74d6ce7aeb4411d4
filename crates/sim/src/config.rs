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
    /// Hosts lie at random points of a cube.
    Space {
        /// Along a whole side of the cube.
        side: Duration,
    },
    /// Hosts hang at 1,024 stub networks of five routers, those at 16 transit routers, each linked with four others: 1 ms
    /// a link within a stub, 20 between stub and transit, 50 between transit routers.
    TransitStub,
    /// Points of a square, and what each host's own line adds, on average `line`, exponentially: how round trips between
    /// hosts of the Internet are best described (Dabek and others, Vivaldi, 2004: a plane and a height).
    Lines {
        /// Along a whole side of the square.
        side: Duration,
        /// A host's own line, on average.
        line: Duration,
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
            Latency::Space { side } => {
                let ([ax, ay, az], [bx, by, bz]) = (place(seed, a), place(seed, b));
                ((ax - bx).hypot(ay - by).hypot(az - bz) * micros(side) as f64) as u64
            }
            Latency::TransitStub => 1_000 * transit_stub(stub(seed, a), stub(seed, b)),
            Latency::Lines { side, line } => {
                let ([ax, ay, az], [bx, by, bz]) = (place(seed, a), place(seed, b));
                let lines = [az, bz].map(|at| -(1.0 - at).max(1e-9).ln() * micros(line) as f64);
                ((ax - bx).hypot(ay - by) * micros(side) as f64 + lines[0] + lines[1]) as u64
            }
        }
    }

    /// The one-way latency between two hosts of a simulation with that seed, without what their profiles add.
    pub fn between(self, seed: u64, a: u32, b: u32) -> Duration {
        Duration::from_micros(self.micros(seed, a, b))
    }
}

fn point(seed: u64, host: u32) -> (f64, f64) {
    let [x, y, _] = place(seed, host);
    (x, y)
}

/// Three numbers from 0 to 1 for a host.
fn place(seed: u64, host: u32) -> [f64; 3] {
    let mut rng = SplitMix64::new(SplitMix64::mix(seed, u64::from(host) | 1 << 40));
    [(); 3].map(|()| rng.next_u64() as f64 / u64::MAX as f64)
}

/// Where a host hangs: transit router, stub network there, router in it.
fn stub(seed: u64, host: u32) -> (u32, u32, u32) {
    let drawn = SplitMix64::mix(seed, u64::from(host) | 1 << 41);
    ((drawn & 15) as u32, (drawn >> 4 & 63) as u32, ((drawn >> 10) % 5) as u32)
}

/// Milliseconds between two such places. The routers of a stub form a chain whose first leads out; the transit routers are the
/// corners of a cube of four dimensions.
fn transit_stub((at, net, router): (u32, u32, u32), (to, other, last): (u32, u32, u32)) -> u64 {
    if (at, net) == (to, other) {
        return u64::from(router.abs_diff(last));
    }
    u64::from(router + last) + 2 * 20 + 50 * u64::from((at ^ to).count_ones())
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
            Latency::Space { side: ms(50) },
            Latency::TransitStub,
            Latency::Lines { side: ms(40), line: ms(7) },
            Latency::Constant(ms(7)),
        ];
        for model in models {
            let all: Vec<u64> = (0..500).map(|host| model.micros(9, host, host + 77)).collect();
            let bounds = match model {
                Latency::Space { .. } => 0..=86_603,
                Latency::TransitStub => 0..=248_000,
                Latency::Lines { .. } => 0..=350_000,
                _ => 5_000..=90_000,
            };
            assert!(all.iter().all(|latency| bounds.contains(latency)), "{model:?}");
            assert!((0..500).all(|host| model.micros(9, host + 77, host) == all[host as usize]));
            assert!(matches!(model, Latency::Constant(_)) || all.windows(2).any(|two| two[0] != two[1]));
        }
    }

    #[test]
    fn medians_are_those_of_the_networks_they_stand_for() {
        let median = |model: Latency| {
            let mut all: Vec<u64> = (0..4_001).map(|host| model.micros(9, host, host + 7_777)).collect();
            all.sort_unstable();
            all[2_000] / 1_000
        };
        let ms = Duration::from_millis;
        // Two stubs' lines, two of the cube's edges.
        assert!((140..=148).contains(&median(Latency::TransitStub)), "{}", median(Latency::TransitStub));
        // The mean distance of two points of a cube is 0.66 of its side.
        assert!((62..=70).contains(&median(Latency::Space { side: ms(100) })));
        // Half of the 80 ms that hosts of the Internet measure.
        assert!((37..=43).contains(&median(Latency::Lines { side: ms(50), line: ms(7) })));
    }
}
