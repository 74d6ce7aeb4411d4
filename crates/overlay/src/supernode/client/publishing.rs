//! Our files at the supernode: all of them when it wants them, then what changes, never more at once than it reads.

use super::{Client, Cx, Event};
use crate::discovery::{Item, Refusal, Ticket};
use crate::supernode::share;
use std::net::SocketAddr;
use throng_wire::fasttrack::Message;

/// Bytes that may wait for the supernode before the next share is written.
const WINDOW: u32 = 32 << 10;
/// Types of the messages whose bodies are kept ready.
const SHARE: u16 = 0x22;
const UNSHARE: u16 = 0x05;
/// Bytes in front of what both have.
const SHARE_HEAD: usize = 4;

/// A file that is shared.
#[derive(Debug)]
pub(super) struct Shared {
    /// The body of its share.
    body: Box<[u8]>,
    pub(super) told: bool,
}

impl Client {
    pub(super) fn publish(
        &mut self,
        ticket: Ticket,
        item: &Item,
        swarm: Option<SocketAddr>,
        cx: &mut Cx<'_>,
    ) {
        let body = share::with(item, swarm, |share| {
            let mut body = Vec::new();
            Message::Share(*share).put(&mut body);
            body.into_boxed_slice()
        });
        let Some(body) = body else { return cx.emit(Event::Refused(ticket, Refusal::MissingHash)) };
        if self.shares.len() >= self.config.max_files as usize {
            return cx.emit(Event::Refused(ticket, Refusal::Busy));
        }
        self.shares.insert(ticket, Box::new(Shared { body, told: false }));
        if let Some(session) = &mut self.session {
            session.is_telling = true;
        }
        self.tell_shares(cx);
    }

    pub(super) fn withdraw(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        let Some(shared) = self.shares.remove(&ticket) else { return };
        // The same file may be published under another ticket too.
        let is_elsewhere = self.shares.values().any(|other| other.body[..24] == shared.body[..24]);
        if shared.told && !is_elsewhere {
            self.tell(&Message::Other { kind: UNSHARE, body: &shared.body[SHARE_HEAD..] }, cx);
        }
    }

    /// Our shares, for this node's other role.
    pub fn take_shares(&mut self) -> Vec<(Ticket, Box<[u8]>)> {
        let shares = std::mem::take(&mut self.shares);
        shares.into_iter().map(|(ticket, shared)| (ticket, shared.body)).collect()
    }

    /// Takes over a share from this node's other role; told with the next session.
    pub fn adopt(&mut self, ticket: Ticket, body: Box<[u8]>) {
        self.shares.insert(ticket, Box::new(Shared { body, told: false }));
    }

    /// A new supernode knows nothing.
    pub(super) fn forget_tellings(&mut self) {
        self.shares.values_mut().for_each(|shared| shared.told = false);
    }

    pub(super) fn on_shares_wanted(&mut self, cx: &mut Cx<'_>) {
        if let Some(session) = &mut self.session {
            session.wants_shares = true;
            session.is_telling = !self.shares.is_empty();
        }
        self.tell_shares(cx);
    }

    /// Writes shares until the supernode must read first.
    pub(super) fn tell_shares(&mut self, cx: &mut Cx<'_>) {
        let ready = |client: &Client| {
            client
                .session
                .as_ref()
                .is_some_and(|session| session.wants_shares && session.is_telling && session.queued < WINDOW)
        };
        if !ready(self) {
            return;
        }
        let untold: Vec<Ticket> = self
            .shares
            .iter()
            .filter(|(_, shared)| !shared.told)
            .map(|(ticket, _)| *ticket)
            .take(512)
            .collect();
        for ticket in untold {
            if !ready(self) {
                return;
            }
            let Some(shared) = self.shares.get_mut(&ticket) else { continue };
            shared.told = true;
            let body = std::mem::take(&mut shared.body);
            self.tell(&Message::Other { kind: SHARE, body: &body }, cx);
            if let Some(shared) = self.shares.get_mut(&ticket) {
                shared.body = body;
            }
            cx.emit(Event::Published(ticket));
        }
        let is_over = self.shares.values().all(|shared| shared.told);
        if let Some(session) = self.session.as_mut().filter(|_| is_over) {
            session.is_telling = false;
        }
    }

    pub(super) fn on_flushed(&mut self, count: u32, cx: &mut Cx<'_>) {
        let Some(session) = &mut self.session else { return };
        session.queued = session.queued.saturating_sub(count);
        self.tell_shares(cx);
    }
}
