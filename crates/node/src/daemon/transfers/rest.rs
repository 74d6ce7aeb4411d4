//! The torrents of complete transfers rest while nobody asks for them; of such a transfer only what lists show is kept
//! in memory, the rest is in the home.

use super::wanted::wanted;
use super::{KIND, Kept, Transfer, Transfers};
use crate::daemon::common::Happening;
use crate::daemon::record::swarms;
use crate::daemon::rest::{Idle, MOST_CALLED, Rest};
use std::collections::BTreeSet;
use throng_overlay::discovery::{Item, Source};
use throng_runtime::library::{Id, Publication};
use throng_runtime::session::TorrentHandle;
use tokio::task::spawn_local;
use tokio::time::Instant;

/// Transfers read at once from the home.
const PAGE: usize = 256;

impl Transfers {
    /// Goes on with what was under way in an earlier run; what is complete rests until somebody asks for it.
    pub(crate) fn restore(&mut self) {
        let mut after = String::new();
        loop {
            let page = self.common.library.kept_page(KIND, &after, PAGE);
            let Some((last, _)) = page.last() else { return };
            after.clone_from(last);
            page.iter().for_each(|(_, value)| self.restore_one(value));
        }
    }

    fn restore_one(&mut self, value: &[u8]) {
        let Ok(kept) = serde_json::from_slice::<Kept>(value) else { return };
        let Ok(wanted) = wanted(&kept) else { return };
        // Of a link nothing can be served before somebody says what it is of.
        if !kept.complete || kept.torrent.is_none() || wanted.item.info_hash.is_none() {
            let sources = kept.hit.clone().map(|hit| hit.back().sources).unwrap_or_default();
            return self.start(kept, wanted, sources);
        }
        let (id, trackers) = (kept.id.clone(), wanted.has_trackers());
        let mut transfer = Transfer::new(kept, wanted.item, BTreeSet::new());
        (transfer.finished, transfer.rest) = (true, Rest::Asleep);
        transfer.slim();
        self.listen_for(&transfer);
        if trackers && !transfer.kept.paused {
            self.due.in_turn(number(&id), Instant::now());
        }
        self.insert(id.clone(), transfer);
        self.awake.remove(&id);
    }

    pub(crate) fn insert(&mut self, id: String, transfer: Transfer) {
        let swarms = swarms(&transfer.item);
        self.index.insert(number(&id), swarms.iter().map(|swarm| &swarm[..]));
        self.awake.insert(id.clone(), Idle::default());
        self.all.insert(id, transfer);
    }

    /// One that is gone is not found by its swarms.
    pub(super) fn unlist(&mut self, transfer: &Transfer) {
        let swarms = swarms(&transfer.item);
        self.index.remove(number(&transfer.kept.id), swarms.iter().map(|swarm| &swarm[..]));
    }

    /// The transfer of a swarm.
    pub(super) fn of_swarm(&self, swarm: &[u8; 20]) -> Option<&Transfer> {
        let perhaps = self.index.perhaps(swarm).filter_map(|id| self.all.get(&*id));
        perhaps.into_iter().find(|transfer| swarms(&transfer.item).contains(swarm))
    }

    /// Those that do not rest.
    pub(crate) fn awake(&self) -> impl Iterator<Item = &Transfer> {
        self.awake.keys().filter_map(|id| self.all.get(id))
    }

    /// Somebody may call for a transfer that rests, unless a person stopped it.
    fn listen_for(&self, transfer: &Transfer) {
        if !transfer.kept.paused {
            self.common.bittorrent.listen_for(1, swarms(&transfer.item).into_iter().collect());
        }
    }

    /// Closes what nobody was connected for lately, and opens what its trackers are to hear of.
    pub(crate) fn rest(&mut self) {
        let now = Instant::now();
        let due = self.due.take(now);
        due.iter().for_each(|id| self.wake(id));
        let mut falling = Vec::new();
        for (id, idle) in &mut self.awake {
            let Some(transfer) = self.all.get(id).filter(|it| it.finished && it.rest == Rest::Awake) else {
                continue;
            };
            if let Some(torrent) = transfer.torrent.as_ref().filter(|torrent| idle.may_rest(torrent, now)) {
                falling.push((id.clone(), torrent.clone()));
            }
        }
        for (id, torrent) in falling {
            self.begin_rest(id, torrent);
        }
    }

    fn begin_rest(&mut self, id: String, torrent: TorrentHandle) {
        let Some(transfer) = self.all.get_mut(&id) else { return };
        transfer.rest = Rest::Falling { called: false };
        let (work, teller) = (self.common.bittorrent.rest(&torrent), self.common.teller());
        let item = transfer.item.clone();
        spawn_local(async move {
            let rests = work.await;
            let _ = teller.send(Happening::Rested { transfer: id, item, torrent, rests });
        });
    }

    /// A torrent was closed, or somebody had come for it before; whether it rests now.
    pub(crate) fn on_rested(
        &mut self,
        id: &str,
        item: &Item,
        (torrent, rests): (&TorrentHandle, bool),
    ) -> bool {
        let own = |transfer: &&mut Transfer| {
            transfer.torrent.as_ref().is_some_and(|own| own.content() == torrent.content())
        };
        let Some(transfer) = self.all.get_mut(id).filter(own) else {
            // It was removed meanwhile.
            if rests {
                self.common.bittorrent.forget(item);
            }
            return false;
        };
        let called = transfer.rest == Rest::Falling { called: true };
        if !rests {
            transfer.rest = Rest::Awake;
            self.awake.insert(id.to_owned(), Idle::default());
            return false;
        }
        if let Some(status) = torrent.snapshot().status {
            transfer.past.0 += status.downloaded;
            transfer.past.1 += status.uploaded;
        }
        (transfer.torrent, transfer.rest) = (None, Rest::Asleep);
        transfer.slim();
        let paused = transfer.kept.paused;
        let until = self.awake.remove(id).and_then(|idle| idle.until);
        self.log.note(id);
        self.called.remove(id);
        if paused {
            self.common.bittorrent.forget(item);
            return true;
        }
        if let Some(until) = until {
            self.due.at(number(id), until);
        }
        if called {
            self.wake(id);
        }
        true
    }

    /// Opens a transfer that rests.
    pub(super) fn wake(&mut self, id: &str) {
        let Some(transfer) = self.all.get_mut(id) else { return };
        match transfer.rest {
            Rest::Asleep => {}
            Rest::Falling { .. } => return transfer.rest = Rest::Falling { called: true },
            Rest::Awake | Rest::Waking => return,
        }
        let kept = self.full(id);
        let found = kept.as_ref().map(wanted);
        let Some((kept, Ok(wanted))) = kept.zip(found) else {
            tracing::warn!(id, "a transfer that rested cannot be read back");
            return;
        };
        let Some(transfer) = self.all.get_mut(id) else { return };
        transfer.kept = kept.clone();
        transfer.rest = Rest::Waking;
        self.awake.insert(id.to_owned(), Idle::default());
        if let Some(torrent) = wanted.torrent {
            self.open(&kept, torrent, (&BTreeSet::<Source>::new(), !kept.paused));
        }
    }

    /// All that is kept of a transfer, of one that rests from the home.
    pub(super) fn full(&self, id: &str) -> Option<Kept> {
        let transfer = self.all.get(id)?;
        if !transfer.is_slim {
            return Some(transfer.kept.clone());
        }
        let value = self.common.library.kept_one(KIND, id)?;
        let full = serde_json::from_slice::<Kept>(&value).ok()?;
        Some(Kept { paused: transfer.kept.paused, ..full })
    }

    /// Somebody has connected for a swarm; false if no transfer that rests is of it.
    pub(crate) fn on_called(&mut self, swarm: &[u8; 20]) -> bool {
        let rests = |it: &&Transfer| it.rest.is_listened_for() && !it.kept.paused;
        let Some(id) = self.of_swarm(swarm).filter(rests).map(|it| it.kept.id.clone()) else { return false };
        // Strangers may not open all of it at once.
        if self.called.len() < MOST_CALLED {
            self.wake(&id);
            self.called.insert(id);
        }
        true
    }

    /// Whether a transfer that is not over has this content, and its torrent if that is open.
    pub(crate) fn torrent_of(&self, publication: &Publication) -> Option<Option<TorrentHandle>> {
        let swarm = publication.swarms().next()?.0;
        let transfer = self.of_swarm(&swarm)?;
        (transfer.plain.is_none() && transfer.failed.is_none()).then(|| transfer.torrent.clone())
    }

    /// A person stops one that rests, or lets it go on.
    pub(super) fn act_on_resting(&mut self, id: &str, paused: bool) {
        let Some(transfer) = self.all.get_mut(id).filter(|it| it.kept.paused != paused) else { return };
        transfer.kept.paused = paused;
        self.log.note(id);
        let item = transfer.item.clone();
        if paused {
            self.common.bittorrent.forget(&item);
        } else {
            self.common.bittorrent.listen_for(1, swarms(&item).into_iter().collect());
        }
        if let Some(kept) = self.full(id) {
            self.keep(&kept);
        }
    }

    /// Of one that is removed while it rests, nothing is listened for any more.
    pub(super) fn drop_resting(&mut self, transfer: &Transfer) {
        if transfer.rest == Rest::Asleep && !transfer.kept.paused {
            self.common.bittorrent.forget(&transfer.item);
        }
    }
}

/// Its id as the index has it: of eight digits, like a publication's.
fn number(id: &str) -> Id {
    Id::read(id).unwrap_or(Id::FIRST)
}

impl Transfer {
    /// Forgets what only opening it needs.
    fn slim(&mut self) {
        self.is_slim = true;
        (self.kept.torrent, self.kept.hit) = (None, None);
        (self.used, self.waiting) = (BTreeSet::new(), BTreeSet::new());
        self.opened = None;
    }
}
