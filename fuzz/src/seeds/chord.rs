//! One seed a message of the ring, record and stream.

use throng_wire::chord::*;

const WRITER: [u8; 32] = [0xaa; 32];
const CONTENT: [u8; 32] = [0xcc; 32];
const SIGNATURE: [u8; 64] = [0x55; 64];
const SUMMARY: Summary = Summary { key: RingId([1; 20]), id: RecordId([2; 32]), seq: 5, hash: [3; 16] };

/// Seeds of every face of the target.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let records = records();
    let mut seeds = Vec::new();
    let mut add = |message: Message<'_>| seeds.push(datagram(message));
    of_the_ring(&mut add);
    of_tables_and_lookups(&mut add);
    of_the_store(&records, &mut add);
    // Most without a header, as the target's second face reads them.
    for bytes in seeds.iter_mut().skip(4) {
        *bytes = [&[1, bytes[4]], &bytes[33..]].concat();
    }
    seeds.extend(records.iter().map(|record| [&[2], record.as_slice()].concat()));
    seeds.push(stream(&records));
    seeds
}

fn contacts() -> [Contact; 3] {
    [
        ([10, 0, 0, 1], 4000).into(),
        ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 4000).into(),
        ([10, 0, 0, 2], 1).into(),
    ]
    .map(|address| Contact::new(address, 1, 7))
}

fn active() -> Claim {
    Claim::Active { low: RingId([9; 20]), epoch: 3 }
}

fn datagram(message: Message<'_>) -> Vec<u8> {
    let header = Header {
        net_id: 1,
        txid: 2,
        source: 3,
        destination: 4,
        flags: Flags::LEAF,
        incarnation: 5,
        token: 6,
    };
    let mut out = vec![0];
    Datagram { header, message }.encode(&mut out).expect("a seed fits");
    out
}

fn of_the_ring(add: &mut impl FnMut(Message<'_>)) {
    let (contacts, claim) = (contacts(), active());
    let [a, b, _] = contacts;
    let list = (&contacts).into();
    let plist = [Neighbour { contact: b, claim }, Neighbour { contact: a, claim: Claim::Inactive }];
    let plist = (&plist).into();
    let view = View {
        prdc: Some(a),
        claim,
        mode: Mode::Ring,
        mode_epoch: 1,
        r: 16,
        n_est: 9,
        plist,
        skip: 0,
        total: 3,
        list,
    };
    let state = State { digest: 1, view: Some(view) };
    add(Ping { claim }.into());
    add(Pong { claim, seen: b.address, clock: 7 }.into());
    add(PingReq { target: a, state: Some(1) }.into());
    [Relayed::Silent, Relayed::Alive(claim), Relayed::State(state)]
        .into_iter()
        .for_each(|result| add(PingRes { target: a, result }.into()));
    add(GetState { known: 1, skip: 0 }.into());
    add(state.into());
    add(Notify { claim, plist }.into());
    add(NotifyAck { prdc: Some(b), claim }.into());
    add(JoinRead { skip: 0, redirects: 0 }.into());
    add(JoinOk { digest: 1, view }.into());
    add(Redirect { contact: a }.into());
    add(Leave { prdc: None, claim, list }.into());
    add(Switch { low: RingId::MIN, high: RingId::MAX, epoch: 3, digest: [1; 16] }.into());
    add(SwitchAck { epoch: 3 }.into());
    add(MergeHint { epoch: 1, contact: a, ttl: 9 }.into());
    add(Meet { epoch: 1, prdc: Some(a), list }.into());
    add(MeetAck { epoch: 1, prdc: None, list }.into());
    add(Busy { retry_after: 10 }.into());
    add(NotMember { mode: Mode::Detached }.into());
    add(NotMine { claim, prdc: Some(a) }.into());
}

fn of_tables_and_lookups(add: &mut impl FnMut(Message<'_>)) {
    let (contacts, page) = (contacts(), Page::ONLY);
    let [a, b, _] = contacts;
    let rows = contacts.map(|contact| Row { contact, status: Status::Live });
    let (list, table) = ((&contacts).into(), (&rows).into());
    add(SmallAdd { joiner: a, page, table }.into());
    add(SmallAck { page, table }.into());
    add(SmallWelcome { epoch: 1, page, table }.into());
    add(Collapse { epoch: 1, page, table }.into());
    add(CollapseAck { agree: true, epoch: 1, page, table }.into());
    let changes = contacts.map(|contact| Change { contact, alive: true, ttl: 9 });
    add(Events { changes: (&changes).into() }.into());
    let nodes = [0, 3, 40].map(|level| TreeNode {
        prefix: Prefix::of(RingId([0xab; 20]), level),
        count: 1,
        hash: [level; 16],
    });
    let nodes = (&nodes).into();
    add(TableDigest { nodes }.into());
    add(TableDigestAck { nodes, members: list }.into());
    add(GetTable { after: Some(RingId::MIN) }.into());
    add(Table { members: list, next: None }.into());
    add(Digest { low: RingId::MIN, high: RingId::MAX, skip: 0, nodes }.into());
    let records = (&[SUMMARY; 2]).into();
    add(DigestAck { low: RingId::MIN, high: RingId::MAX, nodes, records, answered: 1, skip: 0 }.into());
    let look = Look {
        lookup: 1,
        key: RingId::THIRD,
        purpose: Purpose::Key,
        flags: LookFlags::DIRECT,
        ttl: 9,
        back: 0,
        path: 1,
        timeouts: 0,
        initiator: a,
        token: 1,
        reply_via: Some(b),
    };
    add(look.into());
    add(LookAck { lookup: 1, verdict: Verdict::Next, next: list }.into());
    let found = Found {
        lookup: 1,
        owner: Neighbour { contact: a, claim: active() },
        prdc: Some(b),
        path: 3,
        timeouts: 0,
        n_est: 9,
        initiator: Some(a),
        pass: 4,
        replicas: list,
        list,
    };
    add(found.into());
}

/// One record of each kind, and a tombstone.
fn records() -> Vec<Vec<u8>> {
    let (mut provider, mut posting) = (Vec::new(), Vec::new());
    let addresses = [contacts()[0].address, contacts()[1].address];
    Provider { flags: ProviderFlags::COMPLETE, addresses: (&addresses).into(), info_hash: Some([1; 20]) }
        .encode(&mut provider)
        .expect("a seed fits");
    let hashes = Hashes { info_hash_v2: Some([3; 32]), sha1: Some([2; 20]), ..Hashes::default() };
    let source = addresses[0];
    Posting { title: "A Wörd", tags: "x\ny", size: 9, medium: 1, hashes, source }
        .encode(&mut posting)
        .expect("a seed fits");
    let (ab, cd) = (Term::new("ab").expect("a word"), Term::new("cd").expect("a word"));
    let pair = Terms::pair(ab, cd).expect("two words");
    let about = [
        (Subject::Entry { name: b"name" }, Some(&b"value"[..])),
        (Subject::Entry { name: b"name" }, None),
        (Subject::Mutable { salt: b"salt" }, Some(b"value")),
        (Subject::Provider { content: &CONTENT }, Some(&provider)),
        (Subject::Posting { terms: Terms::one(ab), content: &CONTENT, shard_bits: 0 }, Some(&posting)),
        (Subject::Posting { terms: pair, content: &CONTENT, shard_bits: 8 }, Some(&posting)),
    ];
    let signed = about.map(|(subject, value)| {
        let signed = Signed { subject, writer: &WRITER, seq: 5, ttl: 60, value, signature: &SIGNATURE };
        written(Record::Signed(signed))
    });
    std::iter::once(written(Record::Immutable(b"value"))).chain(signed).collect()
}

fn written(record: Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out).expect("a seed fits");
    out
}

fn held(record: &[u8]) -> Held<'_> {
    Held { remaining: 60, record: Record::decode(record).expect("a seed's record") }
}

fn of_the_store(records: &[Vec<u8>], add: &mut impl FnMut(Message<'_>)) {
    let (key, claim) = (RingId([1; 20]), active());
    let terms = [Term::new("ab").expect("a word"), Term::new("cd").expect("a word")];
    let filter = PostingFilter { terms: (&terms).into(), min_size: 0, max_size: 9, medium: 0 };
    for selector in [
        Selector::None,
        Selector::By(&WRITER),
        Selector::Newer { id: SUMMARY.id, seq: 5 },
        Selector::Sample(7),
        Selector::Postings(filter),
    ] {
        add(Get { key, kinds: KindSet::ALL, selector, limit: 9, cursor: 0, padding: Padding::of(3) }.into());
    }
    let large = (&[SUMMARY]).into();
    for record in records {
        let held = [held(record)];
        let records = (&held).into();
        add(Put { flags: PutFlags::DURABLE, cas: Some(4), records }.into());
        add(Replicate { claim, flags: PutFlags::LOCAL, records }.into());
        add(Got { claim, count: 1, load: 2, shard_bits: 3, cache: 4, next: Some(5), records, large }.into());
        let next = Some(Cursor { key, id: SUMMARY.id });
        add(PullAck { records, large, next }.into());
    }
    let outcomes = [
        Outcome::Stored { copies: 3, of: 5, durable: true },
        Outcome::Conflict { seq: 6 },
        Outcome::Refused { limit: Limit::Rate, retry_after: 60 },
        Outcome::NeedBody,
        Outcome::NotMine,
    ];
    let results = outcomes.map(|outcome| PutResult { outcome, count: 7, shard_bits: 1 });
    add(PutAck {
        load: 1,
        clock: 2,
        offset: -3,
        results: (&results).into(),
        stored: Some(held(&records[0])),
    }
    .into());
    let item = RefreshItem { key, id: SUMMARY.id, seq: 5, ttl: 6, hash: [7; 16], signature: &SIGNATURE };
    add(Refresh { items: (&[item, item]).into() }.into());
    add(Pull { low: key, high: key, after: None, ids: (&[SUMMARY.id]).into() }.into());
    add(Confirm { low: key, high: key }.into());
    add(Confirmed { holders: 5, hash: [1; 16] }.into());
}

fn stream(records: &[Vec<u8>]) -> Vec<u8> {
    let held = held(&records[0]);
    let hello = Hello { net_id: 1, source: 2, destination: 3, incarnation: 4, port: 5, token: 6 };
    let result = PutResult { outcome: Outcome::NeedBody, count: 1, shard_bits: 0 };
    let key = RingId([1; 20]);
    let frames = [
        Frame::Hello(hello),
        Frame::Ready(Ready { incarnation: 1, claim: active() }),
        Frame::Put(FramePut { number: 1, flags: PutFlags::DURABLE, cas: None, held }),
        Frame::Copy(FrameCopy { number: 2, claim: active(), flags: PutFlags::LOCAL, held }),
        Frame::Ack(FrameAck { number: 2, result, stored: Some(held) }),
        Frame::Pull(Pull { low: key, high: key, after: None, ids: List::default() }),
        Frame::Record(held),
        Frame::End(End { records: 1, next: Some(Cursor { key, id: SUMMARY.id }) }),
        Frame::Bye(Bye { reason: ByeReason::Done }),
    ];
    let mut out = vec![3];
    frames.iter().for_each(|frame| frame.encode(&mut out).expect("a seed fits"));
    out
}
