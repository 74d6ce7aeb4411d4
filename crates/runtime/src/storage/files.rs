//! Positioned reads and writes over the files of one content; no memory maps, no knowledge of pieces' hashes.
//!
//! Files are opened when first used and stay in the shared [`HandleCache`]. A file that lost bytes we have seen in it,
//! or was deleted while open, is noticed before the next write: `known` is how far each file is known to reach.

use super::beneath::{self, Access};
use super::{Action, Class, FileMap, HandleCache, Span, StorageError};
use crate::storage::handles::Owner;
use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev, retry_on_intr};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Buffers of one write: at most 256 KiB with chunks of 64 KiB. A whole piece at once makes the kernel look for its
/// largest pages, and the workers wait longer for each other's lock on the file: 1 GiB took 2.4 s instead of 1.04 s.
const MAX_SLICES: usize = 4;
/// With more files than this to save, one `syncfs` is cheaper than a journal commit for each.
const SYNC_ONE_BY_ONE: usize = 32;

/// How a content's files are used.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Never write nor make anything; default false.
    pub read_only: bool,
    /// Reserve a file's whole length when it is made, instead of growing it; default false (sparse).
    pub preallocate: bool,
    /// Take the data for good without checking; each piece is verified when first read. Default false.
    pub trust: bool,
    /// Open files, shared by all contents of the process; default a cache of its own.
    pub handles: Arc<HandleCache>,
}

/// What the resume state remembers of a file.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Last change, nanoseconds since 1970.
    pub modified: i64,
}

#[derive(Debug, Default)]
struct State {
    /// How many bytes the file is known to have.
    known: AtomicU64,
    /// Written since it was last saved.
    dirty: AtomicBool,
}

/// The files of one content beneath one folder.
#[derive(Debug)]
pub struct Files {
    map: FileMap,
    root: PathBuf,
    options: Options,
    owner: Owner,
    states: Box<[State]>,
    /// Cleared if the file system does not know reads that do not wait.
    nowait: AtomicBool,
}

impl Files {
    /// Uses the folder `root`, which is made if needed unless read-only.
    pub fn open(map: FileMap, root: &Path, options: Options) -> Result<Files, StorageError> {
        let failed = |error: std::io::Error| StorageError::new(Action::Open, root, error);
        // Absolute, so that messages are clear and a later change of directory does no harm.
        let root = std::path::absolute(root).map_err(failed)?;
        if !options.read_only {
            std::fs::create_dir_all(&root).map_err(failed)?;
        }
        let folder = beneath::open_root(&root).map_err(|error| failed(error.into()))?;
        if !options.read_only {
            let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
            rustix::fs::accessat(&folder, ".", access, rustix::fs::AtFlags::EACCESS)
                .map_err(|error| StorageError::new(Action::Write, &root, error))?;
        }
        let states = map.layout().files().iter().map(|_| State::default()).collect();
        let owner = options.handles.owner();
        Ok(Files { map, root, options, owner, states, nowait: AtomicBool::new(true) })
    }

    /// Where the files lie.
    pub fn map(&self) -> &FileMap {
        &self.map
    }

    /// The download folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether nothing is ever written.
    pub fn is_read_only(&self) -> bool {
        self.options.read_only
    }

    /// Where a file lies on this machine.
    pub fn path(&self, file: usize) -> PathBuf {
        self.root.join(self.map.path(file))
    }

    /// Fills `buf` from `offset` of the piece space, waiting for the disk where needed.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), StorageError> {
        let mut rest = buf;
        for span in self.map.spans(offset, rest.len() as u64) {
            let (part, after) = rest.split_at_mut(span.len as usize);
            match span.file {
                None => part.fill(0),
                Some(file) => {
                    let handle = self.handle(file, false, Action::Read)?;
                    handle.read_exact_at(part, span.offset).map_err(|error| {
                        self.options.handles.forget(self.owner, file);
                        self.read_failed(file, error)
                    })?;
                }
            }
            rest = after;
        }
        rest.fill(0);
        Ok(())
    }

    /// Fills `buf` only if the system has all of it in memory and the files open: never waits for the disk.
    pub fn read_cached(&self, offset: u64, buf: &mut [u8]) -> bool {
        let mut rest = buf;
        for span in self.map.spans(offset, rest.len() as u64) {
            let (part, after) = rest.split_at_mut(span.len as usize);
            match span.file {
                None => part.fill(0),
                Some(file) if self.read_span_cached(file, span.offset, part) => {}
                Some(_) => return false,
            }
            rest = after;
        }
        rest.is_empty()
    }

    fn read_span_cached(&self, file: usize, offset: u64, part: &mut [u8]) -> bool {
        let Some(handle) = self.options.handles.find(self.owner, file, false) else { return false };
        if !self.nowait.load(Ordering::Relaxed) {
            return false;
        }
        let length = part.len();
        match preadv2(&*handle, &mut [IoSliceMut::new(part)], offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => read == length,
            // What lives in memory never waits, though its driver doesn't know how to promise it.
            Err(Errno::OPNOTSUPP) if is_memory(&handle) => handle.read_exact_at(part, offset).is_ok(),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                self.nowait.store(false, Ordering::Relaxed);
                false
            }
            Err(_) => false,
        }
    }

    /// The open file and offset of bytes that lie in one file, for `sendfile`; opens the file if needed.
    pub fn locate(&self, offset: u64, len: u64) -> Result<Option<(Arc<File>, u64)>, StorageError> {
        let mut spans = self.map.spans(offset, len);
        match (spans.next(), spans.next()) {
            (Some(Span { file: Some(file), offset, len: covered }), None) if covered == len => {
                Ok(Some((self.handle(file, false, Action::Read)?, offset)))
            }
            _ => Ok(None),
        }
    }

    /// Writes `bufs` one behind the other from `offset` of the piece space; padding is left out.
    pub fn write(&self, offset: u64, bufs: &[&[u8]]) -> Result<(), StorageError> {
        let total = bufs.iter().map(|buf| buf.len() as u64).sum();
        let mut source = Source { bufs, at: 0 };
        for span in self.map.spans(offset, total) {
            let slices = source.take(span.len as usize);
            if let Some(file) = span.file {
                self.write_span(file, span.offset, slices)?;
            }
        }
        Ok(())
    }

    fn write_span(&self, file: usize, offset: u64, mut slices: Vec<IoSlice<'_>>) -> Result<(), StorageError> {
        let handle = self.handle(file, true, Action::Write)?;
        self.check_intact(file, &handle, Action::Write)?;
        let result = Self::write_all(&handle, offset, &mut slices);
        // Afterwards, and before the piece counts as stored: a checkpoint that does not save this file does not
        // count the piece either.
        self.mark_dirty(&[file]);
        let end = result.map_err(|error| self.failed(Action::Write, file, error))?;
        self.states[file].known.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }

    /// Where the written bytes end.
    fn write_all(handle: &File, mut at: u64, mut rest: &mut [IoSlice<'_>]) -> Result<u64, Errno> {
        while !rest.is_empty() {
            let batch = &rest[..rest.len().min(MAX_SLICES)];
            let written = match retry_on_intr(|| pwritev(handle, batch, at))? {
                0 => return Err(Errno::NOSPC),
                written => written,
            };
            at += written as u64;
            IoSlice::advance_slices(&mut rest, written);
        }
        Ok(at)
    }

    /// Refuses to use a file that was deleted or shortened since we knew it.
    fn check_intact(&self, file: usize, handle: &File, action: Action) -> Result<(), StorageError> {
        // In this order: another thread may make the file longer, and then known, in between.
        let known = self.states[file].known.load(Ordering::Acquire);
        let stat = handle.metadata().map_err(|error| self.failed(action, file, error))?;
        let class = match () {
            () if stat.nlink() == 0 => Class::Missing,
            () if stat.len() < known => Class::Shortened,
            () => return Ok(()),
        };
        self.options.handles.forget(self.owner, file);
        Err(StorageError::of(class, action, &self.path(file)))
    }

    /// The open file; for writing it is made if we have not seen it yet.
    fn handle(&self, file: usize, write: bool, action: Action) -> Result<Arc<File>, StorageError> {
        if let Some(handle) = self.options.handles.find(self.owner, file, write) {
            return Ok(handle);
        }
        let root = self.open_root(action)?;
        let access = match write {
            false => Access::Read,
            true if self.options.read_only => return Err(self.failed(action, file, Errno::ROFS)),
            true if self.states[file].known.load(Ordering::Acquire) > 0 => Access::Write,
            true => Access::Create { executable: self.map.layout().files()[file].attributes.executable },
        };
        let opened = beneath::open_file(&root, self.map.path(file), access);
        let handle = Arc::new(opened.map_err(|error| self.failed(action, file, error))?);
        if write {
            self.set_size(file, &handle)?;
        }
        self.options.handles.keep(self.owner, file, handle.clone(), write);
        Ok(handle)
    }

    /// A file that is too long is cut, one that is too short is left sparse unless space is to be reserved.
    fn set_size(&self, file: usize, handle: &File) -> Result<(), StorageError> {
        let length = self.map.layout().files()[file].length;
        let failed = |error| self.failed(Action::Write, file, error);
        let size = handle.metadata().map_err(failed)?.len();
        if size > length {
            handle.set_len(length).map_err(failed)?;
        } else if size < length && self.options.preallocate {
            match rustix::fs::fallocate(handle, rustix::fs::FallocateFlags::empty(), 0, length) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => handle.set_len(length).map_err(failed)?,
                reserved => reserved.map_err(|error| failed(error.into()))?,
            }
        }
        Ok(())
    }

    pub(super) fn open_root(&self, action: Action) -> Result<std::os::fd::OwnedFd, StorageError> {
        beneath::open_root(&self.root).map_err(|error| StorageError::new(action, &self.root, error))
    }

    /// Makes the file if it is not there, without writing to it: for empty files.
    pub(super) fn create(&self, file: usize) -> Result<(), StorageError> {
        self.handle(file, true, Action::Write).map(drop)
    }

    /// Opens the file, which must be there, to read.
    pub(super) fn open_to_read(&self, file: usize) -> Result<(), StorageError> {
        self.handle(file, false, Action::Read).map(drop)
    }

    /// Whether all files that are open are still whole; one that is not is closed.
    pub(super) fn look(&self) -> Result<(), StorageError> {
        let open = self.options.handles.of(self.owner);
        open.iter().try_for_each(|(file, handle)| self.check_intact(*file, handle, Action::Read))
    }

    /// Size and time of a file's last change; `None` if there is no such file.
    pub fn stamp(&self, file: usize) -> Option<Stamp> {
        let stat = beneath::stat(&beneath::open_root(&self.root).ok()?, self.map.path(file)).ok()?;
        let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile;
        let modified =
            stat.st_mtime.saturating_mul(1_000_000_000).saturating_add_unsigned(stat.st_mtime_nsec);
        regular.then_some(Stamp { size: stat.st_size as u64, modified })
    }

    /// Takes what a file has now as what it is known to have, so that losing any of it is noticed.
    pub fn note_size(&self, file: usize, size: u64) {
        if let Some(state) = self.states.get(file) {
            state.known.store(size.min(self.map.layout().files()[file].length), Ordering::Release);
        }
    }

    /// How many bytes a file is known to have.
    pub fn known_size(&self, file: usize) -> u64 {
        self.states.get(file).map_or(0, |state| state.known.load(Ordering::Acquire))
    }

    /// The files written since they were last saved; they count as saved from now on.
    pub fn take_dirty(&self) -> Vec<usize> {
        let taken = self.states.iter().enumerate();
        taken.filter(|(_, state)| state.dirty.swap(false, Ordering::AcqRel)).map(|(file, _)| file).collect()
    }

    /// Waits until the data of these files is on the disk; if that fails they count as unsaved again.
    pub fn sync(&self, files: &[usize]) -> Result<(), StorageError> {
        let result = if files.len() > SYNC_ONE_BY_ONE { self.sync_all() } else { self.sync_each(files) };
        if result.is_err() {
            self.mark_dirty(files);
        }
        result
    }

    /// Makes files count as unsaved.
    pub(crate) fn mark_dirty(&self, files: &[usize]) {
        files
            .iter()
            .filter_map(|&file| self.states.get(file))
            .for_each(|state| state.dirty.store(true, Ordering::Release));
    }

    fn sync_each(&self, files: &[usize]) -> Result<(), StorageError> {
        for &file in files {
            // Any descriptor will do: what is saved is the file.
            let handle = self.handle(file, false, Action::Sync)?;
            handle.sync_data().map_err(|error| self.failed(Action::Sync, file, error))?;
        }
        Ok(())
    }

    fn sync_all(&self) -> Result<(), StorageError> {
        let failed = |error| StorageError::new(Action::Sync, &self.root, error);
        let folder = File::open(&self.root).map_err(failed)?;
        rustix::fs::syncfs(&folder).map_err(|error| failed(error.into()))
    }

    /// Closes all files.
    pub fn close(&self) {
        self.options.handles.forget_all(self.owner);
    }

    pub(super) fn close_file(&self, file: usize) {
        self.options.handles.forget(self.owner, file);
    }

    pub(super) fn failed(
        &self,
        action: Action,
        file: usize,
        error: impl Into<std::io::Error>,
    ) -> StorageError {
        StorageError::new(action, &self.path(file), error)
    }

    /// A short read means that the file was cut or replaced by nothing.
    fn read_failed(&self, file: usize, error: std::io::Error) -> StorageError {
        if error.kind() == std::io::ErrorKind::UnexpectedEof && self.stamp(file).is_none() {
            return StorageError::of(Class::Missing, Action::Read, &self.path(file));
        }
        self.failed(Action::Read, file, error)
    }

    /// Asks the system to read a run of a file soon. Advice only: what cannot take it is read all the same.
    pub(crate) fn read_ahead(&self, file: usize, offset: u64, len: u64) {
        if let Ok(handle) = self.handle(file, false, Action::Read) {
            let _ = rustix::fs::fadvise(&*handle, offset, NonZeroU64::new(len), rustix::fs::Advice::WillNeed);
        }
    }

    /// Whether some byte of a run within a file is stored, rather than a hole nobody wrote.
    pub fn has_data(&self, file: usize, offset: u64, len: u64) -> bool {
        let Ok(handle) = self.handle(file, false, Action::Read) else { return false };
        match rustix::fs::seek(&*handle, rustix::fs::SeekFrom::Data(offset)) {
            Ok(data) => data < offset.saturating_add(len),
            Err(Errno::NXIO) => false,
            // A file system without holes: it must be looked at.
            Err(_) => true,
        }
    }
}

/// Whether a file lies on a tmpfs.
fn is_memory(handle: &File) -> bool {
    const TMPFS_MAGIC: i64 = 0x0102_1994;
    rustix::fs::fstatfs(handle).is_ok_and(|stat| stat.f_type == TMPFS_MAGIC)
}

impl Drop for Files {
    fn drop(&mut self) {
        self.close();
    }
}

/// Buffers to be written, taken from the front.
struct Source<'a> {
    bufs: &'a [&'a [u8]],
    /// Bytes of the first buffer that were taken.
    at: usize,
}

impl<'a> Source<'a> {
    fn take(&mut self, mut len: usize) -> Vec<IoSlice<'a>> {
        let mut slices = Vec::with_capacity(self.bufs.len());
        while let Some((first, rest)) = self.bufs.split_first().filter(|_| len > 0) {
            let part = &first[self.at..];
            let taken = part.len().min(len);
            slices.push(IoSlice::new(&part[..taken]));
            len -= taken;
            self.at += taken;
            if self.at == first.len() {
                (self.bufs, self.at) = (rest, 0);
            }
        }
        slices
    }
}
