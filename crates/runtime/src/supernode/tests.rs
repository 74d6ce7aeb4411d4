//! Two supernodes and two ordinary nodes on loopback: a file is found and fetched, directly and by push.

use super::*;
use crate::fetch::RangeSource;
use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddrV4};
use throng_machine::Endpoint;
use throng_overlay::discovery::Query;
use throng_overlay::supernode::{Rate, Role};
use throng_wire::fasttrack::FtHasher;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

const SIZE: usize = 1_500_000;

fn member(user: &str, role: Role, listens: bool) -> (Member, UnboundedReceiver<Told>, Endpoint) {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let net = NetConfig { listen: Some(listen), ..NetConfig::default() };
    let sockets = Sockets::bind(&net).unwrap();
    let at = sockets.local_addr().unwrap();
    let address = Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, at.port())).filter(|_| listens);
    let port = if listens { at.port() } else { 0 };
    // Searches are repeated until the digests have been told, as fast as they are answered.
    let often = Rate { burst: 1_000_000, every: Duration::from_micros(1) };
    let (searches, messages) = (often, often);
    let config = Config { role, user: user.into(), address, port, searches, messages, ..Config::default() };
    let (member, told) = Member::start(config, (sockets, net), 0).unwrap();
    (member, told, Endpoint::from(at))
}

async fn until<T>(told: &mut UnboundedReceiver<Told>, wanted: impl Fn(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            if let Both::Overlay(event) = told.recv().await.expect("it runs")
                && let Some(found) = wanted(event)
            {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.expect("the event comes")
}

async fn joins(member: &Member, told: &mut UnboundedReceiver<Told>, at: Vec<Endpoint>) {
    member.command(Command::Join(at));
    until(told, |event| matches!(event, Event::Joined(_)).then_some(())).await;
}

#[test]
fn a_file_is_found_through_two_supernodes_and_fetched_directly_and_by_push() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let folder = tempfile::tempdir().unwrap();
        let data: Vec<u8> = (0..SIZE as u32).map(|at| ((at * 7) ^ (at >> 9)) as u8).collect();
        let path = folder.path().join("zebra.mp3");
        std::fs::write(&path, &data).unwrap();
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        let mut hasher = FtHasher::new(SIZE as u64);
        hasher.update(&data);
        let item = Item {
            title: "Zebra Song.mp3".into(),
            size: SIZE as u64,
            ft_hash: Some(hasher.finish().0),
            root: Some([5; 32]),
            ..Item::default()
        };
        for listens in [true, false] {
            let (one, mut one_told, at) = member("one", Role::Super, true);
            joins(&one, &mut one_told, Vec::new()).await;
            let (two, mut two_told, at_two) = member("two", Role::Super, true);
            joins(&two, &mut two_told, vec![at]).await;
            let (alice, mut alice_told, _) = member("alice", Role::Ordinary, listens);
            let (bob, mut bob_told, _) = member("bob", Role::Ordinary, true);
            let file = Offering {
                content: ContentId(1),
                item: item.clone(),
                path: path.clone(),
                modified,
                magnet: String::new(),
            };
            alice.publish(Ticket(5), &file);
            joins(&alice, &mut alice_told, vec![at]).await;
            until(&mut alice_told, |event| matches!(event, Event::Published(Ticket(5))).then_some(())).await;
            joins(&bob, &mut bob_told, vec![at_two]).await;
            let query = Query {
                words: vec!["song".into(), "zebra".into()],
                limit: 1,
                timeout: Duration::from_secs(10),
            };
            let search = async {
                for number in 1.. {
                    bob.command(Command::Find(Ticket(number), query.clone()));
                    let found = until(&mut bob_told, |event| match event {
                        Event::Found(_, file) => Some(Some(file)),
                        Event::Finished(at) if at == Ticket(number) => Some(None),
                        _ => None,
                    });
                    if let Some(found) = found.await {
                        return found;
                    }
                }
                unreachable!("the loop has no end")
            };
            let found = tokio::time::timeout(Duration::from_secs(60), search).await;
            let found = found.expect("it is found once the two are linked");
            assert_eq!((found.item.root, found.is_firewalled()), (Some([5; 32]), !listens));
            let mut desk = bob.source(&found.item, &found.source()).unwrap();
            let (into, mut bytes) = mpsc::channel::<Bytes>(2);
            let collect = async {
                let mut held = Vec::new();
                while let Some(bytes) = bytes.recv().await {
                    held.extend_from_slice(&bytes);
                }
                held
            };
            let (fetched, held) = tokio::join!(desk.fetch(0..SIZE as u64, into), collect);
            fetched.unwrap();
            assert!(held == data);
        }
    });
}
