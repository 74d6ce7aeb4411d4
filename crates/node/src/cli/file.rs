//! `config.toml`: the options of `throng join` in a file, under the names they have on the command line.
//!
//! Both directions come from the command line's own description, so that no option can be missing: the file is written
//! from it, and what the file says becomes arguments, for options that the command line does not give. What is wrong in
//! the file is told as if it had been given there.

use super::{Cli, Command, one_line};
use crate::failure::{Failure, Outcome};
use crate::text;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory as _, FromArgMatches as _};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use toml::{Table, Value};

/// The file's name in the home.
pub(crate) const NAME: &str = "config.toml";
/// Far longer than the file with all options.
const LIMIT: u64 = 1 << 20;
/// Where the text of comments is broken.
const WIDTH: usize = 110;

/// Adds what the file says to a command line for `throng join`; other command lines stay as they are.
pub(super) fn complete(cli: Cli, matches: &ArgMatches, mut arguments: Vec<OsString>) -> Outcome<Cli> {
    let (Command::Join(args), Some(given)) = (&cli.command, matches.subcommand_matches("join")) else {
        return Ok(cli);
    };
    let path = match &args.config {
        Some(path) => path.clone(),
        None => cli.home()?.join(NAME),
    };
    let Some(table) = read(&path, args.config.is_some())? else { return Ok(cli) };
    let wrong = |reason: String| Failure::Usage(format!("{}: {reason}", text::path(&path)));
    let more = as_arguments(&table, given).map_err(wrong)?;
    arguments.extend(more);
    let matches = Cli::command().try_get_matches_from(arguments);
    let reread = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    reread.map_err(|error| wrong(one_line(&error)))
}

/// The file's content; `None` if there is none and none was asked for.
fn read(path: &Path, wanted: bool) -> Outcome<Option<Table>> {
    let cannot = |reason: String| Failure::failed(format_args!("cannot read {}: {reason}", text::path(path)));
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !wanted => return Ok(None),
        Err(error) => return Err(cannot(error.to_string())),
        Ok(file) if file.len() > LIMIT => return Err(cannot("it is no file of options: too long".into())),
        Ok(_) => {}
    }
    let content = std::fs::read_to_string(path).map_err(|error| cannot(error.to_string()))?;
    let parsed = content.parse::<Table>();
    parsed.map(Some).map_err(|error| {
        let line = error.span().map_or(0, |span| {
            content.as_bytes()[..span.start.min(content.len())].iter().filter(|byte| **byte == b'\n').count()
                + 1
        });
        Failure::Usage(format!("{}, line {line}: {}", text::path(path), text::line(error.message())))
    })
}

fn as_arguments(table: &Table, given: &ArgMatches) -> Result<Vec<OsString>, String> {
    let join = join();
    let mut arguments = Vec::new();
    for (key, value) in table {
        let arg = options(&join).find(|arg| arg.get_long() == Some(key.as_str())).ok_or_else(|| {
            format!("there is no option {}; `throng config init -o -` shows all", text::line(key))
        })?;
        if given.value_source(arg.get_id().as_str()) != Some(ValueSource::CommandLine) {
            add(arg, key, value, &mut arguments)?;
        }
    }
    Ok(arguments)
}

fn add(arg: &Arg, key: &str, value: &Value, arguments: &mut Vec<OsString>) -> Result<(), String> {
    if let (Value::Boolean(on), ArgAction::SetTrue) = (value, arg.get_action()) {
        arguments.extend(on.then(|| format!("--{key}").into()));
        return Ok(());
    }
    match value {
        Value::Array(values) if matches!(arg.get_action(), ArgAction::Append) => {
            values.iter().try_for_each(|value| add(arg, key, value, arguments))
        }
        Value::String(text) if arg.get_action().takes_values() => {
            arguments.push(format!("--{key}={text}").into());
            Ok(())
        }
        Value::Integer(number) if arg.get_action().takes_values() => {
            arguments.push(format!("--{key}={number}").into());
            Ok(())
        }
        _ => Err(format!("{key} must be written like: {}", example(arg))),
    }
}

/// The file with every option, explained; all are comments.
pub(crate) fn template() -> String {
    let mut file = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        file,
        "# What `throng join` does with this home. Every option is here, each with its default or, where there is none,\n\
         # with an example. Take the # away from a line and change it. What the command line says wins.\n\
         # Sizes are like 64KiB or 4MiB, rates are bytes a second, times are like 90s, 15m, 24h or 7d."
    );
    for arg in options(&join()) {
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        file.push('\n');
        wrap(&help, |line| _ = writeln!(file, "# {line}"));
        let _ = writeln!(file, "#{}", example(arg));
    }
    file
}

/// An option as it is written in the file, at its default.
fn example(arg: &Arg) -> String {
    let name = arg.get_long().unwrap_or_default();
    if !arg.get_action().takes_values() {
        return format!("{name} = false");
    }
    let default = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    let placeholder = || arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let value = default.or_else(placeholder).unwrap_or_default();
    match (arg.get_action(), value.parse::<u64>()) {
        (ArgAction::Append, _) => format!("{name} = [{}]", Value::String(value)),
        (_, Ok(number)) => format!("{name} = {number}"),
        _ => format!("{name} = {}", Value::String(value)),
    }
}

fn join() -> clap::Command {
    let mut cli = Cli::command();
    cli.build();
    cli.find_subcommand("join").cloned().unwrap_or_default()
}

/// The options of a file: all of the command's own but those that are about the file or about one run.
fn options(join: &clap::Command) -> impl Iterator<Item = &Arg> {
    let elsewhere = |arg: &&Arg| !arg.is_global_set() && !matches!(arg.get_id().as_str(), "help" | "config");
    join.get_arguments().filter(|arg| arg.get_long().is_some()).filter(elsewhere)
}

fn wrap(text: &str, mut each: impl FnMut(&str)) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + word.len() > WIDTH {
            each(&line);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        each(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(file: &str, given: &[&str]) -> Result<Vec<String>, String> {
        let line = ["throng", "join"].iter().chain(given);
        let matches = Cli::command().try_get_matches_from(line).unwrap();
        let arguments = as_arguments(&file.parse().unwrap(), matches.subcommand_matches("join").unwrap())?;
        Ok(arguments.into_iter().map(|it| it.into_string().unwrap()).collect())
    }

    #[test]
    fn every_option_is_in_the_file_and_all_are_comments() {
        let file = template();
        assert!(file.parse::<Table>().unwrap().is_empty());
        for arg in options(&join()) {
            let name = arg.get_long().unwrap();
            assert!(file.contains(&format!("\n#{name} = ")), "{name} is not in the file");
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.len() > 10, "{name} is not explained");
        }
        assert!(file.contains("#leave-timeout = \"30s\"") && file.contains("#chord-places = 8"), "{file}");
    }

    #[test]
    fn a_line_without_its_mark_is_an_option() {
        let lines: Vec<_> = template().lines().map(str::to_owned).collect();
        let written =
            lines.iter().filter_map(|line| line.strip_prefix('#')).filter(|line| !line.starts_with(' '));
        let mut seen = 0;
        for line in written {
            let table = line.parse::<Table>().unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(table.len(), 1, "{line}");
            arguments(line, &[]).unwrap();
            seen += 1;
        }
        assert_eq!(seen, options(&join()).count());
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let file = "chord = [\"192.0.2.7:1\", \"192.0.2.8:1\"]\nchord-places = 3\nleave-timeout = \"5m\"";
        assert_eq!(
            arguments(file, &[]).unwrap(),
            ["--chord=192.0.2.7:1", "--chord=192.0.2.8:1", "--chord-places=3", "--leave-timeout=5m"]
        );
        assert_eq!(
            arguments(file, &["--chord", "new", "--leave-timeout=30s"]).unwrap(),
            ["--chord-places=3"]
        );
    }

    #[test]
    fn what_is_wrong_in_the_file_is_said() {
        assert!(arguments("nothing = 1", &[]).unwrap_err().contains("no option nothing"));
        assert!(arguments("config = \"x\"", &[]).unwrap_err().contains("no option config"));
        let wrong = arguments("chord-places = [1, 2]", &[]).unwrap_err();
        assert_eq!(wrong, "chord-places must be written like: chord-places = 8");
        assert!(arguments("[chord]\na = 1", &[]).unwrap_err().contains("chord = ["));
    }
}
