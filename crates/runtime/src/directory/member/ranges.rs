//! Ranges of one copy: each order becomes a part of a download, and orders in a row one connection.
//!
//! The protocol sends from an offset to the end of the file, and cannot be slowed down but by closing. So a part goes
//! [`AHEAD`] beyond its order, for the next one to go on with, and never more than [`WINDOW`] beyond what was taken:
//! that bounds what is held. Uploaders that send from the first byte whatever they are asked (P2) are found out by
//! comparing with the file's first bytes, and what comes before the range is thrown away.

use super::Member;
use super::copy::Copy;
use super::floor::Piece;
use crate::fetch::{Order, RangeError};
use bytes::Bytes;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;
use throng_overlay::directory::client::{Command, DownloadError, DownloadId, Part};
use tokio::sync::{Notify, mpsc};

/// Bytes asked for beyond an order.
const AHEAD: u64 = 256 << 10;
/// Bytes asked for beyond those that were taken.
const WINDOW: u64 = 4 << 20;
/// Bytes of the file's beginning that tell whether an uploader minds offsets.
const HEAD: u64 = 64;
/// A user whose queue stayed full is asked again after this.
const FULL: Duration = Duration::from_secs(600);
/// A client with too many downloads has room again after about this.
const CROWDED: Duration = Duration::from_secs(20);

/// Fills orders until the desk is closed.
pub(super) async fn serve(member: Member, copy: Copy, mut orders: mpsc::Receiver<Order>) {
    let mut filler = Filler { member, copy, run: None, minds: None };
    while let Some(Order { range, into, mut done, .. }) = orders.recv().await {
        let filled = tokio::select! {
            filled = filler.fill(range, &into) => Some(filled),
            () = done.closed() => None,
        };
        if let Some(filled) = filled {
            // Who gave up meanwhile does not want to know.
            let _ = done.send(filled);
        }
    }
    filler.stop();
}

/// Ends a download, whether it is over or not.
pub(super) fn drop_download(member: &Member, number: u32) {
    member.command(Command::CancelDownload(DownloadId(number)));
    member.driver.with_app(|floor, _| floor.forget(number));
}

/// A download under way.
struct Run {
    number: u32,
    told: Rc<Notify>,
    /// Its first byte.
    from: u64,
    /// The next byte of the file to be taken.
    at: u64,
    /// Where the part ends.
    to: u64,
}

struct Filler {
    member: Member,
    copy: Copy,
    run: Option<Run>,
    /// Whether the uploader minds offsets, once that is known.
    minds: Option<bool>,
}

impl Filler {
    async fn fill(&mut self, range: Range<u64>, into: &mpsc::Sender<Bytes>) -> Result<(), RangeError> {
        if range.end > self.copy.size && self.copy.size > 0 {
            return Err(RangeError::NotThere);
        }
        let mut next = range.start;
        while next < range.end {
            self.reach(next, range.end).await?;
            let Some(mut bytes) = self.bytes().await? else {
                // The part was over, as it came faster than it was taken; the file is not.
                continue;
            };
            let wanted = usize::try_from(range.end - next).unwrap_or(usize::MAX);
            if bytes.len() > wanted {
                self.give_back(bytes.split_off(wanted));
            }
            next += bytes.len() as u64;
            into.send(bytes).await.map_err(|_| RangeError::Broken("nobody wants it any more".into()))?;
        }
        Ok(())
    }

    /// There is a download whose next byte is `next`, which goes on to `end` and somewhat beyond.
    async fn reach(&mut self, next: u64, end: u64) -> Result<(), RangeError> {
        let to = (end + AHEAD).min(next + WINDOW);
        if let Some(run) = self.run.as_mut().filter(|run| run.at == next) {
            // Not for every few bytes.
            if run.to < end && run.to < next + WINDOW / 2 {
                run.to = to;
                self.member.command(Command::Extend(DownloadId(run.number), to));
            }
            return Ok(());
        }
        if next > 0 && self.minds.is_none() {
            self.try_offset(next).await?;
            return Box::pin(self.reach(next, end)).await;
        }
        if self.minds == Some(false) {
            self.begin(0, to);
            return self.skip(next).await;
        }
        self.begin(next, to);
        Ok(())
    }

    /// Finds out whether the uploader minds offsets: what comes from `next` on must not be the file's beginning.
    async fn try_offset(&mut self, next: u64) -> Result<(), RangeError> {
        let head = self.exactly(0, HEAD).await?;
        let there = self.exactly(next, HEAD).await?;
        self.minds = Some(!head.starts_with(&there));
        if self.minds == Some(true) {
            self.give_back(there);
        } else {
            self.stop();
        }
        Ok(())
    }

    /// So many bytes from there on, or to the end of the file.
    async fn exactly(&mut self, from: u64, count: u64) -> Result<Bytes, RangeError> {
        let end = if self.copy.size > 0 { (from + count).min(self.copy.size) } else { from + count };
        self.begin(from, if from == 0 { end } else { end + AHEAD });
        let mut held = Vec::new();
        while (held.len() as u64) < end - from {
            let bytes = self.bytes().await?.ok_or(RangeError::NotThere)?;
            held.extend_from_slice(&bytes);
        }
        let mut held = Bytes::from(held);
        let more = held.split_off((end - from) as usize);
        if !more.is_empty() {
            self.give_back(more);
        }
        Ok(held)
    }

    /// Throws away what comes before `next`.
    async fn skip(&mut self, next: u64) -> Result<(), RangeError> {
        while let Some(at) = self.run.as_ref().map(|run| run.at).filter(|at| *at < next) {
            let mut bytes = self.bytes().await?.ok_or(RangeError::NotThere)?;
            if bytes.len() as u64 > next - at {
                self.give_back(bytes.split_off((next - at) as usize));
            }
        }
        Ok(())
    }

    fn begin(&mut self, from: u64, to: u64) {
        self.stop();
        let (number, told) = self.member.driver.with_app(|floor, _| floor.expect());
        let download = self.copy.part(number, Part { from, to }, false);
        self.run = Some(Run { number, told, from, at: from, to });
        self.member.command(Command::Download(Box::new(download)));
    }

    fn stop(&mut self) {
        if let Some(run) = self.run.take() {
            drop_download(&self.member, run.number);
        }
    }

    /// Bytes that are to be taken again, the last first.
    fn give_back(&mut self, bytes: Bytes) {
        if let Some(run) = &mut self.run {
            run.at -= bytes.len() as u64;
            self.member.driver.with_app(|floor, _| floor.put_back(run.number, bytes));
        }
    }

    /// The next bytes; `None` once all of the part have been taken.
    async fn bytes(&mut self) -> Result<Option<Bytes>, RangeError> {
        loop {
            let Some(run) = &mut self.run else { return Ok(None) };
            match self.member.driver.with_app(|floor, _| floor.take(run.number)) {
                Some(Piece::Bytes(bytes)) => {
                    run.at += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                // The client goes on asking, and keeps our place.
                Some(Piece::Queued(wait)) => {
                    return Err(RangeError::Busy { retry_after: wait, position: None });
                }
                Some(Piece::Link(..)) => {}
                Some(Piece::Ended(Ok(()))) => {
                    let empty = run.at == run.from;
                    self.stop();
                    return if empty { Err(RangeError::NotThere) } else { Ok(None) };
                }
                Some(Piece::Ended(Err(error))) => {
                    self.stop();
                    return Err(failure(error));
                }
                None => run.told.notified().await,
            }
        }
    }
}

fn failure(error: DownloadError) -> RangeError {
    use DownloadError::*;
    let gone = |reason: &str| RangeError::Gone(reason.to_owned());
    match error {
        Busy => RangeError::Busy { retry_after: CROWDED, position: None },
        QueueFull => RangeError::Busy { retry_after: FULL, position: None },
        NotJoined => gone("the directory is not one we are in"),
        NotAvailable => gone("the user has left or does not share it"),
        BothFirewalled => gone("neither the user nor this node can be called"),
        BadAddress => gone("the directory gave an address that must not be called"),
        Refused(refusal) => gone(&format!("refused: {}", String::from_utf8_lossy(refusal.text()))),
        SizeChanged(size) => gone(&format!("the file has {size} bytes now")),
        Violation => gone("the user does not keep to the protocol"),
        Unwritable => gone("its name cannot be asked for"),
        TimedOut => RangeError::Broken("no answer".into()),
        Unreachable => RangeError::Broken("the user cannot be reached".into()),
        Interrupted => RangeError::Broken("closed too early".into()),
    }
}
