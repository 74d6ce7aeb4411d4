//! The servent as the status shows it.

use super::role_name;
use crate::daemon::report::{GnutellaLink, GnutellaStatus, GnutellaTables, Standing, Traffic};
use crate::text;
use std::collections::BTreeMap;
use throng_overlay::gnutella::{KINDS, LinkStatus, Role, Status};
use throng_runtime::gnutella::Member;
use throng_wire::gnutella::Kind;

/// All that a person may want to see.
pub(super) fn status(member: &Member, standing: Standing) -> GnutellaStatus {
    let (status, traffic, load) = (member.status(), member.traffic(), member.load());
    GnutellaStatus {
        standing,
        role: role_name(status.role).to_owned(),
        address: status.listen.map(Into::into),
        firewalled: status.firewalled,
        links: status.links.iter().map(link).collect(),
        tables: GnutellaTables {
            queries: status.routes.0 as u64,
            servents: status.routes.1 as u64,
            known: status.hosts as u64,
        },
        files: status.shared.0.into(),
        kibibytes: status.shared.1.into(),
        searches: status.searches.0 as u64,
        searches_for_leaves: status.searches.1 as u64,
        uploads: load.uploads as u64,
        uploads_waiting: load.waiting as u64,
        traffic: Traffic {
            bytes_in: traffic.bytes_in,
            bytes_out: traffic.bytes_out,
            datagrams_in: traffic.datagrams_in,
            datagrams_out: traffic.datagrams_out,
        },
        counters: counters(&status),
    }
}

fn link(link: &LinkStatus) -> GnutellaLink {
    GnutellaLink {
        address: link.peer.socket_addr(),
        role: role_name(link.role).to_owned(),
        agent: text::line(&link.agent),
        outgoing: link.outgoing,
        deflated_in: link.deflated.0,
        deflated_out: link.deflated.1,
        up_seconds: link.up.as_secs(),
        messages_in: link.messages.0.into(),
        messages_out: link.messages.1.into(),
        bytes_in: link.bytes.0,
        bytes_out: link.bytes.1,
        waiting_bytes: link.waiting.into(),
        table_words: link.table.map(|(words, _)| words),
        table_entries: link.table.map(|(_, entries)| entries),
    }
}

fn counters(status: &Status) -> BTreeMap<String, u64> {
    let metrics = &status.metrics;
    let plain = [
        ("messages given up", metrics.dropped),
        ("duplicates", metrics.duplicates),
        ("queries answered", metrics.answered),
        ("hits passed on", metrics.hits_routed),
        ("without a way back", metrics.no_route),
        ("searches by ultrapeer", metrics.dynamic),
        ("handshakes refused to us", metrics.refused),
    ];
    let mut all: BTreeMap<String, u64> = plain.map(|(name, count)| (name.to_owned(), count)).into();
    for kind in KINDS {
        all.insert(format!("{} received", kind_name(kind)), metrics.received.of(kind));
        all.insert(format!("{} sent", kind_name(kind)), metrics.sent.of(kind));
    }
    for (violation, count) in &status.violations {
        all.insert(format!("! {violation}"), *count);
    }
    all
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Ping => "pings",
        Kind::Pong => "pongs",
        Kind::Query => "queries",
        Kind::QueryHit => "hits",
        Kind::Push => "pushes",
        Kind::Qrp => "route table messages",
        Kind::Vendor => "vendor messages",
        Kind::Bye => "goodbyes",
        Kind::Hsep | Kind::Other(_) => "other messages",
    }
}

/// What it does from now on.
pub(super) fn role_in_words(role: Role) -> &'static str {
    match role {
        Role::Plain => "a plain servent: floods to all its neighbours",
        Role::Leaf => "a leaf: ultrapeers search for it",
        Role::Ultrapeer => "an ultrapeer: searches for its leaves",
    }
}
