//! What the node asks of each overlay it has joined, in the words all of them share.

use super::hits;
use super::report::SystemStatus;
use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;
use throng_machine::ContentId;
use throng_overlay::chord::{Failure, Put, Want};
use throng_overlay::discovery::{self, Item, Source, Ticket};
use throng_runtime::fetch::RangeSource;
use throng_runtime::ring::{Got, Kept};
use tokio::sync::mpsc::UnboundedSender;

/// Work on the node's thread.
pub(crate) type LocalWork<T> = Pin<Box<dyn Future<Output = T>>>;

/// One overlay the node takes part in, from the moment it begins to join. It lives on the node's thread and tells its
/// news through the [`Teller`] it was started with.
pub(crate) trait System {
    /// Its name, as `--in` and the status have it.
    fn name(&self) -> &'static str;
    /// All that a person may want to see.
    fn status(&self) -> SystemStatus;
    /// Leave, withdraw, find, cancel; what comes of it is told as [`News::Discovery`].
    fn command(&self, command: discovery::Command);
    /// Makes a file of the library findable, and serves it, until it is withdrawn; told as with a command.
    fn publish(&self, ticket: Ticket, file: &Rc<Offer>) {
        self.command(discovery::Command::Publish(ticket, file.item.clone()));
    }
    /// Makes a folder findable as a whole, where the system has a notion of that; its files are published each.
    fn publish_folder(&self, _ticket: Ticket, _folder: &Item) {}
    /// Whether it can be searched.
    fn searches(&self) -> bool {
        true
    }
    /// Whether it says when a search is over; a flood has only time.
    fn ends_searches(&self) -> bool {
        true
    }
    /// Whether a source of this system is there, where the system has a way of its own to ask; `None` if that is not
    /// known.
    fn check(&self, _source: &Source) -> LocalWork<Option<bool>> {
        Box::pin(async { None })
    }
    /// The way to the bytes of a copy that this system found; `None` if it is not of this system, or is of the swarm.
    fn source(&self, _item: &Item, _source: &Source) -> Option<Box<dyn RangeSource>> {
        None
    }
    /// The level of its tiger tree that a copy's holder tells, checked up to its root; `None` if it tells none.
    fn tree(&self, _item: &Item, _source: &Source) -> LocalWork<Option<Vec<[u8; 24]>>> {
        Box::pin(async { None })
    }
    /// Serves parts of a file that is being fetched, where the system can; they were checked. Nobody is told of it but
    /// those it is fetched from.
    fn share_parts(&self, _file: &Rc<Offer>, _parts: Vec<Range<u64>>) {}
    /// There is more of such a file now.
    fn set_parts(&self, _content: ContentId, _parts: Vec<Range<u64>>) {}
    /// Serves it no longer.
    fn unshare_parts(&self, _content: ContentId) {}
    /// The magnet link of a copy, if its holder is a node of ours and says one.
    fn magnet(&self, _source: &Source) -> LocalWork<Option<Magnet>> {
        Box::pin(async { None })
    }
    /// The overlay as a database of (key, value) pairs, if it is one.
    fn database(&self) -> Option<&dyn Database>;
    /// Brings to the disk what is to outlive the process.
    fn close(&self) -> LocalWork<()>;
}

/// A holder's magnet link for a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Magnet {
    /// It says where the holder's swarms are reached, too.
    pub(crate) link: String,
    /// What the pieces root of its file must begin with, where the hit said so.
    pub(crate) root_begins: Option<[u8; 16]>,
}

/// A file of the library as systems share it.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "the systems that serve files come beside it")]
pub(crate) struct Offer {
    /// Its name for strangers, size and all hashes.
    pub(crate) item: Item,
    /// Where it lies. It may have gone or changed: whoever serves it looks at size and time first.
    pub(crate) path: PathBuf,
    /// When it was last changed as it was hashed.
    pub(crate) modified: SystemTime,
    /// A level of its tiger tree: the one Gnutella serves for its size; empty if it has no tree.
    pub(crate) tiger_level: Arc<[[u8; 24]]>,
    /// Names it in every system of this node.
    pub(crate) content: ContentId,
}

impl Offer {
    /// Its magnet link, for nodes of ours.
    pub(crate) fn magnet(&self) -> String {
        hits::magnet(&self.item).map(|magnet| magnet.to_string()).unwrap_or_default()
    }
}

/// An overlay that keeps values under names.
pub(crate) trait Database {
    /// Stores; done once the write quorum has it.
    fn put(&self, put: Put) -> LocalWork<Result<Kept, Failure>>;
    /// Reads.
    fn get(&self, want: Want) -> LocalWork<Result<Got, Failure>>;
}

/// What a system tells the node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// Of joining, leaving, publications and searches.
    Discovery(discovery::Event),
    /// It has lost everyone it knew and looks for them again.
    Isolated,
    /// A line that a person may want to act on.
    Notice(String),
    /// Somebody has connected for a swarm whose torrent rests.
    Called([u8; 20]),
}

/// News with the name of the system they are of.
pub(crate) type Told = (&'static str, News);

/// Tells the node news under the system's name.
#[derive(Clone)]
pub(crate) struct Teller {
    name: &'static str,
    news: UnboundedSender<Told>,
}

impl Teller {
    pub(crate) fn new(name: &'static str, news: UnboundedSender<Told>) -> Teller {
        Teller { name, news }
    }

    pub(crate) fn tell(&self, news: News) {
        // Nobody listens any more at the end of the program.
        let _ = self.news.send((self.name, news));
    }
}
