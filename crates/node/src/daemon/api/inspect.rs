//! One transfer looked at closely, verified, and removed with its files: what needs its torrent itself.

use super::Shared;
use super::answer::ApiError;
use crate::daemon::report::{FileLine, PeerLine, TransferDetail};
use crate::daemon::request::{Act, Request};
use crate::text;
use axum::extract::{Path, State};
use axum::response::Response;
use data_encoding::BASE64;
use std::collections::BTreeSet;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use throng_runtime::storage::Storage;
use throng_swarm::PeerStatus;
use throng_wire::metainfo::Metainfo;

/// Peers that are told of.
const MAX_PEERS: usize = 500;

/// What is asked of a transfer that is looked at.
pub(super) async fn answer(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    super::routes::respond(detail(&shared, &id).await)
}

/// Its peers, files and pieces.
pub(super) async fn detail(shared: &Shared, id: &str) -> Result<TransferDetail, ApiError> {
    let (session, torrent) = shared.ask(|reply| Request::Torrent(id.to_owned(), reply)).await?;
    let (peers, storage) = (session.peers(&torrent).await, session.storage(&torrent).await);
    let Some(storage) = storage else {
        return Ok(TransferDetail { peers: peers_of(&peers, 0), ..TransferDetail::default() });
    };
    let metainfo = storage.metainfo();
    Ok(TransferDetail {
        peers: peers_of(&peers, storage.piece_count()),
        files: files_of(&storage, torrent.snapshot().finished),
        bitfield: Some(BASE64.encode(&storage.stored().to_bytes())),
        piece_length: metainfo.info.layout().piece_length().into(),
        trackers: metainfo
            .trackers
            .iter()
            .map(|tier| tier.iter().map(|url| text::line(url)).collect())
            .collect(),
        private: metainfo.info.is_private(),
        comment: shown(metainfo.comment.as_deref()),
        creator: shown(metainfo.created_by.as_deref()),
        created_at: metainfo.creation_date,
    })
}

fn shown(words: Option<&str>) -> Option<String> {
    words.map(text::line)
}

fn peers_of(peers: &[PeerStatus], pieces: u32) -> Vec<PeerLine> {
    let line = |peer: &PeerStatus| PeerLine {
        address: peer.address.socket_addr(),
        client: text::line(&peer.client),
        percent: (u64::from(peer.pieces) * 100).checked_div(u64::from(pieces)).unwrap_or(0) as u32,
        downloaded: peer.downloaded,
        uploaded: peer.uploaded,
        download_rate: peer.download_rate,
        upload_rate: peer.upload_rate,
        rtt_ms: peer.rtt.map(|rtt| rtt.as_millis() as u64),
        choking: peer.choking,
        interested: peer.interested,
    };
    peers.iter().take(MAX_PEERS).map(line).collect()
}

/// Files with their numbers in the torrent; what is only padding, or a link, is none.
pub(super) fn shown_files(metainfo: &Metainfo) -> impl Iterator<Item = (usize, String)> {
    let files = metainfo.info.layout().files().iter().enumerate();
    let files = files.filter(|(_, file)| !file.attributes.padding && file.symlink.is_none());
    files.map(|(index, file)| (index, text::components(&file.path)))
}

fn files_of(storage: &Storage, finished: bool) -> Vec<FileLine> {
    let layout = storage.metainfo().info.layout();
    let line = |(index, path): (usize, String)| {
        let size = layout.files().get(index).map_or(0, |file| file.length);
        let done = if finished { size } else { here(storage, index) };
        FileLine { path, size, done, wanted: true }
    };
    shown_files(storage.metainfo()).map(line).collect()
}

/// Bytes of a file in pieces that are stored.
fn here(storage: &Storage, file: usize) -> u64 {
    let Some(of) = storage.metainfo().info.layout().files().get(file) else { return 0 };
    let (start, end) = (of.offset, of.offset + of.length);
    let length = u64::from(storage.metainfo().info.layout().piece_length());
    let pieces = (start / length) as u32..end.div_ceil(length) as u32;
    let overlap = |piece: u32| {
        let from = u64::from(piece) * length;
        (from + length).min(end).saturating_sub(from.max(start))
    };
    pieces.filter(|piece| storage.stored().contains(*piece)).map(overlap).sum()
}

/// Reads again all that is stored.
pub(super) async fn verify(shared: &Shared, id: &str) -> Result<(), ApiError> {
    let (session, torrent) = shared.ask(|reply| Request::Torrent(id.to_owned(), reply)).await?;
    session.verify(&torrent);
    Ok(())
}

/// Removes a transfer, with what it has stored if `files`; titles of publications that were withdrawn, as their files go.
pub(super) async fn remove(shared: &Shared, id: &str, files: bool) -> Result<Vec<String>, ApiError> {
    let held = shared.ask(|reply| Request::Torrent(id.to_owned(), reply)).await;
    let storage = match held {
        Ok((session, torrent)) if files => session.storage(&torrent).await,
        _ => None,
    };
    let withdrawn = match &storage {
        Some(storage) => shared.ask(|reply| Request::Deleting(paths(storage), reply)).await?,
        None => Vec::new(),
    };
    shared.ask(|reply| Request::Act(id.to_owned(), Act::Remove, reply)).await?;
    if let Some(storage) = storage {
        // Whoever waits for it learns nothing from a panic in there; there is none.
        let _ = tokio::task::spawn_blocking(move || delete(&storage)).await;
    }
    Ok(withdrawn)
}

/// Where its files lie, as they were asked for and as they are without links on the way: publications may know either.
fn paths(storage: &Storage) -> BTreeSet<PathBuf> {
    let files = storage.files();
    let root = files.root().canonicalize();
    let both = |(index, _)| {
        let below = files.map().path(index);
        [Some(files.path(index)), root.as_ref().ok().map(|root| root.join(below))]
    };
    files.map().stored().flat_map(both).flatten().collect()
}

/// Deletes the stored files, and the folders that are empty then, below the torrent's folder alone.
fn delete(storage: &Arc<Storage>) {
    let files = storage.files();
    files.close();
    let Ok(root) = files.root().canonicalize() else { return };
    for (index, _) in files.map().stored() {
        let path = files.path(index);
        let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
        // A link on the way may have been put there since.
        let Some(parent) = parent.filter(|parent| parent.starts_with(&root)) else { continue };
        // What is gone already is as it should be.
        let _ = std::fs::remove_file(&path);
        remove_empty(&parent, &root);
    }
}

fn remove_empty(folder: &FilePath, root: &FilePath) {
    let below = folder.ancestors().take_while(|folder| *folder != root);
    // Ends at the first that is not empty.
    let _ = below.map(std::fs::remove_dir).take_while(Result::is_ok).count();
}
