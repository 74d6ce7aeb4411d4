//! Merging hits, ranking them, and knowing them again.

use super::*;
use throng_machine::Endpoint;

fn source(last: u8) -> Source {
    Source::Swarm(Endpoint::v4([10, 0, 0, last], 1))
}

fn item(title: &str) -> Item {
    Item { title: title.into(), size: 7, ..Item::default() }
}

#[test]
fn what_shares_a_hash_is_one_hit_and_learns_the_others() {
    let mut hits = Hits::default();
    let by_root = Item { root: Some([1; 32]), sha1: Some([2; 20]), ..item("Moon") };
    let by_sha1 = Item { sha1: Some([2; 20]), tiger: Some([3; 24]), ..item("moon.ogg") };
    let by_tiger = Item { tiger: Some([3; 24]), ..item("luna.ogg") };
    let (id, _) = hits.absorb("chord", by_root, source(1), 0);
    assert_eq!(hits.absorb("gnutella", by_sha1, source(2), 0), (id.clone(), true));
    assert_eq!(hits.absorb("gnutella", by_tiger.clone(), source(3), 0), (id.clone(), true));
    assert_eq!(hits.absorb("gnutella", by_tiger, source(3), 0), (id.clone(), false));
    let report = hits.report(&id, &["moon".into()], false).unwrap();
    assert_eq!((report.sources, report.systems.len()), (3, 2));
    assert!(!report.verified && report.provable);
}

#[test]
fn a_hash_that_contradicts_is_another_hit_and_a_name_only_a_hint() {
    let mut hits = Hits::default();
    let (one, _) =
        hits.absorb("chord", Item { sha1: Some([2; 20]), root: Some([1; 32]), ..item("Moon") }, source(1), 0);
    let (liar, _) =
        hits.absorb("chord", Item { sha1: Some([2; 20]), root: Some([9; 32]), ..item("Moon") }, source(2), 0);
    assert_ne!(one, liar);
    let (bare, _) = hits.absorb("directory", item("moon"), source(3), 0);
    assert!(bare != one && bare != liar);
    let report = hits.report(&bare, &[], false).unwrap();
    assert_eq!(report.perhaps_same.len(), 2);
    assert!(!report.provable);
}

#[test]
fn a_hit_is_found_by_the_beginning_of_its_id_and_survives_a_restart() {
    let mut hits = Hits::default();
    let gnutella = Source::Gnutella {
        at: Endpoint::v4([10, 0, 0, 1], 2),
        servent: [3; 16],
        index: 4,
        name: b"x".to_vec(),
        firewalled: true,
        proxies: vec![Endpoint::v4([10, 0, 0, 2], 5)],
    };
    let (id, _) = hits.absorb("gnutella", Item { sha1: Some([2; 20]), ..item("Moon") }, gnutella, 8);
    assert_eq!(hits.find(&id[..5]).map(|hit| &hit.id), Some(&id));
    assert_eq!(hits.find("zz"), None);
    let kept = serde_json::to_string(&KeptHit::of(hits.get(&id).unwrap())).unwrap();
    let mut again = Hits::default();
    again.restore(serde_json::from_str::<KeptHit>(&kept).unwrap().back());
    assert_eq!(again.get(&id), hits.get(&id));
}

#[test]
fn signed_hits_stand_above_all_others() {
    let mut hits = Hits::default();
    let (many, _) = hits.absorb("chord", Item { root: Some([1; 32]), ..item("Moon") }, source(1), 0);
    (2..60).for_each(|last| {
        _ = hits.absorb("chord", Item { root: Some([1; 32]), ..item("Moon") }, source(last), 0)
    });
    let (signed, _) = hits.absorb("chord", Item { root: Some([2; 32]), ..item("Moon") }, source(1), 0);
    let publication = throng_overlay::publication::Publication { item: item("Moon"), ..Default::default() };
    assert!(hits.signed(&signed, &[Verified { publication, publisher: [5; 32] }]));
    let rank = |id: &str| hits.report(id, &[], false).unwrap().rank;
    assert!(rank(&signed) > rank(&many));
}

#[test]
fn a_file_of_a_folder_keeps_its_name_when_the_folder_was_signed() {
    let mut hits = Hits::default();
    let folder = Item { size: 100, info_hash: Some([4; 20]), ..item("Songs") };
    let song = Item { root: Some([1; 32]), size: 10, title: "Moon.ogg".into(), ..folder.clone() };
    let publication =
        throng_overlay::publication::Publication { item: folder.clone(), files: 12, ..Default::default() };
    let records = [Verified { publication, publisher: [5; 32] }];
    for (of, title) in [(song, "Moon.ogg"), (Item { title: "songs (12)".into(), ..folder }, "Songs")] {
        let (id, _) = hits.absorb("chord", of, source(1), 0);
        assert!(hits.signed(&id, &records));
        let report = hits.report(&id, &[], false).unwrap();
        assert_eq!((report.title.as_str(), report.verified), (title, true));
    }
}

#[test]
fn a_copy_whose_holder_says_what_it_is_joins_the_hit_it_belongs_to() {
    let mut hits = Hits::default();
    let of_swarm = Item { info_hash: Some([4; 20]), sha1: Some([2; 20]), ..item("Moon") };
    let (known, _) = hits.absorb("chord", of_swarm.clone(), source(1), 0);
    let (bare, _) = hits.absorb("directory", item("moon.ogg"), source(2), 0);
    assert_eq!(hits.learned(&bare, of_swarm), Some(known.clone()));
    let report = hits.report(&known, &[], false).unwrap();
    assert_eq!((report.sources, report.systems.len(), report.replaces), (2, 2, vec![bare.clone()]));
    assert_eq!(hits.find(&bare).map(|hit| &hit.id), Some(&known), "its old id still leads to it");
    let (lone, _) = hits.absorb("directory", item("sun.ogg"), source(3), 0);
    assert_eq!(hits.learned(&lone, Item { sha1: Some([8; 20]), ..item("") }), None);
    assert!(hits.report(&lone, &[], false).unwrap().provable);
    let other_size = Item { size: 8, info_hash: Some([4; 20]), ..Item::default() };
    assert_eq!(hits.learned(&lone, other_size), None, "a lie that shows is not believed");
}

#[test]
fn answers_count_for_one_search_and_silence_ranks_last() {
    let mut hits = Hits::default();
    let (id, _) = hits.absorb("chord", Item { sha1: Some([2; 20]), ..item("Moon") }, source(1), 0);
    let unasked = hits.report(&id, &[], false).unwrap();
    assert_eq!((unasked.live, unasked.checked, hits.get(&id).unwrap().is_dead()), (0, 0, false));
    hits.probed(&id, source(1), true);
    assert!(hits.get(&id).unwrap().is_live());
    hits.forget_answers(&id);
    assert!(!hits.get(&id).unwrap().is_live(), "it may have gone meanwhile");
    hits.probed(&id, source(1), false);
    let dead = hits.report(&id, &[], false).unwrap();
    assert!(hits.get(&id).unwrap().is_dead() && dead.checked == 1 && dead.rank < unasked.rank - 1_000.0);
}
