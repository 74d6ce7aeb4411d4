//! Messages of the store as hex, each line with its legend.

use super::snapshots::check;
use super::*;

const CLAIM: &str = "01 active\neeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee low\n00000007 epoch";
const SUMMARY: Summary =
    Summary { key: RingId([0x11; 20]), id: RecordId([0x22; 32]), seq: 5, hash: [0x33; 16] };
const HELD: Held<'_> = Held { remaining: 60, record: Record::Immutable(b"abc") };
/// [`HELD`]
const KEPT: &str = "0000003c remaining\n00 kind\n00000003 bytes\n616263 value";

fn summary() -> String {
    let (key, id, hash) = ("11".repeat(20), "22".repeat(32), "33".repeat(16));
    format!("{key} key\n{id} id\n0000000000000005 seq\n{hash} hash")
}

fn range() -> String {
    format!("{} low\n{} high", "44".repeat(20), "55".repeat(20))
}

#[test]
fn a_get_says_which_records_of_a_key() {
    let get = |selector, kinds| {
        let padding = Padding::of(2);
        Get { key: filled(0x11), kinds, selector, limit: 50, cursor: 9, padding }
    };
    let payload = |kinds: &str, selector: &str| {
        format!(
            "{} key\n{kinds} kinds\n{selector}\n32 limit\n00000009 cursor\n0002 padding\n0000",
            "11".repeat(20)
        )
    };
    check(get(Selector::None, KindSet::ALL), 0x30, &payload("1f", "00 none"));
    check(get(Selector::All, KindSet::of(&[Kind::Entry])), 0x30, &payload("10", "01 all"));
    let (writer, id) = ("aa".repeat(32), "22".repeat(32));
    check(
        get(Selector::By(&[0xaa; 32]), KindSet::ALL),
        0x30,
        &payload("1f", &format!("02 by\n{writer} writer")),
    );
    let newer = Selector::Newer { id: RecordId([0x22; 32]), seq: 5 };
    let known = format!("03 newer\n{id} id\n0000000000000005 seq known");
    check(get(newer, KindSet::ALL), 0x30, &payload("1f", &known));
    let sample = payload("04", "04 sample\n00000007 seed");
    check(get(Selector::Sample(7), KindSet::of(&[Kind::Provider])), 0x30, &sample);
    let terms = [Term::new("ab").unwrap(), Term::new("ö2").unwrap()];
    let filter = PostingFilter { terms: (&terms).into(), min_size: 1, max_size: 2, medium: 3 };
    let words = "05 postings\n02 terms\n02 bytes\n6162 ab\n03 bytes\nc3b632 ö2
0000000000000001 least size\n0000000000000002 most\n03 medium";
    check(get(Selector::Postings(filter), KindSet::of(&[Kind::Posting])), 0x30, &payload("08", words));
}

#[test]
fn what_was_got_comes_with_counts_and_where_to_go_on() {
    let got = Got {
        claim: ACTIVE,
        count: 100,
        load: 42,
        shard_bits: 2,
        cache: 60,
        next: Some(50),
        records: (&[HELD]).into(),
        large: (&[SUMMARY]).into(),
    };
    let payload = format!(
        "{CLAIM}\n00000064 count\n2a load\n02 shard bits\n003c cache\n01 more\n00000032 cursor\n01 records\n{KEPT}
01 large\n{}",
        summary()
    );
    check(got, 0x31, &payload);
}

#[test]
fn a_put_and_what_becomes_of_each_record() {
    let put = Put { flags: PutFlags::DURABLE, cas: Some(5), records: (&[HELD]).into() };
    check(put, 0x32, &format!("01 flags: durable\n01 cas\n0000000000000005 it\n01 records\n{KEPT}"));
    let outcomes = [
        Outcome::Stored { copies: 3, of: 5, durable: true },
        Outcome::Conflict { seq: 6 },
        Outcome::Refused { limit: Limit::Rate, retry_after: 60 },
        Outcome::NeedBody,
        Outcome::NotMine,
    ];
    let results = outcomes.map(|outcome| PutResult { outcome, count: 7, shard_bits: 1 });
    let ack = PutAck { load: 42, clock: 9, offset: -2, results: (&results).into(), stored: Some(HELD) };
    let payload = format!(
        "2a load\n0000000000000009 clock\nfffffffffffffffe offset\n05 results
00 stored\n03 copies\n05 of\n01 durable\n00000007 count\n01 shard bits
01 conflict\n0000000000000006 seq\n00000007 count\n01 shard bits
02 refused\n06 limit: rate\n0000003c retry after\n00000007 count\n01 shard bits
03 need body\n00000007 count\n01 shard bits\n04 not mine\n00000007 count\n01 shard bits
01 stored instead\n{KEPT}"
    );
    check(ack, 0x33, &payload);
    let payload = format!("{CLAIM}\n06 flags: local, repair\n01 records\n{KEPT}");
    let flags = PutFlags::LOCAL.with(PutFlags::REPAIR);
    check(Replicate { claim: ACTIVE, flags, records: (&[HELD]).into() }, 0x35, &payload);
}

#[test]
fn a_refresh_brings_versions_and_signatures_without_bodies() {
    let item = RefreshItem {
        key: filled(0x11),
        id: RecordId([0x22; 32]),
        seq: 5,
        ttl: 3600,
        hash: [0x33; 16],
        signature: &[0x66; 64],
    };
    let payload = format!(
        "01 items\n{} key\n{} id\n0000000000000005 seq\n00000e10 ttl\n{} hash\n{} signature",
        "11".repeat(20),
        "22".repeat(32),
        "33".repeat(16),
        "66".repeat(64)
    );
    check(Refresh { items: (&[item]).into() }, 0x34, &payload);
}

#[test]
fn stores_compare_trees_and_pull_what_differs() {
    let (low, high) = (filled(0x44), filled(0x55));
    let nodes = [TreeNode { prefix: Prefix::ROOT, count: 6, hash: [0x33; 16] }];
    let nodes = (&nodes).into();
    let tree = format!("01 nodes\n00 digits\n00000006 count\n{} hash", "33".repeat(16));
    check(Digest { low, high, skip: 4, nodes }, 0x36, &format!("{}\n0004 skip\n{tree}", range()));
    let answer = DigestAck { low, high, nodes, records: (&[SUMMARY]).into(), answered: 1, skip: 2 };
    let payload = format!("{}\n{tree}\n01 records\n{}\n01 answered\n0002 skip", range(), summary());
    check(answer, 0x37, &payload);
    let cursor = Cursor { key: filled(0x11), id: RecordId([0x22; 32]) };
    let place = format!("{} key\n{} id", "11".repeat(20), "22".repeat(32));
    let pull = Pull { low, high, after: Some(cursor), ids: List::default() };
    check(pull, 0x38, &format!("{}\n01 after\n{place}\n00 ids", range()));
    let pull = Pull { low, high, after: None, ids: (&[RecordId([0x22; 32])][..]).into() };
    check(pull, 0x38, &format!("{}\n00 from the start\n01 ids\n{} id", range(), "22".repeat(32)));
    let answer = PullAck { records: (&[HELD]).into(), large: List::default(), next: Some(cursor) };
    check(answer, 0x39, &format!("01 records\n{KEPT}\n00 large\n01 more\n{place}"));
}

#[test]
fn nothing_is_deleted_before_the_owner_confirms() {
    check(Confirm { low: filled(0x44), high: filled(0x55) }, 0x3a, &range());
    check(Confirmed { holders: 5, hash: [0x33; 16] }, 0x3b, &format!("05 holders\n{} hash", "33".repeat(16)));
    check(NotMine { claim: ACTIVE, prdc: None }, 0x3c, &format!("{CLAIM}\n00 no prdc"));
}
