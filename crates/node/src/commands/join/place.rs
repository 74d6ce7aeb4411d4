//! Where a node listens: its shared port and its API, at the first place that can be had.

use crate::cli::{Address, JoinArgs, bind_reason};
use crate::commands::Context;
use crate::daemon::api::Server;
use crate::daemon::notify;
use crate::failure::{Failure, Outcome};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use throng_runtime::net::port::Port;
use tokio::net::TcpListener;

/// Where a node listens unless said; no program of note uses it.
const PORT: u16 = 7117;
/// Where the API listens unless said.
const API_PORT: u16 = 7118;
/// A free port for TCP may be taken for UDP; so often another is tried.
const TRIES: usize = 8;

/// The port that all systems share.
pub(super) fn bind_port(args: &JoinArgs) -> Outcome<Port> {
    let (v6, v4) = (IpAddr::from(Ipv6Addr::UNSPECIFIED), IpAddr::from(Ipv4Addr::UNSPECIFIED));
    let places = match &args.listen {
        Some(listen) => vec![listen.resolve()?],
        None => vec![(v6, PORT).into(), (v6, 0).into(), (v4, PORT).into(), (v4, 0).into()],
    };
    first_free(&places, Port::bind).map_err(|(at, error)| {
        Failure::failed(format_args!("cannot listen on {at}: {}", bind_reason(&error)))
    })
}

/// The API's listener.
pub(super) fn bind_api(args: &JoinArgs) -> Outcome<(Server, TcpListener)> {
    let passed = notify::passed_listener().and_then(|passed| passed.map(TcpListener::from_std).transpose());
    if let Some(server) = passed.and_then(|passed| passed.map(Server::on).transpose()).map_err(|error| {
        Failure::failed(format_args!("the socket that the service manager passed cannot be used: {error}"))
    })? {
        return Ok(server);
    }
    let places = match &args.api {
        Some(listen) => vec![listen.resolve()?],
        None => vec![(Ipv4Addr::LOCALHOST, API_PORT).into(), (Ipv4Addr::LOCALHOST, 0).into()],
    };
    first_free(&places, Server::bind).map_err(|(at, error)| {
        Failure::failed(format_args!("cannot listen on {at} for the API: {}", bind_reason(&error)))
    })
}

/// Where a socket of this machine is reached from this machine.
pub(super) fn reachable(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}

/// The address this machine would leave from towards the Internet (nothing is sent); loopback if it has no way there.
pub(super) fn own_ip() -> IpAddr {
    let towards = |from: IpAddr, to: &str| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    // Addresses for documentation (RFC 5737, RFC 3849): they lead the usual way out.
    let v4 = towards(Ipv4Addr::UNSPECIFIED.into(), "192.0.2.1:9");
    let v6 = || towards(Ipv6Addr::UNSPECIFIED.into(), "[2001:db8::1]:9");
    v4.or_else(v6).unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// What the names of addresses lead to; those that lead nowhere are told, and fail if all do.
pub(super) fn resolve_all<'a>(
    addresses: impl Iterator<Item = &'a Address>,
    context: &Context,
) -> Outcome<Vec<SocketAddr>> {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for address in addresses {
        match address.resolve() {
            Ok(addresses) => found.extend(addresses),
            Err(failure) => unknown.push(failure),
        }
    }
    if found.is_empty() && !unknown.is_empty() {
        return Err(unknown.swap_remove(0));
    }
    unknown.iter().filter_map(Failure::reason).for_each(|reason| context.output.note(reason));
    Ok(found)
}

/// What starts at the first place that can be had. A port that the system chooses is asked for more than once: free for
/// TCP, it may be taken for UDP.
pub(super) fn first_free<T>(
    places: &[SocketAddr],
    start: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<T, (SocketAddr, io::Error)> {
    let tries = |at: &SocketAddr| std::iter::repeat_n(*at, if at.port() == 0 { TRIES } else { 1 });
    let mut last = None;
    for at in places.iter().flat_map(tries) {
        match start(at) {
            Ok(started) => return Ok(started),
            Err(error) => last = Some((at, error)),
        }
    }
    Err(last.unwrap_or_else(|| {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        (nowhere, io::ErrorKind::AddrNotAvailable.into())
    }))
}
