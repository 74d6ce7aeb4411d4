//! Every message there and back, cut short, and with a byte too many.

use super::material::{Material, material};
use super::*;
use proptest::prelude::*;

/// Calls `check` with a message of each kind made of `m`.
fn each(m: &Material, mut check: impl FnMut(Message<'_>)) {
    of_the_ring(m, &mut check);
    of_small_and_full_tables(m, &mut check);
    of_lookups(m, &mut check);
    of_the_store(m, &mut check);
    of_repair(m, &mut check);
}

fn of_the_ring(m: &Material, check: &mut impl FnMut(Message<'_>)) {
    let [a, b, c, _] = m.numbers;
    let (contact, prdc, claim) = (m.contact(0), m.flag.then_some(m.contact(1)), m.claim(0));
    let state = State { digest: a, view: m.flag.then(|| m.view()) };
    let (list, plist) = ((&m.contacts).into(), (&m.neighbours).into());
    check(Ping { claim }.into());
    check(Pong { claim, seen: contact.address, clock: b }.into());
    check(PingReq { target: contact, state: m.flag.then_some(a) }.into());
    for result in [Relayed::Silent, Relayed::Alive(claim), Relayed::State(state)] {
        check(PingRes { target: contact, result }.into());
    }
    check(GetState { known: a, skip: b as u8 }.into());
    check(state.into());
    check(Notify { claim, plist }.into());
    check(NotifyAck { prdc, claim }.into());
    check(Nudge {}.into());
    check(JoinRead { skip: a as u8, redirects: b as u8 }.into());
    check(JoinOk { digest: a, view: m.view() }.into());
    check(Redirect { contact }.into());
    check(Leave { prdc, claim, list }.into());
    check(LeaveAck {}.into());
    check(Switch { low: m.id(0), high: m.id(1), epoch: c as u32, digest: [4; 16] }.into());
    check(SwitchAck { epoch: c as u32 }.into());
    check(MergeHint { epoch: a, contact, ttl: 3 }.into());
    check(Meet { epoch: a, prdc, list }.into());
    check(MeetAck { epoch: a, prdc, list }.into());
    check(Challenge {}.into());
    check(Busy { retry_after: a as u8 }.into());
    check(NotMember { mode: Mode::Detached }.into());
    check(NotMine { claim, prdc }.into());
}

fn of_small_and_full_tables(m: &Material, check: &mut impl FnMut(Message<'_>)) {
    let (page, table, epoch) = (Page { index: 1, of: 2 }, (&m.rows).into(), m.numbers[0] as u32);
    check(SmallAdd { joiner: m.contact(0), page, table }.into());
    check(SmallAck { page: Page::ONLY, table }.into());
    check(SmallWelcome { epoch, page, table }.into());
    check(Collapse { epoch, page, table }.into());
    check(CollapseAck { agree: m.flag, epoch, page, table }.into());
    let changes: Vec<Change> =
        m.rows.iter().map(|row| Change { contact: row.contact, alive: m.flag, ttl: 9 }).collect();
    check(Events { changes: (&changes).into() }.into());
    let (nodes, members) = ((&m.nodes).into(), (&m.contacts).into());
    check(TableDigest { nodes }.into());
    check(TableDigestAck { nodes, members }.into());
    check(GetTable { after: m.flag.then_some(m.id(0)) }.into());
    check(Table { members, next: m.flag.then_some(m.id(0)) }.into());
}

fn of_lookups(m: &Material, check: &mut impl FnMut(Message<'_>)) {
    let (list, next) = ((&m.contacts).into(), (&m.contacts[..1]).into());
    for purpose in Purpose::ALL {
        check(
            Look {
                lookup: m.numbers[0],
                key: m.id(0),
                purpose: *purpose,
                flags: if m.flag { LookFlags::DIRECT.with(LookFlags::LEAF) } else { LookFlags::ITERATIVE },
                ttl: 64,
                back: 2,
                path: 5,
                timeouts: 1,
                initiator: m.contact(0),
                token: m.numbers[1],
                reply_via: m.flag.then_some(m.contact(1)),
            }
            .into(),
        );
    }
    for verdict in Verdict::ALL {
        check(LookAck { lookup: m.numbers[0], verdict: *verdict, next }.into());
    }
    check(
        Found {
            lookup: m.numbers[0],
            owner: m.neighbours[0],
            prdc: m.flag.then_some(m.contact(1)),
            path: 5,
            timeouts: 0,
            n_est: m.numbers[2],
            initiator: m.flag.then_some(m.contact(0)),
            pass: m.numbers[1],
            replicas: next,
            list,
        }
        .into(),
    );
}

fn of_the_store(m: &Material, check: &mut impl FnMut(Message<'_>)) {
    let (provider, posting) = (m.provider(), m.posting());
    let records = m.records(&provider, &posting);
    let held: Vec<Held<'_>> = records
        .iter()
        .map(|(bytes, _)| Held { remaining: m.numbers[3] as u32, record: Record::decode(bytes).unwrap() })
        .collect();
    let [key, id] = [m.id(0), m.id(1)];
    let terms = [Term::new("abc").unwrap(), Term::new("wörd").unwrap()];
    let filter = PostingFilter { terms: (&terms).into(), min_size: 1, max_size: m.numbers[0], medium: 3 };
    for selector in [
        Selector::None,
        Selector::All,
        Selector::By(&m.key),
        Selector::Newer { id: m.record_id(0), seq: m.numbers[0] },
        Selector::Sample(m.numbers[0] as u32),
        Selector::Postings(filter),
    ] {
        let kinds = if m.flag { KindSet::ALL } else { KindSet::of(&[Kind::Posting, Kind::Entry]) };
        let padding = Padding::of(m.numbers[2] as u16 % 9);
        check(Get { key, kinds, selector, limit: 50, cursor: m.numbers[1] as u32, padding }.into());
    }
    let summary = Summary { key: id, id: m.record_id(1), seq: m.numbers[0], hash: [1; 16] };
    let large = [summary; 2];
    let large: List<'_, Summary> = (&large).into();
    for held in held.chunks(2) {
        let records = held.into();
        let next = m.flag.then_some(m.numbers[0] as u32);
        check(
            Got { claim: m.claim(0), count: 9, load: 50, shard_bits: 2, cache: 60, next, records, large }
                .into(),
        );
        let flags = if m.flag { PutFlags::DURABLE.with(PutFlags::REPAIR) } else { PutFlags::LOCAL };
        check(Put { flags, cas: m.flag.then_some(m.numbers[0]), records }.into());
        check(Replicate { claim: m.claim(0), flags, records }.into());
        let next = m.flag.then_some(Cursor { key, id: m.record_id(2) });
        check(PullAck { records, large, next }.into());
        of_results(m, held[0], check);
    }
    let item =
        RefreshItem { key, id: m.record_id(0), seq: 1, ttl: 60, hash: [2; 16], signature: &m.signature };
    check(Refresh { items: (&[item; 3]).into() }.into());
}

fn of_results(m: &Material, held: Held<'_>, check: &mut impl FnMut(Message<'_>)) {
    let limits = Limit::ALL.iter().map(|limit| Outcome::Refused { limit: *limit, retry_after: 60 });
    let outcomes = limits.chain([
        Outcome::Stored { copies: 3, of: 5, durable: m.flag },
        Outcome::Conflict { seq: m.numbers[0] },
        Outcome::NeedBody,
        Outcome::NotMine,
    ]);
    let results: Vec<PutResult> =
        outcomes.map(|outcome| PutResult { outcome, count: 7, shard_bits: 1 }).collect();
    let offset = i64::from_be_bytes(m.numbers[1].to_be_bytes());
    let stored = m.flag.then_some(held);
    check(PutAck { load: 3, clock: m.numbers[0], offset, results: (&results).into(), stored }.into());
}

fn of_repair(m: &Material, check: &mut impl FnMut(Message<'_>)) {
    let (low, high, nodes) = (m.id(0), m.id(1), (&m.nodes).into());
    let summary = Summary { key: m.id(2), id: m.record_id(1), seq: m.numbers[0], hash: [1; 16] };
    check(Digest { low, high, skip: 4, nodes }.into());
    let records = [summary; 2];
    let records = (&records).into();
    check(DigestAck { low, high, nodes, records, answered: 1, skip: 2 }.into());
    let after = m.flag.then_some(Cursor { key: m.id(2), id: m.record_id(2) });
    check(Pull { low, high, after, ids: (&[m.record_id(0), m.record_id(1)]).into() }.into());
    check(Confirm { low, high }.into());
    check(Confirmed { holders: 5, hash: [1; 16] }.into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_is_itself_again_after_the_wire(m in material()) {
        let mut kinds = std::collections::BTreeSet::new();
        each(&m, |message| {
            let bytes = encoded(message);
            let decoded = Datagram::decode(&bytes).unwrap();
            assert_eq!(decoded, Datagram { header: HEADER, message });
            assert_eq!(encoded(decoded.message), bytes, "what was received is passed on as it came");
            kinds.insert(message.kind());
        });
        let known: Vec<u8> = (0..=u8::MAX).filter(|kind| is_known(*kind)).collect();
        prop_assert_eq!(kinds.into_iter().collect::<Vec<u8>>(), known, "no kind is left untested");
    }

    #[test]
    fn no_message_survives_a_cut_or_a_byte_too_many(m in material()) {
        each(&m, |message| {
            let mut bytes = encoded(message);
            for len in 0..bytes.len() {
                assert!(Datagram::decode(&bytes[..len]).is_err(), "{} cut at {len}", message.name());
            }
            bytes.push(0);
            assert_eq!(Datagram::decode(&bytes), Err(Error::Trailing), "{}", message.name());
        });
    }

    #[test]
    fn a_changed_byte_gives_an_error_or_another_message_that_is_stable(m in material(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        each(&m, |message| {
            let mut bytes = encoded(message);
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(datagram) = Datagram::decode(&bytes) {
                let mut again = Vec::new();
                datagram.encode(&mut again).unwrap();
                assert_eq!(again, bytes, "one encoding only");
            }
        });
    }
}

/// Whether an empty message of this kind is refused for anything but its kind.
fn is_known(kind: u8) -> bool {
    let mut bytes = encoded(Nudge {}.into());
    bytes[3] = kind;
    Datagram::decode(&bytes) != Err(Error::Kind(kind))
}
