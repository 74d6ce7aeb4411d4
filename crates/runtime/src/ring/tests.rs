//! A node of the ring with a scripted machine: what reaches the disk, when the machine is told, what comes back.

use super::records::{Records, Restored};
use super::*;
use crate::net::{NetConfig, Sockets};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use throng_machine::{Context, Datagram, Instant, Machine, StreamId, StreamInput};
use throng_overlay::chord::{Change, Command, Event, Failure, PersistId, Put, Start, Value, Want};
use throng_overlay::discovery;
use tokio::sync::mpsc::UnboundedReceiver;

/// How long anything may take; generous, since machines are shared.
const DEADLINE: Duration = Duration::from_secs(60);

/// Keeps every entry as one record `[key][value]`, and answers a put when the disk has answered.
#[derive(Default)]
struct Script {
    restored: Vec<(Vec<u8>, u32)>,
    pending: Vec<(PersistId, discovery::Ticket)>,
    refused: u32,
    next: u64,
}

impl Machine for Script {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Context<'_, Event>) {
        match command {
            Command::Start(_) => cx.emit(Event::Joined),
            Command::Leave => cx.emit(Event::Left),
            Command::Put(ticket, Put::Entry { name, value, ttl }) => {
                let mut id = [0; 32];
                id[..name.len()].copy_from_slice(&name);
                let record = [name, value].concat();
                let remaining = ttl.as_secs() as u32;
                self.next += 1;
                self.pending.push((PersistId(self.next), ticket));
                cx.emit(Event::Persist(PersistId(self.next), vec![Change::Write { id, record, remaining }]));
            }
            Command::Persisted(id, stored) => {
                let at = self.pending.iter().position(|(pending, _)| *pending == id).unwrap();
                let (_, ticket) = self.pending.remove(at);
                self.refused += u32::from(!stored);
                cx.emit(if stored {
                    Event::Stored { ticket, copies: 1, of: 1, seq: id.0, hash: [0; 32] }
                } else {
                    Event::Failed { ticket, failure: Failure::Partial { copies: 0, needed: 1 } }
                });
            }
            Command::Get(ticket, _) => {
                let value =
                    |record: &Vec<u8>| Value { bytes: record.clone(), seq: 1, writer: [0; 32], source: None };
                let values = self.restored.iter().map(|(record, _)| value(record)).collect();
                cx.emit(Event::Got { ticket, values, hops: 3 });
            }
            Command::Restore { record, remaining } => self.restored.push((record, remaining)),
            _ => {}
        }
    }
    fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Context<'_, Event>) {
        cx.send(datagram.via, datagram.from, |out| out.extend_from_slice(datagram.bytes));
    }
    fn handle_stream(&mut self, _: StreamId, _: StreamInput<'_>, _: &mut Context<'_, Event>) {}
    fn handle_timeout(&mut self, _: &mut Context<'_, Event>) {}
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let test = async { tokio::time::timeout(DEADLINE, test).await };
    tokio::task::LocalSet::new().block_on(&runtime, test).expect("it takes too long");
}

fn start(records: &Path) -> (Ring<Script>, UnboundedReceiver<Told>) {
    let records = Some(records.to_owned());
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = RingConfig { source: Default::default(), records };
    let net = NetConfig { listen: Some(listen), datagrams: true, ..NetConfig::default() };
    Ring::start(&config, Sockets::bind(&net).unwrap(), |_| Script::default()).unwrap()
}

fn entry(name: &str, value: &[u8], seconds: u64) -> Put {
    Put::Entry { name: name.into(), value: value.into(), ttl: Duration::from_secs(seconds) }
}

fn database() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring.sqlite");
    (folder, path)
}

fn restored(records: &mut Records, now: i64) -> Vec<Restored> {
    let mut all = Vec::new();
    records.restore(now, |one| all.push(one)).unwrap();
    all
}

fn write(id: u8, remaining: u32) -> Change {
    Change::Write { id: [id; 32], record: vec![id], remaining }
}

#[test]
fn what_was_acknowledged_is_there_at_the_next_start() {
    let (_folder, path) = database();
    run(async {
        let (ring, _told) = start(&path);
        ring.begin(Start::New);
        let puts = (0..20).map(|number| (format!("k{number}"), number)).collect::<Vec<_>>();
        for (name, number) in puts {
            let kept = ring.put(entry(&name, &[number], 3600)).await.unwrap();
            assert_eq!((kept.copies, kept.of), (1, 1));
        }
        // Nothing is flushed: acknowledged means committed.
        let (again, _told) = start(&path);
        let got = again.get(Want::Immutable([0; 32])).await.unwrap();
        assert_eq!((got.values.len(), got.hops), (20, 3));
        assert!(again.look(|script| script.restored.iter().all(|(_, left)| (1..=3600).contains(left))));
    });
}

#[test]
fn a_full_disk_is_said_to_the_machine_and_to_people_until_it_works_again() {
    let (_folder, path) = database();
    run(async {
        let (ring, mut told) = start(&path);
        ring.begin(Start::New);
        assert_eq!(told.recv().await, Some(Told::Discovery(discovery::Event::Joined)));
        ring.fill_up(true);
        let failure = ring.put(entry("big", &[7; 100_000], 60)).await.unwrap_err();
        assert_eq!(failure, Failure::Partial { copies: 0, needed: 1 });
        let Some(Told::Disk(Some(line))) = told.recv().await else { panic!("nobody was told") };
        assert!(line.contains("disk is full") && line.contains("ring.sqlite"), "{line}");
        assert_eq!(ring.trouble(), Some(line));
        ring.fill_up(false);
        ring.put(entry("big", &[7; 100_000], 60)).await.unwrap();
        assert_eq!((told.recv().await, ring.trouble()), (Some(Told::Disk(None)), None));
        assert_eq!(ring.look(|script| script.refused), 1);
    });
}

#[test]
fn a_ring_that_leaves_says_so_and_its_traffic_is_counted() {
    let (_folder, path) = database();
    run(async {
        let (ring, mut told) = start(&path);
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(b"seven b", ring.local_addr()).await.unwrap();
        let mut echo = [0; 16];
        assert_eq!(socket.recv(&mut echo).await.unwrap(), 7);
        let traffic = ring.traffic();
        assert_eq!((traffic.datagrams_in, traffic.bytes_in), (1, 7));
        assert_eq!((traffic.datagrams_out, traffic.bytes_out), (1, 7));
        ring.leave();
        assert_eq!(told.recv().await, Some(Told::Discovery(discovery::Event::Left)));
        ring.flush().await;
    });
}

#[test]
fn whom_it_knew_is_known_at_the_next_start() {
    let (_folder, path) = database();
    run(async {
        let (ring, _told) = start(&path);
        assert!(ring.contacts().is_empty());
        let known: Vec<SocketAddr> =
            ["10.0.0.1:7", "[2001:db8::1]:8"].map(|text| text.parse().unwrap()).into();
        ring.keep_contacts(known.clone());
        ring.flush().await;
        assert_eq!(start(&path).0.contacts(), known);
    });
}

#[test]
fn records_expire_by_the_wall_clock_and_a_clock_set_back_prolongs_none() {
    let (_folder, path) = database();
    let mut records = Records::open(&path).unwrap().0;
    records.apply([write(1, 10), write(2, 100), write(3, 50)].iter(), 1_000).unwrap();
    records.apply([Change::Remove { id: [3; 32] }, write(2, 200)].iter(), 1_000).unwrap();
    assert_eq!(restored(&mut records, 1_010), [Restored { record: vec![2], remaining: 190 }]);
    assert_eq!(restored(&mut records, -30_000_000), [Restored { record: vec![2], remaining: 200 }]);
    assert_eq!(restored(&mut records, 1_200), []);
}

#[test]
fn a_damaged_database_is_set_aside_and_told_and_a_newer_one_refused_untouched() {
    let (folder, path) = database();
    std::fs::write(&path, [0xa5; 8192]).unwrap();
    let (mut records, notice) = Records::open(&path).unwrap();
    assert!(matches!(notice, Some(RecordsError::Damaged(_))), "{notice:?}");
    assert_eq!(std::fs::read(folder.path().join("ring.sqlite.damaged-1")).unwrap(), [0xa5; 8192]);
    assert_eq!(restored(&mut records, 0), []);
    drop(records);
    let newer = folder.path().join("newer.sqlite");
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.execute_batch("CREATE TABLE later (x); PRAGMA user_version = 99").unwrap();
    drop(connection);
    let before = std::fs::read(&newer).unwrap();
    assert!(matches!(Records::open(&newer), Err(RecordsError::Newer(_))));
    assert_eq!(std::fs::read(&newer).unwrap(), before);
}
