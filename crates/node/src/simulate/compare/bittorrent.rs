//! BitTorrent finds nobody by words: whoever knows an info-hash asks the tracker, a host of its own, who has it. A
//! publication is an announcement, a search is one too.

use super::stage::{Stage, network};
use super::workload::Workload;
use crate::simulate::measure::Ledger;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{
    Context, Datagram, Endpoint, Entropy, Instant, Machine, SplitMix64, StreamId, StreamInput, Via,
};
use throng_overlay::discovery::Ticket;
use throng_sim::{App, HostId, HostIo, Profile, Sim};
use throng_tracker::{Config, Tracker};
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::tracker::AnnounceEvent;
use throng_wire::tracker::udp::{AnnounceRequest, ConnectRequest, Options, Response};

/// The port of every host.
const PORT: u16 = 6_969;
/// A request not answered within this is repeated (BEP 15: 15 s, doubled).
const REPEAT: Duration = Duration::from_secs(15);
/// A connection id may be used for this long (BEP 15).
const CONNECTED: Duration = Duration::from_secs(60);
/// Peers wanted of a search.
const PEERS: u32 = 50;

/// One announcement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announcement {
    hash: InfoHash,
    /// The search it is of; none for a seed.
    search: Option<Ticket>,
}

/// A tracker, or somebody who asks it.
pub(super) enum Either {
    /// The tracker.
    Tracker(Box<Tracker>),
    /// A user.
    Client(Client),
}

/// A user: announces one thing after the other.
#[derive(Default)]
pub(super) struct Client {
    waiting: VecDeque<Announcement>,
    connection: Option<(u64, Instant)>,
    transaction: u32,
    repeat: Option<Instant>,
    repeated: u32,
}

/// Peers of a search.
#[derive(Debug)]
pub(super) struct Peers(Ticket, InfoHash, Vec<Endpoint>);

type Cx<'a> = Context<'a, Peers>;

impl Client {
    fn announce(&mut self, announcement: Announcement, cx: &mut Cx<'_>) {
        self.waiting.push_back(announcement);
        if self.waiting.len() == 1 {
            self.repeated = 0;
            self.ask(cx);
        }
    }

    /// Sends what is to be sent next.
    fn ask(&mut self, cx: &mut Cx<'_>) {
        let Some(Announcement { hash, search }) = self.waiting.front().copied() else {
            return self.repeat = None;
        };
        self.repeat = Some(cx.now() + REPEAT * (1 << self.repeated.min(8)));
        self.transaction = self.transaction.wrapping_add(1);
        let (transaction_id, tracker) = (self.transaction, tracker());
        let Some((connection_id, _)) = self.connection.filter(|(_, until)| *until > cx.now()) else {
            let request = ConnectRequest { transaction_id };
            return cx.send(Via::Udp, tracker, |out| out.extend_from_slice(&request.encode()));
        };
        let request = AnnounceRequest {
            connection_id,
            transaction_id,
            info_hash: hash,
            peer_id: PeerId([1; 20]),
            downloaded: 0,
            left: u64::from(search.is_some()) << 22,
            uploaded: 0,
            event: AnnounceEvent::Started,
            ip: 0,
            key: 0,
            num_want: Some(if search.is_some() { PEERS } else { 0 }),
            port: PORT,
            options: Options(&[]),
        };
        cx.send(Via::Udp, tracker, |out| request.encode(out));
    }

    fn on_answer(&mut self, bytes: &[u8], cx: &mut Cx<'_>) {
        let Ok(response) = Response::parse(bytes) else { return };
        if response.transaction_id() != self.transaction || self.repeat.is_none() {
            return;
        }
        self.repeated = 0;
        match response {
            Response::Connect(connect) => {
                self.connection = Some((connect.connection_id, cx.now() + CONNECTED));
            }
            Response::Announce(announce) => {
                let Some(Announcement { hash, search }) = self.waiting.pop_front() else { return };
                let peers = announce.peers_v4().map(|peer| std::net::SocketAddr::V4(peer).into());
                if let Some(ticket) = search {
                    cx.emit(Peers(ticket, hash, peers.collect()));
                }
            }
            _ => drop(self.waiting.pop_front()),
        }
        self.ask(cx);
    }
}

fn tracker() -> Endpoint {
    Endpoint::v4([10, 0, 0, 1], PORT)
}

impl Machine for Either {
    type Command = Announcement;
    type Event = Peers;

    fn handle_command(&mut self, command: Announcement, cx: &mut Cx<'_>) {
        if let Either::Client(client) = self {
            client.announce(command, cx);
        }
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Cx<'_>) {
        match self {
            Either::Tracker(tracker) => {
                cx.part(&mut Vec::new(), |cx| Machine::handle_datagram(&mut **tracker, datagram, cx));
            }
            Either::Client(client) => client.on_answer(datagram.bytes, cx),
        }
    }

    fn handle_stream(&mut self, _: StreamId, _: StreamInput<'_>, _: &mut Cx<'_>) {}

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        match self {
            Either::Tracker(tracker) => Tracker::handle_timeout(tracker, cx.now()),
            Either::Client(client) => {
                if client.repeat.is_some_and(|at| at <= cx.now()) {
                    client.repeated += 1;
                    client.ask(cx);
                }
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Either::Tracker(tracker) => Some(Tracker::poll_timeout(tracker)),
            Either::Client(client) => client.repeat,
        }
    }
}

/// A host.
pub(super) struct Host {
    machine: Either,
    ledger: Rc<RefCell<Ledger>>,
}

impl App for Host {
    type Machine = Either;

    fn machine(&mut self) -> &mut Either {
        &mut self.machine
    }

    fn on_event(&mut self, Peers(ticket, hash, peers): Peers, io: &mut HostIo<'_, Self>) {
        let mut ledger = self.ledger.borrow_mut();
        for peer in peers.into_iter().filter(|peer| *peer != io.endpoint()) {
            ledger.hit(ticket, &hash.0, user_of(peer), io.now());
        }
        ledger.end(ticket);
    }
}

fn user_of(at: Endpoint) -> Option<u32> {
    match at.ip() {
        std::net::IpAddr::V4(ip) => u32::from(ip).checked_sub(0x0a00_0002),
        std::net::IpAddr::V6(_) => None,
    }
}

/// The tracker and its users.
pub(super) struct Swarms {
    sim: Sim<Host>,
    ledger: Rc<RefCell<Ledger>>,
}

/// The system.
pub(super) fn build(workload: &Workload) -> Swarms {
    let (mut sim, ledger) = (Sim::new(workload.seed, network()), Rc::<RefCell<Ledger>>::default());
    let profile = sim.add_profile(Profile { port: PORT, ..Profile::default() });
    let mut rng = SplitMix64::new(SplitMix64::mix(workload.seed, 0x7472_6163));
    let tracker = Tracker::new(Config::default(), &mut rng, sim.now());
    let clients = (0..workload.nodes()).map(|_| Either::Client(Client::default()));
    for machine in std::iter::once(Either::Tracker(Box::new(tracker))).chain(clients) {
        sim.add(Host { machine, ledger: Rc::clone(&ledger) }, profile);
    }
    Swarms { sim, ledger }
}

fn hash_of(title: usize) -> InfoHash {
    let mut hash = [0; 20];
    SplitMix64::new(title as u64).fill(&mut hash);
    InfoHash(hash)
}

impl Stage for Swarms {
    type App = Host;

    fn sim(&mut self) -> &mut Sim<Host> {
        &mut self.sim
    }

    fn ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.ledger.borrow_mut())
    }

    fn host(&self, user: u32) -> HostId {
        HostId(1 + user)
    }

    /// Nobody needs to join anything.
    fn form(&mut self) -> Option<f64> {
        Some(0.0)
    }

    fn publish(&mut self, user: u32, _: u32, (title, _): (usize, &str)) {
        self.sim.command(self.host(user), Announcement { hash: hash_of(title), search: None });
    }

    fn target(&self, (title, _): (usize, &str)) -> Vec<u8> {
        hash_of(title).0.to_vec()
    }

    fn find(&mut self, user: u32, ticket: Ticket, (title, _): (usize, &str)) {
        self.sim.command(self.host(user), Announcement { hash: hash_of(title), search: Some(ticket) });
    }
}
