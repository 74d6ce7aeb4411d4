//! Connections that log in and do nothing but hear the statistics: what they take of the program and of the kernel.
//!
//! They come from addresses of their own in 127.0.0.0/8 and are held by other processes, as a process may open only
//! so many files; the server is one process and holds as many as its limit lets it.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use throng_bench::lab::Namespace;
use throng_bench::napster::{User, connect};
use throng_bench::process::{Running, Sign};

use super::{AN_ADDRESS, Options, PORT, Server};

/// Connections a process that holds them.
const A_PROCESS: u32 = 10_000;
/// Logging in takes no longer.
const PATIENCE: Duration = Duration::from_secs(600);
/// Slabs of the kernel that grow with sockets: the socket, its inode and file, its place in what is waited for. Its
/// directory entry is left out, as all the machine's files have those.
const SLABS: [&str; 4] = ["TCP", "sock_inode_cache", "filp", "eventpoll_epi"];

/// Users who hold their connections until standard input ends.
#[derive(Args, Debug)]
pub(crate) struct Hold {
    /// The number of the first.
    #[arg(long)]
    first: u32,
    /// How many.
    #[arg(long)]
    count: u32,
}

/// Logs in, says so, and waits.
pub(crate) fn hold(options: &Hold) -> Result<()> {
    raise_open_files();
    let mut users = Vec::new();
    for number in options.first..options.first + options.count {
        users.push(User::login(connect(server(), number / AN_ADDRESS)?, &format!("idle{number}"))?);
    }
    println!("held");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

pub(super) fn server() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, PORT).into()
}

/// As many open files as the system lets us have.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // What is not allowed shows when the files are opened.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Bytes of the kernel's memory in sockets, of all processes.
fn kernel() -> u64 {
    let slabs = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
    let bytes = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [name, _, all, size, ..] = fields[..] else { return None };
        SLABS.contains(&name).then_some(all.parse::<u64>().ok()? * size.parse::<u64>().ok()?)
    };
    slabs.lines().filter_map(bytes).sum()
}

/// Memory and CPU of the idle ones.
pub(super) fn measure(
    options: &Options,
    first: u32,
    (server, namespace): (&mut Server, &Namespace),
    folder: &Path,
) -> Result<Value> {
    let program = std::env::current_exe()?;
    let (before, cpu, kernel_before) = (server.resident()?, server.cpu(), kernel());
    let mut holders: Vec<Running> = Vec::new();
    for begin in (0..options.idle).step_by(A_PROCESS as usize) {
        let count = A_PROCESS.min(options.idle - begin);
        let mut command = namespace.command(&program);
        command.args(["hold", "--first", &(first + begin).to_string(), "--count", &count.to_string()]);
        let log = folder.join(format!("hold{begin}"));
        holders.push(Running::start("hold", command, &log, Sign::Text("held".into()), Sign::Exit)?);
    }
    for holder in &mut holders {
        holder.wait_ready(Instant::now() + PATIENCE).context("not all idle users were let in")?;
    }
    let (logged_in, login, kernel) =
        (server.resident()?, server.cpu() - cpu, kernel().saturating_sub(kernel_before));
    let cpu = server.cpu();
    std::thread::sleep(Duration::from_secs(options.watch));
    let count = f64::from(options.idle.max(1));
    let each = logged_in.saturating_sub(before) as f64 / count;
    // Both ends of each connection are on this machine.
    let socket = kernel as f64 / count / 2.0;
    let gib = |users: f64| users * (each + socket) / f64::from(1 << 30);
    let figures = json!({
        "connections": options.idle, "holders": holders.len(), "resident": logged_in,
        "bytes_a_connection": each, "kernel_bytes_a_connection": socket,
        "gib_for_100000": gib(100_000.0), "gib_for_640000": gib(640_000.0),
        "cpu_us_a_login": login * 1e6 / count,
        "cpu_share_while_idle": (server.cpu() - cpu) / options.watch.max(1) as f64,
        "bytes_a_connection_after": server.resident()?.saturating_sub(before) as f64 / count,
    });
    holders.into_iter().try_for_each(Running::stop)?;
    Ok(figures)
}
