//! What a download asks of a source, and what it is told.

use super::RangeError;
use bytes::Bytes;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::Pin;
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
