//! `throng simulate`: runs a scenario, prints its figures as a table or one object, and writes a report.

mod chord;
mod common;
mod compare;
mod directory;
mod gnutella;
mod supernode;
mod swarm;

use super::{Context, block_on};
use crate::cli::SimulateCommand;
use crate::failure::{Failure, Outcome};
use crate::progress::{Progress, Standing};
use crate::{text, torrent_file};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use throng_node::simulate::page::Page;

/// Simulates.
pub(crate) fn run(command: &SimulateCommand, context: &Context) -> Outcome {
    match command {
        SimulateCommand::Swarm(args) => swarm::run(args, context),
        SimulateCommand::Chord(args) => chord::run(args, context),
        SimulateCommand::Gnutella(args) => gnutella::run(args, context),
        SimulateCommand::Directory(args) => directory::run(args, context),
        SimulateCommand::Supernode(args) => supernode::run(args, context),
        SimulateCommand::Compare(args) => compare::run(args, context),
    }
}

/// Runs a simulation on a thread of its own, which ends with the program if the person does not want to wait. The work
/// is given what tells its progress: words for people, fields for programs.
fn apart<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce(&mut dyn FnMut(String, Value)) -> T + Send + 'static,
) -> Outcome<(T, Duration)> {
    let progress = Progress::begin(&context.output, "simulating");
    let (tell, told) = tokio::sync::oneshot::channel();
    let run = move || {
        let began = Instant::now();
        // Not bytes: people are shown the words.
        let result =
            work(&mut |words, fields| progress.show(|| Standing { done: 0, total: 0, words, fields }));
        progress.finish();
        // Nobody waits any more if the person stopped it.
        let _ = tell.send((result, began.elapsed()));
    };
    let thread = std::thread::Builder::new().name("simulation".into()).spawn(run);
    thread.map_err(|error| Failure::failed(format_args!("cannot start a thread: {error}")))?;
    block_on(async {
        tokio::select! {
            done = told => {
                done.map_err(|_| Failure::Failed("the simulation failed; please report its arguments".into()))
            }
            () = context.interrupt.wait() => Err(Failure::Interrupted),
        }
    })?
}

/// Makes the folder for the report before the work begins.
fn report_folder(folder: Option<&Path>) -> Outcome {
    let Some(folder) = folder else { return Ok(()) };
    let failed =
        |error| Failure::failed(format_args!("cannot make the folder {}: {error}", text::path(folder)));
    std::fs::create_dir_all(folder).map_err(failed)
}

/// Writes the figures and the page, if they are wanted.
fn write_report(folder: Option<&Path>, figures: &Value, page: impl FnOnce() -> Page) -> Outcome {
    let Some(folder) = folder else { return Ok(()) };
    torrent_file::write(&folder.join("figures.json"), format!("{figures:#}\n").as_bytes())?;
    torrent_file::write(&folder.join("index.html"), page().html().as_bytes())
}

/// Names and values, one a line.
fn each_line(rows: &[(&'static str, String)]) -> String {
    let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:16} {value}")).collect();
    lines.join("\n")
}
