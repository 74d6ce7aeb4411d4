//! What was published in an earlier run is put up again: read page by page, and of files only their stamps, since the
//! hashes of what did not change are known.

use super::database::{Found, Saved};
use super::hash::FileStamp;
use super::publication::{Id, Publication, SharedFile};
use super::shelve::{held_once, own_torrent, torrent_of};
use super::{Library, Told};
use crate::create::CreateError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use throng_wire::metainfo::Metainfo;

/// Publications read, and told, at once; and bytes of their torrents, of which one may be large.
const PAGE: usize = 2_048;
const PAGE_BYTES: usize = 4 << 20;

/// A publication that was read.
struct Read {
    row: Saved,
    path: Arc<Path>,
    metainfo: Metainfo,
    /// Files with data.
    count: usize,
}

impl Library {
    /// Puts up all whose files are as they were; the others.
    pub(super) fn restore(&self) -> Vec<Id> {
        let (mut after, mut changed) = (None, Vec::new());
        while !self.is_over() {
            let page = self.database().publications_page(after, PAGE, PAGE_BYTES);
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            self.restore_page(page, &mut changed);
        }
        changed
    }

    fn restore_page(&self, page: Vec<Saved>, changed: &mut Vec<Id>) {
        let mut gone = |(id, error): (Id, CreateError)| {
            changed.push(id);
            self.tell(Told::Trouble { id, reason: Some(error.to_string()) });
        };
        let (mut all, mut found) = (Vec::with_capacity(page.len()), Vec::with_capacity(page.len()));
        for row in page {
            let id = row.id;
            match read(row) {
                Ok((one, files)) => {
                    all.push(one);
                    found.extend(files);
                }
                Err(error) => gone((id, error)),
            }
        }
        let mut known = self.database().shared_files(&found).into_iter();
        let mut restored = Vec::with_capacity(all.len());
        for one in all {
            let id = one.row.id;
            match self.restore_one(one, &mut known) {
                Ok(publication) => restored.push(Arc::new(publication)),
                Err(error) => gone((id, error)),
            }
        }
        self.put_back(restored);
    }

    /// In their order, which fills the shelf's memory; what was published again meanwhile is newer.
    fn put_back(&self, mut restored: Vec<Arc<Publication>>) {
        let mut shelf = self.shelf();
        restored.retain(|publication| !shelf.contains_key(&publication.id));
        let mut more: BTreeMap<_, _> = restored.iter().map(|it| (it.id, it.clone())).collect();
        shelf.append(&mut more);
        drop(shelf);
        self.tell(Told::Restored(restored));
    }

    fn restore_one(
        &self,
        read: Read,
        known: &mut impl Iterator<Item = Option<SharedFile>>,
    ) -> Result<Publication, CreateError> {
        let Read { row, path, metainfo, count } = read;
        let files: Box<[_]> = known.take(count).flatten().collect();
        // Of what was fetched there may be parts only; of the other the next look makes a new version.
        if !row.fetched && files.len() < count {
            return Err(CreateError::Changed(row.path));
        }
        Ok(self.publication_of(row, path, &metainfo, files))
    }
}

/// Reads the torrent, and looks at the files.
fn read(row: Saved) -> Result<(Read, Vec<Found>), CreateError> {
    let metainfo = own_torrent(&row.metainfo).ok_or_else(|| CreateError::Changed(row.path.clone()))?;
    let path: Arc<Path> = row.path.as_path().into();
    let piece_length = metainfo.info.layout().piece_length();
    let look = |(place, length): (PathBuf, u64)| {
        let stamp = FileStamp::of(&place).filter(|stamp| stamp.stamp.size == length);
        Found { path: held_once(place, &path), stamp, piece_length }
    };
    let found: Vec<_> = places(&row, &metainfo)?.into_iter().map(look).collect();
    Ok((Read { row, path, metainfo, count: found.len() }, found))
}

/// Where the files with data lie, and how long they are.
fn places(row: &Saved, metainfo: &Metainfo) -> Result<Vec<(PathBuf, u64)>, CreateError> {
    let layout = metainfo.info.layout();
    // One file that is where it was said to be is not looked for.
    if let [only] = layout.files()
        && metainfo.info.is_single_file()
        && !row.fetched
        && row.path.parent() == Some(&row.root)
        && row.path.symlink_metadata().is_ok_and(|found| found.is_file())
    {
        let some = (only.length > 0).then(|| (row.path.clone(), only.length));
        return Ok(some.into_iter().collect());
    }
    let map = torrent_of(row)?.map;
    let stored = map.stored().filter(|(_, of)| of.length > 0);
    Ok(stored.map(|(file, of)| (row.root.join(map.path(file)), of.length)).collect())
}
