//! The torrents of publications rest while nobody asks for them.

use super::{Entry, Shelf, hashes, item_of, record, signed};
use crate::daemon::common::Happening;
use crate::daemon::index::start;
use crate::daemon::rest::{Idle, MOST_CALLED, Rest};
use data_encoding::HEXLOWER;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use throng_overlay::discovery::Item;
use throng_runtime::library::{Id, Publication};
use throng_runtime::session::TorrentHandle;
use tokio::task::spawn_local;
use tokio::time::Instant;

impl Shelf {
    /// Many that were published in an earlier run, in the order of their ids: they rest, but for those that a transfer has
    /// a torrent of.
    pub(super) fn restore(
        &mut self,
        publications: Vec<Arc<Publication>>,
        lent: impl Fn(&Publication) -> Option<Option<TorrentHandle>>,
    ) {
        let (mut keys, mut entries) = (BTreeSet::new(), BTreeMap::new());
        let (mut swarms, mut resting) = (Vec::new(), 0);
        // What was published again meanwhile is newer.
        let known = |it: &Arc<Publication>| self.entries.contains_key(&it.id);
        let publications: Vec<_> = publications.into_iter().filter(|it| !known(it)).collect();
        for publication in publications {
            let (id, lent) = (publication.id, lent(&publication));
            keys.extend(hashes(&publication).map(|hash| (start(hash), id)));
            let is_lent = lent.is_some();
            let mut entry = Entry::new(publication, lent.flatten(), is_lent);
            self.offer_to_joined(&mut entry);
            if !is_lent {
                resting += 1;
                swarms.extend(self.rest_from_the_start(&mut entry));
            }
            record::store(&self.common, || signed(&entry.publication));
            entries.insert(id, entry);
        }
        self.common.bittorrent.listen_for(resting, swarms);
        self.index.append(keys);
        self.entries.append(&mut entries);
    }

    /// Restored, it is only listened for, by these swarms.
    pub(super) fn rest_from_the_start(
        &mut self,
        entry: &mut Entry,
    ) -> impl Iterator<Item = [u8; 20]> + use<> {
        let Publication { id, links, .. } = &*entry.publication;
        let trackers = links.as_ref().map_or(0, |links| links.trackers.len());
        (entry.rest, entry.announced) = (Rest::Asleep, (0, trackers as u32));
        if trackers > 0 {
            self.due.in_turn(*id, Instant::now());
        }
        swarms_of(&entry.publication).into_iter().flatten()
    }

    /// Closes what nobody was connected for lately, and opens what its trackers are to hear of.
    pub(crate) fn rest(&mut self) {
        let now = Instant::now();
        let due = self.due.take(now);
        due.into_iter().for_each(|id| self.wake(id));
        let mut falling = Vec::new();
        for (id, idle) in &mut self.open {
            let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.rest == Rest::Awake) else {
                continue;
            };
            if let Some(torrent) = entry.torrent.as_ref().filter(|torrent| idle.may_rest(torrent, now)) {
                falling.push((*id, torrent.clone()));
            }
        }
        for (id, torrent) in falling {
            self.begin_rest(id, torrent);
        }
    }

    fn begin_rest(&mut self, id: Id, torrent: TorrentHandle) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.rest = Rest::Falling { called: false };
        let (work, teller) = (self.common.bittorrent.rest(&torrent), self.common.teller());
        let item = item_of(&entry.publication);
        spawn_local(async move {
            let rests = work.await;
            let _ = teller.send(Happening::Shelved { id, item, torrent, rests });
        });
    }

    /// A torrent was closed, or somebody had come for it before.
    pub(crate) fn on_rested(&mut self, id: Id, item: &Item, (torrent, rests): (&TorrentHandle, bool)) {
        let own =
            |entry: &&mut Entry| entry.torrent.as_ref().is_some_and(|own| own.content() == torrent.content());
        let Some(entry) = self.entries.get_mut(&id).filter(own) else {
            // It was taken down meanwhile.
            if rests {
                self.common.bittorrent.forget(item);
            }
            return;
        };
        let called = entry.rest == Rest::Falling { called: true };
        if !rests {
            entry.rest = Rest::Awake;
            self.open.insert(id, Idle::default());
            return;
        }
        if let Some(status) = torrent.snapshot().status {
            entry.uploaded += status.uploaded;
            entry.announced = (status.announced.0 as u32, status.announced.1 as u32);
        }
        (entry.torrent, entry.rest) = (None, Rest::Asleep);
        if let Some(until) = self.open.remove(&id).and_then(|idle| idle.until) {
            self.due.at(id, until);
        }
        self.called.remove(&id);
        if called {
            self.wake(id);
        }
    }

    /// Opens the torrent of a publication again, if it rests.
    pub(super) fn wake(&mut self, id: Id) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        match entry.rest {
            Rest::Asleep => {
                entry.rest = Rest::Waking;
                let publication = entry.publication.clone();
                self.seed(&publication, None, true);
            }
            Rest::Falling { .. } => entry.rest = Rest::Falling { called: true },
            Rest::Awake | Rest::Waking => {}
        }
    }

    /// Somebody has connected for a swarm.
    pub(crate) fn on_called(&mut self, swarm: &[u8; 20]) {
        let rests = |id: &Id| self.entries.get(id).is_some_and(|entry| entry.rest.is_listened_for());
        let Some(id) = self.of_swarm(swarm).find(rests) else { return };
        // Strangers may not open all of it at once.
        if self.called.len() < MOST_CALLED {
            self.wake(id);
            self.called.insert(id);
        }
    }

    /// The torrent of a publication, opened for this if it rested (then it is there a moment later); `None` if nothing
    /// published is so called, by its id or its info-hash in hex.
    pub(crate) fn torrent(&mut self, name: &str) -> Option<Option<TorrentHandle>> {
        let id = match Id::read(name).filter(|id| self.entries.contains_key(id)) {
            Some(id) => id,
            None => self.of_swarm(&HEXLOWER.decode(name.as_bytes()).ok()?.try_into().ok()?).next()?,
        };
        self.wake(id);
        let entry = self.entries.get(&id)?;
        Some(entry.torrent.clone().filter(|_| entry.rest == Rest::Awake))
    }

    /// Publications with that swarm.
    pub(super) fn of_swarm(&self, swarm: &[u8; 20]) -> impl Iterator<Item = Id> + use<'_> {
        let swarm = *swarm;
        let is = move |id: &Id| {
            let publication = self.entries.get(id).map(|entry| &entry.publication);
            publication.is_some_and(|it| swarms_of(it).contains(&Some(swarm)))
        };
        self.index.perhaps(&swarm).filter(is)
    }

    /// The torrent of a transfer that has the same content is open, or rests.
    pub(crate) fn lend(&mut self, item: &Item, torrent: Option<&TorrentHandle>) {
        for id in self.lent(item) {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.torrent = torrent.cloned();
            }
        }
    }

    /// A transfer is gone: what is published of it has a torrent of its own from now on.
    pub(crate) fn take_back(&mut self, item: &Item) {
        for id in self.lent(item) {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            (entry.lent, entry.torrent, entry.rest) = (false, None, Rest::Awake);
            let publication = entry.publication.clone();
            self.seed(&publication, None, false);
        }
    }

    /// Publications that a transfer's torrent serves.
    fn lent(&self, item: &Item) -> Vec<Id> {
        let swarm = item.info_hash.unwrap_or_default();
        let lent = |id: &Id| self.entries.get(id).is_some_and(|entry| entry.lent);
        self.of_swarm(&swarm).filter(lent).collect()
    }
}

/// Its names on the wire.
fn swarms_of(publication: &Publication) -> [Option<[u8; 20]>; 2] {
    let mut swarms = publication.swarms().map(|swarm| swarm.0);
    [swarms.next(), swarms.next()]
}
