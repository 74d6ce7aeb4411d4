//! `throng torrent verify`: names what is missing, too short or wrong.

use super::Context;
use crate::cli::VerifyArgs;
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::{text, torrent_file, units};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use throng_runtime::create::{Control, Report, verify};
use throng_runtime::storage::{Options, Storage};

/// Checks; well only if all is there and right.
pub(crate) fn run(args: &VerifyArgs, context: &Context) -> Outcome {
    let metainfo = Arc::new(torrent_file::read(&args.torrent)?);
    let place = torrent_file::locate(&metainfo, &args.dir);
    let options = Options { read_only: true, ..Options::default() };
    let storage = Storage::with_map(metainfo.clone(), place.map, &place.root, options);
    let storage = storage.map_err(|error| unopened(&args.dir, &error))?;
    let total = metainfo.info.layout().content_length();
    let progress = Progress::begin(&context.output, "checking");
    let tell = |done, total| progress.update(done, total);
    let control = Control { progress: &tell, cancel: context.interrupt.flag(), threads: 0 };
    let report = verify(&storage, control);
    progress.finish();
    if report.cancelled {
        return Err(Failure::Interrupted);
    }
    let bad_files = tell_wrong(&storage, &report, context);
    let summary = summary(&report, bad_files.len());
    context.output.event(
        "verified",
        json!({
            "ok": report.is_ok(),
            "pieces": report.pieces,
            "bad_pieces": report.bad_pieces.len(),
            "missing_files": report.missing.len(),
            "wrong_size_files": report.wrong_size.len(),
            "seconds": progress.elapsed().as_secs_f64(),
        }),
    );
    if !report.is_ok() {
        return Err(Failure::failed(format_args!(
            "{} is not complete and right: {summary}",
            text::path(&args.dir)
        )));
    }
    let time = progress.elapsed();
    context.output.print(format_args!(
        "complete and right: {} in {} ({})",
        units::size(total),
        units::duration(time),
        units::rate(units::per_second(total, time))
    ));
    Ok(())
}

fn unopened(dir: &Path, error: &throng_runtime::storage::StorageError) -> Failure {
    match dir.try_exists() {
        Ok(false) => Failure::failed(format_args!("there is no folder {}; check the path", text::path(dir))),
        _ => Failure::failed(error),
    }
}

/// Prints each file that is not as it should be; returns those of the right size with wrong pieces.
fn tell_wrong(storage: &Storage, report: &Report, context: &Context) -> BTreeMap<PathBuf, Vec<u32>> {
    let output = &context.output;
    for path in &report.missing {
        output.print(format_args!("missing: {}", text::path(path)));
        output.event("wrong", json!({ "path": text::path(path), "problem": "missing" }));
    }
    for (path, wanted, found) in &report.wrong_size {
        let kind = if found < wanted { "too short" } else { "too long" };
        let (wanted_text, found_text) = (units::count(*wanted), units::count(*found));
        output.print(format_args!("{kind}: {} ({found_text} bytes of {wanted_text})", text::path(path)));
        let fields = json!({ "path": text::path(path), "problem": kind, "bytes": found, "expected": wanted });
        output.event("wrong", fields);
    }
    let bad = bad_pieces(storage, report);
    for (path, pieces) in &bad {
        let words = if pieces.len() == 1 { "piece" } else { "pieces" };
        output.print(format_args!("wrong data: {} ({words} {})", text::path(path), ranges(pieces)));
        output.event("wrong", json!({ "path": text::path(path), "problem": "wrong data", "pieces": pieces }));
    }
    bad
}

/// Wrong pieces by file. A piece that is shared with a file already known to be missing or of wrong size says nothing
/// about the others in it.
fn bad_pieces(storage: &Storage, report: &Report) -> BTreeMap<PathBuf, Vec<u32>> {
    let files = storage.files();
    let known: BTreeSet<&Path> = report
        .missing
        .iter()
        .chain(report.wrong_size.iter().map(|(path, ..)| path))
        .map(AsRef::as_ref)
        .collect();
    let mut bad: BTreeMap<PathBuf, Vec<u32>> = BTreeMap::new();
    for &piece in &report.bad_pieces {
        let range = files.map().piece_range(piece);
        let spans = files.map().spans(range.start, range.end - range.start).filter_map(|span| span.file);
        let paths: Vec<PathBuf> = spans.map(|file| files.path(file)).collect();
        if !paths.iter().any(|path| known.contains(path.as_path())) {
            paths.into_iter().for_each(|path| bad.entry(path).or_default().push(piece));
        }
    }
    bad
}

/// Sorted numbers as `1, 4-7`, at most a dozen runs.
fn ranges(pieces: &[u32]) -> String {
    const MOST: usize = 12;
    let runs: Vec<&[u32]> = pieces.chunk_by(|a, b| a + 1 == *b).collect();
    let shown = runs.iter().take(MOST).map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        [only] => only.to_string(),
        [] => String::new(),
    });
    let rest = if runs.len() > MOST { ", …" } else { "" };
    format!("{}{rest}", shown.collect::<Vec<_>>().join(", "))
}

fn summary(report: &Report, bad_files: usize) -> String {
    let parts = [
        (report.missing.len(), "missing"),
        (report.wrong_size.len(), "of wrong size"),
        (bad_files, "with wrong data"),
    ];
    let mut parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", units::plural(*number as u64, "file")))
        .collect();
    let (bad, all) = (report.bad_pieces.len() as u64, u64::from(report.pieces));
    if bad > 0 {
        parts.push(format!("{} of {} not there or wrong", units::count(bad), units::plural(all, "piece")));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_numbers_are_joined_into_runs() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2, 5, 7-8");
        let odd: Vec<u32> = (0..50).map(|number| number * 2).collect();
        assert!(ranges(&odd).ends_with("22, …"));
    }
}
