//! What is small enough to be fetched whole: tiger trees, and lists of all that a host shares.

use super::Carrier;
use super::hold::Piece;
use bytes::Bytes;
use std::rc::Rc;
use throng_machine::Endpoint;
use throng_overlay::http::{Command, FetchError, FetchId, FetchTree, Source, SourceId};
use throng_wire::gnutella::tiger;
use tokio::sync::Notify;

/// One such fetch; gives all back when it is dropped.
struct Once<C: Carrier> {
    carrier: C,
    id: FetchId,
    source: SourceId,
    told: Rc<Notify>,
}

impl<C: Carrier> Once<C> {
    fn begin(carrier: &C, command: impl FnOnce(FetchId, SourceId) -> Command) -> Once<C> {
        let told = Rc::default();
        let (id, source) = carrier.hold(|hold| (hold.expect(&told), hold.new_source()));
        carrier.files(command(id, source));
        Once { carrier: carrier.clone(), id, source, told }
    }

    /// The next piece that is not about waiting.
    async fn piece(&self) -> Piece {
        loop {
            match self.carrier.hold(|hold| hold.take(self.id)) {
                Some(Piece::Queued(..) | Piece::Parts(_) | Piece::Others(_)) => {}
                Some(piece) => return piece,
                None => self.told.notified().await,
            }
        }
    }
}

impl<C: Carrier> Drop for Once<C> {
    fn drop(&mut self) {
        self.carrier.files(Command::Cancel(self.id));
        self.carrier.files(Command::Release(self.source));
        self.carrier.hold(|hold| hold.forget(self.id));
    }
}

/// The tiger tree of a source's file with that root, checked up to it: its lowest level, and how many leaves each
/// of its hashes covers as a power of two.
///
/// # Errors
/// Those of any fetch; [`FetchError::BadTree`] if it does not lead to the root.
pub async fn tree<C: Carrier>(
    carrier: &C,
    from: Source,
    root: tiger::Hash,
) -> Result<(Vec<tiger::Hash>, u32), FetchError> {
    let once =
        Once::begin(carrier, |id, source| Command::FetchTree(Box::new(FetchTree { id, source, from, root })));
    match once.piece().await {
        Piece::Tree(level, height) => Ok((level, height)),
        Piece::Ended(Err(error)) => Err(error),
        _ => Err(FetchError::BadTree),
    }
}

/// All that a host shares, as a row of Gnutella hits.
///
/// # Errors
/// Those of any fetch.
pub async fn browse<C: Carrier>(carrier: &C, at: Endpoint) -> Result<Bytes, FetchError> {
    let once = Once::begin(carrier, |id, source| Command::Browse(id, source, at));
    match once.piece().await {
        Piece::List(list) => Ok(list),
        Piece::Ended(Err(error)) => Err(error),
        _ => Err(FetchError::Violation),
    }
}
