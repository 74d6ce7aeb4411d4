//! Searching (4.6): the whole query to the owner of its rarest word, who knows every item that has them all. A word that
//! is spread over shards is left for a rarer one; if there is none its other shards are asked while more is wanted.

use super::item::item_of;
use super::rarity::{Key, Said};
use super::{refuse, terms};
use crate::chord::core::Core;
use crate::chord::storage::{Reading, Store, Task, words_of};
use crate::chord::{Context, Event};
use crate::discovery::{self, Item, Query, Refusal, Source, Ticket};
use std::collections::{BTreeMap, VecDeque};
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::{Posting, Record, Signed, Subject};

/// Owners asked at once for one search.
const AT_ONCE: usize = 8;
/// Words whose owners are asked at most, before all shards of one are.
const WORDS: u8 = 3;
/// Sources told of one item at most.
const SOURCES: usize = 16;

/// One search.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    words: Vec<String>,
    limit: u32,
    until: Instant,
    /// Words not asked yet, the most promising first.
    keys: VecDeque<Key>,
    /// Words asked.
    asked: u8,
    /// Words asked that have more shards, with the number of these as a power of two.
    spread: Vec<(u8, Key)>,
    /// A word that is in one place was asked and had nothing.
    empty: bool,
    /// Further shards still to be asked.
    shards: VecDeque<(Key, u8)>,
    /// No further word need be asked.
    done: bool,
    under_way: usize,
    /// Items told, with the sources told of each.
    found: BTreeMap<[u8; 32], Vec<Endpoint>>,
}

/// What a search does next.
#[derive(PartialEq, Eq, Debug)]
enum Step {
    Ask(Key, u8),
    Wait,
    End,
}

impl Search {
    fn new(words: Vec<String>, keys: VecDeque<Key>, (limit, until): (u32, Instant)) -> Search {
        Search {
            words,
            limit,
            until,
            keys,
            asked: 0,
            spread: Vec::new(),
            empty: false,
            shards: VecDeque::new(),
            done: false,
            under_way: 0,
            found: BTreeMap::new(),
        }
    }

    /// When it ends at the latest.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Items wanted still.
    fn wanted(&self) -> u32 {
        self.limit.saturating_sub(u32::try_from(self.found.len()).unwrap_or(u32::MAX))
    }

    fn next(&mut self) -> Step {
        if self.wanted() == 0 {
            return Step::End;
        }
        if self.under_way >= AT_ONCE {
            return Step::Wait;
        }
        if let Some((key, shard)) = self.shards.pop_front() {
            return Step::Ask(key, shard);
        }
        if self.under_way > 0 {
            return Step::Wait;
        }
        if self.done {
            return Step::End;
        }
        if let Some(key) = self.keys.pop_front().filter(|_| self.asked < WORDS) {
            self.asked += 1;
            return Step::Ask(key, 0);
        }
        self.done = true;
        if let Some((bits, key)) = self.spread.iter().min() {
            let all = 1..(1u16 << bits);
            self.shards.extend(all.filter_map(|shard| Some((key.clone(), u8::try_from(shard).ok()?))));
        }
        self.next()
    }

    /// A word's shard 0 has answered, and has 2^`bits` shards in all.
    fn on_answer(&mut self, key: Key, bits: u8) {
        match (bits, self.empty) {
            // What neither has can only be one of the last words of a very long title.
            (_, true) => self.done = true,
            (0, false) if self.found.is_empty() => self.empty = true,
            (0, false) => self.done = true,
            _ => self.spread.push((bits, key)),
        }
    }

    /// A hit: what it is, and where, unless that was told already.
    fn take(&mut self, body: &[u8]) -> Option<(Item, Endpoint)> {
        let record = Record::decode(body).ok()?;
        let Record::Signed(Signed { subject: Subject::Posting { content, .. }, value: Some(value), .. }) =
            record
        else {
            return None;
        };
        let posting = Posting::decode(value).ok()?;
        let words = words_of(&posting);
        let source = Endpoint::from(posting.source);
        if !self.words.iter().all(|word| words.contains(word)) || !source.is_dialable() {
            return None;
        }
        if !self.found.contains_key(content) && self.wanted() == 0 {
            return None;
        }
        let told = self.found.entry(*content).or_default();
        let new = told.len() < SOURCES && !told.contains(&source);
        new.then(|| {
            told.push(source);
            (item_of(content, &posting), source)
        })
    }
}

impl Store {
    /// Looks for words.
    pub(crate) fn find(&mut self, core: &mut Core, ticket: Ticket, query: &Query, cx: &mut Context<'_>) {
        let mut words = Vec::new();
        for word in query.words.iter().flat_map(|word| terms::words(word)) {
            if !words.contains(&word) && words.len() < terms::TERMS_MAX {
                words.push(word);
            }
        }
        if words.is_empty() {
            return refuse(ticket, Refusal::EmptyQuery, cx);
        }
        let keys = self.publishing.rarity.to_ask(&words).into();
        let search = Search::new(words, keys, (query.limit.max(1), cx.now() + query.timeout));
        self.publishing.searches.insert(ticket, search);
        self.search_on(core, ticket, cx);
    }

    /// Asks the next owners, as many as may be asked at once; ends the search if there is nothing more to ask.
    fn search_on(&mut self, core: &mut Core, ticket: Ticket, cx: &mut Context<'_>) {
        while let Some(search) = self.publishing.searches.get_mut(&ticket) {
            match search.next() {
                Step::End => self.finish_search(ticket, cx),
                Step::Wait => return,
                Step::Ask(key, shard) => {
                    let wanted = search.wanted();
                    let reading = Reading::of_postings(ticket, (key, shard), &search.words, wanted);
                    let Some(reading) = reading else { continue };
                    search.under_way += 1;
                    self.publishing.asked += 1;
                    let at = reading.wish.key();
                    if self.begin(core, at, Task::Get(Box::new(reading))).is_none() {
                        // Too much is under way already: what was found so far is all there will be.
                        self.finish_search(ticket, cx);
                    }
                }
            }
        }
    }

    /// Postings have come; returns how many more items the search wants.
    pub(crate) fn on_hits(&mut self, ticket: Ticket, bodies: Vec<Box<[u8]>>, cx: &mut Context<'_>) -> u32 {
        let Some(search) = self.publishing.searches.get_mut(&ticket) else { return 0 };
        for (item, source) in bodies.iter().filter_map(|body| search.take(body)) {
            let found = discovery::Event::Found { ticket, item, source: Source::Swarm(source) };
            cx.emit(Event::Discovery(found));
        }
        search.wanted()
    }

    /// A shard was read as far as was wanted, or nobody answered for it.
    pub(crate) fn on_postings(
        &mut self,
        core: &mut Core,
        (ticket, answered): (Ticket, bool),
        reading: Reading,
        cx: &mut Context<'_>,
    ) {
        let Some(search) = self.publishing.searches.get_mut(&ticket) else { return };
        search.under_way = search.under_way.saturating_sub(1);
        if let (true, Some((key, 0))) = (answered, reading.word) {
            let bits = reading.shard_bits;
            let rarity = &mut self.publishing.rarity;
            if search.words.len() == 1 {
                rarity.heard(&key, Said { count: reading.count, bits });
            } else if bits > 0 {
                // A count of what has several words says nothing of one of them.
                rarity.heard_bits(&key, bits);
            }
            search.on_answer(key, bits);
        }
        self.search_on(core, ticket, cx);
    }

    /// A search is over.
    pub(crate) fn finish_search(&mut self, ticket: Ticket, cx: &mut Context<'_>) {
        if self.publishing.searches.remove(&ticket).is_some() {
            cx.emit(Event::Discovery(discovery::Event::Finished(ticket)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(word: &str) -> Key {
        Key(word.into(), None)
    }

    fn search(words: &[&str]) -> Search {
        let keys = words.iter().map(|word| key(word)).collect();
        Search::new(words.iter().map(|word| (*word).into()).collect(), keys, (10, Instant::EPOCH))
    }

    /// Answers whatever is asked, `bits` by word; returns all that was asked.
    fn run(search: &mut Search, bits: impl Fn(&str) -> u8, hits: bool) -> Vec<(String, u8)> {
        let mut asked = Vec::new();
        let mut open = Vec::new();
        loop {
            match search.next() {
                Step::End => return asked,
                Step::Ask(key, shard) => {
                    search.under_way += 1;
                    assert!(search.under_way <= AT_ONCE);
                    asked.push((key.0.clone(), shard));
                    open.push((key, shard));
                }
                Step::Wait => {
                    let (key, shard) = open.pop().expect("it waits for something");
                    search.under_way -= 1;
                    if hits {
                        search.found.entry([shard; 32]).or_default();
                    }
                    if shard == 0 {
                        let bits = bits(&key.0);
                        search.on_answer(key, bits);
                    }
                }
            }
        }
    }

    #[test]
    fn one_owner_is_asked_where_a_word_lies_in_one_place() {
        assert_eq!(run(&mut search(&["rare", "common"]), |_| 0, true), [("rare".into(), 0)]);
    }

    #[test]
    fn a_word_that_is_spread_is_left_for_one_that_is_not() {
        let bits = |word: &str| if word == "common" { 5 } else { 0 };
        let asked = run(&mut search(&["common", "rare"]), bits, true);
        assert_eq!(asked, [("common".into(), 0), ("rare".into(), 0)]);
    }

    #[test]
    fn of_words_that_are_all_spread_every_shard_of_the_narrowest_is_asked() {
        let bits = |word: &str| if word == "wide" { 3 } else { 2 };
        let mut asked = run(&mut search(&["wide", "narrow"]), bits, false);
        asked.sort();
        let mut expected: Vec<_> = (0..4).map(|shard| ("narrow".to_owned(), shard)).collect();
        expected.push(("wide".into(), 0));
        assert_eq!(asked, expected);
        let all = run(&mut search(&["one"]), |_| 8, false);
        assert_eq!(all.len(), 256);
    }

    #[test]
    fn a_search_that_has_enough_asks_nobody_else() {
        let mut search = search(&["one"]);
        search.limit = 3;
        assert!(run(&mut search, |_| 8, true).len() < 3 + AT_ONCE);
    }

    #[test]
    fn a_word_that_nothing_has_costs_one_more_and_not_all_shards_of_another() {
        let bits = |word: &str| if word == "common" { 8 } else { 0 };
        let asked = run(&mut search(&["typo", "common", "third"]), bits, false);
        assert_eq!(asked, [("typo".into(), 0), ("common".into(), 0)]);
    }
}
