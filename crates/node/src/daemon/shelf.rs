//! What the node publishes: each publication is seeded, offered to every joined system, signed, and reported on.

mod offers;
mod rest;

use super::bittorrent;
use super::common::{Common, Happening, unix_time};
use super::index::Index;
use super::record;
use super::report::{PublishRequest, PublishStep, Spread, WithdrawAnswer};
use super::request::{Refused, Why};
use super::rest::{Due, Idle, Rest};
use super::system::Offer;
use crate::text;
pub(super) use offers::item_of;
use offers::{hashes, hashes_of_item, item_of_file, make_offers, swarm_of};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_overlay::discovery::{Command, Item, Ticket};
use throng_overlay::publication::Publication as Signed;
use throng_runtime::library::{Id, Publication, Told, Torrent, Wish};
use throng_runtime::session::{AddRequest, Source, TorrentHandle};
use tokio::sync::mpsc;
use tokio::task::{spawn_blocking, spawn_local};
use tokio::time::Instant;

/// Systems may take so long to say how far they are before the command no longer waits.
const PATIENCE: Duration = Duration::from_secs(15);
/// Paths of one request.
const MAX_PATHS: usize = 1_000;

/// All that is published.
pub(super) struct Shelf {
    pub(super) common: Rc<Common>,
    pub(super) entries: BTreeMap<Id, Entry>,
    /// Publications by their swarms and by the hashes of their files.
    index: Index,
    due: Due,
    /// Those whose torrents are open; and those of them that somebody called for while they rested.
    open: BTreeMap<Id, Idle>,
    called: BTreeSet<Id>,
    /// Which publication a ticket is of.
    tickets: BTreeMap<Ticket, Id>,
    pub(super) jobs: BTreeMap<u32, Job>,
    batches: BTreeMap<u32, Batch>,
    next: u32,
}

/// One publication. Of most nobody asks for any: what only those need that are open, or shared by other systems, is apart.
pub(super) struct Entry {
    pub(super) publication: Arc<Publication>,
    pub(super) torrent: Option<TorrentHandle>,
    /// The torrent is a transfer's.
    pub(super) lent: bool,
    /// There once there is a system to share it in.
    shared: Option<Box<Shared>>,
    pub(super) trouble: Option<Box<str>>,
    pub(super) rest: Rest,
    /// Sent before its torrent rested, and the trackers that knew of it then, of all.
    pub(super) uploaded: u64,
    pub(super) announced: (u32, u32),
}

/// A publication as systems share it.
#[derive(Default)]
struct Shared {
    /// Its files.
    offers: Vec<(Ticket, Rc<Offer>)>,
    /// A folder as a whole.
    folder: Option<(Ticket, Item)>,
    /// How far each system is.
    spread: BTreeMap<&'static str, BTreeMap<Ticket, (u32, u32)>>,
}

/// A path being published.
pub(super) struct Job {
    batch: u32,
    pub(super) path: PathBuf,
    pub(super) done: u64,
    pub(super) total: u64,
}

/// One request.
struct Batch {
    listener: mpsc::Sender<PublishStep>,
    open: usize,
    failed: usize,
    ids: BTreeSet<Id>,
    told: BTreeMap<(Id, &'static str), Spread>,
    deadline: Instant,
}

impl Shelf {
    pub(super) fn new(common: Rc<Common>) -> Shelf {
        Shelf {
            common,
            entries: BTreeMap::new(),
            index: Index::default(),
            due: Due::default(),
            open: BTreeMap::new(),
            called: BTreeSet::new(),
            tickets: BTreeMap::new(),
            jobs: BTreeMap::new(),
            batches: BTreeMap::new(),
            next: 0,
        }
    }

    /// Publishes paths, telling the steps.
    pub(super) fn publish(
        &mut self,
        request: PublishRequest,
        listener: mpsc::Sender<PublishStep>,
    ) -> Result<(), Refused> {
        if request.paths.is_empty() || request.paths.len() > MAX_PATHS {
            let reason = format!("name 1 to {MAX_PATHS} paths, not {}", request.paths.len());
            return Err(Refused::new(Why::Wrong, reason));
        }
        if let Some(path) = request.paths.iter().find(|path| !Path::new(path).is_absolute()) {
            return Err(Refused::new(Why::Wrong, format_args!("{} is no absolute path", text::line(path))));
        }
        let batch = self.number();
        let (open, deadline) = (request.paths.len(), Instant::now() + PATIENCE);
        let (ids, told) = (BTreeSet::new(), BTreeMap::new());
        self.batches.insert(batch, Batch { listener, open, failed: 0, ids, told, deadline });
        for path in request.paths {
            let (job, path) = (self.number(), PathBuf::from(path));
            let wish = Wish { path: path.clone(), title: request.title.clone(), tags: request.tags.clone() };
            self.jobs.insert(job, Job { batch, path, done: 0, total: 0 });
            self.common.library.publish(job, wish);
        }
        Ok(())
    }

    /// Puts what was fetched on the shelf; the transfer keeps its torrent.
    pub(super) fn adopt(&mut self, metainfo: Arc<throng_wire::metainfo::Metainfo>, root: &Path) {
        let job = self.number();
        self.common.library.adopt(job, metainfo, root, None);
    }

    /// Publishes a file that was fetched without a torrent.
    pub(super) fn share(&mut self, path: PathBuf) {
        let job = self.number();
        self.common.library.publish(job, Wish { path, ..Wish::default() });
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Takes a publication back, by id, the beginning of one, or path.
    pub(super) fn withdraw(&mut self, which: &str) -> Result<WithdrawAnswer, Refused> {
        let mut like = self.entries.keys().filter(|id| id.starts_with(which) && which.len() >= 4);
        let id = like.next().filter(|_| like.next().is_none()).copied();
        let which = id.as_deref().unwrap_or(which);
        let absent = || {
            let reason = format!("nothing published is called {}; see: throng status", text::line(which));
            Refused::new(Why::Absent, reason)
        };
        let publication = self.common.library.withdraw(which).ok_or_else(absent)?;
        if let Some(entry) = self.entries.remove(&publication.id) {
            self.take_down(entry, true);
        }
        Ok(WithdrawAnswer { id: publication.id.to_string(), title: publication.title().to_owned() })
    }

    /// Files are about to be deleted: takes back what is published of nothing else; its titles.
    pub(super) fn withdraw_deleted(&mut self, files: &BTreeSet<PathBuf>) -> Vec<String> {
        let gone = |publication: &Publication| {
            let mut of = publication.files.iter();
            !publication.files.is_empty() && of.all(|file| files.contains(&*file.path))
        };
        let all = self.entries.values().map(|entry| &entry.publication);
        let ids: Vec<Id> = all.filter(|it| gone(it)).map(|it| it.id).collect();
        ids.into_iter().filter_map(|id| self.withdraw(&id).ok()).map(|answer| answer.title).collect()
    }

    fn take_down(&mut self, entry: Entry, for_good: bool) {
        let folder = entry.shared.iter().filter_map(|shared| shared.folder.as_ref()).map(|folder| folder.0);
        for ticket in entry.tickets().chain(folder) {
            self.tickets.remove(&ticket);
            self.common.systems.iter().for_each(|system| system.command(Command::Withdraw(ticket)));
        }
        let (id, item) = (entry.publication.id, item_of(&entry.publication));
        self.index.remove(id, hashes(&entry.publication));
        self.open.remove(&id);
        self.called.remove(&id);
        if let Some(torrent) = entry.torrent.filter(|_| !entry.lent) {
            self.common.bittorrent.remove(&torrent);
        }
        if entry.rest == Rest::Asleep {
            self.common.bittorrent.forget(&item);
        }
        if for_good {
            record::remove(&self.common, &item);
        }
    }

    /// The library tells something. `lent` says whether a transfer has the same content, and its torrent if that is open.
    pub(super) fn on_told(
        &mut self,
        told: Told,
        lent: impl Fn(&Publication) -> Option<Option<TorrentHandle>>,
    ) -> Vec<String> {
        match told {
            Told::Hashing { job, path, done, total } => {
                if let Some(job) = self.jobs.get_mut(&job) {
                    (job.done, job.total) = (done, total);
                    let path = text::path(&path);
                    if let Some(batch) = self.batches.get(&job.batch) {
                        say(&batch.listener, PublishStep::Hashing { path, done, total });
                    }
                }
                Vec::new()
            }
            Told::Restored(publications) => {
                self.restore(publications, lent);
                Vec::new()
            }
            Told::Shelved { job, publication, torrent, skipped } => {
                let lent = lent(&publication);
                self.put_up(&publication, lent, torrent);
                if let Some(batch) = self.end_job(job) {
                    self.tell_published(batch, publication.id);
                }
                skipped
            }
            Told::Failed { job, path, error } => match self.end_job(job) {
                Some(batch) => {
                    if let Some(batch) = self.batches.get_mut(&batch) {
                        batch.failed += 1;
                        let (path, error) = (text::path(&path), text::line(&error));
                        say(&batch.listener, PublishStep::Failed { path, error });
                    }
                    Vec::new()
                }
                None => vec![error],
            },
            Told::Trouble { id, reason } => {
                let line =
                    reason.as_ref().map(|reason| format!("publication {id}: {reason}; not served now"));
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.trouble = reason.map(String::into_boxed_str);
                }
                line.into_iter().collect()
            }
        }
    }

    fn end_job(&mut self, job: u32) -> Option<u32> {
        let job = self.jobs.remove(&job)?;
        let batch = self.batches.get_mut(&job.batch)?;
        batch.open -= 1;
        batch.deadline = Instant::now() + PATIENCE;
        Some(job.batch)
    }

    fn tell_published(&mut self, batch: u32, id: Id) {
        let Some(report) = self.entries.get(&id).map(|entry| self.report(entry)) else { return };
        let Some(batch) = self.batches.get_mut(&batch) else { return };
        batch.ids.insert(id);
        say(&batch.listener, PublishStep::Published { publication: Box::new(report) });
    }

    /// A publication is there, or there in another version.
    fn put_up(&mut self, publication: &Arc<Publication>, lent: Option<Option<TorrentHandle>>, new: Torrent) {
        let old = self.entries.remove(&publication.id);
        let same = old.as_ref().is_some_and(|old| {
            let swarms = |it: &Publication| (it.v1, it.v2);
            swarms(&old.publication) == swarms(publication) && old.publication.root() == publication.root()
        });
        let (mut torrent, mut rest, mut rested) = (None, Rest::Awake, false);
        if let Some(mut old) = old {
            if same {
                // What changed is how it is called: its torrent goes on.
                torrent = old.torrent.take();
                rested = old.rest == Rest::Asleep;
                rest = if torrent.is_some() { old.rest } else { rest };
            }
            self.take_down(old, false);
        }
        let is_lent = lent.is_some();
        let mut entry = Entry::new(publication.clone(), lent.unwrap_or(torrent), is_lent);
        entry.rest = rest;
        self.offer_to_joined(&mut entry);
        self.index.insert(publication.id, hashes(publication));
        match (&entry.torrent, is_lent) {
            (Some(_), false) => _ = self.open.insert(publication.id, Idle::default()),
            (None, false) if rested => {
                let swarms = self.rest_from_the_start(&mut entry);
                self.common.bittorrent.listen_for(1, swarms.collect());
            }
            (None, false) => self.seed(publication, Some(new), false),
            (_, true) => {}
        }
        record::store(&self.common, || signed(publication));
        self.entries.insert(publication.id, entry);
    }

    fn offer_to_joined(&mut self, entry: &mut Entry) {
        let Shelf { common, tickets, .. } = self;
        if common.joined_systems().any(|system| system.name() != bittorrent::NAME) {
            make_offers(entry, (common, tickets));
            common.joined_systems().for_each(|system| entry.offer(system));
        }
    }

    /// Opens its torrent, which is new or is in the library, and may have rested.
    fn seed(&self, publication: &Arc<Publication>, new: Option<Torrent>, rested: bool) {
        if rested {
            self.common.bittorrent.end_rest();
        }
        let (library, swarms) = (self.common.library.clone(), Rc::clone(&self.common.bittorrent));
        let (publication, teller) = (publication.clone(), self.common.teller());
        spawn_local(async move {
            let id = publication.id;
            let known = match new {
                None => spawn_blocking(move || library.torrent(id)).await.ok().flatten(),
                new => new,
            };
            let result = match known {
                Some(torrent) => swarms.add(seeding(&publication, torrent)).await,
                None => Err(String::from("its files are not as they were published")),
            };
            let _ = teller.send(Happening::Seeded { id, result });
        });
    }

    pub(super) fn on_seeded(&mut self, id: Id, result: Result<TorrentHandle, String>) -> Option<String> {
        match (result, self.entries.get_mut(&id)) {
            (Ok(torrent), Some(entry)) if entry.torrent.is_none() => {
                (entry.torrent, entry.rest) = (Some(torrent), Rest::Awake);
                self.open.insert(id, Idle::default());
                None
            }
            (Ok(torrent), _) => {
                self.common.bittorrent.remove(&torrent);
                None
            }
            (Err(reason), entry) => {
                self.called.remove(&id);
                if let Some(entry) = entry {
                    entry.trouble = Some(reason.as_str().into());
                    if entry.rest == Rest::Waking {
                        let swarms = record::swarms(&item_of(&entry.publication));
                        self.common.bittorrent.session().forget(swarms.into_iter().collect());
                        entry.rest = Rest::Awake;
                    }
                }
                Some(format!("publication {id} cannot be seeded: {reason}"))
            }
        }
    }

    /// A system has let the node in: it is offered everything.
    pub(super) fn on_joined(&mut self, name: &str) {
        let Shelf { common, tickets, entries, .. } = self;
        let system = common.systems.iter().find(|system| system.name() == name);
        // Swarms are told of torrents.
        let Some(system) = system.filter(|system| system.name() != bittorrent::NAME) else { return };
        for entry in entries.values_mut() {
            if entry.shared.is_none() {
                make_offers(entry, (common, tickets));
            }
            entry.offer(system);
            if system.database().is_some() {
                record::store(common, || signed(&entry.publication));
            }
        }
    }

    /// A system says how far it is; false if the ticket is of no publication.
    pub(super) fn on_published(&mut self, system: &'static str, ticket: Ticket, at: u32, of: u32) -> bool {
        let entry = self.tickets.get(&ticket).and_then(|id| self.entries.get_mut(id));
        let Some(entry) = entry else { return false };
        let Some(shared) = &mut entry.shared else { return false };
        shared.spread.entry(system).or_default().insert(ticket, (at, of));
        true
    }

    /// Whether steps are due to be told.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.batches.is_empty()
    }

    /// Tells those who wait what has changed, and lets them go when there is nothing more to wait for.
    pub(super) fn tell(&mut self) {
        let numbers: Vec<u32> = self.batches.keys().copied().collect();
        for number in numbers {
            let Some(mut batch) = self.batches.remove(&number) else { continue };
            let mut settled = true;
            for id in &batch.ids {
                let Some(entry) = self.entries.get(id) else { continue };
                for (system, spread, done) in self.spreads(entry) {
                    settled &= done;
                    let key = (*id, system);
                    if batch.told.get(&key) != Some(&spread) {
                        batch.told.insert(key, spread.clone());
                        let (id, system) = (id.to_string(), system.to_owned());
                        say(&batch.listener, PublishStep::Spread { id, system, spread });
                    }
                }
            }
            let over = batch.open == 0 && (settled || Instant::now() >= batch.deadline);
            if !over && !batch.listener.is_closed() {
                self.batches.insert(number, batch);
            } else if let Ok(room) = batch.listener.try_reserve() {
                room.send(PublishStep::Done { failed: batch.failed });
            } else {
                // It reads slowly: told once it has read.
                spawn_local(async move {
                    let _ = batch.listener.send(PublishStep::Done { failed: batch.failed }).await;
                });
            }
        }
    }

    /// Whether an item is of something published here.
    pub(super) fn has(&self, item: &Item) -> bool {
        self.path_of(item).is_some()
    }

    /// Where it lies, if it is.
    pub(super) fn path_of(&self, item: &Item) -> Option<&Path> {
        let same = |entry: &&Entry| {
            let publication = &entry.publication;
            publication.files.iter().any(|file| item_of_file(publication, file).is_same_content(item))
                || (item.info_hash.is_some()
                    && item.root.is_none()
                    && swarm_of(publication) == item.info_hash)
        };
        let like = hashes_of_item(item).flat_map(|hash| self.index.perhaps(hash));
        like.filter_map(|id| self.entries.get(&id)).find(same).map(|entry| &*entry.publication.path)
    }
}

/// How a publication is seeded.
fn seeding(publication: &Publication, torrent: Torrent) -> AddRequest {
    AddRequest {
        map: Some(torrent.map),
        skip_check: true,
        read_only: true,
        options: throng_swarm::TorrentOptions { upload_only: true, ..Default::default() },
        ..AddRequest::new(Source::Metainfo(torrent.metainfo), publication.root())
    }
}

fn signed(publication: &Publication) -> Signed {
    Signed {
        item: item_of(publication),
        tags: publication.tags.to_vec(),
        files: u32::try_from(publication.files.len()).unwrap_or(u32::MAX),
        sequence: publication.sequence,
        time: unix_time(),
    }
}

/// Who reads too slowly for what is told twice a second misses some of it.
fn say(listener: &mpsc::Sender<PublishStep>, step: PublishStep) {
    let _ = listener.try_send(step);
}
