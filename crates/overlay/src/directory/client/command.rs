//! What the application may ask of the client.

use std::time::Duration;

use bytes::Bytes;
use throng_machine::{ContentId, Endpoint, StreamId};
use throng_wire::napster::{Bounds, KindFilter, Speed};

use super::shares::SharedFile;
use crate::discovery::{self, Query, Ticket};

/// Names a download of the application.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DownloadId(pub u32);

/// A search with all that the protocol can say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// All of them must occur.
    pub words: Vec<String>,
    /// None of them may occur.
    pub excludes: Vec<String>,
    /// Enough, from each server.
    pub limit: u32,
    /// Which kinds of file.
    pub kind: KindFilter,
    /// kbit/s.
    pub bitrate: Bounds,
    /// Hz.
    pub frequency: Bounds,
    /// A speed code.
    pub line_speed: Bounds,
    /// Bytes.
    pub size: Bounds,
    /// Seconds.
    pub duration: Bounds,
    /// Only what the servers we are logged in at know themselves.
    pub local_only: bool,
    /// Long enough; at most the configured time-out.
    pub timeout: Duration,
}

impl Search {
    /// Words and nothing else.
    pub fn for_words(words: Vec<String>) -> Search {
        Search {
            words,
            excludes: Vec::new(),
            limit: 100,
            kind: KindFilter::default(),
            bitrate: Bounds::default(),
            frequency: Bounds::default(),
            line_speed: Bounds::default(),
            size: Bounds::default(),
            duration: Bounds::default(),
            local_only: false,
            timeout: Duration::from_secs(60),
        }
    }
}

/// What is had of a file already: the bytes before `offset` are kept if the uploader's agree with `tail`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resume {
    /// Bytes had.
    pub offset: u64,
    /// The last of them, at most 1,024 and not more than `offset`: an uploader that ignores offsets (P2) is found
    /// out by them.
    pub tail: Bytes,
}

/// Bytes of a file: from `from` to `to`, that one not included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// The first byte.
    pub from: u64,
    /// The byte behind the last; the connection is closed there, unless [`Command::Extend`] came before.
    pub to: u64,
}

/// A file to fetch from one user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Download {
    /// Names it in events.
    pub id: DownloadId,
    /// Through which directory.
    pub server: Endpoint,
    /// From whom.
    pub nick: Vec<u8>,
    /// The full name as the hit gave it.
    pub name: Vec<u8>,
    /// The size as the hit gave it.
    pub size: Option<u64>,
    /// The root's beginning as the hit gave it.
    pub root: Option<[u8; 16]>,
    /// Where its bytes belong.
    pub content: ContentId,
    /// What is had already.
    pub resume: Option<Resume>,
    /// Only these bytes; `resume` counts for nothing then. That the uploader minds the offset (P2) is for the
    /// application to find out, from the bytes themselves.
    pub part: Option<Part>,
    /// Ask one of our own nodes for the magnet link instead of the file.
    pub magnet: bool,
}

/// What the application may ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Log in at these directories and stay.
    Join(Vec<Endpoint>),
    /// Leave all directories; transfers under way go on.
    Leave,
    /// Leave one.
    Part(Endpoint),
    /// Let a file be found and fetched.
    Share(SharedFile),
    /// Take it back; uploads under way end.
    Unshare(ContentId),
    /// Search all directories.
    Find(Ticket, Search),
    /// Who has the content whose root begins so, of that size?
    FindContent(Ticket, [u8; 16], u64),
    /// List a user's files through the server.
    Browse(Ticket, Endpoint, Vec<u8>),
    /// List a user's files directly.
    BrowseDirectly(Ticket, Endpoint, Vec<u8>),
    /// Stop looking or listing.
    Cancel(Ticket),
    /// Fetch a file.
    Download(Box<Download>),
    /// The part goes on to that byte, on the same connection, if it is not over yet; it never becomes shorter.
    Extend(DownloadId, u64),
    /// Stop fetching it.
    CancelDownload(DownloadId),
    /// The magnet link that [`Event::MagnetWanted`](super::Event::MagnetWanted) asked for; `None` if there is none.
    Magnet(StreamId, Option<Bytes>),
    /// Tell when that user comes and goes, on every directory.
    Watch(Vec<u8>),
    /// No longer.
    Unwatch(Vec<u8>),
    /// Say something to a user.
    Say(Endpoint, Vec<u8>, Vec<u8>),
    /// What is known of a user?
    Whois(Endpoint, Vec<u8>),
    /// How fast is a user's line?
    AskSpeed(Endpoint, Vec<u8>),
    /// Is a user there?
    Ping(Endpoint, Vec<u8>),
    /// Our data port is another now, 0 if we cannot be reached.
    SetPort(u16),
    /// Our line is another now.
    SetSpeed(Speed),
}

impl From<discovery::Command> for Command {
    /// What every overlay can be asked; a publication's ticket names its content.
    fn from(command: discovery::Command) -> Command {
        match command {
            discovery::Command::Join(servers) => Command::Join(servers),
            discovery::Command::Leave => Command::Leave,
            discovery::Command::Publish(ticket, item) => {
                let mut file = SharedFile::new(ContentId(ticket.0), &item.title, item.size);
                file.root = item.root.and_then(|root| root.first_chunk().copied());
                Command::Share(file)
            }
            discovery::Command::Withdraw(ticket) => Command::Unshare(ContentId(ticket.0)),
            discovery::Command::Find(ticket, Query { words, limit, timeout }) => {
                Command::Find(ticket, Search { limit, timeout, ..Search::for_words(words) })
            }
            discovery::Command::Cancel(ticket) => Command::Cancel(ticket),
        }
    }
}
