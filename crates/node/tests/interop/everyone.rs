//! One swarm of all programs at once, through our tracker.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use throng_bench::program::{Aria2, Job, Libtorrent, Program, Qbittorrent, Rtorrent, Transmission};
use throng_bench::torrent::Format;

use crate::case::{Content, PORT, Place, Source, Through, throng};
use crate::wanted::installed;

/// Everyone is in one swarm on two cores, and Transmission thinks every 10 s.
const DEADLINE: Duration = Duration::from_secs(200);

fn all_complete(through: Through, programs: &[&dyn Program]) -> Result<()> {
    let mut place = Place::make(Format::V1, Content::Folder, through)?;
    let _seed = place.seed(&throng())?;
    // Each with its host: a network without one goes away, perhaps before the program has entered it.
    let mut fetching = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        let host = place.lab.host()?;
        let (dir, scratch) =
            (place.folder(&format!("target{number}"))?, place.folder(&format!("work{number}"))?);
        let job = Job::new(&host, PORT, place.source(Source::Torrent)?, &dir, &scratch);
        fetching.push((program.start_fetch(&job)?, dir, host));
    }
    let deadline = Instant::now() + DEADLINE;
    for ((running, dir, _), program) in fetching.iter_mut().zip(programs) {
        running.wait_complete(deadline)?;
        place.check(*program, dir)?;
    }
    // Everyone tells the tracker that it completed; the seed makes one more.
    let expected = u64::try_from(programs.len())? + 1;
    while place.complete_peers() < expected {
        let known = place.complete_peers();
        ensure!(Instant::now() < deadline, "the tracker knows only {known} of {expected} complete peers");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[test]
fn our_tracker_serves_every_program_at_once_in_one_swarm() {
    let throng = throng();
    let programs: [&dyn Program; 6] = [&Libtorrent, &Qbittorrent, &Transmission, &Aria2, &Rtorrent, &throng];
    for through in [Through::OurHttp] {
        if installed(&programs, through.tracker().as_ref()) {
            all_complete(through, &programs).expect("every program completes");
        }
    }
}
