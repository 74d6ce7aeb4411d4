//! What all parts of the machine share: the virtual nodes, the requests under way, proofs and counters, and how
//! messages are sent. The ring's own behaviour is in further `impl Core` blocks, one file a subject.

use super::Instant;
use super::config::{Config, Host};
use super::detector::Detector;
use super::guard::Guard;
use super::merge::Merging;
use super::node::{Node, Rtt};
use super::notice::Notice;
use super::outside::Outside;
use super::passive::Passive;
use super::proof::Proofs;
use super::rpc::Rpc;
use super::violation::{Violation, Violations};
use super::vnode::Vnode;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_wire::chord::Header;

/// Where the machine is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// Not started.
    Idle,
    /// A member, or on its way to be one.
    Running,
    /// Saying goodbye.
    Leaving,
    /// Gone.
    Left,
}

/// The state all parts share.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    /// How the ring is run.
    pub config: Arc<Config>,
    /// Where others reach us; learnt if not configured.
    pub endpoint: Option<Endpoint>,
    /// This run of the process.
    pub incarnation: u32,
    /// Seconds since 1970 at the driver's epoch.
    pub clock: u64,
    /// Where the machine is in its life.
    pub life: Life,
    /// The virtual nodes; the first has index 0.
    pub vnodes: Vec<Vnode>,
    /// Requests under way.
    pub rpc: Rpc,
    /// Tokens given and held.
    pub proofs: Proofs,
    /// News not yet delivered.
    pub notices: VecDeque<Notice>,
    /// Suspicions, confirmations, local health.
    pub detector: Detector,
    /// Old and foreign contacts.
    pub passive: Passive,
    /// Merges with other rings.
    pub merging: Merging,
    /// Rates of strangers.
    pub guard: Guard,
    /// What others did wrong.
    pub violations: Violations,
    /// Where the application told us to begin.
    pub bootstrap: Vec<Endpoint>,
    /// Doubts about our address, if there ever were any.
    pub outside: Option<Box<Outside>>,
    /// Datagrams between virtual nodes of this host.
    pub loopback: VecDeque<Box<[u8]>>,
    /// When the next virtual node may join, once the first is settled.
    pub next_vnode: Option<Instant>,
}

/// Who sent a message, to which of our virtual nodes, and whether the address is proved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// The sender; its id follows from the datagram's source.
    pub from: Node,
    /// The receiver, as a position in `Core::vnodes`.
    pub at: usize,
    /// The header.
    pub header: Header,
    /// A valid token was shown, or it answers a request of ours.
    pub proved: bool,
    /// For an answer: the round trip, unless a retransmission makes it ambiguous.
    pub sample: Option<Duration>,
}

impl Core {
    /// A machine of no ring.
    pub(crate) fn new(config: Arc<Config>, host: &Host) -> Core {
        let mut core = Core {
            config,
            endpoint: None,
            incarnation: host.incarnation,
            clock: host.clock,
            life: Life::Idle,
            vnodes: Vec::new(),
            rpc: Rpc::default(),
            proofs: Proofs::default(),
            notices: VecDeque::new(),
            detector: Detector::default(),
            passive: Passive::default(),
            merging: Merging::default(),
            guard: Guard::default(),
            violations: Violations::default(),
            bootstrap: Vec::new(),
            outside: None,
            loopback: VecDeque::new(),
            next_vnode: None,
        };
        if let Some(endpoint) = host.endpoint {
            core.settle_at(endpoint);
        }
        core
    }

    /// From now on our address is this one; the first virtual node gets its id.
    pub(crate) fn settle_at(&mut self, endpoint: Endpoint) {
        self.endpoint = Some(endpoint);
        let node = Node::new(self.config.id_rule, endpoint, 0, self.incarnation);
        // Room for exactly one: a million hosts share a machine, and a vector that is pushed to makes room for four.
        let mut vnodes = Vec::with_capacity(1);
        vnodes.extend(node.map(|node| Vnode::new(node, self.config.successors.unwrap_or(16))));
        self.vnodes = vnodes;
    }

    /// The position of our virtual node of that index.
    pub(crate) fn position(&self, index: u8) -> Option<usize> {
        self.vnodes.iter().position(|vnode| vnode.node.vnode == index)
    }

    /// Seconds since 1970.
    pub(crate) fn unix_time(&self, now: Instant) -> u64 {
        self.clock.saturating_add(now.as_micros() / 1_000_000)
    }

    /// Counts a violation.
    pub(crate) fn blame(&mut self, violation: Violation) {
        self.violations.count(violation);
    }

    /// The node a contact means, unless it is one of ours or impossible.
    pub(crate) fn stranger(&self, contact: &throng_wire::chord::Contact) -> Option<Node> {
        let node = Node::of(self.config.id_rule, contact)?;
        (!self.vnodes.iter().any(|vnode| vnode.node.id == node.id)).then_some(node)
    }

    /// What is known of the round trip to a node, over all tables.
    pub(crate) fn rtt(&self, node: &Node) -> Rtt {
        let known = |vnode: &Vnode| {
            let finger = || vnode.fingers.find(node);
            vnode.entry(node).or_else(finger).map(|entry| entry.rtt()).filter(|rtt| rtt.smoothed().is_some())
        };
        self.vnodes.iter().find_map(known).unwrap_or_default()
    }

    /// How long the first send to a node is waited for, local health included.
    pub(crate) fn rto(&self, node: &Node) -> Duration {
        self.rtt(node).rto(&self.config) * u32::from(self.detector.factor())
    }
}
