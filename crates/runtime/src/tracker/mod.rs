//! The tracker as a server: UDP and HTTP on one port number over one swarm store.
//!
//! A thread of its own reads and answers datagrams in batches; a second one runs HTTP, the sweep's clock for quiet
//! times and the allow-list's reload on a tokio runtime of its own, so that the server starts and stops the same from
//! any context. The store is behind one lock, taken once a batch.

mod allow;
mod bind;
mod connection;
mod http;
mod message;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use throng_machine::Instant;
use throng_tracker::{Config, Metrics, Tracker};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::entropy::SystemEntropy;

pub use bind::BindError;

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct TrackerConfig {
    /// Where to listen, with UDP and TCP; port 0 takes a free one. `[::]` serves IPv4 too, and is IPv4 alone on a
    /// machine without IPv6; default `[::]:6969`, the port trackers use.
    pub listen: SocketAddr,
    /// A file of info-hashes, one a line, to serve no others; read again when it changes. Default none.
    pub allow: Option<PathBuf>,
    /// Whether `/metrics` is served; default yes, it holds counts and no addresses.
    pub metrics: bool,
    /// Most HTTP connections; default 4,096 of at most 8 KiB each. More wait to be accepted.
    pub max_connections: usize,
    /// Most HTTP connections of one address; default 128, so that one host can't take them all. More are closed.
    pub max_connections_per_address: u32,
    /// Time for a request to arrive whole, and for an idle connection to be kept; default 15 s.
    pub request_timeout: Duration,
    /// How often the allow-list's file is looked at; default 2 s.
    pub allow_poll: Duration,
    /// The tracker's own limits and intervals.
    pub tracker: Config,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0u16; 8], 6969)),
            allow: None,
            metrics: true,
            max_connections: 4_096,
            max_connections_per_address: 128,
            request_timeout: Duration::from_secs(15),
            allow_poll: Duration::from_secs(2),
            tracker: Config::default(),
        }
    }
}

/// Why a tracker did not start; each shows as one line.
#[derive(Debug, thiserror::Error)]
pub enum TrackerError {
    /// The address can't be used.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The allow-list can't be read.
    #[error("cannot use allow-list {}: {source}", path.display())]
    Allow {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The system gave no thread, runtime or entropy.
    #[error("cannot start the tracker: {0}")]
    System(#[from] io::Error),
}

/// What the threads share.
struct Shared {
    tracker: Mutex<Tracker>,
    clock: Clock,
    stopping: AtomicBool,
    config: TrackerConfig,
}

impl Shared {
    /// The store. A panic elsewhere leaves no half-done change that matters more than going on.
    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// A running tracker; dropping it stops it.
pub struct TrackerServer {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    stop_http: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl TrackerServer {
    /// Binds, reads the allow-list and starts to serve.
    pub fn start(config: TrackerConfig) -> Result<Self, TrackerError> {
        let sockets = bind::bind(config.listen)?;
        let mut entropy = SystemEntropy::from_system()?;
        let clock = Clock::start();
        let mut tracker = Tracker::new(config.tracker.clone(), &mut entropy, clock.now());
        let watched = match &config.allow {
            None => None,
            Some(path) => {
                let fail = |source| TrackerError::Allow { path: path.clone(), source };
                let (watched, list) = allow::Watched::open(path.clone()).map_err(fail)?;
                tracker.set_allow_list(Some(list));
                Some(watched)
            }
        };
        let (stop_http, stopped) = watch::channel(false);
        let tracker = Mutex::new(tracker);
        let shared = Arc::new(Shared { tracker, clock, stopping: AtomicBool::new(false), config });
        let mut server = Self { shared, local_addr: sockets.local_addr, stop_http, threads: Vec::new() };
        let shared = Arc::clone(&server.shared);
        server.spawn("tracker-udp", move || udp::serve(&sockets.udp, &shared, entropy))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&server.shared);
        server.spawn("tracker-http", move || {
            runtime.block_on(http::serve(sockets.tcp, shared, watched, stopped));
        })?;
        Ok(server)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name.into()).spawn(run)?);
        Ok(())
    }

    /// The address of both sockets, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Counters since the start and gauges of now.
    pub fn metrics(&self) -> Metrics {
        self.shared.tracker().metrics()
    }

    /// Stops serving: requests being answered are finished, then both sockets are closed. Takes
    /// 0.3 s, or 1.3 s if clients don't take their answers.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for TrackerServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // Nobody listens any more if the HTTP thread never started.
        let _ = self.stop_http.send(true);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the tracker panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests;
