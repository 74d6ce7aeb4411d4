//! What the servent or the application may ask.

use std::ops::Range;

use throng_machine::{ContentId, Endpoint, StreamId};
use throng_wire::gnutella::{Guid, tiger};
use throng_wire::http::Target;

use super::shares::Shared;

/// Names a fetch of the application.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FetchId(pub u32);

/// Names a source of the application: fetches from one source share a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(pub u32);

/// How a source that cannot be called is asked to call us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PushBy {
    /// By its servent id; it says `GIV`.
    Servent {
        /// Its servent id.
        servent: Guid,
        /// The file's number there.
        index: u32,
        /// Who passes a push on.
        proxies: Vec<Endpoint>,
    },
    /// By a number that we choose; it says `GIVE`.
    Number {
        /// Where it says it listens.
        at: Endpoint,
        /// Its supernode, which passes a push on.
        supernode: Endpoint,
        /// Its name.
        user: Vec<u8>,
    },
}

/// Who has a file, and what it is called there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Where it can be called.
    pub address: Option<Endpoint>,
    /// How it can be asked to call.
    pub push: Option<PushBy>,
    /// What to ask for.
    pub target: Target,
    /// Bytes of the whole file; a source that says otherwise has another file.
    pub size: Option<u64>,
    /// SHA-1 of the whole file; a source that says otherwise has another file.
    pub sha1: Option<[u8; 20]>,
}

/// A range of a file to be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// Names it.
    pub id: FetchId,
    /// Whose connection it uses.
    pub source: SourceId,
    /// Where from.
    pub from: Source,
    /// Which bytes of the file; not none.
    pub range: Range<u64>,
    /// Where they belong, each at its own offset.
    pub content: ContentId,
}

/// A tiger tree to be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchTree {
    /// Names it.
    pub id: FetchId,
    /// Whose connection it uses.
    pub source: SourceId,
    /// Where from; its target names the tree, its size is known.
    pub from: Source,
    /// The root that it must have.
    pub root: tiger::Hash,
}

/// What may be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Serve a file.
    Share(Box<Shared>),
    /// Serve it no longer; who is fetching it is cut off.
    Unshare(ContentId),
    /// These parts of a file can be served; `None` all of it.
    SetAvailable(ContentId, Option<Vec<Range<u64>>>),
    /// A source of this file has delivered verified data (true), or has failed (false).
    Judge(ContentId, Endpoint, bool),
    /// Fetch a range.
    Fetch(Box<Fetch>),
    /// Fetch a tree.
    FetchTree(Box<FetchTree>),
    /// Fetch the list of all that a host shares, as Gnutella hits.
    Browse(FetchId, SourceId, Endpoint),
    /// Not any more; nothing is told of it again.
    Cancel(FetchId),
    /// The source is not needed any more: hang up.
    Release(SourceId),
    /// Somebody asked us to call with a file (`PUSH`): say `GIV`, then serve.
    CallWith(Endpoint, u32),
    /// The same for FastTrack: say `GIVE` and that number.
    CallWithNumber(Endpoint, u32),
    /// Whether a push could be passed on; answers [`super::Event::PushProxyAsked`].
    PushPassed(StreamId, bool),
    /// Where we can be called, as far as we know; `None` if we cannot.
    SetAddress(Option<Endpoint>),
    /// Choices that may change: upload slots and whether the list of all files is served.
    SetServing(u32, bool),
}
