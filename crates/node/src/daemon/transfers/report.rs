//! How a transfer stands.

use super::Transfer;
use crate::daemon::report::{Proof, SourceLine, TransferReport, TransferState};
use crate::daemon::rest::Rest;
use crate::text;
use throng_runtime::session::{State, TorrentHandle};

/// What people are shown of a transfer.
pub(super) fn report(transfer: &Transfer) -> TransferReport {
    if transfer.kept.plain || transfer.plain.is_some() {
        return transfer.whole_report();
    }
    if let Rest::Asleep | Rest::Waking = transfer.rest {
        return resting(transfer);
    }
    let kept = &transfer.kept;
    let snapshot = transfer.torrent.as_ref().map(TorrentHandle::snapshot).unwrap_or_default();
    let status = snapshot.status.as_ref();
    let (mut done, size) = status.map_or((0, transfer.item.size), |status| (status.verified, status.wanted));
    let (state, reason) = match (&snapshot.state, &transfer.failed) {
        (_, Some(reason)) | (State::Failed(reason), _) => (TransferState::Failed, Some(reason.clone())),
        (State::Opening, _) => (TransferState::Opening, None),
        (State::Checking { done: checked, .. }, _) => {
            done = *checked;
            (TransferState::Checking, None)
        }
        (State::FetchingMetadata, _) => (TransferState::Metadata, None),
        (State::Downloading, _) => (TransferState::Downloading, None),
        (State::Seeding, _) => (TransferState::Complete, None),
        (State::Paused(reason), _) => (TransferState::Paused, Some(reason.clone())),
    };
    let sources = snapshot.sources.iter().map(|source| SourceLine {
        name: text::line(&source.name),
        downloaded: source.downloaded,
        download_rate: source.download_rate,
        trouble: source.trouble.as_ref().map(|trouble| text::line(trouble)),
        dropped: source.dropped,
    });
    TransferReport {
        id: kept.id.clone(),
        name: text::line(if snapshot.name.is_empty() { &kept.name } else { &snapshot.name }),
        state,
        reason: reason.map(|reason| text::line(&reason)),
        proof: Proof::Pieces,
        done,
        size,
        downloaded: transfer.past.0 + status.map_or(0, |status| status.downloaded),
        uploaded: transfer.past.1 + status.map_or(0, |status| status.uploaded),
        wasted: status.map_or(0, |status| status.wasted),
        download_rate: status.map_or(0, |status| status.download_rate),
        upload_rate: status.map_or(0, |status| status.upload_rate),
        eta_seconds: snapshot.eta.map(|eta| eta.as_secs()),
        pieces: status.map_or((0, 0), |status| status.pieces),
        peers: status.map_or(0, |status| status.peers.0),
        sources: sources.collect(),
        folder: text::path(&kept.folder),
        magnet: kept.magnet.clone(),
        started_at: kept.started,
        notices: snapshot.notices.iter().map(|notice| text::line(&notice.text)).collect(),
    }
}

/// One that is complete, and that nobody asks for now.
fn resting(transfer: &Transfer) -> TransferReport {
    let kept = &transfer.kept;
    let (state, reason) = match kept.paused {
        true => (TransferState::Paused, Some("stopped".into())),
        false => (TransferState::Complete, None),
    };
    let size = if kept.size > 0 { kept.size } else { transfer.item.size };
    TransferReport {
        id: kept.id.clone(),
        name: text::line(&kept.name),
        state,
        reason,
        proof: Proof::Pieces,
        done: size,
        size,
        downloaded: transfer.past.0,
        uploaded: transfer.past.1,
        wasted: 0,
        download_rate: 0,
        upload_rate: 0,
        eta_seconds: None,
        pieces: (0, 0),
        peers: 0,
        sources: Vec::new(),
        folder: text::path(&kept.folder),
        magnet: kept.magnet.clone(),
        started_at: kept.started,
        notices: Vec::new(),
    }
}
