//! Which source fetches which part of a file: long runs of blocks, longer for faster sources; who has nothing left takes
//! over half of what a slower one has not begun. No I/O, no clock: the caller says what time it is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// The first run of a source, before anything is measured, and the least.
const LEAST_RUN: u64 = 512 << 10;
/// The longest run.
const LONGEST_RUN: u64 = 32 << 20;
/// A run is to take a source so many seconds.
const RUN_SECONDS: f64 = 10.0;
/// How much an older measurement counts beside a new one.
const MEMORY: f64 = 0.7;

/// What is known of one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Block {
    Missing,
    /// It is here, from that source; from nobody in this run if it was there before.
    Here(Option<u32>),
}

/// One source's part.
#[derive(Clone, Debug, Default)]
struct Part {
    /// Bytes it is to send: the next and the end.
    run: Option<Range<u64>>,
    /// What the source has, in order; `None` all.
    has: Option<Vec<Range<u64>>>,
    /// Bytes a second, once measured.
    rate: Option<f64>,
    began: Duration,
    got: u64,
    total: u64,
}

/// What a source is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    /// Bytes to fetch.
    pub(super) range: Range<u64>,
    /// A source that is to send less, and where it ends now.
    pub(super) shorten: Option<(u32, u64)>,
}

/// The parts of one file.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    size: u64,
    block: u64,
    blocks: Vec<Block>,
    parts: BTreeMap<u32, Part>,
}

impl Plan {
    /// Of a file of so many bytes in blocks of so many.
    pub(super) fn new(size: u64, block: u64) -> Plan {
        let count = usize::try_from(size.div_ceil(block.max(1))).unwrap_or(0);
        Plan { size, block: block.max(1), blocks: vec![Block::Missing; count], parts: BTreeMap::new() }
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// The bytes of a block.
    pub(super) fn range(&self, block: usize) -> Range<u64> {
        let start = block as u64 * self.block;
        start..(start + self.block).min(self.size)
    }

    /// Counts a block as here.
    pub(super) fn set_here(&mut self, block: usize) {
        if let Some(state) = self.blocks.get_mut(block) {
            *state = Block::Here(None);
        }
    }

    /// Bytes that are here.
    pub(super) fn done(&self) -> u64 {
        let here = (0..self.len()).filter(|block| self.is_here(*block));
        here.map(|block| self.range(block)).map(|range| range.end - range.start).sum()
    }

    pub(super) fn is_here(&self, block: usize) -> bool {
        matches!(self.blocks.get(block), Some(Block::Here(_)))
    }

    pub(super) fn is_complete(&self) -> bool {
        !self.blocks.contains(&Block::Missing)
    }

    /// Who sent blocks that are here, in this run.
    pub(super) fn senders(&self) -> Vec<u32> {
        let senders = self.blocks.iter().filter_map(|block| match block {
            Block::Here(by) => *by,
            Block::Missing => None,
        });
        let mut senders: Vec<u32> = senders.collect();
        senders.sort_unstable();
        senders.dedup();
        senders
    }

    /// Who sent a block.
    pub(super) fn sender(&self, block: usize) -> Option<u32> {
        match self.blocks.get(block) {
            Some(Block::Here(by)) => *by,
            _ => None,
        }
    }

    /// Blocks of these senders, and of earlier runs, are to be fetched again.
    pub(super) fn forget_all_but(&mut self, keep: u32) {
        let other = |block: &&mut Block| matches!(block, Block::Here(by) if *by != Some(keep));
        self.blocks.iter_mut().filter(other).for_each(|block| *block = Block::Missing);
    }

    /// A block is wrong.
    pub(super) fn forget(&mut self, block: usize) {
        if let Some(state) = self.blocks.get_mut(block) {
            *state = Block::Missing;
        }
    }

    /// Bytes a source has sent.
    pub(super) fn total(&self, source: u32) -> u64 {
        self.parts.get(&source).map_or(0, |part| part.total)
    }

    /// Bytes a second of a source.
    pub(super) fn rate(&self, source: u32) -> u64 {
        self.parts.get(&source).and_then(|part| part.rate).unwrap_or(0.0) as u64
    }

    /// The next run of an idle source, if there is anything for it.
    pub(super) fn choose(&mut self, source: u32, now: Duration) -> Option<Choice> {
        let part = self.parts.entry(source).or_default();
        let bytes =
            part.rate.map_or(LEAST_RUN, |rate| ((rate * RUN_SECONDS) as u64).clamp(LEAST_RUN, LONGEST_RUN));
        let most = usize::try_from(bytes.div_ceil(self.block)).unwrap_or(1).max(1);
        let has = part.has.take();
        let choice = self.choice(source, most, has.as_deref());
        self.parts.entry(source).or_default().has = has;
        let choice = choice?;
        if let Some((other, end)) = choice.shorten
            && let Some(run) = self.parts.get_mut(&other).and_then(|part| part.run.as_mut())
        {
            run.end = end;
        }
        let part = self.parts.entry(source).or_default();
        (part.run, part.began, part.got) = (Some(choice.range.clone()), now, 0);
        Some(choice)
    }

    /// A source has only these parts of the file; `None` all of it.
    pub(super) fn set_parts(&mut self, source: u32, has: Option<Vec<Range<u64>>>) {
        self.parts.entry(source).or_default().has = has;
    }

    /// Whether a source has only parts of the file.
    pub(super) fn is_partial(&self, source: u32) -> bool {
        self.parts.get(&source).is_some_and(|part| part.has.is_some())
    }

    fn choice(&self, source: u32, most: usize, has: Option<&[Range<u64>]>) -> Option<Choice> {
        let has_all = |wanted: &Range<u64>| {
            has.is_none_or(|has| has.iter().any(|part| part.start <= wanted.start && wanted.end <= part.end))
        };
        match self.longest_free(has_all) {
            Some(run) => {
                let end = run.end.min(run.start + most);
                Some(Choice { range: self.range(run.start).start..self.range(end - 1).end, shorten: None })
            }
            None => self.take_over(source).filter(|choice| has_all(&choice.range)),
        }
    }

    /// The longest run of blocks that nobody is sending, of those that `may` be asked for.
    fn longest_free(&self, may: impl Fn(&Range<u64>) -> bool) -> Option<Range<usize>> {
        let runs: Vec<Range<u64>> = self.parts.values().filter_map(|part| part.run.clone()).collect();
        let free = |block: usize| {
            let range = self.range(block);
            !self.is_here(block)
                && may(&range)
                && !runs.iter().any(|run| run.start < range.end && range.start < run.end)
        };
        let (mut best, mut run) = (0..0, 0..0);
        for block in 0..self.len() {
            if !free(block) {
                run = block + 1..block + 1;
                continue;
            }
            run.end = block + 1;
            if run.len() > best.len() {
                best = run.clone();
            }
        }
        (!best.is_empty()).then_some(best)
    }

    /// Half of what the source that will be last has not begun, if this one is not slower still.
    fn take_over(&self, source: u32) -> Option<Choice> {
        let own = self.parts.get(&source).and_then(|part| part.rate);
        let others = self.parts.iter().filter(|(other, _)| **other != source);
        let (seconds, other, run) = others
            .filter_map(|(other, part)| {
                let run = part.run.clone().filter(|run| run.start < run.end)?;
                let seconds = (run.end - run.start) as f64 / part.rate.unwrap_or(1.0).max(1.0);
                Some((seconds, *other, run))
            })
            .max_by(|one, other| one.0.total_cmp(&other.0))?;
        // The block it is at is its own.
        let first = usize::try_from(run.start / self.block).ok()? + 1;
        let last = usize::try_from(run.end.div_ceil(self.block)).ok()?;
        let left = last.checked_sub(first).filter(|left| *left > 0)?;
        let start = self.range(last - left.div_ceil(2)).start;
        let own_seconds = own.map_or(0.0, |rate| (run.end - start) as f64 / rate.max(1.0));
        (own_seconds <= seconds).then_some(Choice { range: start..run.end, shorten: Some((other, start)) })
    }

    /// Bytes came from a source: where they belong, and the blocks that are whole now. More than it was asked for counts
    /// for nothing.
    pub(super) fn received(&mut self, source: u32, len: u64, now: Duration) -> (Range<u64>, Vec<usize>) {
        let block = self.block;
        let Some(part) = self.parts.get_mut(&source) else { return (0..0, Vec::new()) };
        let Some(run) = part.run.as_mut() else { return (0..0, Vec::new()) };
        let start = run.start;
        let end = start.saturating_add(len).min(run.end);
        run.start = end;
        part.got += end - start;
        part.total += end - start;
        let seconds = now.saturating_sub(part.began).as_secs_f64();
        if seconds > 0.25 {
            let rate = part.got as f64 / seconds;
            part.rate = Some(part.rate.map_or(rate, |old| old * MEMORY + rate * (1.0 - MEMORY)));
        }
        let mut whole = Vec::new();
        let first = usize::try_from(start / block).unwrap_or(0);
        for index in first..self.len() {
            let range = self.range(index);
            if range.end > end {
                break;
            }
            if let Some(state @ Block::Missing) = self.blocks.get_mut(index) {
                *state = Block::Here(Some(source));
                whole.push(index);
            }
        }
        (start..end, whole)
    }

    /// What is here, as ranges in order.
    pub(super) fn here(&self) -> Vec<Range<u64>> {
        let mut here: Vec<Range<u64>> = Vec::new();
        for range in (0..self.len()).filter(|block| self.is_here(*block)).map(|block| self.range(block)) {
            match here.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => here.push(range),
            }
        }
        here
    }

    /// A source's run is over; what it has not sent is anybody's.
    pub(super) fn give_back(&mut self, source: u32) {
        if let Some(part) = self.parts.get_mut(&source) {
            part.run = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u64 = 256 << 10;
    const NOW: Duration = Duration::ZERO;

    #[test]
    fn sources_get_parts_that_do_not_meet() {
        let mut plan = Plan::new(10 << 20, BLOCK);
        let one = plan.choose(1, NOW).unwrap().range;
        let two = plan.choose(2, NOW).unwrap().range;
        assert_eq!((one.clone(), two), (0..512 << 10, 512 << 10..1 << 20));
        assert_eq!(plan.received(1, 300 << 10, NOW), (0..300 << 10, vec![0]));
        plan.give_back(1);
        assert_eq!(plan.done(), BLOCK);
        assert_eq!(plan.choose(3, NOW).unwrap().range.start, 1 << 20, "the longest free run comes first");
    }

    #[test]
    fn a_source_with_parts_is_asked_for_these_only() {
        let mut plan = Plan::new(8 * BLOCK, BLOCK);
        // Half a block is none.
        plan.set_parts(1, Some(vec![BLOCK..2 * BLOCK, 4 * BLOCK..6 * BLOCK + 5]));
        assert_eq!(plan.choose(1, NOW).unwrap().range, 4 * BLOCK..6 * BLOCK);
        plan.received(1, 2 * BLOCK, NOW);
        plan.give_back(1);
        assert!(plan.here().iter().eq([&(4 * BLOCK..6 * BLOCK)]));
        assert_eq!(plan.choose(1, NOW).unwrap().range, BLOCK..2 * BLOCK);
        plan.received(1, BLOCK, NOW);
        plan.give_back(1);
        assert_eq!(plan.choose(1, NOW), None, "it has nothing more");
        assert!(plan.is_partial(1) && !plan.is_partial(2));
        plan.set_parts(1, None);
        assert!(plan.choose(1, NOW).is_some());
        assert_eq!(plan.here(), [BLOCK..2 * BLOCK, 4 * BLOCK..6 * BLOCK]);
    }

    #[test]
    fn a_faster_source_gets_longer_runs() {
        let mut plan = Plan::new(1 << 30, BLOCK);
        let mut lengths = Vec::new();
        for (source, seconds) in [(1, 1), (2, 4)] {
            let range = plan.choose(source, NOW).unwrap().range;
            plan.received(source, range.end - range.start, Duration::from_secs(seconds));
            plan.give_back(source);
            let next = plan.choose(source, NOW).unwrap().range;
            lengths.push(next.end - next.start);
        }
        assert!(lengths[0] > 3 * lengths[1], "{lengths:?}");
    }

    #[test]
    fn who_has_nothing_left_takes_over_half_of_a_slower_ones_rest() {
        let mut plan = Plan::new(8 * BLOCK, BLOCK);
        plan.parts.insert(1, Part { rate: Some(1e6), ..Part::default() });
        assert_eq!(plan.choose(1, NOW).unwrap().range, 0..8 * BLOCK);
        plan.received(1, 10, NOW);
        let choice = plan.choose(2, NOW).unwrap();
        assert_eq!(choice.shorten, Some((1, 4 * BLOCK)));
        assert_eq!(choice.range, 4 * BLOCK..8 * BLOCK);
        assert_eq!(plan.received(1, 100 * BLOCK, NOW).0, 10..4 * BLOCK, "no more than it is asked for now");
        assert_eq!(plan.received(2, 4 * BLOCK, NOW).1, [4, 5, 6, 7]);
        assert!(plan.is_complete());
        assert_eq!(plan.senders(), [1, 2]);
        plan.forget_all_but(2);
        assert_eq!(plan.done(), 4 * BLOCK);
    }

    #[test]
    fn an_empty_file_is_complete_and_a_short_last_block_counts_its_bytes() {
        assert!(Plan::new(0, BLOCK).is_complete());
        let mut plan = Plan::new(BLOCK + 1, BLOCK);
        plan.set_here(1);
        assert_eq!(plan.done(), 1);
        assert_eq!(plan.choose(1, NOW).unwrap().range, 0..BLOCK);
    }
}
