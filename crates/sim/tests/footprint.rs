//! Bytes a host, measured on a million of them; alone in its process.
#![allow(missing_docs, clippy::unwrap_used, clippy::single_range_in_vec_init)]

use std::time::Duration;
use throng_machine::{Context, Datagram, Instant, Machine, StreamId, StreamInput, Via};
use throng_sim::{App, HostIo, Network, ProfileId, Sim};

/// Pings a neighbour once a minute: 8 bytes of state.
struct Ping(Option<Instant>);

impl Machine for Ping {
    type Command = Instant;
    type Event = ();
    fn handle_command(&mut self, first: Instant, _: &mut Context<'_, ()>) {
        self.0 = Some(first);
    }
    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Context<'_, ()>) {}
    fn handle_stream(&mut self, _: StreamId, _: StreamInput<'_>, _: &mut Context<'_, ()>) {}
    fn handle_timeout(&mut self, cx: &mut Context<'_, ()>) {
        if self.0.is_some_and(|at| at <= cx.now()) {
            self.0 = Some(cx.now() + Duration::from_secs(60));
            let peer = cx.rng().below(1 << 19) | 1;
            let [_, a, b, c] = peer.to_be_bytes();
            cx.send(Via::Udp, throng_machine::Endpoint::v4([10, a, b, c], 6881), |out| out.push(1));
        }
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.0
    }
}

impl App for Ping {
    type Machine = Ping;
    fn machine(&mut self) -> &mut Ping {
        self
    }
    fn on_event(&mut self, _: (), _: &mut HostIo<'_, Self>) {}
    fn on_start(&mut self, io: &mut HostIo<'_, Self>) {
        let first = io.now() + Duration::from_micros(u64::from(io.rng().below(60_000_000)));
        io.command(first);
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn an_idle_host_costs_the_simulator_less_than_a_hundred_bytes() {
    const HOSTS: u64 = 1_000_000;
    let before = resident();
    let mut sim = Sim::new(1, Network::default());
    sim.reserve(HOSTS as usize);
    (0..HOSTS).for_each(|_| assert!(sim.add(Ping(None), ProfileId(0)).0 < HOSTS as u32));
    let idle = (resident() - before) / HOSTS;
    sim.run_for(Duration::from_secs(40));
    let running = (resident() - before) / HOSTS;
    let own = size_of::<Ping>() as u64;
    println!("a million hosts: {idle} B each when added, {running} B each after 40 s, {own} B their own");
    assert!(sim.probe().totals.datagrams_delivered > 600_000);
    assert!(running - own <= 100, "{running} B a host");
}
