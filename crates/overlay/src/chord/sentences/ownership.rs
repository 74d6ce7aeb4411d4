//! O1 to O6: who owns what.

use super::Member;
use crate::chord::maintenance::Call;
use std::time::Duration;
use throng_wire::chord::{self as wire, Claim, Message, Mode};

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
fn a_switch_that_is_refused_is_repeated_after_a_second_and_not_at_once() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let low = member.all[6].id;
    let vnode = &mut member.probe.machine.core_mut().vnodes[0];
    (vnode.claim, vnode.bound) = (Claim::Active { low, epoch: 1 }, None);
    let mut outs = member.notify(7, Claim::Inactive);
    let mut switches = 0;
    for _ in 0..1_500 {
        outs.extend(member.probe.advance(Duration::from_millis(1)));
        switches += member.sent(&outs).iter().filter(|sent| **sent == ("Switch", 7)).count();
        outs = match member.asked(7, Call::Switch) {
            Some(txid) => {
                member.say(7, txid, true, &Message::NotMember(wire::NotMember { mode: Mode::Small }))
            }
            None => Vec::new(),
        };
    }
    assert_eq!(switches, 2, "in a second and a half");
    let claim = member.probe.machine.view(0).and_then(|view| view.claim.low());
    assert_eq!(claim, Some(low), "what was refused is its own again");
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
fn a_predecessor_that_owns_its_range_by_its_own_word_is_believed_over_its_last_notify() {
    let mut member = Member::new(&[2, 4, 6], 3);
    // It notified us before a Switch reached it.
    member.probe.machine.core_mut().vnodes[0].predecessors[0].claim = Claim::Inactive;
    member.probe.call(|machine, cx| machine.core_mut().review(cx, 0));
    member.settle();
    let txid = member.asked(7, Call::Walk).expect("it is read");
    let before = member.probe.machine.view(0).expect("one virtual node").claim;
    let claim = Claim::Active { low: member.all[6].id, epoch: 1 };
    let outs = member.tell_state((7, txid), claim, 6, &[0, 2, 4]);
    assert!(member.sent(&outs).is_empty(), "read again at once, for ever: {:?}", member.sent(&outs));
    assert_eq!(member.probe.machine.view(0).expect("one virtual node").claim, before, "nothing has changed");
    let outs = member.probe.call(|machine, cx| machine.core_mut().review(cx, 0));
    assert!(member.sent(&outs).is_empty());
}

#[test]
fn neighbours_that_die_together_leave_their_ranges_to_the_one_after_them_in_any_order_of_news() {
    for order in [[7, 6, 5], [5, 6, 7], [6, 7, 5], [6, 5, 7]] {
        let mut member = Member::new(&[2, 4], 3);
        let pred = |member: &Member, at: usize| {
            let claim = Claim::Active { low: member.all[at - 1].id, epoch: 1 };
            crate::chord::vnode::Pred { node: member.all[at], claim }
        };
        let preds = [7, 6, 5, 4].map(|at| pred(&member, at));
        member.probe.machine.core_mut().vnodes[0].predecessors = preds.to_vec();
        for who in order {
            member.dies(who);
        }
        let low = member.probe.machine.view(0).and_then(|view| view.claim.low());
        assert_eq!(low, Some(member.all[4].id), "{order:?}");
    }
}

#[test]
fn those_beyond_a_silent_predecessor_are_pinged_before_its_death_is_certain() {
    let mut member = Member::new(&[2, 4], 3);
    let claim = Claim::Active { low: member.all[5].id, epoch: 1 };
    let further = crate::chord::vnode::Pred { node: member.all[6], claim };
    member.probe.machine.core_mut().vnodes[0].predecessors.push(further);
    let silent = member.all[7];
    member.probe.call(|machine, cx| machine.core_mut().probe(cx, 0, &silent));
    member.settle();
    let outs = member.probe.advance(Duration::from_millis(1_760));
    assert!(member.sent(&outs).contains(&("Ping", 6)), "{:?}", member.sent(&outs));
}
