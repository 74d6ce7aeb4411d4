//! `throng torrent create`: hash, write, print the link.

use super::Context;
use crate::cli::CreateArgs;
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::{text, torrent_file, units};
use serde_json::json;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use throng_runtime::create::{Control, CreateError, Created, Source, create};
use throng_wire::metainfo::{Metainfo, Options};

/// Does it.
pub(crate) fn run(args: &CreateArgs, context: &Context) -> Outcome {
    torrent_file::check_target(&args.output)?;
    let mut source = Source::scan(&args.path).map_err(Failure::failed)?;
    leave_out(&mut source, &args.output);
    let total = source.files.iter().map(|file| file.length).fold(0, u64::saturating_add);
    let files = units::plural(source.files.len() as u64, "file");
    context.output.detail(format_args!("hashing {files}, {}", units::size(total)));
    let progress = Progress::begin(&context.output, "hashing");
    let tell = |done, total| progress.update(done, total);
    let control = Control { progress: &tell, cancel: context.interrupt.flag(), threads: 0 };
    let made = create(source, options(args), control);
    progress.finish();
    let Created { metainfo, skipped } = made.map_err(|error| match error {
        CreateError::Cancelled => Failure::Interrupted,
        error => Failure::failed(error),
    })?;
    for skipped in skipped {
        context.output.note(format_args!("left out {}: {}", text::path(&skipped.path), skipped.reason));
        context
            .output
            .event("skipped", json!({ "path": text::path(&skipped.path), "reason": skipped.reason }));
    }
    torrent_file::write(&args.output, &metainfo.encode())?;
    tell_result(&metainfo, args, context, &progress);
    Ok(())
}

fn tell_result(metainfo: &Metainfo, args: &CreateArgs, context: &Context, progress: &Progress) {
    let (info, layout) = (&metainfo.info, metainfo.info.layout());
    let magnet = torrent_file::magnet(metainfo).to_string();
    let files = layout.files().iter().filter(|file| !file.attributes.padding).count() as u64;
    let (total, time) = (layout.content_length(), progress.elapsed());
    context.output.note(format_args!(
        "{}: {}, {} in {} of {}; hashed in {} ({})",
        text::path(&args.output),
        units::plural(files, "file"),
        units::size(total),
        units::plural(layout.piece_count().into(), "piece"),
        units::size(layout.piece_length().into()),
        units::duration(time),
        units::rate(units::per_second(total, time)),
    ));
    context.output.print(&magnet);
    context.output.event(
        "created",
        json!({
            "file": text::path(&args.output),
            "magnet": magnet,
            "info_hash_v1": info.hash_v1().map(|hash| hash.to_string()),
            "info_hash_v2": info.hash_v2().map(|hash| hash.to_string()),
            "files": files,
            "bytes": total,
            "pieces": layout.piece_count(),
            "piece_length": layout.piece_length(),
            "seconds": time.as_secs_f64(),
        }),
    );
}

/// The torrent itself may be written into the folder it is made of: an old one is not published.
fn leave_out(source: &mut Source, output: &Path) {
    let Ok(output) = output.canonicalize() else { return };
    let Ok(below) = output.strip_prefix(&source.root) else { return };
    if source.single_file {
        return;
    }
    source.files.retain(|file| {
        let path: PathBuf = file.path.iter().map(|part| OsString::from_vec(part.clone())).collect();
        path != below
    });
}

fn options(args: &CreateArgs) -> Options {
    // Builds that have to be the same everywhere set it.
    let told = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
    let now = || now().and_then(|time| i64::try_from(time.as_secs()).ok());
    Options {
        format: args.format.into(),
        piece_length: args.piece_length,
        trackers: args.tracker.iter().map(|url| vec![url.clone()]).collect(),
        web_seeds: args.web_seed.clone(),
        private: args.private,
        comment: args.comment.clone(),
        created_by: Some(concat!("throng ", env!("CARGO_PKG_VERSION")).into()),
        creation_date: told.or_else(now),
        source: args.source.clone(),
    }
}
