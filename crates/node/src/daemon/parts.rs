//! A file without a torrent is served while it is fetched: its tree is asked for first, what is here is checked block by
//! block and offered as far as it goes, and whoever is said to have it too is asked.

use super::common::Common;
use super::system::{LocalWork, Offer};
use super::transfers::{Transfer, Transfers};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};
use throng_machine::{ContentId, Endpoint};
use throng_overlay::discovery::Source;

/// Holders asked for the tree, and how long each may take.
const ASKED: usize = 3;
const TREE_TIME: Duration = Duration::from_secs(10);
/// Files that are served before they are whole.
const MOST: usize = 64;

/// The level of the tiger tree that any of a transfer's sources tells; empty if none does.
pub(super) fn tree(common: &Common, transfer: &Transfer) -> LocalWork<Vec<[u8; 24]>> {
    let item = transfer.item.clone();
    let sources = transfer.waiting.iter().chain(&transfer.used);
    let works = sources.filter_map(|source| {
        let system = common.systems.iter().find(|system| system.name() == source.system())?;
        matches!(source, Source::Gnutella { .. }).then(|| system.tree(&item, source))
    });
    let works: Vec<_> = works.take(if item.tiger.is_some() { ASKED } else { 0 }).collect();
    Box::pin(async move {
        for work in works {
            if let Ok(Some(level)) = tokio::time::timeout(TREE_TIME, work).await {
                return level;
            }
        }
        Vec::new()
    })
}

impl Transfers {
    /// More of it is here, or others were heard of.
    pub(super) fn on_parts(
        &mut self,
        id: &str,
        parts: Vec<Range<u64>>,
        (path, others): (PathBuf, Vec<SocketAddr>),
    ) {
        let shared = self.awake().filter(|transfer| transfer.part.is_some()).count();
        let Some(transfer) = self.all.get_mut(id).filter(|transfer| !transfer.finished) else { return };
        match transfer.part {
            _ if parts.is_empty() => {}
            Some(content) => {
                self.common.systems.iter().for_each(|system| system.set_parts(content, parts.clone()));
            }
            None if shared < MOST && transfer.item.sha1.is_some() => {
                let content = ContentId(self.common.ticket().0);
                let offer = Rc::new(Offer {
                    item: transfer.item.clone(),
                    path,
                    modified: UNIX_EPOCH,
                    tiger_level: [].into(),
                    content,
                });
                transfer.part = Some(content);
                self.common.systems.iter().for_each(|system| system.share_parts(&offer, parts.clone()));
            }
            None => {}
        }
        self.use_others(id, others);
    }

    /// Those that a source says have the file; the transfers let a source name nobody nearer to us than itself.
    fn use_others(&mut self, id: &str, others: Vec<SocketAddr>) {
        let Some(transfer) = self.all.get_mut(id) else { return };
        let known: Vec<Endpoint> =
            transfer.used.iter().chain(&transfer.waiting).filter_map(address_of).collect();
        let name = transfer.item.title.clone().into_bytes();
        for at in others.into_iter().filter(|at| self.common.bittorrent.may_call(*at)) {
            let at = Endpoint::from(at);
            if !known.contains(&at) {
                let (servent, name, proxies) = ([0; 16], name.clone(), Vec::new());
                let found = Source::Gnutella { at, servent, index: 0, name, firewalled: false, proxies };
                transfer.waiting.insert(found);
            }
        }
        self.use_waiting_of(id);
    }

    /// What is whole is served as what it is; what is no longer fetched not at all.
    pub(super) fn unshare_part(&mut self, id: &str) {
        let part = self.all.get_mut(id).and_then(|transfer| transfer.part.take());
        if let Some(content) = part {
            self.common.systems.iter().for_each(|system| system.unshare_parts(content));
        }
    }
}

fn address_of(source: &Source) -> Option<Endpoint> {
    match source {
        Source::Gnutella { at, .. } => Some(*at),
        _ => None,
    }
}
