//! `throng join --chord`.

use super::place::{own_ip, resolve_all};
use super::{Starting, unix_time};
use crate::cli::{Address, Chord, JoinArgs};
use crate::commands::Context;
use crate::daemon::home::Identity;
pub(super) use crate::daemon::ring::Entry;
use crate::daemon::ring::{self, RingSystem};
use crate::failure::{Failure, Outcome};
use crate::text;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use throng_machine::Endpoint;
use throng_overlay::chord;
use throng_runtime::net::Sockets;
use throng_runtime::net::port::Protocol;
use throng_runtime::net::socket::Source;
use throng_runtime::ring::RingConfig;

/// What the ring keeps, in the home.
const RECORDS: &str = "ring.sqlite";

/// What `--chord` and `--chord-founders` mean; names are looked up.
pub(super) fn entry(args: &JoinArgs, context: &Context) -> Outcome<Option<Entry>> {
    if let Some(file) = &args.chord_founders {
        return founders(file, context).map(|founders| Some(Entry::Together(founders)));
    }
    let chord = &args.chord;
    let addresses: Vec<_> = chord
        .iter()
        .filter_map(|chord| match chord {
            Chord::At(address) => Some(address),
            Chord::New => None,
        })
        .collect();
    if addresses.is_empty() {
        return Ok((!chord.is_empty()).then_some(Entry::New));
    }
    if addresses.len() < chord.len() {
        return Err(Failure::Usage(
            "--chord new starts a ring of its own: give it alone, or addresses".into(),
        ));
    }
    Ok(Some(Entry::Through(resolve_all(addresses.into_iter(), context)?)))
}

/// The addresses in a file, one a line; what follows a # is left out.
fn founders(file: &Path, context: &Context) -> Outcome<Vec<SocketAddr>> {
    let name = text::path(file);
    let content = std::fs::read_to_string(file)
        .map_err(|error| Failure::failed(format_args!("cannot read the founders in {name}: {error}")))?;
    let mut named: Vec<Address> = Vec::new();
    for (number, line) in (1..).zip(content.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            let wrong = |why| Failure::failed(format_args!("{name}, line {number}: {why}"));
            named.push(line.parse().map_err(wrong)?);
        }
    }
    if named.len() < 2 {
        return Err(Failure::failed(format_args!(
            "{name} names fewer than two hosts; a ring of one is --chord new"
        )));
    }
    resolve_all(named.iter(), context)
}

/// Which of the founders this host is.
fn own_among(founders: &[SocketAddr], at: SocketAddr) -> Option<SocketAddr> {
    let ours = |ip: IpAddr| ip == at.ip() || at.ip().is_unspecified() && UdpSocket::bind((ip, 0)).is_ok();
    founders.iter().copied().find(|founder| founder.port() == at.port() && ours(founder.ip()))
}

/// Percent of the records' store that a publisher may fill beyond its share while nobody else wants it: in a small ring few
/// hold all that a large library has.
const SPARE: u8 = 75;

/// Bytes and records of the store: all that one node may publish (16,384 items under twelve words each) has room in a ring
/// so small that each node holds everything.
const STORE: (u64, u32) = (256 << 20, 800_000);
/// ... but no larger part of the memory that the node may have.
const STORE_PART: u64 = 4;

fn quotas(memory_limit: Option<u64>) -> chord::Quotas {
    let bytes = memory_limit.map_or(STORE.0, |limit| STORE.0.min(limit / STORE_PART));
    let records = u32::try_from(bytes / (STORE.0 / u64::from(STORE.1))).unwrap_or(STORE.1).min(STORE.1);
    chord::Quotas { bytes, records, spare_percent: SPARE, ..chord::Quotas::default() }
}

/// Begins to enter the ring.
pub(super) fn start(entry: Entry, starting: &Starting<'_>) -> Outcome<Rc<RingSystem>> {
    let Starting { args, home, identity, port, .. } = *starting;
    let config = RingConfig { source: Source::default(), records: Some(home.path(RECORDS)) };
    let timers = chord::Timers { hand_over: args.leave_timeout, ..chord::Timers::default() };
    let quotas = quotas(args.resources.memory_limit);
    let storing = chord::Storing { quotas, ..chord::Storing::default() };
    let chosen = chord::Config { vnodes: args.chord_places, timers, storing, ..chord::Config::default() };
    let known = entry.clone();
    let machine = move |at| chord::Chord::new(Arc::new(chosen), &host(at, &known, identity));
    let sockets = Sockets::shared(port, Protocol::Chord);
    if let Entry::Together(founders) = &entry
        && own_among(founders, port.local_addr()).is_none()
    {
        let at = port.local_addr();
        return Err(Failure::failed(format_args!(
            "none of the founders is this host at {at}: name it in the file, and listen on that port (--listen)"
        )));
    }
    let ring = RingSystem::start(&config, sockets, entry, (machine, starting.teller(ring::NAME)));
    ring.map_err(Failure::failed)
}

/// What the ring's machine has for itself.
fn host(at: SocketAddr, entry: &Entry, identity: &Identity) -> chord::Host {
    let known = match entry {
        Entry::Together(founders) => own_among(founders, at),
        _ if !at.ip().is_unspecified() => Some(at),
        // Those who join will tell, but there must be one whom they can join.
        Entry::New => Some(SocketAddr::new(own_ip(), at.port())),
        Entry::Through(_) => None,
    };
    chord::Host {
        endpoint: known.map(Endpoint::from),
        incarnation: identity.incarnation,
        clock: unix_time(),
        key_seed: identity.key.to_bytes(),
    }
}
