//! Who else has a file: told to who fetches it from us, learned from whom we fetch (section 11.4).
//!
//! Only addresses that delivered verified data are told as good, and those that name themselves on a connection from
//! their own address: whoever has them send something checks it. What others tell of others is handed on to the
//! application, not believed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use throng_machine::{ContentId, Endpoint};
use throng_wire::http::{
    Firewalled, Headers, parse_firewalled, parse_locations, parse_old_location, write_locations,
};

use crate::dial::callable;

/// Sources of one file remembered.
const MAX_SOURCES: usize = 32;
/// Files with sources remembered.
const MAX_FILES: usize = 4_096;
/// Sources told in one reply.
const TOLD: usize = 10;
/// Sources taken from one reply.
const TAKEN: usize = 15;

/// Other sources of a file, as somebody says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Alternates {
    /// Where they listen.
    pub good: Vec<Endpoint>,
    /// Said not to have it.
    pub bad: Vec<Endpoint>,
    /// Those that must be asked to call.
    pub firewalled: Vec<Firewalled>,
}

impl Alternates {
    /// What the headers say; addresses nearer than who says it are left out, so is what is not asked for.
    pub(super) fn read(headers: &Headers, from: Endpoint) -> Alternates {
        let mut found = Alternates::default();
        for (name, value) in headers.iter() {
            let list = |taken: &mut Vec<Endpoint>, said: Vec<SocketAddrV4>| {
                let near = said.into_iter().filter_map(|at| callable(from, *at.ip(), at.port()));
                taken.extend(near.take(TAKEN.saturating_sub(taken.len())));
            };
            match name.to_ascii_lowercase().as_str() {
                "x-alt" => list(&mut found.good, parse_locations(value)),
                "x-nalt" => list(&mut found.bad, parse_locations(value)),
                "x-gnutella-alternate-location" | "alternate-location" => {
                    list(&mut found.good, parse_old_location(value).into_iter().collect());
                }
                "x-falt" => {
                    let room = TAKEN.saturating_sub(found.firewalled.len());
                    found.firewalled.extend(parse_firewalled(value).into_iter().take(room));
                }
                _ => {}
            }
        }
        found
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.good.is_empty() && self.bad.is_empty() && self.firewalled.is_empty()
    }
}

/// Sources of files, and whether they were good when last tried.
#[derive(Default, Debug)]
pub(super) struct Mesh(BTreeMap<ContentId, Vec<(Endpoint, bool)>>);

impl Mesh {
    /// Remembers a source, the newest first.
    pub(super) fn judge(&mut self, content: ContentId, at: Endpoint, good: bool) {
        if self.0.len() >= MAX_FILES && !self.0.contains_key(&content) {
            self.0.pop_first();
        }
        let sources = self.0.entry(content).or_default();
        sources.retain(|(known, _)| *known != at);
        sources.insert(0, (at, good));
        sources.truncate(MAX_SOURCES);
    }

    pub(super) fn forget(&mut self, content: ContentId) {
        self.0.remove(&content);
    }

    /// Somebody says that it has the file itself, or no longer has it; of others it may say what it likes.
    pub(super) fn hear_itself(&mut self, content: ContentId, from: Endpoint, said: &Alternates) {
        for (list, good) in [(&said.good, true), (&said.bad, false)] {
            if let Some(itself) = list.iter().find(|at| at.ip() == from.ip()) {
                self.judge(content, *itself, good);
            }
        }
    }

    /// Tells somebody of the others, never of themselves, nor of addresses nearer to us than they are; and of `own`,
    /// where we have it ourselves.
    pub(super) fn tell(
        &self,
        content: ContentId,
        own: Option<Endpoint>,
        to: Endpoint,
        headers: &mut Headers,
    ) {
        for (name, good) in [("X-Alt", true), ("X-NAlt", false)] {
            let own = own.filter(|_| good).and_then(v4_of);
            let mut told: Vec<SocketAddrV4> =
                own.filter(|at| callable(to, *at.ip(), at.port()).is_some()).into_iter().collect();
            told.extend(self.told(content, to, good));
            if !told.is_empty() {
                headers.push(name, write_locations(&told));
            }
        }
    }

    fn told(&self, content: ContentId, to: Endpoint, good: bool) -> Vec<SocketAddrV4> {
        let sources = self.0.get(&content).into_iter().flatten();
        let fit = sources.filter(|(at, judged)| *judged == good && at.ip() != to.ip());
        let v4 = fit.filter_map(|(at, _)| match at.socket_addr() {
            SocketAddr::V4(at) => Some(at),
            SocketAddr::V6(_) => None,
        });
        v4.filter(|at| callable(to, *at.ip(), at.port()).is_some()).take(TOLD).collect()
    }
}

/// The four bytes of an address of the old Internet.
pub(super) fn v4_of(at: Endpoint) -> Option<SocketAddrV4> {
    match (at.ip(), at.port()) {
        (IpAddr::V4(ip), port) => Some(SocketAddrV4::new(ip, port)),
        (IpAddr::V6(_), _) => None,
    }
}
