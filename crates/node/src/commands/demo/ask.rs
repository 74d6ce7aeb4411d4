//! What a person types, typed by the demo: commands of this program at a node's home, their JSON read line by line.

use super::actor::Actor;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::text;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A hit of a search, as far as the demo shows it.
pub(super) struct Hit {
    pub(super) id: String,
    pub(super) title: String,
    /// Bytes.
    pub(super) size: u64,
    /// Places that have it.
    pub(super) sources: u64,
    /// Systems it came from.
    pub(super) systems: Vec<String>,
}

/// What a search brought.
#[derive(Default)]
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
    /// Until the first hit.
    pub(super) first: Option<Duration>,
    /// In all.
    pub(super) took: Duration,
}

impl Actor {
    /// Publishes a file or folder at this node; the magnet link.
    pub(super) fn publish(&self, path: &Path, interrupt: &Interrupt) -> Outcome<String> {
        let path = path.to_string_lossy();
        let mut magnet = None;
        self.run(&["publish", &path], interrupt, |event| {
            if let Some(link) = event["publication"]["magnet"].as_str() {
                magnet = Some(link.to_owned());
            }
        })?;
        magnet.ok_or_else(|| Failure::failed(format_args!("{} did not say how {path} is fetched", self.name)))
    }

    /// Searches one system, or all of them.
    pub(super) fn search(&self, words: &str, system: Option<&str>, interrupt: &Interrupt) -> Outcome<Found> {
        let mut args = vec!["search", "--timeout", "5"];
        args.extend(system.iter().flat_map(|system| ["--in", system]));
        args.extend(words.split_whitespace());
        let (began, mut found, mut over) = (Instant::now(), Found::default(), false);
        let outcome = self.run(&args, interrupt, |event| {
            over |= event["event"] == "done";
            if let Some(hit) = hit(&event["hit"]) {
                found.first.get_or_insert(began.elapsed());
                found.hits.retain(|known| known.id != hit.id);
                found.hits.push(hit);
            }
        });
        found.took = began.elapsed();
        // A search that found nothing fails, as a command; here it is an answer.
        if over && !matches!(outcome, Err(Failure::Interrupted)) {
            Ok(found)
        } else {
            outcome.map(|()| found)
        }
    }

    /// Fetches a hit or a magnet link into a folder; returns when it is complete and verified. Tells `each` event.
    pub(super) fn fetch(
        &self,
        (source, folder): (&str, &Path),
        interrupt: &Interrupt,
        each: impl FnMut(&Value),
    ) -> Outcome<Duration> {
        let began = Instant::now();
        self.run(&["fetch", source, "-o", &folder.to_string_lossy()], interrupt, each)?;
        Ok(began.elapsed())
    }

    /// Runs a command at its home to the end and tells its JSON; a failure in its own words.
    fn run(&self, args: &[&str], interrupt: &Interrupt, mut each: impl FnMut(&Value)) -> Outcome {
        let failed = |error| Failure::failed(format_args!("cannot run throng {}: {error}", args[0]));
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.arg("--home").arg(self.home()).args(["--json", "-q"]).args(args);
        let streams = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = streams.spawn().map_err(failed)?;
        let lines = child.stdout.take().into_iter().flat_map(|lines| BufReader::new(lines).lines());
        for line in lines.map_while(Result::ok) {
            if interrupt.flag().load(Ordering::Relaxed) {
                let _ = child.kill();
                break;
            }
            each(&serde_json::from_str(&line).unwrap_or_default());
        }
        let mut words = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = stderr.read_to_string(&mut words);
        }
        let status = child.wait().map_err(failed)?;
        if interrupt.flag().load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        if status.success() {
            return Ok(());
        }
        let last = text::line(words.trim().lines().last().unwrap_or("without a word"));
        Err(Failure::failed(format_args!("{}: throng {} failed: {last}", self.name, args[0])))
    }
}

/// A hit out of its JSON.
fn hit(hit: &Value) -> Option<Hit> {
    let systems = hit["systems"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Some(Hit {
        id: hit["id"].as_str()?.to_owned(),
        title: hit["title"].as_str().unwrap_or_default().to_owned(),
        size: hit["size"].as_u64().unwrap_or_default(),
        sources: hit["sources"].as_u64().unwrap_or_default(),
        systems,
    })
}
