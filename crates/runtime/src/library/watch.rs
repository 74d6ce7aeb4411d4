//! Looking after what is published: what changed becomes the next version, what vanished is told and waited for.
//!
//! Polling, since it works on every file system, over the network too, and sees changes made while nobody looked.

use super::hash::FileStamp;
use super::publication::{Id, Publication, SharedFile};
use super::{Library, Told, Wish};
use crate::create::Source;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// The shortest time between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// Looking takes at most one part in so many of a processor.
const SHARE: u32 = 20;
/// How soon the end of the program is noticed.
const STEP: Duration = Duration::from_millis(200);
/// The job of versions nobody asked for.
const NOBODY: u32 = u32::MAX;

impl Library {
    /// Looks until the end; first at those only that have changed while nobody looked.
    pub(super) fn look_after(&self, changed: Vec<Id>) {
        let (mut troubles, mut first) = (BTreeMap::new(), Some(changed));
        loop {
            let began = Instant::now();
            let ids = first.take().unwrap_or_else(|| self.database().publications());
            for id in ids {
                if self.is_over() {
                    return;
                }
                // Those that could not be restored are not on the shelf.
                let looked = match self.publication(id) {
                    Some(publication) if publication.fetched => self.look_at_fetched(&publication),
                    Some(known) => self.look_at((Some(&known), &known.path)),
                    None => {
                        let row = self.database().publication(id);
                        row.map_or(Ok(()), |row| self.look_at((None, &row.path)))
                    }
                };
                self.on_look(id, looked, &mut troubles);
            }
            let pause = EVERY.max(began.elapsed() * SHARE);
            let until = Instant::now() + pause;
            while Instant::now() < until {
                if self.is_over() {
                    return;
                }
                std::thread::sleep(STEP);
            }
        }
    }

    /// Tells a trouble once, and its end once.
    fn on_look(&self, id: Id, looked: Result<(), String>, troubles: &mut BTreeMap<Id, String>) {
        match looked {
            Ok(()) => {
                if troubles.remove(&id).is_some() {
                    self.tell(Told::Trouble { id, reason: None });
                }
            }
            Err(reason) => {
                if troubles.insert(id, reason.clone()).as_ref() != Some(&reason) {
                    self.tell(Told::Trouble { id, reason: Some(reason) });
                }
            }
        }
    }

    fn look_at(&self, (known, path): (Option<&Publication>, &Path)) -> Result<(), String> {
        if known.is_some_and(is_the_same_file) {
            return Ok(());
        }
        let source = Source::scan_what_can_be(path).map_err(|error| error.to_string())?;
        if known.is_some_and(|known| is_as_it_was(known, &source)) {
            return Ok(());
        }
        let wish = Wish { path: path.to_owned(), ..Wish::default() };
        self.shelve(NOBODY, wish).map_err(|error| error.to_string())
    }

    /// What was fetched is not published in another version: others have it as it is.
    fn look_at_fetched(&self, publication: &Publication) -> Result<(), String> {
        let changed = publication
            .files
            .iter()
            .find(|file| FileStamp::of(&file.path).is_none_or(|found| found.stamp.modified != file.modified));
        match changed {
            Some(file) => Err(format!("{} has changed or gone", file.path.display())),
            None => Ok(()),
        }
    }
}

/// Whether it is one file, which has not changed: that is seen at one look, and most are.
fn is_the_same_file(known: &Publication) -> bool {
    let [file] = &*known.files else { return false };
    known.is_single_file && *file.path == *known.path && is_unchanged(file)
}

fn is_unchanged(file: &SharedFile) -> bool {
    let now = FileStamp::of(&file.path);
    now.is_some_and(|now| (now.stamp.size, now.stamp.modified) == (file.size, file.modified))
}

/// Whether the same files are there, and none has changed.
fn is_as_it_was(known: &Publication, source: &Source) -> bool {
    known.parts as usize == source.files.len()
        && known.root() == source.root
        && known.files.iter().all(is_unchanged)
}
