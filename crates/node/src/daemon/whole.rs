//! Transfers of files that no torrent is known of. Holders that are nodes of ours are asked for a link first; with one
//! the file is fetched as a torrent after all.

use super::common::{Common, Happening};
use super::report::{Proof, SourceLine, TransferReport, TransferState};
use super::transfers::{Kept, Transfer, Transfers};
use super::{hits, parts};
use crate::text;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use throng_overlay::discovery::{Item, Source};
use throng_runtime::fetch::{PlainDownload, PlainProof, PlainSnapshot, PlainState, PlainWish};
use throng_runtime::session::State;
use throng_wire::magnet::{Magnet, PeerAddress};
use tokio::task::spawn_local;

/// A torrent may look so long for a peer that knows what is in it, if others have the file.
const LONELY: Duration = Duration::from_secs(12);
/// Holders asked for a link, and how long each may take.
const ASKED: usize = 4;
const LINK_TIME: Duration = Duration::from_secs(5);

impl Transfers {
    /// Begins without a torrent.
    pub(super) fn start_whole(&mut self, kept: Kept, item: Item, sources: BTreeSet<Source>) {
        let (id, plain) = (kept.id.clone(), kept.plain);
        let finished = kept.whole.is_some();
        let mut transfer = Transfer::new(kept, item, sources.clone());
        (transfer.finished, transfer.used) = (finished, BTreeSet::new());
        self.insert(id.clone(), transfer);
        if finished {
            return;
        }
        if plain {
            return self.begin_whole(&id);
        }
        let works: Vec<_> = sources
            .iter()
            .filter_map(|source| {
                let system = self.common.systems.iter().find(|system| system.name() == source.system())?;
                Some(system.magnet(source))
            })
            .take(ASKED)
            .collect();
        let teller = self.common.teller();
        spawn_local(async move {
            let mut link = None;
            for work in works {
                let told = tokio::time::timeout(LINK_TIME, work).await.ok().flatten();
                let swarm = |link: &String| {
                    link.parse::<Magnet>().is_ok_and(|magnet| magnet.swarms().next().is_some())
                };
                link = told.map(|magnet| magnet.link).filter(swarm);
                if link.is_some() {
                    break;
                }
            }
            let _ = teller.send(Happening::Resolved { transfer: id, link });
        });
    }

    /// Holders have said whether they know a torrent.
    pub(super) fn on_resolved(&mut self, id: &str, link: Option<String>) {
        let link = link.and_then(|link| self.safe(&link));
        let Some(transfer) = self.all.get_mut(id) else { return };
        let Some(link) = link else {
            transfer.kept.plain = true;
            let kept = transfer.kept.clone();
            self.keep(&kept);
            return self.begin_whole(id);
        };
        let Some(transfer) = self.all.remove(id) else { return };
        let kept = Kept { magnet: Some(link), ..transfer.kept };
        self.keep(&kept);
        if let Err(reason) = self.start_again(kept.clone(), transfer.waiting) {
            let mut failed = Transfer::new(kept, transfer.item, BTreeSet::new());
            failed.failed = Some(reason);
            self.insert(id.to_owned(), failed);
        }
    }

    /// A stranger's link, with only those peers that a stranger may make us call.
    fn safe(&self, link: &str) -> Option<String> {
        let magnet: Magnet = link.parse().ok()?;
        let may = |at: &std::net::SocketAddr| self.common.bittorrent.may_call(*at);
        let peers = hits::peers_of(&magnet).filter(may).map(PeerAddress::Socket).collect();
        Some(Magnet { peers, ..magnet }.to_string())
    }

    /// Asks for the tree first, so that blocks can be checked as they come, and be served.
    fn begin_whole(&mut self, id: &str) {
        let Some(transfer) = self.all.get(id) else { return };
        let work = parts::tree(&self.common, transfer);
        let (teller, transfer) = (self.common.teller(), id.to_owned());
        spawn_local(async move {
            let level = work.await;
            let _ = teller.send(Happening::Tree { transfer, level });
        });
    }

    /// The tree is known, or is not going to be.
    pub(super) fn on_tree(&mut self, id: &str, level: Vec<[u8; 24]>) {
        let Some(transfer) = self.all.get_mut(id).filter(|transfer| transfer.plain.is_none()) else { return };
        let Item { size, sha1, tiger, ft_hash, .. } = transfer.item;
        let wish = PlainWish { size, sha1, tiger, tiger_level: level, ft_hash };
        let (folder, running) = (transfer.kept.folder.clone(), !transfer.kept.paused);
        match PlainDownload::start(wish, &folder, &transfer.item.title, running) {
            Ok(plain) => {
                watch(&self.common, id, &plain);
                transfer.plain = Some(plain);
            }
            Err(error) => transfer.failed = Some(format!("cannot start: {error}")),
        }
        self.use_waiting_of(id);
    }

    /// Torrents that nobody can say the content of, while others have the file: fetched as a file after all.
    pub(super) fn give_up_torrents(&mut self) {
        let stuck = |transfer: &&Transfer| {
            let (Some(torrent), Some(opened)) = (&transfer.torrent, transfer.opened) else { return false };
            let others = transfer.used.iter().any(|source| !matches!(source, Source::Swarm(_)));
            let whole =
                transfer.item.size > 0 && (transfer.item.sha1.is_some() || transfer.item.tiger.is_some());
            let snapshot = torrent.snapshot();
            let alone = snapshot.status.is_none_or(|status| status.peers.0 == 0);
            others && whole && alone && snapshot.state == State::FetchingMetadata && opened.elapsed() > LONELY
        };
        let ids: Vec<String> = self.awake().filter(stuck).map(|transfer| transfer.kept.id.clone()).collect();
        for id in ids {
            let Some(transfer) = self.all.get_mut(&id) else { continue };
            if let Some(torrent) = transfer.torrent.take() {
                self.common.bittorrent.remove(&torrent);
            }
            transfer.waiting.extend(std::mem::take(&mut transfer.used));
            transfer.kept.plain = true;
            let kept = transfer.kept.clone();
            self.keep(&kept);
            self.begin_whole(&id);
        }
    }

    /// A file is here; whether it is known to be right.
    pub(super) fn on_whole(&mut self, id: &str, proof: PlainProof, path: &Path) -> Option<String> {
        self.unshare_part(id);
        let transfer = self.all.get_mut(id)?;
        transfer.finished = true;
        transfer.kept.complete = true;
        transfer.kept.whole = Some((path.to_owned(), proof_of(proof)));
        transfer.plain = None;
        let (kept, name) = (transfer.kept.clone(), transfer.item.title.clone());
        self.keep(&kept);
        Some(name)
    }
}

fn watch(common: &Common, id: &str, plain: &PlainDownload) {
    let (teller, transfer, mut snapshots) = (common.teller(), id.to_owned(), plain.snapshots());
    spawn_local(async move {
        let mut told = (0, 0);
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            if let PlainState::Complete(proof, path) = snapshot.state {
                let _ = teller.send(Happening::Whole { transfer, proof, path });
                return;
            }
            let PlainSnapshot { checked: parts, path, others, .. } = snapshot;
            let new = (parts.iter().map(|part| part.end - part.start).sum::<u64>(), others.len());
            if new != told {
                told = new;
                let transfer = transfer.clone();
                let _ = teller.send(Happening::Parts { transfer, parts, path, others });
            }
            if snapshots.changed().await.is_err() {
                return;
            }
        }
    });
}

fn proof_of(proof: PlainProof) -> Proof {
    match proof {
        PlainProof::TigerTree => Proof::TigerTree,
        PlainProof::Sha1 => Proof::Sha1,
        PlainProof::FtHash => Proof::FtHash,
        PlainProof::Unverified => Proof::Unverified,
    }
}

impl Transfer {
    /// How it stands.
    pub(super) fn whole_report(&self) -> TransferReport {
        let snapshot = self.plain.as_ref().map(PlainDownload::snapshot).unwrap_or_default();
        let expected = match &self.item {
            Item { tiger: Some(_), .. } => Proof::TigerTree,
            Item { sha1: Some(_), .. } => Proof::Sha1,
            Item { ft_hash: Some(_), .. } => Proof::FtHash,
            _ => Proof::Unverified,
        };
        let (state, reason, proof) = match (&self.failed, &self.kept.whole, &snapshot.state) {
            (Some(reason), ..) => (TransferState::Failed, Some(reason.clone()), expected),
            (_, Some((_, proof)), _) => (TransferState::Complete, None, *proof),
            (.., PlainState::Complete(proof, _)) => (TransferState::Complete, None, proof_of(*proof)),
            (.., PlainState::Failed(reason)) => (TransferState::Failed, Some(reason.clone()), expected),
            (.., PlainState::Paused) => (TransferState::Paused, Some("stopped".into()), expected),
            (.., PlainState::Checking) => (TransferState::Checking, None, expected),
            (.., PlainState::Fetching) => (TransferState::Downloading, None, expected),
        };
        let done = if state == TransferState::Complete { self.item.size } else { snapshot.done };
        let left = self.item.size.saturating_sub(done);
        let sources = snapshot.sources.iter().map(|source| SourceLine {
            name: text::line(&source.name),
            downloaded: source.downloaded,
            download_rate: source.download_rate,
            trouble: source.trouble.as_ref().map(|trouble| text::line(trouble)),
            dropped: source.dropped,
        });
        TransferReport {
            id: self.kept.id.clone(),
            name: text::line(&self.item.title),
            state,
            reason: reason.map(|reason| text::line(&reason)),
            proof,
            done,
            size: self.item.size,
            downloaded: snapshot.downloaded,
            uploaded: 0,
            wasted: snapshot.wasted,
            download_rate: snapshot.rate,
            upload_rate: 0,
            eta_seconds: left.checked_div(snapshot.rate),
            pieces: (0, 0),
            peers: 0,
            sources: sources.collect(),
            folder: text::path(&self.kept.folder),
            magnet: self.kept.magnet.clone(),
            started_at: self.kept.started,
            notices: snapshot.notices.iter().map(|notice| text::line(notice)).collect(),
        }
    }
}
