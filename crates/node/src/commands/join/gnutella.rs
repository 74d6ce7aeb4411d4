//! `throng join --gnutella`.

use super::Starting;
use super::place::resolve_all;
use crate::cli::{Gnutella, GnutellaArgs};
use crate::commands::Context;
use crate::daemon::gnutella::{self, GnutellaSystem, Ways};
use crate::daemon::home::Identity;
use crate::daemon::system::System;
use crate::failure::{Failure, Outcome};
use ed25519_dalek::Signer as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::rc::Rc;
use throng_machine::Entropy as _;
use throng_overlay::gnutella::{self as overlay, Config, Limits, Role, RoleChoice};
use throng_runtime::entropy::SystemEntropy;
use throng_runtime::gnutella::MemberConfig;
use throng_runtime::net::port::Protocol;
use throng_runtime::net::socket::Source;
use throng_runtime::net::{NetConfig, Sockets};
use throng_wire::gnutella::Guid;

/// Where known servents are kept, in the home.
const HOSTS: &str = "gnutella-hosts.txt";
/// What is signed for the servent id: the key's holder has always the same one.
const SERVENT: &[u8] = b"throng: the id of this node's Gnutella servent";

/// What is to be joined.
pub(super) struct Entry {
    role: RoleChoice,
    through: Vec<SocketAddr>,
    caches: Vec<SocketAddr>,
}

/// What `--gnutella` means; names are looked up.
pub(super) fn entry(args: &GnutellaArgs, context: &Context) -> Outcome<Option<Entry>> {
    if args.gnutella.is_empty() && args.gnutella_cache.is_empty() {
        return Ok(None);
    }
    let mut roles: Vec<Role> = Vec::new();
    let mut addresses = Vec::new();
    for one in &args.gnutella {
        match one {
            Gnutella::As(role) => roles.push(*role),
            Gnutella::At(address) => addresses.push(address),
        }
    }
    roles.dedup();
    if roles.len() > 1 {
        return Err(Failure::Usage(
            "--gnutella: a servent has one role; give ultrapeer, leaf or plain once".into(),
        ));
    }
    // Who asks for nothing begins as a leaf, and may be elected.
    let role = roles.first().copied().map_or(RoleChoice::Elected, RoleChoice::Fixed);
    let through =
        if addresses.is_empty() { Vec::new() } else { resolve_all(addresses.into_iter(), context)? };
    let caches = &args.gnutella_cache;
    let caches = if caches.is_empty() { Vec::new() } else { resolve_all(caches.iter(), context)? };
    Ok(Some(Entry { role, through, caches }))
}

/// Begins to enter.
pub(super) fn start(entry: Entry, starting: &Starting<'_>) -> Outcome<Rc<dyn System>> {
    let Starting { args, home, identity, port, .. } = *starting;
    let limits = Limits {
        ultrapeers: args.gnutella.gnutella_ultrapeers.into(),
        leaves: args.gnutella.gnutella_leaves.into(),
        ..Limits::default()
    };
    let servent = Config { role: entry.role, limits, ..Config::default() };
    let listen = port.local_addr();
    let mut config = MemberConfig::new(myself(identity, listen)?, servent);
    config.hosts = Some(home.path(HOSTS));
    let source = Source::default().or_listening(listen.ip());
    let net = NetConfig { listen: Some(listen), datagrams: true, source, ..NetConfig::default() };
    let sockets = Sockets::shared(port, Protocol::Gnutella);
    let ways = Ways { through: entry.through, caches: entry.caches };
    let system = GnutellaSystem::start(config, (sockets, net), ways, starting.teller(gnutella::NAME));
    Ok(system.map_err(|error| Failure::failed(format_args!("cannot start the Gnutella servent: {error}")))?)
}

/// Who the servent is. Messages have room for IPv4 only; an address that is not known peers will tell.
fn myself(identity: &Identity, listen: SocketAddr) -> Outcome<overlay::Identity> {
    let ip = match listen.ip().to_canonical() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    let mut entropy = SystemEntropy::from_system().map_err(anyhow::Error::from)?;
    let key = [entropy.next_u64(), entropy.next_u64()];
    let listen = SocketAddrV4::new(ip, listen.port());
    Ok(overlay::Identity { servent: guid(identity), listen, key })
}

/// The same at each start.
fn guid(identity: &Identity) -> Guid {
    let signed = identity.key.sign(SERVENT).to_bytes();
    Guid::marked(signed.first_chunk().copied().unwrap_or([1; 16]))
}
