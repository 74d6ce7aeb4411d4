//! The driver and the application around the machine: streams, storage, time, and the invariants both rely on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::content::{BLOCK, CONTENTS, leaves};
use super::wire::{Inbound, Outbound, Run};
use throng_machine::probe::{Out, Probe};
use throng_machine::{ContentId, Endpoint, Extent, Machine, StreamEnd, StreamId, StreamInput};
use throng_swarm::{BlockDigests, Command, Config, Event, SourceId, Swarm};
use throng_wire::ids::{InfoHashV1, PieceIndex};
use throng_wire::merkle::{self, Hash};

/// How far a stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Dialling,
    Open,
    Closed,
}

pub struct Link {
    pub state: State,
    pub inbound: Inbound,
    pub outbound: Outbound,
    pub unflushed: u32,
}

/// One torrent as the application has it.
#[derive(Default)]
pub struct Stored {
    pub data: Vec<u8>,
    pub have: BTreeSet<u32>,
    /// Complete pieces whose verdict is due.
    pub complete: Vec<u32>,
    pub leaves_wanted: Vec<u32>,
    pub announces: Vec<u32>,
    /// Roots whose piece layer is known, so that pieces can be verified at all.
    pub layers: BTreeSet<Hash>,
}

pub struct World {
    pub probe: Probe<Swarm>,
    pub links: BTreeMap<StreamId, Link>,
    pub stored: BTreeMap<ContentId, Stored>,
    pub config: Config,
    /// What sources outside BitTorrent were asked for: the next byte and the end.
    pub fetches: BTreeMap<(ContentId, SourceId), (u64, u64)>,
    pub next_source: u32,
}

/// The most a call may write for an input: an answer of 64 KiB to each shortest request and some more.
fn most_written(input: usize) -> usize {
    (1 << 20) + input * 4096
}

impl World {
    pub fn new() -> World {
        let config = Config {
            peer_id: *b"-Tg0100-mmmmmmmmmmmm",
            listen_port: 6881,
            max_connections: 8,
            max_connections_per_torrent: 5,
            max_half_open: 2,
            max_per_address: 3,
            max_known_peers: 12,
            max_partial_bytes: 100_000,
            max_requests_per_peer: 20,
            max_unflushed: 64 << 10,
            ..Config::default()
        };
        let probe = Probe::new(Swarm::new(config.clone(), 1));
        let (links, stored, fetches) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        World { probe, links, stored, config, fetches, next_source: 0 }
    }

    pub fn command(&mut self, command: Command) {
        let outs = self.probe.command(command);
        self.after(None, &[], &outs, 0);
    }

    pub fn accept(&mut self, from: Endpoint) -> StreamId {
        let (stream, outs) = self.probe.accept(from);
        self.links.insert(stream, Link::new(State::Open));
        self.after(Some(stream), &[], &outs, 0);
        stream
    }

    pub fn opened(&mut self, stream: StreamId) {
        let Some(link) = self.links.get_mut(&stream).filter(|link| link.state == State::Dialling) else {
            return;
        };
        link.state = State::Open;
        let outs = self.probe.stream(stream, StreamInput::Opened);
        self.after(Some(stream), &[], &outs, 0);
    }

    pub fn closed(&mut self, stream: StreamId, end: StreamEnd) {
        let Some(link) = self.links.get_mut(&stream).filter(|link| link.state != State::Closed) else {
            return;
        };
        link.state = State::Closed;
        let outs = self.probe.stream(stream, StreamInput::Closed(end));
        self.after(Some(stream), &[], &outs, 0);
    }

    pub fn is_open(&self, stream: StreamId) -> bool {
        self.links.get(&stream).is_some_and(|link| link.state == State::Open)
    }

    pub fn bytes(&mut self, stream: StreamId, bytes: &[u8]) {
        if self.is_open(stream) {
            let outs = self.probe.stream(stream, StreamInput::Bytes(bytes));
            self.after(Some(stream), bytes, &outs, bytes.len() as u32);
        }
    }

    pub fn blank(&mut self, stream: StreamId, count: u32) {
        if self.is_open(stream) {
            let outs = self.probe.stream(stream, StreamInput::Blank(count));
            self.after(Some(stream), &[], &outs, count);
        }
    }

    /// A source sends the next bytes of what it was asked for; `lie` makes them wrong.
    pub fn source_data(&mut self, key: (ContentId, SourceId), most: u64, lie: bool) {
        let Some((at, end)) = self.fetches.get_mut(&key) else { return };
        let (start, len) = (*at, most.min(*end - *at));
        *at += len;
        let content = &CONTENTS[key.0.0 as usize];
        // Behind the last byte of the content there may be padding.
        let mut bytes = content.data[start as usize..].to_vec();
        bytes.resize(len as usize, 0);
        if lie {
            bytes.iter_mut().for_each(|byte| *byte ^= 1);
        }
        let outs = self.probe.call(|machine, cx| machine.source_data(key, len as u32, cx));
        let (places, rest): (Vec<Out>, Vec<Out>) = outs.into_iter().partition(|out| matches!(out, Out::Place(..)));
        for out in places {
            let Out::Place(extent, at) = out else { continue };
            assert_eq!(extent.offset, start + u64::from(at), "data is placed elsewhere");
            self.place_from_source(extent, &bytes[at as usize..][..extent.len as usize]);
        }
        self.after(None, &[], &rest, 0);
    }

    fn place_from_source(&mut self, extent: Extent, bytes: &[u8]) {
        let content = &CONTENTS[extent.content.0 as usize];
        let piece = (extent.offset / u64::from(content.meta.info.layout().piece_length())) as u32;
        let stored = self.stored.get_mut(&extent.content).expect("a torrent of ours");
        assert!(!stored.have.contains(&piece), "a verified piece is written over");
        assert!(!stored.complete.contains(&piece), "a piece under verification is written over");
        let range = extent.offset as usize..extent.offset as usize + extent.len as usize;
        assert!(extent.len > 0 && range.end <= content.range(piece).end);
        stored.data[range].copy_from_slice(bytes);
    }

    pub fn flushed(&mut self, stream: StreamId, most: u32) {
        let Some(link) = self.links.get_mut(&stream).filter(|link| link.state == State::Open) else { return };
        let count = link.unflushed.min(most);
        link.unflushed -= count;
        let outs = self.probe.stream(stream, StreamInput::Flushed(count));
        self.after(Some(stream), &[], &outs, 0);
    }

    /// Time passes; a deadline that was served never stays in the past.
    pub fn advance(&mut self, by: Duration) {
        let until = self.probe.now + by;
        let mut same = 0;
        while let Some(at) = self.probe.machine.poll_timeout().filter(|at| *at <= until) {
            same = if at <= self.probe.now { same + 1 } else { 0 };
            assert!(same < 3, "a deadline in the past came back: the driver would spin");
            self.probe.now = self.probe.now.max(at);
            self.timeout();
        }
        self.probe.now = until;
    }

    fn timeout(&mut self) {
        let outs = self.probe.call(|machine, cx| machine.handle_timeout(cx));
        self.after(None, &[], &outs, 0);
    }

    /// A call before the deadline does nothing.
    pub fn spurious(&mut self) {
        if self.probe.machine.poll_timeout().is_none_or(|at| at > self.probe.now) {
            let outs = self.probe.call(|machine, cx| machine.handle_timeout(cx));
            assert!(outs.is_empty() && self.probe.events.is_empty(), "a spurious call did {outs:?}");
        }
    }

    /// Checks and does what a call wanted, `len` bytes of `input` having come on `stream`.
    fn after(&mut self, stream: Option<StreamId>, input: &[u8], outs: &[Out], len: u32) {
        let bytes = (len as usize == input.len()).then_some(input);
        let link = stream.and_then(|stream| self.links.get_mut(&stream));
        let runs = link.map(|link| link.inbound.take(bytes, len)).unwrap_or_default();
        let mut written = 0;
        for out in outs {
            match out {
                Out::Place(extent, at) => {
                    let run = runs.iter().find(|run| (run.at..run.at + run.len).contains(at));
                    let run = run.unwrap_or_else(|| panic!("{extent:?} at {at} is no file data: {runs:?}"));
                    assert!(
                        extent.len > 0 && at + extent.len <= run.at + run.len,
                        "{extent:?} reaches beyond {run:?}"
                    );
                    let run = Run { begin: run.begin + (at - run.at), at: *at, ..*run };
                    self.place(stream.expect("data comes on a stream"), *extent, &run, input);
                }
                Out::Open(stream, to) => {
                    assert!(to.is_dialable() && !self.links.contains_key(stream));
                    self.links.insert(*stream, Link::new(State::Dialling));
                }
                Out::Write(stream, bytes) => {
                    let link = self.open_link(*stream);
                    link.outbound.take(bytes);
                    link.unflushed += bytes.len() as u32;
                    written += bytes.len();
                }
                Out::WriteExtent(stream, head, extent) => {
                    self.check_sent(*extent);
                    let most = self.config.max_unflushed;
                    let link = self.open_link(*stream);
                    assert!(link.unflushed < most, "more is written than the socket takes");
                    link.unflushed += head.len() as u32 + extent.len;
                }
                Out::Close(stream) => {
                    let link = self.links.get_mut(stream).expect("a known stream");
                    assert_ne!(link.state, State::Closed, "closed twice");
                    link.state = State::Closed;
                }
                Out::Send(..) => panic!("the swarm sends no datagrams"),
            }
        }
        assert!(written <= most_written(len as usize), "{written} bytes written for {len}");
        self.handle_events();
    }

    fn open_link(&mut self, stream: StreamId) -> &mut Link {
        let link = self.links.get_mut(&stream).expect("a known stream");
        assert_eq!(link.state, State::Open, "{stream:?} is written to");
        link
    }

    /// Data goes where it was asked for, never over what is verified.
    fn place(&mut self, stream: StreamId, extent: Extent, run: &Run, input: &[u8]) {
        let Run { at, piece, begin, .. } = *run;
        let content = &CONTENTS[extent.content.0 as usize];
        let stored = self.stored.get_mut(&extent.content).expect("a torrent of ours");
        let start = content.range(piece).start as u64;
        assert_eq!(extent.offset, start + u64::from(begin), "data is placed elsewhere");
        let asked = &self.links[&stream].outbound.asked;
        let inside = |block: &&throng_wire::peer::Block| {
            block.piece == piece && block.begin <= begin && begin + extent.len <= block.begin + block.length
        };
        assert!(asked.iter().any(|block| inside(&block)), "{extent:?} was not asked for");
        assert!(!stored.have.contains(&piece), "a verified piece is written over");
        assert!(!stored.complete.contains(&piece), "a piece under verification is written over");
        let range = extent.offset as usize..extent.offset as usize + extent.len as usize;
        assert!(range.end <= content.range(piece).end);
        let source = if input.is_empty() {
            &content.data[range.clone()]
        } else {
            &input[at as usize..][..range.len()]
        };
        stored.data[range].copy_from_slice(source);
    }

    /// Only what is stored is sent.
    fn check_sent(&self, extent: Extent) {
        let stored = &self.stored[&extent.content];
        let content = &CONTENTS[extent.content.0 as usize];
        let piece = (extent.offset / u64::from(content.meta.info.layout().piece_length())) as u32;
        assert!(stored.have.contains(&piece), "a piece that is not stored is sent");
        assert!(extent.len > 0 && extent.offset as usize + extent.len as usize <= content.range(piece).end);
    }

    fn handle_events(&mut self) {
        let events = self.probe.take_events();
        assert!(events.len() < 1_000);
        for event in events {
            self.on_event(event);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::PieceComplete(content, piece) => {
                let stored = self.stored.get_mut(&content).expect("a torrent of ours");
                assert!(
                    !stored.complete.contains(&piece) && !stored.have.contains(&piece),
                    "completed twice"
                );
                let info = &CONTENTS[content.0 as usize].meta.info;
                let file = &info.layout().files()
                    [info.layout().piece_file(PieceIndex(piece)).expect("a piece of a file")];
                let layered =
                    info.v1_pieces().is_none() && file.length > u64::from(info.layout().piece_length());
                let known = file.pieces_root.is_some_and(|root| stored.layers.contains(&root));
                assert!(!layered || known, "a piece came that nothing can verify");
                stored.complete.push(piece);
            }
            Event::DropPiece(content, piece) => {
                self.stored.get_mut(&content).expect("ours").complete.retain(|complete| *complete != piece);
            }
            Event::Metadata(content, info) => {
                let known = &CONTENTS[content.0 as usize];
                assert_eq!(info, *known.meta.info.raw(), "metadata with a wrong hash");
                self.command(Command::SetMetainfo(content, known.bare(), Vec::new()));
            }
            Event::PieceLayer(content, root, layer) => {
                let known = CONTENTS[content.0 as usize].meta.layers.layer(&root);
                assert_eq!(known, Some(&layer[..]), "a wrong layer");
                self.stored.get_mut(&content).expect("a torrent of ours").layers.insert(root);
            }
            Event::LeafHashesWanted(content, piece) => {
                let stored = self.stored.get_mut(&content).expect("ours");
                assert!(stored.have.contains(&piece));
                stored.leaves_wanted.push(piece);
            }
            Event::Announce(request) => {
                if let Some(stored) = self.stored.get_mut(&request.content) {
                    stored.announces.push(request.request);
                }
            }
            Event::Fetch { content, source, offset, len } => {
                let pieces = CONTENTS[content.0 as usize].data.len() as u64;
                assert!(len > 0 && offset < pieces, "a source is asked for nothing");
                self.fetches.insert((content, source), (offset, offset + len));
            }
            Event::FetchLess { content, source, end } => {
                if let Some((at, until)) = self.fetches.get_mut(&(content, source)) {
                    assert!(end >= *at && end <= *until, "a source is to send less, not more");
                    *until = end;
                }
            }
            Event::SourceShutOut { content, source } => _ = self.fetches.remove(&(content, source)),
            Event::Finished(_)
            | Event::PeerJoined(..)
            | Event::PeerLeft(..)
            | Event::Banned { .. }
            | Event::Called(_)
            | Event::Stopped => {}
        }
    }

    /// The application's verdict on the oldest complete piece; `doubt` rejects even a right one.
    pub fn verdict(&mut self, content: ContentId, doubt: bool) {
        let Some(stored) = self.stored.get_mut(&content).filter(|stored| !stored.complete.is_empty()) else {
            return;
        };
        let piece = stored.complete.remove(0);
        let known = &CONTENTS[content.0 as usize];
        let right = stored.data[known.range(piece)] == known.data[known.range(piece)];
        if right && !doubt {
            stored.have.insert(piece);
            let digests = self.probe.machine.compares(content, piece).then(|| self.digests(content, piece));
            self.command(Command::PieceVerified(content, piece, digests));
        } else {
            let digests = self.digests(content, piece);
            self.command(Command::PieceRejected(content, piece, digests));
        }
    }

    fn digests(&self, content: ContentId, piece: u32) -> BlockDigests {
        let (known, data) = (&CONTENTS[content.0 as usize], &self.stored[&content].data);
        if known.is_v2() {
            return BlockDigests::Leaves(leaves(&data[known.leaf_range(piece)]).into());
        }
        let short =
            |block: &[u8]| InfoHashV1::of(block).0.first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
        BlockDigests::Short(data[known.range(piece)].chunks(BLOCK as usize).map(short).collect())
    }

    /// Answers the oldest wish for leaf hashes.
    pub fn answer_leaves(&mut self, content: ContentId) {
        let Some(stored) = self.stored.get_mut(&content).filter(|stored| !stored.leaves_wanted.is_empty())
        else {
            return;
        };
        let piece = stored.leaves_wanted.remove(0);
        let known = &CONTENTS[content.0 as usize];
        let hashes = known.data[known.leaf_range(piece)].chunks(BLOCK as usize).map(merkle::leaf).collect();
        self.command(Command::LeafHashes(content, piece, hashes));
    }
}

impl Link {
    fn new(state: State) -> Link {
        Link { state, inbound: Inbound::default(), outbound: Outbound::default(), unflushed: 0 }
    }
}
