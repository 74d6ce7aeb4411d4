//! Whom a server may make us call.
//!
//! A directory tells us addresses of others. Its word must not make us call services of our own machine or network,
//! nor one address again and again.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use throng_machine::{Endpoint, Instant};

/// Addresses remembered; the oldest is forgotten first.
const MAX_REMEMBERED: usize = 512;

/// How near an address is; a server may only name those that are not nearer than itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Reach {
    Machine,
    Link,
    Private,
    Public,
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() => Reach::Machine,
        IpAddr::V4(ip) if ip.is_link_local() => Reach::Link,
        IpAddr::V4(ip) if ip.is_private() || is_shared(ip) => Reach::Private,
        IpAddr::V6(ip) if ip.is_loopback() => Reach::Machine,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Reach::Link,
        IpAddr::V6(ip) if ip.is_unique_local() => Reach::Private,
        _ => Reach::Public,
    }
}

/// Carrier-grade NAT (RFC 6598).
fn is_shared(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && b & 0xc0 == 64
}

/// The address a server named, if it may be called on its word.
pub(crate) fn callable(server: Endpoint, ip: Ipv4Addr, port: u16) -> Option<Endpoint> {
    let to = Endpoint::new(ip.into(), port);
    (to.is_dialable() && reach(ip.into()) >= reach(server.ip())).then_some(to)
}

/// Counts calls an address and minute.
#[derive(Default, Debug)]
pub(crate) struct Calls(BTreeMap<IpAddr, (Instant, u32)>);

impl Calls {
    /// Whether it may be called once more; counts the call.
    pub(crate) fn allow(&mut self, to: Endpoint, limit: u32, now: Instant) -> bool {
        if self.0.len() >= MAX_REMEMBERED {
            self.0.retain(|_, (since, _)| now.since(*since) < Duration::from_secs(60));
        }
        if self.0.len() >= MAX_REMEMBERED && !self.0.contains_key(&to.ip()) {
            return false;
        }
        let (since, count) = self.0.entry(to.ip()).or_insert((now, 0));
        if now.since(*since) >= Duration::from_secs(60) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= limit
    }

    /// Who was called answered as one who waits for us does: such calls are not what the limit is for.
    pub(super) fn was_welcome(&mut self, to: Endpoint) {
        if let Some((_, count)) = self.0.get_mut(&to.ip()) {
            *count = count.saturating_sub(1);
        }
    }
}
