//! What a directory's users and files take in memory, as the allocator counts. One test a process.

use std::alloc::System;

use cap::Cap;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, Instant, SplitMix64, StreamId, StreamInput};
use throng_overlay::directory::server::{Config, Server};

#[path = "../../../bench/src/users.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a library's module elsewhere")]
mod users;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn frame(kind: u16, data: &str) -> Vec<u8> {
    [&(data.len() as u16).to_le_bytes()[..], &kind.to_le_bytes(), data.as_bytes()].concat()
}

fn send(probe: &mut Probe<Server>, stream: StreamId, bytes: &[u8]) {
    for out in probe.stream(stream, StreamInput::Bytes(bytes)) {
        if let Out::Write(stream, bytes) = out {
            probe.stream(stream, StreamInput::Flushed(bytes.len() as u32));
        }
    }
    probe.events.clear();
}

fn log_in(probe: &mut Probe<Server>, number: u32) -> StreamId {
    let [_, a, b, c] = number.to_be_bytes();
    let (stream, _) = probe.accept(Endpoint::v4([10, a, b, c], 4_000));
    let login = format!("user{number} password 6699 \"v2.0 BETA 8\" 7");
    send(probe, stream, &frame(2, &login));
    stream
}

#[test]
fn an_idle_user_takes_some_hundred_bytes_and_a_file_less_than_130() {
    let server = Server::new(Config::default(), &mut SplitMix64::new(1), Instant::EPOCH);
    let mut probe = Probe::new(server);
    let before = ALLOCATOR.allocated();
    for number in 0..20_000 {
        log_in(&mut probe, number);
    }
    let each = (ALLOCATOR.allocated() - before) / 20_000;
    println!("an idle user: {each} bytes");
    assert!(each <= 420, "{each} bytes an idle user");

    let catalogue = users::Catalogue::new(20_000, 50_000, 7);
    let before = ALLOCATOR.allocated();
    for number in 0..400 {
        let stream = log_in(&mut probe, 100_000 + number);
        for file in catalogue.user(number, 200) {
            let (folder, base, md5) = (file.folder, file.base, file.md5);
            let numbers = format!("{} {} {} {}", file.size, file.bitrate, file.frequency, file.duration);
            send(&mut probe, stream, &frame(100, &format!("\"{folder}{base}\" {md5} {numbers}")));
        }
    }
    let each = (ALLOCATOR.allocated() - before) / 80_000;
    println!("a file: {each} bytes");
    assert_eq!(probe.machine.gauges().files_here, 80_000);
    assert!(each <= 130, "{each} bytes a file");
}
