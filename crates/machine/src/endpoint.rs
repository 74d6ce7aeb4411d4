//! Addresses as machines see them: 18 bytes, IPv4 held v4-mapped.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A transport; later ones (uTP, relays) join here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Via {
    /// Streams over TCP.
    Tcp,
    /// Datagrams over UDP.
    Udp,
}

/// An IP address and a port in 18 bytes; IPv4 is v4-mapped IPv6 (RFC 4291, 2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    ip: [u8; 16],
    port: [u8; 2],
}

impl Endpoint {
    /// From an address and a port.
    pub fn new(ip: IpAddr, port: u16) -> Endpoint {
        let ip = match ip {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Endpoint { ip: ip.octets(), port: port.to_be_bytes() }
    }

    /// From the four bytes and a port.
    pub fn v4(ip: [u8; 4], port: u16) -> Endpoint {
        Endpoint::new(Ipv4Addr::from(ip).into(), port)
    }

    /// The address, IPv4 unmapped.
    pub fn ip(&self) -> IpAddr {
        Ipv6Addr::from(self.ip).to_canonical()
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        u16::from_be_bytes(self.port)
    }

    /// The same address with another port.
    pub fn with_port(self, port: u16) -> Endpoint {
        Endpoint { port: port.to_be_bytes(), ..self }
    }

    /// As the standard library's type.
    pub fn socket_addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip(), self.port())
    }

    /// Whether a stranger may make us dial it: a port, and neither unspecified, multicast nor broadcast.
    pub fn is_dialable(&self) -> bool {
        let usable = match self.ip() {
            IpAddr::V4(ip) => {
                !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && ip.octets()[0] != 0
            }
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        };
        usable && self.port() != 0
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Endpoint {
        Endpoint::new(addr.ip(), addr.port())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket_addr().fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_takes_eighteen_bytes_and_shows_ipv4_plainly() {
        assert_eq!(size_of::<Endpoint>(), 18);
        let endpoint = Endpoint::v4([10, 0, 0, 7], 6881);
        assert_eq!(endpoint.to_string(), "10.0.0.7:6881");
        assert_eq!(Endpoint::from(endpoint.socket_addr()), endpoint);
    }

    #[test]
    fn nobody_dials_port_zero_or_a_multicast_group() {
        assert!(Endpoint::v4([10, 0, 0, 7], 1).is_dialable());
        assert!(!Endpoint::v4([10, 0, 0, 7], 0).is_dialable());
        assert!(!Endpoint::v4([224, 0, 0, 1], 80).is_dialable());
        assert!(!Endpoint::v4([0, 0, 0, 0], 80).is_dialable());
    }
}
