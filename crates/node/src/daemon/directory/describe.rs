//! The membership as the status shows it.

use super::DirectorySystem;
use crate::daemon::report::{DirectorySession, DirectoryStatus, DirectoryTransfers, Traffic};
use crate::text;
use std::collections::BTreeMap;
use throng_overlay::directory::client::{Session, Violations};

/// All that a person may want to see.
pub(super) fn status(system: &DirectorySystem) -> DirectoryStatus {
    let (load, traffic) = (system.member.load(), system.member.traffic());
    DirectoryStatus {
        standing: system.standing.get(),
        data_port: system.data_port,
        directories: directories(system),
        files: system.published.borrow().len() as u64,
        transfers: DirectoryTransfers {
            uploads: load.uploads,
            waiting: load.waiting,
            downloads: load.downloads,
        },
        traffic: Traffic {
            bytes_in: traffic.bytes_in,
            bytes_out: traffic.bytes_out,
            datagrams_in: traffic.datagrams_in,
            datagrams_out: traffic.datagrams_out,
        },
        counters: counters(&system.member.violations()),
    }
}

fn directories(system: &DirectorySystem) -> Vec<DirectorySession> {
    let sessions = system.member.sessions();
    let places = system.places.borrow();
    let describe = |place: &super::Place| {
        let address = place.address();
        let session: Option<&Session> =
            sessions.iter().find(|session| session.server.socket_addr() == address);
        let online = session.is_some_and(|session| session.online);
        let totals = place.totals.filter(|_| online);
        DirectorySession {
            name: place.name.clone(),
            address,
            online,
            nick: session.map_or_else(String::new, |session| text::bytes(&session.nick)),
            files_shared: session.map_or(0, |session| session.told),
            users: totals.map(|(users, _, _)| users),
            files: totals.map(|(_, files, _)| files),
            gigabytes: totals.map(|(_, _, gigabytes)| gigabytes),
            trouble: place.trouble.clone(),
            redirect: place.redirect.clone(),
        }
    };
    places.iter().map(describe).collect()
}

fn counters(violations: &Violations) -> BTreeMap<String, u64> {
    let counted = [
        ("unreadable messages", violations.wire),
        ("commands no client may obey", violations.forbidden),
        ("answers nobody asked for", violations.unasked),
        ("addresses that must not be called", violations.address),
        ("words out of turn", violations.out_of_turn),
        ("more bytes than promised", violations.too_much),
        ("fewer bytes than promised", violations.too_few),
        ("too slow", violations.too_slow),
        ("files that were not agreed", violations.not_agreed),
        ("too many connections", violations.crowd),
        ("no magnet link", violations.magnet),
    ];
    counted.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}
