//! BitTorrent as a system of the node: one session that seeds what is published and fetches what is wanted. It is
//! joined when the node starts; trackers are what it can be found through.

use super::record::swarms;
use super::report::{BitTorrentStatus, Standing, SystemStatus};
use super::system::{LocalWork, News, System, Teller};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use throng_machine::ContentId;
use throng_overlay::discovery::{self, Item, Refusal};
use throng_runtime::net::port::{Guest, Port, Protocol};
use throng_runtime::session::{AddRequest, Session, SessionConfig, TorrentHandle};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

/// The system's name.
pub(crate) const NAME: &str = "bittorrent";

/// The node's session.
pub(crate) struct BitTorrent {
    session: Session,
    address: SocketAddr,
    standing: Rc<Cell<Standing>>,
    torrents: Rc<RefCell<BTreeMap<ContentId, TorrentHandle>>>,
    /// Torrents that rest, and the payload received and sent by those that ever did, before.
    resting: Rc<Cell<usize>>,
    past: Rc<Cell<(u64, u64)>>,
    /// Announced to for what is published.
    trackers: Vec<String>,
    teller: Teller,
}

/// Gives the session what comes to the shared port.
struct Door(Session);

impl Guest for Door {
    fn connection(&self, socket: TcpStream, from: SocketAddr) {
        // A socket that cannot be handed over is closed by being dropped.
        if let Ok(socket) = socket.into_std() {
            self.0.connection(socket, from);
        }
    }

    fn datagram(&self, _bytes: &[u8], _from: SocketAddr) {}
}

impl BitTorrent {
    /// Starts the session behind the shared port.
    pub(crate) fn start(
        config: SessionConfig,
        port: &Port,
        trackers: Vec<String>,
        teller: Teller,
    ) -> io::Result<Rc<BitTorrent>> {
        let address = port.local_addr();
        let (calls, mut called) = mpsc::unbounded_channel();
        let session =
            Session::start(SessionConfig { shared_port: Some(address), calls: Some(calls), ..config })?;
        port.attach(Protocol::BitTorrent, Rc::new(Door(session.clone())));
        let (standing, torrents) = (Rc::new(Cell::new(Standing::Joined)), Rc::default());
        teller.tell(News::Discovery(discovery::Event::Joined));
        let told = teller.clone();
        spawn_local(async move {
            while let Some(swarm) = called.recv().await {
                told.tell(News::Called(swarm));
            }
        });
        let (resting, past) = (Rc::default(), Rc::default());
        Ok(Rc::new(BitTorrent { session, address, standing, torrents, resting, past, trackers, teller }))
    }

    /// The session itself.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Trackers of what is published.
    pub(crate) fn trackers(&self) -> &[String] {
        &self.trackers
    }

    /// Whether an address that a stranger names may be called: those of this machine only where the node itself is
    /// there to be called.
    pub(crate) fn may_call(&self, at: SocketAddr) -> bool {
        let own = at.port() == self.address.port()
            && (at.ip() == self.address.ip() || at.ip().is_loopback() && self.address.ip().is_unspecified());
        !own && (!at.ip().is_loopback() || self.address.ip().is_loopback())
    }

    /// Takes part in a torrent.
    pub(crate) fn add(&self, request: AddRequest) -> LocalWork<Result<TorrentHandle, String>> {
        let (session, torrents) = (self.session.clone(), Rc::clone(&self.torrents));
        Box::pin(async move {
            let torrent = session.add(request).await?;
            torrents.borrow_mut().insert(torrent.content(), torrent.clone());
            Ok(torrent)
        })
    }

    /// Lets a torrent rest that nobody is connected for; whether it does.
    pub(crate) fn rest(&self, torrent: &TorrentHandle) -> LocalWork<bool> {
        let (session, torrent) = (self.session.clone(), torrent.clone());
        let (torrents, resting) = (Rc::clone(&self.torrents), Rc::clone(&self.resting));
        let past = Rc::clone(&self.past);
        Box::pin(async move {
            let rests = session.sleep(&torrent).await;
            if rests {
                let of = torrent.snapshot().status;
                let (received, sent) = past.get();
                let more = of.map_or((0, 0), |of| (of.downloaded, of.uploaded));
                past.set((received + more.0, sent + more.1));
                torrents.borrow_mut().remove(&torrent.content());
                resting.set(resting.get() + 1);
            }
            rests
        })
    }

    /// Listens for calls for what rests from the start: so many torrents, with these swarms.
    pub(crate) fn listen_for(&self, count: usize, swarms: Vec<[u8; 20]>) {
        self.resting.set(self.resting.get() + count);
        self.session.listen_for(swarms);
    }

    /// What rested is not listened for any more.
    pub(crate) fn forget(&self, item: &Item) {
        self.end_rest();
        self.session.forget(swarms(item).into_iter().collect());
    }

    /// What rested is being opened.
    pub(crate) fn end_rest(&self) {
        self.resting.set(self.resting.get().saturating_sub(1));
    }

    /// Leaves a torrent; its files stay.
    pub(crate) fn remove(&self, torrent: &TorrentHandle) {
        self.torrents.borrow_mut().remove(&torrent.content());
        self.session.remove(torrent);
    }
}

impl System for BitTorrent {
    fn name(&self) -> &'static str {
        NAME
    }

    fn status(&self) -> SystemStatus {
        let torrents = self.torrents.borrow();
        let mut status = BitTorrentStatus {
            standing: self.standing.get(),
            address: self.address,
            torrents: torrents.len() + self.resting.get(),
            complete: self.resting.get(),
            downloaded: self.past.get().0,
            uploaded: self.past.get().1,
            ..BitTorrentStatus::new(self.address)
        };
        for torrent in torrents.values().map(TorrentHandle::snapshot) {
            status.complete += usize::from(torrent.finished);
            let Some(of) = torrent.status else { continue };
            status.peers += of.peers.0;
            status.downloaded += of.downloaded;
            status.uploaded += of.uploaded;
            status.download_rate += of.download_rate;
            status.upload_rate += of.upload_rate;
            status.trackers_failing.extend(of.tracker_errors);
        }
        SystemStatus::Bittorrent(Box::new(status))
    }

    fn command(&self, command: discovery::Command) {
        match command {
            discovery::Command::Leave => {
                self.standing.set(Standing::Leaving);
                let (session, standing) = (self.session.clone(), Rc::clone(&self.standing));
                let teller = self.teller.clone();
                spawn_local(async move {
                    session.shutdown().await;
                    standing.set(Standing::Left);
                    teller.tell(News::Discovery(discovery::Event::Left));
                });
            }
            // It has no search of its own, and never had.
            discovery::Command::Find(ticket, _) => {
                let event = discovery::Event::Refused(ticket, Refusal::NotJoined);
                self.teller.tell(News::Discovery(event));
            }
            // What is published is seeded; that is done once for all its files.
            _ => {}
        }
    }

    fn searches(&self) -> bool {
        false
    }

    fn database(&self) -> Option<&dyn super::system::Database> {
        None
    }

    fn close(&self) -> LocalWork<()> {
        let session = self.session.clone();
        Box::pin(async move { session.shutdown().await })
    }
}
