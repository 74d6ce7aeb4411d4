//! `throng config`, `completions` and `man`: what is written from the description of the command line.

use super::Context;
use crate::cli::{self, Cli, CompletionsArgs, ConfigCommand, ConfigInitArgs, ManArgs};
use crate::failure::{Failure, Outcome};
use crate::text;
use clap::CommandFactory as _;
use serde_json::json;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Does what was asked with the file of options.
pub(crate) fn run(command: &ConfigCommand, context: &Context) -> Outcome {
    match command {
        ConfigCommand::Init(args) => init(args, context),
    }
}

fn init(args: &ConfigInitArgs, context: &Context) -> Outcome {
    let file = cli::config_template();
    if args.output.as_deref() == Some(Path::new("-")) {
        context.output.raw(file.as_bytes());
        context.output.event("config", json!({ "text": file }));
        return Ok(());
    }
    let path = args.output.clone().unwrap_or_else(|| context.home.join(cli::CONFIG_FILE));
    write_new(&path, file.as_bytes(), args.force).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::failed(format_args!("{} is there already; --force replaces it", text::path(&path)))
        }
        _ => Failure::failed(format_args!("cannot write {}: {error}", text::path(&path))),
    })?;
    context.output.print(format_args!("wrote {}; `throng join` reads it", text::path(&path)));
    context.output.event("written", json!({ "path": text::path(&path) }));
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8], replace: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = File::options();
    options.write(true).create(replace).create_new(!replace).truncate(replace);
    options.open(path)?.write_all(bytes)
}

/// Writes what a shell needs to complete command lines.
pub(crate) fn completions(args: &CompletionsArgs, context: &Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "throng", &mut script);
    context.output.raw(&script);
    let text = String::from_utf8_lossy(&script);
    context.output.event("completions", json!({ "shell": args.shell.to_string(), "text": text }));
    Ok(())
}

/// Writes the manual's pages.
pub(crate) fn man(args: &ManArgs, context: &Context) -> Outcome {
    let cannot = |error| Failure::failed(format_args!("cannot write to {}: {error}", text::path(&args.dir)));
    std::fs::create_dir_all(&args.dir).map_err(cannot)?;
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), &args.dir).map_err(cannot)?;
    context.output.print(format_args!("wrote the pages to {}", text::path(&args.dir)));
    context.output.event("written", json!({ "path": text::path(&args.dir) }));
    Ok(())
}
