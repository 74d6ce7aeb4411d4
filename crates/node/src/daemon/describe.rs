//! The ring's machine as the status shows it; the finger table as it is taught.

use super::report::{Finger, Neighbour, Place, RingStatus, Standing, Traffic};
use std::collections::BTreeMap;
use throng_overlay::chord::{Chord, FingerRow, Health, Node, NodeStatus, Status};
use throng_runtime::ring::Ring;
use throng_wire::chord::{Claim, Mode};

/// All that a person may want to see.
pub(super) fn ring(ring: &Ring<Chord>, standing: Standing) -> RingStatus {
    let status = ring.look(Chord::status);
    let (traffic, first) = (ring.traffic(), status.vnodes.first());
    RingStatus {
        standing,
        mode: first.map_or("joining", |vnode| mode(vnode.mode)).to_owned(),
        address: status.endpoint.map_or(ring.local_addr(), |endpoint| endpoint.socket_addr()),
        estimated_nodes: first.map_or(0, |vnode| vnode.size.round() as u64),
        nodes: status.vnodes.iter().map(place).collect(),
        traffic: Traffic {
            bytes_in: traffic.bytes_in,
            bytes_out: traffic.bytes_out,
            datagrams_in: traffic.datagrams_in,
            datagrams_out: traffic.datagrams_out,
        },
        counters: counters(ring, &status),
        disk: ring.trouble(),
    }
}

fn counters(ring: &Ring<Chord>, status: &Status) -> BTreeMap<String, u64> {
    let counts = ring.counts();
    let own = [
        ("puts", counts.puts),
        ("gets", counts.gets),
        ("puts and gets failed", counts.failures),
        ("groups of changes on disk", counts.persisted),
        ("groups of changes the disk refused", counts.not_persisted),
        ("requests under way", status.pending as u64),
    ];
    let own = own.into_iter().chain(lookups(ring)).map(|(name, count)| (name.to_owned(), count));
    let wrong = status.violations.iter().map(|(name, count)| (format!("dropped: {name}"), u64::from(*count)));
    own.chain(wrong).collect()
}

fn lookups(ring: &Ring<Chord>) -> [(&'static str, u64); 7] {
    let counts = ring.look(Chord::lookups);
    [
        ("lookups begun", counts.begun),
        ("lookups answered", counts.answered),
        ("lookups unanswered", counts.unanswered),
        ("lookups passed on", counts.passed),
        ("lookups answered as the owner", counts.owned),
        ("lookup hops timed out", counts.timeouts),
        ("lookup answers doubted", counts.doubtful),
    ]
    .map(|(name, count)| (name, u64::from(count)))
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Solo => "solo",
        Mode::Small => "small",
        Mode::Ring => "ring",
        Mode::Joining => "joining",
        Mode::Detached => "detached",
    }
}

fn place(vnode: &NodeStatus) -> Place {
    let successors = vnode.successors.iter().filter(|known| known.health != Health::Dead);
    Place {
        id: vnode.me.id.to_string(),
        index: vnode.me.vnode,
        active: vnode.claim != Claim::Inactive,
        predecessor: vnode.predecessor.as_ref().map(|known| neighbour(&known.node)),
        successors: successors.map(|known| neighbour(&known.node)).collect(),
        fingers: vnode.finger_table.iter().map(finger).collect(),
    }
}

fn neighbour(node: &Node) -> Neighbour {
    Neighbour { id: node.id.to_string(), index: node.vnode, address: node.endpoint.socket_addr() }
}

/// Rows that name the same node are one.
fn finger(row: &FingerRow) -> Finger {
    Finger {
        i: row.first.into(),
        through: row.last.into(),
        start: row.start.to_string(),
        node: neighbour(&row.node),
    }
}
