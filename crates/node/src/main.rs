//! The program `throng`: publish files, track them, fetch and serve them.

mod cli;
mod commands;
mod daemon;
mod failure;
mod interrupt;
mod log;
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
    log::start(output, cli.log_filter(), cli.log_format);
    let context = Context::new(cli, output.clone())?;
    commands::run(&cli.command, &context)
}
