//! From a path to a publication: look, hash what is new, make the torrent, remember.

use super::database::Saved;
use super::hash::{FileHashes, FileStamp, Watch, hash_file};
use super::publication::{Id, Links, Publication, SharedFile, Torrent, name_of};
use super::{Library, Told, Wish, is_passing, unix_time};
use crate::create::{CreateError, Source, builder};
use crate::storage::FileMap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use throng_wire::bencode::Limits;
use throng_wire::metainfo::{
    BuildError, FileHashes as TorrentFile, Format, Hashes, Layout, Metainfo, Options,
};

/// How often the progress of hashing is told.
const TELL: Duration = Duration::from_millis(250);
/// Files whose hashes are written to the database at once.
const BATCH: usize = 256;
/// A file that is being written is looked at again so often, and after so long.
const TRIES: usize = 3;
const AGAIN: Duration = Duration::from_millis(300);

/// The largest torrent of ours, in bytes.
const OWN_TORRENT: usize = 256 << 20;

type Found = BTreeMap<PathBuf, (FileStamp, FileHashes)>;

impl Library {
    /// Publishes a path, or makes its next version.
    pub(super) fn shelve(&self, job: u32, wish: Wish) -> Result<(), CreateError> {
        let path = absolute(&wish.path)?;
        let (id, known) = self.known(&path);
        let mut attempt = 1;
        let (metainfo, source, found) = loop {
            // A folder that grows keeps the length of its pieces, or all of it would be hashed again.
            let length = known.as_ref().and_then(piece_length);
            match self.make(job, &path, length) {
                Err(error) if is_passing(&error) && attempt < TRIES => std::thread::sleep(AGAIN),
                made => break made?,
            }
            attempt += 1;
        };
        let name = source.name.clone();
        let title = wish.title.or(known.as_ref().map(|known| known.title.clone())).unwrap_or(name);
        let tags = match &known {
            Some(known) if wish.tags.is_empty() => known.tags.clone(),
            _ => wish.tags,
        };
        let skipped =
            source.skipped.iter().map(|one| format!("{} is left out: {}", one.path.display(), one.reason));
        let row = Saved {
            id,
            path,
            root: source.root.clone(),
            title,
            tags,
            created: known.as_ref().map_or_else(unix_time, |known| known.created),
            sequence: next_sequence(known.as_ref()),
            fetched: known.as_ref().is_some_and(|known| known.fetched),
            metainfo: metainfo.encode(),
        };
        let places = source.places(metainfo.info.layout().files().iter().map(|file| file.path.clone()));
        let map = FileMap::with_paths(metainfo.info.layout().clone(), places)
            .map_err(|_| CreateError::Build(BuildError::Name))?;
        let torrent = Torrent { metainfo: Arc::new(metainfo), map };
        self.put_up(job, (row, torrent), &found, skipped.collect())
    }

    /// What was fetched: the torrent stays as it is, only the other hashes are made.
    pub(super) fn shelve_fetched(
        &self,
        job: u32,
        metainfo: Arc<Metainfo>,
        root: &Path,
        title: Option<String>,
    ) -> Result<(), CreateError> {
        let root = absolute(root)?;
        let map = FileMap::of(&metainfo);
        let name = String::from_utf8_lossy(metainfo.info.name()).into_owned();
        let path = match map.stored().next() {
            Some((first, _)) if metainfo.info.is_single_file() => root.join(map.path(first)),
            Some((first, _)) => root.join(
                map.path(first).components().next().map_or(Path::new(""), |part| part.as_os_str().as_ref()),
            ),
            None => root.clone(),
        };
        // Of a torrent that was fetched in part, what is there is shared by the swarm alone.
        let there = |(file, of): (usize, &throng_wire::metainfo::File)| {
            let path = root.join(map.path(file));
            (of.length > 0 && path.metadata().is_ok_and(|found| found.len() == of.length)).then_some(path)
        };
        let files: Vec<PathBuf> = map.stored().filter_map(there).collect();
        let found = self.hash_all(job, &path, files, metainfo.info.layout().piece_length())?;
        let (id, known) = self.known(&path);
        let row = Saved {
            id,
            path,
            root,
            title: title.unwrap_or(name),
            tags: Vec::new(),
            created: known.as_ref().map_or_else(unix_time, |known| known.created),
            sequence: next_sequence(known.as_ref()),
            fetched: true,
            metainfo: metainfo.encode(),
        };
        self.put_up(job, (row, Torrent { metainfo, map }), &found, Vec::new())
    }

    /// What is published from a path, and the id that it has or may take.
    fn known(&self, path: &Path) -> (Id, Option<Saved>) {
        let (database, mut free) = (self.database(), None);
        for id in Id::choices(path) {
            match database.publication(id) {
                Some(row) if row.path == path => return (id, Some(row)),
                Some(_) => {}
                None => free = free.or(Some(id)),
            }
        }
        (free.unwrap_or(Id::FIRST), None)
    }

    /// The torrent of a publication that is on the shelf; `None` if it cannot be read, or its files have gone. Waits for
    /// the disk.
    pub fn torrent(&self, id: Id) -> Option<Torrent> {
        let row = self.database().publication(id)?;
        torrent_of(&row).ok()
    }

    /// Of each file the level of its tiger tree that Gnutella serves for its size, up to 24 KiB; empty if it is not known any
    /// more.
    pub fn tiger_levels(&self, files: &[SharedFile]) -> Vec<Vec<[u8; 24]>> {
        self.database().tiger_levels(files)
    }

    fn put_up(
        &self,
        job: u32,
        (row, torrent): (Saved, Torrent),
        found: &Found,
        skipped: Vec<String>,
    ) -> Result<(), CreateError> {
        self.database().save(&row);
        let path: Arc<Path> = row.path.as_path().into();
        let files = shared_files((&row.root, &path), &torrent.map, found);
        let publication = Arc::new(self.publication_of(row, path, &torrent.metainfo, files));
        self.shelf().insert(publication.id, publication.clone());
        self.tell(Told::Shelved { job, publication, torrent, skipped });
        Ok(())
    }

    pub(super) fn publication_of(
        &self,
        row: Saved,
        path: Arc<Path>,
        metainfo: &Metainfo,
        files: Box<[SharedFile]>,
    ) -> Publication {
        let Saved { id, root, title, tags, created, sequence, fetched, .. } = row;
        let info = &metainfo.info;
        let parts = info.layout().files().iter().filter(|file| !file.attributes.padding).count();
        Publication {
            id,
            title: (name_of(&path) != Some(&title)).then(|| title.into()),
            root: (path.parent() != Some(&root)).then(|| root.into()),
            path,
            tags: tags.into(),
            created,
            sequence,
            fetched,
            v1: info.hash_v1(),
            v2: info.hash_v2(),
            is_single_file: info.is_single_file(),
            parts: u32::try_from(parts).unwrap_or(u32::MAX),
            links: self.links_of(metainfo),
            files,
        }
    }

    /// Where a torrent says that it can be had; held once for all that say the same one after another.
    fn links_of(&self, metainfo: &Metainfo) -> Option<Arc<Links>> {
        let links = Links::of(metainfo)?;
        let mut last = self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref().filter(|last| ***last == links) {
            Some(same) => Some(same.clone()),
            None => Some(last.insert(Arc::new(links)).clone()),
        }
    }

    /// Looks, hashes, and makes the torrent.
    fn make(
        &self,
        job: u32,
        path: &Path,
        length: Option<u32>,
    ) -> Result<(Metainfo, Source, Found), CreateError> {
        let source = Source::scan_what_can_be(path)?;
        let tiers = self.0.trackers.iter().map(|url| vec![url.clone()]).collect();
        let options =
            Options { format: Format::Hybrid, piece_length: length, trackers: tiers, ..Options::default() };
        let builder = builder(&source, options)?;
        let layout = builder.layout();
        let places = source.places(layout.files().iter().map(|file| file.path.clone()));
        let map =
            FileMap::with_paths(layout.clone(), places).map_err(|_| CreateError::Build(BuildError::Name))?;
        let files =
            map.stored().filter(|(_, of)| of.length > 0).map(|(file, _)| source.root.join(map.path(file)));
        let found = self.hash_all(job, path, files.collect(), layout.piece_length())?;
        let hashes =
            assemble(layout, |file| found.get(&source.root.join(map.path(file))).map(|(_, hashes)| hashes));
        let metainfo = builder.finish(hashes.ok_or_else(|| CreateError::Changed(path.to_owned()))?)?;
        Ok((metainfo, source, found))
    }

    /// The hashes of files: remembered ones, and the others by all cores.
    fn hash_all(
        &self,
        job: u32,
        path: &Path,
        files: Vec<PathBuf>,
        length: u32,
    ) -> Result<Found, CreateError> {
        let (mut found, mut open, mut total) = (Found::new(), Vec::new(), 0);
        {
            let database = self.database();
            for file in files {
                let stamp = FileStamp::of(&file).ok_or_else(|| CreateError::Changed(file.clone()))?;
                match database.hashes(&file, &stamp, length) {
                    Some(hashes) => _ = found.insert(file, (stamp, hashes)),
                    None => {
                        total += stamp.stamp.size;
                        open.push(file);
                    }
                }
            }
        }
        let done = AtomicU64::new(0);
        let (next, workers) = (AtomicUsize::new(0), crate::hashing::cores().min(open.len()).max(1));
        let (send, receive) = channel();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let (send, open, next, done) = (send.clone(), &open, &next, &done);
                scope.spawn(move || {
                    let watch = Watch { done, cancel: &self.0.over };
                    while let Some(file) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let hashed = hash_file(file, length, watch);
                        let failed = hashed.is_err();
                        if send.send((file.clone(), hashed)).is_err() || failed {
                            return;
                        }
                    }
                });
            }
            drop(send);
            let mut batch = Vec::new();
            let result = loop {
                match receive.recv_timeout(TELL) {
                    Ok((file, Ok((hashes, stamp)))) => {
                        batch.push((file, stamp, hashes));
                        if batch.len() >= BATCH {
                            self.take(&mut batch, &mut found);
                        }
                    }
                    Ok((_, Err(error))) => {
                        // The others end after the file in hand.
                        next.store(usize::MAX / 2, Ordering::Relaxed);
                        break Err(error);
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        let done = done.load(Ordering::Relaxed);
                        self.tell(Told::Hashing { job, path: path.to_owned(), done, total });
                    }
                    Err(RecvTimeoutError::Disconnected) => break Ok(()),
                }
            };
            // What was hashed before a failure need not be hashed again.
            self.take(&mut batch, &mut found);
            result
        })?;
        Ok(found)
    }

    fn take(&self, batch: &mut Vec<(PathBuf, FileStamp, FileHashes)>, found: &mut Found) {
        self.database().save_hashes(batch);
        found.extend(batch.drain(..).map(|(path, stamp, hashes)| (path, (stamp, hashes))));
    }
}

fn absolute(path: &Path) -> Result<PathBuf, CreateError> {
    std::path::absolute(path).map_err(|source| CreateError::Look { path: path.to_owned(), source })
}

/// Later than the last version, and than the clock where that is right.
fn next_sequence(known: Option<&Saved>) -> u64 {
    unix_time().max(known.map_or(0, |known| known.sequence + 1))
}

/// Bytes a piece of what was published before.
fn piece_length(known: &Saved) -> Option<u32> {
    own_torrent(&known.metainfo).map(|metainfo| metainfo.info.layout().piece_length())
}

/// A torrent that we wrote ourselves: it may be larger than what strangers may send.
pub(super) fn own_torrent(bytes: &[u8]) -> Option<Metainfo> {
    let limits = Limits { bytes: OWN_TORRENT, ..Limits::default() };
    Metainfo::parse_with(bytes, limits).ok()
}

/// The torrent's hashes out of its files'; `None` if one is missing.
fn assemble<'a>(layout: &Layout, hashes: impl Fn(usize) -> Option<&'a FileHashes>) -> Option<Hashes> {
    let data = |of: &throng_wire::metainfo::File| of.length > 0 && !of.attributes.padding;
    let files: Vec<usize> =
        layout.files().iter().enumerate().filter(|(_, of)| data(of)).map(|(file, _)| file).collect();
    let level = throng_wire::merkle::piece_level(layout.piece_length())?;
    let mut all = Hashes::default();
    for file in &files {
        let of = hashes(*file)?;
        let (end, before) = of.v1.split_last()?;
        all.v1.extend(before.as_flattened());
        // Behind the last file there is no padding.
        all.v1.extend(if files.last() == Some(file) { &of.v1_end } else { end });
        all.v2.insert(*file, TorrentFile::from_pieces(of.v2.clone(), level));
    }
    Some(all)
}

/// The torrent of what was published, and where its files lie now.
pub(super) fn torrent_of(row: &Saved) -> Result<Torrent, CreateError> {
    let gone = || CreateError::Changed(row.path.clone());
    let metainfo = Arc::new(own_torrent(&row.metainfo).ok_or_else(gone)?);
    let layout = metainfo.info.layout();
    let map = match row.fetched {
        true => FileMap::of(&metainfo),
        false => {
            let source = Source::scan_what_can_be(&row.path)?;
            let places = source.places(layout.files().iter().map(|file| file.path.clone()));
            FileMap::with_paths(layout.clone(), places).map_err(|_| gone())?
        }
    };
    Ok(Torrent { metainfo, map })
}

fn shared_files((root, own): (&Path, &Arc<Path>), map: &FileMap, found: &Found) -> Box<[SharedFile]> {
    let shared = |(index, _): (usize, &throng_wire::metainfo::File)| {
        let path = root.join(map.path(index));
        let (stamp, hashes) = found.get(&path)?;
        Some(SharedFile {
            path: held_once(path, own),
            size: hashes.size,
            modified: stamp.stamp.modified,
            root: hashes.root,
            sha1: hashes.sha1,
            tiger: hashes.tiger,
            ft_hash: hashes.ft_hash,
        })
    };
    map.stored().filter_map(shared).collect()
}

/// The path of a file, which may be the one that was published.
pub(super) fn held_once(path: PathBuf, own: &Arc<Path>) -> Arc<Path> {
    if *path == **own { own.clone() } else { path.into() }
}
