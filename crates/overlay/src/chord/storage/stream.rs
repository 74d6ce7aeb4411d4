//! What does not fit datagrams goes by TCP: large values, and many records at once (1.5, 2.10).
//!
//! The opener says who it is with the token its datagrams were given, so a stream proves no less than a datagram. At
//! most so many streams, in all and of one host; whoever is silent for 30 s is closed; a frame is bounded before it is
//! buffered; so is what waits to be acknowledged.

use super::Store;
use super::bulk::Run;
use super::id::Locator;
use super::job::Job;
use super::serve::held;
use super::write::{Asker, How};
use crate::chord::core::{Core, Received};
use crate::chord::node::Node;
use crate::chord::violation::Violation;
use crate::chord::{Context, Instant};
use std::collections::BTreeMap;
use std::time::Duration;
use throng_machine::{Endpoint, StreamId, StreamInput, TokenBucket, Via};
use throng_wire::chord::{
    Bye, ByeReason, Cursor, End, Flags, Frame, FrameAck, Header, Hello, Pull, PutResult, Ready,
};

/// Streams others opened to us at most, in all and by one address: who publishes much has one for each range of ours
/// that it fills, and who shares an address with him copies to us.
const MOST_IN: (usize, usize) = (64, 16);
/// Silence after which a stream is closed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes given for one pull at most.
const MOST_PULLED: usize = 1 << 20;

/// A stream and what it is for.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    /// Ours: what for. Another's: none.
    pub job: Option<Job>,
    /// Who is at the other end, once that is known.
    pub peer: Option<Received>,
    pub address: Endpoint,
    pub ready: bool,
    pub buffer: Vec<u8>,
    pub due: Instant,
}

/// All streams.
#[derive(Clone, Default, Debug)]
pub(crate) struct Streams {
    pub talks: BTreeMap<StreamId, Talk>,
    /// Jobs that wait for a token.
    pub knocking: BTreeMap<u32, (usize, Node, Job)>,
    pub bucket: Option<TokenBucket>,
    pub paused: Option<Instant>,
}

impl Streams {
    /// When to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.talks.values().map(|talk| talk.due).chain(self.paused).min()
    }
}

impl Store {
    pub(super) fn open(&mut self, core: &mut Core, (at, to): (usize, Node), job: Job, cx: &mut Context<'_>) {
        let stream = cx.open(Via::Tcp, to.endpoint);
        let header = hello_header(core, (at, &to));
        let peer = Some(Received { from: to, at, header, proved: true, sample: None });
        let due = cx.now() + PATIENCE;
        let talk = Talk { job: Some(job), peer, address: to.endpoint, ready: false, buffer: Vec::new(), due };
        self.streams.talks.insert(stream, talk);
    }

    /// Something happened to a stream.
    pub(crate) fn on_stream(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        input: StreamInput<'_>,
        cx: &mut Context<'_>,
    ) {
        match input {
            StreamInput::Accepted { from, .. } => self.accept(stream, from, cx),
            StreamInput::Opened => self.greet(core, stream, cx),
            StreamInput::Bytes(bytes) => self.on_bytes(core, stream, bytes, cx),
            StreamInput::Closed(_) => self.drop_talk(core, stream, cx),
            StreamInput::Blank(_) | StreamInput::Flushed(_) => {}
        }
    }

    fn accept(&mut self, stream: StreamId, from: Endpoint, cx: &mut Context<'_>) {
        let others = self.streams.talks.values().filter(|talk| talk.job.is_none());
        let (all, same) = others
            .fold((0, 0), |(all, same), talk| (all + 1, same + usize::from(talk.address.ip() == from.ip())));
        // Loopback is one machine's own affair.
        if all >= MOST_IN.0 || same >= MOST_IN.1 && !from.ip().is_loopback() {
            return cx.close(stream);
        }
        let due = cx.now() + PATIENCE;
        let talk = Talk { job: None, peer: None, address: from, ready: false, buffer: Vec::new(), due };
        self.streams.talks.insert(stream, talk);
    }

    fn greet(&mut self, core: &mut Core, stream: StreamId, cx: &mut Context<'_>) {
        let Some(peer) = self.streams.talks.get(&stream).and_then(|talk| talk.peer) else { return };
        let hello = Hello {
            net_id: core.config.net_id,
            source: peer.header.source,
            destination: peer.header.destination,
            incarnation: core.incarnation,
            port: core.endpoint.map_or(0, |own| own.port()),
            token: core.proofs.held(peer.from.endpoint, cx.now()),
        };
        send(stream, &Frame::Hello(hello), cx);
    }

    fn on_bytes(&mut self, core: &mut Core, stream: StreamId, bytes: &[u8], cx: &mut Context<'_>) {
        let Some(talk) = self.streams.talks.get_mut(&stream) else { return };
        talk.due = cx.now() + PATIENCE;
        let mut buffer = std::mem::take(&mut talk.buffer);
        buffer.extend_from_slice(bytes);
        let mut at = 0;
        let mut run = Run::default();
        while let Some(rest) = buffer.get(at..).filter(|rest| !rest.is_empty()) {
            let goes_on = match Frame::decode(rest) {
                Ok(Some((frame, length))) => {
                    at += length;
                    if self.gather(core, stream, (&mut run, frame), cx) {
                        continue;
                    }
                    self.settle(core, stream, &mut run, cx);
                    self.on_frame(core, stream, &frame, cx)
                }
                Ok(None) => break,
                Err(_) => {
                    core.blame(Violation::Malformed);
                    self.hang_up(core, (stream, ByeReason::Malformed), cx);
                    false
                }
            };
            if !goes_on || !self.streams.talks.contains_key(&stream) {
                return;
            }
        }
        self.settle(core, stream, &mut run, cx);
        buffer.drain(..at);
        if let Some(talk) = self.streams.talks.get_mut(&stream) {
            talk.buffer = buffer;
        }
    }

    /// Handles a frame; false if the stream is over.
    fn on_frame(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        frame: &Frame<'_>,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(talk) = self.streams.talks.get(&stream) else { return false };
        match (talk.job.is_some(), talk.peer, frame) {
            (false, None, Frame::Hello(hello)) => self.on_hello(core, stream, hello, cx),
            (false, Some(peer), frame) => self.on_request_frame(core, (stream, &peer), frame, cx),
            (true, Some(_), Frame::Ready(_)) => {
                if let Some(talk) = self.streams.talks.get_mut(&stream) {
                    talk.ready = true;
                }
                self.pump(core, stream, cx);
                true
            }
            (true, Some(_), Frame::Bye(_)) => {
                self.drop_talk(core, stream, cx);
                cx.close(stream);
                false
            }
            (true, Some(_), frame) if talk.ready => self.on_job_frame(core, stream, frame, cx),
            _ => {
                core.blame(Violation::Malformed);
                self.hang_up(core, (stream, ByeReason::Malformed), cx);
                false
            }
        }
    }

    fn on_hello(&mut self, core: &mut Core, stream: StreamId, hello: &Hello, cx: &mut Context<'_>) -> bool {
        let Some(talk) = self.streams.talks.get(&stream) else { return false };
        let endpoint = talk.address.with_port(hello.port);
        let node = Node::new(core.config.id_rule, endpoint, hello.source, hello.incarnation);
        let (Some(at), Some(from)) = (core.position(hello.destination), node) else {
            self.hang_up(core, (stream, ByeReason::Stranger), cx);
            return false;
        };
        if hello.net_id != core.config.net_id || !core.proofs.is_valid(endpoint, hello.token, cx.now()) {
            core.blame(Violation::Unproved);
            self.hang_up(core, (stream, ByeReason::Token), cx);
            return false;
        }
        let header = Header {
            net_id: hello.net_id,
            txid: 0,
            source: hello.source,
            destination: hello.destination,
            flags: Flags::default(),
            incarnation: hello.incarnation,
            token: hello.token,
        };
        if let Some(talk) = self.streams.talks.get_mut(&stream) {
            talk.peer = Some(Received { from, at, header, proved: true, sample: None });
        }
        let claim = core.vnodes.get(at).map(|vnode| vnode.claim).unwrap_or_default();
        send(stream, &Frame::Ready(Ready { incarnation: core.incarnation, claim }), cx);
        true
    }

    /// What another asks on his stream.
    fn on_request_frame(
        &mut self,
        core: &mut Core,
        (stream, peer): (StreamId, &Received),
        frame: &Frame<'_>,
        cx: &mut Context<'_>,
    ) -> bool {
        match frame {
            Frame::Put(put) => {
                let asker = Asker::Stream(stream, put.number, *peer);
                let how = How { flags: put.flags, cas: put.cas };
                self.write(core, asker, (&[Some(put.held)], how), cx);
            }
            Frame::Pull(pull) => self.on_pull_frame(stream, pull, cx),
            Frame::Bye(_) => {
                self.drop_talk(core, stream, cx);
                cx.close(stream);
                return false;
            }
            _ => {
                core.blame(Violation::Malformed);
                self.hang_up(core, (stream, ByeReason::Malformed), cx);
                return false;
            }
        }
        true
    }

    /// Gives records of a range: those named, or all of it page by page.
    fn on_pull_frame(&mut self, stream: StreamId, pull: &Pull<'_>, cx: &mut Context<'_>) {
        let (wanted, now) = (pull.ids.to_vec(), cx.now());
        let (mut given, mut bytes, mut next) = (0, 0, None);
        let mut passed = pull.after.is_none();
        let meant = |id: &Locator| wanted.is_empty() || wanted.iter().any(|wanted| id.is_of(wanted));
        for (id, stored) in self.records.range(pull.low, pull.high, now) {
            if !passed {
                passed = pull.after.is_some_and(|after| id.key == after.key && id.is_of(&after.id));
                continue;
            }
            if !meant(id) {
                continue;
            }
            if bytes >= MOST_PULLED {
                break;
            }
            let Some(held) = held(stored, now) else { continue };
            send(stream, &Frame::Record(held), cx);
            bytes += stored.body.len();
            given += 1;
            next = Some(Cursor { key: id.key, id: held.record.id() });
        }
        let next = next.filter(|_| bytes >= MOST_PULLED);
        send(stream, &Frame::End(End { records: given, next }), cx);
    }

    /// Closes streams that were silent too long, and goes on where the rate allows it again.
    pub(crate) fn tend_streams(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let now = cx.now();
        let late: Vec<StreamId> =
            self.streams.talks.iter().filter(|(_, talk)| talk.due <= now).map(|(id, _)| *id).collect();
        for stream in late {
            cx.close(stream);
            self.drop_talk(core, stream, cx);
        }
        if self.streams.paused.is_some_and(|until| until <= now) {
            self.streams.paused = None;
            let pushing: Vec<StreamId> = self
                .streams
                .talks
                .iter()
                .filter(|(_, talk)| matches!(talk.job, Some(Job::Push(..))))
                .map(|(id, _)| *id)
                .collect();
            for stream in pushing {
                self.pump(core, stream, cx);
            }
        }
    }

    /// A stream is gone.
    pub(super) fn drop_talk(&mut self, core: &mut Core, stream: StreamId, cx: &mut Context<'_>) {
        let Some(talk) = self.streams.talks.remove(&stream) else { return };
        if let Some(job) = talk.job {
            self.on_job_over(core, job, None, cx);
        }
    }

    pub(super) fn hang_up(
        &mut self,
        core: &mut Core,
        (stream, reason): (StreamId, ByeReason),
        cx: &mut Context<'_>,
    ) {
        send(stream, &Frame::Bye(Bye { reason }), cx);
        cx.close(stream);
        self.drop_talk(core, stream, cx);
    }

    /// Answers records of another's stream: the first's number, and the results of it and those after it.
    pub(crate) fn acknowledge_frames(
        &mut self,
        stream: StreamId,
        first: u32,
        results: &[PutResult],
        cx: &mut Context<'_>,
    ) {
        if !self.streams.talks.contains_key(&stream) || results.is_empty() {
            return;
        }
        cx.write(stream, |out| {
            for (index, result) in (0..).zip(results) {
                let number = first.wrapping_add(index);
                // What has no encoding is not sent: the other end's patience ends.
                let _ = Frame::Ack(FrameAck { number, result: *result, stored: None }).encode(out);
            }
        });
    }
}

/// Which virtual node of ours speaks to which of theirs.
pub(super) fn hello_header(core: &Core, (at, to): (usize, &Node)) -> Header {
    Header {
        net_id: core.config.net_id,
        txid: 0,
        source: core.vnodes.get(at).map_or(0, |vnode| vnode.node.vnode),
        destination: to.vnode,
        flags: Flags::default(),
        incarnation: to.incarnation,
        token: 0,
    }
}

pub(super) fn send(stream: StreamId, frame: &Frame<'_>, cx: &mut Context<'_>) {
    cx.write(stream, |out| {
        // A frame of ours that has no encoding is not sent; the other end's silence ends the job.
        let _ = frame.encode(out);
    });
}
