//! Transfers against scripted peers, against each other, and against what was recorded.

mod asking;
mod beside;
mod hostile;
mod lists;
mod pair;
mod pushes;
mod queues;
mod replay;
mod serving;
mod world;

use std::sync::Arc;
use std::time::Duration;

use throng_machine::probe::{Out, Probe};
use throng_machine::{ContentId, Endpoint, StreamEnd, StreamId, StreamInput};
use throng_wire::gnutella::tiger::{TreeHasher, depth_for, height_of, root};
use throng_wire::gnutella::{Guid, Urn};
use throng_wire::http::{Reply, Request, Target};

use super::*;

/// Byte `offset` of a content.
pub(super) fn byte(content: ContentId, offset: u64) -> u8 {
    (offset.wrapping_mul(31) ^ (offset >> 7) ^ u64::from(content.0)) as u8
}

pub(super) fn servent(number: u8) -> Guid {
    Guid::marked([number; 16])
}

/// Where host `number` listens.
pub(super) fn host(number: u8) -> Endpoint {
    Endpoint::v4([100, 64 + number, 0, 1], 6346)
}

pub(super) fn config(number: u8) -> Config {
    let identity = Identity {
        servent: servent(number),
        agent: "Throng/test".into(),
        user: "tester".into(),
        address: Some(host(number)),
        supernode: None,
    };
    Config::new(identity)
}

pub(super) fn sha1(content: u32) -> [u8; 20] {
    [content as u8; 20]
}

/// A file whose bytes are [`byte`], numbered as its content.
pub(super) fn file(content: u32, size: u64) -> Shared {
    let bytes: Vec<u8> = (0..size).map(|at| byte(ContentId(content), at)).collect();
    let mut hasher = TreeHasher::new(height_of(size).saturating_sub(depth_for(size)));
    hasher.update(&bytes);
    let level = hasher.finish();
    Shared {
        content: ContentId(content),
        index: content,
        name: format!("file {content} <a>.mp3"),
        size,
        sha1: Some(sha1(content)),
        tiger: Some(TigerTree { root: root(&level), level: Arc::from(level) }),
        ft_hash: Some([content as u8 ^ 0xff; 20]),
        magnet: Some(format!("magnet:?xt=urn:btmh:1220{content:064x}")),
        available: None,
    }
}

pub(super) fn by_servent(number: u8) -> PushBy {
    PushBy::Servent { servent: servent(number), index: 3, proxies: vec![host(8)] }
}

pub(super) fn by_number() -> PushBy {
    PushBy::Number { at: host(0), supernode: host(9), user: b"somebody".to_vec() }
}

/// Where a shared file can be fetched from.
pub(super) fn source(at: Endpoint, of: &Shared) -> Source {
    let target = Target::Urn(Urn::Sha1(of.sha1.unwrap()));
    Source { address: Some(at), push: None, target, size: Some(of.size), sha1: of.sha1 }
}

pub(super) fn fetch(id: u32, from: &Source, range: std::ops::Range<u64>) -> Command {
    let (id, source, content) = (FetchId(id), SourceId(1), ContentId(900));
    Command::Fetch(Box::new(Fetch { id, source, from: from.clone(), range, content }))
}

/// One machine and what it wants.
pub(super) struct Bench {
    pub(super) probe: Probe<Transfer>,
}

/// One part of a file.
pub(super) fn only(part: std::ops::Range<u64>) -> Option<Vec<std::ops::Range<u64>>> {
    Some(std::iter::once(part).collect())
}

/// The bytes written to a stream, heads of extents included, and the bytes of files asked for.
pub(super) fn written(outs: &[Out], stream: StreamId) -> Vec<u8> {
    let mut bytes = Vec::new();
    for out in outs {
        match out {
            Out::Write(to, text) if *to == stream => bytes.extend_from_slice(text),
            Out::WriteExtent(to, head, _) if *to == stream => bytes.extend_from_slice(head),
            _ => {}
        }
    }
    bytes
}

pub(super) fn is_closed(outs: &[Out], stream: StreamId) -> bool {
    outs.contains(&Out::Close(stream))
}

/// The call among the outputs.
pub(super) fn called(outs: &[Out]) -> Option<(StreamId, Endpoint)> {
    outs.iter().find_map(|out| match out {
        Out::Open(stream, to) => Some((*stream, *to)),
        _ => None,
    })
}

/// The heads of replies written to a stream.
pub(super) fn replies(outs: &[Out], stream: StreamId) -> Vec<Reply> {
    let (bytes, mut at, mut all) = (written(outs, stream), 0, Vec::new());
    while let Ok(Some((reply, used))) = Reply::parse(&bytes[at..]) {
        let body = match reply.headers.find("Content-Range") {
            Some(_) => 0,
            None => reply.content_length().unwrap().unwrap_or(0) as usize,
        };
        at = (at + used + body).min(bytes.len());
        all.push(reply);
    }
    all
}

/// The requests written to a stream.
pub(super) fn requests(outs: &[Out], stream: StreamId) -> Vec<Request> {
    let (bytes, mut at, mut all) = (written(outs, stream), 0, Vec::new());
    while let Ok(Some((request, used))) = Request::parse(&bytes[at..]) {
        at += used;
        all.push(request);
    }
    all
}

pub(super) fn placed(outs: &[Out]) -> Vec<(u64, u32, u32)> {
    let places = outs.iter().filter_map(|out| match out {
        Out::Place(extent, at) => Some((extent.offset, extent.len, *at)),
        _ => None,
    });
    places.collect()
}

impl Bench {
    pub(super) fn new(config: Config) -> Bench {
        Bench { probe: Probe::new(Transfer::new(config)) }
    }

    /// Serves file 1 of 100,000 bytes.
    pub(super) fn serving() -> Bench {
        let mut bench = Bench::new(config(0));
        bench.command(Command::Share(Box::new(file(1, 100_000))));
        bench
    }

    pub(super) fn command(&mut self, command: Command) -> Vec<Out> {
        self.probe.command(command)
    }

    pub(super) fn accept(&mut self, number: u8) -> StreamId {
        let from = host(number).with_port(40_000);
        let (stream, outs) = self.probe.accept(from);
        assert_eq!(outs, [], "{from}");
        stream
    }

    pub(super) fn bytes(&mut self, stream: StreamId, bytes: &[u8]) -> Vec<Out> {
        self.probe.stream(stream, StreamInput::Bytes(bytes))
    }

    pub(super) fn text(&mut self, stream: StreamId, text: &str) -> Vec<Out> {
        self.bytes(stream, text.as_bytes())
    }

    /// A request on a stream; the one reply.
    pub(super) fn ask(&mut self, stream: StreamId, text: &str) -> Reply {
        let outs = self.text(stream, text);
        let mut all = replies(&outs, stream);
        assert_eq!(all.len(), 1, "{outs:?}");
        all.remove(0)
    }

    /// All that was written has left, chunk after chunk.
    pub(super) fn flush(&mut self, stream: StreamId) -> Vec<Out> {
        let mut outs = Vec::new();
        for _ in 0..100 {
            outs.extend(self.probe.stream(stream, StreamInput::Flushed(1 << 20)));
        }
        outs
    }

    pub(super) fn close(&mut self, stream: StreamId) -> Vec<Out> {
        self.probe.stream(stream, StreamInput::Closed(StreamEnd::Finished))
    }

    pub(super) fn open(&mut self, stream: StreamId) -> Vec<Out> {
        self.probe.stream(stream, StreamInput::Opened)
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        self.probe.take_events()
    }

    pub(super) fn seconds(&mut self, seconds: u64) -> Vec<Out> {
        self.probe.advance(Duration::from_secs(seconds))
    }

    /// Fetches from host 1 and is connected: the stream, and the first request.
    pub(super) fn asking(&mut self, command: Command) -> (StreamId, Request) {
        let outs = self.command(command);
        let (stream, to) = called(&outs).expect("a call");
        assert_eq!(to, host(1));
        let outs = self.open(stream);
        (stream, requests(&outs, stream).remove(0))
    }
}

/// A request for file 1 by its hash, with more headers.
pub(super) fn get(more: &str) -> String {
    format!("GET /uri-res/N2R?{} HTTP/1.1\r\nHost: h\r\n{more}\r\n", Urn::Sha1(sha1(1)))
}

/// A reply with bytes of a file of 100,000.
pub(super) fn partial(first: u64, last: u64, more: &str) -> Vec<u8> {
    let length = last + 1 - first;
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/100000\r\nContent-Length: {length}\r\n{more}\r\n"
    );
    let body = (first..=last).map(|at| byte(ContentId(1), at));
    head.into_bytes().into_iter().chain(body).collect()
}
