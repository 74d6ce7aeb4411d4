//! Two members around our server on loopback: shared from the disk, fetched range by range, links told.

mod stranger;

use super::*;
use crate::directory::server::{DirectoryConfig, DirectoryServer};
use crate::fetch::{RangeError, RangeSource};
use bytes::Bytes;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_overlay::directory::client::{LogoutReason, Search};
use throng_overlay::discovery::Ticket;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const SIZE: usize = 9_000_000;

fn directory() -> DirectoryServer {
    DirectoryServer::start(DirectoryConfig { listen: ANY, ..DirectoryConfig::default() }).unwrap()
}

fn member(nick: &str, client: Option<&str>, listens: bool) -> (Member, UnboundedReceiver<Event>) {
    let net = NetConfig { listen: listens.then_some(ANY), ..NetConfig::default() };
    let sockets = Sockets::bind(&net).unwrap();
    let mut config = Config { nick: nick.into(), ..Config::default() };
    if let Some(client) = client {
        config.client = client.into();
    }
    Member::start(config, (sockets, net), Some((Ipv4Addr::UNSPECIFIED, 7117).into())).unwrap()
}

async fn until<T>(told: &mut UnboundedReceiver<Event>, wanted: impl Fn(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = wanted(told.recv().await.expect("it runs")) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.expect("the event comes")
}

fn data() -> Vec<u8> {
    (0..SIZE as u32).map(|at| ((at * 7) ^ (at >> 9)) as u8).collect()
}

fn offering(folder: &std::path::Path, data: &[u8]) -> Offering {
    let path = folder.join("zebra.mp3");
    std::fs::write(&path, data).unwrap();
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    Offering {
        content: ContentId(1),
        title: "Zebra Song.mp3".into(),
        size: data.len() as u64,
        root: Some([7; 16]),
        path,
        modified,
        magnet: "magnet:?xt=urn:btmh:1220aa".into(),
    }
}

async fn joins(member: &Member, told: &mut UnboundedReceiver<Event>, at: SocketAddr) {
    member.command(Command::Join(vec![at.into()]));
    until(told, |event| matches!(event, Event::LoggedIn(..)).then_some(())).await;
}

/// Searches until there is a hit: sharing has no answer.
async fn finds(member: &Member, told: &mut UnboundedReceiver<Event>) -> Copy {
    for number in 1.. {
        let search = Search::for_words(vec!["zebra".into()]);
        member.command(Command::Find(Ticket(number), search));
        let found = until(told, |event| match event {
            Event::Found(_, file) => Some(Some(*file)),
            Event::Finished(_) => Some(None),
            _ => None,
        });
        if let Some(file) = found.await {
            return Copy { server: file.server, nick: file.nick, name: file.name, size: file.size };
        }
    }
    unreachable!("the loop has no end")
}

async fn fetch(source: &mut impl RangeSource, range: Range<u64>) -> Result<Vec<u8>, RangeError> {
    let (into, mut bytes) = mpsc::channel::<Bytes>(2);
    let collect = async {
        let mut held = Vec::new();
        while let Some(bytes) = bytes.recv().await {
            held.extend_from_slice(&bytes);
        }
        held
    };
    let (fetched, held) = tokio::join!(source.fetch(range, into), collect);
    fetched.map(|()| held)
}

fn local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// alice shares, bob has found her copy.
async fn found(
    client: Option<&str>,
    listen: (bool, bool),
    test: impl AsyncFnOnce(&Member, &mut UnboundedReceiver<Event>, Copy, &[u8], &std::path::Path),
) {
    let (server, folder, data) = (directory(), tempfile::tempdir().unwrap(), data());
    let (alice, mut told) = member("alice", client, listen.0);
    let (bob, mut heard) = member("bob", None, listen.1);
    let file = offering(folder.path(), &data);
    let path = file.path.clone();
    alice.publish(file);
    joins(&alice, &mut told, server.local_addr()).await;
    joins(&bob, &mut heard, server.local_addr()).await;
    let copy = finds(&bob, &mut heard).await;
    assert_eq!(copy.nick, b"alice");
    assert_eq!((alice.told(ContentId(1)), bob.told(ContentId(1))), ((1, 1), (0, 1)));
    test(&bob, &mut heard, copy, &data, &path).await;
}

#[test]
fn ranges_in_a_row_and_out_of_order_are_the_bytes_of_the_file() {
    for listen in [(true, true), (false, true), (true, false)] {
        local(found(None, listen, async |bob, _, copy, data, _| {
            let mut source = bob.source(copy);
            let cuts = [0, 1, 64, 70_000, 3_000_000, 3_000_001, 8_500_000, SIZE as u64];
            for pair in cuts.windows(2) {
                let got = fetch(&mut source, pair[0]..pair[1]).await.unwrap();
                assert!(got == data[pair[0] as usize..pair[1] as usize], "{pair:?} {listen:?}");
            }
            for range in [5_000_000..5_000_100, 10..20, 8_999_999..9_000_000, 0..SIZE as u64, 7..7] {
                let got = fetch(&mut source, range.clone()).await.unwrap();
                assert!(got == data[range.start as usize..range.end as usize], "{range:?} {listen:?}");
            }
            assert_eq!(fetch(&mut source, 5..SIZE as u64 + 1).await, Err(RangeError::NotThere));
        }));
    }
}

#[test]
fn of_two_sources_of_one_copy_one_waits_for_the_other() {
    local(found(None, (true, true), async |bob, _, copy, data, _| {
        let (mut one, mut other) = (bob.source(copy.clone()), bob.source(copy.clone()));
        let half = SIZE as u64 / 2;
        let (first, second) = tokio::join!(fetch(&mut one, 0..half), fetch(&mut other, half..SIZE as u64));
        assert!(first.unwrap() == data[..half as usize]);
        assert!(matches!(second, Err(RangeError::Busy { position: None, .. })), "{second:?}");
        drop(one);
        tokio::task::yield_now().await;
        let second = fetch(&mut other, half..SIZE as u64).await;
        assert!(second.unwrap() == data[half as usize..]);
    }));
}

#[test]
fn a_node_of_ours_says_its_magnet_link_and_a_stranger_is_not_asked() {
    local(found(None, (true, true), async |bob, _, copy, _, _| {
        let link = bob.magnet(copy).await;
        assert_eq!(link.as_deref(), Some("magnet:?xt=urn:btmh:1220aa&x.pe=127.0.0.1:7117"));
    }));
    local(found(Some("TekNap-1.3g"), (true, true), async |bob, _, copy, _, _| {
        assert_eq!(bob.magnet(copy).await, None);
        assert_eq!(bob.load(), Load::default());
    }));
}

#[test]
fn a_file_that_changed_since_it_was_hashed_is_not_given_out() {
    local(found(None, (true, true), async |bob, _, copy, data, path| {
        std::fs::write(path, &data[1..]).unwrap();
        let got = fetch(&mut bob.source(copy.clone()), 0..100).await;
        assert!(matches!(got, Err(RangeError::Broken(_))), "{got:?}");
    }));
}

#[test]
fn a_copy_that_is_not_there_any_more_is_gone() {
    local(found(None, (true, true), async |bob, told, copy, _, _| {
        let other = Copy { name: b"Throng\\no such.mp3".to_vec(), ..copy.clone() };
        let got = fetch(&mut bob.source(other), 0..100).await;
        assert!(matches!(got, Err(RangeError::Gone(_))), "{got:?}");
        let at = copy.server;
        bob.command(Command::Part(at));
        until(told, |event| matches!(event, Event::LoggedOut(_, LogoutReason::Asked, _)).then_some(())).await;
        let got = fetch(&mut bob.source(copy.clone()), 0..100).await;
        assert_eq!(got, Err(RangeError::Gone("the directory is not one we are in".into())));
    }));
}

#[test]
fn files_of_one_name_are_shared_in_folders_of_their_own() {
    local(async {
        let folder = tempfile::tempdir().unwrap();
        let (alice, _told) = member("alice", None, false);
        let file = offering(folder.path(), b"abc");
        alice.publish(file.clone());
        alice.publish(Offering { content: ContentId(2), ..file });
        let names = |name: &str| alice.driver.look(|client, _| client.is_shared(name.as_bytes()));
        assert!(names("Throng\\Zebra Song.mp3") && names("2\\Zebra Song.mp3"));
        alice.withdraw(ContentId(1));
        assert!(!names("Throng\\Zebra Song.mp3") && names("2\\Zebra Song.mp3"));
        let nowhere: Endpoint = ANY.into();
        assert_eq!(alice.sessions(), [], "{nowhere:?}");
    });
}
