//! The state of one virtual node (section 1.4 of the note), kept small: a million share a machine.
//!
//! Invariants: `list` never holds the node itself; `predecessor` once set is only ever replaced; one pending read
//! (`op`); an inactive node owns nothing.

use super::founders::Founding;
use super::list::SuccessorList;
use super::lookup::Fingers;
use super::node::{Entry, Node, Stamp};
use super::small::Small;
use throng_machine::{Deadline, Instant};
use throng_wire::chord::{Claim, Mode, Neighbour, RingId, btw};

/// One position of this host on the ring.
#[derive(Clone, Debug)]
pub(crate) struct Vnode {
    /// Who it is.
    pub node: Node,
    /// How it takes part.
    pub mode: Mode,
    /// Grows with every change between small and ring.
    pub mode_epoch: u32,
    /// Its successors, nearest first.
    pub list: SuccessorList,
    /// Its predecessor; once set only ever replaced.
    pub predecessor: Option<Entry>,
    /// Up to R predecessors, nearest first, as advertised; [0] is the predecessor itself.
    pub predecessors: Vec<Pred>,
    /// What it owns.
    pub claim: Claim,
    /// The highest epoch it ever claimed with.
    pub epoch: u32,
    /// The node whose id is the lower end of what it owns, as last heard.
    pub bound: Option<Pred>,
    /// The range being given to the predecessor, copied first, then switched.
    pub grant: Option<Box<Grant>>,
    /// Its fingers.
    pub fingers: Fingers,
    /// The one pending read.
    pub op: Op,
    /// Stabilise again as soon as the pending read is over.
    pub again: bool,
    /// Notifies that wait for news of the predecessor; at most 8.
    pub notifiers: Vec<Node>,
    /// Digest of the head's view merged last, if it named us its predecessor and the list is as it was then; or 0.
    pub known: u64,
    /// When to stabilise next; none while it is of no ring.
    pub stabilise_at: Option<Instant>,
    /// When to look after head and predecessor next.
    pub heartbeat_at: Option<Instant>,
    /// Length of the list aimed at.
    pub most: u8,
    /// The entry to ping at the next stabilisation.
    pub next_ping: u8,
    /// What others estimated of the ring's size, as log2 in 1/8; the median is used.
    pub estimates: [u8; 4],
    /// Whether the head's list held us at the last stabilisation: the whole ring is seen.
    pub wraps: bool,
    /// When the predecessor last notified us.
    pub notified: Stamp,
    /// Since when it is a member.
    pub since: Stamp,
    /// Whether it knows what it missed while it was away, and so may own something.
    pub ready: bool,
    /// When to look up its own id next.
    pub check_at: Option<Instant>,
    /// What is rare.
    pub rare: Option<Box<Rare>>,
}

/// State only few nodes have at any time.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rare {
    /// Finding a place in a ring.
    pub joining: Option<Joining>,
    /// Beginning a ring together with others.
    pub founding: Option<Founding>,
    /// The table of a small ring.
    pub small: Option<Small>,
    /// Since when more than half of the list is unreachable.
    pub detached: Option<Instant>,
    /// Walking back over predecessors to the owner below an orphaned range: reads so far.
    pub walk: Option<u8>,
    /// The last Switch taken: whose, and its epoch.
    pub switched: Option<(Node, u32)>,
    /// Finding a successor after all have died.
    pub mending: Option<super::mend::Mending>,
    /// Saying goodbye: who has not yet acknowledged.
    pub leaving: Option<Leaving>,
    /// Collapsing into a small ring: names that agreed, and those asked.
    pub collapse: Option<super::small::Collapsing>,
}

/// The way into a ring (2.3 A).
#[derive(Clone, Debug, Default)]
pub(crate) struct Joining {
    /// The transaction under way.
    pub asked: Option<u64>,
    /// Redirects followed on this way.
    pub redirects: u8,
    /// Contacts that failed one after another.
    pub failures: u8,
    /// Which of the candidates is next.
    pub next: usize,
    /// When to begin again.
    pub retry_at: Option<Instant>,
}

/// A goodbye under way (2.3 G).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving {
    /// What is waited for.
    pub stage: LeaveStage,
    /// ... until then at most.
    pub until: Instant,
    /// Acknowledgements outstanding.
    pub acks: u8,
}

/// Stages of a goodbye.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LeaveStage {
    /// The store pushes what would have too few holders.
    HandOver,
    /// Head and predecessor are told.
    Farewell,
    /// Silent, but forwarding.
    Linger,
    /// Gone.
    Gone,
}

/// A neighbour and what it said it owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pred {
    /// Who.
    pub node: Node,
    /// What it owns.
    pub claim: Claim,
}

impl Pred {
    /// As it is sent.
    pub(crate) fn neighbour(&self) -> Neighbour {
        Neighbour { contact: self.node.contact(), claim: self.claim }
    }
}

/// A range on its way to a predecessor: copy, switch, delete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Grant {
    /// Who gets it.
    pub to: Node,
    /// Where it begins, exclusive.
    pub low: RingId,
    /// The claim's epoch after the switch; 0 while copying.
    pub epoch: u32,
    /// While copying: when to switch whatever is missing; afterwards: when to repeat the Switch.
    pub due: Instant,
    /// The Switch under way.
    pub txid: Option<u64>,
    /// Root of the range's digest tree when it was copied; zeros if the copy took too long.
    pub digest: [u8; 16],
}

/// The one pending read (2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Op {
    /// None.
    #[default]
    Idle,
    /// The head's state.
    AwaitHead {
        /// Whose.
        head: Node,
        /// The request.
        txid: u64,
    },
    /// The state of the head's predecessor, who may be our successor.
    AwaitCand {
        /// The head at that time.
        head: Node,
        /// Whose.
        cand: Node,
        /// The request.
        txid: u64,
    },
}

impl Vnode {
    /// A virtual node of no ring.
    pub(crate) fn new(node: Node, most: u8) -> Vnode {
        Vnode {
            node,
            mode: Mode::Joining,
            mode_epoch: 0,
            list: SuccessorList::default(),
            predecessor: None,
            predecessors: Vec::new(),
            claim: Claim::Inactive,
            epoch: 0,
            bound: None,
            grant: None,
            fingers: Fingers::default(),
            op: Op::Idle,
            again: false,
            notifiers: Vec::new(),
            known: 0,
            stabilise_at: None,
            heartbeat_at: None,
            most,
            next_ping: 0,
            estimates: [0; 4],
            wraps: false,
            notified: Stamp::NEVER,
            since: Stamp::NEVER,
            ready: false,
            check_at: None,
            rare: None,
        }
    }

    /// Its place on the ring.
    pub(crate) fn id(&self) -> RingId {
        self.node.id
    }

    /// Whether it is of a ring and may be spoken to as such.
    pub(crate) fn is_member(&self) -> bool {
        matches!(self.mode, Mode::Solo | Mode::Small | Mode::Ring)
    }

    /// Its first successor.
    pub(crate) fn head(&self) -> Option<Entry> {
        self.list.head()
    }

    /// Whether it has said goodbye: it only forwards what reaches it still, and is of no ring.
    pub(crate) fn is_gone(&self) -> bool {
        self.leaving().is_some_and(|stage| matches!(stage, LeaveStage::Linger | LeaveStage::Gone))
    }

    /// Whether it keeps its place no longer: head and predecessor are being told, or know.
    pub(crate) fn is_parting(&self) -> bool {
        self.leaving().is_some_and(|stage| stage != LeaveStage::HandOver)
    }

    fn leaving(&self) -> Option<LeaveStage> {
        self.rare.as_ref()?.leaving.map(|leaving| leaving.stage)
    }

    /// The rare part, made if need be.
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Everything known of a node: list and predecessor; fingers are their own matter.
    pub(crate) fn entry(&self, node: &Node) -> Option<Entry> {
        self.list.find(node).or(self.predecessor.filter(|entry| entry.node == *node))
    }

    /// A predecessor is dead: what it owned goes to the one after it (O4), whether that tells us of it or is dead as well.
    pub(crate) fn bridge(&mut self, gone: &Node) {
        let me = self.id();
        let dead = self.predecessors.iter().find(|pred| pred.node == *gone).map(|pred| pred.claim);
        let Some(lower) = dead.and_then(|claim| claim.low()).filter(|low| btw(me, *low, gone.id)) else {
            return;
        };
        for above in self.predecessors.iter_mut().chain(self.bound.as_mut()) {
            if let Claim::Active { low, .. } = &mut above.claim
                && *low == gone.id
            {
                *low = lower;
            }
        }
    }

    /// When it wants to act next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.stabilise_at).at(self.heartbeat_at).at(self.check_at);
        deadline.at(self.grant.as_ref().map(|grant| grant.due));
        if let Some(rare) = &self.rare {
            deadline.at(rare.founding.as_ref().and_then(|founding| founding.retry_at));
            deadline.at(rare.joining.as_ref().and_then(|joining| joining.retry_at));
            deadline.at(rare.small.as_ref().and_then(|small| small.retry_at));
            deadline.at(rare
                .leaving
                .filter(|leaving| leaving.stage != LeaveStage::Gone)
                .map(|leaving| leaving.until));
            deadline.at(rare.detached);
        }
        deadline.earliest()
    }
}
