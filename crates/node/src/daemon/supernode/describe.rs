//! The membership as the status shows it.

use super::SupernodeSystem;
use crate::daemon::report::{SupernodeStatus, SupernodeTransfers, Traffic};
use crate::text;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use throng_overlay::supernode::{Node, Standing, Violation, Violations};

/// All that a person may want to see.
pub(super) fn status(system: &SupernodeSystem) -> SupernodeStatus {
    let (load, traffic) = (system.member.load(), system.member.traffic());
    let shown = |node: &Node| {
        let server = node.server();
        let gauges = server.map(|server| server.gauges()).unwrap_or_default();
        let violations = server.map_or_else(|| node.client().violations(), |server| *server.violations());
        SupernodeStatus {
            standing: system.standing.get(),
            role: if node.standing() == Standing::Super { "supernode" } else { "ordinary" }.into(),
            address: node.address().map_or(system.address, SocketAddr::V4),
            supernode: node.client().supernode().map(SocketAddr::V4),
            ordinary_nodes: gauges.members,
            links: gauges.links,
            files: gauges.files,
            index_bytes: gauges.index_bytes + gauges.digest_bytes,
            supernodes: gauges.supernodes,
            known: node.acquaintances().len(),
            shared: system.published.borrow().len(),
            transfers: SupernodeTransfers {
                uploads: load.uploads,
                waiting: load.waiting,
                downloads: load.fetches,
            },
            traffic: Traffic {
                bytes_in: traffic.bytes_in,
                bytes_out: traffic.bytes_out,
                datagrams_in: traffic.datagrams_in,
                datagrams_out: traffic.datagrams_out,
            },
            counters: counters(&violations),
        }
    };
    system.member.look(shown)
}

fn counters(violations: &Violations) -> BTreeMap<String, u64> {
    let counted = [
        ("unreadable messages", Violation::Unreadable),
        ("too slow", Violation::TooSlow),
        ("too many connections", Violation::Crowd),
        ("floods of messages", Violation::Flood),
        ("did not read", Violation::SlowReader),
        ("too many files", Violation::TooManyFiles),
        ("storms of searches", Violation::QueryStorm),
        ("spoke as a supernode", Violation::NotItsRole),
        ("answers nobody asked for", Violation::Unasked),
        ("answers that were none", Violation::FalseAnswer),
        ("not where they said", Violation::NotReachable),
        ("addresses that must not be called", Violation::Address),
        ("queries sent twice", Violation::Repeated),
    ];
    counted.into_iter().map(|(name, kind)| (text::line(name), violations.count(kind))).collect()
}
