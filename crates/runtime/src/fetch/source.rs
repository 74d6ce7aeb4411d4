//! What a download asks of a source, and what it is told.

use bytes::Bytes;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;

/// A fetch under way.
pub type Ranging<'a> = Pin<Box<dyn Future<Output = Result<(), RangeError>> + Send + 'a>>;

/// What a source says beside the bytes; none of it is proved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    /// The parts that it has, in order; `None` all, as far as is known.
    pub parts: Option<Vec<Range<u64>>>,
    /// Others who have the file.
    pub others: Vec<SocketAddr>,
}

/// One place that has one file, or parts of it.
pub trait RangeSource: Send + 'static {
    /// What a person calls it, like `web seed http://example.org/a` or `gnutella 192.0.2.1:6346`.
    fn name(&self) -> String;

    /// What it said of itself and of others with its last replies.
    fn said(&self) -> Said {
        Said::default()
    }

    /// Fetches bytes of the file into `into`, in order and no more than asked for; on an error those that were sent
    /// before it count. Dropping the future gives up. Nothing of what comes is verified here.
    fn fetch(&mut self, range: Range<u64>, into: mpsc::Sender<Bytes>) -> Ranging<'_>;
}

/// Why a range did not come, or not all of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RangeError {
    /// The source is busy: ask again after that time; at that place of its queue, if it says so.
    #[error("busy")]
    Busy {
        /// When to ask again.
        retry_after: Duration,
        /// The place in its queue, from 1.
        position: Option<u32>,
    },
    /// The connection broke or nothing came in time; it may work again.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// It has not these bytes (it may have others).
    #[error("it does not have this part")]
    NotThere,
    /// It does not have the file, is of another size, or refused for good: do not ask again.
    #[error("{0}")]
    Gone(String),
}
