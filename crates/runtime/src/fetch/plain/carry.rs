//! One source at its work: a run after the other, each as long as it is wanted.

use super::super::{RangeError, RangeSource, Said};
use bytes::Bytes;
use std::ops::Range;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{mpsc, oneshot, watch};

/// Parts of a range on their way.
const UNDER_WAY: usize = 4;

/// What sources tell.
pub(super) enum News {
    Data(u32, Bytes, oneshot::Sender<()>),
    Said(u32, Said),
    Ended(u32, u64, Result<(), RangeError>),
    /// It may be asked again; also for what it had not before, if so.
    Ready(u32, bool),
}

/// Fetches a run, or as much of it as is still wanted.
pub(super) async fn carry_out(
    id: u32,
    source: &mut dyn RangeSource,
    (range, mut limit): (Range<u64>, watch::Receiver<u64>),
    news: &UnboundedSender<News>,
) -> (u64, Result<(), RangeError>) {
    let (mut at, end) = (range.start, range.end);
    let start = at;
    let (into, mut parts) = mpsc::channel(UNDER_WAY);
    let mut fetching = source.fetch(range, into);
    let mut outcome = None;
    loop {
        if at >= *limit.borrow() {
            return (at - start, Ok(()));
        }
        tokio::select! {
            biased;
            part = parts.recv() => match part {
                Some(part) => {
                    at += part.len() as u64;
                    let (go, wait) = oneshot::channel();
                    let _ = news.send(News::Data(id, part, go));
                    // Dropped without a word: nobody wants more.
                    if wait.await.is_err() {
                        return (at - start, Ok(()));
                    }
                }
                None if outcome.is_some() => break,
                None => outcome = Some(fetching.as_mut().await),
            },
            done = &mut fetching, if outcome.is_none() => outcome = Some(done),
            changed = limit.changed() => if changed.is_err() {
                return (at - start, Ok(()));
            },
        }
    }
    match outcome {
        Some(Ok(())) if at < end => (at - start, Err(RangeError::Broken("it ended in the middle".into()))),
        Some(outcome) => (at - start, outcome),
        None => (at - start, Ok(())),
    }
}
