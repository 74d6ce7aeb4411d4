//! Which sources a transfer uses, and how.

use super::Transfer;
use crate::daemon::common::Common;
use crate::daemon::hits;
use throng_overlay::discovery::{Item, Source};
use throng_runtime::session::FileOf;

/// Whether nothing speaks against it, and name and size for it: what comes of it is checked all the same.
pub(super) fn is_perhaps_same(own: &Item, other: &Item) -> bool {
    let (one, two) = (hits::folded(&own.title), hits::folded(&other.title));
    let named = !one.is_empty() && !two.is_empty() && (one.starts_with(&two) || two.starts_with(&one));
    hits::is_provable(own)
        && named
        && own.size > 0
        && own.size == other.size
        && !hits::contradicts(own, other)
}

impl Transfer {
    /// Of what nothing can prove, parts of two copies may be of two files: one is enough.
    pub(super) fn may_use(&self, source: &Source) -> bool {
        let of_swarm = matches!(source, Source::Swarm(_));
        match &self.plain {
            Some(_) => !of_swarm && (hits::is_provable(&self.item) || self.used.is_empty()),
            None => true,
        }
    }

    /// Stops or goes on.
    pub(super) fn run(&self, common: &Common, run: bool) {
        if let Some(torrent) = &self.torrent {
            common.bittorrent.session().run(torrent, run);
        }
        self.plain.iter().for_each(|plain| plain.run(run));
    }

    /// Uses a source: a peer of its swarm, or whoever another system found.
    pub(super) fn give(&self, common: &Common, source: &Source) {
        let session = common.bittorrent.session();
        if let (Source::Swarm(at), Some(torrent)) = (source, &self.torrent) {
            let at = at.socket_addr();
            if common.bittorrent.may_call(at) {
                session.add_found_peers(torrent, vec![at]);
            }
            return;
        }
        let system = common.systems.iter().find(|system| system.name() == source.system());
        let Some(range) = system.and_then(|system| system.source(&self.item, source)) else { return };
        match (&self.torrent, &self.plain, self.item.root) {
            (Some(torrent), _, Some(root)) => {
                session.add_source(torrent, FileOf::Like(root, self.item.size), range);
            }
            (Some(torrent), _, None) => session.add_source(torrent, FileOf::Length(self.item.size), range),
            (None, Some(plain), _) => plain.add_source(range),
            (None, None, _) => {}
        }
    }
}
