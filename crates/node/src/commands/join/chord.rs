//! `throng join --chord`.

use super::place::{own_ip, resolve_all};
use super::{Starting, unix_time};
use crate::cli::Chord;
use crate::commands::Context;
use crate::daemon::home::Identity;
pub(super) use crate::daemon::ring::Entry;
use crate::daemon::ring::{self, RingSystem};
use crate::daemon::system::System;
use crate::failure::{Failure, Outcome};
use std::net::SocketAddr;
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

/// What `--chord` means; names are looked up.
pub(super) fn entry(chord: &[Chord], context: &Context) -> Outcome<Option<Entry>> {
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

/// Begins to enter the ring.
pub(super) fn start(entry: Entry, starting: &Starting<'_>) -> Outcome<Rc<dyn System>> {
    let Starting { args, home, identity, port, .. } = *starting;
    let config = RingConfig { source: Source::default(), records: Some(home.path(RECORDS)) };
    let timers = chord::Timers { hand_over: args.leave_timeout, ..chord::Timers::default() };
    let chosen = chord::Config { vnodes: args.chord_places, timers, ..chord::Config::default() };
    let known = entry.clone();
    let machine = move |at| chord::Chord::new(Arc::new(chosen), &host(at, &known, identity));
    let sockets = Sockets::shared(port, Protocol::Chord);
    let ring = RingSystem::start(&config, sockets, entry, (machine, starting.teller(ring::NAME)));
    Ok(ring.map_err(Failure::failed)?)
}

/// What the ring's machine has for itself.
fn host(at: SocketAddr, entry: &Entry, identity: &Identity) -> chord::Host {
    let known = match entry {
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
