//! One turn of the driver: an input to the machine, its outputs to the queues, its events to the application.

use super::Application;
use super::queue::{Gathered, OutQueue};
use crate::clock::Clock;
use crate::entropy::SystemEntropy;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::Waker;
use throng_machine::{Context, Endpoint, Extent, Instant, Machine, Op, Outbox, StreamId, Via};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

/// The receive buffer all connections share. 256 KiB stays in the second-level cache and is a socket buffer's worth.
pub(super) const SCRATCH: usize = 256 << 10;
/// The buffer file data passes through on its way out; 16 blocks a write.
pub(super) const GATHER: usize = 256 << 10;
/// Datagrams kept while the socket is full; more are dropped, as the network would.
const MAX_DATAGRAMS: usize = 256;

type Command<A> = <<A as Application>::Machine as Machine>::Command;
type Event<A> = <<A as Application>::Machine as Machine>::Event;

/// What a driver's sockets have carried, payload bytes without the headers of IP, UDP and TCP.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Traffic {
    /// Datagrams that came.
    pub datagrams_in: u64,
    /// Datagrams that left.
    pub datagrams_out: u64,
    /// Bytes that came, over datagrams and streams.
    pub bytes_in: u64,
    /// Bytes that left, over datagrams and streams.
    pub bytes_out: u64,
}

/// Whether the machine still has a say in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Open,
    /// The machine closed it: what is queued leaves, nothing comes in.
    Closing,
}

/// A stream as the core knows it; its socket lives in its task.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) out: OutQueue,
    pub(super) closing: bool,
    pub(super) waker: Option<Waker>,
}

/// All that a driver owns, borrowed for one turn at a time.
pub(super) struct Core<A: Application> {
    pub(super) machine: A::Machine,
    pub(super) app: A,
    pub(super) streams: BTreeMap<StreamId, Slot>,
    pub(super) scratch: Vec<u8>,
    pub(super) data: Vec<u8>,
    pub(super) gathered: Gathered,
    pub(super) opens: Vec<(StreamId, Via, SocketAddr)>,
    pub(super) udp: Option<Rc<UdpSocket>>,
    pub(super) datagrams: VecDeque<(SocketAddr, Vec<u8>)>,
    pub(super) datagram_waker: Option<Waker>,
    pub(super) next_stream: u32,
    pub(super) traffic: Traffic,
    outbox: Outbox,
    events: Vec<Event<A>>,
    commands: Vec<Command<A>>,
    entropy: SystemEntropy,
    clock: Clock,
}

impl<A: Application> Core<A> {
    pub(super) fn new(machine: A::Machine, app: A, entropy: SystemEntropy, clock: Clock) -> Core<A> {
        Core {
            machine,
            app,
            streams: BTreeMap::new(),
            scratch: vec![0; SCRATCH],
            data: vec![0; GATHER],
            gathered: Gathered::new(),
            opens: Vec::new(),
            udp: None,
            datagrams: VecDeque::new(),
            datagram_waker: None,
            next_stream: 0,
            traffic: Traffic::default(),
            outbox: Outbox::new(),
            events: Vec::new(),
            commands: Vec::new(),
            entropy,
            clock,
        }
    }

    /// The id of a stream that came to us.
    pub(super) fn accept(&mut self) -> StreamId {
        let stream = StreamId(self.next_stream);
        self.next_stream = self.next_stream.wrapping_add(1);
        self.streams.insert(stream, Slot::default());
        stream
    }

    /// Lets the machine handle one thing; `current` is the stream whose task is running and need not be woken.
    pub(super) fn turn(
        &mut self,
        current: Option<StreamId>,
        input: &[u8],
        act: impl FnOnce(&mut A::Machine, &mut Context<'_, Event<A>>),
    ) {
        self.call(act);
        self.apply(current, input);
        self.settle(current);
    }

    /// Lets the application act from outside, then the machine handle what it asked for.
    pub(super) fn with_app<R>(&mut self, act: impl FnOnce(&mut A, &mut Vec<Command<A>>) -> R) -> R {
        let result = act(&mut self.app, &mut self.commands);
        self.settle(None);
        result
    }

    /// Reads of the scratch buffer: the machine sees its first `len` bytes as input of a stream or a datagram.
    pub(super) fn turn_scratch(
        &mut self,
        current: Option<StreamId>,
        len: usize,
        act: impl FnOnce(&mut A::Machine, &[u8], &mut Context<'_, Event<A>>),
    ) {
        let scratch = std::mem::take(&mut self.scratch);
        let input = scratch.get(..len).unwrap_or(&scratch);
        self.turn(current, input, |machine, cx| act(machine, input, cx));
        self.scratch = scratch;
    }

    fn call(&mut self, act: impl FnOnce(&mut A::Machine, &mut Context<'_, Event<A>>)) {
        let now = self.clock.now();
        let Core { machine, entropy, next_stream, outbox, events, .. } = self;
        act(machine, &mut Context::new(now, entropy, next_stream, outbox, events));
    }

    /// Tells the events and handles the commands they caused until neither is left.
    fn settle(&mut self, current: Option<StreamId>) {
        while !self.events.is_empty() || !self.commands.is_empty() {
            for event in self.events.drain(..) {
                self.app.on_event(event, &mut self.commands);
            }
            let mut commands = std::mem::take(&mut self.commands);
            for command in commands.drain(..) {
                self.call(|machine, cx| machine.handle_command(command, cx));
                self.apply(current, &[]);
            }
            if self.commands.is_empty() {
                self.commands = commands;
            }
        }
    }

    fn apply(&mut self, current: Option<StreamId>, input: &[u8]) {
        if self.outbox.is_empty() {
            return;
        }
        let outbox = std::mem::take(&mut self.outbox);
        for op in outbox.ops() {
            self.apply_op(current, input, &outbox, op);
        }
        self.outbox = outbox;
        self.outbox.clear();
    }

    fn apply_op(&mut self, current: Option<StreamId>, input: &[u8], outbox: &Outbox, op: &Op) {
        match op {
            Op::Place { extent, at } => {
                let start = *at as usize;
                match input.get(start..start.saturating_add(extent.len as usize)) {
                    Some(bytes) => self.app.place(*extent, bytes),
                    None => debug_assert!(false, "a machine placed bytes it was not given"),
                }
            }
            Op::Write { stream, bytes } => {
                self.push(current, *stream, |out| out.push_control(outbox.bytes(*bytes)));
            }
            Op::WriteBytes { stream, bytes } => {
                self.push(current, *stream, |out| out.push_shared(bytes.clone()));
            }
            Op::WriteExtent { stream, head, extent } => self.push(current, *stream, |out| {
                out.push_control(outbox.bytes(*head));
                out.push_extent(*extent);
            }),
            Op::Close { stream } => {
                if let Some(slot) = self.streams.get_mut(stream) {
                    slot.closing = true;
                    slot.wake(current == Some(*stream));
                }
            }
            Op::Open { stream, via, to } => {
                self.streams.insert(*stream, Slot::default());
                self.opens.push((*stream, *via, to.socket_addr()));
            }
            Op::Send { via: _, to, bytes } => self.send(*to, outbox.bytes(*bytes)),
        }
    }

    fn push(&mut self, current: Option<StreamId>, stream: StreamId, append: impl FnOnce(&mut OutQueue)) {
        if let Some(slot) = self.streams.get_mut(&stream)
            && !slot.closing
        {
            append(&mut slot.out);
            slot.wake(current == Some(stream));
        }
    }

    /// Sends a datagram at once if the socket takes it, else queues or drops it.
    fn send(&mut self, to: Endpoint, bytes: &[u8]) {
        let Some(udp) = &self.udp else { return };
        let to = reachable_from(udp, to.socket_addr());
        if self.datagrams.is_empty() && !would_block(&udp.try_send_to(bytes, to)) {
            self.traffic.sent_datagram(bytes.len());
            return;
        }
        if self.datagrams.len() < MAX_DATAGRAMS {
            self.datagrams.push_back((to, bytes.to_vec()));
            if let Some(waker) = self.datagram_waker.take() {
                waker.wake();
            }
        }
    }

    /// Sends the first datagram that waits, if the socket takes it.
    pub(super) fn send_queued(&mut self, udp: &UdpSocket) {
        let Some((to, bytes)) = self.datagrams.front() else { return };
        if !would_block(&udp.try_send_to(bytes, *to)) {
            let sent = bytes.len();
            self.datagrams.pop_front();
            self.traffic.sent_datagram(sent);
        }
    }

    /// When the machine wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }

    /// Asks the application for data the stream waits for.
    pub(super) fn read_later(
        &mut self,
        stream: StreamId,
        limit: u32,
    ) -> Option<(Extent, oneshot::Receiver<Option<Bytes>>)> {
        let run = self.streams.get(&stream)?.out.first_run(limit)?;
        Some((run, self.app.read_later(run)))
    }
}

impl Traffic {
    pub(super) fn sent_datagram(&mut self, len: usize) {
        self.datagrams_out += 1;
        self.bytes_out += len as u64;
    }
}

/// Whether the socket has to be waited for.
pub(super) fn would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// The address as a socket of this family writes it: an IPv6 socket reaches IPv4 by mapped addresses.
fn reachable_from(udp: &UdpSocket, to: SocketAddr) -> SocketAddr {
    match (udp.local_addr(), to) {
        (Ok(SocketAddr::V6(_)), SocketAddr::V4(v4)) => {
            SocketAddr::new(IpAddr::V6(v4.ip().to_ipv6_mapped()), v4.port())
        }
        _ => to,
    }
}

impl Slot {
    /// Wakes the stream's task, unless it is the one that runs.
    fn wake(&mut self, running: bool) {
        if !running && let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Remembers how to wake the stream's task.
    pub(super) fn set_waker(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }
}
