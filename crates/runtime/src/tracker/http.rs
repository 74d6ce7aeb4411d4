//! The HTTP server: accepts within limits, looks at the allow-list's file, stops in order.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Shared;
use super::allow::Watched;
use super::connection::Connection;
use crate::entropy::SystemEntropy;

/// How long accepting rests after an error such as too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How long the last answers may take once the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Serves until told to stop, then lets every connection finish the answer it is at.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    watched: Option<Watched>,
    mut stopped: watch::Receiver<bool>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("the tracker's TCP socket failed: {error}"),
    };
    let watch = tokio::spawn(reload(watched, Arc::clone(&shared)));
    let mut connections = JoinSet::new();
    let acceptor = Acceptor::new(shared, stopped.clone());
    loop {
        tokio::select! {
            Some((connection, place)) = acceptor.accept(&listener) => {
                connections.spawn(async move {
                    connection.run().await;
                    drop(place);
                });
            }
            Some(_) = connections.join_next() => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    watch.abort();
    // Who does not take his answer now is cut off.
    let _ = timeout(LAST_ANSWERS, connections.join_all()).await;
}

/// Reads the allow-list again whenever its file has changed.
async fn reload(watched: Option<Watched>, shared: Arc<Shared>) {
    let Some(mut watched) = watched else { return };
    let mut tick = tokio::time::interval(shared.config.allow_poll);
    loop {
        tick.tick().await;
        if let Some(list) = watched.poll() {
            shared.tracker().set_allow_list(Some(list));
        }
    }
}

/// Connections by address, to bound what one host can hold.
type Counts = Arc<Mutex<HashMap<IpAddr, u32>>>;

struct Acceptor {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    counts: Counts,
    stopped: watch::Receiver<bool>,
}

impl Acceptor {
    fn new(shared: Arc<Shared>, stopped: watch::Receiver<bool>) -> Self {
        let places = Arc::new(Semaphore::new(shared.config.max_connections));
        Self { shared, places, counts: Counts::default(), stopped }
    }

    /// The next connection that may stay, and its place among all.
    async fn accept(&self, listener: &tokio::net::TcpListener) -> Option<(Connection, OwnedSemaphorePermit)> {
        // The place first: who finds none waits in the kernel's queue and costs us nothing.
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    if let Some(connection) = self.admit(stream, from) {
                        return Some((connection, place));
                    }
                }
                Err(error) => {
                    tracing::warn!("accepting a connection failed: {error}");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    /// A connection, or nothing if its address has too many.
    fn admit(&self, stream: TcpStream, from: SocketAddr) -> Option<Connection> {
        let entropy = SystemEntropy::from_system().ok()?;
        let slot = Slot::take(
            &self.counts,
            from.ip().to_canonical(),
            self.shared.config.max_connections_per_address,
        )?;
        // Without it answers wait for the last one's acknowledgement; with an error they merely do.
        let _ = stream.set_nodelay(true);
        Some(Connection::new(stream, from, Arc::clone(&self.shared), (entropy, self.stopped.clone(), slot)))
    }
}

/// One connection's place in its address's count; given back on drop.
pub(super) struct Slot {
    counts: Counts,
    ip: IpAddr,
}

impl Slot {
    fn take(counts: &Counts, ip: IpAddr, max: u32) -> Option<Self> {
        let mut map = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = map.entry(ip).or_insert(0);
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Self { counts: Arc::clone(counts), ip })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut map = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = map.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                map.remove(&self.ip);
            }
        }
    }
}
