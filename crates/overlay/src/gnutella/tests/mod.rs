//! Servents against scripted peers and recorded ones, sentence by sentence of the note, and among themselves.

mod around;
mod election;
mod hostile;
mod messages;
mod net;
mod replay;
mod scenario;

use super::*;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, StreamId, StreamInput};
use throng_wire::gnutella::{Block, Bye, Guid, Header, Kind, Message, frame};

/// An address that strangers may tell of.
pub(super) fn host(number: u8) -> Endpoint {
    Endpoint::v4([100, 64 + number, 0, number], 6346)
}

pub(super) fn identity(number: u8) -> Identity {
    let listen = SocketAddrV4::new(Ipv4Addr::new(100, 64 + number, 0, number), 6346);
    Identity { servent: Guid::marked([number; 16]), listen, key: [number.into(), 7] }
}

pub(super) fn config(role: Role) -> Config {
    Config { role: RoleChoice::Fixed(role), deflate: false, ..Config::default() }
}

/// A servent and scripted peers.
pub(super) struct Bench {
    pub(super) probe: Probe<Servent>,
}

/// Headers of a leaf and an ultrapeer as ours and gtk-gnutella send them.
pub(super) const LEAF: &str =
    "X-Ultrapeer: False\r\nX-Query-Routing: 0.1\r\nVendor-Message: 0.2\r\nBye-Packet: 0.1\r\n";
pub(super) const ULTRAPEER: &str = "X-Ultrapeer: True\r\nX-Query-Routing: 0.1\r\nX-Ultrapeer-Query-Routing: 0.1\r\n\
    X-Dynamic-Querying: 0.1\r\nX-Ext-Probes: 0.1\r\nX-Degree: 32\r\nX-Max-TTL: 4\r\nBye-Packet: 0.1\r\n";
pub(super) const PLAIN: &str = "Bye-Packet: 0.1\r\n";

impl Bench {
    /// A servent that has begun a network, with these choices.
    pub(super) fn of(config: Config) -> Bench {
        let mut probe = Probe::new(Servent::new(Arc::new(config), identity(1)));
        probe.now = probe.now + std::time::Duration::from_secs(1_000);
        probe.command(Command::Discovery(crate::discovery::Command::Join(Vec::new())));
        probe.take_events();
        Bench { probe }
    }

    pub(super) fn new(role: Role) -> Bench {
        Bench::of(config(role))
    }

    pub(super) fn bytes(&mut self, stream: StreamId, bytes: &[u8]) -> Vec<Out> {
        self.probe.stream(stream, StreamInput::Bytes(bytes))
    }

    /// Somebody calls and says this; what is answered.
    pub(super) fn call(&mut self, from: Endpoint, headers: &str) -> (StreamId, Vec<Out>) {
        let (stream, _) = self.probe.accept(from);
        let outs = self.bytes(stream, format!("GNUTELLA CONNECT/0.6\r\n{headers}\r\n").as_bytes());
        (stream, outs)
    }

    /// Somebody calls, and is linked; what is sent first.
    pub(super) fn linked(&mut self, from: Endpoint, headers: &str) -> (StreamId, Vec<Out>) {
        let (stream, outs) = self.call(from, headers);
        assert!(text(&outs, stream).starts_with("GNUTELLA/0.6 200"), "{}", text(&outs, stream));
        let outs = self.bytes(stream, b"GNUTELLA/0.6 200 OK\r\n\r\n");
        self.probe.take_events();
        (stream, outs)
    }

    /// A peer sends a message; what the servent does.
    pub(super) fn hear(&mut self, stream: StreamId, header: Header, payload: &[u8]) -> Vec<Out> {
        let message = message(header, payload);
        self.bytes(stream, &message)
    }

    pub(super) fn share(&mut self, index: u32, name: &str, sha1: Option<[u8; 20]>) {
        let file = SharedFile { name: name.into(), size: 4_096, sha1, ..SharedFile::default() };
        self.probe.command(Command::Share(index, Arc::new(file)));
    }

    pub(super) fn violations(&self, violation: Violation) -> u64 {
        self.probe.machine.violations().of(violation)
    }
}

pub(super) fn header(kind: Kind, guid: u8, ttl: u8, hops: u8) -> Header {
    Header { guid: Guid([guid; 16]), kind, ttl, hops, length: 0 }
}

pub(super) fn message(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    header.message(&mut out, |out| out.extend_from_slice(payload));
    out
}

/// The payload of a query.
pub(super) fn query(text: &str) -> Vec<u8> {
    [&[0x88, 0x00], text.as_bytes(), &[0]].concat()
}

/// All bytes written to a stream.
pub(super) fn written(outs: &[Out], stream: StreamId) -> Vec<u8> {
    let bytes = outs.iter().filter_map(|out| match out {
        Out::Write(to, bytes) if *to == stream => Some(bytes.as_slice()),
        _ => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

pub(super) fn text(outs: &[Out], stream: StreamId) -> String {
    String::from_utf8_lossy(&written(outs, stream)).into_owned()
}

/// The messages written to a stream that is up.
pub(super) fn messages(outs: &[Out], stream: StreamId) -> Vec<(Header, Vec<u8>)> {
    let bytes = written(outs, stream);
    let (mut rest, mut all) = (&bytes[..], Vec::new());
    while let Some((header, payload, used)) = frame(rest).expect("whole messages") {
        all.push((header, payload.to_vec()));
        rest = &rest[used..];
    }
    assert!(rest.is_empty(), "half a message");
    all
}

pub(super) fn of_kind(outs: &[Out], stream: StreamId, kind: Kind) -> Vec<(Header, Vec<u8>)> {
    messages(outs, stream).into_iter().filter(|(header, _)| header.kind == kind).collect()
}

/// The code of the goodbye, if the stream was closed with one.
pub(super) fn bye(outs: &[Out], stream: StreamId) -> Option<u16> {
    let byes = of_kind(outs, stream, Kind::Bye);
    assert!(byes.is_empty() || outs.contains(&Out::Close(stream)), "a goodbye ends the link");
    byes.first().map(|(_, payload)| Bye::parse(payload).unwrap().code.0)
}

/// The messages of a link's first moments, with the third block before them taken off.
pub(super) fn first_block(bytes: &[u8]) -> (Block, Vec<u8>) {
    let (block, used) = Block::parse(bytes).unwrap().unwrap();
    (block, bytes[used..].to_vec())
}

pub(super) fn parse<'a>(message: &'a (Header, Vec<u8>)) -> Message<'a> {
    Message::parse(&message.0, &message.1).unwrap()
}
