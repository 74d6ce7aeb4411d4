//! One of the demo's nodes: a session of its own, its bar, and what it got from whom.

use super::super::Context;
use crate::failure::{Failure, Outcome};
use crate::progress::{Progress, Standing};
use crate::{torrent_file, units};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use throng_runtime::session::{AddRequest, Session, SessionConfig, Snapshot, Source, State, TorrentHandle};
use throng_swarm::{Config, TorrentOptions};
use throng_wire::metainfo::Metainfo;

/// One node.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) dir: PathBuf,
    session: Session,
    torrent: TorrentHandle,
    /// A downloader's bar.
    progress: Option<Progress>,
    /// Seen from each address while it was connected.
    received: BTreeMap<SocketAddr, u64>,
    snapshot: Snapshot,
    began: Instant,
    took: Option<Duration>,
}

impl Node {
    /// Who has all of it, below `folder`, and a narrow uplink.
    pub(super) async fn seed(metainfo: &Arc<Metainfo>, folder: &Path, uplink: u64) -> Outcome<Node> {
        let options = TorrentOptions { upload_only: true, ..TorrentOptions::default() };
        let place = torrent_file::locate(metainfo, folder);
        let map = Some(place.map);
        let request = AddRequest { read_only: true, map, options, ..request(metainfo, &place.root) };
        let config = Config { upload_limit: Some(uplink), ..Config::default() };
        let mut node = Node::new("seed".into(), config, request, None).await?;
        node.torrent.wait_finished().await.map_err(Failure::Failed)?;
        node.took = Some(Duration::ZERO);
        Ok(node)
    }

    /// Who has nothing yet.
    pub(super) async fn downloader(
        name: String,
        metainfo: &Arc<Metainfo>,
        dir: &Path,
        context: &Context,
    ) -> Outcome<Node> {
        let progress = Progress::begin(&context.output, &name);
        Node::new(name, Config::default(), request(metainfo, dir), Some(progress)).await
    }

    async fn new(
        name: String,
        swarm: Config,
        request: AddRequest,
        progress: Option<Progress>,
    ) -> Outcome<Node> {
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let session = Session::start(SessionConfig { listen, swarm, ..SessionConfig::default() });
        let session = session
            .map_err(|error| Failure::failed(format_args!("cannot start a node on 127.0.0.1: {error}")))?;
        let (dir, began) = (request.dir.clone(), Instant::now());
        let torrent = session.add(request).await.map_err(Failure::Failed)?;
        let (received, snapshot) = (BTreeMap::new(), torrent.snapshot());
        Ok(Node { name, dir, session, torrent, progress, received, snapshot, began, took: None })
    }

    /// Takes notice of what has happened.
    pub(super) async fn look(&mut self) -> Outcome {
        for peer in self.session.peers(&self.torrent).await {
            let seen = self.received.entry(peer.address.socket_addr()).or_default();
            *seen = peer.downloaded.max(*seen);
        }
        self.snapshot = self.torrent.snapshot();
        if let State::Failed(reason) | State::Paused(reason) = &self.snapshot.state {
            return Err(Failure::failed(format_args!("{}: {reason}", self.name)));
        }
        if self.snapshot.finished && self.took.is_none() {
            self.took = Some(self.began.elapsed());
        }
        if let Some(progress) = &self.progress {
            progress.show(|| standing(&self.snapshot));
            if self.snapshot.finished {
                progress.keep();
            }
        }
        Ok(())
    }

    /// Whether it has all.
    pub(super) fn is_complete(&self) -> bool {
        self.took.is_some()
    }

    /// How long that took.
    pub(super) fn took(&self) -> Duration {
        self.took.unwrap_or_else(|| self.began.elapsed())
    }

    /// Bytes received from anybody.
    pub(super) fn received(&self) -> u64 {
        self.snapshot.status.as_ref().map_or(0, |status| status.downloaded)
    }

    /// Bytes sent to anybody.
    pub(super) fn sent(&self) -> u64 {
        self.torrent.snapshot().status.map_or(0, |status| status.uploaded)
    }

    /// Bytes seen to come from another; what came in its last moment is missing.
    pub(super) fn received_from(&self, other: &Node) -> u64 {
        other.session.local_addr().and_then(|address| self.received.get(&address)).copied().unwrap_or(0)
    }

    /// Says goodbye.
    pub(super) async fn leave(&self) {
        self.session.shutdown().await;
    }
}

fn request(metainfo: &Arc<Metainfo>, dir: &Path) -> AddRequest {
    AddRequest::new(Source::Metainfo(Arc::clone(metainfo)), dir)
}

fn standing(snapshot: &Snapshot) -> Standing {
    let status = snapshot.status.as_ref();
    let (done, total) = status.map_or((0, 0), |status| (status.verified, status.wanted));
    let (rate, peers) = status.map_or((0, 0), |status| (status.download_rate, status.peers.0));
    let words = match snapshot.finished {
        true => String::from("complete"),
        false => format!("{}, {}", units::rate(rate), units::plural(peers as u64, "peer")),
    };
    Standing { done, total, words, fields: json!({ "download_rate": rate, "peers": peers }) }
}
