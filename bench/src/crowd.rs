//! One seed and N downloaders with every uplink capped: how near the last finish is to the least possible time.
//!
//! T* = (F/U)(1 + floor(log2 N)/M) for a file of F bytes in M pieces and uplinks of U bytes a second. Each peer has a
//! namespace and address of its own on a bridge; a tracker introduces them. The seed is up and announced, then the
//! clock starts and all downloaders are started at once; one that is a script first loads its interpreter and waits
//! (libtorrent), the others start from nothing. All stay to seed. A finish is the program's own report.

use std::fs;
use std::io::Write;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use throng_bench::data;
use throng_bench::lab::{Host, Lab};
use throng_bench::process::Running;
use throng_bench::program::{Job, Program, scrape};
use throng_bench::torrent::{self, Format, Torrent};

use crate::setup::{Common, median};

const TRACKER_PORT: u16 = 6969;
const PORT: u16 = 7000;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Downloaders.
    #[arg(long, default_value_t = 16)]
    downloaders: u8,
    /// MiB in the file.
    #[arg(long, default_value_t = 64)]
    size: u64,
    /// Upload limit of every peer, seed included, in MiB a second.
    #[arg(long, default_value_t = 4)]
    uplink: u64,
    /// Piece length in KiB.
    #[arg(long, default_value_t = 256)]
    piece: u64,
    /// Times each program is run.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Programs to run.
    #[arg(long, value_delimiter = ',', default_value = "throng,libtorrent,aria2,rqbit")]
    programs: Vec<String>,
}

struct Contender {
    program: Box<dyn Program>,
    /// Seconds to the first, the median and the last finish of each run.
    runs: Vec<[f64; 3]>,
}

struct Stage<'a> {
    options: &'a Options,
    folder: &'a Path,
    content: PathBuf,
    torrent: Torrent,
    tracker: SocketAddrV4,
    seed: Host,
    downloaders: Vec<Host>,
}

/// Runs the comparison and prints its table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (temporary, file_system) = options.common.temporary()?;
    let folder = temporary.path();
    let source = folder.join("source");
    fs::create_dir(&source)?;
    let content = source.join("content");
    data::write_file(&content, options.size << 20, 2)?;
    let mut lab = Lab::bridged()?;
    let tracker_host = lab.host()?;
    let tracker = SocketAddrV4::new(tracker_host.address, TRACKER_PORT);
    let url = format!("http://{tracker}/announce");
    let file = folder.join("tracked.torrent");
    let torrent = torrent::make(&content, &file, Format::V1, options.piece << 10, Some(&url))?;
    let seed = lab.host()?;
    let downloaders = (0..options.downloaders).map(|_| lab.host()).collect::<Result<Vec<_>>>()?;
    let served = options.common.tracker()?;
    let stage = Stage { options, folder, content, torrent, tracker, seed, downloaders };
    let mut contenders = Vec::new();
    for name in &options.programs {
        match options.common.program(name)? {
            Some(program) => contenders.push(Contender { program, runs: Vec::new() }),
            None => eprintln!("{name} is left out: not installed"),
        }
    }
    for round in 0..options.rounds {
        for contender in &mut contenders {
            let started = served.start(&tracker_host, TRACKER_PORT, &stage.torrent.info_hashes, folder)?;
            match one_run(&stage, contender.program.as_ref()) {
                Ok(run) => {
                    eprintln!("round {}: {} {run:.1?} s", round + 1, contender.program.name());
                    contender.runs.push(run);
                }
                Err(error) => {
                    eprintln!("round {}: {} failed: {error:#}", round + 1, contender.program.name())
                }
            }
            drop(started);
        }
    }
    print_table(&stage, &contenders, &file_system, served.name());
    Ok(())
}

fn one_run(stage: &Stage<'_>, program: &dyn Program) -> Result<[f64; 3]> {
    let work = stage.folder.join("work");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    let seed_work = work.join("seed");
    fs::create_dir_all(&seed_work)?;
    data::warm(&stage.content)?;
    let deadline = Instant::now() + Duration::from_secs(stage.options.common.deadline);
    let file = stage.torrent.file.to_str().context("a path that is not UTF-8")?;
    let source = stage.content.parent().context("the content has no folder")?;
    let uplink = stage.options.uplink << 20;

    let mut job = Job::new(&stage.seed, PORT, file, source, &seed_work);
    job.upload_limit = uplink;
    let mut seed = program.start_seed(&job)?;
    seed.wait_ready(deadline)?;
    wait_for_seed(stage, deadline)?;
    let (running, clock) = start_all(stage, program, &work, deadline)?;
    let finishes = wait_for_all(running, clock, deadline)?;
    for index in 0..stage.downloaders.len() {
        data::compare(&stage.content, &target(&work, index).join("content"), true)?;
    }
    let (first, last) = (finishes.first().copied(), finishes.last().copied());
    let middle = median(&mut finishes.clone());
    Ok([first.context("no downloader")?, middle, last.context("no downloader")?])
}

fn target(work: &Path, index: usize) -> PathBuf {
    work.join(format!("target{index}"))
}

/// Starts every downloader, and returns them with the instant at which the first was let go.
fn start_all(
    stage: &Stage<'_>,
    program: &dyn Program,
    work: &Path,
    deadline: Instant,
) -> Result<(Vec<Running>, Instant)> {
    let file = stage.torrent.file.to_str().context("a path that is not UTF-8")?;
    let held = program.name() == "libtorrent";
    for index in 0..stage.downloaders.len() {
        fs::create_dir_all(target(work, index))?;
        fs::create_dir_all(work.join(format!("work{index}")))?;
    }
    let mut clock = Instant::now();
    let mut running = Vec::new();
    for (index, host) in stage.downloaders.iter().enumerate() {
        let (dir, scratch) = (target(work, index), work.join(format!("work{index}")));
        let mut job = Job::new(host, PORT, file, &dir, &scratch);
        job.upload_limit = stage.options.uplink << 20;
        job.hold = held;
        running.push(program.start_fetch(&job)?);
    }
    if held {
        for process in &mut running {
            process.wait_ready(deadline)?;
        }
        clock = Instant::now();
        for process in &mut running {
            process.stdin().context("no standard input")?.write_all(b"go\n")?;
        }
    }
    Ok((running, clock))
}

/// Seconds from `clock` to each finish, sorted.
fn wait_for_all(mut running: Vec<Running>, clock: Instant, deadline: Instant) -> Result<Vec<f64>> {
    let mut finishes: Vec<Option<f64>> = vec![None; running.len()];
    while finishes.iter().any(Option::is_none) {
        let done = finishes.iter().flatten().count();
        ensure!(Instant::now() < deadline, "only {done} of {} finished in time", running.len());
        for (process, finish) in running.iter_mut().zip(&mut finishes) {
            if finish.is_none() && process.is_complete()? {
                *finish = Some(clock.elapsed().as_secs_f64());
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    for process in running {
        process.stop()?;
    }
    let mut finishes: Vec<f64> = finishes.into_iter().flatten().collect();
    finishes.sort_by(f64::total_cmp);
    Ok(finishes)
}

fn wait_for_seed(stage: &Stage<'_>, deadline: Instant) -> Result<()> {
    let hash = stage.torrent.info_hashes.first().context("no info-hash")?;
    while !scrape(&stage.seed, stage.tracker, hash).is_ok_and(|(complete, _)| complete > 0) {
        ensure!(Instant::now() < deadline, "the seed did not announce itself in time");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The least possible time in seconds.
fn least_time(options: &Options, pieces: u64) -> f64 {
    let doublings = u64::from(options.downloaders.max(1).ilog2());
    options.size as f64 / options.uplink as f64 * (1.0 + doublings as f64 / pieces as f64)
}

fn print_table(stage: &Stage<'_>, contenders: &[Contender], file_system: &str, tracker: &str) {
    let options = stage.options;
    let least = least_time(options, stage.torrent.pieces);
    println!(
        "crowd: one seed, {} downloaders, uplinks of {} MiB/s, {} MiB in {} pieces, T* = {least:.2} s; files on \
         {file_system}, {} interleaved rounds, medians; tracker: {tracker}\n",
        options.downloaders, options.uplink, options.size, stage.torrent.pieces, options.rounds
    );
    println!("| program | first s | median s | last s | last / T* | runs |");
    println!("|---|--:|--:|--:|--:|--:|");
    for contender in contenders {
        let of = |which: usize| median(&mut contender.runs.iter().map(|run| run[which]).collect::<Vec<_>>());
        println!(
            "| {} | {:.1} | {:.1} | {:.1} | {:.2} | {} |",
            contender.program.name(),
            of(0),
            of(1),
            of(2),
            of(2) / least,
            contender.runs.len()
        );
    }
}
