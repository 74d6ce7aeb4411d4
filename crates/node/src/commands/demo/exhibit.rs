//! The file that everybody is to find.

use crate::failure::{Failure, Outcome};
use crate::text;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of the largest file that is taken: the lecture is to take a minute.
const LARGEST: u64 = 256 << 20;
/// Files looked at, at most.
const LOOKED: usize = 20_000;
/// What its name begins with in the demo, so that a search for it finds nothing else.
const WORD: &str = "exhibit";

/// A copy of the largest file shared, under a name that can be searched for.
pub(super) struct Exhibit {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// Bytes.
    pub(super) size: u64,
    /// What it is searched for by.
    pub(super) words: String,
}

impl Exhibit {
    /// Takes the largest file that is not too large.
    pub(super) fn choose(shared: &Path, scratch: &Path) -> Outcome<Exhibit> {
        let failed = |error: io::Error| {
            Failure::failed(format_args!("cannot read what is in {}: {error}", text::path(shared)))
        };
        let (size, from) = largest(shared).map_err(failed)?.ok_or_else(|| {
            Failure::failed(format_args!("{} holds no file to share; name another", text::path(shared)))
        })?;
        let name = format!("{WORD} {}", from.file_name().unwrap_or_default().to_string_lossy());
        let folder = scratch.join("exhibited");
        let path = folder.join(&name);
        fs::create_dir_all(&folder).and_then(|()| fs::copy(&from, &path)).map_err(failed)?;
        Ok(Exhibit { path, name, size, words: WORD.to_owned() })
    }

    /// Whether a copy of it beneath the folder is the same.
    pub(super) fn check(&self, folder: &Path) -> Outcome {
        let wrong = |why: &str| {
            Failure::failed(format_args!("the copy in {} {why}; please report this", text::path(folder)))
        };
        let (_, copy) = largest(folder).ok().flatten().ok_or_else(|| wrong("is missing"))?;
        let same = fs::read(&copy).and_then(|copy| Ok(copy == fs::read(&self.path)?));
        if same.unwrap_or(false) { Ok(()) } else { Err(wrong("is not what was published")) }
    }
}

/// The largest file within the limit at or beneath a path.
fn largest(at: &Path) -> io::Result<Option<(u64, PathBuf)>> {
    let (mut waiting, mut best, mut looked) = (vec![at.to_owned()], None, 0);
    while let Some(path) = waiting.pop() {
        looked += 1;
        // A link may lead anywhere, also back.
        let about = if path == at { fs::metadata(&path)? } else { fs::symlink_metadata(&path)? };
        if about.is_dir() && looked < LOOKED {
            waiting
                .extend(fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?);
        } else if about.is_file() && (1..=LARGEST).contains(&about.len()) {
            let one = (about.len(), path);
            best = best.max(Some(one));
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_file_is_shown_and_a_copy_that_differs_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().join("shared");
        fs::create_dir_all(shared.join("deep")).unwrap();
        fs::write(shared.join("small"), "ab").unwrap();
        fs::write(shared.join("deep/large one.txt"), "abc").unwrap();
        fs::write(shared.join("empty"), "").unwrap();
        std::os::unix::fs::symlink("/", shared.join("link")).unwrap();
        let exhibit = Exhibit::choose(&shared, folder.path()).unwrap();
        assert_eq!((exhibit.name.as_str(), exhibit.size), ("exhibit large one.txt", 3));
        let copy = folder.path().join("copy");
        assert!(exhibit.check(&copy).is_err(), "there is none");
        fs::create_dir(&copy).unwrap();
        fs::write(copy.join("x"), "abd").unwrap();
        assert!(exhibit.check(&copy).is_err());
        fs::write(copy.join("x"), "abc").unwrap();
        exhibit.check(&copy).unwrap();
        fs::remove_file(shared.join("small")).unwrap();
        let empty = shared.join("empty");
        assert!(Exhibit::choose(&empty, folder.path()).is_err());
    }
}
