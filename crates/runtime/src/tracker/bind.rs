//! One port number for UDP and TCP.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// How often a free TCP port is tried whose UDP port is taken.
const TRIES: usize = 32;
/// What one burst of announces may fill while the worker is busy; the system may grant less.
const UDP_BUFFER: usize = 8 << 20;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;
/// How long the UDP worker waits before it looks whether it is to stop or sweep.
pub(super) const UDP_WAIT: Duration = Duration::from_millis(250);

/// An address that can't be listened on, as one line.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {protocol} {addr}: {}", reason(source))]
pub struct BindError {
    /// The address asked for.
    pub addr: SocketAddr,
    /// `TCP` or `UDP`.
    pub protocol: &'static str,
    /// What the system said.
    pub source: io::Error,
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => "the port is in use".into(),
        ErrorKind::AddrNotAvailable => "this machine does not have that address".into(),
        ErrorKind::PermissionDenied => "permission denied (ports below 1024 need privileges)".into(),
        _ => error.to_string(),
    }
}

/// Both sockets of a tracker.
pub(super) struct Sockets {
    pub(super) tcp: TcpListener,
    pub(super) udp: UdpSocket,
    pub(super) local_addr: SocketAddr,
}

/// Binds both; with port 0 a port that is free for both. `[::]` falls back to IPv4 where there is no IPv6.
pub(super) fn bind(listen: SocketAddr) -> Result<Sockets, BindError> {
    let tries = if listen.port() == 0 { TRIES } else { 1 };
    let mut last = bind_once(listen);
    for _ in 1..tries {
        match &last {
            Err(error) if error.source.kind() == ErrorKind::AddrInUse => last = bind_once(listen),
            _ => break,
        }
    }
    match last {
        Err(error) if lacks_ipv6(&error.source) && listen.ip() == SocketAddr::from(([0u16; 8], 0)).ip() => {
            bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.port())))
        }
        bound => bound,
    }
}

fn lacks_ipv6(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    let unsupported = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    code == Some(unsupported) || error.kind() == ErrorKind::AddrNotAvailable
}

fn bind_once(listen: SocketAddr) -> Result<Sockets, BindError> {
    let fail = |protocol| move |source| BindError { addr: listen, protocol, source };
    let tcp = bind_tcp(listen).map_err(fail("TCP"))?;
    let local_addr = tcp.local_addr().map_err(fail("TCP"))?;
    let udp = bind_udp(local_addr).map_err(fail("UDP"))?;
    Ok(Sockets { tcp, udp, local_addr })
}

fn bind_tcp(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    dual_stack(&socket, addr)?;
    // A restart must not wait for the old connections' last packets.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_udp(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    dual_stack(&socket, addr)?;
    // More is better, less still works.
    let _ = socket.set_recv_buffer_size(UDP_BUFFER);
    let _ = socket.set_send_buffer_size(UDP_BUFFER);
    socket.set_read_timeout(Some(UDP_WAIT))?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

fn dual_stack(socket: &Socket, addr: SocketAddr) -> io::Result<()> {
    if addr.is_ipv6() { socket.set_only_v6(!addr.ip().is_unspecified()) } else { Ok(()) }
}
