//! One seed to one downloader on loopback, for each program with itself and in mixed pairs.
//!
//! The clock runs from the start of the downloader's process to its own report that all data is there. The seed is
//! up, has checked its data and is known to the tracker before. Nothing is subtracted. The runs of a table are
//! interleaved (every pair once, then every pair again), so that a change of the machine's speed meets them alike.

use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use throng_bench::data;
use throng_bench::lab::{Host, Lab};
use throng_bench::process::Usage;
use throng_bench::program::{Job, Program, scrape};
use throng_bench::torrent::{self, Format, Torrent};

use crate::floor::Floor;
use crate::setup::{Common, median};

const TRACKER_PORT: u16 = 6969;

/// What is transferred.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Set {
    /// One file of --size MiB in pieces of 1 MiB.
    Big,
    /// --files files of 4 KiB in pieces of 64 KiB.
    Small,
}

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// What is transferred.
    #[arg(long, value_enum, default_value = "big")]
    set: Set,
    /// MiB in the one file of the big set.
    #[arg(long, default_value_t = 1024)]
    size: u64,
    /// Files in the small set.
    #[arg(long, default_value_t = 10_000)]
    files: u32,
    /// Times each pair is run.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Pairs SEED:DOWNLOADER; one name alone is that program with itself.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "floor,throng,libtorrent,aria2,transmission,rqbit,throng:libtorrent,libtorrent:throng,\
                         throng:aria2,aria2:throng,throng:transmission,transmission:throng,throng:rqbit,rqbit:throng"
    )]
    pairs: Vec<String>,
}

struct Pair {
    seed: Box<dyn Program>,
    downloader: Box<dyn Program>,
    runs: Vec<Run>,
    failures: Vec<String>,
}

struct Run {
    seconds: f64,
    seed: Usage,
    downloader: Usage,
}

/// Everything one run needs that does not change between runs.
struct Stage<'a> {
    options: &'a Options,
    folder: &'a Path,
    content: PathBuf,
    plain: Torrent,
    tracked: Torrent,
    tracker: SocketAddrV4,
    seed: Host,
    downloader: Host,
}

/// Runs the comparison and prints its table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (temporary, file_system) = options.common.temporary()?;
    let folder = temporary.path();
    let content = make_content(options, folder)?;
    let mut pairs = make_pairs(options, &content)?;
    let mut lab = Lab::loopback()?;
    let tracker_host = lab.host()?;
    let tracker = SocketAddrV4::new(tracker_host.address, TRACKER_PORT);
    let length = match options.set {
        Set::Big => 1 << 20,
        Set::Small => 64 << 10,
    };
    let url = format!("http://{tracker}/announce");
    let plain = torrent::make(&content, &folder.join("plain.torrent"), Format::V1, length, None)?;
    let tracked = torrent::make(&content, &folder.join("tracked.torrent"), Format::V1, length, Some(&url))?;
    let served = options.common.tracker()?;
    let (seed, downloader) = (lab.host()?, lab.host()?);
    let stage = Stage { options, folder, content, plain, tracked, tracker, seed, downloader };
    for round in 0..options.rounds {
        for pair in &mut pairs {
            let started = served.start(&tracker_host, TRACKER_PORT, &stage.tracked.info_hashes, folder)?;
            match one_run(&stage, pair) {
                Ok(run) => {
                    eprintln!("round {}: {} {:.2} s", round + 1, pair.title(), run.seconds);
                    pair.runs.push(run);
                }
                Err(error) => {
                    eprintln!("round {}: {} failed: {error:#}", round + 1, pair.title());
                    pair.failures.push(format!("{error:#}"));
                }
            }
            drop(started);
        }
    }
    let bytes = data::size(&stage.content)?;
    println!("{}", describe(options, bytes, &file_system, served.name()));
    print_table(&mut pairs, bytes);
    Ok(())
}

fn make_content(options: &Options, folder: &Path) -> Result<PathBuf> {
    let source = folder.join("source");
    fs::create_dir(&source)?;
    let content = source.join("content");
    match options.set {
        Set::Big => data::write_file(&content, options.size << 20, 1)?,
        Set::Small => data::write_folder(&content, options.files, 4096)?,
    }
    Ok(content)
}

fn make_pairs(options: &Options, content: &Path) -> Result<Vec<Pair>> {
    let find = |name: &str| -> Result<Option<Box<dyn Program>>> {
        if name == "floor" {
            return Ok(Some(Box::new(Floor { content: content.to_owned() })));
        }
        options.common.program(name)
    };
    let mut pairs = Vec::new();
    for words in &options.pairs {
        let (seed, downloader) = words.split_once(':').unwrap_or((words, words));
        match (find(seed)?, find(downloader)?) {
            (Some(seed), Some(downloader)) => {
                pairs.push(Pair { seed, downloader, runs: Vec::new(), failures: Vec::new() });
            }
            _ => eprintln!("{words} is left out: not installed"),
        }
    }
    Ok(pairs)
}

impl Pair {
    fn title(&self) -> String {
        format!("{} -> {}", self.seed.name(), self.downloader.name())
    }
}

fn one_run(stage: &Stage<'_>, pair: &Pair) -> Result<Run> {
    let (target, work) = (stage.folder.join("target"), stage.folder.join("work"));
    for folder in [&target, &work] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    let (seed_work, downloader_work) = (work.join("seed"), work.join("downloader"));
    for folder in [&target, &seed_work, &downloader_work] {
        fs::create_dir_all(folder)?;
    }
    data::warm(&stage.content)?;
    let torrent = if pair.downloader.dials() { &stage.plain } else { &stage.tracked };
    let file = torrent.file.to_str().context("a path that is not UTF-8")?;
    let source = stage.content.parent().context("the content has no folder")?;
    let deadline = Instant::now() + Duration::from_secs(stage.options.common.deadline);

    let mut seed = pair.seed.start_seed(&Job::new(&stage.seed, 7001, file, source, &seed_work))?;
    seed.wait_ready(deadline)?;
    if !pair.downloader.dials() {
        wait_for_seed(stage, deadline)?;
    }
    data::prime_memory(&work.join("scrap"), data::size(&stage.content)?)?;
    let before = seed.usage();
    let peer = [SocketAddrV4::new(stage.seed.address, 7001)];
    let mut job = Job::new(&stage.downloader, 7002, file, &target, &downloader_work);
    job.seed_on = false;
    if pair.downloader.dials() {
        job.peers = &peer;
    }
    let mut downloader = pair.downloader.start_fetch(&job)?;
    let completed = downloader.wait_complete(deadline)?;
    let seconds = completed.duration_since(downloader.started()).as_secs_f64();
    let (downloader_usage, mut seed_usage) = (downloader.usage(), seed.usage());
    seed_usage.cpu_seconds -= before.cpu_seconds;
    downloader.stop()?;
    data::compare(&stage.content, &target.join("content"), true)?;
    Ok(Run { seconds, seed: seed_usage, downloader: downloader_usage })
}

fn wait_for_seed(stage: &Stage<'_>, deadline: Instant) -> Result<()> {
    let hash = stage.tracked.info_hashes.first().context("no info-hash")?;
    while !scrape(&stage.seed, stage.tracker, hash).is_ok_and(|(complete, _)| complete > 0) {
        ensure!(Instant::now() < deadline, "the seed did not announce itself in time");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn describe(options: &Options, bytes: u64, file_system: &str, tracker: &str) -> String {
    let what = match options.set {
        Set::Big => "one file in pieces of 1 MiB".to_owned(),
        Set::Small => format!("{} files of 4 KiB in pieces of 64 KiB", options.files),
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mib = bytes >> 20;
    format!(
        "transfer: {mib} MiB, {what}; loopback, {cores} cores, files on {file_system}, page cache warm, \
         {} interleaved rounds, medians; tracker for those that need one: {tracker}\n",
        options.rounds
    )
}

fn print_table(pairs: &mut [Pair], bytes: u64) {
    let mib = bytes as f64 / f64::from(1 << 20);
    println!(
        "| seed -> downloader | s | MiB/s | min-max s | CPU s/GiB seed | CPU s/GiB down | MiB seed | MiB down |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for pair in pairs {
        let title = pair.title();
        if pair.runs.is_empty() {
            let why = pair.failures.first().map_or("", |error| error.lines().next().unwrap_or(""));
            println!("| {title} | failed: {why} | | | | | | |");
            continue;
        }
        let of = |pick: &dyn Fn(&Run) -> f64| median(&mut pair.runs.iter().map(pick).collect::<Vec<_>>());
        let seconds = of(&|run| run.seconds);
        let fastest = pair.runs.iter().map(|run| run.seconds).fold(f64::INFINITY, f64::min);
        let slowest = pair.runs.iter().map(|run| run.seconds).fold(0.0, f64::max);
        let per_gib = 1024.0 / mib;
        let rss = |usage: Usage| usage.peak_rss as f64 / f64::from(1 << 20);
        println!(
            "| {title} | {seconds:.2} | {:.1} | {fastest:.2}-{slowest:.2} | {:.2} | {:.2} | {:.0} | {:.0} |{}",
            mib / seconds,
            of(&|run| run.seed.cpu_seconds) * per_gib,
            of(&|run| run.downloader.cpu_seconds) * per_gib,
            of(&|run| rss(run.seed)),
            of(&|run| rss(run.downloader)),
            if pair.failures.is_empty() { String::new() } else { format!(" {} failed", pair.failures.len()) },
        );
    }
}
