//! The work of a download: sources are asked for what is missing, and what they send is kept.

use super::super::patience::{FIRST_PAUSE, Next, Patience};
use super::super::plan::Plan;
use super::super::store::Store;
use super::super::{RangeError, RangeSource};
use super::carry::{News, carry_out};
use super::{Order, PlainSnapshot, PlainSource, PlainState, PlainWish, tree};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};
use throng_wire::gnutella::tiger;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::spawn_local;

/// Blocks of a file whose tree is not known.
const BLOCK: u64 = 256 << 10;
/// How often the state is told, and every how many of them it is written down.
const TICK: Duration = Duration::from_millis(500);
const TICKS_PER_SAVE: u32 = 6;
/// A source that has nothing of what is missing may have more after this.
const GROWS: Duration = Duration::from_secs(10);
/// A source that sends nothing for so long while it is to is asked anew.
const SILENCE: Duration = Duration::from_secs(30);
/// Sources of one file; lines kept for people.
const MAX_SOURCES: usize = 256;
const MAX_NOTICES: usize = 32;

/// A source.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) runs: Option<UnboundedSender<(Range<u64>, watch::Receiver<u64>)>>,
    pub(super) limit: Option<watch::Sender<u64>>,
    pub(super) ready: bool,
    pub(super) patience: Patience,
    pub(super) heard: Instant,
}

/// A download under way.
pub(super) struct Work {
    pub(super) wish: PlainWish,
    pub(super) plan: Plan,
    pub(super) store: Store,
    /// Whether blocks can be checked one by one.
    pub(super) by_block: bool,
    pub(super) entries: BTreeMap<u32, Entry>,
    pub(super) next: u32,
    /// Only this source is asked, to find out who lies.
    pub(super) alone: Option<u32>,
    /// Digests of blocks of a wrong file, and who sent them.
    pub(super) suspects: BTreeMap<usize, (u32, [u8; 24])>,
    pub(super) running: bool,
    pub(super) began: Instant,
    pub(super) publish: watch::Sender<PlainSnapshot>,
    pub(super) snapshot: PlainSnapshot,
    pub(super) news: UnboundedSender<News>,
    pub(super) inbox: Option<UnboundedReceiver<News>>,
}

impl Work {
    pub(super) fn open(
        mut wish: PlainWish,
        (folder, name): (&Path, &str),
        publish: watch::Sender<PlainSnapshot>,
    ) -> io::Result<Work> {
        if let Some(level) = tree::known(&wish, folder, name)? {
            wish.tiger_level = level;
        }
        let count = wish.tiger_level.len() as u64;
        let whole = wish.size.div_ceil(tiger::LEAF as u64).max(1);
        let block = whole.div_ceil(count.max(1)).next_power_of_two() * tiger::LEAF as u64;
        let by_block = count > 0
            && wish.size.div_ceil(block).max(1) == count
            && Some(tiger::root(&wish.tiger_level)) == wish.tiger;
        let block = if by_block { block } else { BLOCK };
        let mut plan = Plan::new(wish.size, block);
        let store = Store::open(&wish, folder, name, plan.len())?;
        let have = store.have();
        have.iter().for_each(|block| plan.set_here(*block));
        let (news, inbox) = unbounded_channel();
        let path = store.path().to_owned();
        let mut work = Work {
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
            snapshot: PlainSnapshot { path, ..PlainSnapshot::default() },
            news,
            inbox: Some(inbox),
        };
        // It may have been kept when nothing could be checked.
        for block in have.into_iter().filter(|_| by_block) {
            if !work.is_right(block)? {
                work.plan.forget(block);
            }
        }
        Ok(work)
    }

    pub(super) async fn run(&mut self, mut orders: UnboundedReceiver<Order>) {
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
        let (limit, patience, heard) = (None, Patience::default(), Instant::now());
        self.entries.insert(id, Entry { name, runs: Some(runs), limit, ready: true, patience, heard });
        let news = self.news.clone();
        spawn_local(async move {
            while let Some((range, limit)) = orders.recv().await {
                let (came, outcome) = carry_out(id, source.as_mut(), (range, limit), &news).await;
                _ = news.send(News::Said(id, source.said()));
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
            let Some(choice) = self.plan.choose(id, self.began.elapsed()) else {
                if self.plan.is_partial(id) {
                    self.pause(id, GROWS, true);
                }
                continue;
            };
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
            News::Said(id, said) => {
                self.plan.set_parts(id, said.parts);
                let known = &mut self.snapshot.others;
                for other in said.others {
                    if known.len() < MAX_SOURCES && !known.contains(&other) {
                        known.push(other);
                    }
                }
                Ok(())
            }
            News::Ready(id, anew) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.ready = true;
                }
                if anew {
                    self.plan.set_parts(id, None);
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

    fn on_ended(&mut self, id: u32, came: u64, outcome: Result<(), RangeError>) {
        self.plan.give_back(id);
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.runs.is_some()) else { return };
        entry.limit = None;
        // It has said what it has: that is what it is asked for next.
        let grows = matches!(outcome, Err(RangeError::NotThere)) && self.plan.is_partial(id);
        let next = if grows { entry.patience.on_grows(came) } else { entry.patience.on_ended(came, outcome) };
        match next {
            Next::Ready => {}
            Next::Pause(pause) => self.pause(id, pause, false),
            Next::GiveUp => {
                let line = format!("{}: {}", entry.name, entry.patience.trouble.as_deref().unwrap_or("gone"));
                entry.runs = None;
                if self.alone == Some(id) {
                    self.alone = None;
                }
                self.notice(line);
            }
        }
    }

    /// A source is asked again after a while; then also for what it said it does not have, if `anew`.
    fn pause(&mut self, id: u32, pause: Duration, anew: bool) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.ready = false;
        let news = self.news.clone();
        spawn_local(async move {
            tokio::time::sleep(pause).await;
            let _ = news.send(News::Ready(id, anew));
        });
    }

    /// A source that says nothing holds nothing up.
    fn drop_silent(&mut self) {
        for entry in self.entries.values_mut() {
            if entry.heard.elapsed() > SILENCE
                && let Some(limit) = &entry.limit
            {
                limit.send_replace(0);
                entry.patience.trouble = Some("it has gone silent".into());
            }
        }
    }

    fn save(&mut self) {
        let here: Vec<usize> = (0..self.plan.len()).filter(|block| self.plan.is_here(*block)).collect();
        if let Err(error) = self.store.save(&here) {
            self.notice(format!("how far it is could not be written down: {error}"));
        }
    }

    pub(super) fn notice(&mut self, line: String) {
        if self.snapshot.notices.contains(&line) {
            return;
        }
        if self.snapshot.notices.len() >= MAX_NOTICES {
            self.snapshot.notices.remove(0);
        }
        self.snapshot.notices.push(line);
    }

    pub(super) fn tell(&mut self) {
        let over = matches!(self.snapshot.state, PlainState::Complete(..) | PlainState::Failed(_));
        if !over && self.snapshot.state != PlainState::Checking {
            self.snapshot.state = if self.running { PlainState::Fetching } else { PlainState::Paused };
        }
        self.snapshot.done = self.plan.done();
        self.snapshot.checked = if self.by_block { self.plan.here() } else { Vec::new() };
        let reports = self.entries.iter().map(|(id, entry)| PlainSource {
            name: entry.name.clone(),
            downloaded: self.plan.total(*id),
            download_rate: if entry.limit.is_some() { self.plan.rate(*id) } else { 0 },
            trouble: entry.patience.trouble.clone(),
            dropped: entry.runs.is_none(),
        });
        self.snapshot.sources = reports.collect();
        self.snapshot.rate = self.snapshot.sources.iter().map(|source| source.download_rate).sum();
        self.publish.send_replace(self.snapshot.clone());
    }
}
