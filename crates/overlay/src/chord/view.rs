//! A virtual node as a checker or a person sees it: a copy, so that looking changes nothing.

use super::node::{Health, Node, Rtt};
use throng_machine::Endpoint;
use throng_wire::chord::{Claim, Mode, RingId};

/// Everything about one virtual node that the invariants speak of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// Who it is.
    pub me: Node,
    /// How it takes part; a member is Solo, Small or Ring.
    pub mode: Mode,
    /// Grows with every change between small and ring.
    pub mode_epoch: u32,
    /// Its successors, nearest first.
    pub list: Vec<Node>,
    /// Length of the list aimed at.
    pub most: u8,
    /// Its predecessor.
    pub prdc: Option<Node>,
    /// Whether its predecessor was confirmed dead (it is never cleared).
    pub prdc_dead: bool,
    /// What it owns.
    pub claim: Claim,
    /// The node at the lower end of what it owns, if known.
    pub bound: Option<Node>,
    /// The one pending read.
    pub op: PendingRead,
    /// A range on its way to a predecessor: to whom, its lower end, and whether the switch was sent.
    pub grant: Option<(Node, RingId, bool)>,
    /// Notifies that wait for news of the predecessor.
    pub notifiers: Vec<Node>,
    /// Confirmed dead within the last minute.
    pub dead: Vec<Node>,
    /// Members of the small ring and those on their way into it, as far as known, if there is one.
    pub table: Vec<Node>,
    /// Fingers, in no particular order of meaning.
    pub fingers: Vec<Node>,
}

/// The one pending read of section 2.3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PendingRead {
    /// None.
    Idle,
    /// Of the head.
    AwaitHead(Node),
    /// Of the head's predecessor: the head, and whose state is read.
    AwaitCand(Node, Node),
    /// Of a predecessor to be, on the way into a ring.
    AwaitJoin(Node),
}

/// What a person is shown.
#[derive(Clone, PartialEq, Debug)]
pub struct Status {
    /// Our address as others see it.
    pub endpoint: Option<Endpoint>,
    /// This run of the process.
    pub incarnation: u32,
    /// Each virtual node.
    pub vnodes: Vec<NodeStatus>,
    /// Requests under way.
    pub pending: usize,
    /// Factor on time-outs; 1 if this host is well.
    pub health: u8,
    /// What others did wrong, by name; only what happened.
    pub violations: Vec<(&'static str, u32)>,
}

/// What a person is shown of one virtual node.
#[derive(Clone, PartialEq, Debug)]
pub struct NodeStatus {
    /// Who it is.
    pub me: Node,
    /// How it takes part.
    pub mode: Mode,
    /// Its successors.
    pub successors: Vec<NeighbourStatus>,
    /// Its predecessor.
    pub predecessor: Option<NeighbourStatus>,
    /// Its fingers: where each begins, and who it is.
    pub fingers: Vec<NeighbourStatus>,
    /// The finger table of the lecture, equal rows together; empty while nobody else is known.
    pub finger_table: Vec<FingerRow>,
    /// What it owns.
    pub claim: Claim,
    /// Nodes the ring has, as estimated from the distance of the successors.
    pub size: f64,
}

/// Rows of the lecture's finger table that name one node: finger i is the first known that succeeds the node by at least
/// 2^(i-1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FingerRow {
    /// The least i, from 1.
    pub first: u8,
    /// The greatest i, at most 160.
    pub last: u8,
    /// Where finger `first` starts.
    pub start: RingId,
    /// Whom the fingers name.
    pub node: Node,
}

/// What a person is shown of a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighbourStatus {
    /// Who.
    pub node: Node,
    /// Whether it answers.
    pub health: Health,
    /// Its round trip.
    pub rtt: Rtt,
}
