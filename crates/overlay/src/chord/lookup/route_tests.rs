use super::super::slot::Base;
use super::super::testkit::{Member, StableRing, heard, node, random_id};
use super::*;
use throng_machine::SplitMix64;

fn quest(key: RingId) -> Quest<'static> {
    Quest { key, direct: false, back: 0, from: None, tried: &[], desperate: false, warm: None }
}

/// Follows a lookup through a stable ring: nodes contacted, the owner included; checks each step.
fn walk(ring: &StableRing, members: &[Member], from: usize, key: RingId) -> u32 {
    let (mut at, mut look, mut hops) = (from, quest(key), 0);
    loop {
        let me = members[at].node;
        let next = match next_hop(&[members[at].place()], 0, &look, None) {
            Step::Mine(_) => {
                assert_eq!(at, ring.owner(key));
                return hops;
            }
            Step::Direct(node) => {
                look.direct = true;
                node
            }
            Step::Toward(node) => {
                assert!(dist(node.id, key) < dist(me.id, key), "a hop must come closer");
                node
            }
            step => {
                assert!(matches!(step, Step::Mine(_)), "a stable ring needs no {step:?}");
                return hops;
            }
        };
        assert_ne!(next, me);
        look.from = Some(me.id);
        at = ring.owner(next.id);
        hops += 1;
        assert!(hops <= 64);
    }
}

fn mean(size: u32, most: usize, base: Base, lookups: u32) -> f64 {
    let ring = StableRing::new(size, most, base);
    let members: Vec<Member> = (0..ring.nodes.len()).map(|at| ring.member(at)).collect();
    let mut rng = SplitMix64::new(u64::from(size));
    let mut total = 0;
    for lookup in 0..lookups {
        total += walk(&ring, &members, (lookup * 7_919 % size) as usize, random_id(&mut rng));
    }
    f64::from(total) / f64::from(lookups)
}

#[test]
fn every_lookup_ends_at_the_owner_whatever_the_ring_and_the_base() {
    for base in [Base::Two, Base::Four, Base::Eight, Base::Sixteen] {
        for size in [1, 2, 3, 4, 8, 15, 17, 18, 33, 64, 100] {
            for most in [2, 3, 16] {
                mean(size, most, base, 100);
            }
        }
    }
}

#[test]
fn mean_hops_are_half_the_logarithm_of_the_ring_beyond_the_list_plus_one() {
    for (size, base, expected) in [
        (256, Base::Two, 3.0),
        (1024, Base::Two, 3.99),
        (1024, Base::Four, 3.30),
        (1024, Base::Sixteen, 2.69),
    ] {
        let mean = mean(size, 16, base, 10_000);
        assert!((mean - expected).abs() < 0.1, "{size} nodes, {base:?}: {mean}, expected {expected}");
    }
}

#[test]
fn with_a_table_of_all_the_owner_is_the_next_hop() {
    struct All<'a>(&'a StableRing);
    impl Members for All<'_> {
        fn at_or_after(&self, key: RingId, admit: &dyn Fn(&Node) -> bool) -> Option<Node> {
            let owner = self.0.owner(key);
            (0..self.0.nodes.len()).map(|by| self.0.after(owner, by)).find(|node| admit(node))
        }
    }
    let ring = StableRing::new(200, 4, Base::Two);
    let (member, mut rng) = (ring.member(0), SplitMix64::new(2));
    for _ in 0..500 {
        let key = random_id(&mut rng);
        let owner = ring.nodes[ring.owner(key)];
        let expected = if owner == member.node { Step::Mine(0) } else { Step::Direct(owner) };
        assert_eq!(next_hop(&[member.place()], 0, &quest(key), Some(&All(&ring))), expected);
    }
}

#[test]
fn those_tried_in_vain_and_suspects_are_gone_round() {
    let ring = StableRing::new(500, 4, Base::Two);
    let (mut rng, mut member) = (SplitMix64::new(4), ring.member(7));
    for _ in 0..200 {
        let key = random_id(&mut rng);
        let mut tried = Vec::new();
        loop {
            let look = Quest { tried: &tried, ..quest(key) };
            match next_hop(&[member.place()], 0, &look, None) {
                Step::Toward(node) | Step::Direct(node) => {
                    assert!(!tried.contains(&node));
                    tried.push(node);
                }
                step => {
                    assert!(matches!(step, Step::Wait | Step::Mine(0)));
                    break;
                }
            }
        }
    }
    let listed = |at| member.list.get(at).unwrap().node;
    let (first, second) = (listed(1), listed(2));
    let owner = first.id;
    assert_eq!(next_hop(&[member.place()], 0, &quest(owner), None), Step::Direct(first));
    member.list.update(&first, |entry| entry.health = Health::Suspect);
    assert_eq!(next_hop(&[member.place()], 0, &quest(owner), None), Step::Direct(second));
}

/// Three neighbours p, x and s of a ring, x in the middle.
fn three() -> (Node, Node, Node, Member) {
    let ring = StableRing::new(100, 4, Base::Two);
    (ring.nodes[4], ring.nodes[5], ring.nodes[6], ring.member(5))
}

fn before(node: Node) -> RingId {
    node.id.minus(RingId::power(0))
}

#[test]
fn a_node_named_as_owner_that_is_not_passes_back_to_its_predecessor() {
    let (p, x, _, member) = three();
    let look = Quest { direct: true, ..quest(before(p)) };
    assert_eq!(next_hop(&[member.place()], 0, &look, None), Step::Back(p));
    let last = Quest { back: member.most, ..look };
    assert_eq!(next_hop(&[member.place()], 0, &last, None), Step::Wait, "at most r times");
    let named = Quest { direct: true, ..quest(before(x)) };
    assert_eq!(next_hop(&[member.place()], 0, &named, None), Step::Mine(0));
}

#[test]
fn an_inactive_node_passes_to_its_head() {
    let (_, x, s, member) = three();
    let place = Place { claim: Claim::Inactive, ..member.place() };
    let look = Quest { direct: true, ..quest(before(x)) };
    assert_eq!(next_hop(&[place], 0, &look, None), Step::Direct(s));
}

#[test]
fn an_inactive_node_passed_over_by_its_head_looks_further_back_and_the_two_do_not_ask_each_other_for_ever() {
    let (p, x, s, member) = three();
    let place = Place { claim: Claim::Inactive, ..member.place() };
    let behind = Quest { direct: true, back: 1, from: Some(s.id), ..quest(before(p)) };
    assert_eq!(next_hop(&[place], 0, &behind, None), Step::Back(p));
    let own = Quest { key: before(x), ..behind };
    assert_eq!(next_hop(&[place], 0, &own, None), Step::Direct(s));
}

#[test]
fn a_range_granted_is_answered_by_the_joiner() {
    let (p, x, _, member) = three();
    let place = Place { claim: Claim::Active { low: p.id, epoch: 2 }, granted: Some(p), ..member.place() };
    let look = Quest { direct: true, ..quest(before(p)) };
    assert_eq!(next_hop(&[place], 0, &look, None), Step::Granted(0, p));
    assert_eq!(next_hop(&[place], 0, &Quest { key: x.id, ..look }, None), Step::Mine(0));
}

#[test]
fn a_suspect_predecessor_is_waited_for() {
    let (p, _, _, mut member) = three();
    member.before.health = Health::Suspect;
    let look = Quest { direct: true, ..quest(before(p)) };
    assert_eq!(next_hop(&[member.place()], 0, &look, None), Step::Wait);
    let desperate = Quest { desperate: true, ..look };
    assert_eq!(next_hop(&[member.place()], 0, &desperate, None), Step::Back(p));
    member.before.health = Health::Dead;
    assert_eq!(next_hop(&[member.place()], 0, &desperate, None), Step::Wait);
}

#[test]
fn a_dead_predecessor_is_passed_over_to_the_node_whose_range_follows_ours() {
    let ring = StableRing::new(100, 4, Base::Two);
    let (below, p, mut member) = (ring.nodes[3], ring.nodes[4], ring.member(5));
    member.before.health = Health::Dead;
    // It took over what its predecessor owned.
    let claim = Claim::Active { low: below.id, epoch: 2 };
    let place = Place { claim, below: Some(below), ..member.place() };
    let look = Quest { direct: true, ..quest(before(below)) };
    assert_eq!(next_hop(&[place], 0, &look, None), Step::Back(below));
    assert_eq!(next_hop(&[place], 0, &Quest { tried: &[below], ..look }, None), Step::Wait);
    assert_eq!(next_hop(&[place], 0, &Quest { key: before(p), ..look }, None), Step::Mine(0));
    let narrow = Place { claim: Claim::Active { low: p.id, epoch: 1 }, ..place };
    let unowned = Quest { key: before(p), ..look };
    assert_eq!(next_hop(&[narrow], 0, &unowned, None), Step::Wait, "nobody owns it");
}

#[test]
fn a_range_nobody_owns_is_not_sought_further_back() {
    let (_, x, s, member) = three();
    let between = Quest { back: 1, from: Some(s.id), ..quest(before(s)) };
    assert!(btw(x.id, between.key, s.id));
    assert_eq!(next_hop(&[member.place()], 0, &between, None), Step::Wait);
}

#[test]
fn a_fresh_joiner_without_fingers_sends_nothing_to_itself() {
    let (ring, fingers) = (StableRing::new(50, 3, Base::Two), Fingers::default());
    let me = node([10, 9, 9, 9], 1);
    let head = heard(ring.nodes[ring.owner(me.id)]);
    let (list, empty) = (SuccessorList::of([head]), SuccessorList::default());
    let place = Place {
        node: me,
        claim: Claim::Inactive,
        predecessor: None,
        below: None,
        list: &list,
        fingers: &fingers,
        granted: None,
        most: 3,
    };
    let mut rng = SplitMix64::new(8);
    for _ in 0..200 {
        let step = next_hop(&[place], 0, &quest(random_id(&mut rng)), None);
        assert!(matches!(step, Step::Toward(to) | Step::Direct(to) if to == head.node), "{step:?}");
    }
    let alone = Place { list: &empty, ..place };
    assert_eq!(next_hop(&[alone], 0, &quest(head.node.id), None), Step::Wait);
}

#[test]
fn the_nodes_of_one_host_share_what_they_know_and_never_ask_each_other() {
    let ring = StableRing::new(400, 4, Base::Two);
    let ours = [3, 90, 91, 180, 270, 271, 272, 350];
    let members: Vec<Member> = ours.iter().map(|at| ring.member(*at)).collect();
    let places: Vec<Place<'_>> = members.iter().map(Member::place).collect();
    let mut rng = SplitMix64::new(6);
    for lookup in 0..2_000 {
        let (key, at) = (random_id(&mut rng), lookup % ours.len());
        match next_hop(&places, at, &quest(key), None) {
            Step::Mine(mine) => assert_eq!(members[mine].node, ring.nodes[ring.owner(key)]),
            Step::Direct(node) => assert_eq!(node, ring.nodes[ring.owner(key)]),
            Step::Toward(node) => {
                assert!(members.iter().all(|member| member.node != node));
                assert!(members.iter().all(|member| {
                    member.node.id == key || dist(node.id, key) < dist(member.node.id, key)
                }));
            }
            step => assert!(matches!(step, Step::Mine(_)), "{step:?}"),
        }
    }
}
