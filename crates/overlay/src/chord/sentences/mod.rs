//! One test for each sentence of section 2.3 that a single node can be held to: a member of a large ring with a list
//! given by hand, spoken to by scripted neighbours.

mod bounds;
mod maintenance;
mod ownership;

use super::core::Life;
use super::maintenance::Call;
use super::node::{Entry, Node};
use super::rpc::Purpose;
use super::vnode::{Op, Pred};
use super::{Chord, Config, Host};
use std::sync::Arc;
use std::time::Duration;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, SplitMix64};
use throng_wire::chord::{self as wire, Claim, Datagram, Flags, Header, IdRule, List, Message, Mode};

/// Hosts in the order of their ids, ours the first.
fn order() -> Vec<Node> {
    let at = |port| Node::new(IdRule::Open, Endpoint::v4([10, 0, 0, 9], port), 0, 1).expect("an open id");
    let mut all: Vec<Node> = (1..=8).map(at).collect();
    all.sort_unstable_by_key(|node| node.id);
    all
}

/// A member whose list is these of [`order`], whose predecessor is the last.
struct Member {
    probe: Probe<Chord>,
    all: Vec<Node>,
}

impl Member {
    fn new(list: &[usize], r: u8) -> Member {
        let all = order();
        let config = Config { successors: Some(r), vnodes: 1, ..Config::default() };
        let mut probe = Probe::new(Chord::new(Arc::new(config), &Host::at(all[0].endpoint, 1)));
        probe.advance(Duration::from_secs(1));
        let now = probe.now;
        let core = probe.machine.core_mut();
        core.life = Life::Running;
        let vnode = &mut core.vnodes[0];
        (vnode.mode, vnode.claim, vnode.epoch) = (Mode::Ring, Claim::Active { low: all[7].id, epoch: 1 }, 1);
        vnode.list.replace(all[0].id, list.iter().map(|at| all[*at]), usize::from(r));
        vnode.list.update_all(|entry| entry.on_heard(None, now));
        let mut prdc = Entry::hearsay(all[7]);
        prdc.on_heard(None, now);
        let claim = Claim::Active { low: all[6].id, epoch: 1 };
        vnode.predecessor = Some(prdc);
        vnode.predecessors = vec![Pred { node: all[7], claim }];
        vnode.bound = Some(Pred { node: all[7], claim });
        Member { probe, all }
    }

    fn list(&self) -> Vec<usize> {
        let view = self.probe.machine.view(0).expect("one virtual node");
        view.list.iter().map(|node| self.all.iter().position(|known| known == node).expect("known")).collect()
    }

    fn prdc(&self) -> Option<usize> {
        let view = self.probe.machine.view(0).expect("one virtual node");
        self.all.iter().position(|known| Some(*known) == view.prdc)
    }

    /// A message of another, with a token that proves its address unless it is to be unproved.
    fn say(&mut self, from: usize, txid: u64, proved: bool, message: &Message<'_>) -> Vec<Out> {
        self.say_as(from, (txid, proved, Flags::default()), message)
    }

    fn say_flagged(&mut self, from: usize, txid: u64, flags: Flags, message: &Message<'_>) -> Vec<Out> {
        self.say_as(from, (txid, true, flags), message)
    }

    fn say_as(
        &mut self,
        from: usize,
        (txid, proved, flags): (u64, bool, Flags),
        message: &Message<'_>,
    ) -> Vec<Out> {
        let endpoint = self.all[from].endpoint;
        let now = self.probe.now;
        let core = self.probe.machine.core_mut();
        let token = if proved { core.proofs.token(endpoint, now, &mut SplitMix64::new(5)) } else { 0 };
        let (source, destination, incarnation) = (0, 0, 1);
        let header = Header { net_id: 0, txid, source, destination, flags, incarnation, token };
        let mut bytes = Vec::new();
        Datagram { header, message: *message }.encode(&mut bytes).expect("it has an encoding");
        self.probe.datagram(endpoint, &bytes)
    }

    fn notify(&mut self, from: usize, claim: Claim) -> Vec<Out> {
        self.say(from, 7, true, &Message::Notify(wire::Notify { claim, plist: List::default() }))
    }

    /// Answers the pending read with a view.
    fn state(&mut self, from: usize, prdc: usize, list: &[usize]) -> Vec<Out> {
        let txid = match self.probe.machine.core_mut().vnodes[0].op {
            Op::AwaitHead { txid, .. } | Op::AwaitCand { txid, .. } => txid,
            Op::Idle => 0,
        };
        self.tell_state((from, txid), Claim::Inactive, prdc, list)
    }

    /// The transaction of a request of ours.
    fn asked(&mut self, who: usize, call: Call) -> Option<u64> {
        let core = self.probe.machine.core_mut();
        let matching = |pending: &&super::rpc::Pending| {
            pending.to == self.all[who] && pending.purpose == Purpose::Ring(call)
        };
        core.rpc.iter().find(matching).map(|pending| pending.txid)
    }

    fn tell_state(
        &mut self,
        (from, txid): (usize, u64),
        claim: Claim,
        prdc: usize,
        list: &[usize],
    ) -> Vec<Out> {
        let contacts: Vec<_> = list.iter().map(|at| self.all[*at].contact()).collect();
        let view = wire::View {
            prdc: Some(self.all[prdc].contact()),
            claim,
            mode: Mode::Ring,
            mode_epoch: 1,
            r: 3,
            n_est: 8,
            plist: List::default(),
            skip: 0,
            total: contacts.len() as u8,
            list: List::new(&contacts),
        };
        self.say(from, txid, true, &Message::State(wire::State { digest: 9, view: Some(view) }))
    }

    fn stabilise(&mut self) -> Vec<Out> {
        let outs = self.probe.call(|machine, cx| machine.core_mut().stabilise(cx, 0));
        self.settle();
        outs
    }

    /// The state was changed behind the machine's back: any input makes it look at its deadline again.
    fn settle(&mut self) {
        self.probe.datagram(Endpoint::v4([192, 0, 2, 1], 1), b"");
    }

    fn dies(&mut self, who: usize) -> Vec<Out> {
        let node = self.all[who];
        let outs = self.probe.call(|machine, cx| machine.core_mut().on_dead(cx, &node));
        self.settle();
        outs
    }

    /// Names of the messages sent, and to whom.
    fn sent(&self, outs: &[Out]) -> Vec<(&'static str, usize)> {
        let read = |out: &Out| match out {
            Out::Send(to, bytes) => {
                let who = self.all.iter().position(|node| node.endpoint == *to)?;
                Some((Datagram::decode(bytes).ok()?.message.name(), who))
            }
            _ => None,
        };
        outs.iter().filter_map(read).collect()
    }
}

/// Who has just joined.
const JOINER: Claim = Claim::Inactive;
