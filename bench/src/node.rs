//! One node publishes a library of many small files through every system at once: how long until each file is found by
//! each system alone, how long the command takes, and what CPU all the programs together have used by then.
//!
//! A directory, an ultrapeer, a supernode, a ring, the publisher and one who searches, each a process in a namespace of its
//! own. The searcher asks for files chosen at random, by all words of their names, in one system at a time.

mod files;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use throng_bench::lab::Namespace;
use throng_bench::process::{Running, Sign};

/// In a namespace of our own every port is free.
const DIRECTORY: &str = "127.0.0.1:8888";
const RING: u16 = 7_000;
const ULTRAPEER: &str = "127.0.0.1:7100";
const SUPERNODE: &str = "127.0.0.1:7101";
/// Systems that are searched, as `--in` has them.
const SYSTEMS: [&str; 4] = ["chord", "directory", "gnutella", "supernode"];
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is measured.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The throng program.
    #[arg(long, value_name = "FILE")]
    throng: PathBuf,
    /// Files to publish.
    #[arg(long, default_value_t = 10_000)]
    files: u32,
    /// Bytes of each.
    #[arg(long, default_value_t = 10_000)]
    size: usize,
    /// Nodes of the ring beside the publisher and the searcher.
    #[arg(long, default_value_t = 6)]
    ring: u16,
    /// Files that are looked for in each system.
    #[arg(long, default_value_t = 25)]
    checked: usize,
    /// Where the files and homes are made [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

/// Where the programs run and what they are called.
struct Stage<'a> {
    namespace: Arc<Namespace>,
    throng: &'a Path,
    folder: &'a Path,
}

impl Stage<'_> {
    fn home(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program that serves once its log has `ready` as often as said.
    fn start(&self, name: &str, arguments: &[&str], joins: usize) -> Result<Running> {
        let mut command = self.namespace.command(self.throng);
        command.arg("--home").arg(self.home(name)).arg("--json").args(arguments);
        let log = self.folder.join(format!("{name}.log"));
        let text = log.clone();
        let ready = Sign::Ask(Box::new(move || {
            let text = std::fs::read_to_string(&text)?;
            let told = if joins == 0 { "\"listening\"" } else { "\"event\":\"joined\"" };
            Ok(text.matches(told).count() >= joins.max(1))
        }));
        let mut running = Running::start(name, command, &log, ready, Sign::Exit)?;
        running.wait_ready(Instant::now() + PATIENCE)?;
        Ok(running)
    }

    fn member(&self, name: &str, port: u16, arguments: &[&str], joins: usize) -> Result<Running> {
        let listen = format!("127.0.0.1:{port}");
        let common = ["join", "--listen", &listen, "--api", "127.0.0.1:0"];
        self.start(name, &[&common[..], arguments].concat(), joins)
    }

    /// A command's objects.
    fn run(&self, name: &str, arguments: &[&str]) -> Result<Vec<Value>> {
        let mut command = self.namespace.command(self.throng);
        command.arg("--home").arg(self.home(name)).arg("--json").args(arguments);
        let done = command.output()?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = options.work.as_deref().unwrap_or(temporary.path());
    let library = folder.join("library");
    let names = files::make(&library, options.files, options.size)?;
    let stage = Stage { namespace: Namespace::new()?, throng: &options.throng, folder };
    let mut programs = others(&stage, options)?;
    let first = format!("127.0.0.1:{RING}");
    let joins = ["--chord", &first, "--directory", DIRECTORY, "--gnutella", ULTRAPEER, "--supernode"];
    let joins = [&joins[..], &[SUPERNODE, "--supernode", "ordinary"]].concat();
    programs.push(stage.member("searcher", 7_201, &joins, SYSTEMS.len())?);
    programs.push(stage.member("publisher", 7_200, &joins, SYSTEMS.len())?);
    // The ring is calm before it is measured.
    std::thread::sleep(Duration::from_secs(20));
    let before: Vec<f64> = programs.iter_mut().map(|program| program.usage().cpu_seconds).collect();
    let figures = measure(&stage, options, &library, &names)?;
    let after = programs.iter_mut().map(Running::usage);
    let used = after.zip(&before).map(|(after, before)| after.cpu_seconds - before);
    let used: Vec<f64> = used.map(|seconds| (seconds * 100.0).round() / 100.0).collect();
    let peak = programs.last_mut().map_or(0, |publisher| publisher.usage().peak_rss);
    println!("{:#}", json!({ "figures": figures, "cpu_seconds": used, "publisher_peak_rss": peak }));
    programs.into_iter().rev().try_for_each(Running::stop)
}

/// All but the publisher and the searcher.
fn others(stage: &Stage<'_>, options: &Options) -> Result<Vec<Running>> {
    let mut programs = vec![stage.start("directory", &["directory", "--listen", DIRECTORY], 0)?];
    for number in 0..options.ring {
        let through = format!("127.0.0.1:{RING}");
        let chord = if number == 0 { "new" } else { &through };
        programs.push(stage.member(&format!("ring{number}"), RING + number, &["--chord", chord], 1)?);
    }
    // These are there when they listen; nobody is to be joined.
    programs.push(stage.start(
        "ultrapeer",
        &["join", "--listen", ULTRAPEER, "--api", "127.0.0.1:0", "--gnutella", "ultrapeer"],
        0,
    )?);
    programs.push(stage.start(
        "supernode",
        &["join", "--listen", SUPERNODE, "--api", "127.0.0.1:0", "--supernode", "serve"],
        0,
    )?);
    Ok(programs)
}

/// Publishes, and looks for files meanwhile until all that are looked for were found.
fn measure(stage: &Stage<'_>, options: &Options, library: &Path, names: &[String]) -> Result<Value> {
    let begun = Instant::now();
    let found: Mutex<Vec<(&str, f64)>> = Mutex::default();
    let steps = std::thread::scope(|scope| {
        for (system, salt) in SYSTEMS.into_iter().zip(1..) {
            let (found, chosen) = (&found, files::choose(names, options.checked, salt));
            scope.spawn(move || {
                let seconds = look_for(stage, system, &chosen, begun);
                found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((system, seconds));
            });
        }
        let library = library.to_str().context("a path in UTF-8")?;
        let steps = stage.run("publisher", &["publish", library])?;
        ensure!(steps.iter().any(|step| step["event"] == "published"), "it was not published: {steps:?}");
        Ok((steps, begun.elapsed().as_secs_f64()))
    });
    let (steps, command) = steps?;
    let spread = steps.iter().rev().filter(|step| step["event"] == "spread");
    let spread: Vec<&Value> = spread.take(8).collect();
    let found = found.into_inner().unwrap_or_default();
    let found: Value =
        found.into_iter().map(|(system, seconds)| (system.to_owned(), json!(seconds))).collect();
    Ok(json!({ "files": names.len(), "found_after": found, "command": command, "spread": spread }))
}

/// Seconds until each of some files was found by this system alone; -1 if that never was so. All words of a name lead to one
/// file, and the first hit ends the search: with more wanted, a flood would be waited for until it is over, 25 times.
fn look_for(stage: &Stage<'_>, system: &str, names: &[String], begun: Instant) -> f64 {
    let mut at = 0;
    while let Some(name) = names.get(at) {
        if begun.elapsed() > PATIENCE {
            eprintln!("{system}: {at} of {} found; not {name}", names.len());
            return -1.0;
        }
        let words = files::words(name);
        let arguments = [&["search", "--in", system, "--timeout", "2s", "--limit", "1"], &words[..]].concat();
        let hits = stage.run("searcher", &arguments).unwrap_or_default();
        let is_it = |step: &Value| step["event"] == "hit" && step["hit"]["title"].as_str() == Some(name);
        if hits.iter().any(is_it) {
            at += 1;
        } else {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0
}
