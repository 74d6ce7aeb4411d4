//! What the client's events and bytes mean here: files to read, ranges that arrive, programs of users.

use super::offering::Offering;
use crate::net::{Application, Read};
use crate::shelf::Shelf;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::{ContentId, Endpoint, Extent};
use throng_overlay::directory::client::{Client, Command, DownloadError, Event};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, oneshot};

/// Users whose program is remembered; which is forgotten first does not matter.
const MAX_PROGRAMS: usize = 512;

/// What arrives for one download, in order.
#[derive(Debug)]
pub(super) enum Piece {
    /// Bytes of the file.
    Bytes(Bytes),
    /// The uploader's queue is full; the client asks again after that time.
    Queued(Duration),
    /// A magnet link, and whose.
    Link(Bytes, Endpoint),
    /// Nothing more comes.
    Ended(Result<(), DownloadError>),
}

/// One download's pieces that were not taken yet.
#[derive(Default)]
struct Incoming {
    pieces: VecDeque<Piece>,
    told: Rc<Notify>,
}

/// The application of the client.
pub(super) struct Floor {
    shelf: Shelf,
    /// What our own nodes are told of a file.
    magnets: BTreeMap<ContentId, String>,
    /// By the number that is both a download's and its content's.
    incoming: BTreeMap<u32, Incoming>,
    next: u32,
    /// Whether users run our program, by directory and folded nick.
    programs: BTreeMap<(Endpoint, Vec<u8>), bool>,
    program_told: Rc<Notify>,
    tell: UnboundedSender<Event>,
    /// Where the node's swarms are reached.
    swarm: Option<SocketAddr>,
}

impl Floor {
    pub(super) fn new(tell: UnboundedSender<Event>, swarm: Option<SocketAddr>) -> Floor {
        Floor {
            shelf: Shelf::default(),
            magnets: BTreeMap::new(),
            incoming: BTreeMap::new(),
            next: 1,
            programs: BTreeMap::new(),
            program_told: Rc::default(),
            tell,
            swarm,
        }
    }

    /// A file can be read from now on.
    pub(super) fn offer(&mut self, file: Offering) {
        self.shelf.put(file.content, file.stored());
        self.magnets.insert(file.content, file.magnet);
    }

    /// A file can be read no more.
    pub(super) fn take_back(&mut self, content: ContentId) {
        self.shelf.remove(content);
        self.magnets.remove(&content);
    }

    /// A number for a new download, and what wakes who waits for its pieces.
    pub(super) fn expect(&mut self) -> (u32, Rc<Notify>) {
        while self.incoming.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let told = Rc::clone(&self.incoming.entry(number).or_default().told);
        (number, told)
    }

    /// The next piece of a download.
    pub(super) fn take(&mut self, number: u32) -> Option<Piece> {
        self.incoming.get_mut(&number)?.pieces.pop_front()
    }

    /// Gives a piece back, to be taken next.
    pub(super) fn put_back(&mut self, number: u32, bytes: Bytes) {
        if let Some(incoming) = self.incoming.get_mut(&number) {
            incoming.pieces.push_front(Piece::Bytes(bytes));
        }
    }

    /// Nobody waits for it any more.
    pub(super) fn forget(&mut self, number: u32) {
        self.incoming.remove(&number);
    }

    /// Whether a user runs our program, if that was told; and what wakes who waits for the answer.
    pub(super) fn program(&self, at: Endpoint, nick: &[u8]) -> (Option<bool>, Rc<Notify>) {
        let known = self.programs.get(&(at, nick.to_ascii_lowercase())).copied();
        (known, Rc::clone(&self.program_told))
    }

    fn learn(&mut self, at: Endpoint, nick: &[u8], ours: bool) {
        if self.programs.len() >= MAX_PROGRAMS {
            self.programs.pop_first();
        }
        self.programs.insert((at, nick.to_ascii_lowercase()), ours);
        self.program_told.notify_waiters();
    }

    fn arrived(&mut self, number: u32, piece: Piece) {
        if let Some(incoming) = self.incoming.get_mut(&number) {
            incoming.pieces.push_back(piece);
            incoming.told.notify_one();
        }
    }

    /// The link of a file we share, with where our swarms are reached: an address that is not known here is put in by
    /// whoever gets it, as the one the answer came from.
    fn link(&self, content: ContentId) -> Option<Bytes> {
        let magnet = self.magnets.get(&content).filter(|magnet| !magnet.is_empty())?;
        let peer = self.swarm.map_or_else(String::new, |at| format!("&x.pe={at}"));
        Some(Bytes::from(format!("{magnet}{peer}")))
    }
}

impl Application for Floor {
    type Machine = Client;

    fn on_event(&mut self, event: Event, commands: &mut Vec<Command>) {
        match event {
            Event::Queued(id, wait) => self.arrived(id.0, Piece::Queued(wait)),
            Event::Downloaded(id) => self.arrived(id.0, Piece::Ended(Ok(()))),
            Event::DownloadFailed(id, error, _) => self.arrived(id.0, Piece::Ended(Err(error))),
            Event::Magnet(id, link, from) => self.arrived(id.0, Piece::Link(link, from)),
            Event::Began(..) | Event::Restarted(_) => {}
            Event::MagnetWanted(stream, content) => {
                commands.push(Command::Magnet(stream, self.link(content)));
            }
            Event::Uploading(content, _) => self.shelf.begin(content),
            Event::Uploaded(content, _) | Event::UploadFailed(content, _) => self.shelf.end(content),
            event => {
                match &event {
                    Event::User(at, info) => self.learn(*at, &info.nick, info.client.starts_with(b"Throng/")),
                    Event::UserAway(at, nick, _) => self.learn(*at, nick, false),
                    _ => {}
                }
                // Nobody listens any more at the end of the program.
                let _ = self.tell.send(event);
            }
        }
    }

    fn place(&mut self, extent: Extent, bytes: &[u8]) {
        self.arrived(extent.content.0, Piece::Bytes(Bytes::copy_from_slice(bytes)));
    }

    fn read_now(&mut self, extent: Extent, into: &mut [u8]) -> Read {
        self.shelf.read_now(extent, into)
    }

    fn read_later(&mut self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        self.shelf.read_later(extent)
    }
}
