//! What the databases of the program share.

use std::path::{Path, PathBuf};

/// Renames a damaged database and its companions to the first free of `….damaged-1`, `….damaged-2` …
pub(crate) fn set_aside(path: &Path) -> std::io::Result<()> {
    let with = |suffix: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let number =
        (1..u32::MAX).find(|number| !with(format!(".damaged-{number}")).exists()).unwrap_or(u32::MAX);
    for companion in ["-wal", "-shm"] {
        match std::fs::rename(with(companion.to_owned()), with(format!(".damaged-{number}{companion}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, with(format!(".damaged-{number}")))
}
