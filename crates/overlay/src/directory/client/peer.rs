//! Connections between peers: who speaks when, and what follows from silence (section 7).
//!
//! The listener says `1`; the caller says what it wants; the rest depends on that. Invariants: a text is held only up
//! to its limit; file data is never held; every phase has a deadline, or must make progress.

use throng_machine::{ContentId, Endpoint, StreamEnd, StreamId, StreamInput, Via};
use throng_wire::napster::NapsterError;
use throng_wire::napster::peer::{
    GREETING, ListState, MAX_MAGNET, Opening, Parsed, Refusal, SizeAnswer, parse_magnet_answer, parse_offset,
    parse_size,
};

use super::command::DownloadId;
use super::download::Data;
use super::event::DownloadError;
use super::machine::{Client, Cx, Owner, Timer};
use super::upload::UploadId;
use super::violation::Violation;
use crate::discovery::Ticket;

/// The longest text of a peer, a magnet link, with its length.
const MAX_TEXT: usize = MAX_MAGNET + 16;

/// Why we call a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Errand {
    /// To fetch a file.
    Get(DownloadId),
    /// To ask for its magnet link.
    Magnet(DownloadId),
    /// To bring a file.
    Push(UploadId),
    /// To ask for a list.
    GetList(Ticket),
    /// To bring our list, to a user of that directory.
    SendList(Endpoint),
}

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// They called; what do they want?
    Opening,
    /// We called; their `1` is awaited.
    Calling(Errand),
    /// The size of the file, or a refusal.
    AwaitSize(DownloadId),
    /// A magnet link.
    AwaitMagnet(DownloadId),
    /// The file.
    Receiving(DownloadId),
    /// From where on they want our file.
    AwaitOffset(UploadId),
    /// Our file.
    Sending(UploadId),
    /// The application is asked for a magnet link.
    AwaitLink(UploadId),
    /// Their list.
    Reading(Ticket, ListState),
    /// Our list, told up to that file; `None` before the first.
    Listing(Option<ContentId>, bool),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: Endpoint,
    pub(super) phase: Phase,
    /// A text that is not whole yet.
    pub(super) held: Vec<u8>,
    /// Bytes written and not flushed.
    pub(super) unflushed: u64,
    /// Bytes moved since progress was last looked at.
    pub(super) moved: u64,
}

/// What becomes of a connection after an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(super) enum Next {
    Keep,
    Close,
}

impl Peer {
    fn new(address: Endpoint, phase: Phase) -> Box<Peer> {
        Box::new(Peer { address, phase, held: Vec::new(), unflushed: 0, moved: 0 })
    }

    /// Writes a text.
    pub(super) fn write(&mut self, stream: StreamId, cx: &mut Cx<'_>, fill: impl FnOnce(&mut Vec<u8>)) {
        let mut length = 0;
        cx.write(stream, |out| {
            let start = out.len();
            fill(out);
            length = out.len() - start;
        });
        self.unflushed = self.unflushed.saturating_add(length as u64);
    }

    /// Says no, and nothing more.
    pub(super) fn refuse(&mut self, stream: StreamId, refusal: Refusal, cx: &mut Cx<'_>) -> Next {
        self.write(stream, cx, |out| out.extend_from_slice(refusal.text()));
        Next::Close
    }
}

impl Client {
    pub(super) fn on_accepted(&mut self, stream: StreamId, from: Endpoint, cx: &mut Cx<'_>) {
        let alike = self.peers.values().filter(|peer| peer.address.ip() == from.ip()).count();
        let crowd = alike >= self.config.max_per_address && !from.ip().is_loopback();
        if crowd || self.peers.len() >= self.config.max_peers {
            cx.close(stream);
            return self.blame(from, Violation::Crowd, cx);
        }
        let mut peer = Peer::new(from, Phase::Opening);
        // Alone in its segment (P3, P4).
        peer.write(stream, cx, |out| out.push(GREETING));
        self.adopt(stream, peer, cx);
    }

    /// Calls a peer; false if there are too many connections already.
    pub(super) fn call(&mut self, to: Endpoint, errand: Errand, cx: &mut Cx<'_>) -> Option<StreamId> {
        if self.peers.len() >= self.config.max_peers {
            return None;
        }
        let stream = cx.open(Via::Tcp, to);
        self.adopt(stream, Peer::new(to, Phase::Calling(errand)), cx);
        Some(stream)
    }

    fn adopt(&mut self, stream: StreamId, peer: Box<Peer>, cx: &mut Cx<'_>) {
        self.owners.insert(stream, Owner::Peer);
        self.peers.insert(stream, peer);
        self.timers.set(Timer::Peer(stream), cx.now() + self.config.peer_timeout);
    }

    /// Closes a connection that is not being handled just now.
    pub(super) fn hang_up(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        if self.peers.remove(&stream).is_some() {
            self.forget(stream);
            cx.close(stream);
        }
    }

    fn forget(&mut self, stream: StreamId) {
        self.owners.remove(&stream);
        self.timers.clear(Timer::Peer(stream));
        self.timers.clear(Timer::Settle(stream));
    }

    pub(super) fn on_peer_input(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        let Some(mut peer) = self.peers.remove(&stream) else { return };
        let next = match input {
            StreamInput::Bytes(bytes) => self.on_peer_bytes(stream, &mut peer, bytes, cx),
            StreamInput::Blank(count) => match peer.phase {
                Phase::Receiving(id) => self.on_file_data(id, &mut peer, Data::Blank(count), 0, cx),
                _ => self.on_peer_violation(&peer, Violation::OutOfTurn, cx),
            },
            StreamInput::Flushed(count) => {
                peer.unflushed = peer.unflushed.saturating_sub(u64::from(count));
                peer.moved = peer.moved.saturating_add(u64::from(count));
                self.on_peer_flushed(stream, &mut peer, cx)
            }
            StreamInput::Closed(end) => {
                self.forget(stream);
                return self.on_peer_closed(&peer, end, cx);
            }
            StreamInput::Opened | StreamInput::Accepted { .. } => Next::Keep,
        };
        self.put_back(stream, peer, next, cx);
    }

    fn put_back(&mut self, stream: StreamId, peer: Box<Peer>, next: Next, cx: &mut Cx<'_>) {
        if next == Next::Close {
            self.forget(stream);
            cx.close(stream);
        } else {
            self.peers.insert(stream, peer);
        }
    }

    /// A text phase begins: it has its time.
    pub(super) fn enter(&mut self, stream: StreamId, peer: &mut Peer, phase: Phase, cx: &mut Cx<'_>) {
        peer.phase = phase;
        peer.moved = 0;
        let within = match phase {
            Phase::AwaitMagnet(_) => self.config.magnet_timeout,
            Phase::Receiving(_) | Phase::Sending(_) | Phase::Reading(..) | Phase::Listing(..) => {
                self.config.stall_timeout
            }
            _ => self.config.peer_timeout,
        };
        self.timers.set(Timer::Peer(stream), cx.now() + within);
    }

    fn on_peer_bytes(&mut self, stream: StreamId, peer: &mut Peer, bytes: &[u8], cx: &mut Cx<'_>) -> Next {
        self.timers.clear(Timer::Settle(stream));
        match peer.phase {
            Phase::Receiving(id) => self.on_file_data(id, peer, Data::Bytes(bytes), 0, cx),
            Phase::Reading(ticket, state) => self.on_list_bytes(stream, peer, (ticket, state), bytes, cx),
            // TekNap ends GETLIST with a line feed that may come late (P7).
            Phase::Sending(_) | Phase::Listing(..) | Phase::AwaitLink(_) => {
                if bytes.iter().all(u8::is_ascii_whitespace) {
                    return Next::Keep;
                }
                self.on_peer_violation(peer, Violation::OutOfTurn, cx)
            }
            _ => self.on_text(stream, peer, bytes, cx),
        }
    }

    /// Bytes where a text is awaited, joined to what was held of it.
    fn on_text(&mut self, stream: StreamId, peer: &mut Peer, bytes: &[u8], cx: &mut Cx<'_>) -> Next {
        let before = peer.held.len();
        let taken = bytes.len().min(MAX_TEXT.saturating_sub(before));
        let mut text = std::mem::take(&mut peer.held);
        text.extend_from_slice(&bytes[..taken]);
        // Bytes behind the text, of which so many were used.
        let after = |used: usize| used.saturating_sub(before).min(bytes.len());
        match self.read_text(stream, peer, &text, false, cx) {
            Ok(Reading::More) if text.len() >= MAX_TEXT => {
                self.on_peer_violation(peer, NapsterError::PeerTextTooLong.into(), cx)
            }
            Ok(Reading::More) => {
                peer.held = text;
                Next::Keep
            }
            Ok(Reading::MoreOrDone) => {
                peer.held = text;
                self.timers.set(Timer::Settle(stream), cx.now() + self.config.settle);
                Next::Keep
            }
            Ok(Reading::Done(used, Next::Keep)) if after(used) < bytes.len() => {
                let at = after(used);
                match peer.phase {
                    Phase::Receiving(id) => {
                        self.on_file_data(id, peer, Data::Bytes(&bytes[at..]), at as u32, cx)
                    }
                    _ => self.on_peer_bytes(stream, peer, &bytes[at..], cx),
                }
            }
            Ok(Reading::Done(_, next)) => next,
            Err(error) => self.on_peer_violation(peer, error.into(), cx),
        }
    }

    /// No digit has followed for a while: what is held is whole.
    pub(super) fn on_settled(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(mut peer) = self.peers.remove(&stream) else { return };
        let text = std::mem::take(&mut peer.held);
        let next = match self.read_text(stream, &mut peer, &text, true, cx) {
            Ok(Reading::Done(_, next)) => next,
            Ok(Reading::More | Reading::MoreOrDone) => Next::Keep,
            Err(error) => self.on_peer_violation(&peer, error.into(), cx),
        };
        self.put_back(stream, peer, next, cx);
    }

    fn read_text(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        text: &[u8],
        settled: bool,
        cx: &mut Cx<'_>,
    ) -> Result<Reading, NapsterError> {
        if text.is_empty() {
            return Ok(Reading::More);
        }
        Ok(match peer.phase {
            Phase::Opening => match settle(Opening::parse(text)?, settled || self.is_promised(text)) {
                Ok((opening, used)) => Reading::Done(used, self.on_opening(stream, peer, opening, cx)),
                Err(reading) => reading,
            },
            Phase::Calling(errand) if text[0] == GREETING => {
                Reading::Done(1, self.on_greeted(stream, peer, errand, cx))
            }
            // Never a word to somebody who does not speak the protocol.
            Phase::Calling(_) => Reading::Done(1, self.on_peer_violation(peer, Violation::OutOfTurn, cx)),
            Phase::AwaitSize(id) => match settle(parse_size(text, self.promised_size(id))?, settled) {
                Ok((SizeAnswer::Size(size), used)) => {
                    Reading::Done(used, self.on_size(stream, peer, id, size, cx))
                }
                Ok((SizeAnswer::Refused(refusal), used)) => {
                    self.fail_download(id, DownloadError::Refused(refusal), cx);
                    Reading::Done(used, Next::Close)
                }
                Err(reading) => reading,
            },
            Phase::AwaitMagnet(id) => match parse_magnet_answer(text) {
                Ok(Parsed::Complete(link, used)) => {
                    Reading::Done(used, self.on_magnet_link(peer.address, id, link, cx))
                }
                Ok(_) => Reading::More,
                Err(_) => Reading::Done(text.len(), self.on_no_magnet(peer, id, cx)),
            },
            Phase::AwaitOffset(id) => match settle(parse_offset(text, self.upload_size(id))?, settled) {
                Ok((answer, used)) => Reading::Done(used, self.on_offset(stream, peer, id, answer, cx)),
                Err(reading) => reading,
            },
            _ => Reading::More,
        })
    }

    fn on_opening(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        opening: Opening<'_>,
        cx: &mut Cx<'_>,
    ) -> Next {
        match opening {
            Opening::Get { nick, name, offset } => self.on_get(stream, peer, (nick, name), offset, cx),
            Opening::Send { nick, name, size } => self.on_send(stream, peer, (nick, name), size, cx),
            Opening::Magnet { nick, name } => self.on_magnet_request(stream, peer, nick, name, cx),
            Opening::GetList => self.on_get_list(stream, peer, cx),
            Opening::SendList { nick } => self.on_send_list(stream, peer, nick, cx),
        }
    }

    /// Their `1` has come: say what we want.
    fn on_greeted(&mut self, stream: StreamId, peer: &mut Peer, errand: Errand, cx: &mut Cx<'_>) -> Next {
        match errand {
            Errand::Get(id) => self.ask_for_file(stream, peer, id, cx),
            Errand::Magnet(id) => self.ask_for_magnet(stream, peer, id, cx),
            Errand::Push(id) => self.offer_file(stream, peer, id, cx),
            Errand::GetList(ticket) => self.ask_for_list(stream, peer, ticket, cx),
            Errand::SendList(at) => self.bring_list(stream, peer, at, cx),
        }
    }

    fn on_peer_flushed(&mut self, stream: StreamId, peer: &mut Peer, cx: &mut Cx<'_>) -> Next {
        match peer.phase {
            Phase::Sending(id) => self.pump_upload(stream, peer, id, cx),
            Phase::Listing(..) => self.pump_list(stream, peer, cx),
            _ => Next::Keep,
        }
    }

    /// A deadline: texts must be there, data must have moved.
    pub(super) fn on_peer_due(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(mut peer) = self.peers.remove(&stream) else { return };
        let moving = matches!(
            peer.phase,
            Phase::Receiving(_) | Phase::Sending(_) | Phase::Reading(..) | Phase::Listing(..)
        );
        let next = if moving && peer.moved >= self.config.min_progress {
            peer.moved = 0;
            self.timers.set(Timer::Peer(stream), cx.now() + self.config.stall_timeout);
            Next::Keep
        } else if let Phase::AwaitMagnet(id) = peer.phase {
            self.on_no_magnet(&peer, id, cx)
        } else {
            // Not to answer a call is no breach, to hold a slot by a byte a minute is.
            if !matches!(peer.phase, Phase::Calling(_)) {
                self.blame(peer.address, Violation::TooSlow, cx);
            }
            self.on_peer_failed(&peer, DownloadError::TimedOut, cx);
            Next::Close
        };
        self.put_back(stream, peer, next, cx);
    }

    /// The peer broke the protocol: whatever it was for has failed.
    pub(super) fn on_peer_violation(&mut self, peer: &Peer, violation: Violation, cx: &mut Cx<'_>) -> Next {
        self.blame(peer.address, violation, cx);
        self.on_peer_failed(peer, DownloadError::Violation, cx);
        Next::Close
    }

    /// What the connection was for has failed.
    fn on_peer_failed(&mut self, peer: &Peer, error: DownloadError, cx: &mut Cx<'_>) {
        match peer.phase {
            Phase::Calling(Errand::Get(id) | Errand::Magnet(id)) => self.on_unreachable(id, error, cx),
            Phase::AwaitSize(id) | Phase::Receiving(id) => {
                self.fail_download(id, error, cx);
            }
            Phase::AwaitMagnet(id) => _ = self.on_no_magnet(peer, id, cx),
            Phase::Calling(Errand::Push(id)) | Phase::AwaitOffset(id) | Phase::Sending(id) => {
                self.fail_upload(id, cx);
            }
            Phase::Calling(Errand::GetList(ticket)) | Phase::Reading(ticket, _) => {
                self.end_direct_browse(ticket, cx);
            }
            Phase::AwaitLink(id) => self.on_link_lost(id, cx),
            Phase::Opening | Phase::Calling(Errand::SendList(_)) | Phase::Listing(..) => {}
        }
    }

    fn on_peer_closed(&mut self, peer: &Peer, end: StreamEnd, cx: &mut Cx<'_>) {
        match peer.phase {
            Phase::Receiving(_) => self.blame(peer.address, Violation::TooFew, cx),
            // The other side has all it wanted, and closed before we knew that it left (P3).
            Phase::Sending(id) if self.is_all_written(id) && end == StreamEnd::Finished => {
                return self.finish_upload(id, cx);
            }
            _ => {}
        }
        let error = match peer.phase {
            Phase::Calling(_) => DownloadError::Unreachable,
            _ => DownloadError::Interrupted,
        };
        self.on_peer_failed(peer, error, cx);
    }
}

/// What reading a text came to.
enum Reading {
    More,
    MoreOrDone,
    Done(usize, Next),
}

/// The value and its length, if it is whole or nothing followed for a while.
fn settle<T>(parsed: Parsed<T>, settled: bool) -> Result<(T, usize), Reading> {
    match parsed {
        Parsed::Complete(value, used) => Ok((value, used)),
        Parsed::Open(value, used) if settled => Ok((value, used)),
        Parsed::Open(..) => Err(Reading::MoreOrDone),
        Parsed::Incomplete => Err(Reading::More),
    }
}
