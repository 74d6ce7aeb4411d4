//! A node with many idle torrents: each a small file that was published, is complete, and nobody asks for. How long the node
//! takes to start with all of them, what memory each costs, and what CPU a second of doing nothing does.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use throng_bench::lab::Namespace;
use throng_bench::process::{Running, Sign};

/// Paths that one command names.
const AT_ONCE: u32 = 1_000;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// For so long the idle node is watched.
const WATCH: Duration = Duration::from_secs(20);

/// What is measured.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The throng program.
    #[arg(long, value_name = "FILE")]
    throng: PathBuf,
    /// Torrents.
    #[arg(long, default_value_t = 10_000)]
    count: u32,
    /// Bytes of the file of each.
    #[arg(long, default_value_t = 100)]
    size: usize,
}

struct Stage<'a> {
    namespace: std::sync::Arc<Namespace>,
    options: &'a Options,
    folder: &'a std::path::Path,
}

impl Stage<'_> {
    fn start(&self) -> Result<Running> {
        let mut command = self.namespace.command(&self.options.throng);
        command.arg("--home").arg(self.folder.join("home")).arg("--json");
        // A directory that is not there: swarms alone are measured.
        command.args([
            "join",
            "--listen",
            "127.0.0.1:7117",
            "--api",
            "127.0.0.1:7118",
            "--directory",
            "127.0.0.1:9",
        ]);
        let ready = Sign::Text("\"listening\"".into());
        let mut node = Running::start("node", command, &self.folder.join("log"), ready, Sign::Exit)?;
        node.wait_ready(Instant::now() + PATIENCE)?;
        Ok(node)
    }

    fn run(&self, arguments: &[String]) -> Result<Vec<Value>> {
        let mut command = self.namespace.command(&self.options.throng);
        command.arg("--home").arg(self.folder.join("home")).arg("--json").args(arguments);
        let done = command.output()?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Torrents that the node says are complete.
    fn complete(&self) -> Result<u64> {
        let told = self.run(&["status".into()])?;
        let systems = told.iter().find_map(|status| status["systems"].as_array()).context("a status")?;
        let swarms = systems.iter().find(|system| system["system"] == "bittorrent");
        swarms.and_then(|swarms| swarms["complete"].as_u64()).context("the swarms' part of the status")
    }

    /// Waits until all are.
    fn wait(&self) -> Result<()> {
        let begun = Instant::now();
        while self.complete().unwrap_or(0) < u64::from(self.options.count) {
            ensure!(begun.elapsed() < PATIENCE, "{:?} of {}", self.complete(), self.options.count);
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = Stage { namespace: Namespace::new()?, options, folder: folder.path() };
    let node = stage.start()?;
    let empty = resident(node.id())?;
    let begun = Instant::now();
    for first in (0..options.count).step_by(AT_ONCE as usize) {
        publish(&stage, first..options.count.min(first + AT_ONCE))?;
    }
    stage.wait()?;
    let published = begun.elapsed().as_secs_f64();
    node.stop()?;
    let begun = Instant::now();
    let mut node = stage.start()?;
    let listening = begun.elapsed().as_secs_f64();
    stage.wait()?;
    let (ready, ready_cpu) = (begun.elapsed().as_secs_f64(), node.usage().cpu_seconds);
    std::thread::sleep(Duration::from_secs(10));
    let cpu = node.usage().cpu_seconds;
    std::thread::sleep(WATCH);
    let (used, all) = (node.usage().cpu_seconds - cpu, resident(node.id())?);
    let each = all.saturating_sub(empty) as f64 / f64::from(options.count.max(1));
    let figures = json!({
        "torrents": options.count, "publishing_seconds": published, "listening_seconds": listening,
        "ready_seconds": ready, "ready_cpu_seconds": ready_cpu, "resident_empty": empty, "resident": all,
        "bytes_a_torrent": each, "idle_cpu_percent": used / WATCH.as_secs_f64() * 100.0,
    });
    println!("{figures:#}");
    node.stop()
}

/// Makes and publishes files, each by itself.
fn publish(stage: &Stage<'_>, numbers: std::ops::Range<u32>) -> Result<()> {
    let library = stage.folder.join(format!("library-{}", numbers.start));
    std::fs::create_dir_all(&library)?;
    let mut arguments = vec!["publish".to_owned()];
    for number in numbers {
        let path = library.join(format!("file {number}.bin"));
        std::fs::write(&path, format!("{number} ").repeat(stage.options.size / 4))?;
        arguments.push(path.to_str().context("a path in UTF-8")?.to_owned());
    }
    let steps = stage.run(&arguments)?;
    let failed = steps.iter().find(|step| step["event"] == "failed");
    ensure!(failed.is_none(), "{failed:?}");
    Ok(())
}

/// Bytes of memory that a process has now.
fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1_024)
}
