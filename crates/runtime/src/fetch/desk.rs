//! A source whose work is done on another thread: machines and their sockets live on the node's, downloads elsewhere.

use super::RangeError;
use super::source::{RangeSource, Ranging, Said};
use bytes::Bytes;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// One range that a download waits for; dropping it tells the download that the source is gone.
#[derive(Debug)]
pub struct Order {
    /// Bytes of the file.
    pub range: Range<u64>,
    /// Where they go, in order; closed when the download gives up.
    pub into: mpsc::Sender<Bytes>,
    /// What the source says meanwhile, for the download to look at when the order is over.
    pub said: Arc<Mutex<Said>>,
    /// Where the outcome goes.
    pub done: oneshot::Sender<Result<(), RangeError>>,
}

/// The download's side: passes each range on as an [`Order`].
#[derive(Debug)]
pub struct Desk {
    name: String,
    orders: mpsc::Sender<Order>,
    said: Arc<Mutex<Said>>,
}

/// A source of that name, and where its orders come from, one at a time; the source is dropped when the receiver ends.
pub fn desk(name: impl Into<String>) -> (Desk, mpsc::Receiver<Order>) {
    let (orders, received) = mpsc::channel(1);
    (Desk { name: name.into(), orders, said: Arc::default() }, received)
}

impl RangeSource for Desk {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn said(&self) -> Said {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fetch(&mut self, range: Range<u64>, into: mpsc::Sender<Bytes>) -> Ranging<'_> {
        Box::pin(async move {
            let gone = || RangeError::Gone("its system has let it go".into());
            let (done, outcome) = oneshot::channel();
            let said = Arc::clone(&self.said);
            self.orders.send(Order { range, into, said, done }).await.map_err(|_| gone())?;
            outcome.await.map_err(|_| gone())?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_filled_elsewhere_and_its_outcome_comes_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut desk, mut orders) = desk("a copy");
            let work = async {
                let order = orders.recv().await.unwrap();
                assert_eq!(order.range, 3..7);
                order.into.send(Bytes::from_static(b"abcd")).await.unwrap();
                order.done.send(Ok(())).unwrap();
                // The second is dropped without a word.
                drop(orders.recv().await);
            };
            let ask = async {
                let (into, mut bytes) = mpsc::channel(4);
                assert_eq!(desk.fetch(3..7, into.clone()).await, Ok(()));
                assert_eq!(bytes.recv().await.unwrap(), "abcd");
                assert!(matches!(desk.fetch(0..1, into).await, Err(RangeError::Gone(_))));
                assert_eq!(desk.name(), "a copy");
            };
            tokio::join!(work, ask);
        });
    }
}
