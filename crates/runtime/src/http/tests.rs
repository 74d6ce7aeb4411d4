//! Two drivers on loopback: a file crosses real sockets, range by range, directly and by push, trees and lists too.

use super::*;
use crate::fetch::{RangeError, RangeSource};
use crate::net::{NetConfig, Read, Sockets};
use bytes::Bytes;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Context, Datagram, Endpoint, Extent, Instant, Machine, StreamId, StreamInput};
use throng_overlay::discovery::{self, Item};
use throng_overlay::http::{Config, FetchError, Identity, PushBy, TigerTree, Transfer};
use throng_wire::gnutella::tiger::{TreeHasher, depth_for, height_of, root};
use throng_wire::gnutella::{Guid, Kind, frame};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

const SIZE: usize = 5_000_000;
const SHA1: [u8; 20] = [7; 20];

/// No overlay at all: pushes are noted.
struct Alone(Vec<(PushBy, u32)>, Endpoint);

impl Machine for Alone {
    type Command = ();
    type Event = ();
    fn handle_command(&mut self, (): (), _: &mut Context<'_, ()>) {}
    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Context<'_, ()>) {}
    fn handle_stream(&mut self, _: StreamId, _: StreamInput<'_>, _: &mut Context<'_, ()>) {}
    fn handle_timeout(&mut self, _: &mut Context<'_, ()>) {}
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

impl Host for Alone {
    fn ask_to_call(&mut self, by: &PushBy, number: u32, _: &mut Context<'_, ()>) {
        self.0.push((by.clone(), number));
    }
    fn pass_push(&mut self, _: Guid, _: u32, _: Endpoint, _: &mut Context<'_, ()>) -> bool {
        false
    }
    fn asks_for(&self, (): &()) -> Option<Command> {
        None
    }
    fn on_upload(&mut self, _: bool, _: bool, _: &mut Context<'_, ()>) {}
    fn on_file_caller(&mut self, _: &mut Context<'_, ()>) {}
    fn address(&self) -> Option<Endpoint> {
        Some(self.1)
    }
}

#[derive(Default)]
struct App(Hold);

impl AsMut<Hold> for App {
    fn as_mut(&mut self) -> &mut Hold {
        &mut self.0
    }
}

impl Application for App {
    type Machine = Beside<Alone>;
    fn on_event(
        &mut self,
        event: <Beside<Alone> as Machine>::Event,
        _: &mut Vec<<Beside<Alone> as Machine>::Command>,
    ) {
        if let Both::Files(event) = event {
            self.0.on_event(event);
        }
    }
    fn place(&mut self, extent: Extent, bytes: &[u8]) {
        self.0.place(extent, bytes);
    }
    fn read_now(&mut self, extent: Extent, into: &mut [u8]) -> Read {
        self.0.read_now(extent, into)
    }
    fn read_later(&mut self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        self.0.read_later(extent)
    }
}

fn servent(number: u8) -> Guid {
    Guid::marked([number; 16])
}

/// A running host, and where it listens.
fn host(number: u8, slots: u32) -> (Driver<App>, Endpoint) {
    let net = NetConfig { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..NetConfig::default() };
    let sockets = Sockets::bind(&net).unwrap();
    let at = Endpoint::from(sockets.local_addr().unwrap());
    let identity = Identity {
        servent: servent(number),
        agent: "Throng/test".into(),
        user: "tester".into(),
        address: Some(at),
        supernode: None,
    };
    let config = Config { upload_slots: slots, ..Config::new(identity) };
    let machine = Beside::new(Alone(Vec::new(), at), Transfer::new(config));
    (Driver::start(machine, App::default(), sockets, net).unwrap(), at)
}

fn data() -> Vec<u8> {
    (0..SIZE as u32).map(|at| ((at * 7) ^ (at >> 9)) as u8).collect()
}

/// Shares the file from a folder; its tree.
fn shares(driver: &Driver<App>, folder: &Path, data: &[u8]) -> TigerTree {
    let path = folder.join("zebra.mp3");
    std::fs::write(&path, data).unwrap();
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    let size = data.len() as u64;
    let mut hasher = TreeHasher::new(height_of(size) - depth_for(size));
    hasher.update(data);
    let level = hasher.finish();
    let tree = TigerTree { root: root(&level), level: Arc::from(level) };
    let shared = Shared {
        content: ContentId(1),
        index: 1,
        name: "Zebra Song.mp3".into(),
        size,
        sha1: Some(SHA1),
        tiger: Some(tree.clone()),
        ft_hash: Some([9; 20]),
        magnet: None,
        available: None,
    };
    share(driver, shared, Stored { size, path, modified: Some(modified) });
    tree
}

/// What a search would have found.
fn found(at: Endpoint, firewalled: bool, supernode: bool) -> Source {
    let item = Item { size: SIZE as u64, sha1: Some(SHA1), ft_hash: Some([9; 20]), ..Item::default() };
    let copy = if supernode {
        discovery::Source::Supernode { at, user: b"alice".to_vec(), supernode: at, firewalled }
    } else {
        let (name, proxies) = (b"x".to_vec(), Vec::new());
        discovery::Source::Gnutella { at, servent: servent(1).0, index: 1, name, firewalled, proxies }
    };
    source_of(&item, &copy).unwrap().1
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
    let test = async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("in time") };
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn ranges_in_a_row_and_out_of_order_are_the_bytes_of_the_file() {
    for supernode in [false, true] {
        local(async {
            let (folder, data) = (tempfile::tempdir().unwrap(), data());
            let ((alice, at), (bob, _)) = (host(1, 4), host(2, 4));
            shares(&alice, folder.path(), &data);
            let mut desk = source(&bob, "alice", found(at, false, supernode));
            let cuts = [0, 1, 64, 70_000, 3_000_000, 3_000_001, SIZE as u64];
            for pair in cuts.windows(2) {
                let got = fetch(&mut desk, pair[0]..pair[1]).await.unwrap();
                assert!(got == data[pair[0] as usize..pair[1] as usize], "{pair:?}");
            }
            for range in [4_000_000..4_000_100, 10..20, 0..SIZE as u64, 7..7] {
                let got = fetch(&mut desk, range.clone()).await.unwrap();
                assert!(got == data[range.start as usize..range.end as usize], "{range:?}");
            }
            assert_eq!(fetch(&mut desk, 5..SIZE as u64 + 1).await, Err(RangeError::NotThere));
            assert_eq!(alice.look(|both, _| both.files.load().0), 1, "all on one connection");
            drop(desk);
            while alice.look(|both, _| both.files.load().0) > 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(bob.look(|both, _| both.files.load()), (0, 0, 0));
        });
    }
}

#[test]
fn who_cannot_be_called_calls() {
    for supernode in [false, true] {
        local(async {
            let (folder, data) = (tempfile::tempdir().unwrap(), data());
            let ((alice, at), (bob, to)) = (host(1, 4), host(2, 4));
            shares(&alice, folder.path(), &data);
            let mut desk = source(&bob, "alice", found(at, true, supernode));
            let pushing = async {
                loop {
                    if let Some((_, number)) = bob.look(|both, _| both.overlay.0.first().cloned()) {
                        let giv = Command::CallWith(to, 1);
                        return alice.files(if supernode {
                            Command::CallWithNumber(to, number)
                        } else {
                            giv
                        });
                    }
                    tokio::task::yield_now().await;
                }
            };
            let (got, ()) = tokio::join!(fetch(&mut desk, 0..SIZE as u64), pushing);
            assert!(got.unwrap() == data);
        });
    }
}

#[test]
fn trees_and_lists_come_over_whole() {
    local(async {
        let (folder, data) = (tempfile::tempdir().unwrap(), data());
        let ((alice, at), (bob, _)) = (host(1, 4), host(2, 4));
        let shared = shares(&alice, folder.path(), &data);
        let (level, height) = tree(&bob, found(at, false, false), shared.root).await.unwrap();
        assert_eq!(
            (&level[..], height),
            (&shared.level[..], height_of(SIZE as u64) - depth_for(SIZE as u64))
        );
        assert_eq!(tree(&bob, found(at, false, false), [0; 24]).await, Err(FetchError::BadTree));
        let list = browse(&bob, at).await.unwrap();
        let (header, _, used) = frame(&list).unwrap().unwrap();
        assert_eq!((header.kind, used), (Kind::QueryHit, list.len()));
        assert_eq!(bob.look(|both, _| both.files.load()), (0, 0, 0), "nothing is left over");
    });
}

#[test]
fn a_busy_source_says_for_how_long_and_keeps_our_place() {
    local(async {
        let (folder, data) = (tempfile::tempdir().unwrap(), data());
        let ((alice, at), (bob, _)) = (host(1, 0), host(2, 4));
        shares(&alice, folder.path(), &data);
        let mut desk = source(&bob, "alice", found(at, false, false));
        let got = fetch(&mut desk, 0..100_000).await;
        let Err(RangeError::Busy { retry_after, position: Some(1) }) = got else { panic!("{got:?}") };
        assert_eq!(retry_after, Duration::from_secs(31));
        assert_eq!(alice.look(|both, _| both.files.upload_load()), (0, 1));
    });
}

#[test]
fn a_file_that_changed_or_is_gone_is_not_given_out() {
    local(async {
        let (folder, data) = (tempfile::tempdir().unwrap(), data());
        let ((alice, at), (bob, _)) = (host(1, 4), host(2, 4));
        shares(&alice, folder.path(), &data);
        std::fs::write(folder.path().join("zebra.mp3"), &data[1..]).unwrap();
        let mut desk = source(&bob, "alice", found(at, false, false));
        let got = fetch(&mut desk, 0..100_000).await;
        assert!(matches!(got, Err(RangeError::Broken(_))), "{got:?}");
        unshare(&alice, ContentId(1));
        let got = fetch(&mut desk, 0..100_000).await;
        assert_eq!(got, Err(RangeError::Gone("the source does not have the file".into())));
    });
}
