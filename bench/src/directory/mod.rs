//! A directory server under users of 2001, as a process: CPU a shared file, CPU a search, bytes a file, bytes an idle
//! connection, by the operating system's accounts. A part of the answers is checked against a plain scan.
//!
//! Frames are made here by hand (`u16` length, `u16` type, little-endian), so that a defect of ours cannot hide.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use socket2::{Domain, Protocol, Socket, Type};
use throng_bench::lab::Namespace;
use throng_bench::process::{Running, Sign};
use throng_bench::users::{Catalogue, Rng, Shared};

/// In a namespace of our own every port is free.
const PORT: u16 = 8888;
/// As much as a frame holds, less what clients of the time left free.
const FRAME: usize = 1_500;
/// Connections from one address, within what the server lets in.
const AN_ADDRESS: u32 = 60;
/// How long any one step may take.
const PATIENCE: Duration = Duration::from_secs(300);

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
    /// Connections that log in and do nothing; limited by open files, ours and the server's.
    #[arg(long, default_value_t = 19_000)]
    idle: u32,
    /// Seconds for which the idle ones are watched.
    #[arg(long, default_value_t = 60)]
    watch: u64,
}

/// A user's connection.
struct User(BufReader<TcpStream>);

impl User {
    fn login(number: u32, nick: &str) -> Result<User> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        let host = 0x7f01_0001 + number / AN_ADDRESS;
        socket.bind(&SocketAddr::from((Ipv4Addr::from(host), 0)).into())?;
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)).into())?;
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut user = User(BufReader::with_capacity(512, socket.into()));
        user.send(2, format!("{nick} pw 6699 \"bench\" 5").as_bytes())?;
        user.until(214)?;
        Ok(user)
    }

    fn send(&mut self, kind: u16, data: &[u8]) -> Result<()> {
        let mut frame = u16::try_from(data.len())?.to_le_bytes().to_vec();
        frame.extend_from_slice(&kind.to_le_bytes());
        frame.extend_from_slice(data);
        Ok(self.0.get_mut().write_all(&frame)?)
    }

    fn frame(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut header = [0; 4];
        self.0.read_exact(&mut header).context("the server closed the connection")?;
        let mut data = vec![0; usize::from(u16::from_le_bytes([header[0], header[1]]))];
        self.0.read_exact(&mut data)?;
        Ok((u16::from_le_bytes([header[2], header[3]]), data))
    }

    fn until(&mut self, kind: u16) -> Result<Vec<u8>> {
        loop {
            let (found, data) = self.frame()?;
            match found {
                0 | 404 => bail!("the server says {}", String::from_utf8_lossy(&data)),
                found if found == kind => return Ok(data),
                _ => {}
            }
        }
    }

    /// Shares a folder's files a frame (870).
    fn share(&mut self, files: &[Shared]) -> Result<()> {
        let mut data: Vec<u8> = Vec::new();
        let mut folder = "";
        for file in files {
            let Shared { base, size, bitrate, frequency, duration, md5, .. } = file;
            let entry = format!(" \"{base}\" {md5} {size} {bitrate} {frequency} {duration}");
            if !data.is_empty() && (folder != file.folder || data.len() + entry.len() > FRAME) {
                self.send(870, &data)?;
                data.clear();
            }
            if data.is_empty() {
                folder = &file.folder;
                data.extend_from_slice(format!("\"{folder}\"").as_bytes());
            }
            data.extend_from_slice(entry.as_bytes());
        }
        self.send(870, &data)?;
        // Its answer comes when all before it is done.
        self.send(750, b"done")?;
        self.until(750).map(drop)
    }

    /// A search; the names of the hits.
    fn find(&mut self, words: &str, most: u32) -> Result<Vec<String>> {
        self.send(200, format!("FILENAME CONTAINS \"{words}\" MAX_RESULTS {most}").as_bytes())?;
        let mut names = Vec::new();
        loop {
            match self.frame()? {
                (201, data) => {
                    let text = String::from_utf8_lossy(&data).into_owned();
                    names.push(text.split('"').nth(1).context("a hit without a name")?.to_owned());
                }
                (202, _) => return Ok(names),
                (404, data) => bail!("the server says {}", String::from_utf8_lossy(&data)),
                _ => {}
            }
        }
    }
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
        let figures = measure(options, &mut server)?;
        println!("{figures:#}");
        Ok(())
    })?;
    server.running.stop()
}

fn measure(options: &Options, server: &mut Server) -> Result<serde_json::Value> {
    let catalogue = Catalogue::new(60_000.max(options.users * 4), 400_000, 7);
    let started = server.resident()?;
    let mut users = Vec::new();
    for number in 0..options.users {
        users.push(User::login(number, &format!("user{number}"))?);
    }
    let mut searcher = User::login(options.users, "searcher")?;
    let (before, cpu) = (server.resident()?, server.cpu());
    let mut names = Vec::new();
    for (user, number) in users.iter_mut().zip(0..) {
        let shared = catalogue.user(number, options.files);
        user.share(&shared)?;
        names.extend(shared.into_iter().map(|file| file.folder + &file.base));
    }
    let files = names.len() as f64;
    let share_cpu = server.cpu() - cpu;
    let file_bytes = (server.resident()? - before) as f64 / files;
    let checked = check(options, &catalogue, &mut searcher, &names)?;
    let searches = search(options, &catalogue, &mut searcher, server)?;
    let idle = idle(options, server)?;
    Ok(json!({
        "users": options.users, "files": names.len(), "resident_at_start": started,
        "cpu_us_a_file": share_cpu * 1e6 / files, "bytes_a_file": file_bytes,
        "answers_checked": checked, "searches": searches, "idle": idle,
    }))
}

/// Compares answers with a plain scan.
fn check(options: &Options, catalogue: &Catalogue, searcher: &mut User, names: &[String]) -> Result<u32> {
    let words: Vec<BTreeSet<String>> = names.iter().map(|name| words_of(name)).collect();
    let mut rng = Rng(11);
    for _ in 0..options.checked {
        let query = catalogue.query(&mut rng);
        let wanted = words_of(&query);
        let all: BTreeSet<&String> = names
            .iter()
            .zip(&words)
            .filter(|(_, words)| wanted.is_subset(words))
            .map(|(name, _)| name)
            .collect();
        let count = names.iter().zip(&words).filter(|(_, words)| wanted.is_subset(words)).count();
        let hits = searcher.find(&query, 100)?;
        ensure!(hits.len() == count.min(100), "{query:?}: {} hits of {count}", hits.len());
        ensure!(hits.iter().all(|hit| all.contains(hit)), "{query:?}: a hit that does not match");
    }
    Ok(options.checked)
}

fn words_of(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '\''));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// CPU of searches as people ask them, and of those that are cut at 26 hits.
fn search(
    options: &Options,
    catalogue: &Catalogue,
    searcher: &mut User,
    server: &mut Server,
) -> Result<serde_json::Value> {
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
    for query in &many {
        ensure!(searcher.find(query, 26)?.len() == 26, "{query:?} is not cut at 26 hits");
    }
    let cut = server.cpu() - cpu;
    let count = queries.len().max(1) as f64;
    Ok(json!({
        "searches": queries.len(), "hits_a_search": hits as f64 / count, "cpu_us_a_search": spent * 1e6 / count,
        "cpu_us_a_search_of_26_hits": cut * 1e6 / many.len().max(1) as f64, "searches_of_26_hits": many.len(),
        "searches_a_second_one_asker": count / wall,
        "p99_ms": millis.get(millis.len().saturating_sub(1) * 99 / 100),
    }))
}

/// Memory and CPU of connections that do nothing but hear the statistics.
fn idle(options: &Options, server: &mut Server) -> Result<serde_json::Value> {
    let (before, cpu) = (server.resident()?, server.cpu());
    let mut users = Vec::new();
    for number in 0..options.idle {
        users.push(User::login(options.users + AN_ADDRESS + number, &format!("idle{number}"))?);
    }
    let (logged_in, login) = (server.resident()?, server.cpu() - cpu);
    let cpu = server.cpu();
    std::thread::sleep(Duration::from_secs(options.watch));
    let count = f64::from(options.idle.max(1));
    let watched = options.watch.max(1) as f64;
    Ok(json!({
        "connections": options.idle, "bytes_a_connection": logged_in.saturating_sub(before) as f64 / count,
        "cpu_us_a_login": login * 1e6 / count, "resident": logged_in,
        "cpu_share_while_idle": (server.cpu() - cpu) / watched,
        "bytes_a_connection_after": server.resident()?.saturating_sub(before) as f64 / count,
    }))
}
