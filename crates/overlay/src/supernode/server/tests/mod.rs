//! Tests of the supernode: the captures replayed, each rule by name, hostile nodes, other supernodes.

mod hostile;
mod neighbours;
mod replay;
mod ring;
mod searches;
mod sessions;

use super::*;
use crate::supernode::channel::Channel;
use std::net::Ipv4Addr;
use std::time::Duration;
use throng_machine::SplitMix64;
use throng_machine::probe::{Out, Probe};
use throng_wire::fasttrack::{
    ClientHello, Comparison, Frame, FtHash, Item as FastItem, Media, Message, NodeInfo, Query, Realm,
    ServerHello, Share, TagKind, TagsWriter, Term,
};

/// A supernode and what it has written to each connection.
pub(super) struct World {
    pub(super) probe: Probe<Server>,
    pub(super) inbox: BTreeMap<StreamId, Vec<u8>>,
    pub(super) closed: Vec<StreamId>,
    pub(super) opened: Vec<(StreamId, Endpoint)>,
    pub(super) told: Vec<Event>,
    /// Whether what is written leaves at once.
    pub(super) reads: bool,
}

/// An ordinary node's end.
pub(super) struct Node {
    pub(super) stream: StreamId,
    pub(super) channel: Channel,
}

pub(super) fn config() -> Config {
    Config {
        address: Some(SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 1), 1218)),
        port: 1218,
        ..Config::default()
    }
}

impl World {
    pub(super) fn new(config: Config) -> World {
        let server = Server::new(Arc::new(config), &mut SplitMix64::new(3), Instant::EPOCH);
        World {
            probe: Probe::new(server),
            inbox: BTreeMap::new(),
            closed: Vec::new(),
            opened: Vec::new(),
            told: Vec::new(),
            reads: true,
        }
    }

    pub(super) fn accept(&mut self, from: Endpoint) -> StreamId {
        let (stream, outs) = self.probe.accept(from);
        self.take(outs);
        stream
    }

    /// A node that said its name and is told what a node is told.
    pub(super) fn join(&mut self, last: u8, user: &str) -> Node {
        let stream = self.accept(Endpoint::v4([10, 0, 0, last], 40_000));
        self.bytes(stream, &ClientHello::ours().encode());
        let hello = self.raw(stream);
        let mut channel = Channel::call(&ServerHello::parse(&hello[..8]).unwrap());
        channel.receive(&hello[8..]);
        assert_eq!(channel.take_name().unwrap().unwrap(), b"KaZaA");
        let mut name = Vec::new();
        channel.put_name(&mut name);
        self.bytes(stream, &name);
        let mut node = Node { stream, channel };
        let at = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 1214);
        self.say(
            &mut node,
            &Message::NodeInfo(NodeInfo { address: at, bandwidth: 0x68, user: user.as_bytes() }),
        );
        node
    }

    pub(super) fn say(&mut self, node: &mut Node, message: &Message<'_>) {
        let mut bytes = Vec::new();
        assert!(node.channel.put(message, &mut bytes));
        self.bytes(node.stream, &bytes);
    }

    pub(super) fn bytes(&mut self, stream: StreamId, bytes: &[u8]) {
        self.stream(stream, StreamInput::Bytes(bytes));
    }

    pub(super) fn stream(&mut self, stream: StreamId, input: StreamInput<'_>) {
        let outs = self.probe.stream(stream, input);
        self.take(outs);
    }

    pub(super) fn command(&mut self, command: Command) {
        let outs = self.probe.command(command);
        self.take(outs);
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let outs = self.probe.advance(by);
        self.take(outs);
    }

    /// What came since the last look, as it is.
    pub(super) fn raw(&mut self, stream: StreamId) -> Vec<u8> {
        std::mem::take(self.inbox.entry(stream).or_default())
    }

    /// What a node was told since the last look: types and bodies, 0x50 and 0x52 for pings and pongs.
    pub(super) fn heard(&mut self, node: &mut Node) -> Vec<(u16, Vec<u8>)> {
        let bytes = self.raw(node.stream);
        node.channel.receive(&bytes);
        let input = node.channel.take_input();
        let (mut at, mut heard) = (0, Vec::new());
        while let Some((frame, length)) = node.channel.split(&input[at..]).expect("in step") {
            at += length;
            heard.push(match frame {
                Frame::Ping => (0x50, Vec::new()),
                Frame::Pong => (0x52, Vec::new()),
                Frame::Message(kind, body) => (kind, body.to_vec()),
            });
        }
        assert_eq!(at, input.len(), "whole frames only");
        heard
    }

    /// Says something and returns what the node is told then.
    pub(super) fn ask(&mut self, node: &mut Node, message: &Message<'_>) -> Vec<(u16, Vec<u8>)> {
        self.heard(node);
        self.say(node, message);
        self.heard(node)
    }

    pub(super) fn share(&mut self, node: &mut Node, name: &str, hash: u8) {
        let mut tags = TagsWriter::default();
        tags.text(TagKind::FILE_NAME, name.as_bytes());
        let item = FastItem { hash: FtHash([hash; 20]), file_id: 7, size: 1_000, tags: tags.tags() };
        self.say(node, &Message::Share(Share { media: Media::Audio, item }));
    }

    /// Searches for words; the types and bodies that come at once.
    pub(super) fn search(&mut self, node: &mut Node, id: u16, words: &str) -> Vec<(u16, Vec<u8>)> {
        let mut into = Vec::new();
        let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data: words.as_bytes() };
        let terms = Query::write_terms(&[term], &mut into);
        let query = Query { max_results: 32, id, realm: Realm::EVERYTHING, terms };
        self.ask(node, &Message::Search(query))
    }

    pub(super) fn is_closed(&self, stream: StreamId) -> bool {
        self.closed.contains(&stream)
    }

    pub(super) fn violations(&self, violation: Violation) -> u64 {
        self.probe.machine.violations().count(violation)
    }

    fn take(&mut self, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Write(stream, bytes) => {
                    let length = bytes.len() as u32;
                    self.inbox.entry(stream).or_default().extend(bytes);
                    if self.reads {
                        self.stream(stream, StreamInput::Flushed(length));
                    }
                }
                Out::Close(stream) => self.closed.push(stream),
                Out::Open(stream, to) => self.opened.push((stream, to)),
                other => unreachable!("a supernode does not {other:?}"),
            }
        }
        self.told.extend(self.probe.take_events());
    }
}

/// The file names in the hits of a 07.
pub(super) fn names(body: &[u8]) -> Vec<String> {
    let Ok(Message::Reply(reply)) = Message::parse(0x07, body) else { panic!("no reply") };
    let name = |hit: Result<throng_wire::fasttrack::Hit<'_>, _>| {
        let hit = hit.unwrap();
        String::from_utf8_lossy(hit.item.tags.find(TagKind::FILE_NAME).unwrap().data).into_owned()
    };
    reply.hits.iter().map(name).collect()
}
