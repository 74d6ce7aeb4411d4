//! Tables compared with a random member's, part by part, so that what news missed is found.
//!
//! The one that asks sends hashes, of the whole first; the other answers with its hashes of the sixteen parts of a part
//! that differs, or with its members where they are few. What either lacks is taken in, unless it died.

use super::super::super::core::{Core, Received};
use super::super::super::node::Node;
use super::super::super::rpc::Purpose;
use super::super::{Call, Context, Lookups};
use super::speaker;
use throng_wire::chord::{
    Change, Contact, Contacts, Events, List, Message, Prefix, RingId, TableDigest, TableDigestAck, TreeNode,
};

/// Members of a part that is told in full.
const LEAF: u32 = 40;
/// Hashes of one message.
const MOST_HASHES: usize = 40;
/// Members of one message, and with hashes; an IPv6 contact is as long as a hash.
const MOST_MEMBERS: usize = 40;
const MOST_ENTRIES: usize = 44;
/// Messages of one comparison.
const MOST_STEPS: u8 = 12;

/// A comparison under way.
#[derive(Clone, Debug)]
pub(super) struct Comparing {
    with: Node,
    /// Parts asked.
    parts: Vec<Prefix>,
    /// Parts to be asked yet.
    later: Vec<Prefix>,
    steps: u8,
}

impl Lookups {
    /// Begins to compare with a member at random.
    pub(super) fn compare(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let every = core.config.timers.table_digest;
        let Some(full) = &mut self.table.full else { return };
        full.compare_at = cx.now() + every.mul_f64(0.8 + f64::from(cx.rng().below(1_000)) / 2_500.0);
        full.comparing = None;
        let Some(at) = speaker(core).filter(|_| full.cursor.is_none()) else { return };
        let mut key = RingId::MIN;
        cx.rng().fill(&mut key.0);
        let ours = |node: &Node| core.vnodes.iter().any(|vnode| vnode.node.id == node.id);
        let Some(with) = full.roster.from(key).find(|node| !ours(node)) else { return };
        full.comparing = Some(Comparing { with, parts: Vec::new(), later: vec![Prefix::ROOT], steps: 0 });
        self.compare_on(core, at, cx);
    }

    /// Asks about the parts that are left.
    fn compare_on(&mut self, core: &mut Core, at: usize, cx: &mut Context<'_>) {
        let Some(full) = &mut self.table.full else { return };
        let Some(comparing) = full.comparing.as_mut() else { return };
        comparing.steps += 1;
        if comparing.later.is_empty() || comparing.steps > MOST_STEPS {
            full.comparing = None;
            return;
        }
        let many = comparing.later.len().min(MOST_HASHES);
        comparing.parts = comparing.later.drain(..many).collect();
        let hash = |part: &Prefix| {
            let (count, hash) = full.roster.hash(*part);
            TreeNode { prefix: *part, count, hash }
        };
        let nodes: Vec<TreeNode> = comparing.parts.iter().map(hash).collect();
        let message = Message::TableDigest(TableDigest { nodes: List::new(&nodes) });
        if core.call(cx, (at, comparing.with), Purpose::Lookup(Call::Digest), &message).is_none() {
            full.comparing = None;
        }
    }

    /// Somebody compares its table with ours.
    pub(super) fn on_digest(
        &mut self,
        core: &mut Core,
        from: &Received,
        digest: &TableDigest<'_>,
        cx: &mut Context<'_>,
    ) {
        let (mut nodes, mut members) = (Vec::new(), Vec::new());
        if let Some(full) = self.table.full.as_ref().filter(|full| full.cursor.is_none()) {
            for theirs in digest.nodes.iter().take(MOST_HASHES) {
                let (count, hash) = full.roster.hash(theirs.prefix);
                if hash == theirs.hash {
                    continue;
                }
                if count <= LEAF {
                    if members.len() + nodes.len() + count as usize > MOST_ENTRIES {
                        break;
                    }
                    let part = full.roster.range(theirs.prefix.first(), theirs.prefix.last());
                    members.extend(part.map(|node| node.contact()));
                } else if nodes.len() + members.len() + 16 <= MOST_ENTRIES {
                    let children = (0..16).filter_map(|digit| theirs.prefix.child(digit));
                    nodes.extend(children.map(|prefix| {
                        let (count, hash) = full.roster.hash(prefix);
                        TreeNode { prefix, count, hash }
                    }));
                }
            }
        }
        let ack = TableDigestAck { nodes: List::new(&nodes), members: Contacts::new(&members) };
        core.reply(cx, from, &Message::TableDigestAck(ack));
    }

    /// What differs.
    pub(super) fn on_digest_ack(
        &mut self,
        core: &mut Core,
        from: &Received,
        ack: &TableDigestAck<'_>,
        cx: &mut Context<'_>,
    ) {
        let most = core.config.one_hop.off as usize * 2;
        let Some(full) = &mut self.table.full else { return };
        let Some(comparing) = full.comparing.as_mut().filter(|comparing| comparing.with == from.from) else {
            return;
        };
        let differs = |node: &TreeNode| full.roster.hash(node.prefix).1 != node.hash;
        comparing.later.extend(ack.nodes.iter().filter(differs).map(|node| node.prefix).take(MOST_HASHES));
        let theirs: Vec<Contact> = ack.members.to_vec();
        let theirs: Vec<Node> =
            theirs.iter().filter_map(|contact| Node::of(core.config.id_rule, contact)).collect();
        let mut news: Vec<Change> = Vec::new();
        let parts = comparing.parts.clone();
        for part in parts {
            let told: Vec<Node> = theirs.iter().filter(|node| part.covers(node.id)).copied().collect();
            if told.is_empty() {
                continue;
            }
            let ours = full.roster.range(part.first(), part.last());
            let lacked = ours.filter(|node| !told.contains(node));
            news.extend(lacked.map(|node| Change { contact: node.contact(), alive: true, ttl: 1 }));
            for node in told.iter().filter(|node| core.stranger(&node.contact()).is_some()) {
                let dead = full.dead.iter().any(|(dead, _)| dead == node);
                if dead {
                    news.push(Change { contact: node.contact(), alive: false, ttl: 1 });
                } else {
                    full.come(*node, most);
                }
            }
        }
        news.truncate(MOST_MEMBERS);
        if !news.is_empty() {
            core.tell(cx, (from.at, from.from), &Message::Events(Events { changes: List::new(&news) }));
        }
        self.compare_on(core, from.at, cx);
        self.table.consolidate();
    }
}
