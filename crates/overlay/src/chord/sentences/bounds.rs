//! What others, and time, can do to a node.

use super::Member;
use crate::chord::maintenance::Call;
use crate::chord::node::Entry;
use crate::chord::vnode::Pred;
use std::time::Duration;
use throng_wire::chord::{self as wire, List, Message, Mode, Status};

#[test]
fn nobody_changes_us_by_sending_from_our_own_address() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let outs = member.say(0, 3, true, &Message::Nudge(wire::Nudge {}));
    assert!(outs.is_empty());
    assert_eq!(member.probe.machine.violations().of(crate::chord::Violation::Reflected), 1);
}

#[test]
fn a_virtual_node_takes_little_memory() {
    let fixed = size_of::<crate::chord::vnode::Vnode>();
    assert!(fixed <= 640, "{fixed}");
    assert!(size_of::<Entry>() <= 56);
    // A list of sixteen, five predecessors and what is fixed: fingers are counted by their own test.
    assert!(fixed + 16 * size_of::<Entry>() + 5 * size_of::<Pred>() <= 2_048);
}

/// Tells a member of a small ring that it is dead in a run of that number.
fn accuse(member: &mut Member, incarnation: u32) {
    let contact = wire::Contact { incarnation, ..member.all[0].contact() };
    let rows = [wire::Row { contact, status: Status::Dead }];
    let joiner = member.all[2].contact();
    let add = wire::SmallAdd { joiner, page: wire::Page::ONLY, table: List::new(&rows) };
    member.say(2, 9, true, &Message::SmallAdd(add));
}

#[test]
fn an_accuser_drives_an_incarnation_up_by_one_a_second_and_never_beyond_what_clocks_allow() {
    let mut member = Member::new(&[2, 4, 6], 3);
    member.probe.call(|machine, cx| {
        machine.core_mut().small_alone(0, cx.now());
        machine.core_mut().vnodes[0].mode = Mode::Small;
    });
    let incarnation = |member: &Member| member.probe.machine.node(0).expect("one virtual node").incarnation;
    for _ in 0..1_000 {
        let own = incarnation(&member);
        accuse(&mut member, own);
    }
    assert_eq!(incarnation(&member), 2, "called dead, it lives on; a thousand times a second is once");
    accuse(&mut member, u32::MAX - 1);
    member.probe.advance(Duration::from_secs(2));
    accuse(&mut member, u32::MAX - 1);
    assert_eq!(incarnation(&member), 2, "nobody was started then");
    accuse(&mut member, 2);
    assert_eq!(incarnation(&member), 3);
}

#[test]
fn who_has_said_goodbye_is_of_no_ring_and_looks_after_none() {
    let mut member = Member::new(&[2, 4, 6], 3);
    member.probe.call(|machine, cx| machine.core_mut().leave(cx));
    member.settle();
    member.probe.advance(Duration::from_millis(1));
    for who in [2, 7] {
        let txid = member.asked(who, Call::Leave).expect("head and predecessor are told");
        member.say(who, txid, true, &Message::LeaveAck(wire::LeaveAck {}));
    }
    let outs = member.say(4, 5, true, &Message::GetState(wire::GetState { known: 0, skip: 0 }));
    assert_eq!(member.sent(&outs), [("NotMember", 4)]);
    let outs = member.say(6, 5, true, &Message::Nudge(wire::Nudge {}));
    assert_eq!(member.sent(&outs), []);
    let outs = member.probe.advance(Duration::from_secs(4));
    assert!(!member.sent(&outs).iter().any(|(name, _)| matches!(*name, "GetState" | "Notify" | "Ping")));
}

#[test]
fn a_notify_that_its_senders_goodbye_has_overtaken_is_not_believed() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let prdc = Some(member.all[6].contact());
    let claim = wire::Claim::Active { low: member.all[6].id, epoch: 1 };
    member.say(7, 3, true, &Message::Leave(wire::Leave { prdc, claim, list: List::default() }));
    let notify = Message::Notify(wire::Notify { claim, plist: List::default() });
    member.say_flagged(7, 4, wire::Flags::LEAVING, &notify);
    assert_eq!(member.prdc(), Some(6));
}

#[test]
fn a_leaver_that_loses_its_last_successor_keeps_no_deadline_in_the_past() {
    let mut member = Member::new(&[2], 1);
    member.probe.call(|machine, cx| machine.core_mut().leave_vnode(cx, 0));
    member.probe.machine.core_mut().life = crate::chord::core::Life::Leaving;
    member.dies(2);
    let node = member.all[2];
    member.probe.call(|machine, cx| {
        machine.core_mut().stabilise_now(cx, 0);
        machine.core_mut().on_dead(cx, &node);
    });
    member.settle();
    for _ in 0..3 {
        member.probe.advance(Duration::from_millis(1));
    }
    assert!(
        throng_machine::Machine::poll_timeout(&member.probe.machine).is_none_or(|due| due > member.probe.now)
    );
}

#[test]
fn a_new_outside_address_is_believed_when_three_networks_agree_and_none_saw_the_old_one() {
    let mut member = Member::new(&[2, 4, 6], 3);
    let (old, new) = (member.all[0].endpoint, throng_machine::Endpoint::v4([192, 0, 2, 77], 4_000));
    let peer = |host: u8| {
        let at = throng_machine::Endpoint::v4([10, 0, host, 1], 1);
        crate::chord::Node::new(wire::IdRule::Open, at, 0, 1).expect("an open id")
    };
    let tell = |member: &mut Member, host: u8, seen| {
        member.probe.call(|machine, cx| machine.core_mut().seen_at(cx, &peer(host), seen));
        member.settle();
        member.probe.machine.node(0).expect("one virtual node")
    };
    let me = member.all[0];
    for (host, seen) in [(1, new), (1, new), (1, new), (2, new), (3, old), (1, new), (2, new)] {
        assert_eq!(tell(&mut member, host, seen), me, "one network, or not without doubt");
    }
    let moved = tell(&mut member, 3, new);
    assert_eq!(moved.endpoint, new);
    let outs = member.probe.advance(Duration::from_secs(1));
    assert!(member.sent(&outs).iter().any(|(name, _)| *name == "JoinRead"), "it enters again");
    for host in 1..9 {
        assert_eq!(tell(&mut member, host, old), moved, "not again within ten minutes");
    }
}
