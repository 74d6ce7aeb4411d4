//! Lists of files between peers (7.4): asking for one, bringing ours.

use std::net::Ipv4Addr;

use throng_machine::{Endpoint, StreamId};
use throng_wire::napster::peer::{ListLine, ListState, Opening, Refusal, write_list_end, write_list_start};
use throng_wire::napster::{ClientMessage, DirectBrowseOrder, DirectBrowseReady, Nick, Speed};

use super::event::{Event, UserFile};
use super::machine::{Client, Cx, Timer};
use super::peer::{Errand, Next, Peer, Phase};
use super::shares::root_of_md5;
use super::violation::Violation;
use crate::dial::callable;
use crate::discovery::{Refusal as Refused, Ticket};

/// Bytes of our list on the way before more of it is written.
const MAX_UNFLUSHED: u64 = 32 << 10;

/// A list asked for directly.
#[derive(Debug)]
pub(super) struct DirectBrowse {
    server: Endpoint,
    nick: Vec<u8>,
    stream: Option<StreamId>,
    listed: u32,
}

impl Client {
    pub(super) fn browse_directly(&mut self, ticket: Ticket, at: Endpoint, nick: Vec<u8>, cx: &mut Cx<'_>) {
        let busy = self.browses.len() >= self.config.max_searches
            || self.finds.contains_key(&ticket)
            || self.browses.contains_key(&ticket);
        if busy {
            return cx.emit(Event::Refused(ticket, Refused::Busy));
        }
        if !self.is_online(at) || !self.tell(at, &ClientMessage::DirectBrowse(Nick { nick: &nick }), cx) {
            return cx.emit(Event::Refused(ticket, Refused::NotJoined));
        }
        self.browses.insert(ticket, DirectBrowse { server: at, nick, stream: None, listed: 0 });
        self.timers.set(Timer::Browse(ticket), cx.now() + self.config.search_timeout);
    }

    /// The direct browse of a user that is not connected yet.
    fn browse_of(&self, at: Option<Endpoint>, nick: &[u8]) -> Option<Ticket> {
        let fits = |browse: &DirectBrowse| {
            browse.stream.is_none()
                && at.is_none_or(|at| browse.server == at)
                && browse.nick.eq_ignore_ascii_case(nick)
        };
        self.browses.iter().find(|(_, browse)| fits(browse)).map(|(ticket, _)| *ticket)
    }

    pub(super) fn on_direct_browse_ready(
        &mut self,
        at: Endpoint,
        ready: &DirectBrowseReady<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(ticket) = self.browse_of(Some(at), ready.nick) else { return };
        let Some(to) = callable(at, ready.ip, ready.port) else {
            // Port 0: a firewalled user will call us.
            if ready.port != 0 {
                self.blame(at, Violation::Address, cx);
                self.end_direct_browse(ticket, cx);
            }
            return;
        };
        let stream = self.call(to, Errand::GetList(ticket), cx);
        match self.browses.get_mut(&ticket) {
            Some(browse) if stream.is_some() => {
                browse.stream = stream;
                // From here on the connection has deadlines.
                self.timers.clear(Timer::Browse(ticket));
            }
            _ => self.end_direct_browse(ticket, cx),
        }
    }

    pub(super) fn on_direct_browse_error(&mut self, at: Endpoint, nick: &[u8], text: &[u8], cx: &mut Cx<'_>) {
        let Some(ticket) = self.browse_of(Some(at), nick) else { return };
        if !text.is_empty() {
            cx.emit(Event::Notice(at, text.to_vec()));
        }
        self.end_direct_browse(ticket, cx);
    }

    pub(super) fn on_browse_due(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        self.end_direct_browse(ticket, cx);
    }

    pub(super) fn end_direct_browse(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        self.timers.clear(Timer::Browse(ticket));
        if self.browses.remove(&ticket).is_some() {
            cx.emit(Event::Finished(ticket));
        }
    }

    /// The session is over: lists that are not coming yet will not come.
    pub(super) fn end_direct_browses(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let lost = self.browses.iter().filter(|(_, browse)| browse.server == at && browse.stream.is_none());
        let lost: Vec<Ticket> = lost.map(|(ticket, _)| *ticket).collect();
        lost.into_iter().for_each(|ticket| self.end_direct_browse(ticket, cx));
    }

    pub(super) fn cancel_direct_browse(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        if let Some(stream) = self.browses.get(&ticket).and_then(|browse| browse.stream) {
            self.hang_up(stream, cx);
        }
        self.end_direct_browse(ticket, cx);
    }

    pub(super) fn ask_for_list(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        ticket: Ticket,
        cx: &mut Cx<'_>,
    ) -> Next {
        // Without a line end: TekNap resets the connection if one is left unread (P7).
        peer.write(stream, cx, |out| _ = Opening::GetList.encode(out));
        self.enter(stream, peer, Phase::Reading(ticket, ListState::default()), cx);
        Next::Keep
    }

    /// A firewalled user brings the list we asked for.
    pub(super) fn on_send_list(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        nick: &[u8],
        cx: &mut Cx<'_>,
    ) -> Next {
        let Some(ticket) = self.browse_of(None, nick) else {
            self.blame(peer.address, Violation::NotAgreed, cx);
            return Next::Close;
        };
        if let Some(browse) = self.browses.get_mut(&ticket) {
            browse.stream = Some(stream);
        }
        self.timers.clear(Timer::Browse(ticket));
        self.enter(stream, peer, Phase::Reading(ticket, ListState::Files), cx);
        Next::Keep
    }

    pub(super) fn on_list_bytes(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        (ticket, mut state): (Ticket, ListState),
        bytes: &[u8],
        cx: &mut Cx<'_>,
    ) -> Next {
        _ = stream;
        peer.moved = peer.moved.saturating_add(bytes.len() as u64);
        let mut held = std::mem::take(&mut peer.held);
        held.extend_from_slice(bytes);
        let mut rest = held.as_slice();
        loop {
            match state.next_line(rest) {
                Ok(Some((line, used))) => {
                    rest = &rest[used..];
                    if self.on_list_line(ticket, line, cx) == Next::Close {
                        self.end_direct_browse(ticket, cx);
                        return Next::Close;
                    }
                }
                Ok(None) => break,
                Err(error) => return self.on_peer_violation(peer, error.into(), cx),
            }
        }
        peer.held = rest.to_vec();
        peer.phase = Phase::Reading(ticket, state);
        Next::Keep
    }

    fn on_list_line(&mut self, ticket: Ticket, line: ListLine<'_>, cx: &mut Cx<'_>) -> Next {
        let Some(browse) = self.browses.get_mut(&ticket) else { return Next::Close };
        match line {
            ListLine::End => Next::Close,
            ListLine::File(file) => {
                browse.listed += 1;
                let listed = UserFile {
                    server: browse.server,
                    nick: browse.nick.clone(),
                    name: file.name.to_vec(),
                    size: file.size,
                    root: root_of_md5(file.md5),
                    bitrate: file.bitrate,
                    frequency: file.frequency,
                    duration: file.duration,
                    speed: Speed::UNKNOWN,
                    address: Ipv4Addr::UNSPECIFIED,
                };
                cx.emit(Event::Listed(ticket, Box::new(listed)));
                if browse.listed >= self.config.max_listed { Next::Close } else { Next::Keep }
            }
            // Whose list it is we know better.
            ListLine::Nick(_) | ListLine::Skipped => Next::Keep,
        }
    }

    /// 640: somebody wants our list; with an address if they must be called.
    pub(super) fn on_direct_browse_order(
        &mut self,
        at: Endpoint,
        order: &DirectBrowseOrder<'_>,
        cx: &mut Cx<'_>,
    ) {
        if !self.config.browsable {
            return;
        }
        let Some((ip, port)) = order.ip.zip(order.port) else {
            self.answer(at, &ClientMessage::AcceptDirectBrowse(Nick { nick: order.nick }), cx);
            return;
        };
        // Only who cannot be called has a reason to call.
        let to = u16::try_from(port).ok().and_then(|port| callable(at, ip, port));
        let to = to.filter(|_| self.config.data_port == 0);
        let Some(to) = to.filter(|to| self.calls.allow(*to, self.config.max_calls_a_minute, cx.now())) else {
            return self.blame(at, Violation::Address, cx);
        };
        self.call(to, Errand::SendList(at), cx);
    }

    pub(super) fn bring_list(
        &mut self,
        stream: StreamId,
        peer: &mut Peer,
        at: Endpoint,
        cx: &mut Cx<'_>,
    ) -> Next {
        let nick = self.servers.get(&at).map_or(&self.config.nick, |server| &server.nick).clone();
        peer.write(stream, cx, |out| _ = Opening::SendList { nick: &nick }.encode(out));
        self.enter(stream, peer, Phase::Listing(None, false), cx);
        self.pump_list(stream, peer, cx)
    }

    pub(super) fn on_get_list(&mut self, stream: StreamId, peer: &mut Peer, cx: &mut Cx<'_>) -> Next {
        if !self.config.browsable {
            return peer.refuse(stream, Refusal::InvalidRequest, cx);
        }
        // Which directory they come from they do not say.
        let online = self.servers.values().find(|server| server.is_online());
        let nick = online.map_or(&self.config.nick, |server| &server.nick).clone();
        peer.write(stream, cx, |out| _ = write_list_start(&nick, out));
        self.enter(stream, peer, Phase::Listing(None, false), cx);
        self.pump_list(stream, peer, cx)
    }

    /// Writes lines while the connection takes them; closes once all has left.
    pub(super) fn pump_list(&mut self, stream: StreamId, peer: &mut Peer, cx: &mut Cx<'_>) -> Next {
        let Phase::Listing(mut told, mut ended) = peer.phase else { return Next::Keep };
        while !ended && peer.unflushed < MAX_UNFLUSHED {
            match self.shares.after(told) {
                Some(file) => {
                    let md5 = file.md5();
                    peer.write(stream, cx, |out| _ = file.as_share(&file.name, &md5).write_line(out));
                    told = Some(file.content);
                }
                None => {
                    peer.write(stream, cx, write_list_end);
                    ended = true;
                }
            }
        }
        peer.phase = Phase::Listing(told, ended);
        if ended && peer.unflushed == 0 { Next::Close } else { Next::Keep }
    }
}
