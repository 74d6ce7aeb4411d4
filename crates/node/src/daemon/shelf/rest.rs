//! The torrents of publications rest while nobody asks for them.

use super::{Entry, Shelf, item_of};
use crate::daemon::common::Happening;
use crate::daemon::rest::{MOST_CALLED, May, Rest, may_rest};
use data_encoding::HEXLOWER;
use throng_overlay::discovery::Item;
use throng_runtime::session::TorrentHandle;
use tokio::task::spawn_local;
use tokio::time::Instant;

impl Shelf {
    /// Restored, it is only listened for.
    pub(super) fn rest_from_the_start(&mut self, entry: &mut Entry) {
        let (id, item) = (&entry.publication.id, item_of(&entry.publication));
        entry.rest = Rest::Asleep;
        entry.announced = (0, entry.publication.links.as_ref().map_or(0, |links| links.trackers.len()));
        self.common.bittorrent.listen_for(&item);
        self.resting.insert(id, &item);
        if entry.announced.1 > 0 {
            self.resting.due_in_turn(id, Instant::now());
        }
    }

    /// Closes what nobody was connected for lately, and opens what its trackers are to hear of.
    pub(crate) fn rest(&mut self) {
        let due: Vec<Box<str>> = self.resting.take_due(Instant::now());
        due.iter().for_each(|id| self.wake(id));
        let mut idle = Vec::new();
        for id in &self.open {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            let Some(torrent) = entry.torrent.as_ref().filter(|_| entry.rest == Rest::Awake) else {
                continue;
            };
            if let May::Rest { until } = may_rest(torrent, &mut entry.idle) {
                idle.push((id.clone(), torrent.clone(), until));
            }
        }
        for (id, torrent, until) in idle {
            self.begin_rest(id, torrent, until);
        }
    }

    fn begin_rest(&mut self, id: String, torrent: TorrentHandle, until: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        (entry.rest, entry.until) = (Rest::Falling { called: false }, until);
        let (work, teller) = (self.common.bittorrent.rest(&torrent), self.common.teller());
        let item = item_of(&entry.publication);
        spawn_local(async move {
            let rests = work.await;
            let _ = teller.send(Happening::Shelved { id, item, torrent, rests });
        });
    }

    /// A torrent was closed, or somebody had come for it before.
    pub(crate) fn on_rested(&mut self, id: &str, item: &Item, (torrent, rests): (&TorrentHandle, bool)) {
        let own =
            |entry: &&mut Entry| entry.torrent.as_ref().is_some_and(|own| own.content() == torrent.content());
        let Some(entry) = self.entries.get_mut(id).filter(own) else {
            // It was taken down meanwhile.
            if rests {
                self.common.bittorrent.forget(item);
            }
            return;
        };
        let called = entry.rest == Rest::Falling { called: true };
        if !rests {
            (entry.rest, entry.idle) = (Rest::Awake, None);
            return;
        }
        if let Some(status) = torrent.snapshot().status {
            entry.uploaded += status.uploaded;
            entry.announced = status.announced;
        }
        (entry.torrent, entry.rest) = (None, Rest::Asleep);
        self.resting.insert(id, item);
        if let Some(until) = entry.until.take() {
            self.resting.due_at(id, until);
        }
        self.open.remove(id);
        self.called.remove(id);
        if called {
            self.wake(id);
        }
    }

    /// Opens the torrent of a publication again, if it rests.
    pub(super) fn wake(&mut self, id: &str) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        match entry.rest {
            Rest::Asleep => {
                entry.rest = Rest::Waking;
                let publication = entry.publication.clone();
                self.resting.remove(&item_of(&publication));
                self.seed(&publication, None, true);
            }
            Rest::Falling { .. } => entry.rest = Rest::Falling { called: true },
            Rest::Awake | Rest::Waking => {}
        }
    }

    /// Somebody has connected for a swarm.
    pub(crate) fn on_called(&mut self, swarm: &[u8; 20]) {
        let Some(id) = self.resting.by_swarm(swarm).map(str::to_owned) else { return };
        // Strangers may not open all of it at once.
        if self.called.len() < MOST_CALLED {
            self.wake(&id);
            self.called.insert(id);
        }
    }

    /// The torrent of a publication, opened for this if it rested (then it is there a moment later); `None` if nothing
    /// published is so called, by its id or its info-hash in hex.
    pub(crate) fn torrent(&mut self, id: &str) -> Option<Option<TorrentHandle>> {
        let id = match self.entries.get(id) {
            Some(_) => id.to_owned(),
            None => self.of_swarm(&HEXLOWER.decode(id.as_bytes()).ok()?.try_into().ok()?).next()?.to_owned(),
        };
        self.wake(&id);
        let entry = self.entries.get(&id)?;
        Some(entry.torrent.clone().filter(|_| entry.rest == Rest::Awake))
    }

    /// Publications of that info-hash.
    pub(super) fn of_swarm(&self, swarm: &[u8; 20]) -> impl Iterator<Item = &str> + use<'_> {
        let swarm = *swarm;
        let from = (swarm, Box::from(""));
        self.swarms.range(from..).take_while(move |(of, _)| *of == swarm).map(|(_, id)| id.as_ref())
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
    fn lent(&self, item: &Item) -> Vec<String> {
        let swarm = item.info_hash.unwrap_or_default();
        let lent = |id: &&str| self.entries.get(*id).is_some_and(|entry| entry.lent);
        self.of_swarm(&swarm).filter(lent).map(str::to_owned).collect()
    }
}
