//! Beginning and ending a download on the disk, and coming back from trouble with it.

use super::beneath;
use super::{Action, Class, Storage, StorageError};
use rustix::io::Errno;
use std::path::{Component, Path, PathBuf};
use std::sync::PoisonError;

/// Least room that counts as a disk no longer full: enough to get somewhere before pausing again.
const ROOM_TO_GO_ON: u64 = 16 * 1024 * 1024;

/// What went wrong last, and with which file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    class: Class,
    action: Action,
    file: Option<usize>,
}

/// What [`Storage::prepare`] left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Prepared {
    /// Symbolic links that were not made, since they lead out of the content or to nothing in it.
    pub skipped_links: Vec<PathBuf>,
}

impl Storage {
    /// Makes what no piece makes: empty files and symbolic links. May be called again at any time.
    pub fn prepare(&self) -> Result<Prepared, StorageError> {
        let mut prepared = Prepared::default();
        let entries = self.metainfo.info.layout().files().iter().enumerate();
        for (index, file) in entries.filter(|(_, file)| !file.attributes.padding) {
            if let Some(target) = &file.symlink {
                if !self.make_link(index, target)? {
                    prepared.skipped_links.push(self.files.path(index));
                }
            } else if file.length == 0 {
                self.files.create(index).inspect_err(|error| self.remember(error))?;
                self.files.close_file(index);
            }
        }
        Ok(prepared)
    }

    /// Whether the link leads to a file of the content (and so cannot leave it) and was made.
    fn make_link(&self, index: usize, target: &[Vec<u8>]) -> Result<bool, StorageError> {
        let layout = self.metainfo.info.layout();
        let Some(found) =
            layout.files().iter().position(|file| file.path == target && file.symlink.is_none())
        else {
            return Ok(false);
        };
        let (link, target) = (self.files.map().path(index), self.files.map().path(found));
        let failed = |error| self.files.failed(Action::Write, index, error);
        let root = self.files.open_root(Action::Write)?;
        let parent = beneath::open_parent(&root, link, true).map_err(failed)?;
        let name = link.file_name().ok_or_else(|| failed(Errno::INVAL))?;
        match rustix::fs::symlinkat(relative(link, target), &parent, name) {
            Ok(()) | Err(Errno::EXIST) => Ok(true),
            // A file system without links.
            Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    pub(super) fn remember(&self, error: &StorageError) {
        let map = self.files.map();
        let file = map.stored().map(|(index, _)| index).find(|&index| self.files.path(index) == error.path);
        let failure = Failure { class: error.class, action: error.action, file };
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// Whether a file in use was deleted or shortened, which reads of an open file may never tell. Looks at open files
    /// only, so it is cheap; a file that is not open is missed when it is opened.
    pub fn look(&self) -> Result<(), StorageError> {
        self.files.look().inspect_err(|error| self.remember(error))
    }

    /// Whether the cause of the last failure is gone; cheap enough to ask every few seconds, but off the network
    /// thread. Files that came back are suspect: their pieces are verified when next read.
    pub fn probe(&self) -> Result<(), StorageError> {
        let root = self.files.open_root(Action::Open)?;
        let damaged = self.damaged_files();
        damaged.iter().for_each(|(file, _)| self.suspect_file(*file));
        if let Some((file, class)) = damaged.into_iter().next() {
            return Err(StorageError::of(class, Action::Open, &self.files.path(file)));
        }
        let failure = *self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(failure) = failure else { return Ok(()) };
        if failure.class == Class::Full {
            let room = rustix::fs::fstatvfs(&root)
                .map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize));
            if room < ROOM_TO_GO_ON.max(u64::from(self.metainfo.info.layout().piece_length())) {
                let path =
                    failure.file.map_or_else(|| self.files.root().to_owned(), |file| self.files.path(file));
                return Err(StorageError::new(Action::Write, &path, Errno::NOSPC));
            }
        }
        if let Some(file) = failure.file {
            self.try_again(file, failure)?;
        }
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Opens the file as it was to be used when that failed.
    fn try_again(&self, file: usize, failure: Failure) -> Result<(), StorageError> {
        self.files.close_file(file);
        // What failed to be read must not be made.
        match failure.action {
            Action::Write => self.files.create(file)?,
            Action::Open | Action::Read | Action::Sync => self.files.open_to_read(file)?,
        }
        if matches!(failure.class, Class::Missing | Class::Shortened) {
            let size = self.files.stamp(file).map_or(0, |stamp| stamp.size);
            if self.stored_pieces_of(file).any(|piece| !self.lies_within(piece, file, size)) {
                return Err(StorageError::of(Class::Shortened, Action::Read, &self.files.path(file)));
            }
            self.suspect_file(file);
        }
        Ok(())
    }

    /// Has every stored piece of a file verified when it is next read.
    fn suspect_file(&self, file: usize) {
        self.stored_pieces_of(file).for_each(|piece| self.suspect.insert(piece));
    }

    /// Takes the files as they are now for what they are known to have, after they were checked.
    pub fn note_sizes(&self) {
        for (index, _) in self.files.map().stored() {
            self.files.note_size(index, self.files.stamp(index).map_or(0, |stamp| stamp.size));
        }
    }

    /// Gives up what deleted and shortened files had: the pieces that are lost, to be fetched again. Files that are
    /// gone may then be made anew.
    pub fn give_up_lost(&self) -> Vec<u32> {
        let mut lost = Vec::new();
        for (file, _) in self.damaged_files() {
            let size = self.files.stamp(file).map_or(0, |stamp| stamp.size);
            self.files.close_file(file);
            self.files.note_size(file, size);
            lost.extend(self.stored_pieces_of(file).filter(|&piece| !self.lies_within(piece, file, size)));
        }
        lost.sort_unstable();
        lost.dedup();
        lost.iter().for_each(|&piece| self.lose(piece));
        // What is gone is no longer waited for.
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take_if(|failure| matches!(failure.class, Class::Missing | Class::Shortened));
        lost
    }

    /// Files that have less than they are known to have.
    fn damaged_files(&self) -> Vec<(usize, Class)> {
        let check = |(index, _)| {
            let known = self.files.known_size(index);
            match self.files.stamp(index) {
                _ if known == 0 => None,
                None => Some((index, Class::Missing)),
                Some(stamp) => (stamp.size < known).then_some((index, Class::Shortened)),
            }
        };
        self.files.map().stored().filter_map(check).collect()
    }

    fn stored_pieces_of(&self, file: usize) -> impl Iterator<Item = u32> {
        self.metainfo.info.layout().piece_range(file).filter(|&piece| self.stored.contains(piece))
    }

    fn lies_within(&self, piece: u32, file: usize, size: u64) -> bool {
        let range = self.files.map().piece_range(piece);
        let parts = self.files.map().spans(range.start, range.end - range.start);
        parts.filter(|span| span.file == Some(file)).all(|span| span.offset + span.len <= size)
    }
}

/// The path from the folder of `link` to `target`, both beneath the same root.
fn relative(link: &Path, target: &Path) -> PathBuf {
    let from: Vec<Component<'_>> = link.parent().into_iter().flat_map(Path::components).collect();
    let to: Vec<Component<'_>> = target.components().collect();
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[shared..].iter().map(|_| Component::ParentDir);
    up.chain(to[shared..].iter().copied()).collect()
}
