//! Our clients around our server on loopback: share, search, fetch directly and by push, and move on when it dies.

use super::client::Files;
use super::server::{DirectoryConfig, DirectoryServer};
use crate::net::{Driver, NetConfig, Sockets};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;
use throng_machine::{ContentId, Endpoint};
use throng_overlay::directory::client::{
    Client, Command, Config, Download, DownloadError, DownloadId, Event, Search, SharedFile, UserFile,
};
use throng_overlay::discovery::Ticket;
use tokio::task::LocalSet;

const SONG: ContentId = ContentId(1);
const COPY: ContentId = ContentId(2);
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn server() -> DirectoryServer {
    DirectoryServer::start(DirectoryConfig { listen: ANY, ..DirectoryConfig::default() }).unwrap()
}

/// A client that can be called, or is firewalled.
fn client(nick: &str, listens: bool) -> Driver<Files> {
    let config = NetConfig { listen: listens.then_some(ANY), ..NetConfig::default() };
    let sockets = Sockets::bind(&config).unwrap();
    let data_port = sockets.local_addr().map_or(0, |at| at.port());
    let machine = Client::new(Config { nick: nick.into(), data_port, ..Config::default() });
    Driver::start(machine, Files::default(), sockets, config).unwrap()
}

/// Waits for an event that means something.
async fn until<T>(driver: &Driver<Files>, wanted: impl Fn(Event) -> Option<T>) -> T {
    let told = driver.look(|_, app| app.told());
    let found = async {
        loop {
            while let Some(event) = driver.with_app(|app, _| app.next_event()) {
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
            told.notified().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.expect("the event comes")
}

fn song() -> Vec<u8> {
    (0..1_500_000u32).map(|at| ((at * 7) ^ (at >> 9)) as u8).collect()
}

async fn shares(driver: &Driver<Files>, at: Endpoint, data: &[u8]) {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(data, 0).unwrap();
    driver.with_app(|app, _| app.open(SONG, file));
    driver.command(Command::Share(SharedFile::new(SONG, "albums/Zebra Song.mp3", data.len() as u64)));
    driver.command(Command::Join(vec![at]));
    until(driver, |event| matches!(event, Event::Shared(_, 1)).then_some(())).await;
}

/// Searches until there is a hit: sharing has no answer.
async fn finds(driver: &Driver<Files>, words: &str) -> UserFile {
    for number in 1.. {
        let search = Search::for_words(words.split(' ').map(str::to_owned).collect());
        driver.command(Command::Find(Ticket(number), search));
        let found = until(driver, |event| match event {
            Event::Found(_, file) => Some(Some(*file)),
            Event::Finished(_) => Some(None),
            _ => None,
        });
        if let Some(file) = found.await {
            return file;
        }
    }
    unreachable!("the loop has no end")
}

async fn fetches(driver: &Driver<Files>, file: &UserFile, into: &File) -> Result<(), DownloadError> {
    driver.with_app(|app, _| app.open(COPY, into.try_clone().unwrap()));
    let UserFile { server, nick, name, size, root, .. } = file.clone();
    let (id, size) = (DownloadId(1), Some(size));
    let download = Download {
        id,
        server,
        nick,
        name,
        size,
        root,
        content: COPY,
        resume: None,
        part: None,
        magnet: false,
    };
    driver.command(Command::Download(Box::new(download)));
    until(driver, |event| match event {
        Event::Downloaded(_) => Some(Ok(())),
        Event::DownloadFailed(_, error, _) => Some(Err(error)),
        _ => None,
    })
    .await
}

/// One file from alice to bob; who of them can be called?
fn crosses(alice_listens: bool, bob_listens: bool) -> Result<(), DownloadError> {
    let server = server();
    let at = Endpoint::from(server.local_addr());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let data = song();
        let (alice, bob) = (client("alice", alice_listens), client("bob", bob_listens));
        shares(&alice, at, &data).await;
        bob.command(Command::Join(vec![at]));
        until(&bob, |event| matches!(event, Event::LoggedIn(..)).then_some(())).await;
        let hit = finds(&bob, "zebra song").await;
        assert_eq!((hit.nick.as_slice(), hit.size), (&b"alice"[..], data.len() as u64));
        let copy = tempfile::tempfile().unwrap();
        fetches(&bob, &hit, &copy).await?;
        let mut placed = vec![0; data.len()];
        copy.read_exact_at(&mut placed, 0).unwrap();
        assert!(placed == data, "the copy differs");
        Ok(())
    })
}

#[test]
fn a_file_is_found_and_fetched_directly() {
    assert_eq!(crosses(true, true), Ok(()));
}

#[test]
fn a_firewalled_uploader_pushes() {
    assert_eq!(crosses(false, true), Ok(()));
}

#[test]
fn a_firewalled_downloader_calls() {
    assert_eq!(crosses(true, false), Ok(()));
}

#[test]
fn an_uploader_finds_the_restarted_directory_and_shares_again() {
    let first = server();
    let listen = first.local_addr();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let alice = client("alice", true);
        shares(&alice, listen.into(), &song()).await;
        first.stop("a moment", None);
        let _second =
            DirectoryServer::start(DirectoryConfig { listen, ..DirectoryConfig::default() }).unwrap();
        until(&alice, |event| matches!(event, Event::Shared(_, 1)).then_some(())).await;
        let bob = client("bob", true);
        bob.command(Command::Join(vec![listen.into()]));
        until(&bob, |event| matches!(event, Event::LoggedIn(..)).then_some(())).await;
        assert_eq!(finds(&bob, "zebra").await.nick, b"alice");
    });
}
