//! An ultrapeer and two leaves on loopback: a file is found and fetched, directly and by push.

use super::*;
use crate::fetch::{RangeError, RangeSource, Said};
use crate::net::socket;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use throng_overlay::discovery::Query;
use throng_overlay::gnutella::{Role, RoleChoice};
use throng_wire::gnutella::tiger::{TreeHasher, depth_for, height_of, root};
use throng_wire::gnutella::{Guid, Message, frame};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

const SIZE: usize = 3_000_000;

/// A running member, and where it listens.
fn member(number: u8, role: Role) -> (Member, UnboundedReceiver<Told>, Endpoint) {
    member_at(Ipv4Addr::LOCALHOST, number, role)
}

fn member_at(ip: Ipv4Addr, number: u8, role: Role) -> (Member, UnboundedReceiver<Told>, Endpoint) {
    let listen = SocketAddr::from((ip, 0));
    let source = socket::Source::default().or_listening(ip.into());
    let net = NetConfig { listen: Some(listen), datagrams: true, source, ..NetConfig::default() };
    let sockets = Sockets::bind(&net).unwrap();
    let at = sockets.local_addr().unwrap();
    let me = Identity {
        servent: Guid::marked([number; 16]),
        listen: SocketAddrV4::new(ip, at.port()),
        key: [u64::from(number), 7],
    };
    let config = Config { role: RoleChoice::Fixed(role), ..Config::default() };
    let (member, told) = Member::start(MemberConfig::new(me, config), (sockets, net)).unwrap();
    (member, told, Endpoint::from(at))
}

async fn until<T>(told: &mut UnboundedReceiver<Told>, wanted: impl Fn(discovery::Event) -> Option<T>) -> T {
    let found = async {
        loop {
            if let Both::Overlay(Event::Discovery(event)) = told.recv().await.expect("it runs")
                && let Some(found) = wanted(event)
            {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.expect("the event comes")
}

fn data() -> Vec<u8> {
    (0..SIZE as u32).map(|at| ((at * 7) ^ (at >> 9)) as u8).collect()
}

fn offering(folder: &Path, data: &[u8]) -> Offering {
    let path = folder.join("zebra.mp3");
    std::fs::write(&path, data).unwrap();
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    let size = data.len() as u64;
    let mut hasher = TreeHasher::new(height_of(size) - depth_for(size));
    hasher.update(data);
    let level = hasher.finish();
    let item = Item {
        title: "Zebra Song.mp3".into(),
        size,
        sha1: Some([7; 20]),
        tiger: Some(root(&level)),
        ..Item::default()
    };
    Offering { content: ContentId(1), item, tiger_level: level.into(), path, modified, magnet: String::new() }
}

async fn joins(member: &Member, told: &mut UnboundedReceiver<Told>, at: Vec<Endpoint>) {
    member.command(Command::Discovery(discovery::Command::Join(at)));
    until(told, |event| (event == discovery::Event::Joined).then_some(())).await;
}

/// Searches until there is a hit: route tables take their time.
async fn finds(member: &Member, told: &mut UnboundedReceiver<Told>) -> (Item, Source) {
    for number in 1.. {
        // Other words each time: the same are not answered twice.
        let words = [["zebra", "song"], ["song", "zebra"], ["zebra", "mp3"], ["song", "mp3"]][number % 4];
        let query = Query {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            limit: 1,
            timeout: Duration::from_secs(3),
        };
        let ticket = Ticket(number as u32);
        member.command(Command::Discovery(discovery::Command::Find(ticket, query)));
        let found = until(told, |event| match event {
            discovery::Event::Found { item, source, .. } => Some(Some((item, source))),
            discovery::Event::Finished(known) if known == ticket => Some(None),
            _ => None,
        });
        if let Some(found) = found.await {
            return found;
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

#[test]
fn a_file_is_found_through_an_ultrapeer_and_fetched_directly_and_by_push() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (folder, data) = (tempfile::tempdir().unwrap(), data());
        let (hub, mut hub_told, at) = member(1, Role::Ultrapeer);
        joins(&hub, &mut hub_told, Vec::new()).await;
        let (alice, mut alice_told, alice_at) = member(2, Role::Leaf);
        let (bob, mut bob_told, _) = member(3, Role::Leaf);
        let file = offering(folder.path(), &data);
        alice.publish(Ticket(5), &file);
        joins(&alice, &mut alice_told, vec![at]).await;
        joins(&bob, &mut bob_told, vec![at]).await;
        let (item, found) = finds(&bob, &mut bob_told).await;
        assert_eq!((&item.title, item.sha1, item.tiger), (&file.item.title, file.item.sha1, file.item.tiger));
        let Source::Gnutella { at: said, servent, index: 5, .. } = found.clone() else { panic!("{found:?}") };
        assert_eq!((said, servent), (alice_at, Guid::marked([2; 16]).0));
        let mut desk = bob.source(&item, &found).unwrap();
        assert!(fetch(&mut desk, 0..SIZE as u64).await.unwrap() == data);
        let (level, _) = bob.tree(&item, &found, item.tiger.unwrap()).await.unwrap();
        assert_eq!(level[..], file.tiger_level[..]);
        let list = bob.browse(alice_at).await.unwrap();
        let (header, payload, _) = frame(&list).unwrap().unwrap();
        let Ok(Message::QueryHit(hit)) = Message::parse(&header, payload) else { panic!("a hit") };
        assert_eq!(hit.records().next().unwrap().index, 5);
        // Now as if alice could not be called: the push goes the way of her hits.
        let Source::Gnutella { at, servent, index, name, proxies, .. } = found else { unreachable!() };
        let walled = Source::Gnutella { at, servent, index, name, firewalled: true, proxies };
        let mut desk = bob.source(&item, &walled).unwrap();
        let fetched = tokio::time::timeout(Duration::from_secs(30), fetch(&mut desk, 0..SIZE as u64));
        assert!(fetched.await.expect("alice calls").unwrap() == data);
        alice.withdraw(Ticket(5), ContentId(1));
        let gone = fetch(&mut desk, 0..10).await;
        assert_eq!(gone, Err(RangeError::Gone("the source does not have the file".into())));
        assert_eq!(alice.violations(), files::Violations::default());
    });
}

/// The copy at an address, as a search would have found it.
fn copy_at(at: Endpoint) -> Source {
    Source::Gnutella {
        at,
        servent: [0; 16],
        index: 0,
        name: b"x".to_vec(),
        firewalled: false,
        proxies: vec![],
    }
}

/// That much from the beginning.
fn to(end: u64) -> Vec<Range<u64>> {
    std::iter::once(0..end).collect()
}

#[test]
fn who_still_fetches_a_file_is_told_of_and_gives_what_it_has_checked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (folder, data) = (tempfile::tempdir().unwrap(), data());
        let ip = |last| Ipv4Addr::new(127, 0, 0, last);
        let (alice, _alice_told, alice_at) = member_at(ip(1), 1, Role::Leaf);
        let (bob, _bob_told, bob_at) = member_at(ip(2), 2, Role::Leaf);
        let (carol, _carol_told, _) = member_at(ip(3), 3, Role::Leaf);
        let file = offering(folder.path(), &data);
        alice.publish(Ticket(5), &file);
        let growing = Offering { content: ContentId(9), ..file.clone() };
        bob.share_parts(&growing, to(500_000));
        let mut desk = bob.source(&file.item, &copy_at(alice_at)).unwrap();
        assert!(fetch(&mut desk, 0..1_000).await.unwrap() == data[..1_000]);
        let mut desk = carol.source(&file.item, &copy_at(alice_at)).unwrap();
        assert!(fetch(&mut desk, 0..1_000).await.unwrap() == data[..1_000]);
        assert_eq!(desk.said(), Said { parts: None, others: vec![bob_at.socket_addr()] });
        let mut desk = carol.source(&file.item, &copy_at(bob_at)).unwrap();
        assert_eq!(fetch(&mut desk, 600_000..700_000).await, Err(RangeError::NotThere));
        assert_eq!(desk.said().parts, Some(to(500_000)));
        assert!(fetch(&mut desk, 400_000..500_000).await.unwrap() == data[400_000..500_000]);
        bob.set_parts(ContentId(9), to(800_000));
        assert!(fetch(&mut desk, 600_000..700_000).await.unwrap() == data[600_000..700_000]);
        assert_eq!(desk.said().parts, Some(to(800_000)));
        bob.unshare_parts(ContentId(9));
        let gone = fetch(&mut desk, 0..10).await;
        assert_eq!(gone, Err(RangeError::Gone("the source does not have the file".into())));
    });
}

#[test]
fn known_servents_are_written_down_and_read_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts.txt");
        let (ultrapeer, mut told, at) = member(1, Role::Ultrapeer);
        joins(&ultrapeer, &mut told, Vec::new()).await;
        std::fs::write(&path, format!("no line\n{} proved\n", at.socket_addr())).unwrap();
        let (mut leaf, mut told, _) = member(2, Role::Leaf);
        leaf.hosts = Some(path.clone());
        let lines = hosts::read(&path).unwrap();
        assert_eq!(lines.len(), 1);
        joins(&leaf, &mut told, vec![at]).await;
        leaf.keep_hosts().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&format!("{} proved", at.socket_addr())), "{text}");
        assert_eq!(hosts::read(&path).unwrap().len(), 1);
        assert!(hosts::read(&folder.path().join("none")).unwrap().is_empty());
    });
}
