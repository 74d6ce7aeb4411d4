//! Shares, and who makes room (4.5, 4.6).

use super::*;
use proptest::prelude::*;
use throng_wire::chord::Limit;

/// A holder of a hundred records of about 200 bytes.
fn small() -> Quotas {
    Quotas { bytes: 20_000, records: 100, publisher_percent: 10, network_percent: None, ..Quotas::default() }
}

fn by(n: u64, who: u8) -> Candidate {
    mutable(n, who, 1)
}

#[test]
fn a_publisher_flooding_a_million_keys_stays_within_its_share() {
    let mut records = Records::default();
    let quotas = Quotas::default();
    for n in 0..100 {
        records.offer(by(n, 200), None, clock(0), &quotas).unwrap();
    }
    let mut refused = 0;
    for n in 1_000..1_001_000u64 {
        refused += u32::from(records.offer(by(n, 1), None, clock(0), &quotas).is_err());
    }
    let (bytes, count) = records.usage().of_account(&[1; 16]);
    assert!(count <= 4_000 && bytes <= quotas.bytes / 50, "{count} records, {bytes} bytes");
    assert_eq!(refused, 1_000_000 - count);
    assert_eq!(records.usage().of_account(&[200; 16]).1, 100, "others lose nothing");
    let refusal = records.offer(by(2_000_000, 1), None, clock(0), &quotas);
    assert!(matches!(refusal, Err(Refused::Limit(met)) if met.limit == Limit::Publisher));
}

#[test]
fn what_nobody_wants_may_be_used_beyond_a_share_and_is_given_back_first() {
    let mut records = Records::default();
    let quotas = Quotas { spare_percent: 75, network_percent: Some(10), ..small() };
    let one = |n| from(by(n, 1), [8, 0, 0]);
    let kept = (0..1_000).filter(|n| records.offer(one(*n), None, clock(0), &quotas).is_ok()).count();
    assert!((60..=75).contains(&kept), "{kept} records of one publisher in a store for a hundred");
    for who in 2..12 {
        for n in 0..9 {
            let offered = from(by(u64::from(who) * 1_000 + n, who), [8, 0, who]);
            records.offer(offered, None, clock(0), &quotas).expect("a share is always to be had");
        }
    }
    let left = records.usage().of_account(&[1; 16]).1;
    assert!(left <= 15, "{left} are left to whoever had most");
    let refused = records.offer(one(5_000), None, clock(0), &quotas);
    assert!(left < 10 || matches!(refused, Err(Refused::Limit(_))), "there is nothing to spare");
}

#[test]
fn what_replaces_an_own_record_is_not_counted_twice() {
    let mut records = Records::default();
    let quotas = small();
    let mut n = 0;
    while records.offer(by(n, 1), None, clock(0), &quotas).is_ok() {
        n += 1;
    }
    assert_eq!(n, 10);
    assert_eq!(records.offer(mutable(0, 1, 2), None, clock(0), &quotas), Ok(Kept::Written));
}

#[test]
fn a_full_store_takes_from_whoever_has_most() {
    let mut records = Records::default();
    let quotas = small();
    for n in 0..3 {
        records.offer(by(10_000 + n, 100), None, clock(0), &quotas).unwrap();
    }
    for who in 1..20 {
        for n in 0..9 {
            let _ = records.offer(by(u64::from(who) * 100 + n, who), None, clock(0), &quotas);
        }
    }
    assert_eq!(records.usage().of_account(&[100; 16]).1, 3, "below its fair share: untouched");
    assert!(records.len() <= 100 && records.len() > 80, "{} records", records.len());
    assert!(records.counters.evicted > 0);
}

#[test]
fn many_keys_behind_few_addresses_pay_as_addresses() {
    let quotas = Quotas { publisher_percent: 10, network_percent: Some(40), ..small() };
    let mut records = Records::default();
    for n in 0..4 {
        records.offer(from(by(1_000 + n, 255), [9, 9, 9]), None, clock(0), &quotas).unwrap();
    }
    // Two hundred accounts of one record each behind four networks.
    for who in 0..200u8 {
        let _ = records.offer(from(by(u64::from(who), who), [8, 0, who % 4]), None, clock(0), &quotas);
    }
    assert_eq!(records.usage().of_account(&[255; 16]).1, 4);
}

#[test]
fn one_network_has_its_limit() {
    let quotas = Quotas { network_percent: Some(5), ..small() };
    let mut records = Records::default();
    let results: Vec<_> = (0..20u8)
        .map(|who| records.offer(from(by(u64::from(who), who), [8, 0, 0]), None, clock(0), &quotas))
        .collect();
    assert!(matches!(results[19], Err(Refused::Limit(met)) if met.limit == Limit::Network));
    assert!(records.offer(from(by(99, 99), [8, 0, 1]), None, clock(0), &quotas).is_ok());
}

#[test]
fn postings_leave_room_for_other_kinds() {
    let quotas = Quotas { publisher_percent: 100, ..small() };
    let mut records = Records::default();
    for n in 0..200u64 {
        let who = (n % 250) as u8;
        let _ = records.offer(candidate(Kind::Posting, key(n), who, EPOCH), None, clock(0), &quotas);
    }
    let postings = records.len();
    assert!(postings <= 60 && postings > 50, "{postings} postings");
    for n in 1_000..1_035 {
        records.offer(by(n, 7), None, clock(0), &quotas).unwrap();
    }
    assert_eq!(records.usage().of_account(&[7; 16]).1.min(35), 35);
}

fn posting(who: u8, file: u64, network: u8) -> Candidate {
    let mut posting = from(candidate(Kind::Posting, key(1), who, EPOCH), [8, 0, network]);
    posting.id = Locator::new(key(1), Kind::Posting, id_of(&[&[who], &file.to_be_bytes()[..]].concat()));
    posting.content = file;
    posting
}

fn shard_quotas() -> Quotas {
    Quotas { postings_per_shard: 100, postings_per_publisher: 40, network_percent: None, ..Quotas::default() }
}

#[test]
fn a_flood_of_one_key_does_not_push_out_a_rare_file() {
    let mut records = Records::default();
    records.offer(posting(1, 7, 1), None, clock(0), &shard_quotas()).unwrap();
    for who in 2..6 {
        for file in 0..1_000 {
            let _ = records.offer(posting(who, file, 2), None, clock(0), &shard_quotas());
        }
    }
    assert!(records.find(&posting(1, 7, 1).id, clock(0).now).is_some());
    assert_eq!(records.postings_at(key(1)), 100);
}

#[test]
fn one_file_published_a_thousand_times_does_not_push_out_a_rare_one() {
    let mut records = Records::default();
    // The rare one ends first: of equals it would go.
    let rare = Candidate { remaining: 1_000, ..posting(1, 7, 1) };
    records.offer(rare, None, clock(0), &shard_quotas()).unwrap();
    for n in 0..250u8 {
        let mut copy = posting(2, 8, 2);
        copy.id = Locator::new(key(1), Kind::Posting, id_of(&[n, 3]));
        copy.account = Some([n; 16]);
        let _ = records.offer(copy, None, clock(0), &shard_quotas());
    }
    assert!(records.find(&posting(1, 7, 1).id, clock(0).now).is_some());
}

#[test]
fn a_thousand_publishers_on_sixteen_addresses_do_not_push_out_an_honest_one() {
    let quotas = Quotas { network_percent: Some(5), ..shard_quotas() };
    let mut records = Records::default();
    let honest = |file| Candidate { remaining: 1_000, ..posting(0, file, 100) };
    for file in 0..3 {
        records.offer(honest(file), None, clock(0), &quotas).unwrap();
    }
    for n in 0..1_000u32 {
        let mut fake = posting(1, u64::from(n), (n % 16) as u8);
        fake.id = Locator::new(key(1), Kind::Posting, id_of(&n.to_be_bytes()));
        fake.account = Some([n.to_be_bytes(); 4].concat().try_into().unwrap());
        let _ = records.offer(fake, None, clock(0), &quotas);
    }
    for file in 0..3 {
        assert!(records.find(&honest(file).id, clock(0).now).is_some());
    }
}

#[test]
fn a_publisher_has_so_many_postings_at_a_word_and_no_more() {
    let mut records = Records::default();
    let results: Vec<_> =
        (0..41).map(|file| records.offer(posting(1, file, 1), None, clock(0), &shard_quotas())).collect();
    assert!(results[39].is_ok());
    assert!(matches!(results[40], Err(Refused::Limit(_))));
}

#[test]
fn where_there_is_room_a_large_publisher_has_it_and_makes_room_for_others() {
    let mut records = Records::default();
    let quotas = Quotas { postings_per_publisher: 4, ..shard_quotas() };
    let kept = (0..100).filter(|file| records.offer(posting(1, *file, 1), None, clock(0), &quotas).is_ok());
    assert_eq!(kept.count(), 25, "a quarter of the shard");
    for who in 2..202u8 {
        let _ = records.offer(posting(who, 1_000 + u64::from(who), 2), None, clock(0), &quotas);
    }
    let left = (0..100).filter(|file| records.find(&posting(1, *file, 1).id, clock(0).now).is_some());
    assert!(left.count() <= 1, "of a full shard nobody has more than another");
}

proptest! {
    #[test]
    fn the_counters_are_those_of_the_records_present(
        offers in prop::collection::vec((0..30u64, 0..12u8, 0..4u64, 0..3u8, 1..200u32), 1..200)
    ) {
        let quotas = Quotas { records: 20, network_percent: Some(30), ..small() };
        let mut records = Records::default();
        for (step, (n, who, seq, network, ttl)) in (0u64..).zip(offers) {
            let offered = from(Candidate { ttl, ..mutable(n, who, seq) }, [8, 0, network]);
            let _ = records.offer(offered, None, clock(step), &quotas);
            if step % 7 == 0 {
                records.sweep(clock(step).now);
            }
            prop_assert!(records.len() <= 20 && records.usage().bytes() <= quotas.bytes);
            let counted: u32 = (0..12).map(|who| records.usage().of_account(&[who; 16]).1).sum();
            prop_assert_eq!(counted as usize, records.len());
        }
        records.sweep(clock(100_000).now);
        prop_assert_eq!((records.len(), records.usage().bytes(), records.usage().publishers()), (0, 0, 0));
    }
}
