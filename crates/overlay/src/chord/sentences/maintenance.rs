//! A to G: joining in, stabilising, rectifying, leaving.

use super::{JOINER, Member};
use crate::chord::node::Health;
use std::time::Duration;
use throng_wire::chord::{self as wire, Claim, List, Message};

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
