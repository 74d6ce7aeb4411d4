//! What the demo shares, and whether a copy of it is right.

use crate::cli::DemoArgs;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::text;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use throng_machine::{Entropy as _, SplitMix64};
use throng_runtime::create::{Control, verify};
use throng_runtime::storage::{Options, Storage};
use throng_wire::metainfo::Metainfo;

/// Files made where the person names none: sizes in bytes, odd ones on purpose.
const MADE: [(&str, usize); 4] =
    [("large.bin", 12_000_001), ("folder/small.txt", 1_000), ("folder/one", 1), ("empty", 0)];

/// What the person named, else files made in `scratch`.
pub(super) fn choose(args: &DemoArgs, scratch: &Path) -> Outcome<PathBuf> {
    if let Some(path) = &args.path {
        let missing =
            |_| Failure::failed(format_args!("there is nothing at {}; check the path", text::path(path)));
        return path.metadata().map_err(missing).map(|_| path.clone());
    }
    make(&scratch.join("shared"))
        .map_err(|error| Failure::failed(format_args!("cannot make files to share: {error}")))
}

fn make(folder: &Path) -> io::Result<PathBuf> {
    let mut rng = SplitMix64::new(1);
    for (name, length) in MADE {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let mut bytes = vec![0; length];
        rng.fill(&mut bytes);
        fs::File::create(path)?.write_all(&bytes)?;
    }
    Ok(folder.to_owned())
}

/// Reads the copy from the disk again and compares every piece with its hash.
pub(super) fn check_copy(metainfo: &Arc<Metainfo>, dir: &Path, interrupt: &Interrupt) -> Outcome {
    let options = Options { read_only: true, ..Options::default() };
    let storage = Storage::open(Arc::clone(metainfo), dir, options).map_err(Failure::failed)?;
    let report = verify(&storage, Control { cancel: interrupt.flag(), ..Control::default() });
    if report.cancelled {
        return Err(Failure::Interrupted);
    }
    if report.is_ok() {
        return Ok(());
    }
    let bad = report.bad_pieces.len() + report.missing.len() + report.wrong_size.len();
    Err(Failure::failed(format_args!(
        "the copy in {} is wrong in {bad} places; please report this",
        text::path(dir)
    )))
}
