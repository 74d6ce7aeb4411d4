//! Our tracker and aquatic_udp under aquatic's own load tester, on loopback in a network namespace.
//!
//! Either tracker has one worker. The runs are interleaved, and medians are given. Where the tester's core is the
//! bottleneck, responses a second say little and CPU a response says more, so both are printed. The answers differ in
//! one point: our tracker gives seeds no seeds. `--seeders 0` makes the answers equal in number.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use throng_bench::lab::Namespace;
use throng_bench::process::{Running, Sign};

use crate::setup::median;

/// In a namespace of our own every port is free.
const SERVER: &str = "127.0.0.1:3000";
/// What the load tester prints at its end.
const SUMMARY: &str = "Average responses per second:";

/// What is compared, and how long.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The throng program, run as `throng tracker --listen ADDR`.
    #[arg(long, value_name = "FILE", required_unless_present = "bare")]
    throng: Option<PathBuf>,
    /// Instead of it the example `tracker` of throng-runtime, run with the address alone.
    #[arg(long, value_name = "FILE")]
    bare: Option<PathBuf>,
    /// The other tracker.
    #[arg(long, value_name = "FILE", default_value = "aquatic_udp")]
    aquatic: PathBuf,
    /// The load tester.
    #[arg(long, value_name = "FILE", default_value = "aquatic_udp_load_test")]
    load: PathBuf,
    /// Times each tracker is run.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load a run.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Torrents announced.
    #[arg(long, default_value_t = 1_000_000)]
    torrents: u32,
    /// Peers announced.
    #[arg(long, default_value_t = 2_000_000)]
    peers: u32,
    /// Share of peers that are seeds.
    #[arg(long, default_value_t = 0.75)]
    seeders: f64,
}

/// One tracker and its runs.
struct Contender {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    responses_per_second: f64,
    cpu_microseconds: f64,
    busy: f64,
    rss_mib: f64,
}

/// Runs the comparison and prints its table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("throng-bench-tracker-").tempdir()?;
    let mut contenders = contenders(options, folder.path())?;
    let load = folder.path().join("load.toml");
    fs::write(&load, load_config(options))?;
    for round in 1..=options.rounds {
        for contender in &mut contenders {
            let run = measure(contender, options, &load, folder.path())
                .with_context(|| format!("{} in round {round}", contender.name))?;
            eprintln!("round {round}: {:<12} {:>9.0} responses/s", contender.name, run.responses_per_second);
            contender.runs.push(run);
        }
    }
    print_table(options, &contenders);
    Ok(())
}

fn contenders(options: &Options, folder: &Path) -> Result<Vec<Contender>> {
    let ours = match (&options.bare, &options.throng) {
        (Some(bare), _) => (bare.canonicalize().context("no such example")?, vec![SERVER.into()]),
        (None, Some(throng)) => {
            let words = ["tracker", "--listen", SERVER].map(String::from).to_vec();
            (throng.canonicalize().context("no such throng")?, words)
        }
        (None, None) => (PathBuf::from("throng"), Vec::new()),
    };
    let config = folder.join("aquatic.toml");
    // Its defaults have one worker; what it keeps statistics for is off.
    fs::write(&config, format!("socket_workers = 1\n\n[network]\naddress = \"{SERVER}\"\n"))?;
    let theirs = vec!["-c".into(), config.display().to_string()];
    Ok(vec![
        Contender { name: "throng", program: ours.0, arguments: ours.1, runs: Vec::new() },
        Contender {
            name: "aquatic_udp",
            program: options.aquatic.clone(),
            arguments: theirs,
            runs: Vec::new(),
        },
    ])
}

fn load_config(options: &Options) -> String {
    format!(
        "server_address = \"{SERVER}\"\nworkers = 1\nduration = {}\n\n[requests]\nnumber_of_torrents = {}\n\
         number_of_peers = {}\npeer_seeder_probability = {:?}\n",
        options.seconds, options.torrents, options.peers, options.seeders
    )
}

fn measure(contender: &Contender, options: &Options, config: &Path, folder: &Path) -> Result<Run> {
    let namespace = Namespace::new()?;
    let deadline = Instant::now() + Duration::from_secs(u64::from(options.seconds) + 60);
    let mut command = namespace.command(&contender.program);
    command.args(&contender.arguments);
    let answers = Arc::clone(&namespace);
    let ready = Sign::Ask(Box::new(move || answers.enter(answers_connect)));
    let log = folder.join("server.log");
    let mut server = Running::start(contender.name, command, &log, ready, Sign::Exit)?;
    server.wait_ready(deadline)?;
    let before = server.usage();

    let mut command = namespace.command(&options.load);
    command.arg("-c").arg(config);
    let (ready, complete) = (Sign::Text(SUMMARY.into()), Sign::Text(SUMMARY.into()));
    let mut load = Running::start("the load tester", command, &folder.join("load.log"), ready, complete)?;
    load.wait_complete(deadline)?;
    let after = server.usage();
    let responses_per_second = average(&load.output()).context("the load tester gave no average")?;
    server.stop()?;

    let cpu = after.cpu_seconds - before.cpu_seconds;
    let seconds = f64::from(options.seconds);
    ensure!(responses_per_second > 0.0, "no responses");
    Ok(Run {
        responses_per_second,
        cpu_microseconds: cpu * 1e6 / (responses_per_second * seconds),
        busy: cpu / seconds,
        rss_mib: after.peak_rss as f64 / f64::from(1 << 20),
    })
}

/// Whether the server grants a connection id (BEP 15).
fn answers_connect() -> Result<bool> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    socket.connect(SERVER)?;
    socket.send(&[0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, 1])?;
    Ok(socket.recv(&mut [0; 16])? == 16)
}

fn average(output: &str) -> Option<f64> {
    let line = output.lines().find_map(|line| line.trim().strip_prefix(SUMMARY))?;
    line.trim().parse().ok()
}

fn print_table(options: &Options, contenders: &[Contender]) {
    println!(
        "{} runs of {} s, {} torrents, {} peers, {} of them seeds, one worker, one load tester; medians",
        options.rounds, options.seconds, options.torrents, options.peers, options.seeders
    );
    println!(
        "{:<12} {:>12} {:>12} {:>12} {:>16} {:>10} {:>10}",
        "tracker", "responses/s", "lowest", "highest", "CPU µs/response", "CPU used", "RSS MiB"
    );
    let middle = |contender: &Contender, value: fn(&Run) -> f64| {
        median(&mut contender.runs.iter().map(value).collect::<Vec<f64>>())
    };
    for contender in contenders {
        let rates = || contender.runs.iter().map(|run| run.responses_per_second);
        println!(
            "{:<12} {:>12.0} {:>12.0} {:>12.0} {:>16.2} {:>9.0}% {:>10.1}",
            contender.name,
            middle(contender, |run| run.responses_per_second),
            rates().fold(f64::INFINITY, f64::min),
            rates().fold(0.0, f64::max),
            middle(contender, |run| run.cpu_microseconds),
            100.0 * middle(contender, |run| run.busy),
            middle(contender, |run| run.rss_mib),
        );
    }
    if let [ours, theirs] = contenders {
        let ratio = |value: fn(&Run) -> f64| middle(ours, value) / middle(theirs, value);
        println!(
            "throng / aquatic_udp: {:.2} x responses/s, {:.2} x CPU a response",
            ratio(|run| run.responses_per_second),
            ratio(|run| run.cpu_microseconds),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::average;

    #[test]
    fn the_average_is_found_in_the_testers_report() {
        let report = "# aquatic load test report\n\nAverage responses per second: 59649.24\n  - Connect: 1\n";
        assert_eq!(average(report), Some(59_649.24));
        assert_eq!(average("nothing"), None);
    }
}
