//! What the node fetches: each transfer uses all sources of all systems in one download, goes on after a restart, and
//! is shared as soon as it is here.

use super::common::{Common, Happening, unix_time};
use super::hits::{self, Hit, KeptHit};
use super::report::{
    FetchAnswer, FetchRequest, Proof, SourceLine, TransferReport, TransferState, TransfersReport,
};
use super::request::{Refused, Why};
use crate::text;
use data_encoding::{BASE64, HEXLOWER};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_overlay::discovery::{Item, Source};
use throng_runtime::fetch::PlainDownload;
use throng_runtime::library::Publication;
use throng_runtime::session::{AddRequest, FileFilter, FileOf, Source as Torrent, State, TorrentHandle};
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::Metainfo;
use tokio::task::spawn_local;
use tokio::time::Instant;

/// What is kept in the home, and for how long: as good as for ever.
const KIND: &str = "transfer";
const LASTS: Duration = Duration::from_secs(3_650 * 86_400);
/// Transfers at most.
const MOST: usize = 10_000;
/// More sources are looked for at first after, and then every.
const LOOK: Duration = Duration::from_secs(60);
/// Sources of one transfer.
const SOURCES: usize = 128;

/// All transfers.
pub(super) struct Transfers {
    pub(super) common: Rc<Common>,
    pub(super) all: BTreeMap<String, Transfer>,
}

/// One transfer.
pub(super) struct Transfer {
    pub(super) kept: Kept,
    /// What is known of it: from a hit, a link or a torrent.
    pub(super) item: Item,
    pub(super) torrent: Option<TorrentHandle>,
    /// Instead of a torrent, where no holder knows one.
    pub(super) plain: Option<PlainDownload>,
    /// Sources of other systems and peers that were given to it.
    pub(super) used: BTreeSet<Source>,
    /// Sources that wait for the torrent, or for their system.
    pub(super) waiting: BTreeSet<Source>,
    pub(super) failed: Option<String>,
    pub(super) finished: bool,
    pub(super) look_at: Instant,
    /// When its torrent was opened.
    pub(super) opened: Option<Instant>,
}

/// A transfer as it is kept in the home.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) name: String,
    /// A link, or the bytes of a torrent in base64.
    pub(super) magnet: Option<String>,
    pub(super) torrent: Option<String>,
    pub(super) hit: Option<KeptHit>,
    pub(super) folder: PathBuf,
    pub(super) only: Vec<String>,
    pub(super) peers: Vec<SocketAddr>,
    pub(super) started: u64,
    pub(super) paused: bool,
    /// It was complete when it was last looked at.
    #[serde(default)]
    pub(super) complete: bool,
    /// No holder knew a torrent of it.
    #[serde(default)]
    pub(super) plain: bool,
    /// Where a file without a torrent was put, and how it was found right.
    #[serde(default)]
    pub(super) whole: Option<(PathBuf, Proof)>,
}

/// What may be done with a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    Pause,
    Resume,
    /// Its files stay.
    Remove,
}

impl Transfers {
    pub(super) fn new(common: Rc<Common>) -> Transfers {
        Transfers { common, all: BTreeMap::new() }
    }

    /// Goes on with what was under way in an earlier run.
    pub(super) fn restore(&mut self) {
        for (_, value) in self.common.library.kept(KIND) {
            if let Ok(kept) = serde_json::from_slice::<Kept>(&value)
                && let Ok(wanted) = wanted(&kept)
            {
                let sources = kept.hit.clone().map(|hit| hit.back().sources).unwrap_or_default();
                self.start(kept, wanted, sources);
            }
        }
    }

    /// Begins; `find` looks a hit up, `own` says where something published here lies.
    pub(super) fn fetch<'a>(
        &mut self,
        request: FetchRequest,
        find: impl Fn(&str) -> Option<&'a Hit>,
        own: impl Fn(&Item) -> Option<PathBuf>,
    ) -> Result<FetchAnswer, Refused> {
        let folder = PathBuf::from(&request.output);
        if !folder.is_absolute() {
            return Err(Refused::new(Why::Wrong, "the output folder is no absolute path"));
        }
        if self.all.len() >= MOST {
            return Err(Refused::new(Why::Busy, "too many transfers; remove some"));
        }
        let mut kept = Kept {
            id: String::new(),
            name: String::new(),
            magnet: None,
            torrent: request.torrent.clone(),
            hit: None,
            folder,
            only: request.only,
            peers: request.peers,
            started: unix_time(),
            paused: false,
            complete: false,
            plain: false,
            whole: None,
        };
        let mut sources = BTreeSet::new();
        if let Some(source) = request.source.filter(|_| request.torrent.is_none()) {
            let is_link = source.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("magnet:"));
            if is_link {
                kept.magnet = Some(source);
            } else {
                let hit = find(&source).ok_or_else(|| unknown(&source))?;
                sources = hit.sources.clone();
                kept.magnet = link_of(&hit.item);
                kept.hit = Some(KeptHit::of(hit));
            }
        }
        let wanted = wanted(&kept).map_err(|reason| Refused::new(Why::Wrong, reason))?;
        (kept.id, kept.name) = (wanted.id(), wanted.item.title.clone());
        if let Some(transfer) = self.all.get(&kept.id) {
            return Ok(FetchAnswer { id: kept.id, name: transfer.kept.name.clone() });
        }
        if let Some(path) = own(&wanted.item) {
            let reason = format!("it is here already: {}", text::path(&path));
            return Err(Refused::new(Why::Conflict, reason));
        }
        let answer = FetchAnswer { id: kept.id.clone(), name: kept.name.clone() };
        self.keep(&kept);
        self.start(kept, wanted, sources);
        Ok(answer)
    }

    /// Begins again with what is known now.
    pub(super) fn start_again(&mut self, kept: Kept, sources: BTreeSet<Source>) -> Result<(), String> {
        let wanted = wanted(&kept)?;
        self.start(kept, wanted, sources);
        Ok(())
    }

    pub(super) fn keep(&self, kept: &Kept) {
        if let Ok(value) = serde_json::to_vec(kept) {
            self.common.library.keep(KIND, &kept.id, &value, LASTS);
        }
    }

    fn start(&mut self, kept: Kept, wanted: Wanted, sources: BTreeSet<Source>) {
        let id = kept.id.clone();
        let Some(torrent) = wanted.torrent else { return self.start_whole(kept, wanted.item, sources) };
        let failed = std::fs::create_dir_all(&kept.folder)
            .err()
            .map(|error| format!("cannot make the folder {}: {error}", text::path(&kept.folder)));
        if failed.is_none() {
            let may = |at: &SocketAddr| kept.peers.contains(at) || self.common.bittorrent.may_call(*at);
            // A node of ours has all its systems behind one port.
            let found = sources.iter().filter_map(|source| match source {
                Source::Swarm(at)
                | Source::Gnutella { at, firewalled: false, .. }
                | Source::Supernode { at, firewalled: false, .. } => Some(at.socket_addr()),
                _ => None,
            });
            let request = AddRequest {
                peers: kept.peers.iter().copied().chain(found).filter(may).collect(),
                only: filter(&kept.only),
                options: throng_swarm::TorrentOptions { paused: kept.paused, ..Default::default() },
                ..AddRequest::new(torrent, &kept.folder)
            };
            let (work, teller) = (self.common.bittorrent.add(request), self.common.teller());
            let transfer = id.clone();
            spawn_local(async move {
                let result = work.await;
                let _ = teller.send(Happening::Opened { transfer, result });
            });
        }
        let transfer = Transfer {
            finished: false,
            kept,
            item: wanted.item,
            torrent: None,
            plain: None,
            used: sources.iter().filter(|source| matches!(source, Source::Swarm(_))).cloned().collect(),
            waiting: sources,
            failed,
            look_at: Instant::now(),
            opened: None,
        };
        self.all.insert(id, transfer);
    }

    pub(super) fn on_opened(&mut self, id: &str, result: Result<TorrentHandle, String>) -> Option<String> {
        let Some(transfer) = self.all.get_mut(id) else {
            result.into_iter().for_each(|torrent| self.common.bittorrent.remove(&torrent));
            return None;
        };
        match result {
            Ok(torrent) => {
                transfer.torrent = Some(torrent.clone());
                transfer.opened = Some(Instant::now());
                let (teller, session) = (self.common.teller(), self.common.bittorrent.session().clone());
                let (id, mut watched) = (id.to_owned(), torrent);
                spawn_local(async move {
                    if watched.wait_finished().await.is_ok() {
                        let metainfo = session.metainfo(&watched).await;
                        let _ = teller.send(Happening::Finished { transfer: id, metainfo });
                    }
                });
                self.use_waiting(None);
                None
            }
            Err(reason) => {
                transfer.failed = Some(reason.clone());
                Some(format!("{} cannot be fetched: {reason}", text::line(&transfer.kept.name)))
            }
        }
    }

    /// All of it is here; whether it was not so when the node last ran, what it is, and where.
    pub(super) fn on_finished(&mut self, id: &str) -> Option<(bool, String, PathBuf)> {
        let transfer = self.all.get_mut(id)?;
        let new = !transfer.kept.complete;
        transfer.finished = true;
        if let Some(torrent) = &transfer.torrent {
            transfer.kept.name = torrent.snapshot().name;
        }
        transfer.kept.complete = true;
        let kept = transfer.kept.clone();
        self.keep(&kept);
        Some((new, kept.name, kept.folder))
    }

    /// Gives sources that wait to their transfers; of all, or of one system that was just joined.
    pub(super) fn use_waiting(&mut self, system: Option<&str>) {
        let joined = self.common.joined.borrow().clone();
        for transfer in self.all.values_mut() {
            if transfer.torrent.is_none() && transfer.plain.is_none() {
                continue;
            }
            let waiting = std::mem::take(&mut transfer.waiting);
            for source in waiting {
                let name = source.system();
                if transfer.used.contains(&source) || transfer.used.len() >= SOURCES {
                    continue;
                }
                let ready = name == super::bittorrent::NAME || joined.contains(name);
                if !ready || system.is_some_and(|system| system != name) {
                    transfer.waiting.insert(source);
                    continue;
                }
                if transfer.may_use(&source) {
                    transfer.give(&self.common, &source);
                    transfer.used.insert(source);
                }
            }
        }
    }

    /// A system found a copy of something; used if it is the same.
    pub(super) fn on_found(&mut self, id: &str, item: &Item, source: Source) {
        let Some(transfer) = self.all.get_mut(id) else { return };
        let own = &transfer.item;
        let same_swarm = own.info_hash.is_some() && own.info_hash == item.info_hash;
        if own.is_same_content(item) || same_swarm || is_perhaps_same(own, item) {
            transfer.waiting.insert(source);
            self.use_waiting(None);
        }
    }

    /// Transfers that more sources should be looked for, with what they are called and what they are.
    pub(super) fn want_sources(&mut self) -> Vec<(String, String, Item)> {
        let now = Instant::now();
        let mut wanting = Vec::new();
        for (id, transfer) in &mut self.all {
            let open = !transfer.finished && !transfer.kept.paused && transfer.failed.is_none();
            let begun = transfer.torrent.is_some() || transfer.plain.is_some();
            if open && begun && now >= transfer.look_at {
                transfer.look_at = now + LOOK;
                let name = match transfer.item.title.as_str() {
                    "" => transfer.kept.name.clone(),
                    title => title.to_owned(),
                };
                wanting.push((id.clone(), name, transfer.item.clone()));
            }
        }
        wanting
    }

    /// The torrent of a transfer that has this content.
    pub(super) fn torrent_of(&self, publication: &Publication) -> Option<TorrentHandle> {
        let hash = publication.metainfo.info.swarms().next()?.0;
        let same = |transfer: &&Transfer| transfer.item.info_hash == Some(hash);
        self.all.values().find(same)?.torrent.clone()
    }

    /// Pauses, resumes or removes; what was removed, if it was.
    pub(super) fn act(&mut self, id: &str, act: Act) -> Result<(), Refused> {
        let id = self.full_id(id)?;
        let Some(transfer) = self.all.get_mut(&id) else { return Err(unknown(&id)) };
        if let Act::Remove = act {
            self.common.library.drop_kept(KIND, &id);
            // A file without a torrent stops with its handle.
            if let Some(torrent) = self.all.remove(&id).and_then(|transfer| transfer.torrent) {
                self.common.bittorrent.remove(&torrent);
            }
            return Ok(());
        }
        transfer.kept.paused = act == Act::Pause;
        if let Some(torrent) = &transfer.torrent {
            self.common.bittorrent.session().run(torrent, act == Act::Resume);
        }
        transfer.plain.iter().for_each(|plain| plain.run(act == Act::Resume));
        let kept = transfer.kept.clone();
        self.keep(&kept);
        Ok(())
    }

    fn full_id(&self, text: &str) -> Result<String, Refused> {
        let mut like = self.all.keys().filter(|id| id.starts_with(text) && text.len() >= 4);
        like.next().filter(|_| like.next().is_none()).cloned().ok_or_else(|| unknown(text))
    }

    pub(super) fn reports(&self) -> TransfersReport {
        let mut transfers: Vec<_> = self.all.values().map(report).collect();
        transfers.sort_by_key(|transfer| std::cmp::Reverse(transfer.started_at));
        TransfersReport { transfers }
    }

    /// The torrent of a transfer, by its id or its info-hash in hex.
    pub(super) fn torrent(&self, id: &str) -> Result<TorrentHandle, Refused> {
        let is =
            |transfer: &&Transfer| transfer.item.info_hash.is_some_and(|hash| HEXLOWER.encode(&hash) == id);
        let transfer = match self.all.values().find(is) {
            Some(transfer) => Some(transfer),
            None => self.all.get(&self.full_id(id)?),
        };
        let opening = || Refused::new(Why::Busy, "it is being opened; try again");
        transfer.and_then(|transfer| transfer.torrent.clone()).ok_or_else(opening)
    }

    pub(super) fn report(&self, id: &str) -> Result<TransferReport, Refused> {
        let id = self.full_id(id)?;
        self.all.get(&id).map(report).ok_or_else(|| unknown(&id))
    }
}

fn unknown(what: &str) -> Refused {
    let what = text::line(what);
    Refused::new(
        Why::Absent,
        format_args!("{what} is no hit of a search in the last day, no transfer and no link"),
    )
}

/// What is to be fetched, read.
struct Wanted {
    /// `None` if only a file is known, and no torrent of it.
    torrent: Option<Torrent>,
    item: Item,
}

impl Wanted {
    /// Eight digits of the swarm's name.
    fn id(&self) -> String {
        let item = &self.item;
        let hash = item.info_hash.or(item.sha1).map(|hash| hash.to_vec());
        let hash = hash
            .or(item.tiger.map(|hash| hash.to_vec()))
            .unwrap_or_else(|| Sha256::digest(format!("{}/{}", item.title, item.size).as_bytes()).to_vec());
        let mut id = HEXLOWER.encode(&hash);
        id.truncate(8);
        id
    }
}

fn wanted(kept: &Kept) -> Result<Wanted, String> {
    if let Some(torrent) = &kept.torrent {
        let bytes = BASE64.decode(torrent.as_bytes()).map_err(|_| "the torrent is not base64")?;
        let metainfo = Metainfo::parse(&bytes).map_err(|error| format!("not a torrent: {error}"))?;
        let info = &metainfo.info;
        let only = info.layout().files().first().filter(|_| info.is_single_file());
        let item = Item {
            title: String::from_utf8_lossy(info.name()).into_owned(),
            size: info.layout().content_length(),
            root: only.and_then(|file| file.pieces_root),
            info_hash: info.swarms().next().map(|hash| hash.0),
            info_hash_v2: info.hash_v2().map(|hash| hash.0),
            ..Item::default()
        };
        return Ok(Wanted { torrent: Some(Torrent::Metainfo(Arc::new(metainfo))), item });
    }
    let known = kept.hit.clone().map(|hit| hit.back().item).unwrap_or_default();
    let Some(link) = &kept.magnet else {
        if known.size == 0 {
            return Err("nobody says how large it is; it cannot be fetched".into());
        }
        return Ok(Wanted { torrent: None, item: known });
    };
    let magnet: Magnet = link.parse().map_err(|error: throng_wire::magnet::MagnetError| error.to_string())?;
    let Some(hash) = magnet.swarms().next().filter(|_| !kept.plain) else {
        let mut item = hits::item_of(&magnet);
        item.size = if item.size == 0 { known.size } else { item.size };
        (item.sha1, item.tiger) = (item.sha1.or(known.sha1), item.tiger.or(known.tiger));
        if item.size == 0 {
            return Err("the link names no swarm and no length (btih, btmh, or xl)".into());
        }
        return Ok(Wanted { torrent: None, item });
    };
    let item = Item {
        title: magnet.name.clone().unwrap_or(known.title),
        size: magnet.length.unwrap_or(known.size),
        root: known.root,
        info_hash: Some(hash.0),
        info_hash_v2: magnet.v2.map(|hash| hash.0),
        sha1: magnet.sha1.or(known.sha1),
        tiger: magnet.tiger_tree.or(known.tiger),
        ft_hash: known.ft_hash,
    };
    Ok(Wanted { torrent: Some(Torrent::Magnet(magnet)), item })
}

/// The link of a hit under which a swarm can be joined; one without a swarm is fetched as a file.
fn link_of(item: &Item) -> Option<String> {
    let magnet = hits::magnet(item)?;
    magnet.swarms().next().is_some().then(|| magnet.to_string())
}

/// Whether nothing speaks against it, and name and size for it: what comes of it is checked all the same.
fn is_perhaps_same(own: &Item, other: &Item) -> bool {
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
    fn may_use(&self, source: &Source) -> bool {
        let of_swarm = matches!(source, Source::Swarm(_));
        match &self.plain {
            Some(_) => !of_swarm && (hits::is_provable(&self.item) || self.used.is_empty()),
            None => true,
        }
    }

    /// Uses a source: a peer of its swarm, or whoever another system found.
    fn give(&self, common: &Common, source: &Source) {
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

/// Which files the patterns want; `None` is all.
fn filter(only: &[String]) -> Option<FileFilter> {
    let globs: Vec<GlobMatcher> = only
        .iter()
        .filter_map(|glob| GlobBuilder::new(glob).literal_separator(true).build().ok())
        .map(|glob| glob.compile_matcher())
        .collect();
    if only.is_empty() {
        return None;
    }
    Some(Arc::new(move |_, path: &Path| globs.iter().any(|glob| crate::torrent_file::is_match(glob, path))))
}

fn report(transfer: &Transfer) -> TransferReport {
    if transfer.kept.plain || transfer.plain.is_some() {
        return transfer.whole_report();
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
        downloaded: status.map_or(0, |status| status.downloaded),
        uploaded: status.map_or(0, |status| status.uploaded),
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
