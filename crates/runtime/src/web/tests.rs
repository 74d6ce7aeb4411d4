//! Ranges from a real server on loopback.

use super::testing::{Manner, WebServer};
use super::*;
use crate::fetch::{RangeError, RangeSource};
use crate::net::socket::Source;
use tokio::sync::mpsc;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// A folder with a file `f` of 300,000 bytes.
fn folder() -> (tempfile::TempDir, Vec<u8>) {
    let at = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..300_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
    std::fs::write(at.path().join("f"), &bytes).unwrap();
    (at, bytes)
}

async fn fetch(file: &mut WebFile, range: std::ops::Range<u64>) -> (Vec<u8>, Result<(), RangeError>) {
    let (into, mut parts) = mpsc::channel::<bytes::Bytes>(2);
    let mut got = Vec::new();
    let collect = async {
        while let Some(part) = parts.recv().await {
            got.extend_from_slice(&part);
        }
    };
    let (outcome, ()) = tokio::join!(file.fetch(range, into), collect);
    (got, outcome)
}

fn file(url: &str) -> WebFile {
    WebFile::new(url, Source::default(), "test").unwrap()
}

#[test]
fn ranges_come_one_after_the_other() {
    let (at, bytes) = folder();
    let server = WebServer::start(at.path(), Manner::Honest);
    run(async {
        let mut file = file(&server.url("f"));
        for range in [0..1u64, 5..200_000, 299_999..300_000] {
            let (got, outcome) = fetch(&mut file, range.clone()).await;
            assert_eq!(outcome, Ok(()));
            assert!(got == bytes[range.start as usize..range.end as usize]);
        }
        assert_eq!(server.asked(), ["f 0-0", "f 5-199999", "f 299999-299999"]);
    });
}

#[test]
fn a_server_that_sends_whole_files_is_used_where_little_is_skipped() {
    let (at, bytes) = folder();
    let server = WebServer::start(at.path(), Manner::WholeFiles);
    let (got, outcome) = run(async { fetch(&mut file(&server.url("f")), 100_000..100_010).await });
    assert_eq!((got.as_slice(), outcome), (&bytes[100_000..100_010], Ok(())));
}

#[test]
fn what_came_before_a_connection_broke_counts() {
    let (at, bytes) = folder();
    let server = WebServer::start(at.path(), Manner::BreaksAfter(1_000));
    let (got, outcome) = run(async { fetch(&mut file(&server.url("f")), 7..5_000).await });
    assert!(matches!(outcome, Err(RangeError::Broken(_))), "{outcome:?}");
    assert!(got == bytes[7..1_007]);
}

#[test]
fn refusals_say_whether_to_ask_again() {
    let (at, _) = folder();
    let outcome = |manner, name: &str| {
        let server = WebServer::start(at.path(), manner);
        run(async { fetch(&mut file(&server.url(name)), 0..5).await.1 })
    };
    assert!(matches!(outcome(Manner::Honest, "g"), Err(RangeError::Gone(_))));
    assert!(matches!(outcome(Manner::Status(503), "f"), Err(RangeError::Busy { .. })));
}

#[test]
fn a_redirect_is_followed_but_not_in_circles_and_a_near_server_is_asked_only_paths() {
    let (at, bytes) = folder();
    let server = WebServer::start(at.path(), Manner::Honest);
    let asked = |to: String| {
        let redirect = WebServer::start(at.path(), Manner::Redirect(to));
        run(async { fetch(&mut file(&redirect.url("x")), 0..5).await })
    };
    assert_eq!(asked(server.url("f")), (bytes[..5].to_vec(), Ok(())));
    assert!(matches!(asked("/x".into()).1, Err(RangeError::Gone(_))));
    assert!(matches!(asked(server.url("f?a=1")).1, Err(RangeError::Gone(_))));
    assert_eq!(server.asked().len(), 1);
}
