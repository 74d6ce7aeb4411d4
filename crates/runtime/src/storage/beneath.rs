//! Opening files beneath a folder, never through a symbolic link and never outside of it.
//!
//! `openat2` with `RESOLVE_BENEATH` does it in one call; where the kernel or a sandbox lacks it, or the path is longer
//! than the kernel takes at once, each component is opened by itself with `O_NOFOLLOW`.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, statat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

/// A folder as a place to start from: it can be walked, not listed.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Folders are made with what the person's umask leaves.
const FOLDER_MODE: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const PROGRAM_MODE: Mode = Mode::from_raw_mode(0o777);

/// How a file is to be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// To read.
    Read,
    /// To read and write; it must be there.
    Write,
    /// To read and write; made if it is not there, executable if asked.
    Create { executable: bool },
}

/// Opens the download folder itself; the person named it, so links on the way to it are followed.
pub(crate) fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| openat(CWD, path, FOLDER, Mode::empty()))
}

/// Opens a regular file at `path` beneath `root`; folders on the way are made for [`Access::Create`].
pub(crate) fn open_file(root: &OwnedFd, path: &Path, access: Access) -> Result<File, Errno> {
    let (flags, mode) = match access {
        Access::Read => (OFlags::RDONLY, Mode::empty()),
        Access::Write => (OFlags::RDWR, Mode::empty()),
        Access::Create { executable: false } => (OFlags::RDWR | OFlags::CREATE, FILE_MODE),
        Access::Create { executable: true } => (OFlags::RDWR | OFlags::CREATE, PROGRAM_MODE),
    };
    // NONBLOCK: a named pipe put in a file's place must not hang us.
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = match open(root, path, flags, mode) {
        Err(Errno::NOENT) if matches!(access, Access::Create { .. }) => {
            let parent = open_parent(root, path, true)?;
            let name = path.file_name().ok_or(Errno::INVAL)?;
            retry_on_intr(|| openat(&parent, name, flags, mode))?
        }
        other => other?,
    };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode);
    match kind {
        FileType::RegularFile => Ok(File::from(opened)),
        FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::ACCESS),
    }
}

/// The metadata of what stands at `path`, a final link not followed.
pub(crate) fn stat(root: &OwnedFd, path: &Path) -> Result<rustix::fs::Stat, Errno> {
    let parent = open_parent(root, path, false)?;
    let name = path.file_name().ok_or(Errno::INVAL)?;
    retry_on_intr(|| statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW))
}

/// Opens the folder that holds `path`, making what is missing if asked.
pub(crate) fn open_parent(root: &OwnedFd, path: &Path, make: bool) -> Result<OwnedFd, Errno> {
    let folder = path.parent().ok_or(Errno::INVAL)?;
    if make || folder.as_os_str().is_empty() {
        return walk(root, folder, make);
    }
    open(root, folder, FOLDER | OFlags::NOFOLLOW, Mode::empty())
}

fn open(root: &OwnedFd, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match retry_on_intr(|| openat2(root, path, flags, mode, resolve)) {
        // EPERM is what a sandbox says to calls it doesn't know; the walk finds out if it is meant otherwise.
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN | Errno::NAMETOOLONG) => {
            open_by_parts(root, path, flags, mode)
        }
        other => other,
    }
}

fn open_by_parts(root: &OwnedFd, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let parent = walk(root, path.parent().ok_or(Errno::INVAL)?, false)?;
    let name = path.file_name().ok_or(Errno::INVAL)?;
    retry_on_intr(|| openat(&parent, name, flags, mode))
}

fn walk(root: &OwnedFd, folder: &Path, make: bool) -> Result<OwnedFd, Errno> {
    let mut at = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    for part in folder.components() {
        let Component::Normal(name) = part else { return Err(Errno::INVAL) };
        let enter = || retry_on_intr(|| openat(&at, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()));
        let next = match enter() {
            Err(Errno::NOENT) if make => {
                match mkdirat(&at, name, FOLDER_MODE) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
                enter()?
            }
            // With O_DIRECTORY a link is reported as "not a directory"; say what it is.
            Err(Errno::NOTDIR) if is_link(&at, name) => return Err(Errno::LOOP),
            other => other?,
        };
        at = next;
    }
    Ok(at)
}

fn is_link(at: &OwnedFd, name: &OsStr) -> bool {
    statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const CREATE: Access = Access::Create { executable: false };

    #[test]
    fn folders_on_the_way_are_made_and_programs_may_run() {
        let dir = tempfile::tempdir().unwrap();
        let root = open_root(dir.path()).unwrap();
        open_file(&root, Path::new("a/b/c"), CREATE).unwrap();
        open_file(&root, Path::new("a/d"), Access::Create { executable: true }).unwrap();
        let mode = |path: &str| dir.path().join(path).metadata().unwrap().permissions().mode() & 0o100;
        assert_eq!((mode("a/b/c"), mode("a/d")), (0, 0o100));
        assert_eq!(open_file(&root, Path::new("a/x"), Access::Read).unwrap_err(), Errno::NOENT);
        assert_eq!(open_file(&root, Path::new("a"), Access::Read).unwrap_err(), Errno::ISDIR);
    }

    #[test]
    fn links_are_never_followed_out_of_the_folder_nor_within_it() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("f"), "secret").unwrap();
        symlink(outside.path(), dir.path().join("folder")).unwrap();
        symlink(outside.path().join("f"), dir.path().join("file")).unwrap();
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        let root = open_root(dir.path()).unwrap();
        for path in ["folder/f", "folder/new", "file", "dangling", "folder/deep/er"] {
            for access in [Access::Read, Access::Write, CREATE] {
                assert_eq!(open_file(&root, Path::new(path), access).unwrap_err(), Errno::LOOP, "{path}");
            }
        }
        assert_eq!(outside.path().read_dir().unwrap().count(), 1);
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn the_walk_without_openat2_refuses_the_same_links() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(outside.path(), dir.path().join("folder")).unwrap();
        let root = open_root(dir.path()).unwrap();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
        let error = open_by_parts(&root, Path::new("folder/f"), flags, FILE_MODE).unwrap_err();
        assert_eq!(error, Errno::LOOP);
        open_by_parts(&root, Path::new("f"), flags, FILE_MODE).unwrap();
        assert!(dir.path().join("f").exists());
    }

    #[test]
    fn a_path_longer_than_the_kernel_takes_at_once_is_walked() {
        let dir = tempfile::tempdir().unwrap();
        let root = open_root(dir.path()).unwrap();
        let deep: std::path::PathBuf = (0..30).map(|_| "d".repeat(200)).collect();
        open_file(&root, &deep, CREATE).unwrap();
        open_file(&root, &deep, Access::Read).unwrap();
        stat(&root, &deep).unwrap();
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let root = open_root(dir.path()).unwrap();
        rustix::fs::mknodat(&root, "pipe", FileType::Fifo, FILE_MODE, 0).unwrap();
        assert_eq!(open_file(&root, Path::new("pipe"), CREATE).unwrap_err(), Errno::ACCESS);
    }
}
