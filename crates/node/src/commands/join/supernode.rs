//! `throng join --supernode`.

use super::Starting;
use super::place::{own_ip, resolve_all};
use crate::cli::Supernode;
use crate::commands::Context;
use crate::daemon::home::Identity;
use crate::daemon::ring::RingSystem;
use crate::daemon::supernode::{self, Parts, SupernodeSystem};
use crate::daemon::system::System;
use crate::failure::{Failure, Outcome};
use data_encoding::HEXLOWER;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::rc::Rc;
use throng_overlay::supernode::{Config, Role};
use throng_runtime::net::port::Protocol;
use throng_runtime::net::socket::Source;
use throng_runtime::net::{NetConfig, Sockets};

/// The supernodes that were known when the node last ran, in the home.
const CONTACTS: &str = "supernodes";

/// How the network is entered.
pub(super) struct Entry {
    role: Role,
    through: Vec<SocketAddr>,
}

/// What `--supernode` means; names are looked up.
pub(super) fn entry(given: &[Supernode], context: &Context) -> Outcome<Option<Entry>> {
    if given.is_empty() {
        return Ok(None);
    }
    let role = match (given.contains(&Supernode::Serve), given.contains(&Supernode::Ordinary)) {
        (true, true) => {
            let reason = "a node is a supernode or it is not: give --supernode serve or --supernode ordinary";
            return Err(Failure::Usage(reason.into()));
        }
        (true, false) => Role::Super,
        (false, true) => Role::Ordinary,
        (false, false) => Role::Either,
    };
    let addresses = given.iter().filter_map(|given| match given {
        Supernode::At(address) => Some(address),
        Supernode::Serve | Supernode::Ordinary => None,
    });
    let addresses: Vec<_> = addresses.collect();
    let through =
        if addresses.is_empty() { Vec::new() } else { resolve_all(addresses.into_iter(), context)? };
    Ok(Some(Entry { role, through }))
}

/// Begins to join; with a ring, what a flood misses is found there.
pub(super) fn start(
    entry: Entry,
    ring: Option<Rc<RingSystem>>,
    starting: &Starting<'_>,
) -> Outcome<Rc<dyn System>> {
    let Starting { home, identity, port, .. } = *starting;
    let at = port.local_addr();
    let config = Config {
        role: entry.role,
        user: user(identity).into(),
        address: address(at, entry.role == Role::Super),
        port: at.port(),
        ring: ring.is_some(),
        ..Config::default()
    };
    let net = NetConfig {
        listen: Some(at),
        source: Source::default().or_listening(at.ip()),
        ..NetConfig::default()
    };
    let parts = Parts {
        config,
        sockets: (Sockets::shared(port, Protocol::Supernode), net),
        address: at,
        through: entry.through,
        contacts: home.path(CONTACTS),
        ring,
    };
    let system = SupernodeSystem::start(parts, starting.teller(supernode::NAME));
    Ok(system.map_err(Failure::failed)?)
}

/// Where others reach this node. A supernode must know it at once, as its list begins with itself; an ordinary node is
/// told by its supernode.
fn address(at: SocketAddr, serve: bool) -> Option<SocketAddrV4> {
    let ip = match at.ip() {
        ip if !ip.is_unspecified() => ip,
        _ if serve => own_ip(),
        _ => return None,
    };
    match ip {
        IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, at.port())),
        IpAddr::V6(_) => None,
    }
}

/// The name others see, the same at each start.
fn user(identity: &Identity) -> String {
    let key = identity.key.verifying_key();
    format!("throng{}", HEXLOWER.encode(&key.as_bytes()[..4]))
}
