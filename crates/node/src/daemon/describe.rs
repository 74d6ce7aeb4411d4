//! The ring's machine as the status shows it; the finger table as it is taught.

use super::report::{Finger, Neighbour, Place, RingStatus, Standing, Traffic};
use std::collections::BTreeMap;
use throng_overlay::chord::{Chord, Health, NeighbourStatus, Node, NodeStatus, Status};
use throng_runtime::ring::Ring;
use throng_wire::chord::{Claim, Mode};

/// Bits of an id, and rows of the finger table.
const BITS: u32 = 160;

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
        fingers: fingers(vnode),
    }
}

fn neighbour(node: &Node) -> Neighbour {
    Neighbour { id: node.id.to_string(), index: node.vnode, address: node.endpoint.socket_addr() }
}

/// Row i names the first node that succeeds this one by at least 2^(i-1), of all this one knows; rows that name the same
/// are one. What lookups use has another base, but the fingers of base 2 are among those of base 4.
fn fingers(vnode: &NodeStatus) -> Vec<Finger> {
    let alive = |known: &&NeighbourStatus| known.health == Health::Alive;
    let known = vnode.successors.iter().chain(&vnode.fingers).chain(&vnode.predecessor).filter(alive);
    let mut known: Vec<Node> = known.map(|known| known.node).collect();
    if known.is_empty() {
        return Vec::new();
    }
    known.push(vnode.me);
    let mut rows: Vec<Finger> = Vec::new();
    for i in 1..=BITS {
        let start = vnode.me.id.add_pow(i - 1);
        let Some(node) = known.iter().min_by_key(|node| node.id.minus(start)) else { break };
        match rows.last_mut() {
            Some(row) if row.node.id == node.id.to_string() => row.through = i,
            _ => rows.push(Finger { i, through: i, start: start.to_string(), node: neighbour(node) }),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::Endpoint;
    use throng_overlay::chord::Rtt;
    use throng_wire::chord::RingId;

    fn at(high: u8) -> Node {
        let mut id = RingId::MIN;
        id.0[0] = high;
        Node { id, incarnation: 1, endpoint: Endpoint::v4([10, 0, 0, high], 1), vnode: 0 }
    }

    fn knows(me: u8, others: &[u8]) -> NodeStatus {
        let known =
            |high: &u8| NeighbourStatus { node: at(*high), health: Health::Alive, rtt: Rtt::default() };
        NodeStatus {
            me: at(me),
            mode: Mode::Small,
            successors: others.iter().map(known).collect(),
            predecessor: None,
            fingers: Vec::new(),
            finger_table: Vec::new(),
            claim: Claim::Inactive,
            size: 4.0,
        }
    }

    /// The lecture's ring of 16 positions with nodes 3, 8, 10 and 14; here a position is the highest digit of an id.
    #[test]
    fn the_finger_table_is_the_one_the_lecture_draws() {
        let rows = fingers(&knows(0x30, &[0x80, 0xa0, 0xe0]));
        let shown: Vec<_> =
            rows.iter().map(|row| (row.i, row.through, row.node.address.ip().to_string())).collect();
        let node = |high: u8| format!("10.0.0.{high}");
        // 3+1, 3+2 and 3+4 come to 8 (as does all below), 3+8 comes to 14.
        assert_eq!(shown, [(1, 159, node(0x80)), (160, 160, node(0xe0))]);
        let rows = fingers(&knows(0xa0, &[0xe0, 0x30, 0x80]));
        let shown: Vec<_> =
            rows.iter().map(|row| (row.i, row.through, row.node.address.ip().to_string())).collect();
        // 10+1, 10+2 and 10+4 come to 14, 10+8 = 2 comes to 3.
        assert_eq!(shown, [(1, 159, node(0xe0)), (160, 160, node(0x30))]);
        assert_eq!(rows[1].start, format!("20{}", "0".repeat(38)));
        assert!(fingers(&knows(0x30, &[])).is_empty());
    }
}
