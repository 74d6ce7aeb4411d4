//! Measures the directory machine in this process, sockets apart: bytes an idle user, CPU a shared file and a search.
//!
//! `cargo run --release -p throng-overlay --example directory_server -- USERS FILES_EACH [SEARCHES] [IDLE]`
//! Clients share by 870 as TekNap does, some 1,500 bytes a frame, and search from a hundred connections.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "measuring is reading clocks")]

#[path = "../../../bench/src/users.rs"]
#[allow(unreachable_pub, reason = "it is a library's module elsewhere")]
mod users;

use std::fs;
use std::time::Instant;
use throng_machine::{Context, Endpoint, Machine as _, Op, Outbox, SplitMix64, StreamId, StreamInput, Via};
use throng_overlay::directory::server::{Config, Event, Rate, Server};
use users::{Catalogue, Rng, Shared};

struct Driver {
    server: Server,
    rng: SplitMix64,
    next: u32,
    outbox: Outbox,
    events: Vec<Event>,
    written: u64,
}

impl Driver {
    /// Delivers an input and reads at once what comes of it; hits (201) that were written.
    fn input(&mut self, stream: StreamId, input: StreamInput<'_>) -> u64 {
        let now = throng_machine::Instant::EPOCH;
        let mut cx = Context::new(now, &mut self.rng, &mut self.next, &mut self.outbox, &mut self.events);
        self.server.handle_stream(stream, input, &mut cx);
        let (mut hits, mut flushed) = (0, Vec::new());
        for op in self.outbox.ops() {
            if let Op::Write { stream, bytes } = op {
                let bytes = self.outbox.bytes(*bytes);
                self.written += bytes.len() as u64;
                flushed.push((*stream, bytes.len() as u32));
                let mut at = 0;
                while let Some([low, high, kind, _]) = bytes.get(at..at + 4) {
                    hits += u64::from(*kind == 201);
                    at += 4 + usize::from(u16::from_le_bytes([*low, *high]));
                }
            }
        }
        self.outbox.clear();
        self.events.clear();
        for (stream, count) in flushed {
            let mut cx = Context::new(now, &mut self.rng, &mut self.next, &mut self.outbox, &mut self.events);
            self.server.handle_stream(stream, StreamInput::Flushed(count), &mut cx);
        }
        hits
    }

    fn user(&mut self, number: u32) -> StreamId {
        let stream = StreamId(self.next);
        self.next += 1;
        let [_, a, b, c] = number.to_be_bytes();
        let from = Endpoint::v4([10, a, b, c], 4_000);
        self.input(stream, StreamInput::Accepted { from, via: Via::Tcp });
        let login = format!("user{number} password 6699 \"v2.0 BETA 8\" 7");
        self.input(stream, StreamInput::Bytes(&frame(2, login.as_bytes())));
        stream
    }
}

fn frame(kind: u16, data: &[u8]) -> Vec<u8> {
    [&(data.len() as u16).to_le_bytes()[..], &kind.to_le_bytes(), data].concat()
}

/// A user's files in 870s.
fn shares(files: &[Shared]) -> Vec<u8> {
    let (mut frames, mut data, mut folder) = (Vec::new(), String::new(), "");
    for file in files {
        if (folder != file.folder || data.len() > 1_400) && !data.is_empty() {
            frames.extend(frame(870, data.as_bytes()));
            data.clear();
        }
        if data.is_empty() {
            folder = &file.folder;
            data = format!("\"{folder}\"");
        }
        data += &format!(
            " \"{}\" {} {} {} {} {}",
            file.base, file.md5, file.size, file.bitrate, file.frequency, file.duration
        );
    }
    frames.extend(frame(870, data.as_bytes()));
    frames
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Nanoseconds this thread has run.
fn cpu() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn main() {
    let arguments: Vec<u32> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let argument = |at: usize, usual: u32| arguments.get(at).copied().unwrap_or(usual);
    let (users, files) = (argument(0, 500), argument(1, 200));
    let (searches, idle) = (argument(2, 20_000), argument(3, 100_000));
    let plenty = Rate { a_minute: 1_000_000, burst: 1_000_000 };
    let config =
        Config { max_connections: 10_000_000, searches: plenty, messages: plenty, ..Config::default() };
    let mut rng = SplitMix64::new(1);
    let server = Server::new(config, &mut rng, throng_machine::Instant::EPOCH);
    let mut driver = Driver { server, rng, next: 0, outbox: Outbox::new(), events: Vec::new(), written: 0 };
    idle_users(&mut driver, users, idle);
    let catalogue = Catalogue::new(60_000.max(users * 4), 400_000, 7);
    let streams = share(&mut driver, &catalogue, users, files);
    search(&mut driver, &catalogue, &streams, searches);
}

fn idle_users(driver: &mut Driver, first: u32, idle: u32) {
    let (before, began) = (resident(), cpu());
    let streams: Vec<StreamId> = (first..first + idle).map(|number| driver.user(number)).collect();
    let bytes = (resident() - before - streams.len() as u64 * 4) as f64 / f64::from(idle.max(1));
    let micros = (cpu() - began) as f64 / 1e3 / f64::from(idle.max(1));
    println!("{idle} idle users: {bytes:.0} bytes each, {micros:.1} µs of CPU a login");
}

fn share(driver: &mut Driver, catalogue: &Catalogue, users: u32, files: u32) -> Vec<StreamId> {
    let (mut spent, before) = (0, resident());
    let mut streams = Vec::new();
    for batch in (0..users).collect::<Vec<_>>().chunks(50) {
        let ready: Vec<(StreamId, Vec<u8>)> =
            batch.iter().map(|user| (driver.user(*user), shares(&catalogue.user(*user, files)))).collect();
        let began = cpu();
        for (stream, frames) in &ready {
            // As segments of a network come.
            for part in frames.chunks(1_460) {
                driver.input(*stream, StreamInput::Bytes(part));
            }
        }
        spent += cpu() - began;
        streams.extend(ready.into_iter().map(|(stream, _)| stream));
    }
    let shared = f64::from(driver.server.gauges().files_here);
    println!(
        "{shared} files of {users} users: {:.2} µs of CPU a file, {:.1} bytes each",
        spent as f64 / 1e3 / shared,
        (resident() - before) as f64 / shared
    );
    streams
}

fn search(driver: &mut Driver, catalogue: &Catalogue, streams: &[StreamId], searches: u32) {
    let mut rng = Rng(99);
    let queries: Vec<Vec<u8>> = (0..searches)
        .map(|_| {
            frame(
                200,
                format!("FILENAME CONTAINS \"{}\" MAX_RESULTS 100", catalogue.query(&mut rng)).as_bytes(),
            )
        })
        .collect();
    let mut nanos = vec![u64::MAX; queries.len()];
    let (mut hits, written, began) = (0, driver.written, cpu());
    for _ in 0..3 {
        for (at, (query, least)) in queries.iter().zip(&mut nanos).enumerate() {
            let start = Instant::now();
            hits += driver.input(streams[at % streams.len().min(100)], StreamInput::Bytes(query));
            *least = (*least).min(start.elapsed().as_nanos() as u64);
        }
    }
    let each = (cpu() - began) as f64 / 3.0 / f64::from(searches);
    nanos.sort_unstable();
    println!(
        "searches: {:.1} µs of CPU, {:.1} hits and {:.0} bytes each, {:.0} a second a core; 99% in {:.1} µs",
        each / 1e3,
        hits as f64 / 3.0 / f64::from(searches),
        (driver.written - written) as f64 / 3.0 / f64::from(searches),
        1e9 / each,
        nanos[nanos.len() * 99 / 100] as f64 / 1e3
    );
}
