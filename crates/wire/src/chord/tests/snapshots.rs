//! Messages of the ring, of tables, lookups and merging as hex, each line with its legend.

use super::*;

/// The header of every snapshot; the kind is the message's.
pub(super) fn header(kind: u8) -> Vec<u8> {
    let kind = format!("{kind:02x} kind");
    hex(&format!(
        "c352 magic\n01 version\n{kind}\n01020304 net id\n1112131415161718 txid\n03 source\n05 destination
0001 flags: leaf\n21222324 incarnation\n3132333435363738 token"
    ))
}

#[track_caller]
pub(super) fn check<'a>(message: impl Into<Message<'a>>, kind: u8, payload: &str) {
    let (message, expected) = (message.into(), [header(kind), hex(payload)].concat());
    let hexed = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    assert_eq!(hexed(&encoded(message)), hexed(&expected));
    assert_eq!(Datagram::decode(&expected), Ok(Datagram { header: HEADER, message }));
}

/// [`ACTIVE`]
const CLAIM: &str = "01 active\neeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee low\n00000007 epoch";
/// [`v4`] of 1
const ONE: &str = "04 v4\nc0000201 ip\n1ae1 port\n01 vnode\n0a0b0c0d incarnation";
/// [`v6`] of 2
const TWO: &str = "06 v6\n20010db8000000000000000000000002 ip\n1ae1 port\n02 vnode\n0a0b0c0d incarnation";

#[test]
fn a_ping_and_its_answer_carry_what_is_owned() {
    check(Ping { claim: ACTIVE }, 0x01, CLAIM);
    let seen = "06 v6\n20010db8000000000000000000000002 ip\n1ae1 port\n0000018bcfe56800 clock";
    let pong = Pong { claim: Claim::Inactive, seen: v6(2).address, clock: 1_700_000_000_000 };
    check(pong, 0x02, &format!("00 inactive\n{seen}"));
}

#[test]
fn a_relayed_ping_names_its_target_and_may_bring_its_state() {
    check(PingReq { target: v4(1), state: None }, 0x03, &format!("{ONE}\n00 no state"));
    let known = format!("{ONE}\n01 state\n0000000000000009 digest known");
    check(PingReq { target: v4(1), state: Some(9) }, 0x03, &known);
    let answer = |result| PingRes { target: v4(1), result };
    check(answer(Relayed::Silent), 0x04, &format!("{ONE}\n00 silent"));
    check(answer(Relayed::Alive(ACTIVE)), 0x04, &format!("{ONE}\n01 alive\n{CLAIM}"));
    let state = State { digest: 9, view: None };
    check(
        answer(Relayed::State(state)),
        0x04,
        &format!("{ONE}\n02 state\n0000000000000009 digest\n00 unchanged"),
    );
}

#[test]
fn a_state_brings_the_view_or_only_its_digest() {
    check(GetState { known: 9, skip: 2 }, 0x05, "0000000000000009 digest known\n02 skip");
    check(State { digest: 9, view: None }, 0x06, "0000000000000009 digest\n00 unchanged");
    let (plist, list) = ([Neighbour { contact: v4(1), claim: Claim::Inactive }], [v6(2), v4(1)]);
    let view = View {
        prdc: Some(v4(1)),
        claim: ACTIVE,
        mode: Mode::Ring,
        mode_epoch: 3,
        r: 16,
        n_est: 1000,
        plist: (&plist).into(),
        skip: 14,
        total: 16,
        list: (&list).into(),
    };
    let payload = format!(
        "0000000000000009 digest\n01 a view\n01 prdc\n{ONE}\n{CLAIM}\n02 mode: ring\n00000003 mode epoch\n10 r
00000000000003e8 n_est\n01 plist\n{ONE}\n00 inactive\n0e skip\n10 total\n02 list\n{TWO}\n{ONE}"
    );
    check(State { digest: 9, view: Some(view) }, 0x06, &payload);
    let payload = payload.replace("01 a view\n", "");
    check(JoinOk { digest: 9, view }, 0x0b, &payload);
}

#[test]
fn a_notify_brings_the_predecessors() {
    let plist = [Neighbour { contact: v6(2), claim: ACTIVE }];
    let payload = format!("00 inactive\n01 plist\n{TWO}\n{CLAIM}");
    check(Notify { claim: Claim::Inactive, plist: (&plist).into() }, 0x07, &payload);
    check(NotifyAck { prdc: None, claim: ACTIVE }, 0x08, &format!("00 no prdc\n{CLAIM}"));
    check(Nudge {}, 0x09, "");
}

#[test]
fn joins_leaves_and_grants() {
    check(JoinRead { skip: 0, redirects: 3 }, 0x0a, "00 skip\n03 redirects");
    check(Redirect { contact: v4(1) }, 0x0c, ONE);
    let list = [v6(2)];
    let leave = Leave { prdc: Some(v4(1)), claim: ACTIVE, list: (&list).into() };
    check(leave, 0x0d, &format!("01 prdc\n{ONE}\n{CLAIM}\n01 list\n{TWO}"));
    check(LeaveAck {}, 0x0e, "");
    let payload = format!(
        "{} low\n{} high\n00000007 epoch\n{} digest",
        "11".repeat(20),
        "22".repeat(20),
        "33".repeat(16)
    );
    check(Switch { low: filled(0x11), high: filled(0x22), epoch: 7, digest: [0x33; 16] }, 0x0f, &payload);
    check(SwitchAck { epoch: 7 }, 0x10, "00000007 epoch");
}

#[test]
fn small_rings_exchange_tables() {
    let rows = [
        Row { contact: v4(1), status: Status::Live },
        Row { contact: v6(2), status: Status::Pending },
        Row { contact: v4(1), status: Status::Dead },
    ];
    let (table, page) = ((&rows).into(), Page { index: 1, of: 2 });
    let parts = format!("01 page\n02 of\n03 rows\n{ONE}\n01 live\n{TWO}\n00 pending\n{ONE}\n02 dead");
    check(SmallAdd { joiner: v6(2), page, table }, 0x18, &format!("{TWO}\n{parts}"));
    check(SmallAck { page, table }, 0x19, &parts);
    check(SmallWelcome { epoch: 4, page, table }, 0x1a, &format!("00000004 epoch\n{parts}"));
    check(Collapse { epoch: 4, page, table }, 0x1b, &format!("00000004 epoch\n{parts}"));
    let agreed = format!("01 agree\n00000004 epoch\n{parts}");
    check(CollapseAck { agree: true, epoch: 4, page, table }, 0x1c, &agreed);
}

#[test]
fn a_lookup_names_its_key_its_way_and_who_is_told() {
    let look = Look {
        lookup: 0x99,
        key: filled(0x11),
        purpose: Purpose::Finger,
        flags: LookFlags::DIRECT.with(LookFlags::LEAF),
        ttl: 56,
        back: 1,
        path: 4,
        timeouts: 2,
        initiator: v4(1),
        token: 0x77,
        reply_via: Some(v6(2)),
    };
    let payload = format!(
        "0000000000000099 lookup\n{} key\n02 purpose: finger\n05 flags: direct, leaf\n38 ttl\n01 back\n04 path
02 timeouts\n{ONE}\n0000000000000077 token\n01 reply via\n{TWO}",
        "11".repeat(20)
    );
    check(look, 0x20, &payload);
    let next = [v4(1)];
    let ack = LookAck { lookup: 0x99, verdict: Verdict::Next, next: (&next).into() };
    check(ack, 0x21, &format!("0000000000000099 lookup\n03 verdict: next\n01 next\n{ONE}"));
}

#[test]
fn an_answer_names_owner_copies_and_neighbourhood() {
    let (replicas, list) = ([v6(2)], [v6(2), v4(1)]);
    let found = Found {
        lookup: 0x99,
        owner: Neighbour { contact: v4(1), claim: ACTIVE },
        prdc: Some(v6(2)),
        path: 5,
        timeouts: 1,
        n_est: 1000,
        initiator: None,
        pass: 0x66,
        replicas: (&replicas).into(),
        list: (&list).into(),
    };
    let payload = format!(
        "0000000000000099 lookup\n{ONE}\n{CLAIM}\n01 prdc\n{TWO}\n05 path\n01 timeouts\n00000000000003e8 n_est
00 to the initiator itself\n0000000000000066 pass\n01 replicas\n{TWO}\n02 list\n{TWO}\n{ONE}"
    );
    check(found, 0x22, &payload);
}

#[test]
fn rings_that_meet_exchange_their_stretches() {
    let payload = format!("0000000000000008 epoch\n{ONE}\n0c ttl");
    check(MergeHint { epoch: 8, contact: v4(1), ttl: 12 }, 0x40, &payload);
    let list = [v6(2)];
    let (list, parts) = ((&list).into(), format!("0000000000000008 epoch\n00 no prdc\n01 list\n{TWO}"));
    check(Meet { epoch: 8, prdc: None, list }, 0x41, &parts);
    check(MeetAck { epoch: 8, prdc: None, list }, 0x42, &parts);
}

#[test]
fn full_tables_are_kept_by_news_and_digests() {
    let changes = [Change { contact: v4(1), alive: true, ttl: 10 }];
    check(Events { changes: (&changes).into() }, 0x50, &format!("01 changes\n{ONE}\n01 alive\n0a ttl"));
    let nodes = [TreeNode { prefix: Prefix::of(filled(0xab), 3), count: 6, hash: [0x33; 16] }];
    let (nodes, members) = ((&nodes).into(), [v4(1)]);
    let tree = format!("01 nodes\n03 digits\naba0 they\n00000006 count\n{} hash", "33".repeat(16));
    check(TableDigest { nodes }, 0x51, &tree);
    let members = (&members).into();
    check(TableDigestAck { nodes, members }, 0x52, &format!("{tree}\n01 members\n{ONE}"));
    check(GetTable { after: None }, 0x53, "00 from the start");
    let payload = format!("01 members\n{ONE}\n01 more\n{} after", "11".repeat(20));
    check(Table { members, next: Some(filled(0x11)) }, 0x54, &payload);
}

#[test]
fn refusals_are_short() {
    check(Challenge {}, 0x70, "");
    check(Busy { retry_after: 25 }, 0x71, "19 tenths of a second");
    check(NotMember { mode: Mode::Detached }, 0x72, "04 mode: detached");
}

#[test]
fn the_answers_header_turns_the_requests_round() {
    let answer = HEADER.answer(42, 43);
    assert_eq!((answer.net_id, answer.txid), (HEADER.net_id, HEADER.txid));
    assert_eq!((answer.source, answer.destination), (5, 3));
    assert_eq!((answer.flags, answer.incarnation, answer.token), (Flags(0), 42, 43));
    assert_eq!(HEADER.contact(v6(2).address), Contact::new(v6(2).address, 3, 0x2122_2324));
}
