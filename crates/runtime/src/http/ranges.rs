//! Orders for ranges of one copy, filled by fetches on one connection.
//!
//! A range is fetched in parts of [`PART`], two at a time so that no round trip is lost: that bounds what is held of
//! what nobody has taken yet. While a source has us wait, our place is kept for the next order that goes on there.

use super::Carrier;
use super::hold::{Piece, content_of};
use crate::fetch::{Order, RangeError, Said};
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use throng_overlay::http::{Command, Fetch, FetchError, FetchId, Source, SourceId};
use tokio::sync::{Notify, mpsc};

/// Bytes of a part; 1 MiB, as gtk-gnutella asks for.
const PART: u64 = 1 << 20;
/// Parts under way at once.
const AHEAD: usize = 2;
/// Too many transfers at once: there is room again after about this.
const CROWDED: Duration = Duration::from_secs(20);
/// Who was called too often bans for this long at first.
const BANNED: Duration = Duration::from_secs(300);

/// Fills orders until the desk is closed.
pub(super) async fn serve<C: Carrier>(carrier: C, from: Source, mut orders: mpsc::Receiver<Order>) {
    let source = carrier.hold(|hold| hold.new_source());
    let (told, said) = (Rc::default(), Arc::default());
    let mut filler = Filler { carrier, from, source, told, parts: VecDeque::new(), said };
    while let Some(Order { range, into, said, mut done }) = orders.recv().await {
        filler.said = said;
        let filled = tokio::select! {
            filled = filler.fill(range, &into) => Some(filled),
            () = done.closed() => None,
        };
        match filled {
            // Who gave up meanwhile does not want to know.
            Some(filled) => _ = done.send(filled),
            None => filler.stop(),
        }
    }
    filler.stop();
    filler.carrier.files(Command::Release(source));
}

/// A fetch under way.
struct Part {
    id: FetchId,
    /// The bytes that have not been taken.
    left: Range<u64>,
}

struct Filler<C: Carrier> {
    carrier: C,
    from: Source,
    source: SourceId,
    told: Rc<Notify>,
    /// In the order of the file.
    parts: VecDeque<Part>,
    /// Where the download looks for what the source says.
    said: Arc<Mutex<Said>>,
}

impl<C: Carrier> Filler<C> {
    async fn fill(&mut self, range: Range<u64>, into: &mpsc::Sender<Bytes>) -> Result<(), RangeError> {
        if self.from.size.is_some_and(|size| range.end > size) {
            return Err(RangeError::NotThere);
        }
        // What still comes of an order given up is of use only if it is what is wanted now.
        let goes_on = self.parts.front().is_some_and(|part| part.left.start == range.start);
        if !goes_on || self.parts.back().is_some_and(|part| part.left.end > range.end) {
            self.stop();
        }
        let mut next = range.start;
        while next < range.end {
            self.ask_ahead(next, range.end);
            let bytes = self.bytes().await.inspect_err(|error| {
                if !matches!(error, RangeError::Busy { .. }) {
                    tracing::debug!(%error, "a part did not come");
                }
            });
            let bytes = match bytes {
                // Our place in the queue is kept.
                Err(busy @ RangeError::Busy { .. }) if !self.parts.is_empty() => return Err(busy),
                Err(error) => {
                    self.stop();
                    return Err(error);
                }
                Ok(bytes) => bytes,
            };
            next += bytes.len() as u64;
            into.send(bytes).await.map_err(|_| RangeError::Broken("nobody wants it any more".into()))?;
        }
        // The last part has told that it is over, or will.
        self.stop();
        Ok(())
    }

    /// Parts from `next` on are under way, as many as may be.
    fn ask_ahead(&mut self, next: u64, end: u64) {
        let mut at = self.parts.back().map_or(next, |part| part.left.end);
        while self.parts.len() < AHEAD && at < end {
            let range = at..end.min(at + PART);
            let id = self.carrier.hold(|hold| hold.expect(&self.told));
            let (source, from, content) = (self.source, self.from.clone(), content_of(id));
            at = range.end;
            self.parts.push_back(Part { id, left: range.clone() });
            self.carrier.files(Command::Fetch(Box::new(Fetch { id, source, from, range, content })));
        }
    }

    /// The next bytes, in the order of the file.
    async fn bytes(&mut self) -> Result<Bytes, RangeError> {
        loop {
            let Some(part) = self.parts.front_mut() else {
                return Err(RangeError::Broken("nothing was asked for".into()));
            };
            match self.carrier.hold(|hold| hold.take(part.id)) {
                Some(Piece::Bytes(bytes)) => {
                    part.left.start += bytes.len() as u64;
                    if part.left.is_empty() {
                        self.end_front();
                    }
                    return Ok(bytes);
                }
                Some(piece @ (Piece::Parts(_) | Piece::Others(_))) => self.hear(piece),
                Some(Piece::Queued(position, retry_after)) => {
                    return Err(RangeError::Busy { retry_after, position });
                }
                Some(Piece::Ended(Err(error))) => {
                    self.end_front();
                    return Err(failure(error));
                }
                Some(Piece::Ended(Ok(())) | Piece::Tree(..) | Piece::List(_)) => self.end_front(),
                None => self.told.notified().await,
            }
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the source says of itself and of others.
    fn hear(&self, piece: Piece) {
        match piece {
            Piece::Parts(parts) => self.said().parts = parts,
            Piece::Others(others) => self.said().others = others,
            _ => {}
        }
    }

    /// What was said is told after the bytes that came with it, the last of the part perhaps.
    fn end_front(&mut self) {
        if let Some(part) = self.parts.pop_front() {
            while let Some(piece) = self.carrier.hold(|hold| hold.take(part.id)) {
                self.hear(piece);
            }
            self.carrier.hold(|hold| hold.forget(part.id));
        }
    }

    /// Nothing that was asked for is wanted any more.
    fn stop(&mut self) {
        // The last first: the one that is being sent goes with its connection.
        while let Some(part) = self.parts.pop_back() {
            self.carrier.files(Command::Cancel(part.id));
            self.carrier.hold(|hold| hold.forget(part.id));
        }
    }
}

fn failure(error: FetchError) -> RangeError {
    match error {
        FetchError::Busy => RangeError::Busy { retry_after: CROWDED, position: None },
        FetchError::TooBusy(retry_after) => RangeError::Busy { retry_after, position: None },
        FetchError::Refused(429) => RangeError::Busy { retry_after: BANNED, position: None },
        FetchError::NotAvailable => RangeError::NotThere,
        FetchError::Unreachable | FetchError::NotPushed | FetchError::Interrupted | FetchError::TimedOut => {
            RangeError::Broken(error.to_string())
        }
        FetchError::NoWay
        | FetchError::NotFound
        | FetchError::Refused(_)
        | FetchError::AnotherFile
        | FetchError::Violation
        | FetchError::BadTree => RangeError::Gone(error.to_string()),
    }
}
