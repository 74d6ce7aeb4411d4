//! Known servents on disk: a line each; what is no line is skipped, so that a damaged file costs nothing but itself.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use throng_overlay::host_cache::Line;

/// Bytes of the file that are read; ten times what is written.
const MOST: u64 = 1 << 20;

/// What was known; nothing if there is no file.
pub(super) fn read(path: &Path) -> io::Result<Vec<Line>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
        Ok(metadata) if metadata.len() > MOST => return Ok(Vec::new()),
        Ok(_) => {}
    }
    let text = fs::read(path)?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(|line| line.parse().ok()).collect())
}

/// Writes them beside the file and then in its place.
pub(super) fn write(path: &Path, lines: &[Line]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside)?;
    for line in lines {
        writeln!(file, "{line}")?;
    }
    file.sync_all()?;
    fs::rename(&beside, path)
}
