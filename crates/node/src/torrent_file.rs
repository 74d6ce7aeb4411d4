//! Torrent files on this machine: read with limits, written whole or not at all, and where their content lies.

use crate::failure::{Failure, Outcome};
use crate::text;
use globset::GlobMatcher;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use throng_runtime::storage::FileMap;
use throng_wire::bencode::Limits;
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::{Info, Metainfo, MetainfoError};

/// Longest torrent file read from this machine: 2,097,152 pieces with both kinds of hashes, and their names.
const MAX_LEN: usize = 128 << 20;

/// Reads a torrent file.
pub(crate) fn read(path: &Path) -> Outcome<Metainfo> {
    let bytes = contents(path).map_err(|error| unreadable(path, &error))?;
    parse(&bytes, &text::path(path))
}

/// Reads a torrent from bytes; `name` is for messages.
pub(crate) fn parse(bytes: &[u8], name: &str) -> Outcome<Metainfo> {
    let limits = Limits { bytes: MAX_LEN, ..Limits::default() };
    Metainfo::parse_with(bytes, limits).map_err(|error| match error {
        MetainfoError::Bencode(error) => {
            let (kind, hint) = guess(bytes);
            Failure::failed(format_args!("{name} is not a torrent{kind} ({error}){hint}"))
        }
        MetainfoError::NotADict | MetainfoError::NoInfo => {
            Failure::failed(format_args!("{name} is not a torrent ({error})"))
        }
        _ => Failure::failed(format_args!("{name} is a damaged torrent ({error}); get it again")),
    })
}

/// What the bytes look like instead, and what to do.
fn guess(bytes: &[u8]) -> (&'static str, &'static str) {
    let start = bytes.trim_ascii_start();
    let lower = start.get(..16).unwrap_or(start).to_ascii_lowercase();
    match bytes {
        [] => (" but empty", "; get it again"),
        [b'd', b'0'..=b'9', ..] => (" that can be used", "; get it again"),
        _ if lower.starts_with(b"<") => {
            (" but a web page", "; get the torrent itself, or use its magnet link")
        }
        _ if lower.starts_with(b"magnet:") => (" but holds a magnet link", "; give the link itself"),
        _ => ("", ""),
    }
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_LEN { Err(io::Error::other("it is larger than 128 MiB")) } else { Ok(bytes) }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = text::path(path);
    match error.kind() {
        io::ErrorKind::NotFound => Failure::failed(format_args!("there is no file {path}; check the path")),
        io::ErrorKind::PermissionDenied => {
            Failure::failed(format_args!("not allowed to read {path}; change its permissions"))
        }
        _ => Failure::failed(format_args!("cannot read {path}: {error}")),
    }
}

/// Refuses places where a file can't be written, before the work that fills it.
pub(crate) fn check_target(path: &Path) -> Outcome {
    let shown = text::path(path);
    match fs::metadata(path) {
        Ok(old) if old.is_dir() => {
            Err(Failure::failed(format_args!("cannot write {shown}: it is a folder; name a file")))
        }
        Ok(old) if !old.is_file() => {
            Err(Failure::failed(format_args!("will not replace {shown}: it is no regular file")))
        }
        Ok(old) if is_read_only(&old) => Err(Failure::failed(format_args!(
            "will not replace {shown}: it is read-only; remove it or name another file"
        ))),
        _ => begin(path).map(drop).map_err(|error| unwritable(path, &error)),
    }
}

fn is_read_only(metadata: &Metadata) -> bool {
    metadata.permissions().readonly()
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Outcome {
    let write = || -> io::Result<()> {
        let mut file = begin(path)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| unwritable(path, &error))
}

/// A temporary file beside the target that goes away unless it takes its place.
fn begin(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As for any new file: the umask decides who else may read it.
    let everyone = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".throng-").suffix(".part").permissions(everyone).tempfile_in(folder)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let path = text::path(path);
    match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::failed(format_args!("cannot write {path}: its folder does not exist; make it first"))
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Failure::failed(format_args!(
            "not allowed to write {path}; choose another place or change its permissions"
        )),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Failure::failed(format_args!("no room to write {path}; free some space"))
        }
        _ => Failure::failed(format_args!("cannot write {path}: {error}")),
    }
}

/// Content that is there already: the folder it lies in, and the name each file has there.
pub(crate) struct Place {
    /// The folder all paths start from.
    pub(crate) root: PathBuf,
    /// Where each file is.
    pub(crate) map: FileMap,
}

/// Looks for a torrent's content: in `dir`, or in its parent if `dir` is the torrent's own file or folder. Files have
/// the names their publisher gave them, or the safe ones that fetching gives; names that lead elsewhere are not followed.
pub(crate) fn locate(metainfo: &Metainfo, dir: &Path) -> Place {
    let info = &metainfo.info;
    let safe = info.safe_paths();
    let tops = [own_name(info.name()), safe.first().and_then(|path| path.iter().next()).map(OsStr::to_owned)];
    let tops: Vec<OsString> = tops.into_iter().flatten().collect();
    let root = root_of(&tops, dir);
    let named = info.layout().files().iter().zip(&safe).map(|(file, safe)| {
        let own = own_path(info, file)
            .filter(|parts| root.join(parts.iter().collect::<PathBuf>()).symlink_metadata().is_ok());
        own.unwrap_or_else(|| safe.iter().map(OsStr::to_owned).collect())
    });
    let map = FileMap::with_paths(info.layout().clone(), named.collect());
    Place { map: map.unwrap_or_else(|_| FileMap::of(metainfo)), root }
}

fn root_of(tops: &[OsString], dir: &Path) -> PathBuf {
    if tops.iter().any(|top| dir.join(top).symlink_metadata().is_ok()) {
        return dir.to_owned();
    }
    let own = dir.canonicalize().ok().filter(|dir| tops.iter().any(|top| dir.file_name() == Some(top)));
    own.and_then(|dir| dir.parent().map(Path::to_owned)).unwrap_or_else(|| dir.to_owned())
}

/// The path as published, if each component is a plain name here.
fn own_path(info: &Info, file: &throng_wire::metainfo::File) -> Option<Vec<OsString>> {
    let name = own_name(info.name())?;
    let below = file.path.iter().filter(|_| !info.is_single_file()).map(|part| own_name(part));
    std::iter::once(Some(name)).chain(below).collect()
}

fn own_name(raw: &[u8]) -> Option<OsString> {
    let plain = !matches!(raw, b"" | b"." | b"..") && !raw.iter().any(|byte| matches!(byte, b'/' | 0));
    plain.then(|| OsString::from_vec(raw.to_vec()))
}

/// The link that leads to this torrent.
pub(crate) fn magnet(metainfo: &Metainfo) -> Magnet {
    let info = &metainfo.info;
    Magnet {
        v1: info.hash_v1(),
        v2: info.hash_v2(),
        name: Some(String::from_utf8_lossy(info.name()).into_owned()),
        length: Some(info.layout().content_length()),
        trackers: metainfo.trackers.iter().flatten().cloned().collect(),
        web_seeds: metainfo.web_seeds.clone(),
        ..Magnet::default()
    }
}
/// A pattern is held against the path below the torrent's folder, and against the name alone.
pub(crate) fn is_match(glob: &GlobMatcher, path: &Path) -> bool {
    let mut parts = path.components();
    if path.components().nth(1).is_some() {
        parts.next();
    }
    glob.is_match(parts.as_path()) || path.file_name().is_some_and(|name| glob.is_match(name))
}
