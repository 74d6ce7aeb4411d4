//! What the application asks.

use super::command::{Command, Event, Search, SharedFile};
use super::config::Role;
use super::machine::{Cx, Servent};
use crate::discovery::{self, Item, Refusal, Ticket};
use std::sync::Arc;
use throng_machine::{Endpoint, StreamId};
use throng_wire::gnutella::ByeCode;

impl Servent {
    pub(super) fn on_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::Discovery(command) => self.on_discovery(command, cx),
            Command::Search(ticket, search) => self.on_search(ticket, &search, cx),
            Command::Link(to) => self.call(to, cx),
            Command::Share(index, file) => _ = self.share(index, file, cx),
            Command::Unshare(index) => {
                if self.library.unshare(index) {
                    self.table_changed(cx.now());
                }
            }
            Command::HostCaches(caches) => self.use_host_caches(caches, cx),
            Command::Busy(busy) => self.library.busy = busy,
            Command::Uploaded => self.library.uploaded = true,
            Command::Reachable => self.seen_as.reached(cx.now()),
            Command::Capacity(kilobits) => {
                if let Some(election) = &mut self.election {
                    election.measured(kilobits);
                }
            }
            Command::Become(role) => self.become_role(role, cx),
            Command::Push { servent, index, proxies } => self.send_push(servent, index, &proxies, cx),
        }
    }

    fn on_discovery(&mut self, command: discovery::Command, cx: &mut Cx<'_>) {
        match command {
            discovery::Command::Join(entries) => self.join(entries, cx),
            discovery::Command::Leave => self.leave(cx),
            discovery::Command::Publish(ticket, item) => self.publish(ticket, item, cx),
            discovery::Command::Withdraw(ticket) => {
                self.published.retain(|known| *known != ticket);
                self.on_command(Command::Unshare(ticket.0), cx);
            }
            discovery::Command::Find(ticket, query) => {
                let search = Search::words(&query.words, query.limit, query.timeout);
                self.on_search(ticket, &search, cx);
            }
            discovery::Command::Cancel(ticket) => self.on_cancel(ticket, cx),
        }
    }

    fn join(&mut self, entries: Vec<Endpoint>, cx: &mut Cx<'_>) {
        let (limits, now) = (self.config.limits.hosts, cx.now());
        (self.joining, self.leaving, self.entries_at) = (true, false, now + limits.first_wait);
        if !self.is_joined_once() {
            self.role_since = now;
        }
        entries.iter().for_each(|at| _ = self.hosts.add(*at, &limits, now));
        self.entries = entries;
        // Who begins a network has nobody to call.
        if self.entries.is_empty() && self.role != Role::Leaf && !std::mem::replace(&mut self.joined, true) {
            cx.emit(Event::Discovery(discovery::Event::Joined));
        }
        self.tick_soon(cx);
        self.look_for_links(cx);
    }

    fn is_joined_once(&self) -> bool {
        self.role_since != throng_machine::Instant::EPOCH
    }

    /// An elected role is thought over even while nothing else happens.
    fn tick_soon(&mut self, cx: &Cx<'_>) {
        if self.is_elected() {
            self.wake_by(cx.now() + self.config.timing.election);
        }
    }

    fn leave(&mut self, cx: &mut Cx<'_>) {
        (self.leaving, self.joining, self.joined) = (true, false, false);
        let all: Vec<StreamId> = self.links.iter().map(|link| link.stream).collect();
        for stream in all {
            match self.live(stream) {
                Some(_) => self.end(stream, ByeCode::SHUTDOWN, "Servent shutdown", cx),
                None => self.drop_shaking(stream, None, cx),
            }
        }
        cx.emit(Event::Discovery(discovery::Event::Left));
    }

    fn share(&mut self, index: u32, file: Arc<SharedFile>, cx: &mut Cx<'_>) -> bool {
        let shared = self.library.share(index, file, self.me.key, self.config.limits.files);
        if shared {
            self.table_changed(cx.now());
        }
        shared
    }

    fn publish(&mut self, ticket: Ticket, item: Item, cx: &mut Cx<'_>) {
        let file = SharedFile {
            name: item.title,
            size: item.size,
            sha1: item.sha1,
            tiger: item.tiger,
            swarm: item.root.zip(item.info_hash_v2),
        };
        if !self.share(ticket.0, Arc::new(file), cx) {
            cx.emit(Event::Discovery(discovery::Event::Refused(ticket, Refusal::Busy)));
            return;
        }
        if self.role == Role::Leaf {
            self.published.push(ticket);
        } else {
            // It answers for itself.
            cx.emit(Event::Discovery(discovery::Event::Published { ticket, at: 1, of: 1 }));
        }
    }

    /// Tells how many ultrapeers know by now what was published.
    pub(super) fn tell_published(&mut self, cx: &mut Cx<'_>) {
        if self.role != Role::Leaf || self.published.is_empty() {
            return;
        }
        // Measured by the ultrapeers there are: a small network never has as many as a leaf would take.
        let takers = self.streams(|live| live.takes_tables).len().max(1);
        let (at, of) = (self.told_everyone() as u32, takers as u32);
        for ticket in &self.published {
            cx.emit(Event::Discovery(discovery::Event::Published { ticket: *ticket, at, of }));
        }
        if at as usize >= self.config.limits.leaf_ultrapeers {
            self.published = Vec::new();
        }
    }
}
