//! A running directory server: the machine, its sockets, accounts and bans on disk, passwords hashed apart.
//!
//! One thread runs machine and sockets; a few others hash passwords and write the store, so that neither argon2 nor
//! a slow disk holds up a search. The store is watched: what another process changes in it (bans, levels) holds here
//! within [`DirectoryConfig::store_poll`].

mod glue;
mod limits;
mod passwords;
mod run;
mod store;
#[cfg(test)]
mod tests;
mod workers;

pub use limits::raise_open_files;
pub use store::{Store, StoreError};

use run::Ask;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;
use throng_overlay::directory::server::{Command, Config, Gauges, Metrics, Violation};
use tokio::sync::{mpsc, oneshot};

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct DirectoryConfig {
    /// Where to listen; port 0 takes a free one. `[::]` serves IPv4 too, and is IPv4 alone on a machine without IPv6;
    /// default `[::]:8888`, the port clients of the time try first.
    pub listen: SocketAddr,
    /// The SQLite file of accounts and bans; `None` forgets them with the process.
    pub store: Option<PathBuf>,
    /// How often the store is looked at for changes by others; default 2 s.
    pub store_poll: Duration,
    /// Threads that hash passwords (some 20 ms and 19 MiB each); default 2.
    pub hashers: usize,
    /// How long clients may take to read the goodbye; default 700 ms, as the next server is to listen within a second.
    pub farewell: Duration,
    /// How long an address may stay in use by a server that is about to leave it; default 2 s.
    pub handover: Duration,
    /// The machine's own names and limits; port and time are filled in.
    pub server: Config,
}

impl Default for DirectoryConfig {
    fn default() -> DirectoryConfig {
        DirectoryConfig {
            listen: SocketAddr::from(([0u16; 8], 8888)),
            store: None,
            store_poll: Duration::from_secs(2),
            hashers: 2,
            farewell: Duration::from_millis(700),
            handover: Duration::from_secs(2),
            server: Config::default(),
        }
    }
}

/// Why a directory did not start; each shows as one line.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The address can't be used.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Accounts and bans cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no thread, runtime or entropy.
    #[error("cannot start the directory: {0}")]
    System(#[from] io::Error),
}

/// Counters since the start, and what there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Since the start.
    pub metrics: Metrics,
    /// Now.
    pub gauges: Gauges,
}

/// What an operator may want to know when it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A server was linked.
    Linked(String),
    /// A link was lost or could not be made, and why.
    Unlinked(String, &'static str),
    /// A user was thrown out by another: who, by whom, why.
    Killed(String, String, String),
    /// An operator wants the server to stop.
    StopRequested(String),
    /// Somebody does what no honest client does.
    Violation(SocketAddr, Violation),
    /// The store cannot be written.
    StoreFailed(String),
}

/// A running directory; dropping it stops it as [`DirectoryServer::stop`] does, without a word.
pub struct DirectoryServer {
    asks: mpsc::UnboundedSender<Ask>,
    notices: mpsc::Receiver<Notice>,
    local_addr: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl DirectoryServer {
    /// Binds, reads the store and starts to serve.
    pub fn start(config: DirectoryConfig) -> Result<DirectoryServer, DirectoryError> {
        let (asks, inbox) = mpsc::unbounded_channel();
        let (tell, notices) = mpsc::channel(run::NOTICES);
        let (ready, is_ready) = std::sync::mpsc::channel();
        let own = asks.clone();
        let run = move || run::thread(config, run::Channels { own, inbox, tell, ready });
        let thread = std::thread::Builder::new().name("directory".into()).spawn(run)?;
        let local_addr =
            is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("its thread died").into()))?;
        Ok(DirectoryServer { asks, notices, local_addr, thread: Some(thread) })
    }

    /// The address of the socket, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Asks the machine for something.
    pub fn command(&self, command: Command) {
        // A server that has stopped does nothing more.
        let _ = self.asks.send(Ask::Command(command));
    }

    /// Counters and gauges; `None` once it has stopped.
    pub async fn statistics(&self) -> Option<Statistics> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Statistics(answer)).ok()?;
        answered.await.ok()
    }

    /// The next thing an operator may want to know; those nobody waited for are dropped beyond some hundred.
    pub async fn notice(&mut self) -> Option<Notice> {
        self.notices.recv().await
    }

    /// Stops listening at once, tells everybody, sends them on to another server (host and port) if one is named,
    /// waits until they have read it (at most [`DirectoryConfig::farewell`]) and until the store is written.
    pub fn stop(mut self, notice: &str, redirect: Option<(String, u16)>) {
        let _ = self.asks.send(Ask::Stop(notice.into(), redirect));
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the directory's thread panicked");
        }
    }
}

impl Drop for DirectoryServer {
    fn drop(&mut self) {
        let _ = self.asks.send(Ask::Stop(String::new(), None));
        self.join();
    }
}
