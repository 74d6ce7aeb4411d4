//! What the simulator keeps of a host: 40 bytes, and a network card once it uses streams or has limits.

use crate::config::Profile;
use crate::nat::NatTable;
use crate::pool::NONE;
use std::net::IpAddr;
use throng_machine::{Endpoint, Instant, SplitMix64};

/// A host, numbered from 0 in the order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub u32);

/// Which [`Profile`] a host has; numbered from 0 in the order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProfileId(pub u16);

/// Hosts have the addresses 10.0.0.1 to 10.255.255.255, in order, so that no table is needed.
pub(crate) const MOST_HOSTS: u32 = (1 << 24) - 1;

/// The address of a host at a port.
pub(crate) fn endpoint(host: u32, port: u16) -> Endpoint {
    let [_, a, b, c] = (host + 1).to_be_bytes();
    Endpoint::v4([10, a, b, c], port)
}

/// The host at an address, which need not exist.
pub(crate) fn host_at(endpoint: Endpoint) -> Option<u32> {
    match endpoint.ip() {
        IpAddr::V4(ip) => match ip.octets() {
            [10, a, b, c] => u32::from_be_bytes([0, a, b, c]).checked_sub(1),
            _ => None,
        },
        IpAddr::V6(_) => None,
    }
}

/// A host as the network sees it.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The time of the one live timer entry in the queue; others are stale.
    pub timer: Option<Instant>,
    pub nic: Option<Box<Nic>>,
    pub rng: SplitMix64,
    pub next_stream: u32,
    pub packets: u32,
    /// Counts restarts, so that what was begun before a crash does not end after it.
    pub life: u16,
    pub up: bool,
}

/// The busier part of a host: its links, streams, NAT and disk.
#[derive(Debug)]
pub(crate) struct Nic {
    /// Stream ids in order, each with its end, or with [`NONE`] once gone.
    streams: Vec<(u32, u32)>,
    gone: usize,
    /// Ends with something to send, served in turn.
    pub ready_head: u32,
    pub ready_tail: u32,
    /// The chunk on the uplink, and when (µs) it has left.
    pub current: u32,
    pub current_until: u64,
    /// When the links and the disk will be free, in ns, so that rates come out exactly.
    pub up_free: u64,
    pub down_free: u64,
    pub disk_free: u64,
    pub nat: Option<Box<NatTable>>,
}

impl Default for Nic {
    fn default() -> Nic {
        Nic {
            streams: Vec::new(),
            gone: 0,
            ready_head: NONE,
            ready_tail: NONE,
            current: NONE,
            current_until: 0,
            up_free: 0,
            down_free: 0,
            disk_free: 0,
            nat: None,
        }
    }
}

impl Nic {
    /// Remembers a stream's end.
    pub(crate) fn attach(&mut self, stream: u32, end: u32) {
        let at = match self.streams.last() {
            Some((last, _)) if *last >= stream => self.streams.partition_point(|(id, _)| *id < stream),
            _ => self.streams.len(),
        };
        self.streams.insert(at, (stream, end));
    }

    /// The end of a stream.
    pub(crate) fn end(&self, stream: u32) -> Option<u32> {
        let at = self.streams.binary_search_by_key(&stream, |(id, _)| *id).ok()?;
        Some(self.streams[at].1).filter(|end| *end != NONE)
    }

    /// Forgets a stream.
    pub(crate) fn detach(&mut self, stream: u32) {
        let Ok(at) = self.streams.binary_search_by_key(&stream, |(id, _)| *id) else { return };
        self.streams[at].1 = NONE;
        self.gone += 1;
        if self.gone > 8 + self.streams.len() / 2 {
            self.streams.retain(|(_, end)| *end != NONE);
            self.streams.shrink_to(self.streams.len() * 2);
            self.gone = 0;
        }
    }

    /// The ends of all streams, by id.
    pub(crate) fn ends(&self) -> Vec<u32> {
        self.streams.iter().map(|(_, end)| *end).filter(|end| *end != NONE).collect()
    }

    /// How many streams.
    pub(crate) fn stream_count(&self) -> usize {
        self.streams.len() - self.gone
    }
}

/// Occupies a link: `free` (ns) moves on by what `bytes` take at `rate`; returns the time (µs) when they are through.
pub(crate) fn occupy(free: &mut u64, rate: Option<u64>, now: u64, bytes: u64) -> u64 {
    let Some(rate) = rate else { return now };
    // Times are rounded up to µs for the queue; going on from the exact ns keeps a busy link at its rate.
    let start = if free.saturating_add(1_000) > now * 1_000 { *free } else { now * 1_000 };
    *free = start.saturating_add(nanos(bytes, rate));
    free.div_ceil(1_000).max(now)
}

/// How many ns `bytes` take at `rate` bytes a second; a rate of zero takes three years.
pub(crate) fn nanos(bytes: u64, rate: u64) -> u64 {
    match rate {
        0 => 100_000_000_000_000_000,
        rate if bytes < 1 << 30 => bytes * 1_000_000_000 / rate,
        rate => u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX),
    }
}

/// A profile's numbers as the hot path wants them.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub profile: Profile,
    pub access: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_host_takes_forty_bytes() {
        assert_eq!(size_of::<Slot>(), 40);
    }

    #[test]
    fn addresses_and_hosts_map_one_to_one() {
        for host in [0, 1, 254, 255, 65_535, 999_999, MOST_HOSTS - 1] {
            assert_eq!(host_at(endpoint(host, 7)), Some(host));
        }
        assert_eq!(host_at(Endpoint::v4([11, 0, 0, 1], 1)), None);
        assert_eq!(host_at(Endpoint::v4([10, 0, 0, 0], 1)), None);
        assert_eq!(endpoint(0, 80).to_string(), "10.0.0.1:80");
    }

    #[test]
    fn a_busy_link_keeps_its_rate_to_the_nanosecond() {
        let (mut free, mut now) = (0, 0);
        for _ in 0..1000 {
            now = occupy(&mut free, Some(3_000_000), now, 1_000);
        }
        assert_eq!(now, 333_333);
        assert_eq!(occupy(&mut free, None, 5, 1_000), 5);
    }

    #[test]
    fn streams_are_found_after_many_came_and_went() {
        let mut nic = Nic::default();
        for id in 0..1000 {
            nic.attach(id, id * 2);
            if id >= 10 {
                nic.detach(id - 10);
            }
        }
        assert_eq!(nic.stream_count(), 10);
        assert_eq!((nic.end(995), nic.end(500)), (Some(1990), None));
        assert_eq!(nic.ends().len(), 10);
        assert!(nic.streams.len() < 40);
    }
}
