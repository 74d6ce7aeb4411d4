//! Copies of the state for checkers and people.

use super::core::Core;
use super::node::{Entry, Health, Node};
use super::view::{FingerRow, NeighbourStatus, NodeStatus, PendingRead, Status, View};
use super::violation::Violation;
use super::vnode::{Op, Vnode};
use throng_wire::chord::own;

impl Core {
    /// A virtual node as the invariants see it.
    pub(crate) fn view(&self, vnode: &Vnode) -> View {
        let rare = vnode.rare.as_deref();
        let joining = rare.and_then(|rare| rare.joining.as_ref()?.asked);
        let op = match vnode.op {
            Op::AwaitHead { head, .. } => PendingRead::AwaitHead(head),
            Op::AwaitCand { head, cand, .. } => PendingRead::AwaitCand(head, cand),
            Op::Idle => {
                let asked = joining.and_then(|txid| self.rpc.find(txid));
                asked.map_or(PendingRead::Idle, |asked| PendingRead::AwaitJoin(asked.to))
            }
        };
        View {
            me: vnode.node,
            mode: vnode.mode,
            mode_epoch: vnode.mode_epoch,
            list: vnode.list.nodes().collect(),
            most: vnode.most,
            prdc: vnode.predecessor.as_ref().map(|prdc| prdc.node),
            prdc_dead: vnode.predecessor.as_ref().is_some_and(|prdc| prdc.health == Health::Dead),
            claim: vnode.claim,
            bound: vnode.bound.map(|bound| bound.node),
            op,
            grant: vnode.grant.as_ref().map(|grant| (grant.to, grant.low, grant.epoch != 0)),
            notifiers: vnode.notifiers.clone(),
            dead: self.detector.graves().copied().collect(),
            table: rare
                .and_then(|rare| rare.small.as_ref())
                .map(|small| small.live().collect())
                .unwrap_or_default(),
            fingers: vnode.fingers.iter().map(|entry| entry.node).collect(),
        }
    }

    /// What a person is shown.
    pub(crate) fn status(&self) -> Status {
        let name = |violation: &Violation| (violation.name(), self.violations.of(*violation));
        Status {
            endpoint: self.endpoint,
            incarnation: self.incarnation,
            vnodes: (0..self.vnodes.len()).map(|at| self.node_status(at)).collect(),
            pending: self.rpc.len(),
            health: self.detector.factor(),
            violations: Violation::ALL.iter().map(name).filter(|(_, count)| *count > 0).collect(),
        }
    }

    fn node_status(&self, at: usize) -> NodeStatus {
        let vnode = &self.vnodes[at];
        NodeStatus {
            me: vnode.node,
            mode: vnode.mode,
            successors: vnode.list.entries().map(neighbour).collect(),
            predecessor: vnode.predecessor.map(neighbour),
            fingers: vnode.fingers.iter().map(neighbour).collect(),
            finger_table: finger_table(vnode),
            claim: vnode.claim,
            size: self.estimate(at),
        }
    }

    /// Every node this host knows by name, for whoever wants to find the ring again after a restart.
    pub(crate) fn acquaintances(&self) -> Vec<Node> {
        let mut all: Vec<Node> = Vec::new();
        for vnode in &self.vnodes {
            all.extend(vnode.list.nodes().chain(vnode.fingers.iter().map(|entry| entry.node)));
            all.extend(vnode.predecessor.as_ref().map(|prdc| prdc.node));
        }
        all.extend(self.passive.contacts.iter().map(|contact| contact.node));
        all.sort_unstable_by_key(|node| node.endpoint);
        all.dedup_by_key(|node| node.endpoint);
        all
    }
}

/// The lecture's table, equal rows together; nothing while nobody else is known.
fn finger_table(vnode: &Vnode) -> Vec<FingerRow> {
    let mut rows: Vec<FingerRow> = Vec::new();
    let prdc = vnode.predecessor.as_ref().filter(|prdc| prdc.health == Health::Alive).map(|prdc| prdc.node);
    if vnode.list.is_empty() && prdc.is_none() {
        return rows;
    }
    for (number, node) in (1u8..).zip(vnode.fingers.lecture(vnode.node.id, &vnode.list)) {
        let start = vnode.node.id.add_pow(u32::from(number) - 1);
        // Beyond the last we look forward to there is only our predecessor, and then ourselves.
        let beyond = prdc.filter(|prdc| own(start, prdc.id, vnode.node.id)).unwrap_or(vnode.node);
        let node = node.unwrap_or(beyond);
        match rows.last_mut().filter(|row| row.node == node) {
            Some(row) => row.last = number,
            None => rows.push(FingerRow { first: number, last: number, start, node }),
        }
    }
    rows
}

fn neighbour(entry: Entry) -> NeighbourStatus {
    NeighbourStatus { node: entry.node, health: entry.health, rtt: entry.rtt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::Endpoint;
    use throng_wire::chord::RingId;

    /// A node at a position of the lecture's ring of 16, the highest digit of its id.
    fn at(position: u8) -> Node {
        let mut id = RingId::MIN;
        id.0[0] = position << 4;
        Node { id, incarnation: 1, endpoint: Endpoint::v4([10, 0, 0, position], 1), vnode: 0 }
    }

    fn table(me: u8, others: &[u8]) -> Vec<(u8, u8, u8)> {
        let mut vnode = Vnode::new(at(me), 8);
        vnode.list.merge(at(me).id, others.iter().map(|position| at(*position)), 8);
        let position = |node: &Node| node.id.0[0] >> 4;
        finger_table(&vnode).iter().map(|row| (row.first, row.last, position(&row.node))).collect()
    }

    #[test]
    fn the_finger_table_is_the_one_the_lecture_draws() {
        // Nodes 3, 8, 10 and 14: 3+1, 3+2 and 3+4 come to 8, as does all below, 3+8 comes to 14.
        assert_eq!(table(3, &[8, 10, 14]), [(1, 159, 8), (160, 160, 14)]);
        // 10+1, 10+2 and 10+4 come to 14, 10+8 = 2 comes to 3.
        assert_eq!(table(10, &[14, 3, 8]), [(1, 159, 14), (160, 160, 3)]);
        // 3+8 comes past 8 and round to 3 itself.
        assert_eq!(table(3, &[8]), [(1, 159, 8), (160, 160, 3)]);
        assert_eq!(table(3, &[]), []);
    }
}
