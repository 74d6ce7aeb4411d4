//! The tracker as a machine: datagrams and GETs from a few addresses, time, allow-lists.

use std::time::Duration;

use crate::input::Input;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, Instant, SplitMix64};
use throng_tracker::{AllowList, Command, Config, HttpStatus, Tracker};
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::tracker::http::{AnnounceReply, AnnounceRequest, ScrapeReply};
use throng_wire::tracker::{AnnounceEvent, udp};

/// Runs a list of operations; every answer can be read, goes to who asked, and before its address is proved nobody
/// is sent more than they sent.
pub fn tracker(data: &[u8]) {
    let config = Config {
        peer_ttl: Duration::from_secs(600),
        // Rarely: virtual hours pass, and each sweep of a shard is a call.
        sweep_period: Duration::from_secs(1_200),
        max_torrents: 12,
        max_peers: 60,
        max_peers_per_torrent: 24,
        ..Config::default()
    };
    let tracker = Tracker::new(config, &mut SplitMix64::new(7), Instant::EPOCH);
    let mut run = Run { probe: Probe::new(tracker), rng: SplitMix64::new(9), ids: [0; 8] };
    let mut input = Input(data);
    for _ in 0..1_000 {
        if input.is_empty() {
            break;
        }
        run.step(&mut input);
    }
    // Everybody has gone: nothing is left.
    run.probe.advance(Duration::from_secs(3_000));
    let metrics = run.probe.machine.metrics();
    assert!(format!("{metrics:?}").len() > 10);
}

struct Run {
    probe: Probe<Tracker>,
    rng: SplitMix64,
    /// The connection id each address was granted last.
    ids: [u64; 8],
}

fn address(index: usize) -> Endpoint {
    match index {
        0..4 => Endpoint::v4([10, 0, 0, index as u8], 6881),
        index => Endpoint::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, index as u16].into(), 6881),
    }
}

fn swarm(input: &mut Input<'_>) -> InfoHash {
    InfoHash([input.byte() % 20; 20])
}

impl Run {
    fn step(&mut self, input: &mut Input<'_>) {
        let who = input.below(8);
        match input.below(9) {
            0 => _ = self.datagram(who, input.run(), false),
            1 => self.connect(who),
            2..5 => {
                let request = self.announce(who, input);
                self.datagram(who, &request, self.ids[who] != 0);
            }
            5 => {
                let hashes: Vec<[u8; 20]> = (0..input.below(90)).map(|_| swarm(input).0).collect();
                let (connection_id, transaction_id) = (self.ids[who], input.u32());
                let mut request = Vec::new();
                udp::ScrapeRequest { connection_id, transaction_id, info_hashes: &hashes }
                    .encode(&mut request);
                self.datagram(who, &request, self.ids[who] != 0);
            }
            6 => self.get(who, input),
            7 => {
                let allow: AllowList = (0..input.below(6)).map(|_| swarm(input)).collect();
                self.probe.command(Command::Allow(Some(allow).filter(|allow| !allow.is_empty())));
            }
            _ => _ = self.probe.advance(Duration::from_secs(u64::from(input.u16()) % 1_000)),
        }
        let at = self.probe.machine.poll_timeout();
        assert!(at > self.probe.now || self.probe.advance(Duration::ZERO).is_empty());
    }

    fn connect(&mut self, who: usize) {
        let outs = self.datagram(who, &udp::ConnectRequest { transaction_id: 1 }.encode(), false);
        let [Out::Send(_, answer)] = outs.as_slice() else { panic!("a connect is answered") };
        let Ok(udp::Response::Connect(granted)) = udp::Response::parse(answer) else { panic!("with an id") };
        self.ids[who] = granted.connection_id;
    }

    fn announce(&self, who: usize, input: &mut Input<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let announce = udp::AnnounceRequest {
            connection_id: self.ids[who],
            transaction_id: input.u32(),
            info_hash: swarm(input),
            peer_id: PeerId([1; 20]),
            downloaded: 0,
            left: u64::from(input.byte() % 2),
            uploaded: 0,
            event: AnnounceEvent::from_number(u32::from(input.byte() % 5)),
            ip: input.u32(),
            key: 0,
            num_want: (!input.one_in(4)).then(|| input.u32()),
            port: input.u16() % 40,
            options: udp::Options(input.run()),
        };
        announce.encode(&mut out);
        out
    }

    fn datagram(&mut self, who: usize, bytes: &[u8], proved: bool) -> Vec<Out> {
        let outs = self.probe.datagram(address(who), bytes);
        assert!(outs.len() <= 1, "one answer at most");
        for out in &outs {
            let Out::Send(to, answer) = out else { panic!("{out:?}") };
            assert_eq!(*to, address(who));
            assert!(udp::Response::parse(answer).is_ok() && answer.len() <= 1_400);
            assert!(proved || answer.len() <= bytes.len().max(16), "amplification");
        }
        outs
    }

    fn get(&mut self, who: usize, input: &mut Input<'_>) {
        let mut target = match input.below(4) {
            0 => input.run().to_vec(),
            1 => [b"/announce?", input.run()].concat(),
            2 => [b"/scrape?info_hash=", input.bytes(20), b"&", input.run()].concat(),
            _ => b"/announce?".to_vec(),
        };
        if target == b"/announce?" {
            let mut request = AnnounceRequest::new(swarm(input), PeerId([2; 20]), input.u16() % 40);
            request.left = u64::from(input.byte() % 2);
            request.num_want = Some(u32::from(input.byte()));
            request.event = AnnounceEvent::from_number(u32::from(input.byte() % 5));
            let mut query = String::new();
            request.write_query(&mut query);
            target.extend_from_slice(query.as_bytes());
        }
        let (now, mut body) = (self.probe.now, Vec::new());
        let tracker = &mut self.probe.machine;
        match tracker.handle_get(address(who), &target, now, &mut self.rng, &mut body) {
            HttpStatus::NotFound => assert!(body.is_empty()),
            HttpStatus::Ok => {
                assert!(AnnounceReply::parse(&body).is_ok() || ScrapeReply::parse(&body).is_ok())
            }
        }
    }
}
