//! One test for each sentence of section 2.3 that a single node can be held to: a member of a large ring with a list
//! given by hand, spoken to by scripted neighbours.

use super::core::Life;
use super::node::{Entry, Health, Node};
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
        vnode.list.iter_mut().for_each(|entry| entry.on_heard(None, now));
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
        let endpoint = self.all[from].endpoint;
        let now = self.probe.now;
        let core = self.probe.machine.core_mut();
        let token = if proved { core.proofs.token(endpoint, now, &mut SplitMix64::new(5)) } else { 0 };
        let (source, destination, flags, incarnation) = (0, 0, Flags::default(), 1);
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
        let contacts: Vec<_> = list.iter().map(|at| self.all[*at].contact()).collect();
        let view = wire::View {
            prdc: Some(self.all[prdc].contact()),
            claim: Claim::Inactive,
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

#[test]
fn b_reads_the_heads_state_once_at_a_time() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let outs = member.stabilise();
    assert!(member.sent(&outs).contains(&("GetState", 2)));
    let again = member.stabilise();
    assert!(!member.sent(&again).iter().any(|(name, _)| *name == "GetState"), "one pending read");
}

#[test]
fn b1_merges_the_heads_list_keeps_what_it_lacks_and_pings_it() {
    let mut member = Member::new(&[2, 4, 6], 3);
    member.stabilise();
    member.probe.advance(Duration::from_secs(3));
    member.stabilise();
    let outs = member.state(2, 0, &[3, 6, 7]);
    assert_eq!(member.list(), [2, 3, 4], "the union, nearest first, cut to r");
    assert!(member.sent(&outs).contains(&("Ping", 4)), "contested");
    assert!(member.sent(&outs).contains(&("Notify", 2)));
}

#[test]
fn c_never_adopts_a_candidate_that_has_not_spoken_for_itself() {
    let mut member = Member::new(&[2, 4, 6], 3);
    member.stabilise();
    let outs = member.state(2, 1, &[4, 6]);
    assert_eq!(member.list(), [2, 4, 6], "hearsay");
    assert_eq!(member.sent(&outs), [("GetState", 1)]);
    let outs = member.state(1, 0, &[2, 4]);
    assert_eq!(member.list(), [1, 2, 4]);
    assert_eq!(member.sent(&outs), [("Notify", 1)]);
}

#[test]
fn c2_a_dead_candidate_leaves_the_list_and_the_head_is_notified() {
    let mut member = Member::new(&[2, 4, 6], 3);
    member.stabilise();
    member.state(2, 1, &[4, 6]);
    let outs = member.dies(1);
    assert_eq!(member.list(), [2, 4, 6]);
    assert!(member.sent(&outs).contains(&("Notify", 2)));
}

#[test]
fn b2_a_dead_head_is_dropped_and_the_next_read_without_being_notified_unseen() {
    let mut member = Member::new(&[2, 4, 6], 3);
    member.stabilise();
    member.dies(2);
    let outs = member.probe.advance(Duration::from_millis(1));
    assert_eq!(member.list(), [4, 6]);
    let sent = member.sent(&outs);
    assert!(sent.contains(&("GetState", 4)));
    assert!(
        !sent.iter().any(|(name, _)| *name == "Notify"),
        "no notification before a live head has answered"
    );
}

#[test]
fn b3_a_late_answer_of_one_who_is_head_no_more_is_discarded() {
    let mut member = Member::new(&[2, 4, 6], 3);
    member.stabilise();
    let node = member.all[1];
    member.probe.call(|machine, cx| assert!(machine.core_mut().insert(cx, 0, &node)));
    member.state(2, 0, &[3, 5, 7]);
    assert_eq!(member.list(), [1, 2, 4]);
}

#[test]
fn d_a_nearer_predecessor_is_taken_unchecked_and_the_old_one_nudged() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let first = member.all[6];
    member.probe.call(|machine, cx| machine.core_mut().set_predecessor(cx, 0, first));
    let outs = member.notify(7, JOINER);
    assert_eq!(member.prdc(), Some(7));
    assert!(member.sent(&outs).contains(&("NotifyAck", 7)));
    assert!(member.sent(&outs).contains(&("Nudge", 6)));
}

#[test]
fn d_a_farther_one_is_taken_only_when_the_predecessor_is_confirmed_dead() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let outs = member.notify(5, JOINER);
    assert_eq!(member.prdc(), Some(7));
    assert!(member.sent(&outs).contains(&("Ping", 7)));
    member.dies(7);
    assert_eq!(member.prdc(), Some(5), "it waited");
}

#[test]
fn d_a_predecessor_once_set_is_never_cleared() {
    let mut member = Member::new(&[2, 4, 6], 3);
    member.dies(7);
    let vnode = &member.probe.machine.core_mut().vnodes[0];
    assert!(vnode.predecessor.is_some_and(|prdc| prdc.health == Health::Dead));
    assert_eq!(member.prdc(), Some(7));
}

#[test]
fn d_an_unproved_notify_changes_nothing_and_is_challenged() {
    let mut member = Member::new(&[2, 4, 6], 3);
    member.dies(7);
    let notify = Message::Notify(wire::Notify { claim: Claim::Inactive, plist: List::default() });
    let outs = member.say(5, 7, false, &notify);
    assert_eq!(member.sent(&outs), [("Challenge", 5)]);
    assert_eq!(member.prdc(), Some(7));
}

#[test]
fn e_a_suspect_is_never_dropped() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let node = member.all[4];
    member.probe.call(|machine, cx| machine.core_mut().probe(cx, 0, &node));
    member.settle();
    member.probe.advance(Duration::from_millis(1_760));
    let vnode = &member.probe.machine.core_mut().vnodes[0];
    assert_eq!(vnode.list.find(&node).map(|entry| entry.health), Some(Health::Suspect));
    assert_eq!(member.list(), [2, 4, 6]);
}

#[test]
fn f_nobody_is_inserted_beyond_the_last_entry() {
    let mut member = Member::new(&[2, 4], 3);
    for (who, inserted) in [(6, false), (3, true), (3, false)] {
        let node = member.all[who];
        let mut done = false;
        member.probe.call(|machine, cx| done = machine.core_mut().insert(cx, 0, &node));
        assert_eq!(done, inserted, "{who}");
    }
    assert_eq!(member.list(), [2, 3, 4]);
}

#[test]
fn g_the_leave_of_the_predecessor_hands_its_range_and_its_place_on() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let claim = Claim::Active { low: member.all[6].id, epoch: 1 };
    let prdc = Some(member.all[6].contact());
    let outs = member.say(7, 3, true, &Message::Leave(wire::Leave { prdc, claim, list: List::default() }));
    assert_eq!(member.prdc(), Some(6));
    assert!(member.sent(&outs).contains(&("LeaveAck", 7)));
    assert!(member.sent(&outs).contains(&("Ping", 6)), "known from the one that left only");
    let view = member.probe.machine.view(0).expect("one virtual node");
    assert_eq!(view.claim.low(), Some(member.all[6].id), "O4, by message");
}

#[test]
fn g_the_leave_of_the_head_leaves_its_list_behind() {
    let mut member = Member::new(&[2], 1);
    let list = [member.all[3].contact()];
    let leave = wire::Leave { prdc: None, claim: Claim::Inactive, list: List::new(&list) };
    member.say(2, 3, true, &Message::Leave(leave));
    assert_eq!(member.list(), [3]);
}

#[test]
fn o3_an_active_node_between_takes_its_part_at_once_and_o2_gives_a_joiner_its_part_after_the_copy() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let low = member.all[5].id;
    let vnode = &mut member.probe.machine.core_mut().vnodes[0];
    (vnode.claim, vnode.bound, vnode.predecessor) = (Claim::Active { low, epoch: 1 }, None, None);
    vnode.predecessors.clear();
    member.notify(6, Claim::Active { low, epoch: 4 });
    let claim = |member: &Member| member.probe.machine.view(0).and_then(|view| view.claim.low());
    assert_eq!(claim(&member), Some(member.all[6].id), "O3");
    member.notify(7, Claim::Inactive);
    let joiner = member.all[7];
    member.probe.machine.core_mut().copied(0, &joiner, [0; 16]);
    member.settle();
    let outs = member.probe.advance(Duration::from_millis(1));
    assert_eq!(claim(&member), Some(member.all[7].id), "O2");
    assert!(member.sent(&outs).contains(&("Switch", 7)));
}

#[test]
fn a_switch_is_taken_from_a_member_of_the_own_list_only_and_only_for_a_range_ending_here() {
    for (from, high, taken) in [(2, 0, true), (5, 0, false), (2, 1, false)] {
        let mut member = Member::new(&[2, 4, 6], 3);
        let vnode = &mut member.probe.machine.core_mut().vnodes[0];
        (vnode.claim, vnode.bound, vnode.ready) = (Claim::Inactive, None, true);
        let (low, high) = (member.all[7].id, member.all[high].id);
        let switch = wire::Switch { low, high, epoch: 3, digest: [0; 16] };
        member.say(from, 3, true, &Message::Switch(switch));
        let active = member.probe.machine.view(0).is_some_and(|view| view.claim.is_active());
        assert_eq!(active, taken, "from {from}");
    }
}

#[test]
fn nobody_changes_us_by_sending_from_our_own_address() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let outs = member.say(0, 3, true, &Message::Nudge(wire::Nudge {}));
    assert!(outs.is_empty());
    assert_eq!(member.probe.machine.violations().of(super::Violation::Reflected), 1);
}

#[test]
fn a_virtual_node_takes_little_memory() {
    let fixed = size_of::<super::vnode::Vnode>();
    assert!(fixed <= 640, "{fixed}");
    assert!(size_of::<Entry>() <= 56);
    // A list of sixteen, five predecessors and what is fixed: fingers are counted by their own test.
    assert!(fixed + 16 * size_of::<Entry>() + 5 * size_of::<Pred>() <= 2_048);
}
