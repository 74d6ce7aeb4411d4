//! One test a sentence of the cache.

use super::*;
use proptest::prelude::*;

fn host(number: u8) -> Endpoint {
    Endpoint::v4([10, 0, 0, number], 6346)
}

fn at(seconds: u64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

const LIMITS: CacheLimits = CacheLimits {
    hosts: 3,
    first_wait: Duration::from_secs(10),
    longest_wait: Duration::from_secs(40),
    failures: 3,
};

fn all(_: &Endpoint) -> bool {
    true
}

#[test]
fn a_host_that_fails_is_waited_for_longer_each_time_and_then_forgotten() {
    let mut cache = HostCache::default();
    cache.add(host(1), &LIMITS, at(0));
    assert_eq!(cache.next(&LIMITS, at(0), all), Some(host(1)));
    assert_eq!(cache.next(&LIMITS, at(1), all), None, "it is being tried");
    cache.failed(&host(1), &LIMITS, at(1));
    assert_eq!(cache.next_try(all), Some(at(11)));
    assert_eq!(cache.next(&LIMITS, at(11), all), Some(host(1)));
    cache.failed(&host(1), &LIMITS, at(11));
    assert_eq!(cache.next_try(all), Some(at(31)));
    cache.failed(&host(1), &LIMITS, at(31));
    assert!(cache.is_empty());
}

#[test]
fn one_that_answered_is_tried_first_and_kept_when_strangers_tell_of_many() {
    let mut cache = HostCache::default();
    for number in 1..=3 {
        cache.add(host(number), &LIMITS, at(number.into()));
    }
    cache.succeeded(&host(1), at(4));
    for number in 4..100 {
        assert!(cache.add(host(number), &LIMITS, at(number.into())));
    }
    assert_eq!(cache.len(), 3);
    assert_eq!(cache.best(5)[0], host(1));
    assert_eq!(cache.next(&LIMITS, at(200), all), Some(host(1)));
    assert_eq!(cache.next(&LIMITS, at(200), |at| *at != host(99)), Some(host(98)));
}

#[test]
fn of_those_that_are_as_good_not_every_node_calls_the_same_first() {
    let limits = CacheLimits { hosts: 30, ..LIMITS };
    let first = |key: u64| {
        let mut cache = HostCache::new(key);
        (1..=30).for_each(|number| _ = cache.add(host(number), &limits, at(1)));
        cache.next(&limits, at(1), all)
    };
    let called: std::collections::BTreeSet<_> = (0..100).map(first).collect();
    assert!(called.len() > 20 && first(7) == first(7), "{called:?}");
}

#[test]
fn nobody_is_kept_who_cannot_be_called_and_who_is_full_is_called_later() {
    let mut cache = HostCache::default();
    assert!(!cache.add(Endpoint::v4([224, 0, 0, 1], 80), &LIMITS, at(0)));
    assert!(!cache.add(Endpoint::v4([10, 0, 0, 1], 0), &LIMITS, at(0)));
    cache.add(host(1), &LIMITS, at(0));
    cache.postpone(&host(1), at(60));
    assert_eq!((cache.next(&LIMITS, at(59), all), cache.next(&LIMITS, at(60), all)), (None, Some(host(1))));
}

#[test]
fn the_disk_brings_back_what_was_known() {
    let mut cache = HostCache::default();
    cache.add(host(1), &LIMITS, at(5));
    cache.add(host(2), &LIMITS, at(9));
    cache.succeeded(&host(1), at(10));
    cache.failed(&host(2), &LIMITS, at(10));
    let text: Vec<String> = cache.lines(at(12)).iter().map(Line::to_string).collect();
    assert_eq!(text, ["10.0.0.1:6346 proved failures=0 age=2", "10.0.0.2:6346 told failures=1 age=3"]);
    let mut restored = HostCache::default();
    for line in &text {
        restored.restore(&line.parse().unwrap(), &LIMITS, at(100));
    }
    assert_eq!(restored.next(&LIMITS, at(100), all), Some(host(1)));
    assert_eq!(restored.lines(at(100)).len(), 2);
    for broken in ["", "nonsense", "10.0.0.1:1 age=x", "10.0.0.1"] {
        assert!(broken.parse::<Line>().is_err(), "{broken}");
    }
    assert!("10.0.0.1:1 later=7 failures=2".parse::<Line>().is_ok_and(|line| line.failures == 2));
}

proptest! {
    #[test]
    fn whatever_happens_it_holds_no_more_than_it_may(ops in prop::collection::vec((0u8..5, 0u8..20), 0..200)) {
        let mut cache = HostCache::default();
        for (second, (what, number)) in ops.into_iter().enumerate() {
            let now = at(second as u64);
            match what {
                0 => _ = cache.add(host(number), &LIMITS, now),
                1 => cache.failed(&host(number), &LIMITS, now),
                2 => cache.succeeded(&host(number), now),
                3 => cache.postpone(&host(number), now + Duration::from_secs(5)),
                _ => {
                    let given = cache.next(&LIMITS, now, all);
                    prop_assert!(given.is_none() || cache.next(&LIMITS, now, all) != given);
                }
            }
            prop_assert!(cache.len() <= LIMITS.hosts);
        }
    }
}
