//! `throng config`, `doctor`, `completions` and `man`: for those who run it.

use clap::{Args, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// What can be done with the file of options.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Write a file with every option of `throng join`, explained, each at its default
    Init(ConfigInitArgs),
}

#[derive(Args, Debug)]
#[command(
    after_help = "Writes config.toml into the home, where `throng join` reads it. What the command line says wins over the \
                        file.\n\nExample: throng config init && $EDITOR ~/.local/share/throng/config.toml"
)]
pub(crate) struct ConfigInitArgs {
    /// Where to write it; `-` is standard output [default: config.toml in the home]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Looks at this machine, the home and, if it runs, the node: one line for each thing that is right, and for \
                        each that is wrong what to do. Ends with exit code 1 if something is wrong.\n\n\
                        Example: throng doctor"
)]
pub(crate) struct DoctorArgs {}

#[derive(Args, Debug)]
#[command(
    after_help = "Example: throng completions bash > ~/.local/share/bash-completion/completions/throng"
)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Writes throng.1 and a page for each command.\n\nExample: throng man ~/.local/share/man/man1"
)]
pub(crate) struct ManArgs {
    /// The folder to write them in; made if it is not there
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}
