//! Hand-made rings, good and bad: each clause fails on its own counter-example.

use super::*;
use proptest::prelude::*;

const R: usize = 2;

fn peer(id: u8) -> Peer<u8> {
    Peer { id, incarnation: 1 }
}

fn member(id: u8, list: &[u8], prdc: u8) -> Member<u8> {
    let list = list.iter().copied().map(peer).collect();
    Member {
        me: peer(id),
        phase: Phase::Ring,
        r: R,
        list,
        prdc: Some(peer(prdc)),
        active: true,
        low: Some(prdc),
    }
}

/// Five members at 10, 20, 30, 40, 50, every pointer right.
fn good() -> Vec<Member<u8>> {
    let ids = [10, 20, 30, 40, 50];
    (0..5).map(|at| member(ids[at], &[ids[(at + 1) % 5], ids[(at + 2) % 5]], ids[(at + 4) % 5])).collect()
}

fn snapshot(members: Vec<Member<u8>>) -> RingSnapshot<u8> {
    RingSnapshot::new(members, Vec::new())
}

fn with(change: impl FnOnce(&mut Vec<Member<u8>>)) -> RingSnapshot<u8> {
    let mut members = good();
    change(&mut members);
    snapshot(members)
}

fn relist(member: &mut Member<u8>, list: &[u8]) {
    member.list = list.iter().copied().map(peer).collect();
}

#[test]
fn a_good_ring_satisfies_everything() {
    let good = snapshot(good());
    assert_eq!(principals(&good).len(), 5);
    assert_eq!(inv(&good), Ok(()));
    assert_eq!(ring(&good), Ok([10, 20, 30, 40, 50].map(peer).to_vec()));
    assert_eq!(ideal(&good), Ok(()));
    assert_eq!(shape(&good), Ok(()));
    assert!(owners(&good).is_exact());
}

#[test]
fn between_is_right_for_every_triple_of_six_bits() {
    for (a, b, x) in (0..64u8).flat_map(|a| (0..64).flat_map(move |b| (0..64).map(move |x| (a, b, x)))) {
        let naive = (1..64).map(|step| (a + step) % 64).take_while(|at| *at != b).any(|at| at == x);
        assert_eq!(between(&a, &x, &b), naive, "{a} {x} {b}");
    }
}

#[test]
fn a_member_whose_list_is_all_dead_is_stranded() {
    let bad = with(|members| relist(&mut members[0], &[12, 15]));
    assert_eq!(inv(&bad), Err(Breach::Stranded(peer(10))));
    assert_eq!(ring(&bad), Err(Breach::Stranded(peer(10))));
}

#[test]
fn an_entry_of_an_older_life_is_no_live_successor_and_skips_the_newer_one() {
    let returned = |members: &mut Vec<Member<u8>>| members[1].me.incarnation = 2;
    let bad = with(returned);
    assert_eq!(principals(&bad).len(), 4, "the lists of 10 and 50 know the dead life of 20");
    assert_eq!(inv(&bad), Ok(()));
    let bad = with(|members| {
        returned(members);
        relist(&mut members[0], &[20]);
    });
    assert_eq!(inv(&bad), Err(Breach::Stranded(peer(10))));
}

#[test]
fn a_list_that_skips_members_takes_principals_away() {
    let bad = with(|members| relist(&mut members[0], &[30, 40]));
    assert_eq!(principals(&bad), [10, 30, 40, 50].map(peer));
    assert_eq!(inv(&bad), Ok(()));
    let bad = with(|members| relist(&mut members[0], &[40, 50]));
    assert_eq!(inv(&bad), Ok(()), "three principals are r+1");
    let bad = with(|members| relist(&mut members[0], &[50]));
    assert_eq!(inv(&bad), Err(Breach::FewPrincipals { found: 2, needed: 3 }));
}

#[test]
fn a_list_under_way_takes_principals_away_and_its_result_may_strand() {
    let answer = |list: &[u8], result: &[u8]| Answer {
        from: peer(50),
        list: list.iter().copied().map(peer).collect(),
        to: peer(40),
        result: result.iter().copied().map(peer).collect(),
    };
    let harmless = RingSnapshot::new(good(), vec![answer(&[10, 20], &[50, 10])]);
    assert_eq!(inv(&harmless), Ok(()));
    let skipping = RingSnapshot::new(good(), vec![answer(&[40], &[50, 10])]);
    assert_eq!(inv(&skipping), Err(Breach::FewPrincipals { found: 2, needed: 3 }));
    let stranding = RingSnapshot::new(good(), vec![answer(&[10, 20], &[45])]);
    assert_eq!(inv(&stranding), Err(Breach::StrandedByAnswer(peer(40))));
}

#[test]
fn principals_are_asked_for_only_while_all_are_in_mode_ring() {
    let mixed = with(|members| {
        relist(&mut members[0], &[50]);
        members[2].phase = Phase::Small;
    });
    assert_eq!(inv(&mixed), Ok(()));
}

#[test]
fn two_rings_are_told_from_one() {
    let bad = with(|members| {
        relist(&mut members[0], &[30, 50]);
        relist(&mut members[2], &[50]);
        relist(&mut members[4], &[10]);
        relist(&mut members[1], &[40]);
        relist(&mut members[3], &[20]);
    });
    assert_eq!(ring(&bad), Err(Breach::Rings(2)));
}

#[test]
fn a_ring_that_winds_twice_is_disordered() {
    let bad = with(|members| {
        for (at, to) in [(0, 30), (2, 50), (4, 20), (1, 40), (3, 10)] {
            relist(&mut members[at], &[to]);
        }
    });
    assert_eq!(ring(&bad), Err(Breach::Disordered(peer(50), peer(20))));
}

#[test]
fn a_member_beside_the_ring_is_no_breach_of_it_but_not_ideal() {
    let beside = with(|members| {
        members.push(member(25, &[30, 40], 20));
        members[5].active = false;
    });
    assert_eq!(ring(&beside).map(|cycle| cycle.len()), Ok(5));
    assert_eq!(inv(&beside), Ok(()));
    assert_eq!(ideal(&beside), Err(Breach::NotIdealList(peer(10))));
    assert!(owners(&beside).is_exact(), "a joiner owns nothing");
}

#[test]
fn a_wrong_predecessor_is_not_ideal_and_a_cleared_one_is_a_breach_of_time() {
    let wrong = with(|members| members[2].prdc = Some(peer(10)));
    assert_eq!(ideal(&wrong), Err(Breach::NotIdealPredecessor(peer(30))));
    let cleared = with(|members| members[2].prdc = None);
    assert_eq!(step(&wrong, &cleared), Err(Breach::PredecessorCleared(peer(30))));
    assert_eq!(step(&cleared, &wrong), Ok(()));
}

#[test]
fn lists_out_of_shape_are_found() {
    let own = with(|members| relist(&mut members[1], &[30, 20]));
    assert_eq!(shape(&own), Err(Breach::SelfInList(peer(20))));
    for list in [&[40, 30][..], &[30, 30], &[30, 40, 50]] {
        let bad = with(|members| relist(&mut members[1], list));
        assert_eq!(shape(&bad), Err(Breach::Misshapen(peer(20))), "{list:?}");
    }
}

#[test]
fn a_short_list_is_not_ideal_unless_the_ring_is_short() {
    let short = with(|members| relist(&mut members[1], &[30]));
    assert_eq!(ideal(&short), Err(Breach::NotIdealList(peer(20))));
    let pair = snapshot(vec![member(1, &[2], 2), member(2, &[1], 1)]);
    assert_eq!(ideal(&pair), Ok(()));
}

#[test]
fn one_member_alone_owns_everything() {
    let mut alone = member(7, &[], 7);
    alone.phase = Phase::Solo;
    let alone = snapshot(vec![alone]);
    assert_eq!(ring(&alone), Ok(vec![peer(7)]));
    assert_eq!(inv(&alone), Ok(()));
    assert_eq!(ideal(&alone), Ok(()));
    assert!(owners(&alone).is_exact());
}

#[test]
fn two_owners_of_one_key_and_keys_without_owner_are_told_apart() {
    let stale = with(|members| members[2].low = Some(10));
    assert_eq!(owners(&stale).overlaps, [(30, 20)]);
    assert!(!owners(&stale).is_disjoint());
    let whole = with(|members| members[2].low = Some(30));
    assert_eq!(owners(&whole).overlaps, [(30, 20)]);
    let orphan = with(|members| members[1].active = false);
    assert_eq!(owners(&orphan).gaps, [(10, 20)]);
    assert!(owners(&orphan).is_disjoint());
    let unbounded = with(|members| members[1].low = None);
    assert!(!owners(&unbounded).is_disjoint());
    let nobody = with(|members| members.iter_mut().for_each(|member| member.active = false));
    assert!(owners(&nobody).is_disjoint() && !owners(&nobody).is_exact());
}

/// `principals` as section 2.4 writes it, in O(N² r).
fn naive_principals(snapshot: &RingSnapshot<u8>) -> Vec<Peer<u8>> {
    let skips = |holder: Peer<u8>, list: &[Peer<u8>], p: Peer<u8>| {
        let chain: Vec<_> = std::iter::once(holder).chain(list.iter().copied()).collect();
        chain.windows(2).any(|pair| between(&pair[0].id, &p.id, &pair[1].id))
            || list.iter().any(|entry| entry.id == p.id && entry.incarnation != p.incarnation)
    };
    let members = snapshot.members().iter().map(|member| member.me);
    members
        .filter(|p| !snapshot.members().iter().any(|m| skips(m.me, &m.list, *p)))
        .filter(|p| !snapshot.answers().iter().any(|a| skips(a.from, &a.list, *p)))
        .collect()
}

/// Whether two Active members serve one key, key by key.
fn naive_overlap(snapshot: &RingSnapshot<u8>) -> bool {
    let serves = |member: &Member<u8>, key: u8| {
        let low = member.low.unwrap_or(member.me.id);
        member.active && (key == member.me.id || between(&low, &key, &member.me.id))
    };
    (0..=255).any(|key| snapshot.members().iter().filter(|member| serves(member, key)).count() > 1)
}

fn any_peer() -> impl Strategy<Value = Peer<u8>> {
    (0..24u8, 1..3u32).prop_map(|(id, incarnation)| Peer { id: id * 10, incarnation })
}

fn any_snapshot() -> impl Strategy<Value = RingSnapshot<u8>> {
    let list = || prop::collection::vec(any_peer(), 0..5);
    let member = (any_peer(), list(), any_peer(), any::<bool>()).prop_map(|(me, list, low, active)| Member {
        me,
        phase: Phase::Ring,
        r: 4,
        list,
        prdc: Some(low),
        active,
        low: Some(low.id),
    });
    let answer = (any_peer(), list(), any_peer()).prop_map(|(from, list, to)| Answer {
        from,
        result: list.clone(),
        list,
        to,
    });
    (prop::collection::vec(member, 1..12), prop::collection::vec(answer, 0..3)).prop_map(
        |(mut members, answers)| {
            members.sort_by_key(|member| member.me);
            members.dedup_by_key(|member| member.me.id);
            RingSnapshot::new(members, answers)
        },
    )
}

proptest! {
    #[test]
    fn principals_agree_with_the_definition_word_by_word(snapshot in any_snapshot()) {
        prop_assert_eq!(principals(&snapshot), naive_principals(&snapshot));
    }

    #[test]
    fn owners_agree_with_asking_for_every_key(snapshot in any_snapshot()) {
        prop_assert_eq!(!owners(&snapshot).is_disjoint(), naive_overlap(&snapshot));
    }
}
