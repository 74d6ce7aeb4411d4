//! A file without a torrent: several sources at once, going on after a restart, verified by what is known of it.
//!
//! Of a file with a level of its tiger tree each block is checked when it is here, and who sent a wrong one is dropped.
//! With only a SHA-1 or the tree's root the whole is checked at the end; if it is wrong and several sources sent it, it
//! is fetched from one of them alone, until one is right: then those whose blocks differ are known to have lied.
//! With nothing to prove it the file is complete and said to be unverified.

use super::plan::Plan;
use super::store::Store;
use super::{RangeError, RangeSource};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use throng_wire::gnutella::tiger;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{LocalSet, spawn_local};

/// Blocks of a file whose tree is not known.
const BLOCK: u64 = 256 << 10;
/// How often the state is told, and every how many of them it is written down.
const TICK: Duration = Duration::from_millis(500);
const TICKS_PER_SAVE: u32 = 6;
/// A source that fails so often without a byte between is given up.
const MAX_FAILURES: u32 = 8;
/// Pauses after failures: they double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(300);
/// A source that sends nothing for so long while it is to is asked anew.
const SILENCE: Duration = Duration::from_secs(30);
/// Parts of a range on their way.
const UNDER_WAY: usize = 4;
/// Sources of one file; lines kept for people.
const MAX_SOURCES: usize = 256;
const MAX_NOTICES: usize = 32;

/// What is to be fetched, and what is known that could prove it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlainWish {
    /// Bytes.
    pub size: u64,
    /// SHA-1 of the whole.
    pub sha1: Option<[u8; 20]>,
    /// Root of the tiger tree.
    pub tiger: Option<[u8; 24]>,
    /// A level of it, from the first bytes to the last; used if it leads to the root. Empty if not known.
    pub tiger_level: Vec<[u8; 24]>,
    /// FTHash: weak, since it covers parts only.
    pub ft_hash: Option<[u8; 20]>,
}

/// How a file was found to be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlainProof {
    /// By its tiger tree.
    TigerTree,
    /// By SHA-1 of the whole.
    Sha1,
    /// By FTHash alone.
    FtHash,
    /// Not at all: nothing was known.
    Unverified,
}

/// What it is doing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum PlainState {
    /// Bytes come, or are waited for.
    #[default]
    Fetching,
    /// All is here and being checked.
    Checking,
    /// It is here.
    Complete(PlainProof, PathBuf),
    /// It was stopped.
    Paused,
    /// It cannot go on; why, for people.
    Failed(String),
}

/// A source as a person wants to see it.
pub use crate::session::SourceReport as PlainSource;

/// How it stands.
#[derive(Clone, Debug, Default)]
pub struct PlainSnapshot {
    /// What it is doing.
    pub state: PlainState,
    /// Bytes here.
    pub done: u64,
    /// Bytes received in this run.
    pub downloaded: u64,
    /// Bytes a second, over all sources.
    pub rate: u64,
    /// Bytes that were wrong or came twice.
    pub wasted: u64,
    /// Sources, dropped ones included.
    pub sources: Vec<PlainSource>,
    /// Lines a person should know, the oldest first.
    pub notices: Vec<String>,
}

/// A download under way; it ends with the last handle, and goes on from there when it is started again.
#[derive(Clone, Debug)]
pub struct PlainDownload {
    orders: UnboundedSender<Order>,
    snapshots: watch::Receiver<PlainSnapshot>,
}

enum Order {
    Source(Box<dyn RangeSource>),
    Run(bool),
}

enum News {
    Data(u32, Bytes, oneshot::Sender<()>),
    Ended(u32, u64, Result<(), RangeError>),
    Ready(u32),
}

struct Entry {
    name: String,
    runs: Option<UnboundedSender<(Range<u64>, watch::Receiver<u64>)>>,
    limit: Option<watch::Sender<u64>>,
    ready: bool,
    failures: u32,
    trouble: Option<String>,
    heard: Instant,
}

impl PlainDownload {
    /// Begins, or goes on, on a thread of its own; the file gets a safe form of `name` in `folder`.
    pub fn start(wish: PlainWish, folder: &Path, name: &str, running: bool) -> io::Result<PlainDownload> {
        let (orders, inbox) = unbounded_channel();
        let (publish, snapshots) = watch::channel(PlainSnapshot::default());
        let (folder, name) = (folder.to_owned(), name.to_owned());
        std::thread::Builder::new().name("throng-fetch".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            let work = async {
                match Work::open(wish, (&folder, &name), publish.clone()) {
                    Ok(mut work) => {
                        work.running = running;
                        work.run(inbox).await;
                    }
                    Err(error) => {
                        let reason = format!("cannot write in {}: {error}", folder.display());
                        publish.send_modify(|snapshot| snapshot.state = PlainState::Failed(reason));
                    }
                }
            };
            LocalSet::new().block_on(&runtime, work);
            runtime.shutdown_background();
        })?;
        Ok(PlainDownload { orders, snapshots })
    }

    /// Uses one more source.
    pub fn add_source(&self, source: Box<dyn RangeSource>) {
        let _ = self.orders.send(Order::Source(source));
    }

    /// Stops or continues.
    pub fn run(&self, run: bool) {
        let _ = self.orders.send(Order::Run(run));
    }

    /// How it stands now.
    pub fn snapshot(&self) -> PlainSnapshot {
        self.snapshots.borrow().clone()
    }

    /// Snapshots as they come.
    pub fn snapshots(&self) -> watch::Receiver<PlainSnapshot> {
        self.snapshots.clone()
    }
}

struct Work {
    wish: PlainWish,
    plan: Plan,
    store: Store,
    /// Whether blocks can be checked one by one.
    by_block: bool,
    entries: BTreeMap<u32, Entry>,
    next: u32,
    /// Only this source is asked, to find out who lies.
    alone: Option<u32>,
    /// Digests of blocks of a wrong file, and who sent them.
    suspects: BTreeMap<usize, (u32, [u8; 24])>,
    running: bool,
    began: Instant,
    publish: watch::Sender<PlainSnapshot>,
    snapshot: PlainSnapshot,
    news: UnboundedSender<News>,
    inbox: Option<UnboundedReceiver<News>>,
}

impl Work {
    fn open(
        wish: PlainWish,
        (folder, name): (&Path, &str),
        publish: watch::Sender<PlainSnapshot>,
    ) -> io::Result<Work> {
        let count = wish.tiger_level.len() as u64;
        let whole = wish.size.div_ceil(tiger::LEAF as u64).max(1);
        let block = whole.div_ceil(count.max(1)).next_power_of_two() * tiger::LEAF as u64;
        let by_block = count > 0
            && wish.size.div_ceil(block).max(1) == count
            && Some(tiger::root(&wish.tiger_level)) == wish.tiger;
        let block = if by_block { block } else { BLOCK };
        let mut plan = Plan::new(wish.size, block);
        let store = Store::open(&wish, folder, name, plan.len())?;
        store.have().into_iter().for_each(|block| plan.set_here(block));
        let (news, inbox) = unbounded_channel();
        Ok(Work {
            wish,
            plan,
            store,
            by_block,
            entries: BTreeMap::new(),
            next: 0,
            alone: None,
            suspects: BTreeMap::new(),
            running: true,
            began: Instant::now(),
            publish,
            snapshot: PlainSnapshot::default(),
            news,
            inbox: Some(inbox),
        })
    }

    async fn run(&mut self, mut orders: UnboundedReceiver<Order>) {
        let Some(mut inbox) = self.inbox.take() else { return };
        let mut ticks = tokio::time::interval(TICK);
        let mut count = 0u32;
        loop {
            if self.plan.is_complete() && self.running && self.finish() {
                return self.tell();
            }
            self.fill();
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Source(source)) => self.add(source),
                    Some(Order::Run(run)) => self.set_running(run),
                    // Nobody wants it any more.
                    None => return self.save(),
                },
                Some(news) = inbox.recv() => if let Err(error) = self.on_news(news) {
                    self.notice(format!("cannot write: {error}; tried again"));
                    tokio::time::sleep(FIRST_PAUSE).await;
                },
                _ = ticks.tick() => {
                    count = count.wrapping_add(1);
                    if count.is_multiple_of(TICKS_PER_SAVE) {
                        self.save();
                    }
                    self.drop_silent();
                    self.tell();
                }
            }
        }
    }

    fn add(&mut self, mut source: Box<dyn RangeSource>) {
        let name = source.name();
        let known = self.entries.values().any(|entry| entry.name == name && entry.runs.is_some());
        if known || self.entries.len() >= MAX_SOURCES {
            return;
        }
        let id = self.next;
        self.next += 1;
        let (runs, mut orders) = unbounded_channel::<(Range<u64>, watch::Receiver<u64>)>();
        let (limit, failures, trouble, heard) = (None, 0, None, Instant::now());
        self.entries
            .insert(id, Entry { name, runs: Some(runs), limit, ready: true, failures, trouble, heard });
        let news = self.news.clone();
        spawn_local(async move {
            while let Some((range, limit)) = orders.recv().await {
                let (came, outcome) = carry_out(id, source.as_mut(), (range, limit), &news).await;
                if news.send(News::Ended(id, came, outcome)).is_err() {
                    return;
                }
            }
        });
    }

    fn set_running(&mut self, run: bool) {
        self.running = run;
        if !run {
            self.entries
                .values()
                .filter_map(|entry| entry.limit.as_ref())
                .for_each(|limit| _ = limit.send(0));
            self.save();
        }
        self.tell();
    }

    /// Asks every source that waits.
    fn fill(&mut self) {
        if !self.running || self.plan.is_complete() {
            return;
        }
        let idle: Vec<u32> = self
            .entries
            .iter()
            .filter(|(id, entry)| {
                entry.ready
                    && entry.limit.is_none()
                    && entry.runs.is_some()
                    && self.alone.is_none_or(|alone| alone == **id)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in idle {
            let Some(choice) = self.plan.choose(id, self.began.elapsed()) else { continue };
            if let Some((other, end)) = choice.shorten
                && let Some(limit) = self.entries.get(&other).and_then(|entry| entry.limit.as_ref())
            {
                limit.send_replace(end);
            }
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let (limit, receiver) = watch::channel(choice.range.end);
            (entry.limit, entry.heard) = (Some(limit), Instant::now());
            if let Some(runs) = &entry.runs {
                // Its task ends with the sender.
                let _ = runs.send((choice.range, receiver));
            }
        }
    }

    fn on_news(&mut self, news: News) -> io::Result<()> {
        match news {
            News::Data(id, bytes, go) => {
                let result = self.on_data(id, &bytes);
                // It may have been stopped meanwhile.
                let _ = go.send(());
                result
            }
            News::Ended(id, came, outcome) => {
                self.on_ended(id, came, outcome);
                Ok(())
            }
            News::Ready(id) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.ready = true;
                }
                Ok(())
            }
        }
    }

    fn on_data(&mut self, id: u32, bytes: &[u8]) -> io::Result<()> {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.heard = Instant::now();
        }
        let (range, whole) = self.plan.received(id, bytes.len() as u64, self.began.elapsed());
        let used = (range.end - range.start) as usize;
        self.snapshot.downloaded += bytes.len() as u64;
        self.snapshot.wasted += (bytes.len() - used) as u64;
        let written = bytes.get(..used).map_or(Ok(()), |part| self.store.write(range.start, part));
        if let Err(error) = written {
            whole.iter().for_each(|block| self.plan.forget(*block));
            return Err(error);
        }
        for block in whole {
            if self.by_block && !self.is_right(block)? {
                self.plan.forget(block);
                let range = self.plan.range(block);
                self.snapshot.wasted += range.end - range.start;
                self.drop_liar(id);
            }
        }
        Ok(())
    }

    fn is_right(&self, block: usize) -> io::Result<bool> {
        Ok(self.wish.tiger_level.get(block) == Some(&self.digest(block)?))
    }

    /// The root of the tiger tree over a block.
    fn digest(&self, block: usize) -> io::Result<[u8; 24]> {
        let range = self.plan.range(block);
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.store.read(range.start, &mut bytes)?;
        let leaves: Vec<_> = bytes.chunks(tiger::LEAF).map(tiger::leaf).collect();
        Ok(tiger::root(&leaves))
    }

    fn drop_liar(&mut self, id: u32) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.runs.is_some()) else { return };
        (entry.runs, entry.limit) = (None, None);
        entry.trouble = Some("sent wrong data".into());
        let line = format!("{} sent wrong data and was shut out", entry.name);
        self.plan.give_back(id);
        self.notice(line);
    }

    fn on_ended(&mut self, id: u32, came: u64, outcome: Result<(), RangeError>) {
        self.plan.give_back(id);
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.runs.is_some()) else { return };
        entry.limit = None;
        entry.failures = if came > 0 { 0 } else { entry.failures };
        let pause = match outcome {
            Ok(()) => return entry.trouble = None,
            Err(RangeError::Busy { retry_after, position }) => {
                let place = position.map_or(String::new(), |place| format!(", we are number {place}"));
                entry.trouble = Some(format!("busy{place}"));
                Some(retry_after.clamp(FIRST_PAUSE, LAST_PAUSE))
            }
            Err(RangeError::Gone(reason)) => {
                entry.trouble = Some(reason);
                None
            }
            Err(error) => {
                entry.trouble = Some(error.to_string());
                entry.failures += 1;
                let pause = FIRST_PAUSE.saturating_mul(1 << entry.failures.min(16)) / 2;
                (entry.failures < MAX_FAILURES).then_some(pause.min(LAST_PAUSE))
            }
        };
        let Some(pause) = pause else {
            let line = format!("{}: {}", entry.name, entry.trouble.as_deref().unwrap_or("gone"));
            entry.runs = None;
            if self.alone == Some(id) {
                self.alone = None;
            }
            return self.notice(line);
        };
        entry.ready = false;
        let news = self.news.clone();
        spawn_local(async move {
            tokio::time::sleep(pause).await;
            let _ = news.send(News::Ready(id));
        });
    }

    /// A source that says nothing holds nothing up.
    fn drop_silent(&mut self) {
        for entry in self.entries.values_mut() {
            if entry.heard.elapsed() > SILENCE
                && let Some(limit) = &entry.limit
            {
                limit.send_replace(0);
                entry.trouble = Some("it has gone silent".into());
            }
        }
    }

    /// All is here: whether it is right, or cannot be known. False if it has to be fetched again.
    fn finish(&mut self) -> bool {
        self.snapshot.state = PlainState::Checking;
        self.tell();
        match self.store.proof(&self.wish) {
            Ok(Some(proof)) => {
                self.name_liars();
                match self.store.complete() {
                    Ok(path) => self.snapshot.state = PlainState::Complete(proof, path),
                    Err(error) => {
                        self.snapshot.state =
                            PlainState::Failed(format!("cannot give the file its name: {error}"));
                    }
                }
                true
            }
            Ok(None) => {
                self.on_wrong();
                false
            }
            Err(error) => {
                self.snapshot.state = PlainState::Failed(format!("cannot be read: {error}"));
                true
            }
        }
    }

    /// The whole is wrong.
    fn on_wrong(&mut self) {
        self.snapshot.wasted += self.wish.size;
        self.snapshot.state = PlainState::Fetching;
        let senders = self.plan.senders();
        if let ([only], _) | (_, Some(only)) = (senders.as_slice(), self.alone.as_ref()) {
            let only = *only;
            self.drop_liar(only);
            self.alone = None;
            self.plan.forget_all_but(u32::MAX);
            return self.choose_alone(&senders);
        }
        if senders.is_empty() {
            self.notice("what was here from an earlier run is wrong; fetched again".into());
        } else {
            self.notice(
                "the file is wrong as a whole; fetched again from one source at a time to find who lies"
                    .into(),
            );
        }
        for block in 0..self.plan.len() {
            if let (Some(by), Ok(digest)) = (self.plan.sender(block), self.digest(block)) {
                self.suspects.insert(block, (by, digest));
            }
        }
        self.choose_alone(&senders);
        self.plan.forget_all_but(self.alone.unwrap_or(u32::MAX));
    }

    /// The source that sent most is tried alone.
    fn choose_alone(&mut self, senders: &[u32]) {
        let live = |id: &&u32| self.entries.get(id).is_some_and(|entry| entry.runs.is_some());
        let best = senders.iter().filter(live).max_by_key(|id| self.plan.total(**id));
        self.alone = best.copied().filter(|_| senders.len() > 1);
    }

    /// The file is right: whose blocks were not?
    fn name_liars(&mut self) {
        let suspects = std::mem::take(&mut self.suspects);
        let wrong = suspects
            .iter()
            .filter(|(block, (_, digest))| self.digest(**block).is_ok_and(|right| right != *digest));
        let mut liars: Vec<u32> = wrong.map(|(_, (by, _))| *by).collect();
        liars.sort_unstable();
        liars.dedup();
        liars.into_iter().for_each(|liar| self.drop_liar(liar));
    }

    fn save(&mut self) {
        let here: Vec<usize> = (0..self.plan.len()).filter(|block| self.plan.is_here(*block)).collect();
        if let Err(error) = self.store.save(&here) {
            self.notice(format!("how far it is could not be written down: {error}"));
        }
    }

    fn notice(&mut self, line: String) {
        if self.snapshot.notices.contains(&line) {
            return;
        }
        if self.snapshot.notices.len() >= MAX_NOTICES {
            self.snapshot.notices.remove(0);
        }
        self.snapshot.notices.push(line);
    }

    fn tell(&mut self) {
        let over = matches!(self.snapshot.state, PlainState::Complete(..) | PlainState::Failed(_));
        if !over && self.snapshot.state != PlainState::Checking {
            self.snapshot.state = if self.running { PlainState::Fetching } else { PlainState::Paused };
        }
        self.snapshot.done = self.plan.done();
        let reports = self.entries.iter().map(|(id, entry)| PlainSource {
            name: entry.name.clone(),
            downloaded: self.plan.total(*id),
            download_rate: if entry.limit.is_some() { self.plan.rate(*id) } else { 0 },
            trouble: entry.trouble.clone(),
            dropped: entry.runs.is_none(),
        });
        self.snapshot.sources = reports.collect();
        self.snapshot.rate = self.snapshot.sources.iter().map(|source| source.download_rate).sum();
        self.publish.send_replace(self.snapshot.clone());
    }
}

/// Fetches a run, or as much of it as is still wanted.
async fn carry_out(
    id: u32,
    source: &mut dyn RangeSource,
    (range, mut limit): (Range<u64>, watch::Receiver<u64>),
    news: &UnboundedSender<News>,
) -> (u64, Result<(), RangeError>) {
    let (mut at, end) = (range.start, range.end);
    let start = at;
    let (into, mut parts) = mpsc::channel(UNDER_WAY);
    let mut fetching = source.fetch(range, into);
    let mut outcome = None;
    loop {
        if at >= *limit.borrow() {
            return (at - start, Ok(()));
        }
        tokio::select! {
            biased;
            part = parts.recv() => match part {
                Some(part) => {
                    at += part.len() as u64;
                    let (go, wait) = oneshot::channel();
                    let _ = news.send(News::Data(id, part, go));
                    // Dropped without a word: nobody wants more.
                    if wait.await.is_err() {
                        return (at - start, Ok(()));
                    }
                }
                None if outcome.is_some() => break,
                None => outcome = Some(fetching.as_mut().await),
            },
            done = &mut fetching, if outcome.is_none() => outcome = Some(done),
            changed = limit.changed() => if changed.is_err() {
                return (at - start, Ok(()));
            },
        }
    }
    match outcome {
        Some(Ok(())) if at < end => (at - start, Err(RangeError::Broken("it ended in the middle".into()))),
        Some(outcome) => (at - start, outcome),
        None => (at - start, Ok(())),
    }
}
