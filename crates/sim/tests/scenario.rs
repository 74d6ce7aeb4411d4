//! A scenario with everything in it, twice; and what happens if an application is not deterministic.
#![allow(missing_docs, clippy::unwrap_used, clippy::single_range_in_vec_init)]

mod common;

use common::*;
use std::cell::Cell;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_sim::{
    App, Arrivals, Churn, Departure, Disk, Group, HostId, HostIo, Incident, Lasting, Latency, Nat, Network,
    Placed, Profile, ProfileId, ReadOutcome, Scenario, assert_reproducible,
};

/// Talks to everybody by every means; `flaw` stands for hidden state that survives from run to run.
struct Busy {
    inner: Diary,
    hosts: u32,
    flaw: Rc<Cell<u64>>,
}

impl Busy {
    fn new(hosts: u32, flaw: Rc<Cell<u64>>) -> Busy {
        let machine = Scripted { place_at: Some(0), ..Scripted::default() };
        Busy { inner: Diary { machine, ..Diary::default() }, hosts, flaw }
    }

    fn somebody(&self, io: &mut HostIo<'_, Self>) -> Endpoint {
        let host = HostId(io.rng().below(self.hosts));
        io.endpoint_of(host)
    }
}

impl App for Busy {
    type Machine = Scripted;
    fn machine(&mut self) -> &mut Scripted {
        &mut self.inner.machine
    }
    fn on_start(&mut self, io: &mut HostIo<'_, Self>) {
        io.tick_after(Duration::from_millis(100), 0);
    }
    fn on_tick(&mut self, tag: u64, io: &mut HostIo<'_, Self>) {
        let (a, b) = (self.somebody(io), self.somebody(io));
        io.command(Do::Open(a));
        io.command(Do::Send(b, b"well?".to_vec()));
        io.command(Do::Timer(io.now() + Duration::from_millis(33)));
        io.disk(1 << 20, tag);
        io.tick_after(Duration::from_millis(700), tag + 1 + self.flaw.get());
    }
    fn on_event(&mut self, event: Seen, io: &mut HostIo<'_, Self>) {
        if let Seen::Opened(stream) = event {
            let block = io.rng().below(64);
            io.command(Do::Block(stream, vec![1; 13], extent(u64::from(block) << 14, 1 << 14)));
            io.command_after(Duration::from_millis(400), Do::Close(stream));
        }
        if let Seen::Blank(_, len) = event {
            io.record("run", u64::from(len));
        }
    }
    fn on_read(&mut self, _: throng_machine::Extent, io: &mut HostIo<'_, Self>) -> ReadOutcome {
        [ReadOutcome::Good, ReadOutcome::Good, ReadOutcome::Corrupt, ReadOutcome::Failed]
            [io.rng().below(4) as usize]
    }
    fn on_place(&mut self, placed: Placed<'_>, io: &mut HostIo<'_, Self>) {
        io.record("corrupt", u64::from(placed.corrupt));
    }
}

fn everything(name: &str, seed: u64) -> Scenario {
    let ms = Duration::from_millis;
    let churn = Churn {
        session: Lasting::Weibull { shape: 0.5, scale: Duration::from_secs(20) },
        absence: Some(Lasting::Exponential { mean: Duration::from_secs(5) }),
        departure: Departure::Silent,
    };
    let disk = Disk { latency: ms(8), rate: Some(50 << 20), failures: 0.02 };
    let open = Profile { up: Some(1 << 20), down: Some(4 << 20), disk, ..Profile::default() };
    let home = Profile { nat: Nat::Symmetric, churn: Some(churn), access: ms(9), loss: 0.01, ..open.clone() };
    Scenario {
        network: Network {
            latency: Latency::Plane { near: ms(5), side: ms(120) },
            jitter: ms(10),
            loss: 0.02,
            duplicate: 0.01,
            reorder: 0.05,
            cut_every: Some(200_000),
            fragment: true,
            count_hosts: true,
            ..Network::default()
        },
        groups: vec![
            Group { count: 60, profile: open, arrivals: Arrivals::Together(ms(0)) },
            Group { count: 140, profile: home, arrivals: Arrivals::Crowd(Duration::from_secs(5)) },
        ],
        incidents: vec![
            (Duration::from_secs(10), Incident::Partition(vec![0..100, 100..200])),
            (Duration::from_secs(15), Incident::Heal),
            (Duration::from_secs(20), Incident::Stop(0..10, Departure::Exit)),
            (Duration::from_secs(25), Incident::Start(0..10)),
            (Duration::from_secs(30), Incident::Cut(10..20)),
            (Duration::from_secs(35), Incident::Change(20..30, ProfileId(2))),
        ],
        until: Duration::from_secs(60),
        ..Scenario::new(name, seed)
    }
}

#[test]
fn a_scenario_with_everything_in_it_repeats_exactly() {
    let scenario = everything("everything", 42);
    let sim = assert_reproducible(&scenario, || |_| Busy::new(200, Rc::default()));
    let totals = sim.probe().totals;
    println!("{totals:?}");
    assert_eq!(sim.now(), Instant::from_micros(60_000_000));
    for count in [totals.timers, totals.datagrams_dropped, totals.breaks, totals.refusals, totals.chunks] {
        assert!(count > 100, "{totals:?}");
    }
    assert!(sim.probe().histogram("corrupt").unwrap().mean() > 0.2);
    assert!(sim.probe().host(0).sent > 0 && sim.probe().host(0).messages_received > 0);
    let other = everything("everything", 43).run(|_| Busy::new(200, Rc::default()));
    assert_ne!(other.trace().hash(), sim.trace().hash());
}

#[test]
fn nothing_is_left_behind_when_every_stream_has_ended() {
    let mut sim = everything("leftovers", 7).run(|_| Busy::new(200, Rc::default()));
    sim.incident(Incident::Stop(0..200, Departure::Silent));
    let down = sim.add_profile(Profile::default());
    sim.incident(Incident::Change(0..200, down));
    sim.run_for(Duration::from_secs(2));
    // Those that churn brings back go for good, as their profile no longer does.
    sim.run_for(Duration::from_secs(100));
    sim.incident(Incident::Stop(0..200, Departure::Reset));
    sim.run_for(Duration::from_secs(100));
    assert_eq!(sim.in_use(), [0, 0, 0]);
    assert!((0..200).all(|host| sim.stream_count(HostId(host)) == 0));
}

#[test]
fn a_run_that_does_not_repeat_is_reported_with_the_line_that_replays_it() {
    let failure = catch_unwind(|| {
        let mut scenario = everything("flawed", 5);
        scenario.replay = String::from("throng simulate swarm --seed {seed}");
        let flaw = Rc::new(Cell::new(0));
        assert_reproducible(&scenario, || {
            flaw.set(flaw.get() + 1);
            let flaw = flaw.clone();
            move |_| Busy::new(200, flaw.clone())
        });
    });
    let message = *failure.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.contains("seed 5") && message.contains("replay: throng simulate swarm --seed 5"),
        "{message}"
    );
}
