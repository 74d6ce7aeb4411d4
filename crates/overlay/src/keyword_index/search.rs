//! Runs a query: the rarest word leads, the other lists are asked whether they have its documents too.

use super::documents::Visit;
use super::postings::Cursor;
use super::query::{Answer, Hit, Order, Query};
use super::{DocId, KeywordIndex};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

/// What reading an entry costs in steps, as against reading a run.
const ENTRY: u32 = 4;

/// A running search.
pub(super) struct Search<'q, 'i> {
    query: &'q Query<'q>,
    index: &'i KeywordIndex,
    lists: Vec<Cursor<'i>>,
    excluded: Vec<Cursor<'i>>,
    visit: Visit<'i>,
    /// Candidates whose owner was asked for.
    candidates: u32,
    answer: Answer,
}

/// Searches; `None` if a word occurs nowhere.
pub(super) fn run(
    index: &KeywordIndex,
    query: &Query<'_>,
    found: &mut dyn FnMut(&Hit<'_>) -> ControlFlow<()>,
) -> Answer {
    match query.order {
        Order::Ascending => range(index, query, (0, u32::MAX), Answer::default(), found),
        Order::From(start) => {
            let answer = range(index, query, (start.0, u32::MAX), Answer::default(), found);
            if answer.partial || answer.full || start.0 == 0 {
                return answer;
            }
            range(index, query, (0, start.0 - 1), answer, found)
        }
        Order::Rank(rank) => ranked(index, query, rank, found),
    }
}

/// The documents within bounds, both included, in the order of their ids.
fn range(
    index: &KeywordIndex,
    query: &Query<'_>,
    bounds: (u32, u32),
    so_far: Answer,
    found: &mut dyn FnMut(&Hit<'_>) -> ControlFlow<()>,
) -> Answer {
    let Some(mut search) = Search::new(index, query, so_far) else { return so_far };
    search.run(bounds, &mut |hit, answer| {
        let over = found(hit).is_break();
        answer.hits += 1;
        answer.full = over || answer.hits >= query.limit;
        if answer.full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    search.answer.work = search.work().saturating_add(so_far.work);
    search.answer
}

/// The documents of the highest rank, best first; of equal ones those of the smallest ids.
fn ranked(
    index: &KeywordIndex,
    query: &Query<'_>,
    rank: &dyn Fn(&Hit<'_>) -> u64,
    found: &mut dyn FnMut(&Hit<'_>) -> ControlFlow<()>,
) -> Answer {
    let Some(mut search) = Search::new(index, query, Answer::default()) else { return Answer::default() };
    // The worst of the best on top.
    let mut best: BinaryHeap<Reverse<(u64, Reverse<u32>)>> = BinaryHeap::new();
    search.run((0, u32::MAX), &mut |hit, answer| {
        best.push(Reverse((rank(hit), Reverse(hit.doc.0))));
        if best.len() > query.limit as usize {
            best.pop();
            answer.full = true;
        }
        ControlFlow::Continue(())
    });
    search.answer.work = search.work();
    let mut visit = Visit::new(&index.documents, &index.pool, search.visit.into_buffer());
    for Reverse((_, Reverse(doc))) in best.into_sorted_vec() {
        let doc = DocId(doc);
        if let (Some(owner), Some(entry)) = (index.documents.owner_of(doc), visit.entry(doc)) {
            search.answer.hits += 1;
            if found(&Hit { doc, owner, entry }).is_break() {
                search.answer.full = true;
                break;
            }
        }
    }
    search.answer
}

impl<'q, 'i> Search<'q, 'i> {
    fn new(index: &'i KeywordIndex, query: &'q Query<'q>, answer: Answer) -> Option<Search<'q, 'i>> {
        let mut words: Vec<(u32, u32)> = Vec::with_capacity(query.words.len());
        for word in query.words.iter() {
            let number = index.find_word(word)?;
            words.push((index.dictionary.word(number).docs, number));
        }
        words.sort_unstable();
        words.dedup();
        if words.is_empty() || query.limit == 0 {
            return None;
        }
        let lists = words.iter().map(|(_, number)| index.cursor(*number)).collect();
        let excluded = query.excluded.iter().filter_map(|word| index.find_word(word));
        let excluded = excluded.map(|number| index.cursor(number)).collect();
        let visit = Visit::new(&index.documents, &index.pool, Vec::new());
        Some(Search { query, index, lists, excluded, visit, candidates: 0, answer })
    }

    /// Steps taken so far.
    fn work(&self) -> u32 {
        let read: u32 = self.lists.iter().chain(&self.excluded).map(|cursor| cursor.work).sum();
        read.saturating_add(self.candidates).saturating_add(self.visit.work.saturating_mul(ENTRY))
    }

    fn run(
        &mut self,
        (mut at, last): (u32, u32),
        hit: &mut dyn FnMut(&Hit<'_>, &mut Answer) -> ControlFlow<()>,
    ) {
        let cap = self.query.work.saturating_sub(self.answer.work);
        while let Some((start, end)) = self.common(at, last) {
            for doc in start..=end {
                if self.work() > cap {
                    self.answer.partial = true;
                    return;
                }
                if self.check(DocId(doc), hit).is_break() {
                    return;
                }
            }
            if end == last {
                return;
            }
            at = end + 1;
        }
        self.answer.partial |= self.work() > cap;
    }

    /// The next documents within the bounds that have all words; `None` too when the cap of work is reached.
    fn common(&mut self, mut at: u32, last: u32) -> Option<(u32, u32)> {
        let cap = self.query.work.saturating_sub(self.answer.work);
        'again: loop {
            if at > last || self.work() > cap {
                return None;
            }
            let mut end = last;
            for cursor in &mut self.lists {
                let run = cursor.seek(at)?;
                if run.start > at {
                    if run.start > last {
                        return None;
                    }
                    at = run.start;
                    // The leading list moves on with nobody asked before it.
                    if end != last {
                        continue 'again;
                    }
                }
                end = end.min(run.end);
            }
            return Some((at, end));
        }
    }

    /// Asks everything else of a document that has the words.
    fn check(
        &mut self,
        doc: DocId,
        hit: &mut dyn FnMut(&Hit<'_>, &mut Answer) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let query = self.query;
        self.candidates += 1;
        let Some(owner) = self.index.documents.owner_of(doc) else { return ControlFlow::Continue(()) };
        let wanted = query.not_owner != Some(owner)
            && query.filters.speed.contains(self.index.documents.speed(owner).into())
            && (query.accept)(owner);
        let has = |cursor: &mut Cursor<'_>| cursor.seek(doc.0).is_some_and(|run| run.start <= doc.0);
        if !wanted || self.excluded.iter_mut().any(has) {
            return ControlFlow::Continue(());
        }
        match self.visit.entry(doc) {
            Some(entry) if query.filters.accepts(&entry.attributes) => {
                hit(&Hit { doc, owner, entry }, &mut self.answer)
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
