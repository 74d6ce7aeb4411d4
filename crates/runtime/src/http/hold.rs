//! Where bytes stay on their way: files that are read, ranges that arrive and wait to be taken.

use crate::net::Read;
use crate::shelf::Shelf;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{ContentId, Extent};
use throng_overlay::http::{Event, FetchError, FetchId, SourceId};
use throng_wire::gnutella::tiger;
use tokio::sync::{Notify, oneshot};

/// What arrives for one fetch, in order.
#[derive(Debug)]
pub(super) enum Piece {
    /// Bytes of the file.
    Bytes(Bytes),
    /// We wait at that place, if it is known, for so long; the transfers go on asking.
    Queued(Option<u32>, Duration),
    /// The source says which parts it has, in order; `None` all.
    Parts(Option<Vec<Range<u64>>>),
    /// The source says who else has the file.
    Others(Vec<SocketAddr>),
    /// A tree's lowest level, and how many leaves each of its hashes covers as a power of two.
    Tree(Vec<tiger::Hash>, u32),
    /// A list of hits.
    List(Bytes),
    /// Nothing more comes.
    Ended(Result<(), FetchError>),
}

/// What arrived for one fetch and was not taken yet.
#[derive(Default)]
struct Incoming {
    pieces: VecDeque<Piece>,
    told: Rc<Notify>,
}

/// The application's part of the transfers. Contents below 2^31 are files that are served, those above are fetches.
#[derive(Default)]
pub struct Hold {
    pub(super) shelf: Shelf,
    incoming: BTreeMap<u32, Incoming>,
    next: u32,
}

/// Contents from here on are fetches, numbered as these.
const FETCHES: u32 = 1 << 31;

/// Where the bytes of a fetch go.
pub(super) fn content_of(id: FetchId) -> ContentId {
    ContentId(id.0 | FETCHES)
}

impl Hold {
    fn number(&mut self) -> u32 {
        loop {
            self.next = self.next.wrapping_add(1) % FETCHES;
            if !self.incoming.contains_key(&self.next) {
                return self.next;
            }
        }
    }

    /// A name for a source.
    pub(super) fn new_source(&mut self) -> SourceId {
        SourceId(self.number())
    }

    /// A name for a new fetch, and what wakes who waits for its pieces.
    pub(super) fn expect(&mut self, told: &Rc<Notify>) -> FetchId {
        let number = self.number();
        self.incoming.insert(number, Incoming { pieces: VecDeque::new(), told: Rc::clone(told) });
        FetchId(number)
    }

    /// The next piece of a fetch.
    pub(super) fn take(&mut self, id: FetchId) -> Option<Piece> {
        self.incoming.get_mut(&id.0)?.pieces.pop_front()
    }

    /// Nobody waits for it any more.
    pub(super) fn forget(&mut self, id: FetchId) {
        self.incoming.remove(&id.0);
    }

    fn arrived(&mut self, id: u32, piece: Piece) {
        if let Some(incoming) = self.incoming.get_mut(&id) {
            incoming.pieces.push_back(piece);
            incoming.told.notify_one();
        }
    }

    /// Takes what is of single transfers; gives back what concerns the node.
    pub fn on_event(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Fetched(id) => self.arrived(id.0, Piece::Ended(Ok(()))),
            Event::FetchFailed(id, error, _) => self.arrived(id.0, Piece::Ended(Err(error))),
            Event::FetchQueued(id, position, wait) => self.arrived(id.0, Piece::Queued(position, wait)),
            Event::TreeFetched(id, level, height) => self.arrived(id.0, Piece::Tree(level, height)),
            Event::Browsed(id, list) => self.arrived(id.0, Piece::List(list)),
            Event::Described(id, said) => self.arrived(id.0, Piece::Parts(said.available)),
            Event::Alternates(id, others) => {
                let others = others.good.iter().map(|at| at.socket_addr()).collect();
                self.arrived(id.0, Piece::Others(others));
            }
            Event::Uploading(content, ..) => {
                self.shelf.begin(content);
                return Some(event);
            }
            Event::Uploaded(content, ..) | Event::UploadFailed(content, ..) => {
                self.shelf.end(content);
                return Some(event);
            }
            event => return Some(event),
        }
        None
    }

    /// Bytes of a file that arrived; see [`crate::net::Application::place`].
    pub fn place(&mut self, extent: Extent, bytes: &[u8]) {
        let number = extent.content.0 & !FETCHES;
        self.arrived(number, Piece::Bytes(Bytes::copy_from_slice(bytes)));
    }

    /// See [`crate::net::Application::read_now`].
    pub fn read_now(&mut self, extent: Extent, into: &mut [u8]) -> Read {
        self.shelf.read_now(extent, into)
    }

    /// See [`crate::net::Application::read_later`].
    pub fn read_later(&mut self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        self.shelf.read_later(extent)
    }
}
