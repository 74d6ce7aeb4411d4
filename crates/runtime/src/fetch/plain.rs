//! A file without a torrent: several sources at once, going on after a restart, verified by what is known of it.
//!
//! Of a file with a level of its tiger tree each block is checked when it is here, and who sent a wrong one is dropped.
//! With only a SHA-1 or the tree's root the whole is checked at the end; if it is wrong and several sources sent it, it
//! is fetched from one of them alone, until one is right: then those whose blocks differ are known to have lied.
//! With nothing to prove it the file is complete and said to be unverified.

mod carry;
mod judge;
mod tree;
mod work;

use super::RangeSource;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::LocalSet;
use work::Work;

/// What is to be fetched, and what is known that could prove it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlainWish {
    /// Bytes.
    pub size: u64,
    /// SHA-1 of the whole.
    pub sha1: Option<[u8; 20]>,
    /// Root of the tiger tree.
    pub tiger: Option<[u8; 24]>,
    /// A level of it, from the first bytes to the last; used if it leads to the root. Empty if not known.
    pub tiger_level: Vec<[u8; 24]>,
    /// FTHash: weak, since it covers parts only.
    pub ft_hash: Option<[u8; 20]>,
}

/// How a file was found to be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlainProof {
    /// By its tiger tree.
    TigerTree,
    /// By SHA-1 of the whole.
    Sha1,
    /// By FTHash alone.
    FtHash,
    /// Not at all: nothing was known.
    Unverified,
}

/// What it is doing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum PlainState {
    /// Bytes come, or are waited for.
    #[default]
    Fetching,
    /// All is here and being checked.
    Checking,
    /// It is here.
    Complete(PlainProof, PathBuf),
    /// It was stopped.
    Paused,
    /// It cannot go on; why, for people.
    Failed(String),
}

/// A source as a person wants to see it.
pub use crate::session::SourceReport as PlainSource;

/// How it stands.
#[derive(Clone, Debug, Default)]
pub struct PlainSnapshot {
    /// What it is doing.
    pub state: PlainState,
    /// Bytes here.
    pub done: u64,
    /// What is here and was checked block by block, in order; nothing where blocks cannot be checked.
    pub checked: Vec<Range<u64>>,
    /// Where it lies while it grows.
    pub path: PathBuf,
    /// Others who have the file, as sources say.
    pub others: Vec<SocketAddr>,
    /// Bytes received in this run.
    pub downloaded: u64,
    /// Bytes a second, over all sources.
    pub rate: u64,
    /// Bytes that were wrong or came twice.
    pub wasted: u64,
    /// Sources, dropped ones included.
    pub sources: Vec<PlainSource>,
    /// Lines a person should know, the oldest first.
    pub notices: Vec<String>,
}

/// A download under way; it ends with the last handle, and goes on from there when it is started again.
#[derive(Clone, Debug)]
pub struct PlainDownload {
    orders: UnboundedSender<Order>,
    snapshots: watch::Receiver<PlainSnapshot>,
}

enum Order {
    Source(Box<dyn RangeSource>),
    Run(bool),
}

impl PlainDownload {
    /// Begins, or goes on, on a thread of its own; the file gets a safe form of `name` in `folder`.
    pub fn start(wish: PlainWish, folder: &Path, name: &str, running: bool) -> io::Result<PlainDownload> {
        let (orders, inbox) = unbounded_channel();
        let (publish, snapshots) = watch::channel(PlainSnapshot::default());
        let (folder, name) = (folder.to_owned(), name.to_owned());
        std::thread::Builder::new().name("throng-fetch".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            let work = async {
                match Work::open(wish, (&folder, &name), publish.clone()) {
                    Ok(mut work) => {
                        work.running = running;
                        work.run(inbox).await;
                    }
                    Err(error) => {
                        let reason = format!("cannot write in {}: {error}", folder.display());
                        publish.send_modify(|snapshot| snapshot.state = PlainState::Failed(reason));
                    }
                }
            };
            LocalSet::new().block_on(&runtime, work);
            runtime.shutdown_background();
        })?;
        Ok(PlainDownload { orders, snapshots })
    }

    /// Uses one more source.
    pub fn add_source(&self, source: Box<dyn RangeSource>) {
        let _ = self.orders.send(Order::Source(source));
    }

    /// Stops or continues.
    pub fn run(&self, run: bool) {
        let _ = self.orders.send(Order::Run(run));
    }

    /// How it stands now.
    pub fn snapshot(&self) -> PlainSnapshot {
        self.snapshots.borrow().clone()
    }

    /// Snapshots as they come.
    pub fn snapshots(&self) -> watch::Receiver<PlainSnapshot> {
        self.snapshots.clone()
    }
}
