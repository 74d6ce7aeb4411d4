//! What publishing, searching and fetching have in common: the systems, the session, the library, and the queue that
//! work under way tells its outcome through.

use super::bittorrent::BitTorrent;
use super::ring::GUESTS;
use super::system::System;
use ed25519_dalek::SigningKey;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use throng_overlay::discovery::{Item, Source, Ticket};
use throng_overlay::publication::Verified;
use throng_runtime::fetch::PlainProof;
use throng_runtime::library::{self, Id, Library};
use throng_runtime::session::TorrentHandle;
use throng_wire::metainfo::Metainfo;
use tokio::sync::mpsc::UnboundedSender;

/// What work under way has come to.
pub(crate) enum Happening {
    /// The library tells something.
    Library(library::Told),
    /// A publication is seeded, or cannot be.
    Seeded { id: Id, result: Result<TorrentHandle, String> },
    /// What was signed of a hit.
    Signed { hit: String, records: Vec<Verified> },
    /// Whether a source of a hit answered, if it could be asked.
    Probed { hit: String, source: Source, live: Option<bool> },
    /// What the holder of a copy says it is, as a link, and whether it is there.
    Linked { hit: String, source: Source, live: Option<bool>, link: Option<String> },
    /// Who said in the ring that he has what a transfer fetches.
    Holders { transfer: String, item: Item, sources: Vec<Source> },
    /// The link under which a transfer can be fetched as a torrent, if any holder says one.
    Resolved { transfer: String, link: Option<String> },
    /// The level of its tiger tree that blocks of a transfer can be checked by; empty if nobody has one.
    Tree { transfer: String, level: Vec<[u8; 24]> },
    /// What is here of a transfer without a torrent and was checked, where it lies, and who else is said to have the file.
    Parts { transfer: String, parts: Vec<Range<u64>>, path: PathBuf, others: Vec<SocketAddr> },
    /// A file that no torrent is of is here.
    Whole { transfer: String, proof: PlainProof, path: PathBuf },
    /// A transfer's torrent is open, or cannot be.
    Opened { transfer: String, result: Result<TorrentHandle, String> },
    /// A publication's torrent was closed until somebody asks for it, or was asked for before; with what it is of.
    Shelved { id: Id, item: Item, torrent: TorrentHandle, rests: bool },
    /// The same of a transfer.
    Rested { transfer: String, item: Item, torrent: TorrentHandle, rests: bool },
    /// All that is wanted of a transfer is here.
    Finished { transfer: String, metainfo: Option<Arc<Metainfo>> },
}

/// Shared by the parts of the node, on its one thread.
pub(crate) struct Common {
    pub(crate) systems: Vec<Rc<dyn System>>,
    pub(crate) bittorrent: Rc<BitTorrent>,
    pub(crate) library: Library,
    pub(crate) key: SigningKey,
    /// Systems that have let the node in.
    pub(crate) joined: RefCell<BTreeSet<&'static str>>,
    tell: UnboundedSender<Happening>,
    tickets: Cell<u32>,
}

impl Common {
    pub(crate) fn new(
        systems: Vec<Rc<dyn System>>,
        (bittorrent, library): (Rc<BitTorrent>, Library),
        key: SigningKey,
        tell: UnboundedSender<Happening>,
    ) -> Common {
        let (joined, tickets) = (RefCell::default(), Cell::new(1));
        Common { systems, bittorrent, library, key, joined, tell, tickets }
    }

    /// A number that no publication or search of this run has had.
    pub(super) fn ticket(&self) -> Ticket {
        let ticket = self.tickets.get();
        // Those above are others' in the ring.
        self.tickets.set(if ticket + 1 < GUESTS { ticket + 1 } else { 1 });
        Ticket(ticket)
    }

    /// Where outcomes are told.
    pub(super) fn teller(&self) -> UnboundedSender<Happening> {
        self.tell.clone()
    }

    /// The systems that have let the node in.
    pub(super) fn joined_systems(&self) -> impl Iterator<Item = &Rc<dyn System>> {
        let joined = self.joined.borrow().clone();
        self.systems.iter().filter(move |system| joined.contains(system.name()))
    }

    /// The ring as a database, if it was joined.
    pub(super) fn database(&self) -> Option<Rc<dyn System>> {
        self.joined_systems().find(|system| system.database().is_some()).cloned()
    }
}

/// Seconds since 1970; 0 with a clock before that.
pub(super) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
