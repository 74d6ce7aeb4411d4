//! Homes: one node each, an identity that stays, layouts that are refused.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn reason<T: std::fmt::Debug>(outcome: Outcome<T>) -> String {
    outcome.unwrap_err().reason().unwrap().to_owned()
}

fn address() -> NodeAddress {
    let api = "127.0.0.1:4711".parse().unwrap();
    NodeAddress { pid: 77, api, token: "secret".into(), version: "1".into() }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_home_is_held_by_one_and_the_other_is_told_who() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::take(folder.path()).unwrap();
    let own = format!("process {} is just starting", std::process::id());
    assert!(reason(Home::take(folder.path())).contains(&own));
    home.announce(&address()).unwrap();
    let refusal = reason(Home::take(folder.path()));
    assert!(refusal.contains("process 77") && refusal.contains("http://127.0.0.1:4711"), "{refusal}");
    assert!(!refusal.contains("secret"), "{refusal}");
    assert!(!wait_free(folder.path(), Duration::ZERO));
    drop(home);
    assert!(wait_free(folder.path(), Duration::ZERO));
    assert!(NodeAddress::read(folder.path()).unwrap().is_none());
    Home::take(folder.path()).unwrap();
}

#[test]
fn what_is_secret_can_be_read_by_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("deep/home");
    let home = Home::take(&at).unwrap();
    home.announce(&address()).unwrap();
    home.identity(1).unwrap();
    assert_eq!((mode(&at), mode(&at.join("node.json")), mode(&at.join("node.key"))), (0o700, 0o600, 0o600));
    std::fs::set_permissions(at.join("node.key"), PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(home.identity(1).unwrap().notices.len(), 1);
    assert_eq!(mode(&at.join("node.key")), 0o600);
    assert_eq!(format!("{:?}", address()).find("secret"), None);
}

#[test]
fn the_key_stays_and_the_incarnation_grows_whatever_the_clock_does() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::take(folder.path()).unwrap();
    let starts: Vec<_> =
        [1_000, 1_000, 5, 2_000, u64::MAX, 0].map(|now| home.identity(now).unwrap()).into_iter().collect();
    let numbers: Vec<u32> = starts.iter().map(|start| start.incarnation).collect();
    assert_eq!(numbers, [1_000, 1_001, 1_002, 2_000, u32::MAX, u32::MAX]);
    assert!(starts.iter().all(|start| start.key == starts[0].key && start.notices.is_empty()));
}

#[test]
fn a_damaged_key_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::take(folder.path()).unwrap();
    let key = folder.path().join("node.key");
    for bad in ["", "0123", "zz", &"ab".repeat(33), &"x".repeat(5_000)] {
        std::fs::write(&key, bad).unwrap();
        assert!(home.identity(1).is_err(), "{bad}");
        assert_eq!(std::fs::read_to_string(&key).unwrap(), bad);
    }
    std::fs::remove_file(&key).unwrap();
    std::fs::write(folder.path().join("incarnation"), "many").unwrap();
    let identity = home.identity(9).unwrap();
    assert_eq!((identity.incarnation, identity.notices.len()), (9, 1));
}

#[test]
fn a_home_of_a_newer_version_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let newer = br#"{"schema":2,"written_by":"9.9.9","more":true}"#;
    std::fs::write(folder.path().join("home.json"), newer).unwrap();
    let refusal = reason(Home::take(folder.path()));
    assert!(refusal.contains("newer throng (9.9.9)"), "{refusal}");
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["home.json"]);
    assert_eq!(std::fs::read(folder.path().join("home.json")).unwrap(), newer);
    std::fs::write(folder.path().join("home.json"), "{").unwrap();
    assert!(reason(Home::take(folder.path())).contains("damaged"));
}
