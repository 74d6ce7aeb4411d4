//! The command line. Names, arguments and exit codes are a contract with those who script the program.

// Doc comments here are help texts: their brackets are no links.
#![allow(rustdoc::broken_intra_doc_links)]

mod address;
mod content;
mod demo;
mod directory;
mod file;
mod gnutella;
mod member;
mod node;
mod operate;
mod resources;
mod simulate;
mod torrent;
mod transfer;

pub(crate) use address::{Address, ListenAddress, bind_reason};
pub(crate) use content::{BrowseArgs, PublishArgs, SearchArgs, WithdrawArgs};
pub(crate) use demo::DemoArgs;
pub(crate) use directory::{DirectoryArgs, LinkTo};
pub(crate) use file::{NAME as CONFIG_FILE, template as config_template};
pub(crate) use gnutella::{Gnutella, GnutellaArgs};
pub(crate) use member::{DataPort, MemberArgs};
pub(crate) use node::{Chord, GetArgs, JoinArgs, LeaveArgs, PageArgs, PutArgs, StatusArgs, Supernode};
pub(crate) use operate::{CompletionsArgs, ConfigCommand, ConfigInitArgs, DoctorArgs, ManArgs};
pub(crate) use resources::ResourceArgs;
pub(crate) use simulate::{
    ComparedSystem, GnutellaMode, GnutellaTopology, GnutellaVictims, RingTable, SimulateChordArgs,
    SimulateCommand, SimulateCompareArgs, SimulateDirectoryArgs, SimulateGnutellaArgs, SimulateSupernodeArgs,
    SimulateSwarmArgs,
};
pub(crate) use torrent::{CreateArgs, ShowArgs, TorrentCommand, VerifyArgs};
pub(crate) use transfer::{FetchArgs, NetworkArgs, SeedArgs, TrackerArgs};

use crate::failure::{Failure, Outcome};
use crate::output::Level;
use clap::{ArgAction, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::path::PathBuf;

/// Publish files to everyone, and fetch them from everyone who has any of them.
#[derive(Parser, Debug)]
#[command(
    name = "throng",
    version,
    arg_required_else_help = true,
    max_term_width = 110,
    after_help = "Exit codes: 0 done, 1 it could not be done (the reason on standard error), 2 wrong usage, \
                  130 interrupted.\n\nExample: throng fetch 'magnet:?xt=urn:btih:…' -o ~/Downloads"
)]
pub(crate) struct Cli {
    /// Where throng keeps what it has to remember [default: throng in the XDG data directory]
    #[arg(long, global = true, value_name = "DIR", env = "THRONG_HOME", hide_env_values = true)]
    home: Option<PathBuf>,
    /// Print one JSON object a line on standard output, progress included, and nothing else there
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on standard error; twice for the log of everything
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// How the log on standard error is written
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Say nothing on standard error but why it failed
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How a log is written.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One object a line: time, level, target, message and the fields
    Json,
}

/// What can be done.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Make, look into and check torrents
    #[command(subcommand)]
    Torrent(TorrentCommand),
    /// Serve files to all who ask for them, until interrupted
    Seed(SeedArgs),
    /// Fetch files from everyone who has them, and check every byte
    Fetch(FetchArgs),
    /// Run a tracker, HTTP and UDP on one port, until interrupted
    Tracker(TrackerArgs),
    /// Run a node of the overlays, in the foreground
    Join(JoinArgs),
    /// Show what the node knows and does
    Status(StatusArgs),
    /// Print the link that opens the node's page in a browser
    Page(PageArgs),
    /// Let the node hand over, say goodbye and stop
    Leave(LeaveArgs),
    /// Make files findable in every joined system, and serve them
    Publish(PublishArgs),
    /// Take a publication back; its files stay
    Withdraw(WithdrawArgs),
    /// Look for files in every joined system at once
    Search(SearchArgs),
    /// List all that a Gnutella servent shares, without a node
    Browse(BrowseArgs),
    /// Store a value under a key in the ring
    Put(PutArgs),
    /// Read the value of a key from the ring
    Get(GetArgs),
    /// Run a Napster server: it knows who has what, and the files go from user to user
    Directory(Box<DirectoryArgs>),
    /// Say why something is slow, or cannot be found or reached
    Doctor(DoctorArgs),
    /// Write the options of `throng join` into a file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what a shell needs to complete command lines
    Completions(CompletionsArgs),
    /// Write the manual's pages
    Man(ManArgs),
    /// See all five systems at work on this machine: join, publish, search, fetch, lose a third, leave
    Demo(DemoArgs),
    /// Run the shipping machines in the simulator and measure them
    #[command(subcommand)]
    Simulate(SimulateCommand),
}

impl Cli {
    /// Reads the command line, and for `throng join` the file of options; what is wrong with it becomes one line. Help and
    /// version are printed and end here.
    pub(crate) fn read() -> Outcome<Cli> {
        let arguments: Vec<_> = std::env::args_os().collect();
        let matches = Cli::command().try_get_matches_from(&arguments);
        let read = matches.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
        let (cli, matches) = read.map_err(|error| {
            if error.use_stderr()
                && error.kind() != clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            {
                Failure::Usage(one_line(&error))
            } else {
                error.exit()
            }
        })?;
        file::complete(cli, &matches, arguments)
    }

    /// How much is said.
    pub(crate) fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::Quiet,
            (_, 0) => Level::Normal,
            _ => Level::Verbose,
        }
    }

    /// What the log shows.
    pub(crate) fn log_filter(&self) -> &'static str {
        match (self.quiet, self.verbose) {
            (true, _) => "off",
            (_, 0) => "warn",
            (_, 1) => "info",
            (_, 2) => "debug",
            _ => "trace",
        }
    }

    /// The folder for what is remembered: `--home`, or `throng` in the XDG data directory.
    pub(crate) fn home(&self) -> Outcome<PathBuf> {
        let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = || set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
        let home = self.home.clone().or_else(|| data().map(|data| data.join("throng")));
        home.ok_or_else(|| {
            Failure::Usage("there is no home directory; say where to keep state with --home DIR".into())
        })
    }
}

/// The error's sentence and its tips, without the usage text.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let usage = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
    let lines: Vec<_> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).take_while(usage).collect();
    let joined = lines.join(" ");
    format!("{}; see --help", joined.strip_prefix("error: ").unwrap_or(&joined))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_command_shows_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let is_group = command.has_subcommands() && command.get_name() != "throng";
            assert!(is_group || help.contains("Example"), "{} has no example", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn what_is_wrong_with_a_command_line_is_one_line() {
        let error = Cli::try_parse_from(["throng", "fetch", "x", "--per", "1.2.3.4:5"]).unwrap_err();
        let line = one_line(&error);
        assert!(line.contains("--per") && line.contains("--peer") && !line.contains('\n'), "{line}");
    }
}
