//! Who else has a file: `X-Alt`, `X-NAlt`, `X-Falt` and the old form of them (section 11.4).

use crate::gnutella::Guid;
use std::net::{SocketAddr, SocketAddrV4};

/// Items of a header looked at.
const MOST: usize = 32;
/// Push proxies of one source looked at.
const MOST_PROXIES: usize = 8;
/// The port where none is told.
const PORT: u16 = 6346;

/// A source that must be asked to call: its servent id, and who can ask it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Firewalled {
    /// Its servent id.
    pub servent: Guid,
    /// Its push proxies.
    pub proxies: Vec<SocketAddrV4>,
}

/// Reads `ip:port`, as `X-Node` and others tell it.
pub fn parse_address(value: &str) -> Option<SocketAddr> {
    value.trim().parse().ok()
}

/// `ip` or `ip:port`.
fn location(item: &str) -> Option<SocketAddrV4> {
    let item = item.trim();
    item.parse().ok().or_else(|| Some(SocketAddrV4::new(item.parse().ok()?, PORT)))
}

/// Reads `X-Alt` or `X-NAlt`; items that are no addresses (`tls=…`) are left out.
pub fn parse_locations(value: &str) -> Vec<SocketAddrV4> {
    value.split(',').take(MOST).filter_map(location).collect()
}

/// Writes `X-Alt` or `X-NAlt`; the usual port is left out.
pub fn write_locations(locations: &[SocketAddrV4]) -> String {
    let texts = locations.iter().map(|at| match at.port() {
        PORT => at.ip().to_string(),
        _ => at.to_string(),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// Reads `X-Gnutella-Alternate-Location: http://ip:port/uri-res/… [time]`.
pub fn parse_old_location(value: &str) -> Option<SocketAddrV4> {
    let rest = value.trim().strip_prefix("http://")?;
    location(rest.split(['/', ' ']).next()?)
}

/// Reads `X-Falt`, or an `X-FW-Node-Info`, which is one item of it.
pub fn parse_firewalled(value: &str) -> Vec<Firewalled> {
    let items = value.split(',').take(MOST).filter_map(|item| {
        let mut parts = item.trim().split(';');
        let servent = Guid::from_hex(parts.next()?.trim().as_bytes()).filter(|id| !id.is_zero())?;
        // `fwt/1.0`, `pptls=…` stand between the addresses.
        let proxies = parts.filter_map(|part| {
            let part = part.trim();
            part.contains(':').then(|| part.parse().ok()).flatten()
        });
        Some(Firewalled { servent, proxies: proxies.take(MOST_PROXIES).collect() })
    });
    items.collect()
}

/// Writes `X-Falt`.
pub fn write_firewalled(sources: &[Firewalled]) -> String {
    let texts = sources.iter().map(|source| {
        let mut text = source.servent.hex().to_lowercase();
        source.proxies.iter().for_each(|proxy| text.push_str(&format!(";{proxy}")));
        text
    });
    texts.collect::<Vec<_>>().join(", ")
}
