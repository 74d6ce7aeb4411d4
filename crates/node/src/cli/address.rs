//! Addresses as people write them: `IP:PORT`, `[v6]:PORT` or `HOST:PORT`.

use crate::failure::{Failure, Outcome};
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;
use throng_wire::magnet::PeerAddress;

/// An address to connect to; its port is never 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address(PeerAddress);

/// An address to listen on; port 0 lets the system choose one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ListenAddress {
    host: Host,
    port: u16,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        let wrong = |_| String::from("not an address; write IP:PORT, [v6]:PORT or HOST:PORT");
        text.parse().map(Address).map_err(wrong)
    }
}

impl From<PeerAddress> for Address {
    fn from(address: PeerAddress) -> Address {
        Address(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Address {
    /// Its IP addresses; a name is looked up, which may take seconds.
    pub(crate) fn resolve(&self) -> Outcome<Vec<SocketAddr>> {
        match &self.0 {
            PeerAddress::Socket(address) => Ok(vec![*address]),
            PeerAddress::Host(host, port) => look_up(host, *port),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<ListenAddress, String> {
        let wrong =
            || String::from("not an address to listen on; write IP:PORT, [v6]:PORT, HOST:PORT or :PORT");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let host = match bare.parse::<IpAddr>() {
            Ok(ip) => Host::Ip(ip),
            Err(_) if host.is_empty() => Host::Ip(IpAddr::from([0u16; 8])),
            Err(_) if host.chars().all(letter) => Host::Name(host.to_owned()),
            Err(_) => return Err(wrong()),
        };
        Ok(ListenAddress { host, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl ListenAddress {
    /// The IP address meant; of a name the first.
    pub(crate) fn resolve(&self) -> Outcome<SocketAddr> {
        match &self.host {
            Host::Ip(ip) => Ok(SocketAddr::new(*ip, self.port)),
            Host::Name(name) => look_up(name, self.port)?.into_iter().next().ok_or_else(|| unknown(name)),
        }
    }
}

fn look_up(host: &str, port: u16) -> Outcome<Vec<SocketAddr>> {
    let found: Vec<_> = (host, port).to_socket_addrs().map_err(|_| unknown(host))?.collect();
    if found.is_empty() { Err(unknown(host)) } else { Ok(found) }
}

fn unknown(host: &str) -> Failure {
    Failure::failed(format_args!("no address is known for the name {host}; check the name and the network"))
}

/// Why a socket could not be had, in one clause.
pub(crate) fn bind_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "the port is in use; choose another, or port 0 for any".into(),
        std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied (ports below 1024 need privileges)".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_contract_says() {
        for text in ["127.0.0.1:80", "[::1]:6881", "localhost:6881"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        assert_eq!(":0".parse::<ListenAddress>().unwrap().to_string(), "[::]:0");
        for text in ["", "1.2.3.4", "1.2.3.4:70000", "a b:1", "http://x:1", "::1", "1.2.3.4:x"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        assert!("1.2.3.4:0".parse::<Address>().is_err());
        assert!("a/b:1".parse::<ListenAddress>().is_err());
    }
}
