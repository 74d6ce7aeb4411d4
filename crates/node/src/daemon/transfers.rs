//! What the node fetches: each transfer uses all sources of all systems in one download, goes on after a restart, and
//! is shared as soon as it is here.

mod changes;
mod report;
mod rest;
mod sources;
mod wanted;

use super::common::{Common, Happening, unix_time};
use super::hits::{Hit, KeptHit};
use super::index::Index;
use super::listing;
use super::record::swarms;
use super::report::{FetchAnswer, FetchRequest, PageRequest, Proof, TransferReport, TransfersReport};
use super::request::{Refused, Why};
use super::rest::{Due, Idle, Rest};
use crate::text;
pub(crate) use changes::Changes;
use changes::Log;
use data_encoding::HEXLOWER;
use report::report;
use serde::{Deserialize, Serialize};
use sources::is_perhaps_same;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::ContentId;
use throng_overlay::discovery::{Item, Source};
use throng_runtime::fetch::PlainDownload;
use throng_runtime::session::{AddRequest, Source as Torrent, TorrentHandle};
use throng_wire::metainfo::Metainfo;
use tokio::task::spawn_local;
use tokio::time::Instant;
use wanted::{Wanted, filter, link_of, wanted, whole_torrent};

/// What is kept in the home, and for how long: as good as for ever.
const KIND: &str = "transfer";
const LASTS: Duration = Duration::from_secs(3_650 * 86_400);
/// Transfers that do not rest, at most, and those that do.
const MOST: usize = 10_000;
const MOST_RESTING: usize = 250_000;
/// More sources are looked for at first after, and then every.
const LOOK: Duration = Duration::from_secs(60);
/// Sources of one transfer.
const SOURCES: usize = 128;

/// All transfers.
pub(super) struct Transfers {
    pub(super) common: Rc<Common>,
    pub(super) all: BTreeMap<String, Transfer>,
    /// By the swarms of each.
    index: Index,
    /// Those that do not rest, and those of them that somebody called for while they did.
    awake: BTreeMap<String, Idle>,
    called: BTreeSet<String>,
    due: Due,
    /// What has changed of those that rest.
    log: Log,
    /// The machine is short of something: nothing is fetched now.
    held: bool,
}

/// One transfer.
pub(super) struct Transfer {
    pub(super) kept: Kept,
    /// What is known of it: from a hit, a link or a torrent.
    pub(super) item: Item,
    pub(super) torrent: Option<TorrentHandle>,
    /// Instead of a torrent, where no holder knows one.
    pub(super) plain: Option<PlainDownload>,
    /// What is served of it before it is whole, under that number.
    pub(super) part: Option<ContentId>,
    /// Sources of other systems and peers that were given to it.
    pub(super) used: BTreeSet<Source>,
    /// Sources that wait for the torrent, or for their system.
    pub(super) waiting: BTreeSet<Source>,
    pub(super) failed: Option<String>,
    pub(super) finished: bool,
    pub(super) look_at: Instant,
    /// When its torrent was opened.
    pub(super) opened: Option<Instant>,
    pub(super) rest: Rest,
    /// Received and sent before its torrent rested.
    past: (u64, u64),
    /// Of what is kept only what lists show is here.
    is_slim: bool,
}

/// A transfer as it is kept in the home.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) name: String,
    /// A link, or the bytes of a torrent in base64.
    pub(super) magnet: Option<String>,
    pub(super) torrent: Option<String>,
    pub(super) hit: Option<Box<KeptHit>>,
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
    /// Bytes of what was wanted, once complete.
    #[serde(default)]
    pub(super) size: u64,
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
        let (all, index, due) = (BTreeMap::new(), Index::default(), Due::default());
        let (awake, called, log) = (BTreeMap::new(), BTreeSet::new(), Log::default());
        Transfers { common, all, index, awake, called, due, log, held: false }
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
        if self.awake.len() >= MOST || self.all.len() >= MOST_RESTING {
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
            size: 0,
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
                kept.hit = Some(Box::new(KeptHit::of(hit)));
            }
        }
        let wanted = wanted(&kept).map_err(|reason| Refused::new(Why::Wrong, reason))?;
        (kept.id, kept.name) = (wanted.id(), wanted.item.title.clone());
        if let Some(transfer) = self.all.get(&kept.id) {
            return Ok(FetchAnswer { id: kept.id, name: transfer.kept.name.clone(), known: true });
        }
        if let Some(path) = own(&wanted.item) {
            let reason = format!("it is here already: {}", text::path(&path));
            return Err(Refused::new(Why::Conflict, reason));
        }
        let answer = FetchAnswer { id: kept.id.clone(), name: kept.name.clone(), known: false };
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
            self.open(&kept, torrent, (&sources, false));
        }
        let mut transfer = Transfer::new(kept, wanted.item, sources);
        transfer.failed = failed;
        self.insert(id, transfer);
    }

    /// Opens the torrent of a transfer, which is new or is `listened_for`.
    fn open(&self, kept: &Kept, torrent: Torrent, (sources, listened_for): (&BTreeSet<Source>, bool)) {
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
        if listened_for {
            self.common.bittorrent.end_rest();
        }
        let (work, teller) = (self.common.bittorrent.add(request), self.common.teller());
        let transfer = kept.id.clone();
        spawn_local(async move {
            let result = work.await;
            let _ = teller.send(Happening::Opened { transfer, result });
        });
    }

    pub(super) fn on_opened(&mut self, id: &str, result: Result<TorrentHandle, String>) -> Option<String> {
        let Some(transfer) = self.all.get_mut(id) else {
            result.into_iter().for_each(|torrent| self.common.bittorrent.remove(&torrent));
            return None;
        };
        match result {
            Ok(torrent) => {
                transfer.torrent = Some(torrent.clone());
                (transfer.rest, transfer.is_slim) = (Rest::Awake, false);
                self.awake.insert(id.to_owned(), Idle::default());
                transfer.opened = Some(Instant::now());
                // A person may have stopped it while it was being opened.
                if transfer.kept.paused || self.held && !transfer.kept.complete {
                    transfer.run(&self.common, false);
                }
                let (teller, session) = (self.common.teller(), self.common.bittorrent.session().clone());
                let (transfer, mut watched) = (id.to_owned(), torrent);
                spawn_local(async move {
                    if watched.wait_finished().await.is_ok() {
                        let metainfo = session.metainfo(&watched).await;
                        let _ = teller.send(Happening::Finished { transfer, metainfo });
                    }
                });
                self.use_waiting_of(id);
                None
            }
            Err(reason) => {
                transfer.failed = Some(reason.clone());
                self.called.remove(id);
                if transfer.rest == Rest::Waking {
                    self.common.bittorrent.session().forget(swarms(&transfer.item).into_iter().collect());
                    transfer.rest = Rest::Awake;
                }
                Some(format!("{} cannot be fetched: {reason}", text::line(&transfer.kept.name)))
            }
        }
    }

    /// Holds what is not here yet, or lets it go on; what a person paused stays so.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
        let waiting = |transfer: &&Transfer| !transfer.finished && !transfer.kept.paused;
        for transfer in self.awake().filter(waiting) {
            transfer.run(&self.common, !held);
        }
    }

    /// All of it is here; whether it was not so when the node last ran, what it is, and where.
    pub(super) fn on_finished(
        &mut self,
        id: &str,
        metainfo: Option<&Metainfo>,
    ) -> Option<(bool, String, PathBuf)> {
        let transfer = self.all.get_mut(id)?;
        let new = !transfer.kept.complete;
        transfer.finished = true;
        if let Some(torrent) = &transfer.torrent {
            let snapshot = torrent.snapshot();
            transfer.kept.name = snapshot.name;
            transfer.kept.size = snapshot.status.map_or(0, |status| status.wanted);
        }
        transfer.kept.complete = true;
        let mut kept = transfer.kept.clone();
        if new {
            // What a link led to is served after a restart without anybody who knows it.
            kept.torrent = kept.torrent.or(metainfo.map(|it| whole_torrent(it, kept.magnet.as_deref())));
            self.keep(&kept);
        }
        Some((new, kept.name, kept.folder))
    }

    /// Gives sources of a system that was just joined to the transfers for which they wait.
    pub(super) fn use_waiting(&mut self, system: &str) {
        for transfer in self.all.values_mut().filter(|transfer| !transfer.waiting.is_empty()) {
            transfer.use_waiting(&self.common, Some(system));
        }
    }

    /// Gives the sources that wait for it to a transfer.
    pub(super) fn use_waiting_of(&mut self, id: &str) {
        if let Some(transfer) = self.all.get_mut(id) {
            transfer.use_waiting(&self.common, None);
        }
    }

    /// A system found a copy of something; used if it is the same.
    pub(super) fn on_found(&mut self, id: &str, item: &Item, source: Source) {
        let Some(transfer) = self.all.get_mut(id) else { return };
        let own = &transfer.item;
        let same_swarm = own.info_hash.is_some() && own.info_hash == item.info_hash;
        if own.is_same_content(item) || same_swarm || is_perhaps_same(own, item) {
            transfer.waiting.insert(source);
            self.use_waiting_of(id);
        }
    }

    /// Transfers that more sources should be looked for, with what they are called and what they are.
    pub(super) fn want_sources(&mut self) -> Vec<(String, String, Item)> {
        let now = Instant::now();
        let mut wanting = Vec::new();
        for id in self.awake.keys() {
            let Some(transfer) = self.all.get_mut(id) else { continue };
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

    /// Pauses, resumes or removes; what was removed, if it was.
    pub(super) fn act(&mut self, id: &str, act: Act) -> Result<Option<Item>, Refused> {
        let id = self.full_id(id)?;
        let Some(transfer) = self.all.get_mut(&id) else { return Err(unknown(&id)) };
        if let Act::Remove = act {
            self.common.library.drop_kept(KIND, &id);
            self.unshare_part(&id);
            let Some(transfer) = self.all.remove(&id) else { return Ok(None) };
            self.unlist(&transfer);
            self.log.note(&id);
            self.awake.remove(&id);
            self.called.remove(&id);
            self.drop_resting(&transfer);
            // A file without a torrent stops with its handle.
            if let Some(torrent) = transfer.torrent {
                self.common.bittorrent.remove(&torrent);
            }
            return Ok(Some(transfer.item));
        }
        if transfer.rest == Rest::Asleep {
            self.act_on_resting(&id, act == Act::Pause);
            return Ok(None);
        }
        transfer.kept.paused = act == Act::Pause;
        transfer.run(&self.common, act == Act::Resume && (transfer.finished || !self.held));
        let kept = transfer.kept.clone();
        self.keep(&kept);
        Ok(None)
    }

    fn full_id(&self, text: &str) -> Result<String, Refused> {
        let from = self.all.range(text.to_owned()..).map(|(id, _)| id);
        let mut like = from.take_while(|id| id.starts_with(text)).filter(|_| text.len() >= 4);
        like.next().filter(|_| like.next().is_none()).cloned().ok_or_else(|| unknown(text))
    }

    pub(super) fn reports(&self, page: &PageRequest) -> Result<TransfersReport, Refused> {
        let all = self.all.iter().map(|(id, transfer)| (transfer.kept.started, id.as_str(), transfer));
        let (part, next) = listing::part(all, page)?;
        Ok(TransfersReport { transfers: part.into_iter().map(report).collect(), total: self.all.len(), next })
    }

    /// The torrent of a transfer, by its id or its info-hash in hex; one that rests is opened, and there a moment later.
    pub(super) fn torrent(&mut self, id: &str) -> Result<TorrentHandle, Refused> {
        let swarm = HEXLOWER.decode(id.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
        let id = match swarm.and_then(|swarm: [u8; 20]| self.of_swarm(&swarm)) {
            Some(transfer) => transfer.kept.id.clone(),
            None => self.full_id(id)?,
        };
        self.wake(&id);
        let opening = || Refused::new(Why::Busy, "it is being opened; try again");
        let open = self.all.get(&id).filter(|transfer| transfer.rest == Rest::Awake);
        open.and_then(|transfer| transfer.torrent.clone()).ok_or_else(opening)
    }

    /// What a transfer is of.
    pub(super) fn item(&self, id: &str) -> Option<&Item> {
        self.all.get(id).map(|transfer| &transfer.item)
    }

    pub(super) fn report(&self, id: &str) -> Result<TransferReport, Refused> {
        let id = self.full_id(id)?;
        self.all.get(&id).map(report).ok_or_else(|| unknown(&id))
    }
}

impl Transfer {
    /// One that begins, or is taken up again.
    pub(super) fn new(kept: Kept, item: Item, sources: BTreeSet<Source>) -> Transfer {
        Transfer {
            kept,
            item,
            torrent: None,
            plain: None,
            part: None,
            used: sources.iter().filter(|source| matches!(source, Source::Swarm(_))).cloned().collect(),
            waiting: sources,
            failed: None,
            finished: false,
            look_at: Instant::now(),
            opened: None,
            rest: Rest::Awake,
            past: (0, 0),
            is_slim: false,
        }
    }

    /// Uses the sources that wait, of any system or of one.
    fn use_waiting(&mut self, common: &Rc<Common>, system: Option<&str>) {
        if self.torrent.is_none() && self.plain.is_none() {
            return;
        }
        for source in std::mem::take(&mut self.waiting) {
            let name = source.system();
            if self.used.contains(&source) || self.used.len() >= SOURCES {
                continue;
            }
            let ready = name == super::bittorrent::NAME || common.joined.borrow().contains(name);
            if !ready || system.is_some_and(|system| system != name) {
                self.waiting.insert(source);
            } else if self.may_use(&source) {
                self.give(common, &source);
                self.used.insert(source);
            }
        }
    }
}

fn unknown(what: &str) -> Refused {
    let what = text::line(what);
    Refused::new(
        Why::Absent,
        format_args!("{what} is no hit of a search in the last day, no transfer and no link"),
    )
}
