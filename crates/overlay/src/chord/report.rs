//! Copies of the state for checkers and people.

use super::core::Core;
use super::node::{Entry, Health, Node};
use super::view::{FingerRow, NeighbourStatus, NodeStatus, PendingRead, Status, View};
use super::violation::Violation;
use super::vnode::{Op, Vnode};

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
            list: vnode.list.nodes().copied().collect(),
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
            successors: vnode.list.entries().iter().map(neighbour).collect(),
            predecessor: vnode.predecessor.as_ref().map(neighbour),
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
            all.extend(vnode.list.nodes().chain(vnode.fingers.iter().map(|entry| &entry.node)));
            all.extend(vnode.predecessor.as_ref().map(|prdc| prdc.node));
        }
        all.extend(self.passive.contacts.iter().map(|contact| contact.node));
        all.sort_unstable_by_key(|node| node.endpoint);
        all.dedup_by_key(|node| node.endpoint);
        all
    }
}

/// The lecture's table, equal rows together.
fn finger_table(vnode: &Vnode) -> Vec<FingerRow> {
    let mut rows: Vec<FingerRow> = Vec::new();
    for (number, node) in (1u8..).zip(vnode.fingers.lecture(vnode.node.id, vnode.list.entries())) {
        let Some(node) = node else { continue };
        match rows.last_mut().filter(|row| row.node == node) {
            Some(row) => row.last = number,
            None => {
                let start = vnode.node.id.add_pow(u32::from(number) - 1);
                rows.push(FingerRow { first: number, last: number, start, node });
            }
        }
    }
    rows
}

fn neighbour(entry: &Entry) -> NeighbourStatus {
    NeighbourStatus { node: entry.node, health: entry.health, rtt: entry.rtt() }
}
