//! Every socket of the program is made here, so that binding to one interface or address is one place's work.

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

/// Connections the system completes before we accept them.
const BACKLOG: i32 = 1024;
/// Receive buffer asked for on datagram sockets, 1 MiB: a burst of some 700 datagrams while the thread is busy.
const DATAGRAM_BUFFER: usize = 1 << 20;

/// Which local addresses outgoing traffic leaves from; `None` leaves it to the system.
#[derive(Clone, Copy, Default, Debug)]
pub struct Source {
    /// For IPv4.
    pub v4: Option<IpAddr>,
    /// For IPv6.
    pub v6: Option<IpAddr>,
}

impl Source {
    /// With what was not chosen taken from the address we listen on: trackers take the address a packet came from for
    /// the one we can be called at.
    #[must_use]
    pub fn or_listening(self, at: IpAddr) -> Source {
        match at {
            _ if at.is_unspecified() => self,
            IpAddr::V4(_) => Source { v4: self.v4.or(Some(at)), ..self },
            IpAddr::V6(_) => Source { v6: self.v6.or(Some(at)), ..self },
        }
    }

    /// The address to leave from towards `to`, if one was chosen; a loopback address leads nowhere else.
    pub(crate) fn towards(&self, to: &SocketAddr) -> Option<SocketAddr> {
        let ip = if to.is_ipv4() { self.v4 } else { self.v6 };
        let leads = |ip: &IpAddr| !ip.is_loopback() || to.ip().is_loopback();
        ip.filter(leads).map(|ip| SocketAddr::new(ip, 0))
    }
}

/// A TCP listener; the unspecified IPv6 address takes IPv4 too.
pub fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(at, Type::STREAM, Protocol::TCP)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A UDP socket; the unspecified IPv6 address takes IPv4 too.
pub fn datagrams(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bound(at, Type::DGRAM, Protocol::UDP)?;
    // Best effort: the system may cap it.
    let _ = socket.set_recv_buffer_size(DATAGRAM_BUFFER);
    UdpSocket::from_std(socket.into())
}

/// A TCP socket ready to connect to `to`, left to the caller so that it can bound the wait.
pub fn outgoing(to: SocketAddr, source: &Source) -> io::Result<TcpSocket> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = source.towards(&to) {
        socket.bind(from)?;
    }
    Ok(socket)
}

fn bound(at: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), kind, Some(protocol))?;
    if at.is_ipv6() {
        socket.set_only_v6(!at.ip().is_unspecified())?;
    }
    if kind == Type::STREAM {
        // A restart must not wait for the last run's connections to time out.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&SockAddr::from(at))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_listen_on_is_what_we_leave_from_where_it_leads() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let source = Source::default().or_listening(at("10.0.0.2:1").ip());
        assert_eq!(source.towards(&at("10.0.0.9:80")), Some(at("10.0.0.2:0")));
        assert_eq!(source.towards(&at("[2001:db8::1]:80")), None);
        let local = Source::default().or_listening(at("127.0.0.5:1").ip());
        assert_eq!(local.towards(&at("127.0.0.1:80")), Some(at("127.0.0.5:0")));
        assert_eq!(local.towards(&at("10.0.0.9:80")), None);
        assert_eq!(Source::default().or_listening(at("0.0.0.0:1").ip()).towards(&at("10.0.0.9:80")), None);
    }
}
