//! How fast the simulator is: a million hosts pinging each other, then blocks over streams.
//!
//! `cargo run --release -p throng-sim --example ping [HOSTS]`

use std::time::Duration;
use throng_machine::{
    ContentId, Context, Datagram, Endpoint, Extent, Instant, Machine, StreamId, StreamInput, Via,
};
use throng_sim::{App, HostIo, Latency, Network, Profile, ProfileId, Sim};

const BLOCK: u32 = 16 << 10;
const WINDOW: u32 = 8;

/// Pings a random host every second and answers pings; or asks its neighbours for blocks and answers with them.
struct Peer {
    hosts: u32,
    deadline: Option<Instant>,
    pongs: u32,
    blocks: u32,
}

#[derive(Debug)]
enum Start {
    Pinging,
    Asking(Endpoint),
}

fn address(host: u32) -> Endpoint {
    let [_, a, b, c] = (host + 1).to_be_bytes();
    Endpoint::v4([10, a, b, c], 6881)
}

impl Machine for Peer {
    type Command = Start;
    type Event = ();

    fn handle_command(&mut self, start: Start, cx: &mut Context<'_, ()>) {
        match start {
            Start::Pinging => {
                let micros = u64::from(cx.rng().below(1_000_000));
                self.deadline = Some(cx.now() + Duration::from_micros(micros));
            }
            Start::Asking(of) => {
                cx.open(Via::Tcp, of);
            }
        }
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Context<'_, ()>) {
        if datagram.bytes.first() == Some(&b'?') {
            cx.send(Via::Udp, datagram.from, |out| out.extend_from_slice(b"!pong, twenty bytes."));
        } else {
            self.pongs += 1;
        }
    }

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Context<'_, ()>) {
        let request = |cx: &mut Context<'_, ()>| cx.write(stream, |out| out.extend_from_slice(&[b'?'; 17]));
        match input {
            StreamInput::Opened => (0..WINDOW).for_each(|_| request(cx)),
            StreamInput::Bytes(bytes) if bytes[0] == b'?' => {
                for _ in 0..bytes.len() / 17 {
                    let extent = Extent { content: ContentId(0), offset: 0, len: BLOCK };
                    cx.write_extent(stream, |out| out.extend_from_slice(&[b'!'; 13]), extent);
                }
            }
            StreamInput::Blank(len) => {
                cx.place(Extent { content: ContentId(0), offset: 0, len }, 0);
                self.blocks += 1;
                request(cx);
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, ()>) {
        if self.deadline.is_some_and(|at| at <= cx.now()) {
            self.deadline = Some(cx.now() + Duration::from_secs(1));
            let to = address(cx.rng().below(self.hosts));
            cx.send(Via::Udp, to, |out| out.extend_from_slice(b"?ping, twenty bytes."));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

impl App for Peer {
    type Machine = Peer;
    fn machine(&mut self) -> &mut Peer {
        self
    }
    fn on_event(&mut self, (): (), _: &mut HostIo<'_, Self>) {}
}

fn build(hosts: u32, network: Network, profile: Profile) -> Sim<Peer> {
    let mut sim = Sim::new(1, network);
    sim.add_profile(profile);
    sim.reserve(hosts as usize);
    for _ in 0..hosts {
        sim.add(Peer { hosts, deadline: None, pongs: 0, blocks: 0 }, ProfileId(1));
    }
    sim
}

/// CPU seconds of this process, which a busy machine does not stretch as it does the wall clock.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}

fn report(what: &str, sim: &Sim<Peer>, began: f64, units: (u64, &str)) {
    let (spent, events) = (cpu_seconds() - began, sim.probe().totals.events);
    println!(
        "{what}: {events} events in {spent:.2} CPU s, {:.2} M events/s; {} {}, {:.3} us each; trace {:016x}",
        events as f64 / spent / 1e6,
        units.0,
        units.1,
        spent * 1e6 / units.0 as f64,
        sim.trace().hash(),
    );
}

fn pings(hosts: u32) {
    let latency = Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(150) };
    let mut sim = build(hosts, Network { latency, ..Network::default() }, Profile::default());
    (0..hosts).for_each(|host| sim.command(throng_sim::HostId(host), Start::Pinging));
    let began = cpu_seconds();
    sim.run_for(Duration::from_secs(5));
    let pongs = sim.apps().iter().map(|peer| u64::from(peer.pongs)).sum();
    report(&format!("{hosts} hosts pinging"), &sim, began, (pongs, "pings answered"));
}

fn blocks(hosts: u32, streams: u32) {
    let latency = Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(150) };
    let links = Profile { up: Some(4 << 20), down: Some(16 << 20), ..Profile::default() };
    let mut sim = build(hosts, Network { latency, ..Network::default() }, links);
    for host in 0..hosts {
        for other in 1..=streams {
            let peer = address((host + other * 37) % hosts);
            sim.command(throng_sim::HostId(host), Start::Asking(peer));
        }
    }
    let began = cpu_seconds();
    sim.run_for(Duration::from_secs(2));
    let blocks = sim.apps().iter().map(|peer| u64::from(peer.blocks)).sum();
    report(&format!("{hosts} hosts, {streams} streams each"), &sim, began, (blocks, "blocks of 16 KiB"));
}

fn main() {
    let hosts = std::env::args().nth(1).and_then(|hosts| hosts.parse().ok()).unwrap_or(1_000_000);
    pings(hosts.min(1_000));
    pings(hosts);
    blocks(100, 8);
    blocks(hosts / 100, 5);
    blocks(hosts / 100, 20);
}
