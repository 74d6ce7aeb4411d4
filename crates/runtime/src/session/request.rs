//! What is said to the session's thread: by the program, by workers, by announces under way.

use super::Snapshot;
use super::open::Opened;
use super::sources::{Ended, FileOf, Go};
use crate::fetch::RangeSource;
use crate::storage::{FileMap, Storage, StorageError};
use bytes::Bytes;
use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use throng_machine::{ContentId, Endpoint, Extent};
use throng_swarm::{PeerStatus, SourceId, TorrentOptions, TrackerOutcome};
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::Metainfo;
use tokio::sync::{oneshot, watch};

/// Says of each file (its number in the torrent, its path beneath the folder) whether it is wanted.
pub type FileFilter = Arc<dyn Fn(usize, &Path) -> bool + Send + Sync>;

/// What is known of a torrent.
#[derive(Clone, Debug)]
pub enum Source {
    /// All of it.
    Metainfo(Arc<Metainfo>),
    /// A link: the rest comes from peers.
    Magnet(Magnet),
}

/// A torrent to take part in.
#[derive(Clone)]
pub struct AddRequest {
    /// What it is.
    pub source: Source,
    /// The folder its files lie in.
    pub dir: PathBuf,
    /// Where the files of a known torrent are, if not where it says: for seeding what has other names.
    pub map: Option<FileMap>,
    /// Trackers besides its own.
    pub trackers: Vec<String>,
    /// Addresses to try at once.
    pub peers: Vec<SocketAddr>,
    /// Which files to fetch; all where `None`.
    pub only: Option<FileFilter>,
    /// Take what is stored for good; each piece is verified when it is first read.
    pub skip_check: bool,
    /// Never write: for seeding.
    pub read_only: bool,
    /// The swarm's choices for it; `private` is added where the torrent says so.
    pub options: TorrentOptions,
}

impl AddRequest {
    /// A torrent in a folder, with everything else at its default.
    pub fn new(source: Source, dir: impl Into<PathBuf>) -> AddRequest {
        AddRequest {
            source,
            dir: dir.into(),
            map: None,
            trackers: Vec::new(),
            peers: Vec::new(),
            only: None,
            skip_check: false,
            read_only: false,
            options: TorrentOptions::default(),
        }
    }
}

impl fmt::Debug for AddRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddRequest")
            .field("source", &self.source)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// One message to the thread.
pub(super) enum Note {
    Add(Box<AddRequest>, watch::Sender<Snapshot>, oneshot::Sender<Result<ContentId, String>>),
    Remove(ContentId),
    Sleep(ContentId, oneshot::Sender<bool>),
    /// Swarms to be listened for, and no more.
    Await(Vec<[u8; 20]>),
    Forget(Vec<[u8; 20]>),
    Run(ContentId, bool),
    AddPeers(ContentId, Vec<SocketAddr>),
    AddFoundPeers(ContentId, Vec<SocketAddr>),
    Metainfo(ContentId, oneshot::Sender<Option<Arc<Metainfo>>>),
    SetLimits {
        upload: Option<u64>,
        download: Option<u64>,
    },
    /// A peer has connected to a port that others share.
    Connection(TcpStream, SocketAddr),
    /// Verify again what is stored.
    Verify(ContentId),
    /// What is stored was verified again; these pieces were not right.
    Reverified(ContentId, Vec<u32>),
    /// Runs of pieces that somebody waits for.
    Prioritise(ContentId, Vec<Range<u32>>),
    /// The open storage, if it is open.
    Storage(ContentId, oneshot::Sender<Option<Arc<Storage>>>),
    Peers(ContentId, oneshot::Sender<Vec<PeerStatus>>),
    Shutdown(Option<oneshot::Sender<()>>),
    /// A host name of a peer was found.
    Resolved(ContentId, Vec<Endpoint>),
    /// The storage is open, or is not.
    Opened(ContentId, Result<Opened, String>),
    /// What is stored was checked.
    Checked(ContentId),
    /// The resume state could not be read or written; a line for people.
    Trouble(ContentId, String),
    /// The resume state was saved, or could not be.
    Saved(ContentId, bool),
    /// Workers have dealt with pieces.
    Hashed,
    /// The stored data of an extent could not be read, or is not as it was.
    Unreadable(Extent, StorageError),
    /// Whether the storage works again.
    Probed(ContentId, Result<(), StorageError>),
    /// Leaf hashes of a stored piece.
    Leaves(ContentId, u32, Vec<[u8; 32]>),
    /// A tracker was asked.
    Announced(ContentId, u32, TrackerOutcome),
    /// A source outside BitTorrent.
    AddSource(ContentId, FileOf, Box<dyn RangeSource>),
    /// Bytes of a source, the next of what it was asked for.
    SourceData(ContentId, SourceId, Bytes, oneshot::Sender<Go>),
    /// What a source was asked for has come, or will not.
    SourceEnded(ContentId, SourceId, Ended),
    /// A source may be asked again.
    SourceReady(ContentId, SourceId),
    /// Time to publish snapshots.
    Tick,
}

impl Note {
    /// The torrent it is about, if that is in the session already.
    pub(super) fn content(&self) -> Option<ContentId> {
        match self {
            Note::Run(content, _)
            | Note::AddPeers(content, _)
            | Note::AddFoundPeers(content, _)
            | Note::Verify(content)
            | Note::Reverified(content, _)
            | Note::Prioritise(content, _)
            | Note::Resolved(content, _)
            | Note::Opened(content, _)
            | Note::Checked(content)
            | Note::Trouble(content, _)
            | Note::Saved(content, _)
            | Note::Probed(content, _)
            | Note::Leaves(content, ..)
            | Note::Announced(content, ..)
            | Note::AddSource(content, ..)
            | Note::SourceData(content, ..)
            | Note::SourceEnded(content, ..)
            | Note::SourceReady(content, _) => Some(*content),
            Note::Unreadable(extent, _) => Some(extent.content),
            Note::Add(..)
            | Note::Remove(_)
            | Note::Sleep(..)
            | Note::Await(_)
            | Note::Forget(_)
            | Note::Metainfo(..)
            | Note::SetLimits { .. }
            | Note::Connection(..)
            | Note::Storage(..)
            | Note::Peers(..)
            | Note::Shutdown(_)
            | Note::Hashed
            | Note::Tick => None,
        }
    }
}
