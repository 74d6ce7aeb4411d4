//! Sources outside BitTorrent: web seeds and what other systems found. The swarm says which runs of pieces to fetch;
//! here each source has a task that fetches them and hands the bytes to the machine.

use super::content::Stage;
use super::glue::Glue;
use super::request::Note;
use super::snapshot::SourceReport;
use crate::fetch::patience::{Next, Patience};
use crate::fetch::{RangeError, RangeSource, Ranging};
use crate::net::socket;
use crate::storage::{FileMap, Storage};
use crate::web::WebSeed;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::ContentId;
use throng_swarm::{Command, SourceId, SourceStatus};
use throng_wire::metainfo::Layout;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_local;

/// Sources of a torrent, those dropped included; more are not taken.
const MAX_SOURCES: usize = 256;
/// Parts of a range on their way from a source to the machine.
const UNDER_WAY: usize = 4;
/// Padding and gaps are handed on in parts of this.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Which file of a torrent a source has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileOf {
    /// The one of that number in the torrent.
    Index(usize),
    /// The one with that root (BEP 52).
    Root([u8; 32]),
    /// The only one with that many bytes.
    Length(u64),
    /// The one with that root, where one has it; else the only one with that many bytes.
    Like([u8; 32], u64),
}

/// What web servers are asked with.
pub(super) struct Web {
    pub(super) from: socket::Source,
    pub(super) user_agent: String,
}

/// When the next bytes of a source may come.
pub(super) struct Go {
    pub(super) pause: Duration,
}

/// How a run ended.
pub(super) struct Ended {
    /// Bytes that came.
    came: u64,
    outcome: Result<(), RangeError>,
}

/// The sources of one torrent.
#[derive(Default)]
pub(super) struct Sources {
    entries: BTreeMap<SourceId, Entry>,
    /// Those that came before the torrent was ready for them.
    waiting: Vec<(FileOf, Box<dyn RangeSource>)>,
    next: u32,
}

struct Entry {
    name: String,
    /// Runs to be fetched; none once it was dropped.
    runs: Option<UnboundedSender<Run>>,
    /// Where the run under way is to end.
    limit: Option<watch::Sender<u64>>,
    patience: Patience,
}

/// A run of the piece space, and where it is to end after all.
struct Run {
    space: Range<u64>,
    limit: watch::Receiver<u64>,
}

impl Sources {
    /// How they stand.
    pub(super) fn reports(&self, statuses: &[SourceStatus]) -> Vec<SourceReport> {
        let of = |id: &SourceId| statuses.iter().find(|status| status.source == *id);
        let report = |(id, entry): (&SourceId, &Entry)| SourceReport {
            name: entry.name.clone(),
            downloaded: of(id).map_or(0, |status| status.downloaded),
            download_rate: of(id).map_or(0, |status| status.download_rate),
            trouble: entry.patience.trouble.clone(),
            dropped: entry.runs.is_none(),
        };
        self.entries.iter().map(report).collect()
    }
}

/// A source as its task sees it: of one file, or of all.
enum Supply {
    File(usize, Box<dyn RangeSource>),
    Web(WebSeed),
}

impl Supply {
    fn fetch(&mut self, file: usize, range: Range<u64>, into: mpsc::Sender<Bytes>) -> Ranging<'_> {
        match self {
            Supply::File(own, source) if *own == file => source.fetch(range, into),
            Supply::File(..) => Box::pin(async { Err(RangeError::NotThere) }),
            Supply::Web(seed) => seed.fetch(file, range, into),
        }
    }
}

impl Glue {
    /// The torrent takes part: its web seeds and those that waited may send.
    pub(super) fn begin_sources(&mut self, content: ContentId, commands: &mut Vec<Command>) {
        let Some(of) = self.contents.get_mut(&content).filter(|of| of.plan.writes()) else { return };
        let Some(storage) = of.storage.clone() else { return };
        let metainfo = storage.metainfo();
        let urls = metainfo.web_seeds.iter().chain(&of.plan.web_seeds);
        let seeds: Vec<WebSeed> = urls
            .filter_map(|url| WebSeed::new(url, &metainfo.info, self.web.from, &self.web.user_agent))
            .collect();
        for source in std::mem::take(&mut of.sources.waiting) {
            self.on_add_source(content, source, commands);
        }
        for seed in seeds {
            let (name, pieces) = (seed.name(), 0..storage.piece_count());
            self.start_source((content, &storage), (name, Supply::Web(seed)), pieces, commands);
        }
    }

    pub(super) fn on_add_source(
        &mut self,
        content: ContentId,
        (file, source): (FileOf, Box<dyn RangeSource>),
        commands: &mut Vec<Command>,
    ) {
        let Some(of) = self.contents.get_mut(&content) else { return };
        let Some(storage) = of.storage.clone().filter(|_| matches!(of.stage, Stage::Running)) else {
            if of.sources.waiting.len() < MAX_SOURCES {
                of.sources.waiting.push((file, source));
            }
            return;
        };
        let name = source.name();
        let Some(index) = find(storage.metainfo().info.layout(), file) else {
            return self.notice(content, format!("{name} has another file: not used"));
        };
        let pieces = within(storage.files().map(), index);
        self.start_source((content, &storage), (name, Supply::File(index, source)), pieces, commands);
    }

    fn start_source(
        &mut self,
        (content, storage): (ContentId, &Arc<Storage>),
        (name, supply): (String, Supply),
        pieces: Range<u32>,
        commands: &mut Vec<Command>,
    ) {
        let Some(of) = self.contents.get_mut(&content) else { return };
        let known = of.sources.entries.values().any(|entry| entry.name == name && entry.runs.is_some());
        if known || pieces.is_empty() || of.sources.entries.len() >= MAX_SOURCES {
            return;
        }
        let id = SourceId(of.sources.next);
        of.sources.next += 1;
        let (runs, orders) = mpsc::unbounded_channel();
        let entry = Entry { name, runs: Some(runs), limit: None, patience: Patience::default() };
        of.sources.entries.insert(id, entry);
        spawn_local(work((content, id), supply, storage.clone(), (orders, self.notes.clone())));
        commands.push(Command::AddSource(content, id, pieces));
    }

    pub(super) fn on_fetch(&mut self, content: ContentId, source: SourceId, space: Range<u64>) {
        let Some(entry) = self.entry(content, source) else { return };
        let (limit, receiver) = watch::channel(space.end);
        entry.limit = Some(limit);
        if let Some(runs) = &entry.runs {
            // Its task ends with the sender.
            let _ = runs.send(Run { space, limit: receiver });
        }
    }

    pub(super) fn on_fetch_less(&mut self, content: ContentId, source: SourceId, end: u64) {
        if let Some(limit) = self.entry(content, source).and_then(|entry| entry.limit.as_ref()) {
            limit.send_replace(end);
        }
    }

    pub(super) fn on_source_shut_out(&mut self, content: ContentId, source: SourceId) {
        let Some(entry) = self.entry(content, source) else { return };
        (entry.runs, entry.limit) = (None, None);
        entry.patience.trouble = Some("sent wrong data".into());
        let line = format!("{} sent wrong data and was shut out", entry.name);
        self.notice(content, line);
    }

    /// Asked again at once, after a pause, or never.
    pub(super) fn on_source_ended(
        &mut self,
        (content, source): (ContentId, SourceId),
        ended: Ended,
        commands: &mut Vec<Command>,
    ) {
        let notes = self.notes.clone();
        let Some(entry) = self.entry(content, source).filter(|entry| entry.runs.is_some()) else { return };
        entry.limit = None;
        let pause = match entry.patience.on_ended(ended.came, ended.outcome) {
            Next::Ready => return commands.push(Command::SourceReady(content, source)),
            Next::Pause(pause) => pause,
            Next::GiveUp => {
                let line = format!("{}: {}", entry.name, entry.patience.trouble.as_deref().unwrap_or("gone"));
                entry.runs = None;
                commands.push(Command::RemoveSource(content, source));
                return self.notice(content, line);
            }
        };
        commands.push(Command::SourceFailed(content, source));
        spawn_local(async move {
            tokio::time::sleep(pause).await;
            let _ = notes.send(Note::SourceReady(content, source));
        });
    }

    fn entry(&mut self, content: ContentId, source: SourceId) -> Option<&mut Entry> {
        self.contents.get_mut(&content)?.sources.entries.get_mut(&source)
    }
}

/// The file that is meant.
fn find(layout: &Layout, file: FileOf) -> Option<usize> {
    let files = || layout.files().iter().enumerate().filter(|(_, file)| !file.attributes.padding);
    match file {
        FileOf::Index(index) => files().find(|(at, _)| *at == index).map(|(at, _)| at),
        FileOf::Root(root) => files().find(|(_, file)| file.pieces_root == Some(root)).map(|(at, _)| at),
        FileOf::Like(root, length) => {
            find(layout, FileOf::Root(root)).or_else(|| find(layout, FileOf::Length(length)))
        }
        FileOf::Length(length) => {
            let mut found = files().filter(|(_, file)| file.length == length);
            found.next().filter(|_| found.next().is_none()).map(|(at, _)| at)
        }
    }
}

/// The pieces with bytes of that file and of no other.
fn within(map: &FileMap, file: usize) -> Range<u32> {
    let mut pieces = map.layout().piece_range(file);
    let own = |piece: u32| {
        let range = map.piece_range(piece);
        map.spans(range.start, range.end - range.start).all(|span| span.file.is_none_or(|at| at == file))
    };
    while !pieces.is_empty() && !own(pieces.start) {
        pieces.start += 1;
    }
    while !pieces.is_empty() && !own(pieces.end - 1) {
        pieces.end -= 1;
    }
    pieces
}

/// A source's task: one run after the other until nobody orders any more.
async fn work(
    (content, id): (ContentId, SourceId),
    mut supply: Supply,
    storage: Arc<Storage>,
    (mut orders, notes): (UnboundedReceiver<Run>, UnboundedSender<Note>),
) {
    while let Some(run) = orders.recv().await {
        let mut feeder = Feeder { content, id, notes: notes.clone(), at: run.space.start, limit: run.limit };
        let start = run.space.start;
        let outcome = feeder.carry_out(&mut supply, storage.files().map(), run.space).await;
        let ended = Ended { came: feeder.at - start, outcome };
        if notes.send(Note::SourceEnded(content, id, ended)).is_err() {
            return;
        }
    }
}

/// Hands what comes to the machine, in order.
struct Feeder {
    content: ContentId,
    id: SourceId,
    notes: UnboundedSender<Note>,
    at: u64,
    limit: watch::Receiver<u64>,
}

impl Feeder {
    async fn carry_out(
        &mut self,
        supply: &mut Supply,
        map: &FileMap,
        space: Range<u64>,
    ) -> Result<(), RangeError> {
        for span in map.spans(space.start, space.end - space.start) {
            let mut left = span.len;
            if let Some(file) = span.file {
                self.file(supply, file, span.offset..span.offset + span.len).await?;
                left = 0;
            }
            while left > 0 && !self.is_over() {
                let part = Bytes::from_static(&ZEROS[..left.min(ZEROS.len() as u64) as usize]);
                left -= part.len() as u64;
                self.hand_over(part).await;
            }
            if self.is_over() {
                break;
            }
        }
        Ok(())
    }

    /// A range of one file, or as much of it as is still wanted.
    async fn file(&mut self, supply: &mut Supply, file: usize, range: Range<u64>) -> Result<(), RangeError> {
        let whole = self.at + (range.end - range.start);
        let (into, mut parts) = mpsc::channel(UNDER_WAY);
        let mut fetching = supply.fetch(file, range, into);
        let mut outcome = None;
        let mut limit = self.limit.clone();
        while !self.is_over() {
            tokio::select! {
                biased;
                part = parts.recv() => match part {
                    Some(part) => self.hand_over(part).await,
                    // Its end of the channel goes with it.
                    None if outcome.is_some() => break,
                    None => outcome = Some(fetching.as_mut().await),
                },
                done = &mut fetching, if outcome.is_none() => outcome = Some(done),
                changed = limit.changed() => if changed.is_err() { break },
            }
        }
        match outcome {
            Some(Err(error)) => Err(error),
            Some(Ok(())) if self.at < whole && !self.is_over() => {
                Err(RangeError::Broken("it ended in the middle".into()))
            }
            _ => Ok(()),
        }
    }

    async fn hand_over(&mut self, mut part: Bytes) {
        let left = self.limit.borrow().saturating_sub(self.at);
        part.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        self.at += part.len() as u64;
        let (reply, go) = oneshot::channel();
        let _ = self.notes.send(Note::SourceData(self.content, self.id, part, reply));
        if let Ok(Go { pause }) = go.await
            && !pause.is_zero()
        {
            tokio::time::sleep(pause).await;
        }
    }

    /// Nothing more is wanted, or nobody is there any more.
    fn is_over(&self) -> bool {
        self.at >= *self.limit.borrow() || self.limit.has_changed().is_err()
    }
}
