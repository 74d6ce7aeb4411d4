//! `throng join --directory`.

use super::Starting;
use super::place::first_free;
use crate::cli::{DataPort, MemberArgs, bind_reason};
use crate::commands::Context;
use crate::daemon::directory::{self, DirectorySystem, Parts, Place};
use crate::daemon::home::Identity;
use crate::daemon::system::System;
use crate::failure::{Failure, Outcome};
use data_encoding::HEXLOWER;
use ed25519_dalek::Signer as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use throng_overlay::directory::client::Config;
use throng_runtime::net::socket::Source;
use throng_runtime::net::{NetConfig, Sockets};

/// Where clients of the time listen first (T10).
const PORT: u16 = 6699;
/// What is signed for the password: the key's holder has always the same one, and nobody else.
const PASSWORD: &[u8] = b"throng: the password of this node's name in directories";

/// The directories that were named, looked up; a name that leads nowhere is told, and fails if all do.
pub(super) fn places(args: &MemberArgs, context: &Context) -> Outcome<Vec<Place>> {
    let (mut places, mut unknown) = (Vec::new(), Vec::new());
    for address in &args.directory {
        match address.resolve() {
            Ok(found) => places.extend(Place::new(address.to_string(), found)),
            Err(failure) => unknown.push(failure),
        }
    }
    if places.is_empty() && !unknown.is_empty() {
        return Err(unknown.swap_remove(0));
    }
    unknown.iter().filter_map(Failure::reason).for_each(|reason| context.output.note(reason));
    Ok(places)
}

/// Begins to join them.
pub(super) fn start(places: Vec<Place>, starting: &Starting<'_>) -> Outcome<Rc<dyn System>> {
    let Starting { args, identity, port, .. } = *starting;
    let member = &args.member;
    let config = Config {
        nick: member.directory_nick.clone().unwrap_or_else(|| nick(identity)).into(),
        password: password(identity).into(),
        ..Config::default()
    };
    let parts = Parts {
        config,
        data: data(member, port.local_addr().ip())?,
        swarm: port.local_addr(),
        places,
        follow: member.directory_follow,
    };
    let system = DirectorySystem::start(parts, starting.teller(directory::NAME));
    Ok(system.map_err(Failure::failed)?)
}

/// The same at each start.
fn nick(identity: &Identity) -> String {
    let key = identity.key.verifying_key();
    format!("throng{}", HEXLOWER.encode(&key.as_bytes()[..4]))
}

/// Sent in clear, so it is good for nothing else.
fn password(identity: &Identity) -> String {
    HEXLOWER.encode(&identity.key.sign(PASSWORD).to_bytes()[..8])
}

/// The sockets of the data port, on the address the node listens on.
fn data(args: &MemberArgs, listen: IpAddr) -> Outcome<(Sockets, NetConfig)> {
    let source = Source::default().or_listening(listen);
    let net = |at: Option<SocketAddr>| NetConfig { listen: at, source, ..NetConfig::default() };
    // The directory tells others IPv4 addresses only, but where there is no IPv4 it does no harm to listen.
    let ips = match listen {
        ip if ip == IpAddr::from(Ipv6Addr::UNSPECIFIED) => vec![ip, Ipv4Addr::UNSPECIFIED.into()],
        ip => vec![ip],
    };
    let ports = match args.directory_port {
        Some(DataPort::None) => return Ok((Sockets::default(), net(None))),
        Some(DataPort::At(port)) => vec![port],
        None => vec![PORT, 0],
    };
    let places: Vec<_> =
        ports.iter().flat_map(|port| ips.iter().map(|ip| SocketAddr::new(*ip, *port))).collect();
    let sockets = first_free(&places, |at| Sockets::bind(&net(Some(at)))).map_err(|(at, error)| {
        Failure::failed(format_args!("cannot listen on {at} for directories: {}", bind_reason(&error)))
    })?;
    let at = sockets.local_addr();
    Ok((sockets, net(at)))
}
