//! The commands, one a file.

mod browse;
mod config;
mod content;
mod create;
mod demo;
mod directory;
mod doctor;
mod fetch;
mod fetch_in_node;
mod join;
mod monitor;
mod node;
mod search;
mod seed;
mod show;
mod simulate;
mod swarm;
mod tracker;
mod verify;

use crate::cli::{Cli, Command, TorrentCommand};
use crate::failure::Outcome;
use crate::interrupt::Interrupt;
use crate::output::Output;
use std::path::PathBuf;

/// What every command is given.
#[derive(Clone)]
pub(crate) struct Context {
    /// Where its words go.
    pub(crate) output: Output,
    /// Whether it is to stop.
    pub(crate) interrupt: Interrupt,
    /// Where state is kept; made by those who need it.
    pub(crate) home: PathBuf,
}

impl Context {
    /// From the global options; signals are heard from now on.
    pub(crate) fn new(cli: &Cli, output: Output) -> Outcome<Context> {
        Ok(Context { output, interrupt: Interrupt::listen()?, home: cli.home()? })
    }
}

/// Does what was asked.
pub(crate) fn run(command: &Command, context: &Context) -> Outcome {
    match command {
        Command::Torrent(TorrentCommand::Create(args)) => create::run(args, context),
        Command::Torrent(TorrentCommand::Show(args)) => show::run(args, context),
        Command::Torrent(TorrentCommand::Verify(args)) => verify::run(args, context),
        Command::Seed(args) => seed::run(args, context),
        Command::Fetch(args) => fetch::run(args, context),
        Command::Tracker(args) => tracker::run(args, context),
        Command::Directory(args) => directory::run(args, context),
        Command::Simulate(command) => simulate::run(command, context),
        Command::Join(args) => join::run(args, context),
        Command::Status(args) => node::status(args, context),
        Command::Page(_) => node::page(context),
        Command::Leave(_) => node::leave(context),
        Command::Publish(args) => content::publish(args, context),
        Command::Withdraw(args) => content::withdraw(args, context),
        Command::Search(args) => search::run(args, context),
        Command::Browse(args) => browse::run(args, context),
        Command::Put(args) => node::put(args, context),
        Command::Get(args) => node::get(args, context),
        Command::Doctor(_) => doctor::run(context),
        Command::Config(command) => config::run(command, context),
        Command::Completions(args) => config::completions(args, context),
        Command::Man(args) => config::man(args, context),
        Command::Demo(args) => demo::run(args, context),
    }
}

/// Waits for something on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| anyhow::anyhow!("cannot start: {error}"))?.block_on(future))
}
