//! The UDP worker: reads a batch of datagrams in one system call, answers them under one lock, sends in one call.
//!
//! A system call costs as much as the tracker's own work on an announce; batches spare most of them under load and
//! cost nothing without, because a batch ends when nothing more waits.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg, sendmmsg};
use throng_machine::Entropy;

use super::Shared;

/// Datagrams a batch; more gains nothing measurable.
const BATCH: usize = 64;
/// Largest request looked at; an announce with all its options has less than 1,400 bytes.
const REQUEST_MAX: usize = 1_500;

/// A socket address of one family, which the kernel fills in. The family is fixed per socket, so that headers can be
/// reused: their address length never changes.
trait Address: SockaddrLike + Copy {
    fn to_std(&self) -> SocketAddr;
}

impl Address for SockaddrIn {
    fn to_std(&self) -> SocketAddr {
        SocketAddrV4::from(*self).into()
    }
}

impl Address for SockaddrIn6 {
    fn to_std(&self) -> SocketAddr {
        SocketAddrV6::from(*self).into()
    }
}

/// Serves until told to stop.
pub(super) fn serve(socket: &UdpSocket, shared: &Shared, entropy: impl Entropy) {
    let served = match socket.local_addr() {
        Ok(SocketAddr::V4(_)) => Worker::<SockaddrIn, _>::new(socket, shared, entropy).run(),
        Ok(SocketAddr::V6(_)) => Worker::<SockaddrIn6, _>::new(socket, shared, entropy).run(),
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!("the tracker's UDP socket failed: {error}");
    }
}

struct Worker<'a, S, E> {
    socket: &'a UdpSocket,
    shared: &'a Shared,
    entropy: E,
    received: MultiHeaders<S>,
    sent: MultiHeaders<S>,
    buffers: Box<[[u8; REQUEST_MAX]; BATCH]>,
    answers: Answers<S>,
}

/// Answers of one batch, end to end.
struct Answers<S> {
    bytes: Vec<u8>,
    spans: Vec<Range<usize>>,
    to: Vec<Option<S>>,
}

impl<'a, S: Address, E: Entropy> Worker<'a, S, E> {
    fn new(socket: &'a UdpSocket, shared: &'a Shared, entropy: E) -> Self {
        let headers = || MultiHeaders::preallocate(BATCH, None);
        let answers = Answers { bytes: Vec::new(), spans: Vec::new(), to: Vec::new() };
        let buffers = Box::new([[0; REQUEST_MAX]; BATCH]);
        Self { socket, shared, entropy, received: headers(), sent: headers(), buffers, answers }
    }

    fn run(&mut self) -> io::Result<()> {
        while !self.shared.is_stopping() {
            match self.receive() {
                Ok(()) => self.send(),
                Err(Errno::EAGAIN) => self.pass(),
                // A client's port was closed when our answer came: the next call reads on.
                Err(Errno::EINTR | Errno::ECONNREFUSED | Errno::ENETUNREACH | Errno::EHOSTUNREACH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Time passes also where nobody calls.
    fn pass(&self) {
        self.shared.tracker().handle_timeout(self.shared.now());
    }

    /// Waits for a datagram, takes what else is there, and answers all.
    fn receive(&mut self) -> Result<(), Errno> {
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let flags = MsgFlags::MSG_WAITFORONE;
        let messages = recvmmsg(self.socket.as_raw_fd(), &mut self.received, slices.iter_mut(), flags, None)?;
        self.answers.clear();
        let now = self.shared.now();
        let mut tracker = self.shared.tracker();
        for message in messages {
            let (Some(from), Some(datagram)) = (message.address, message.iovs().next()) else { continue };
            let start = self.answers.bytes.len();
            let endpoint = from.to_std().into();
            tracker.handle_datagram(endpoint, datagram, now, &mut self.entropy, &mut self.answers.bytes);
            self.answers.end(start, from);
        }
        if now >= tracker.poll_timeout() {
            tracker.handle_timeout(now);
        }
        Ok(())
    }

    /// Sends the answers; one the system refuses is skipped, and those it has no room for are lost, as UDP has it.
    fn send(&mut self) {
        let slices: Vec<[IoSlice<'_>; 1]> =
            self.answers.spans.iter().map(|span| [IoSlice::new(&self.answers.bytes[span.clone()])]).collect();
        let mut done = 0;
        while done < slices.len() {
            let to = &self.answers.to[done..];
            let flags = MsgFlags::MSG_DONTWAIT;
            match sendmmsg(self.socket.as_raw_fd(), &mut self.sent, &slices[done..], to, [], flags) {
                Ok(results) => done += results.count().max(1),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return,
                Err(_) => done += 1,
            }
        }
    }
}

impl<S> Answers<S> {
    fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.to.clear();
    }

    /// What was appended since `start` is the answer to this address, if it is anything.
    fn end(&mut self, start: usize, to: S) {
        if self.bytes.len() > start {
            self.spans.push(start..self.bytes.len());
            self.to.push(Some(to));
        }
    }
}
