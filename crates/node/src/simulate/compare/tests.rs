use super::figures::Compared;
use super::*;

fn study(system: System, nodes: u32) -> Compared {
    system.study(&Workload::new(nodes, 3, 40, 1), &mut |_| ())
}

#[test]
fn a_directory_finds_everything_for_two_messages_and_nothing_without_itself() {
    let compared = study(System::Directory, 100);
    assert!(compared.common.formed.is_some() && compared.common.answers.recall() == 1.0, "{compared:?}");
    assert!(compared.common.messages_per_query < 10.0, "{compared:?}");
    // All is at the directory, which is told of those who go: but nothing can be asked of a dead one.
    assert_eq!((compared.deaths.len(), compared.deaths[2].later.recall()), (3, 1.0), "{compared:?}");
    assert_eq!((compared.beheaded.at_once.found, compared.beheaded.later.found), (0, 0), "{compared:?}");
}

#[test]
fn flooding_costs_most_and_loses_little_with_any_one_host() {
    let [flood, dynamic] = [System::Flood, System::Dynamic].map(|system| study(system, 100));
    assert!(flood.common.answers.recall() >= 0.95 && dynamic.common.answers.recall() >= 0.9, "{dynamic:?}");
    assert!(flood.common.messages_per_query > 100.0, "{flood:?}");
    assert!(flood.publish.messages < 0.5, "who floods publishes nothing: {:?}", flood.publish);
    assert!(flood.beheaded.at_once.recall() >= 0.9, "{flood:?}");
}

#[test]
fn supernodes_and_the_ring_outlive_half_of_their_users() {
    for system in [System::Supernode, System::Chord] {
        let compared = study(system, 120);
        assert!(compared.common.answers.recall() >= 0.95, "{system:?} {compared:?}");
        assert!(compared.publish.messages > 0.5, "{system:?} {compared:?}");
        assert!(compared.deaths[2].later.recall() >= 0.8, "{system:?} {compared:?}");
    }
}

#[test]
fn a_tracker_is_told_of_every_file_and_asked_by_info_hash() {
    let compared = study(System::BitTorrent, 100);
    assert_eq!(compared.common.answers.recall(), 1.0, "{compared:?}");
    // To connect once, and an announcement with its answer for each of three files.
    assert!((2.0..4.0).contains(&compared.publish.messages), "{:?}", compared.publish);
    assert!(compared.deaths[2].at_once.stale > 0, "a tracker believes in the dead: {compared:?}");
    assert_eq!(compared.beheaded.later.found, 0, "{compared:?}");
}

#[test]
fn the_same_seed_gives_the_same_comparison() {
    for system in System::ALL {
        let [one, other] = [(); 2].map(|()| system.study(&Workload::new(40, 2, 10, 5), &mut |_| ()));
        assert_eq!(one.common.run.trace, other.common.run.trace, "{system:?}");
        assert_eq!((one.deaths, one.beheaded), (other.deaths, other.beheaded), "{system:?}");
    }
}
