//! A running swarm: the machine, its sockets, storage, hashing and trackers on a thread of its own.
//!
//! The program holds a [`Session`] and one [`TorrentHandle`] a torrent; both are cheap to clone, may be used from any
//! thread and runtime, and stay valid when the session has ended (everything then answers at once).

mod adding;
mod content;
mod glue;
mod journal;
mod open;
mod reader;
mod recheck;
mod request;
mod run;
mod snapshot;
mod sources;
#[cfg(test)]
mod tests;
mod trouble;

pub use reader::FileReader;
pub use request::{AddRequest, FileFilter, Source};
pub use snapshot::{IdleTrackers, Notice, Snapshot, SourceReport, State};
pub use sources::FileOf;

use crate::fetch::RangeSource;
use crate::hashing::AssemblyOptions;
use crate::net::socket;
use crate::storage::Storage;
use reader::Readers;
use request::Note;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use throng_machine::ContentId;
use throng_swarm::{Config, PeerStatus};
use throng_wire::metainfo::Metainfo;
use tokio::sync::{mpsc, oneshot, watch};

/// Choices for a session.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Where to listen; port 0 lets the system choose; `None` only connects.
    pub listen: Option<SocketAddr>,
    /// Where others reach us if not at `listen`: a port whose owner hands connections over, see
    /// [`Session::connection`].
    pub shared_port: Option<SocketAddr>,
    /// Where outgoing traffic leaves from; the system's choice.
    pub source: socket::Source,
    /// Folder of the resume state; `None` keeps none.
    pub home: Option<PathBuf>,
    /// The swarm's choices; peer id and port are filled in.
    pub swarm: Config,
    /// Memory and threads of hashing.
    pub hashing: AssemblyOptions,
    /// How long trackers may take to hear `stopped` at the end; 2 s.
    pub farewell: Duration,
    /// Told the swarm that somebody has connected for, of those in [`Session::listen_for`]: its torrent is to be added.
    pub calls: Option<mpsc::UnboundedSender<[u8; 20]>>,
}

impl Default for SessionConfig {
    fn default() -> SessionConfig {
        SessionConfig {
            listen: None,
            shared_port: None,
            source: socket::Source::default(),
            home: None,
            swarm: Config::default(),
            hashing: AssemblyOptions::default(),
            farewell: Duration::from_secs(2),
            calls: None,
        }
    }
}

/// A handle on a running session; the session ends with [`Session::shutdown`] or with its last handle.
#[derive(Clone)]
pub struct Session {
    notes: mpsc::UnboundedSender<Note>,
    local_addr: Option<SocketAddr>,
    readers: Arc<Readers>,
    _thread: Arc<Ender>,
}

/// Ends the thread with the last handle.
struct Ender {
    notes: mpsc::UnboundedSender<Note>,
    thread: Option<JoinHandle<()>>,
}

/// A handle on one torrent.
#[derive(Clone, Debug)]
pub struct TorrentHandle {
    content: ContentId,
    snapshots: watch::Receiver<Snapshot>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

impl Session {
    /// Binds the sockets and starts the thread; blocks for the moment that takes.
    pub fn start(config: SessionConfig) -> io::Result<Session> {
        let (notes, inbox) = mpsc::unbounded_channel();
        let (ready, started) = std::sync::mpsc::channel();
        let own = notes.clone();
        let thread = std::thread::Builder::new()
            .name("throng-net".into())
            .spawn(move || run::thread(config, own, inbox, &ready))?;
        let ended = || io::Error::other("the network thread ended early");
        let local_addr = started.recv().map_err(|_| ended())??;
        let ender = Arc::new(Ender { notes: notes.clone(), thread: Some(thread) });
        Ok(Session { notes, local_addr, readers: Arc::default(), _thread: ender })
    }

    /// Where we listen.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Takes part in a torrent; returns when its storage is open, before what is stored was checked. Fails with one
    /// line for people.
    pub async fn add(&self, request: AddRequest) -> Result<TorrentHandle, String> {
        let (reply, answer) = oneshot::channel();
        let (publish, snapshots) = watch::channel(Snapshot::default());
        let _ = self.notes.send(Note::Add(Box::new(request), publish, reply));
        let content = answer.await.map_err(|_| String::from("the session has ended"))??;
        Ok(TorrentHandle { content, snapshots })
    }

    /// Takes over a peer's connection, of which nothing was read yet.
    pub fn connection(&self, socket: TcpStream, from: SocketAddr) {
        let _ = self.notes.send(Note::Connection(socket, from));
    }

    /// Leaves a torrent; its files stay.
    pub fn remove(&self, torrent: &TorrentHandle) {
        let _ = self.notes.send(Note::Remove(torrent.content));
    }

    /// Closes a torrent that nobody is connected for, without a word to its trackers, and listens for calls for it.
    /// Whether that was done: not if a peer is there.
    pub async fn sleep(&self, torrent: &TorrentHandle) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.notes.send(Note::Sleep(torrent.content, reply));
        answer.await.unwrap_or(false)
    }

    /// Listens for connections for swarms whose torrents can be added when somebody asks; see [`SessionConfig::calls`].
    /// Who called waits for a few seconds. Adding the torrent ends it.
    pub fn listen_for(&self, swarms: Vec<[u8; 20]>) {
        let _ = self.notes.send(Note::Await(swarms));
    }

    /// Ends that.
    pub fn forget(&self, swarms: Vec<[u8; 20]>) {
        let _ = self.notes.send(Note::Forget(swarms));
    }

    /// Stops or continues a torrent.
    pub fn run(&self, torrent: &TorrentHandle, run: bool) {
        let _ = self.notes.send(Note::Run(torrent.content, run));
    }

    /// New limits in bytes a second; `None` is unlimited.
    pub fn set_limits(&self, upload: Option<u64>, download: Option<u64>) {
        let _ = self.notes.send(Note::SetLimits { upload, download });
    }

    /// Gives a torrent addresses to try.
    pub fn add_peers(&self, torrent: &TorrentHandle, peers: Vec<SocketAddr>) {
        let _ = self.notes.send(Note::AddPeers(torrent.content, peers));
    }

    /// Gives a torrent addresses that an overlay found.
    pub fn add_found_peers(&self, torrent: &TorrentHandle, peers: Vec<SocketAddr>) {
        let _ = self.notes.send(Note::AddFoundPeers(torrent.content, peers));
    }

    /// The whole metainfo of a torrent, what peers sent of it included; `None` before that is here.
    pub async fn metainfo(&self, torrent: &TorrentHandle) -> Option<Arc<Metainfo>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.notes.send(Note::Metainfo(torrent.content, reply));
        answer.await.ok().flatten()
    }

    /// Lets someone outside BitTorrent send a file of a torrent; what comes is verified as what peers send. Of a v1
    /// torrent only the pieces within the file can be asked of it.
    pub fn add_source(&self, torrent: &TorrentHandle, file: FileOf, source: Box<dyn RangeSource>) {
        let _ = self.notes.send(Note::AddSource(torrent.content, file, source));
    }

    /// Verifies again all that is stored, while the torrent goes on; what is damaged is fetched again. Snapshots say
    /// [`State::Checking`] meanwhile, and a notice tells what came of it.
    pub fn verify(&self, torrent: &TorrentHandle) {
        let _ = self.notes.send(Note::Verify(torrent.content));
    }

    /// Fetches these runs of pieces before all others, the first the most urgent; they replace those named before.
    pub fn prioritise(&self, torrent: &TorrentHandle, runs: Vec<Range<u32>>) {
        let _ = self.notes.send(Note::Prioritise(torrent.content, runs));
    }

    /// The torrent's storage, to be read from; `None` while it is not open yet, and once it was removed.
    pub async fn storage(&self, torrent: &TorrentHandle) -> Option<Arc<Storage>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.notes.send(Note::Storage(torrent.content, reply));
        answer.await.ok().flatten()
    }

    /// The peers of a torrent; empty once the session has ended.
    pub async fn peers(&self, torrent: &TorrentHandle) -> Vec<PeerStatus> {
        let (reply, answer) = oneshot::channel();
        let _ = self.notes.send(Note::Peers(torrent.content, reply));
        answer.await.unwrap_or_default()
    }

    /// Says goodbye to trackers and peers, stores what is under way, and ends; bounded by [`SessionConfig::farewell`]
    /// and the disk.
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        let _ = self.notes.send(Note::Shutdown(Some(reply)));
        // Dropped without an answer: it has ended before.
        let _ = done.await;
    }
}

impl Drop for Ender {
    fn drop(&mut self) {
        let _ = self.notes.send(Note::Shutdown(None));
        if let Some(thread) = self.thread.take() {
            // If it panicked, there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}

impl TorrentHandle {
    /// The session's number for it.
    pub fn content(&self) -> ContentId {
        self.content
    }

    /// How it stands now.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// What its trackers want, if it is complete and nobody is connected for it: whether it may [sleep](Session::sleep).
    pub fn idle(&self) -> Option<IdleTrackers> {
        self.snapshots.borrow().idle()
    }

    /// Snapshots as they come, about two a second and at every change of state.
    pub fn snapshots(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.clone()
    }

    /// Waits until all that is wanted is stored and verified. Fails with one line for people if that can no longer
    /// happen.
    pub async fn wait_finished(&mut self) -> Result<(), String> {
        let over = |snapshot: &Snapshot| snapshot.finished || matches!(snapshot.state, State::Failed(_));
        match self.snapshots.wait_for(over).await {
            Ok(snapshot) => match &snapshot.state {
                State::Failed(reason) => Err(reason.clone()),
                _ => Ok(()),
            },
            Err(_) => Err(String::from("the session has ended")),
        }
    }
}
