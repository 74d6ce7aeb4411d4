//! The directories a person named, or followed to: which of its addresses each is tried at, and what it said last.

use std::net::{IpAddr, SocketAddr};

/// Directories at once, those followed to included: what the client takes.
const MAX: usize = 16;

/// One directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// As it was given.
    pub(super) name: String,
    /// Where its name leads; never empty.
    addresses: Vec<SocketAddr>,
    /// Which one is tried.
    current: usize,
    /// Users, files, gigabytes.
    pub(super) totals: Option<(u64, u64, u64)>,
    /// Why it is not joined.
    pub(super) trouble: Option<String>,
    /// Its own words before it closed.
    pub(super) words: Option<String>,
    /// Where it wants its users to go.
    pub(super) redirect: Option<String>,
    /// Whether a person knows that it is not joined.
    pub(super) told: bool,
    /// Whether a person knows that it takes no more files.
    pub(super) full: bool,
}

impl Place {
    /// `None` if the name leads nowhere.
    pub(crate) fn new(name: String, addresses: Vec<SocketAddr>) -> Option<Place> {
        (!addresses.is_empty()).then_some(Place {
            name,
            addresses,
            current: 0,
            totals: None,
            trouble: None,
            words: None,
            redirect: None,
            told: false,
            full: false,
        })
    }

    /// The address that is tried or joined.
    pub(super) fn address(&self) -> SocketAddr {
        self.addresses[self.current]
    }

    /// Goes on to the next address; the one before and this one, if there is another.
    pub(super) fn move_on(&mut self) -> Option<(SocketAddr, SocketAddr)> {
        let before = self.address();
        self.current = (self.current + 1) % self.addresses.len();
        (self.addresses.len() > 1).then(|| (before, self.address()))
    }
}

/// All of them.
pub(super) struct Places(Vec<Place>);

impl Places {
    /// One a directory, whatever it was called.
    pub(super) fn new(places: Vec<Place>) -> Places {
        let mut all = Places(Vec::new());
        for place in places {
            all.add(place);
        }
        all
    }

    /// Adds one, unless it is there or there are too many.
    pub(super) fn add(&mut self, place: Place) -> bool {
        let known = |at: &SocketAddr| self.0.iter().any(|other| other.addresses.contains(at));
        let is_new = !place.addresses.iter().any(known) && self.0.len() < MAX;
        if is_new {
            self.0.push(place);
        }
        is_new
    }

    pub(super) fn first_addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(Place::address).collect()
    }

    /// The directory at that address.
    pub(super) fn at(&mut self, address: SocketAddr) -> Option<&mut Place> {
        self.0.iter_mut().find(|place| place.address() == address)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.0.iter()
    }
}

/// Whether a directory may send its users there: not to somewhere nearer than itself, like this machine's own services.
pub(super) fn may_lead(from: SocketAddr, to: SocketAddr) -> bool {
    to.port() > 0
        && !to.ip().is_unspecified()
        && !to.ip().is_multicast()
        && reach(to.ip()) >= reach(from.ip())
}

/// 0 this machine, 1 this network, 2 everywhere.
fn reach(ip: IpAddr) -> u8 {
    let (own, near) = match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // Carrier-grade NAT (RFC 6598) too.
            (ip.is_loopback(), ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64))
        }
        IpAddr::V6(ip) => (ip.is_loopback(), ip.is_unique_local() || ip.is_unicast_link_local()),
    };
    if own { 0 } else { 2 - u8::from(near) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, addresses: &[&str]) -> Place {
        let addresses = addresses.iter().map(|at| at.parse().unwrap()).collect();
        Place::new(name.into(), addresses).unwrap()
    }

    #[test]
    fn a_name_with_two_addresses_is_one_directory_and_the_same_address_is_joined_once() {
        let hub = place("hub:8888", &["10.0.0.1:8888", "10.0.0.2:8888"]);
        let mut places = Places::new(vec![hub, place("10.0.0.2:8888", &["10.0.0.2:8888"])]);
        assert_eq!(places.first_addresses(), ["10.0.0.1:8888".parse().unwrap()]);
        let hub = places.at("10.0.0.1:8888".parse().unwrap()).unwrap();
        assert_eq!(hub.move_on().unwrap().1, "10.0.0.2:8888".parse().unwrap());
        assert_eq!(hub.move_on().unwrap().1, "10.0.0.1:8888".parse().unwrap());
        assert!(place("a", &["10.0.0.3:1"]).move_on().is_none());
        assert!(Place::new("nowhere:1".into(), Vec::new()).is_none());
        let added = (0..100).filter(|at| places.add(place("x", &[&format!("10.1.0.{at}:1")]))).count();
        assert_eq!(added, MAX - 1);
    }

    #[test]
    fn a_directory_cannot_lead_nearer_than_itself() {
        let may = |from: &str, to: &str| may_lead(from.parse().unwrap(), to.parse().unwrap());
        assert!(may("127.0.0.1:8888", "127.0.0.1:8889") && may("127.0.0.1:8888", "192.0.2.1:1"));
        assert!(may("10.0.0.1:8888", "10.9.9.9:1") && may("192.0.2.1:1", "[2001:db8::1]:1"));
        for to in
            ["127.0.0.1:22", "10.0.0.1:80", "[::1]:1", "[fe80::1]:1", "[::ffff:127.0.0.1]:1", "100.64.0.1:1"]
        {
            assert!(!may("192.0.2.1:8888", to), "{to}");
        }
        assert!(!may("127.0.0.1:1", "0.0.0.0:1") && !may("127.0.0.1:1", "192.0.2.1:0"));
    }
}
