//! A directory server under users of 2001, as a process: CPU a shared file, CPU a search, bytes a file, bytes an idle
//! connection, by the operating system's accounts. A part of the answers is checked against a plain scan.

mod idle;
mod scan;

pub(crate) use idle::{Hold, hold};

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use scan::Scan;
use serde_json::{Value, json};
use throng_bench::lab::Namespace;
use throng_bench::napster::{User, connect};
use throng_bench::process::{Running, Sign};
use throng_bench::users::{Catalogue, Rng};

/// In a namespace of our own every port is free.
const PORT: u16 = 8888;
/// Connections from one address, within what the server lets in.
const AN_ADDRESS: u32 = 60;

/// What is measured.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The throng program, run as `throng directory`.
    #[arg(long, value_name = "FILE")]
    throng: PathBuf,
    /// Users who share.
    #[arg(long, default_value_t = 500)]
    users: u32,
    /// Files of each.
    #[arg(long, default_value_t = 200)]
    files: u32,
    /// Searches.
    #[arg(long, default_value_t = 20_000)]
    searches: u32,
    /// Searches checked against a plain scan.
    #[arg(long, default_value_t = 300)]
    checked: u32,
    /// Connections that log in and do nothing; limited by the server's open files.
    #[arg(long, default_value_t = 19_000)]
    idle: u32,
    /// Seconds for which the idle ones are watched.
    #[arg(long, default_value_t = 60)]
    watch: u64,
}

/// What the system says of the server.
struct Server {
    running: Running,
    process: u32,
}

impl Server {
    fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1_024)
    }

    fn cpu(&mut self) -> f64 {
        self.running.usage().cpu_seconds
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    idle::raise_open_files();
    let folder = tempfile::tempdir()?;
    let namespace = Namespace::new()?;
    let mut command = namespace.command(&options.throng);
    command.arg("--home").arg(folder.path()).args(["-q", "--json", "directory", "--stats-interval", "0"]);
    command.args(["--listen", &format!("127.0.0.1:{PORT}"), "--max-per-address", "64"]);
    // The bench is one user who asks for all.
    command.args(["--max-messages", "1000000", "--max-searches", "1000000", "--max-files", "100000"]);
    let log = folder.path().join("log");
    let ready = Sign::Text("\"listening\"".into());
    let mut running = Running::start("throng directory", command, &log, ready, Sign::Exit)?;
    running.wait_ready(Instant::now() + Duration::from_secs(30))?;
    let process = running.id();
    let mut server = Server { running, process };
    namespace.enter(|| {
        let mut figures = json!({ "users": options.users });
        // They stay, so that the idle ones do not get their memory.
        let users = if options.users > 0 { measure(options, &mut server, &mut figures)? } else { Vec::new() };
        let first = options.users + AN_ADDRESS;
        figures["idle"] = idle::measure(options, first, (&mut server, &namespace), folder.path())?;
        println!("{figures:#}");
        drop(users);
        Ok(())
    })?;
    server.running.stop()
}

fn log_in(number: u32, nick: &str) -> Result<User> {
    User::login(connect(idle::server(), number / AN_ADDRESS)?, nick)
}

/// Files and searches; the users who share.
fn measure(options: &Options, server: &mut Server, figures: &mut Value) -> Result<Vec<User>> {
    let catalogue = Catalogue::new(60_000.max(options.users * 4), 400_000, 7);
    let started = server.resident()?;
    let mut users = Vec::new();
    for number in 0..options.users {
        users.push(log_in(number, &format!("user{number}"))?);
    }
    let mut searcher = log_in(options.users, "searcher")?;
    let (before, cpu) = (server.resident()?, server.cpu());
    let (mut scan, mut files) = (Scan::new(&catalogue, options.checked), 0.0);
    for (user, number) in users.iter_mut().zip(0..) {
        let shared = catalogue.user(number, options.files);
        user.share(&shared)?;
        files += shared.len() as f64;
        shared.into_iter().for_each(|file| scan.add(&(file.folder + &file.base)));
    }
    let (share_cpu, resident) = (server.cpu() - cpu, server.resident()?);
    let checked = scan.check(&mut searcher)?;
    drop(scan);
    let searches = search(options, &catalogue, &mut searcher, server)?;
    *figures = json!({
        "users": options.users, "files": files, "resident_at_start": started, "resident": resident,
        "cpu_us_a_file": share_cpu * 1e6 / files, "bytes_a_file": (resident - before) as f64 / files,
        "answers_checked": checked, "searches": searches,
    });
    Ok(users)
}

/// CPU of searches as people ask them, and of those that are cut at 26 hits.
fn search(
    options: &Options,
    catalogue: &Catalogue,
    searcher: &mut User,
    server: &mut Server,
) -> Result<Value> {
    let mut rng = Rng(13);
    let queries: Vec<String> = (0..options.searches).map(|_| catalogue.query(&mut rng)).collect();
    let (mut hits, mut many, mut millis) = (0, Vec::new(), Vec::new());
    let (cpu, begin) = (server.cpu(), Instant::now());
    for query in &queries {
        let asked = Instant::now();
        let found = searcher.find(query, 100)?.len();
        millis.push(asked.elapsed().as_secs_f64() * 1e3);
        hits += found;
        if found >= 26 {
            many.push(query);
        }
    }
    let (spent, wall) = (server.cpu() - cpu, begin.elapsed().as_secs_f64());
    millis.sort_by(f64::total_cmp);
    let cpu = server.cpu();
    // Of millions of files a search of common words may reach the server's cap of work first, from where it begins.
    let mut fewer = 0;
    for query in &many {
        let found = searcher.find(query, 26)?.len();
        ensure!(found <= 26, "{query:?} is not cut at 26 hits");
        fewer += usize::from(found < 26);
    }
    let cut = server.cpu() - cpu;
    let count = queries.len().max(1) as f64;
    Ok(json!({
        "searches": queries.len(), "hits_a_search": hits as f64 / count, "cpu_us_a_search": spent * 1e6 / count,
        "cpu_us_a_search_of_26_hits": cut * 1e6 / many.len().max(1) as f64, "searches_of_26_hits": many.len(), "of_these_with_fewer": fewer,
        "searches_a_second_one_asker": count / wall,
        "p99_ms": millis.get(millis.len().saturating_sub(1) * 99 / 100),
    }))
}
