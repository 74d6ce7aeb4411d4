//! The program `throng`: publish files, track them, fetch and serve them.

mod cli;
mod commands;
mod daemon;
mod failure;
mod interrupt;
mod output;
mod progress;
mod text;
mod torrent_file;
mod units;
mod web;

use cli::Cli;
use commands::Context;
use failure::{Failure, Outcome};
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let (output, outcome) = match Cli::read() {
        Ok(cli) => {
            let output = Output::new(cli.json, cli.level());
            (output.clone(), run(&cli, &output))
        }
        Err(failure) => (Output::new(false, output::Level::Normal), Err(failure)),
    };
    let outcome = outcome.and_then(|()| match output.broken() {
        Some(error) => Err(Failure::failed(format_args!("cannot write to standard output: {error}"))),
        None => Ok(()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(reason) = failure.reason() {
                let reason = text::line(reason);
                output.say(&format!("throng: {reason}"));
                output.event("error", serde_json::json!({ "reason": reason }));
            }
            failure.code()
        }
    }
}

fn run(cli: &Cli, output: &Output) -> Outcome {
    log_to(output, cli.log_filter());
    let context = Context::new(cli, output.clone())?;
    commands::run(&cli.command, &context)
}

/// Sends the log to standard error, past the progress bars; `THRONG_LOG` sets what it shows.
fn log_to(output: &Output, filter: &str) {
    let filter = std::env::var("THRONG_LOG").unwrap_or_else(|_| filter.to_owned());
    let output = output.clone();
    let log = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(move || output.clone())
        .with_target(false)
        .with_ansi(false)
        .without_time();
    // Fails only if there is a log already.
    let _ = log.try_init();
}
