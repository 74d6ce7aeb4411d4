use super::super::testkit::{StableRing, node, random_id};
use super::*;
use throng_machine::{Entropy, SplitMix64};

const EXACT: FingerConfig =
    FingerConfig { candidates: 1, probes: 0, alternates: 2, per_narrow: 2, per_wide: 10 };

fn frame(config: FingerConfig) -> Frame {
    Frame { me: node([9, 9, 9, 9], 1).id, reach: RingId::MIN, listed: 0, base: Base::Four, config }
}

fn at(seconds: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(seconds)
}

/// Nodes of one slot, by distance, taken from as many networks as asked.
fn of_top_slot(frame: &Frame, count: usize, host: impl Fn(u16) -> [u8; 4]) -> Vec<Node> {
    let nodes = (1..u16::MAX).map(|number| node(host(number), number));
    let mut nodes: Vec<Node> =
        nodes.filter(|node| frame.slot_of(node.id) == Some(frame.base.last())).take(count).collect();
    nodes.sort_unstable_by_key(|node| dist(frame.me, node.id));
    nodes
}

fn private(number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [10, 0, high, low]
}

fn primary(fingers: &Fingers) -> Node {
    fingers.primaries().next().unwrap().node
}

fn hear(fingers: &mut Fingers, frame: &Frame, node: Node, sample: Option<Duration>, now: Instant) {
    fingers.frame(*frame);
    fingers.heard(frame.me, &node, sample, now);
}

fn ms(ms: u64) -> Option<Duration> {
    Some(Duration::from_millis(ms))
}

#[test]
fn whoever_is_heard_in_any_order_the_finger_is_the_first_of_its_interval() {
    for base in [Base::Two, Base::Four, Base::Eight, Base::Sixteen] {
        let ring = StableRing::new(200, 8, base);
        let mut rng = SplitMix64::new(3);
        for me in 0..20 {
            let frame = ring.frame(me);
            let mut heard = ring.nodes.clone();
            for last in (1..heard.len()).rev() {
                heard.swap(last, rng.below(last as u32 + 1) as usize);
            }
            let mut fingers = Fingers::default();
            for node in heard {
                hear(&mut fingers, &frame, node, None, at(1));
            }
            let kept: Vec<Node> = fingers.primaries().map(|entry| entry.node).collect();
            assert_eq!(kept, ring.fingers(&frame), "{base:?}");
        }
    }
}

#[test]
fn finger_i_of_the_lecture_is_the_successor_of_two_to_the_i_minus_one_in_any_base() {
    for base in [Base::Two, Base::Four, Base::Eight, Base::Sixteen] {
        let ring = StableRing::new(300, 8, base);
        for me in (0..300).step_by(29) {
            let member = ring.member(me);
            let table = member.fingers.lecture(member.node.id, &member.list);
            assert_eq!(table.len(), 160);
            for (power, finger) in table.into_iter().enumerate() {
                let owner = ring.nodes[ring.owner(member.node.id.add_pow(power as u32))];
                assert_eq!(
                    finger,
                    Some(owner).filter(|owner| *owner != member.node),
                    "{base:?} finger {}",
                    power + 1
                );
            }
        }
    }
}

#[test]
fn what_the_list_covers_is_not_stored_and_goes_when_the_list_grows() {
    let ring = StableRing::new(64, 8, Base::Two);
    let mut fingers = Fingers::default();
    let narrow = Frame { reach: dist(ring.nodes[0].id, ring.nodes[4].id), ..ring.frame(0) };
    ring.nodes.iter().for_each(|node| hear(&mut fingers, &narrow, *node, None, at(1)));
    assert!(
        fingers
            .entries()
            .iter()
            .all(|finger| finger.entry.node.id > ring.nodes[4].id || finger.entry.node.id < ring.nodes[0].id)
    );
    let wide = Frame { reach: dist(ring.nodes[0].id, ring.nodes[12].id), ..narrow };
    fingers.frame(wide);
    assert!(!fingers.entries().is_empty());
    assert!(fingers.entries().iter().all(|finger| dist(wide.me, finger.entry.node.id) > wide.reach));
    assert_eq!(Frame { reach: RingId::MAX, ..wide }.slots(), 0);
}

#[test]
fn a_finger_is_replaced_only_for_a_gain_of_more_than_a_fifth() {
    let frame = frame(FingerConfig::default());
    let nodes = of_top_slot(&frame, 3, private);
    let mut fingers = Fingers::default();
    hear(&mut fingers, &frame, nodes[2], ms(100), at(1));
    hear(&mut fingers, &frame, nodes[0], ms(81), at(1));
    assert_eq!(primary(&fingers), nodes[2]);
    hear(&mut fingers, &frame, nodes[1], ms(79), at(1));
    assert_eq!(primary(&fingers), nodes[1]);
    assert_eq!(fingers.entries().len(), 3);
}

#[test]
fn a_suspect_finger_gives_way_to_its_nearest_alternate_and_a_dead_one_is_forgotten() {
    let frame = frame(FingerConfig::default());
    let nodes = of_top_slot(&frame, 3, private);
    let mut fingers = Fingers::default();
    for (node, rtt) in nodes.iter().zip([10, 90, 20]) {
        hear(&mut fingers, &frame, *node, ms(rtt), at(1));
    }
    assert_eq!(primary(&fingers), nodes[0]);
    fingers.silent(&nodes[0]);
    assert_eq!(primary(&fingers), nodes[2]);
    fingers.dropped(&nodes[2]);
    assert_eq!(primary(&fingers), nodes[1]);
    let every = Duration::from_secs(25);
    assert_eq!(fingers.warm_at(every, at(2)), Some(at(2)), "whoever takes over is pinged at once");
    assert_eq!(fingers.next_to_warm(every, at(2)), Some(nodes[1]));
    assert_eq!(fingers.next_to_warm(every, at(2)), None);
    fingers.dropped(&nodes[1]);
    assert_eq!(primary(&fingers), nodes[0], "a suspect is better than nobody");
    fingers.dropped(&nodes[0]);
    assert!(fingers.entries().is_empty());
}

#[test]
fn alternates_are_at_most_two_and_from_other_networks_where_addresses_tell() {
    let frame = frame(FingerConfig { per_wide: 100, per_narrow: 9, ..EXACT });
    let crowd = of_top_slot(&frame, 40, |number| {
        let [high, low] = number.to_be_bytes();
        if number % 8 == 0 { [70 + low % 64, high, 1, low] } else { [8, 8, high, low] }
    });
    let mut fingers = Fingers::default();
    for node in crowd.iter().rev() {
        hear(&mut fingers, &frame, *node, None, at(1));
        assert!(fingers.entries().len() <= 3);
    }
    let kept: Vec<Node> = fingers.entries().iter().map(|finger| finger.entry.node).collect();
    assert_eq!(kept[0], crowd[0], "the finger is the first of its interval");
    assert!(
        kept.iter()
            .enumerate()
            .all(|(a, node)| kept[a + 1..].iter().all(|other| { apart(node.endpoint, other.endpoint) }))
    );
}

#[test]
fn one_network_fills_no_more_than_its_share_of_the_table() {
    let frame = frame(FingerConfig { per_wide: 5, ..EXACT });
    let mut fingers = Fingers::default();
    (1..2_000).for_each(|port| hear(&mut fingers, &frame, node([8, 8, 8, 8], port), None, at(1)));
    assert_eq!(fingers.entries().len(), 2);
    for number in 1..2_000u16 {
        let [high, low] = number.to_be_bytes();
        hear(&mut fingers, &frame, node([8, 8, high, low], 7), None, at(1));
    }
    // A twentieth of 240 slots.
    assert_eq!(fingers.entries().len(), 12);
    (1..200).for_each(|port| hear(&mut fingers, &frame, node([127, 0, 0, 1], port), None, at(1)));
    assert!(fingers.entries().len() > 14, "private addresses are not counted");
}

#[test]
fn a_later_run_of_a_node_replaces_the_earlier_and_never_the_other_way() {
    let frame = frame(FingerConfig::default());
    let old = of_top_slot(&frame, 1, private)[0];
    let new = Node { incarnation: old.incarnation + 1, ..old };
    let mut fingers = Fingers::default();
    for node in [old, new, old] {
        hear(&mut fingers, &frame, node, None, at(1));
    }
    assert_eq!(fingers.entries().len(), 1);
    assert_eq!(primary(&fingers), new);
    fingers.dropped(&old);
    assert_eq!(primary(&fingers), new);
}

#[test]
fn hearsay_is_pinged_and_enters_only_once_it_answers() {
    let frame = frame(FingerConfig::default());
    let nodes = of_top_slot(&frame, 60, private);
    let mut fingers = Fingers::default();
    nodes.iter().chain(&nodes).for_each(|node| fingers.seed(frame.me, node));
    assert!(fingers.entries().is_empty());
    let every = Duration::from_secs(25);
    let mut asked = Vec::new();
    while let Some(node) = fingers.next_to_warm(every, at(1)) {
        assert!(!asked.contains(&node));
        asked.push(node);
    }
    assert_eq!(asked.len(), 32, "guesses are bounded");
    assert_eq!(fingers.warm_at(every, at(1)), None);
}

#[test]
fn our_own_id_never_enters() {
    let frame = frame(EXACT);
    let mut fingers = Fingers::default();
    hear(&mut fingers, &frame, node([9, 9, 9, 9], 1), None, at(1));
    assert!(fingers.entries().is_empty());
}

#[test]
fn slots_are_refreshed_in_turn_from_the_farthest_and_then_again() {
    let ring = StableRing::new(256, 16, Base::Four);
    let (mut fingers, frame) = (Fingers::default(), ring.frame(0));
    fingers.frame(frame);
    let mut keys = Vec::new();
    let mut rng = SplitMix64::new(1);
    while !fingers.is_filled() {
        keys.extend(fingers.next_refresh(&mut rng));
    }
    let again = keys.pop();
    assert_eq!(keys.len(), frame.slots());
    assert_eq!(again, Some(keys[0]));
    assert!(keys.windows(2).all(|pair| dist(frame.me, pair[0]) > dist(frame.me, pair[1])));
    assert!(keys.iter().all(|key| dist(frame.me, *key) > frame.reach));
    fingers.frame(Frame { reach: RingId::MAX, ..frame });
    assert_eq!(fingers.next_refresh(&mut rng), None);
}

#[test]
fn silent_fingers_are_pinged_the_longest_silent_first_and_alternates_never() {
    let frame = frame(EXACT);
    let every = Duration::from_secs(25);
    let mut fingers = Fingers::default();
    assert_eq!(fingers.warm_at(every, at(1)), None);
    let mut rng = SplitMix64::new(5);
    for second in 1..200 {
        let host = private(rng.below(60_000) as u16);
        hear(&mut fingers, &frame, node(host, 9), None, at(second));
    }
    let primaries = fingers.primaries().count();
    assert!(fingers.entries().len() > primaries);
    let due = fingers.warm_at(every, at(1_000)).unwrap();
    assert_eq!(due, at(1_000));
    let mut asked = Vec::new();
    while let Some(node) = fingers.next_to_warm(every, at(1_000)) {
        asked.push(fingers.find(&node).unwrap().heard.age(at(1_000)).unwrap());
    }
    assert_eq!(asked.len(), primaries);
    assert!(asked.is_sorted_by(|a, b| a >= b));
    assert!(fingers.warm_at(every, at(1_000)).unwrap() > at(1_024));
    assert_eq!(fingers.next_to_warm(every, at(1_010)), None, "asked a moment ago, though none answered");
    assert!(fingers.next_to_warm(every, at(1_026)).is_some());
}

#[test]
fn candidates_are_strangers_of_the_interval_near_its_start() {
    let ring = StableRing::new(2_000, 16, Base::Four);
    let config = FingerConfig { candidates: 64, ..FingerConfig::default() };
    let frame = Frame { config, ..ring.frame(0) };
    for slot in frame.all() {
        let start = frame.base.start(slot);
        let first = ring.owner(frame.key(slot));
        let after = |by: usize| ring.after(first, by);
        let mut fingers = Fingers::default();
        fingers.frame(frame);
        if frame.slot_of(after(3).id) == Some(slot) {
            fingers.heard(frame.me, &after(3), None, at(1));
        }
        let found: Vec<Node> = fingers.candidates(&ring.nodes[first], (1..=300).map(after)).collect();
        assert!(!found.contains(&after(3)), "known already");
        let end = frame.base.after(slot).map_or(RingId::MAX, |next| frame.base.start(next));
        let farthest = found.iter().map(|node| dist(frame.me, node.id)).max().unwrap_or(start);
        assert!(found.iter().all(|node| dist(frame.me, node.id) > start) && farthest < end, "{slot:?}");
        // So many as they are judged to be by how densely sixteen lie: within a factor of two.
        let expected = (2_000.0 * (end.fraction() - start.fraction()) / 4.0).clamp(16.0, 64.0) as usize;
        let inside = (0..300).take_while(|by| dist(frame.me, after(*by).id) < end).count();
        let bounds = (expected / 2).min(inside.saturating_sub(2))..=expected * 2;
        assert!(bounds.contains(&found.len()), "{slot:?}: {} of {expected}", found.len());
    }
}

#[test]
fn who_has_looked_up_every_slot_begins_anywhere_among_its_candidates() {
    let ring = StableRing::new(2_000, 16, Base::Four);
    for candidates in [1, 64] {
        let config = FingerConfig { candidates, ..FingerConfig::default() };
        let (frame, mut rng) = (Frame { config, ..ring.frame(0) }, SplitMix64::new(3));
        let mut fingers = Fingers::default();
        fingers.frame(frame);
        while !fingers.is_filled() {
            fingers.next_refresh(&mut rng);
        }
        let mut keys = std::collections::BTreeSet::new();
        let last = frame.base.last();
        for _ in 0..50 * frame.slots() {
            let key = fingers.next_refresh(&mut rng).unwrap();
            if frame.slot_of(key) == Some(last) {
                keys.insert(dist(frame.key(last), key));
            }
        }
        let reach = frame.span(last).fraction() - frame.reach.fraction();
        assert!(keys.iter().all(|key| key.fraction() <= reach.max(0.0)));
        assert_eq!(keys.len() > 40, candidates > 1, "{} places", keys.len());
    }
}

#[test]
fn the_closest_entry_before_a_key_is_found_as_by_looking_at_all() {
    let ring = StableRing::new(300, 4, Base::Eight);
    let mut rng = SplitMix64::new(9);
    for me in 0..30 {
        let member = ring.member(me);
        for _ in 0..50 {
            let key = random_id(&mut rng);
            let even = |entry: &Entry| entry.node.id.0[19].is_multiple_of(2);
            let naive = member
                .fingers
                .iter()
                .filter(|entry| even(entry) && throng_wire::chord::btw(member.node.id, entry.node.id, key));
            let best = naive.min_by_key(|entry| dist(entry.node.id, key));
            assert_eq!(member.fingers.closest_before(member.node.id, key, even), best);
        }
    }
}

#[test]
fn a_finger_takes_little_memory() {
    assert!(size_of::<Finger>() <= 64, "{}", size_of::<Finger>());
    assert!(size_of::<Fingers>() <= 112, "{}", size_of::<Fingers>());
}
