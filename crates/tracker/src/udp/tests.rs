//! The face as clients see it: proof first, then swarms.

use std::time::Duration;

use proptest::prelude::*;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Machine, SplitMix64};
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::tracker::AnnounceEvent;
use throng_wire::tracker::udp::{ConnectRequest, Options, Response};

use super::*;
use crate::{AllowList, Command, Config};

const SWARM: InfoHash = InfoHash([0xaa; 20]);

struct Bench {
    tracker: Tracker,
    rng: SplitMix64,
    now: Instant,
}

impl Bench {
    fn new(config: Config) -> Self {
        let mut rng = SplitMix64::new(1);
        let now = Instant::EPOCH + Duration::from_secs(1_000);
        Self { tracker: Tracker::new(config, &mut rng, now), rng, now }
    }

    fn send(&mut self, from: Endpoint, datagram: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.tracker.handle_datagram(from, datagram, self.now, &mut self.rng, &mut out);
        out
    }

    fn connect(&mut self, from: Endpoint) -> u64 {
        let answer = self.send(from, &ConnectRequest { transaction_id: 1 }.encode());
        assert_eq!(answer.len(), 16);
        match Response::parse(&answer) {
            Ok(Response::Connect(connect)) => connect.connection_id,
            other => panic!("{other:?}"),
        }
    }

    fn announce(&mut self, from: Endpoint, fill: impl FnOnce(&mut AnnounceRequest<'_>)) -> Vec<u8> {
        let mut request = request(self.connect(from), from.port());
        fill(&mut request);
        let mut datagram = Vec::new();
        request.encode(&mut datagram);
        self.send(from, &datagram)
    }

    /// Seconds pass, all sweeps that fall due are done.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + Duration::from_secs(1);
            self.tracker.handle_timeout(self.now);
        }
    }
}

fn request(connection_id: u64, port: u16) -> AnnounceRequest<'static> {
    AnnounceRequest {
        connection_id,
        transaction_id: 2,
        info_hash: SWARM,
        peer_id: PeerId([1; 20]),
        downloaded: 0,
        left: 1,
        uploaded: 0,
        event: AnnounceEvent::Started,
        ip: 0,
        key: 0,
        num_want: None,
        port,
        options: Options(&[]),
    }
}

fn host(number: u16) -> Endpoint {
    let [a, b] = number.to_be_bytes();
    Endpoint::v4([10, 0, a, b], 6881)
}

fn peers(answer: &[u8]) -> (u32, u32, Vec<String>) {
    match Response::parse(answer) {
        Ok(Response::Announce(response)) => {
            let peers = response.peers_v4().map(|peer| peer.to_string()).collect();
            (response.header.seeders, response.header.leechers, peers)
        }
        other => panic!("{other:?}"),
    }
}

fn message(answer: &[u8]) -> String {
    match Response::parse(answer) {
        Ok(Response::Error { message, .. }) => String::from_utf8_lossy(message).into_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn peers_of_one_swarm_learn_of_each_other() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(peers(&bench.announce(host(1), |_| {})), (0, 1, vec![]));
    assert_eq!(peers(&bench.announce(host(2), |_| {})), (0, 2, vec!["10.0.0.1:6881".into()]));
    let seed = bench.announce(host(3), |request| request.left = 0);
    assert_eq!((peers(&seed).0, peers(&seed).2.len()), (1, 2));
    assert!(peers(&bench.announce(host(1), |request| request.info_hash = InfoHash([0; 20]))).2.is_empty());
}

#[test]
fn a_claimed_address_is_ignored_and_the_announced_port_used() {
    let mut bench = Bench::new(Config::default());
    bench.announce(host(1), |request| (request.ip, request.port) = (0xc000_0201, 7_000));
    assert_eq!(peers(&bench.announce(host(2), |_| {})).2, ["10.0.0.1:7000"]);
}

#[test]
fn before_proof_nothing_larger_than_the_request_is_sent() {
    let mut bench = Bench::new(Config::default());
    for number in 1..100 {
        bench.announce(host(number), |_| {});
    }
    let stolen = bench.connect(host(1));
    let mut datagram = Vec::new();
    request(stolen, 1).encode(&mut datagram);
    assert!(bench.send(host(200), &datagram).is_empty());
    assert!(bench.send(host(200), &datagram[..20]).is_empty());
    let mut scrape = Vec::new();
    ScrapeRequest { connection_id: stolen, transaction_id: 1, info_hashes: &[[0; 20]] }.encode(&mut scrape);
    assert!(bench.send(host(200), &scrape).is_empty());
    let connect = ConnectRequest { transaction_id: 1 }.encode();
    assert_eq!(bench.send(host(200), &connect).len(), connect.len());
    assert!(bench.send(host(200).with_port(0), &connect).is_empty());
    assert_eq!(bench.tracker.metrics().udp_unproved, 2);
}

#[test]
fn a_connection_id_ends_after_two_minutes() {
    let mut bench = Bench::new(Config::default());
    let mut datagram = Vec::new();
    request(bench.connect(host(1)), 1).encode(&mut datagram);
    bench.pass(90);
    assert!(!bench.send(host(1), &datagram).is_empty());
    bench.pass(30);
    assert!(bench.send(host(1), &datagram).is_empty());
}

#[test]
fn who_stops_is_forgotten_and_told_nothing() {
    let mut bench = Bench::new(Config::default());
    bench.announce(host(1), |_| {});
    bench.announce(host(2), |_| {});
    let stop = bench.announce(host(1), |request| request.event = AnnounceEvent::Stopped);
    assert_eq!(peers(&stop), (0, 1, vec![]));
    assert!(peers(&bench.announce(host(2), |_| {})).2.is_empty());
    assert_eq!(bench.tracker.metrics().v4.peers, 1);
}

#[test]
fn who_does_not_come_again_is_forgotten_in_time() {
    let config = Config { peer_ttl: Duration::from_secs(600), ..Config::default() };
    let mut bench = Bench::new(config);
    bench.announce(host(1), |_| {});
    bench.pass(400);
    bench.announce(host(2), |request| request.left = 0);
    assert_eq!(bench.tracker.metrics().v4.peers, 2);
    bench.pass(330);
    let gauges = bench.tracker.metrics().v4;
    assert_eq!((gauges.torrents, gauges.peers, gauges.seeds), (1, 1, 1));
    bench.pass(800);
    assert_eq!(bench.tracker.metrics().v4, Default::default());
}

#[test]
fn a_completion_is_counted_once_a_peer_and_scraped() {
    let mut bench = Bench::new(Config::default());
    bench.announce(host(1), |_| {});
    for _ in 0..3 {
        bench.announce(host(1), |request| (request.left, request.event) = (0, AnnounceEvent::Completed));
    }
    bench.announce(Endpoint::from("[2001:db8::1]:1".parse::<std::net::SocketAddr>().unwrap()), |_| {});
    let connection_id = bench.connect(host(1));
    let mut scrape = Vec::new();
    ScrapeRequest { connection_id, transaction_id: 9, info_hashes: &[SWARM.0, [0; 20]] }.encode(&mut scrape);
    let answer = bench.send(host(1), &scrape);
    let Ok(Response::Scrape(response)) = Response::parse(&answer) else { panic!("not a scrape") };
    let entries: Vec<_> = response.iter().map(|e| (e.seeders, e.completed, e.leechers)).collect();
    assert_eq!(entries, [(1, 1, 1), (0, 0, 0)]);
}

#[test]
fn over_ipv6_a_client_gets_ipv6_peers() {
    let mut bench = Bench::new(Config::default());
    let v6 = |number| Endpoint::new(format!("2001:db8::{number}").parse().unwrap(), 1);
    bench.announce(host(1), |_| {});
    bench.announce(v6(1), |_| {});
    let answer = bench.announce(v6(2), |_| {});
    let Ok(Response::Announce(response)) = Response::parse(&answer) else { panic!("not an announce") };
    assert_eq!(response.peers_v6().map(|peer| peer.to_string()).collect::<Vec<_>>(), ["[2001:db8::1]:1"]);
    assert_eq!(response.header.leechers, 3);
}

#[test]
fn answers_fit_one_packet_whatever_is_wanted() {
    let mut bench = Bench::new(Config::default());
    for number in 0..300 {
        bench.announce(host(number), |_| {});
        bench.announce(Endpoint::new(format!("2001:db8::{number}").parse().unwrap(), 1), |_| {});
    }
    let all = |request: &mut AnnounceRequest<'_>| request.num_want = Some(i32::MAX as u32);
    assert_eq!(bench.announce(host(1), all).len(), 20 + 200 * 6);
    assert_eq!(bench.announce(Endpoint::new("2001:db8::1".parse().unwrap(), 1), all).len(), 20 + 60 * 18);
    assert_eq!(bench.announce(host(1), |_| {}).len(), 20 + 50 * 6);
    assert_eq!(bench.announce(host(1), |request| request.num_want = Some(0)).len(), 20);
}

#[test]
fn only_allowed_swarms_are_served_and_others_are_dropped_when_the_list_changes() {
    let mut bench = Bench::new(Config::default());
    bench.announce(host(1), |_| {});
    bench.tracker.set_allow_list(Some(AllowList::from_iter([InfoHash([1; 20])])));
    assert!(message(&bench.announce(host(1), |_| {})).contains("not allowed"));
    bench.pass(121);
    assert_eq!(bench.tracker.metrics().v4, Default::default());
    bench.tracker.set_allow_list(None);
    assert!(peers(&bench.announce(host(2), |_| {})).2.is_empty());
}

#[test]
fn full_tables_still_answer_but_keep_no_more() {
    let config = Config { max_torrents: 1, max_peers_per_torrent: 2, ..Config::default() };
    let mut bench = Bench::new(config);
    for number in 1..10 {
        bench.announce(host(number), |_| {});
        bench.announce(host(number), |request| request.info_hash = InfoHash([0; 20]));
    }
    assert_eq!(peers(&bench.announce(host(20), |_| {})).2.len(), 2);
    let metrics = bench.tracker.metrics();
    assert_eq!((metrics.v4.torrents, metrics.v4.peers, metrics.not_kept), (1, 2, 7 + 9 + 1));
    let mut bench = Bench::new(Config { max_peers: 3, ..Config::default() });
    (1..10).for_each(|number| drop(bench.announce(host(number), |_| {})));
    assert_eq!(bench.tracker.metrics().v4.peers, 3);
}

#[test]
fn a_proved_sender_learns_what_is_wrong() {
    let mut bench = Bench::new(Config::default());
    let mut datagram = Vec::new();
    request(bench.connect(host(1)), 1).encode(&mut datagram);
    assert_eq!(message(&bench.send(host(1), &datagram[..50])), "request is too short");
    datagram[11] = 9;
    assert_eq!(message(&bench.send(host(1), &datagram)), "unknown action");
    assert_eq!(message(&bench.announce(host(1), |request| request.port = 0)), "port is 0");
    assert!(bench.send(host(1), &[0; 100]).is_empty());
    assert!(bench.send(host(1), &[]).is_empty());
}

#[test]
fn behind_the_contract_it_answers_the_same_and_a_spurious_timeout_does_nothing() {
    let mut rng = SplitMix64::new(1);
    let mut probe = Probe::new(Tracker::new(Config::default(), &mut rng, Instant::EPOCH));
    let outs = probe.datagram(host(1), &ConnectRequest { transaction_id: 5 }.encode());
    assert!(matches!(&outs[..], [Out::Send(to, bytes)] if *to == host(1) && bytes.len() == 16));
    assert!(probe.datagram(host(1), b"nonsense").is_empty());
    assert!(probe.command(Command::Allow(Some(AllowList::default()))).is_empty());
    let before = Machine::poll_timeout(&probe.machine);
    assert!(probe.call(Machine::handle_timeout).is_empty());
    assert_eq!(Machine::poll_timeout(&probe.machine), before);
}

proptest! {
    #[test]
    fn no_datagram_makes_the_face_panic_or_answer_more_than_it_may(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200), action in 0u8..4, proved: bool,
    ) {
        let mut bench = Bench::new(Config::default());
        let id = bench.connect(host(1));
        if bytes.len() >= 12 {
            bytes[8..12].copy_from_slice(&[0, 0, 0, action]);
            if proved { bytes[..8].copy_from_slice(&id.to_be_bytes()); }
        }
        let answer = bench.send(host(1), &bytes);
        prop_assert!(proved || answer.is_empty());
        prop_assert!(answer.len() <= 1_400);
    }
}
