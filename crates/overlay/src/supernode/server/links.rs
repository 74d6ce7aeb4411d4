//! The links to other supernodes: who they are, what they have, how they behave.

use super::super::digest::{Key, Theirs};
use super::connections::ConnId;
use crate::flood::{Budget, LinkId, SendQueue};
use crate::supernode::v4;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use throng_machine::{Endpoint, Instant};
use throng_wire::supernode::{Guid, Standing};

/// One link that is up.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: ConnId,
    pub(super) from: Endpoint,
    /// Where it says it listens.
    pub(super) listens: Option<SocketAddrV4>,
    /// It answered a call there.
    pub(super) proved: bool,
    /// It stays for one question only and is no neighbour.
    pub(super) passing: bool,
    /// The search that the question is of, if it is ours.
    pub(super) asked: Option<Guid>,
    /// We called it.
    pub(super) outgoing: bool,
    pub(super) instance: u64,
    pub(super) standing: Standing,
    pub(super) digest: Theirs,
    pub(super) queue: SendQueue,
    pub(super) queries: Budget,
    pub(super) since: Instant,
    /// Faults that honest ones commit now and then.
    pub(super) faults: u32,
    /// Hits that were none.
    pub(super) lies: u32,
}

/// All links.
#[derive(Default)]
pub(super) struct Links {
    all: BTreeMap<LinkId, Box<Link>>,
    next: u32,
}

impl Links {
    pub(super) fn add(&mut self, link: Link) -> LinkId {
        let id = LinkId(self.next);
        self.next = self.next.saturating_add(1);
        self.all.insert(id, Box::new(link));
        id
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Box<Link>> {
        self.all.remove(&id)
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        self.all.get(&id).map(|link| &**link)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.all.get_mut(&id).map(|link| &mut **link)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.all.iter().map(|(id, link)| (*id, &**link))
    }

    fn neighbours(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.iter().filter(|(_, link)| !link.passing)
    }

    /// How many neighbours there are.
    pub(super) fn up(&self) -> usize {
        self.neighbours().count()
    }

    pub(super) fn ids_up(&self) -> impl Iterator<Item = LinkId> {
        self.neighbours().map(|(id, _)| id)
    }

    /// Neighbours that have been reached, with their loads in hundredths.
    pub(super) fn proved(&self) -> impl Iterator<Item = (LinkId, SocketAddrV4, u8)> {
        self.neighbours().filter(|(_, link)| link.proved).filter_map(|(id, link)| {
            let Standing { members, slots, .. } = link.standing;
            let load = u32::from(members) * 100 / u32::from(slots.max(1));
            Some((id, link.listens?, load.min(100) as u8))
        })
    }

    /// How many links neighbours have on average.
    pub(super) fn degree(&self) -> f64 {
        let (count, sum) = self.neighbours().fold((0u32, 0u32), |(count, sum), (_, link)| {
            (count + 1, sum + u32::from(link.standing.links).max(1))
        });
        if count == 0 { 1.0 } else { f64::from(sum) / f64::from(count) }
    }

    /// Neighbours whose digest has all keys.
    pub(super) fn fitting(&self, keys: &[Key], but: Option<LinkId>) -> Vec<LinkId> {
        let fits = |(id, link): &(LinkId, &Link)| Some(*id) != but && link.digest.may_have_all(keys);
        self.neighbours().filter(fits).map(|(id, _)| id).collect()
    }

    /// The link to who listens there.
    pub(super) fn to(&self, at: SocketAddrV4) -> Option<LinkId> {
        self.neighbours().find(|(_, link)| link.listens == Some(at)).map(|(id, _)| id)
    }

    /// Whether a link's other side listens there.
    pub(super) fn is_of(&self, id: LinkId, at: SocketAddrV4) -> bool {
        self.get(id).is_some_and(|link| link.listens == Some(at))
    }

    /// The link to that program.
    pub(super) fn of_instance(&self, instance: u64) -> Option<LinkId> {
        self.neighbours().find(|(_, link)| link.instance == instance).map(|(id, _)| id)
    }

    /// Whether somebody is linked from, or said to listen at, an address.
    pub(super) fn has(&self, at: Endpoint) -> bool {
        self.iter().any(|(_, link)| link.listens == v4(at) || (link.outgoing && link.from == at))
    }

    /// Bytes of all digests.
    pub(super) fn held(&self) -> usize {
        self.iter().map(|(_, link)| link.digest.held()).sum()
    }
}
