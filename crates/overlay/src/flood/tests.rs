//! One test a sentence of the mechanism.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;

const A: LinkId = LinkId(1);
const B: LinkId = LinkId(2);

fn at(seconds: u64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

fn flood(span: u8) -> Flood {
    Flood::new(FloodLimits { span, ..FloodLimits::default() }, [1, 2])
}

fn scope(ttl: u8, hops: u8) -> Scope {
    Scope { ttl, hops }
}

#[test]
fn a_message_is_relayed_once_and_its_copies_are_told_apart() {
    let mut flood = flood(7);
    let id = [9; 16];
    assert_eq!(flood.arrive(&id, A, scope(7, 0), at(0)), Arrival::New(Some(scope(6, 1))));
    assert_eq!(flood.arrive(&id, B, scope(7, 0), at(1)), Arrival::Duplicate);
    assert_eq!(flood.arrive(&id, A, scope(7, 0), at(1)), Arrival::Repeated);
    assert_eq!(flood.way_back(&id, at(2)), Some(Origin::Link(A)));
    flood.begin(&[8; 16], at(2));
    assert_eq!(flood.arrive(&[8; 16], A, scope(7, 0), at(3)), Arrival::Own);
    assert_eq!(flood.way_back(&[8; 16], at(3)), Some(Origin::Own));
    assert_eq!(flood.way_back(&[7; 16], at(3)), None);
}

#[test]
fn a_probe_may_be_followed_by_the_same_query_with_a_higher_ttl_from_the_same_link_only() {
    let mut flood = flood(4);
    let id = [9; 16];
    assert_eq!(flood.arrive(&id, A, scope(1, 0), at(0)), Arrival::New(None));
    assert_eq!(flood.arrive(&id, B, scope(3, 0), at(0)), Arrival::Duplicate);
    assert_eq!(flood.arrive(&id, A, scope(3, 0), at(1)), Arrival::Farther(Some(scope(2, 1))));
    assert_eq!(flood.arrive(&id, A, scope(3, 0), at(1)), Arrival::Repeated);
}

#[test]
fn nothing_goes_further_than_the_limit() {
    let mut flood = flood(4);
    assert_eq!(flood.arrive(&[1; 16], A, scope(7, 1), at(0)), Arrival::New(Some(scope(2, 2))));
    assert_eq!(flood.arrive(&[2; 16], A, scope(7, 4), at(0)), Arrival::New(None));
    assert_eq!(flood.arrive(&[3; 16], A, scope(0, 0), at(0)), Arrival::New(None));
    assert_eq!(flood.arrive(&[4; 16], A, scope(10, 6), at(0)), Arrival::TooFar);
    assert_eq!(flood.arrive(&[4; 16], A, scope(255, 255), at(0)), Arrival::TooFar);
    assert_eq!(flood.remembered(), 3);
}

#[test]
fn routes_are_forgotten_when_they_are_old_unless_they_are_used() {
    let limits = RouteLimits { age: Duration::from_secs(100), entries: 1_000 };
    let mut routes = Routes::new(limits, [1, 2]);
    routes.note(&[1; 16], Origin::Link(A), 7, at(0));
    routes.note(&[2; 16], Origin::Link(A), 7, at(0));
    for second in (10..400).step_by(10) {
        assert_eq!(routes.find(&[1; 16], at(second)), Some(Origin::Link(A)), "{second}");
    }
    assert_eq!(routes.find(&[2; 16], at(400)), None);
    assert_eq!(routes.find(&[1; 16], at(600)), None, "nobody used it for longer than its age");
}

#[test]
fn a_storm_of_ids_takes_bounded_memory_and_forgets_the_oldest_first() {
    let limits = RouteLimits { entries: 1_000, ..RouteLimits::default() };
    let mut routes = Routes::new(limits, [1, 2]);
    for number in 0..100_000u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_le_bytes());
        assert_eq!(routes.note(&id, Origin::Link(A), 7, at(1)), Noted::New);
        assert!(routes.len() <= 1_000);
        assert_eq!(routes.find(&id, at(1)), Some(Origin::Link(A)));
    }
}

#[test]
fn an_empty_queue_takes_sixteen_bytes_and_a_budget_eight() {
    assert_eq!(size_of::<SendQueue>(), 16);
    assert_eq!(size_of::<Budget>(), 8);
}

#[test]
fn the_important_leaves_first_and_the_unimportant_is_given_up() {
    let limits = FlowLimits { window: 100, waiting: 100 };
    let mut queue = SendQueue::default();
    let message = |byte: u8| Bytes::from(vec![byte; 30]);
    let importance = |class, rank| Importance { class, rank };
    assert!(queue.is_open(&limits));
    queue.wrote(100);
    assert!(!queue.is_open(&limits) && queue.pop(&limits).is_none());
    assert_eq!(queue.push(importance(2, 1), message(1), &limits, at(1)), Pushed::Waits);
    assert_eq!(queue.push(importance(2, 5), message(2), &limits, at(2)), Pushed::Waits);
    assert_eq!(queue.congested_since(), Some(at(2)));
    assert_eq!(queue.push(importance(4, 0), message(3), &limits, at(3)), Pushed::Waits);
    assert_eq!(queue.push(importance(2, 3), message(4), &limits, at(4)), Pushed::Dropped(1), "1 goes for it");
    assert_eq!(queue.push(importance(1, 9), message(5), &limits, at(5)), Pushed::Dropped(1), "itself");
    queue.flushed(100);
    let order: Vec<u8> = std::iter::from_fn(|| queue.pop(&limits)).map(|message| message[0]).collect();
    assert_eq!(order, [3, 2, 4]);
    assert_eq!((queue.congested_since(), queue.backlog()), (None, 0));
}

#[test]
fn control_messages_keep_their_order_and_are_never_given_up() {
    let limits = FlowLimits { window: 1, waiting: 100 };
    let mut queue = SendQueue::default();
    queue.wrote(1);
    let push = |queue: &mut SendQueue, importance, byte: u8| {
        queue.push(importance, Bytes::from(vec![byte; 30]), &limits, at(0))
    };
    push(&mut queue, Importance { class: 3, rank: 0 }, 0);
    for byte in 1..=3 {
        assert!(!matches!(push(&mut queue, Importance::CONTROL, byte), Pushed::Overflow));
    }
    assert_eq!(push(&mut queue, Importance { class: 9, rank: 9 }, 9), Pushed::Dropped(1));
    assert_eq!(push(&mut queue, Importance::CONTROL, 4), Pushed::Overflow);
    queue.flushed(1);
    let order: Vec<u8> = std::iter::from_fn(|| queue.pop(&limits)).map(|message| message[0]).collect();
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn what_is_not_worth_waiting_for_can_be_given_up_at_once() {
    let limits = FlowLimits { window: 0, waiting: 1_000 };
    let mut queue = SendQueue::default();
    for class in 1..=4 {
        queue.push(Importance { class, rank: 0 }, Bytes::from_static(b"12345"), &limits, at(0));
    }
    assert_eq!((queue.give_up_below(Importance { class: 3, rank: 0 }), queue.waiting()), (2, 10));
}

#[test]
fn a_budget_lets_a_burst_through_and_then_its_rate() {
    let mut budget = Budget::default();
    let every = Duration::from_secs(1);
    let burst = (0..10).filter(|_| budget.spend(3, every, at(0))).count();
    let later =
        (0..100).filter(|tenth| budget.spend(3, every, Instant::from_micros(tenth * 100_000))).count();
    assert_eq!((burst, later), (3, 9));
}

#[test]
fn a_link_that_sends_everything_twice_is_found_and_one_that_does_so_rarely_is_not() {
    let (mut bad, mut good) = (DuplicateMeter::default(), DuplicateMeter::default());
    let found = (0..100).position(|_| {
        bad.receive();
        bad.repeat()
    });
    assert_eq!(found, Some(4));
    for number in 0..100_000 {
        good.receive();
        assert!(number % 100 != 99 || !good.repeat());
    }
}

proptest! {
    /// Whatever comes in whatever order, the queue holds what it may and counts it right.
    #[test]
    fn a_queue_never_holds_more_than_it_may(ops in prop::collection::vec((0u8..8, 0u8..4, 1usize..400), 1..200)) {
        let limits = FlowLimits { window: 500, waiting: 2_000 };
        let mut queue = SendQueue::default();
        let mut left = 0;
        for (class, rank, size) in ops {
            if class == 7 {
                queue.flushed(size as u32);
                while let Some(message) = queue.pop(&limits) {
                    prop_assert!(message.len() < 400);
                    left += 1;
                    queue.wrote(message.len());
                }
            } else {
                queue.push(Importance { class, rank }, Bytes::from(vec![0; size]), &limits, at(0));
            }
            prop_assert!(queue.waiting() <= limits.waiting);
        }
        queue.flushed(u32::MAX);
        while queue.pop(&FlowLimits { window: u32::MAX, ..limits }).is_some() {
            left += 1;
        }
        prop_assert!(left <= 200 && queue.backlog() == 0);
    }

    /// A table answers as an unbounded one would, as long as its limits are not reached.
    #[test]
    fn routes_within_their_limits_forget_nothing(ids in prop::collection::vec((any::<[u8; 2]>(), 0u32..4), 1..200)) {
        let mut routes = Routes::new(RouteLimits::default(), [3, 4]);
        let mut model = std::collections::BTreeMap::new();
        for (short, link) in ids {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&short);
            let first = *model.entry(id).or_insert(link);
            let noted = routes.note(&id, Origin::Link(LinkId(link)), 1, at(1));
            prop_assert!(matches!(noted, Noted::New | Noted::Known(_)));
            prop_assert_eq!(routes.find(&id, at(1)), Some(Origin::Link(LinkId(first))));
        }
        prop_assert_eq!(routes.len(), model.len());
    }
}
