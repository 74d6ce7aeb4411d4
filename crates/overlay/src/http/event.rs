//! What the servent or the application is told.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use throng_machine::{ContentId, Endpoint, StreamId};
use throng_wire::gnutella::{Guid, tiger};

use super::command::{FetchId, PushBy};
use super::mesh::Alternates;
use super::violation::Violation;

/// Why a fetch is over; what was placed before stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    /// Too many fetches or sources at once, or a range of nothing.
    #[error("too many transfers at once")]
    Busy,
    /// Neither an address nor a way to have it call.
    #[error("the source cannot be reached: it has no address and no push proxy")]
    NoWay,
    /// It does not answer.
    #[error("the source does not answer")]
    Unreachable,
    /// It was asked to call and did not.
    #[error("the source was asked to call and did not")]
    NotPushed,
    /// It does not have the file.
    #[error("the source does not have the file")]
    NotFound,
    /// It does not have these bytes yet.
    #[error("the source does not have these bytes yet")]
    NotAvailable,
    /// Its queue is full, or we are asked to wait too long or too often; it names the wait.
    #[error("the source is busy; it asks to be left alone for {} s", .0.as_secs())]
    TooBusy(Duration),
    /// It refuses, with this status.
    #[error("the source refuses with status {0}")]
    Refused(u16),
    /// It has a file of another size or hash.
    #[error("the source has another file under this name")]
    AnotherFile,
    /// It broke the protocol.
    #[error("the source does not keep to the protocol")]
    Violation,
    /// The connection was lost.
    #[error("the connection was lost")]
    Interrupted,
    /// It did not answer, or sent hardly anything, for too long.
    #[error("the source is silent")]
    TimedOut,
    /// The tree does not lead to the root, or is no tree.
    #[error("the source's hash tree is wrong")]
    BadTree,
}

/// What a source says of a file, with its first reply.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Description {
    /// Bytes of the whole file.
    pub size: Option<u64>,
    /// Root of the tiger tree that it serves.
    pub tiger_root: Option<tiger::Hash>,
    /// Magnet link: the source is one of our nodes.
    pub magnet: Option<String>,
    /// What it has of the file; `None` all of it.
    pub available: Option<Vec<Range<u64>>>,
    /// Its program.
    pub agent: Option<String>,
}

/// What is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// What the source says of the file.
    Described(FetchId, Box<Description>),
    /// All bytes of the range are placed; nothing has verified them.
    Fetched(FetchId),
    /// We wait at that place, if it is known, for so long.
    FetchQueued(FetchId, Option<u32>, Duration),
    /// The fetch is over; bytes of the range placed, from its beginning.
    FetchFailed(FetchId, FetchError, u64),
    /// The tree, checked up to its root: its lowest level, and how many leaves each hash of it covers as a power of
    /// two.
    TreeFetched(FetchId, Vec<tiger::Hash>, u32),
    /// All that a host shares, as a row of Gnutella hits.
    Browsed(FetchId, Bytes),
    /// Who else has the file, as a source says: not proved.
    Alternates(FetchId, Box<Alternates>),
    /// Who else has a file of ours, as one who fetches it says: not proved.
    Heard(ContentId, Box<Alternates>),
    /// Have a source call us, by whatever way there is, for this fetch; one that is known by a number must say this.
    PushWanted(FetchId, PushBy, u32),
    /// Somebody asks to have a servent call them (address proved by the connection): pass it on if there is a way,
    /// and answer with [`super::Command::PushPassed`].
    PushProxyAsked(StreamId, Guid, u32, Endpoint),
    /// An upload begins: content, to whom, bytes.
    Uploading(ContentId, Endpoint, Range<u64>),
    /// These bytes have left.
    Uploaded(ContentId, Endpoint, Range<u64>),
    /// An upload ended too early; so many bytes had left.
    UploadFailed(ContentId, Endpoint, u64),
    /// A file cannot be shared: there are too many, or its number is taken.
    NotShared(ContentId),
    /// A peer did what it must not.
    Misbehaved(Endpoint, Violation),
}
