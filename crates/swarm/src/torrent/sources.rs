//! Sources outside BitTorrent (web seeds, BEP 19; other systems): each is asked for a long run of pieces, and sends it
//! from the first byte to the last.
//!
//! The pieces of a run are reserved: peers are not asked for them unless nothing else is left; then they take over the
//! run's end, so that a slow source holds nothing up. A piece is begun when its first byte comes, so that a long run
//! takes no more memory than a piece. What a source sends is judged as what peers send.

use super::Torrent;
use crate::Event;
use crate::partial::{BlockState, Partial};
use crate::peer::Peer;
use crate::rate::BLOCK;
use crate::shared::{Cx, Shared};
use crate::source::{Fetch, Source, SourceId, SourceStatus};
use std::ops::Range;
use throng_machine::Instant;
use throng_wire::peer::Block;

/// Sources of one torrent; more are not used.
const MAX_SOURCES: usize = 64;
/// The first run, before anything is measured, and the least ever.
const LEAST_RUN: u64 = 1 << 20;
/// The longest run.
const LONGEST_RUN: u64 = 64 << 20;
/// A run is to take a source so many seconds: long enough for few requests, short enough to part work by speed.
const RUN_SECONDS: u64 = 10;

impl Torrent {
    /// A source that can send these pieces, whole.
    pub(crate) fn add_source(
        &mut self,
        id: SourceId,
        pieces: Range<u32>,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let pieces = pieces.start..pieces.end.min(self.have.len());
        if pieces.is_empty() || self.sources.len() >= MAX_SOURCES || self.sources.contains_key(&id) {
            return;
        }
        self.sources.insert(id, Source::new(pieces, cx.now()));
        self.wake(cx.now());
        self.fill_sources(shared, cx);
    }

    /// A source is gone for good.
    pub(crate) fn remove_source(&mut self, id: SourceId, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.give_back(id);
        self.sources.remove(&id);
        self.fill_all(shared, cx);
    }

    /// What a source was asked for has come, or will not; `ready` if it may be asked again.
    pub(crate) fn source_ended(&mut self, id: SourceId, ready: bool, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.give_back(id);
        if let Some(source) = self.sources.get_mut(&id) {
            source.ready = ready;
        }
        self.fill_all(shared, cx);
    }

    /// What was reserved and has not come is anybody's again.
    fn give_back(&mut self, id: SourceId) {
        let Some(fetch) = self.sources.get_mut(&id).and_then(|source| source.fetch.take()) else { return };
        let begin = fetch.at.saturating_sub(self.offset(fetch.piece, 0)) as u32;
        if let Some(partial) = self.partials.get_mut(&fetch.piece) {
            let open = fetch.claimed.iter().filter(|index| (**index + 1) * BLOCK > begin);
            open.for_each(|index| partial.release(*index, id.sender()));
        }
    }

    /// Runs that peers need not be asked for.
    pub(super) fn reserved(&self) -> Vec<Range<u32>> {
        self.sources.values().filter_map(Source::reserved).collect()
    }

    /// Asks every source that waits.
    pub(super) fn fill_sources(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        if self.sources.is_empty() || !self.fetches() {
            return;
        }
        let idle = self.sources.iter().filter(|(_, source)| source.ready && source.fetch.is_none());
        let idle: Vec<SourceId> = idle.map(|(id, _)| *id).collect();
        for id in idle {
            if !shared.download.is_open(cx.now()) {
                shared.thirsty.insert(self.content);
                return;
            }
            if let Some(run) = self.choose_run(id, cx) {
                self.ask_source(id, run, cx);
            }
        }
    }

    fn ask_source(&mut self, id: SourceId, run: Range<u32>, cx: &mut Cx<'_>) {
        // Of a piece that others began, what comes before its first open block is here or under way.
        let first = self.partials.get(&run.start).and_then(|partial| {
            (0..partial.len()).find(|index| !matches!(partial.block(*index), Some(BlockState::Received(_))))
        });
        let at = self.offset(run.start, first.unwrap_or(0) * BLOCK);
        let len = self.run_end(run.end) - at;
        let Some(source) = self.sources.get_mut(&id) else { return };
        (source.ready, source.heard) = (false, cx.now());
        source.fetch = Some(Fetch { at, piece: run.start, end: run.end, claimed: Vec::new(), wanted: false });
        cx.emit(Event::Fetch { content: self.content, source: id, offset: at, len });
    }

    /// Where the pieces before this one end in the piece space.
    fn run_end(&self, piece: u32) -> u64 {
        let last = piece.saturating_sub(1);
        self.offset(last, self.piece_len(last))
    }

    /// Pieces for a source: untouched ones, else begun ones with open blocks, else the end of what a slower source is
    /// to send, else what peers are slow with.
    fn choose_run(&mut self, id: SourceId, cx: &mut Cx<'_>) -> Option<Range<u32>> {
        let source = self.sources.get(&id)?;
        let bytes = source.down.per_second(cx.now()).saturating_mul(RUN_SECONDS);
        let length = u64::from(self.meta.as_ref()?.info.layout().piece_length());
        let most = bytes.clamp(LEAST_RUN, LONGEST_RUN).div_ceil(length).max(1) as u32;
        let (pieces, reserved) = (source.pieces.clone(), self.reserved());
        let free = |piece: u32| self.wants(piece) && !reserved.iter().any(|run| run.contains(&piece));
        let fresh = |piece: u32| free(piece) && !self.partials.contains_key(&piece);
        let urgent = self.urgent_pieces().find(|piece| pieces.contains(piece) && fresh(*piece));
        if let Some(first) = urgent {
            let end = (first..pieces.end.min(first + most)).find(|piece| !fresh(*piece));
            return Some(first..end.unwrap_or(pieces.end.min(first + most)));
        }
        let untouched = longest_run(pieces.clone(), fresh);
        let begun = |lacks: fn(&Partial) -> bool| {
            let mut open = self.partials.iter().filter(|(piece, partial)| {
                pieces.contains(piece) && free(**piece) && !partial.verifying && lacks(partial)
            });
            open.next().map(|(piece, _)| *piece..*piece + 1)
        };
        if let Some(run) = untouched.or_else(|| begun(|partial| partial.free() > 0)) {
            return Some(run.start..run.end.min(run.start + most));
        }
        let slow = begun(|partial| !partial.is_complete());
        self.take_over(id, cx).or(slow)
    }

    /// Half of what a slower source has not begun.
    fn take_over(&mut self, id: SourceId, cx: &mut Cx<'_>) -> Option<Range<u32>> {
        let now = cx.now();
        let own = self.sources.get(&id)?;
        let (pieces, rate) = (own.pieces.clone(), own.down.per_second(now).max(1));
        let others = self.sources.iter().filter(|(other, _)| **other != id);
        let (seconds, from, run) = others
            .filter_map(|(other, source)| {
                let fetch = source.fetch.as_ref()?;
                let left = fetch.end.checked_sub(fetch.piece + 1).filter(|left| *left > 0)?;
                let run = (fetch.end - left.div_ceil(2)).max(pieces.start)..fetch.end;
                let seconds = (self.run_end(fetch.end) - fetch.at) / source.down.per_second(now).max(1);
                (run.end <= pieces.end && !run.is_empty()).then_some((seconds, *other, run))
            })
            .max_by_key(|(seconds, ..)| *seconds)?;
        let own_seconds = (self.run_end(run.end) - self.offset(run.start, 0)) / rate;
        if own_seconds > seconds && own.down.total() > 0 {
            return None;
        }
        self.shorten(from, run.start, cx);
        Some(run)
    }

    /// A source is to send less than it was asked for.
    fn shorten(&mut self, id: SourceId, end: u32, cx: &mut Cx<'_>) {
        let limit = self.run_end(end);
        if let Some(fetch) = self.sources.get_mut(&id).and_then(|source| source.fetch.as_mut()) {
            fetch.end = end;
            cx.emit(Event::FetchLess { content: self.content, source: id, end: limit.max(fetch.at) });
        }
    }

    /// Nothing else is left for this peer: the last piece of a run whose source would be later with it.
    pub(super) fn pick_reserved(
        &mut self,
        peer: &mut Peer,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Option<Block> {
        if self.sources.is_empty() || peer.peer_choking {
            return None;
        }
        let now = cx.now();
        let rate = peer.down.per_second(now).max(1);
        let runs = self.sources.iter().filter_map(|(id, source)| {
            let fetch = source.fetch.as_ref().filter(|fetch| fetch.end > fetch.piece + 1)?;
            let last = fetch.end - 1;
            let ours = peer.pieces.has(last) && self.wants(last) && !self.partials.contains_key(&last);
            let seconds = (self.run_end(fetch.end) - fetch.at) / source.down.per_second(now).max(1);
            ours.then_some((seconds, *id, last))
        });
        let (seconds, id, piece) = runs.max_by_key(|(seconds, ..)| *seconds)?;
        if u64::from(self.piece_len(piece)) / rate > seconds && peer.down.total() > 0 {
            return None;
        }
        self.shorten(id, piece, cx);
        self.begin_piece(peer, piece, shared)
    }

    /// Sources that send nothing any more, or nothing that is still missing, are stopped.
    pub(super) fn check_sources(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let patience = shared.config.snub_timeout;
        let busy: Vec<SourceId> =
            self.sources.iter().filter(|(_, source)| source.fetch.is_some()).map(|(id, _)| *id).collect();
        for id in busy {
            let Some(source) = self.sources.get(&id) else { continue };
            let Some(run) = source.reserved() else { continue };
            let silent = cx.now().since(source.heard) > patience;
            let lacks = |piece: &u32| {
                self.wants(*piece) && self.partials.get(piece).is_none_or(|partial| !partial.is_complete())
            };
            let end = run.clone().rev().find(lacks).map_or(run.start, |last| last + 1);
            if silent || end == run.start {
                self.stop_source(id, cx);
            } else if end < run.end {
                self.shorten(id, end, cx);
            }
        }
    }

    /// Wants nothing more of what a source was asked for.
    fn stop_source(&mut self, id: SourceId, cx: &mut Cx<'_>) {
        let fetch = self.sources.get(&id).and_then(|source| source.fetch.as_ref());
        if let Some(end) = fetch.map(|fetch| fetch.at) {
            self.give_back(id);
            cx.emit(Event::FetchLess { content: self.content, source: id, end });
        }
    }

    /// As [`Torrent::stop_source`], of all.
    pub(super) fn stop_sources(&mut self, cx: &mut Cx<'_>) {
        let all: Vec<SourceId> = self.sources.keys().copied().collect();
        all.into_iter().for_each(|id| self.stop_source(id, cx));
    }

    /// A source sent wrong data.
    pub(super) fn shut_out_source(&mut self, id: SourceId, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.remove_source(id, shared, cx);
        cx.emit(Event::SourceShutOut { content: self.content, source: id });
    }

    /// Whether the clock is needed for what sources were asked.
    pub(super) fn waits_for_sources(&self) -> bool {
        self.sources.values().any(|source| source.fetch.is_some())
    }

    /// Its sources.
    pub(crate) fn source_statuses(&self, now: Instant) -> Vec<SourceStatus> {
        let status = |(id, source): (&SourceId, &Source)| SourceStatus {
            source: *id,
            downloaded: source.down.total(),
            download_rate: source.down.per_second(now),
            fetching: source.fetch.is_some(),
        };
        self.sources.iter().map(status).collect()
    }
}

/// The longest run of pieces that are as wanted; of equals the first.
fn longest_run(pieces: Range<u32>, wanted: impl Fn(u32) -> bool) -> Option<Range<u32>> {
    let mut best = 0..0;
    let mut run = pieces.start..pieces.start;
    for piece in pieces {
        if !wanted(piece) {
            run = piece + 1..piece + 1;
            continue;
        }
        run.end = piece + 1;
        if run.len() > best.len() {
            best = run.clone();
        }
    }
    (!best.is_empty()).then_some(best)
}
