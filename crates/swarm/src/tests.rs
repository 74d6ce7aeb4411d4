//! The machine against scripted peers: input → expected outputs and deadline.

mod asleep;
mod blame;
mod choking;
mod hostile;
mod metadata;
mod requests;
mod sources;
mod urgent;

use crate::{AddTorrent, Command, Config, Event, PeerSource, SourceId, Swarm, TorrentOptions};
use std::sync::Arc;
use throng_machine::probe::{Out, Probe};
use throng_machine::{ContentId, Endpoint, StreamId, StreamInput};
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::metainfo::{Builder, FileHashes, Format, Hashes, Metainfo, Options, SourceFile};
use throng_wire::peer::{
    self, Block, ExtendedHandshake, Extension, ExtensionIds, Handshake, Limits, Message, Reserved,
};

const C: ContentId = ContentId(0);
const BLOCK: u32 = 16 << 10;

/// A torrent of `pieces` pieces of two blocks each, the last one short.
fn metainfo(pieces: u32) -> Arc<Metainfo> {
    let length = u64::from(pieces) * u64::from(2 * BLOCK) - 100;
    let options = Options { format: Format::V1, piece_length: Some(2 * BLOCK), ..Options::default() };
    let builder =
        Builder::single_file(b"f", SourceFile { length, ..SourceFile::default() }, options).unwrap();
    let hashes = Hashes { v1: vec![7; 20 * pieces as usize], ..Hashes::default() };
    Arc::new(builder.finish(hashes).unwrap())
}

/// A hybrid torrent of two files, with padding between them.
fn hybrid() -> Arc<Metainfo> {
    let file =
        |name: &[u8], length| SourceFile { path: vec![name.to_vec()], length, ..SourceFile::default() };
    let options = Options { format: Format::Hybrid, piece_length: Some(2 * BLOCK), ..Options::default() };
    let builder =
        Builder::folder(b"d", vec![file(b"a", 100), file(b"b", u64::from(BLOCK) + 1)], options).unwrap();
    let root = |byte| FileHashes { root: [byte; 32], layer: vec![] };
    let files: Vec<usize> = (0..builder.layout().files().len())
        .filter(|file| !builder.layout().files()[*file].attributes.padding)
        .collect();
    let v2 = files.iter().map(|file| (*file, root(*file as u8))).collect();
    let v1 = vec![7; 20 * builder.layout().piece_count() as usize];
    Arc::new(builder.finish(Hashes { v1, v2 }).unwrap())
}

fn add(meta: &Arc<Metainfo>, have: Vec<u8>) -> AddTorrent {
    AddTorrent {
        content: C,
        info_hashes: meta.info.swarms().map(|hash| hash.0).collect(),
        info_hash_v2: None,
        metainfo: Some(meta.clone()),
        have,
        trackers: vec![],
        options: TorrentOptions::default(),
    }
}

/// A machine under test with its scripted peers.
struct Bench {
    probe: Probe<Swarm>,
    meta: Arc<Metainfo>,
}

impl Bench {
    fn with(config: Config, pieces: u32, have: Vec<u8>) -> Bench {
        let meta = metainfo(pieces);
        let mut probe = Probe::new(Swarm::new(config, 1));
        probe.command(Command::Add(Box::new(add(&meta, have))));
        Bench { probe, meta }
    }

    /// A downloader with nothing.
    fn leech(pieces: u32) -> Bench {
        Bench::with(Config::default(), pieces, vec![])
    }

    /// A seed of eight pieces.
    fn seed(config: Config) -> Bench {
        Bench::with(config, 8, vec![0xff])
    }

    fn hash(&self) -> InfoHash {
        self.meta.info.swarms().next().unwrap()
    }

    fn greeting(&self, id: u8, reserved: Reserved) -> Vec<u8> {
        Handshake { reserved, info_hash: self.hash(), peer_id: PeerId([id; 20]) }.encode().to_vec()
    }

    /// A peer connects and greets; with the fast extension.
    fn join(&mut self, id: u8) -> (StreamId, Vec<Message<'static>>) {
        self.join_as(id, Reserved::EXTENSION_PROTOCOL.with(Reserved::FAST))
    }

    fn join_as(&mut self, id: u8, reserved: Reserved) -> (StreamId, Vec<Message<'static>>) {
        let (stream, _) = self.probe.accept(Endpoint::v4([10, 0, 0, id], 50_000));
        let greeting = self.greeting(id, reserved);
        let outs = self.bytes(stream, &greeting);
        (stream, said(&outs, stream)[1..].to_vec())
    }

    fn bytes(&mut self, stream: StreamId, bytes: &[u8]) -> Vec<Out> {
        self.probe.stream(stream, StreamInput::Bytes(bytes))
    }

    /// A peer says something; what the machine says to it in turn.
    fn say(&mut self, stream: StreamId, message: &Message<'_>) -> Vec<Message<'static>> {
        let outs = self.say_raw(stream, message);
        said(&outs, stream)
    }

    fn say_raw(&mut self, stream: StreamId, message: &Message<'_>) -> Vec<Out> {
        let mut bytes = Vec::new();
        peer::encode(message, &mut bytes);
        self.bytes(stream, &bytes)
    }

    /// A peer with everything joins and unchokes us; the requests that follow.
    fn unchoked_seed(&mut self, id: u8) -> (StreamId, Vec<Block>) {
        let (stream, _) = self.join(id);
        self.say(stream, &Message::HaveAll);
        let requests = requests(&self.say(stream, &Message::Unchoke));
        (stream, requests)
    }

    /// The peer answers a request.
    fn deliver(&mut self, stream: StreamId, block: Block) -> Vec<Out> {
        let data = vec![0; block.length as usize];
        self.say_raw(stream, &Message::Piece { piece: block.piece, begin: block.begin, data: &data })
    }

    fn bans(&mut self) -> Vec<Endpoint> {
        let events = self.probe.take_events();
        events
            .into_iter()
            .filter_map(|event| match event {
                Event::Banned { peer, .. } => Some(peer),
                _ => None,
            })
            .collect()
    }
}

/// What was written to a stream, as messages; a handshake counts as a keep-alive, unknown bytes fail the test.
fn said(outs: &[Out], stream: StreamId) -> Vec<Message<'static>> {
    let mut bytes = Vec::new();
    for out in outs {
        match out {
            Out::Write(to, more) | Out::WriteExtent(to, more, _) if *to == stream => {
                bytes.extend_from_slice(more);
                if let Out::WriteExtent(_, _, extent) = out {
                    bytes.resize(bytes.len() + extent.len as usize, 0);
                }
            }
            _ => {}
        }
    }
    let bytes: &'static [u8] = bytes.leak();
    let (mut messages, mut at) = (Vec::new(), 0);
    if bytes.starts_with(&peer::PROTOCOL) {
        messages.push(Message::KeepAlive);
        at = peer::HANDSHAKE_LEN;
    }
    while at < bytes.len() {
        let (message, consumed) = peer::decode_frame(&bytes[at..], &Limits::default()).unwrap().unwrap();
        messages.push(message);
        at += consumed;
    }
    messages
}

fn requests(messages: &[Message<'_>]) -> Vec<Block> {
    messages
        .iter()
        .filter_map(|message| match message {
            Message::Request(block) => Some(*block),
            _ => None,
        })
        .collect()
}

fn extended(payload: &ExtendedHandshake<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    payload.encode(&mut bytes);
    bytes
}

#[test]
fn both_sides_greet_and_a_seed_says_it_has_all() {
    let mut bench = Bench::seed(Config::default());
    let (_, messages) = bench.join(1);
    assert_eq!(messages[0], Message::HaveAll);
    assert!(matches!(messages[1], Message::Extended { id: 0, .. }));
}

#[test]
fn a_peer_without_the_fast_extension_gets_a_bitfield_and_no_fast_message() {
    let mut bench = Bench::seed(Config::default());
    let (_, messages) = bench.join_as(1, Reserved::default());
    assert_eq!(messages, [Message::Bitfield(&[0xff])]);
}

#[test]
fn a_handshake_cut_at_any_byte_is_understood() {
    for cut in 1..68 {
        let mut bench = Bench::seed(Config::default());
        let (stream, _) = bench.probe.accept(Endpoint::v4([10, 0, 0, 1], 50_000));
        let greeting = bench.greeting(1, Reserved::default());
        let mut outs = bench.bytes(stream, &greeting[..cut]);
        outs.extend(bench.bytes(stream, &greeting[cut..]));
        assert_eq!(said(&outs, stream), [Message::KeepAlive, Message::Bitfield(&[0xff])], "cut at {cut}");
    }
}

#[test]
fn a_caller_of_a_hybrid_torrent_is_answered_under_the_v2_hash_if_it_says_that_it_knows_it() {
    let meta = hybrid();
    let swarms: Vec<InfoHash> = meta.info.swarms().collect();
    let [v1, v2] = swarms[..] else { panic!("two swarms") };
    let knows = Reserved::default().with(Reserved::V2_UPGRADE);
    for (called, reserved, answered) in
        [(v1, knows, v2), (v1, Reserved::default(), v1), (v2, knows, v2), (v2, Reserved::default(), v2)]
    {
        let mut probe = Probe::new(Swarm::new(Config::default(), 1));
        probe.command(Command::Add(Box::new(add(&meta, vec![0xff]))));
        let (stream, _) = probe.accept(Endpoint::v4([10, 0, 0, 1], 50_000));
        let greeting = Handshake { reserved, info_hash: called, peer_id: PeerId([1; 20]) }.encode();
        let outs = probe.stream(stream, StreamInput::Bytes(&greeting));
        let answer = outs.iter().find_map(|out| match out {
            Out::Write(to, bytes) if *to == stream => Handshake::decode(bytes).ok().flatten(),
            _ => None,
        });
        assert_eq!(answer.map(|answer| answer.info_hash), Some(answered), "{called:?} {reserved:?}");
    }
}

#[test]
fn a_connection_for_an_unknown_torrent_or_to_ourselves_is_closed() {
    let mut bench = Bench::seed(Config::default());
    let mut greeting = bench.greeting(1, Reserved::default());
    greeting[30] ^= 1;
    let (stream, _) = bench.probe.accept(Endpoint::v4([10, 0, 0, 1], 50_000));
    assert_eq!(bench.bytes(stream, &greeting), [Out::Close(stream)]);
    let own = Handshake {
        reserved: Reserved::default(),
        info_hash: bench.hash(),
        peer_id: PeerId(Config::default().peer_id),
    };
    let (stream, _) = bench.probe.accept(Endpoint::v4([10, 0, 0, 1], 50_000));
    assert_eq!(bench.bytes(stream, &own.encode()), [Out::Close(stream)]);
    assert_eq!(bench.bans(), []);
}

#[test]
fn known_peers_are_dialled_and_greeted_and_private_torrents_take_none_from_exchange() {
    let mut bench = Bench::leech(8);
    let to = Endpoint::v4([10, 0, 0, 9], 6881);
    let outs = bench.probe.command(Command::AddPeers(C, PeerSource::Tracker, vec![to]));
    let [Out::Open(stream, address)] = outs[..] else { panic!("{outs:?}") };
    assert_eq!(address, to);
    let outs = bench.probe.stream(stream, StreamInput::Opened);
    assert_eq!(said(&outs, stream), [Message::KeepAlive]);

    let meta = metainfo(8);
    let mut private = add(&meta, vec![]);
    private.options.private = true;
    let mut probe = Probe::new(Swarm::new(Config::default(), 1));
    probe.command(Command::Add(Box::new(private)));
    assert_eq!(probe.command(Command::AddPeers(C, PeerSource::Exchange, vec![to])), []);
}

#[test]
fn of_two_connections_to_one_peer_both_ends_keep_the_same() {
    for (id, keep_new) in [(0x01, false), (0xff, true)] {
        let mut bench = Bench::leech(8);
        let to = Endpoint::v4([10, 0, 0, 9], 6881);
        let outs = bench.probe.command(Command::AddPeers(C, PeerSource::Tracker, vec![to]));
        let [Out::Open(dialled, _)] = outs[..] else { panic!("{outs:?}") };
        bench.probe.stream(dialled, StreamInput::Opened);
        let greeting = bench.greeting(id, Reserved::default());
        bench.bytes(dialled, &greeting);
        let (accepted, _) = bench.probe.accept(Endpoint::v4([10, 0, 0, 9], 50_000));
        let outs = bench.bytes(accepted, &greeting);
        let closed = if keep_new { dialled } else { accepted };
        assert!(outs.contains(&Out::Close(closed)), "id {id}: {outs:?}");
    }
}

#[test]
fn peers_learn_of_each_other_by_exchange() {
    let mut bench = Bench::leech(8);
    let ids = ExtensionIds::default().with(Extension::Pex, 9);
    let hello = extended(&ExtendedHandshake { ids, port: Some(7001), ..ExtendedHandshake::default() });
    let (first, _) = bench.join(1);
    bench.say(first, &Message::Extended { id: 0, payload: &hello });
    let (second, _) = bench.join(2);
    let told = bench.say(second, &Message::Extended { id: 0, payload: &hello });
    let Some(Message::Extended { id: 9, payload }) = told.first() else { panic!("{told:?}") };
    let added: Vec<_> = peer::Pex::decode(payload).unwrap().added().map(|(address, _)| address).collect();
    assert_eq!(added, [Endpoint::v4([10, 0, 0, 1], 7001).socket_addr()]);
}

#[test]
fn exchange_cannot_make_us_call_our_own_machine() {
    let mut bench = Bench::leech(8);
    let (stream, _) = bench.join(1);
    let own = "127.0.0.1:631".parse().unwrap();
    let other = "10.0.0.77:6881".parse().unwrap();
    let mut payload = Vec::new();
    peer::encode_pex(
        &[(own, peer::PexFlags::default()), (other, peer::PexFlags::default())],
        &[],
        &mut payload,
    );
    let outs = bench.say_raw(stream, &Message::Extended { id: 2, payload: &payload });
    let opened: Vec<_> = outs.iter().filter(|out| matches!(out, Out::Open(..))).collect();
    assert!(matches!(opened[..], [Out::Open(_, to)] if *to == Endpoint::from(other)), "{opened:?}");
}
