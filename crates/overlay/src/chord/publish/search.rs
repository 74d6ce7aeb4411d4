//! Searching (4.6): the whole query to the owner of its rarest word; more shards and other words only while there are
//! too few hits; then who has each.

use super::item::item_of;
use super::rarity::{Key, Said};
use super::{refuse, terms};
use crate::chord::core::Core;
use crate::chord::storage::{Reader, Reading, Store, Task, Wish, words_of};
use crate::chord::{Context, Event, Want};
use crate::discovery::{self, Item, Query, Refusal, Source, Ticket};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::{Posting, Provider, Record, Signed, Subject};

/// Owners asked at once for one search.
const AT_ONCE: usize = 8;
/// Sources told of one item at most.
const SOURCES: usize = 16;

/// One search.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    words: Vec<String>,
    limit: u32,
    until: Instant,
    /// Words and shards still to be asked, the most promising first.
    keys: VecDeque<(Key, u8)>,
    /// Items seen whose sources are to be asked for.
    items: VecDeque<([u8; 32], Item)>,
    seen: BTreeSet<[u8; 32]>,
    told: BTreeSet<([u8; 32], Endpoint)>,
    asking: BTreeMap<[u8; 32], Item>,
    asked_keys: usize,
}

impl Search {
    /// When it ends at the latest.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    fn is_enough(&self) -> bool {
        self.told.len() as u64 >= u64::from(self.limit)
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
        let mut keys: Vec<Key> = words.iter().map(|word| Key(word.clone(), None)).collect();
        self.publishing.rarity.sort(&mut keys);
        let search = Search {
            words,
            limit: query.limit.max(1),
            until: cx.now() + query.timeout,
            keys: keys.into_iter().map(|key| (key, 0)).collect(),
            items: VecDeque::new(),
            seen: BTreeSet::new(),
            told: BTreeSet::new(),
            asking: BTreeMap::new(),
            asked_keys: 0,
        };
        self.publishing.searches.insert(ticket, search);
        self.search_on(core, ticket, cx);
    }

    /// Asks the next owners, as many as may be asked at once; ends the search if there is nothing more to ask.
    fn search_on(&mut self, core: &mut Core, ticket: Ticket, cx: &mut Context<'_>) {
        loop {
            let Some(search) = self.publishing.searches.get_mut(&ticket) else { return };
            if search.is_enough() {
                return self.finish_search(ticket, cx);
            }
            let free = search.asking.len() + search.asked_keys < AT_ONCE;
            // Sources of what is found come before further words: often they are all that is wanted.
            if free && let Some((content, item)) = search.items.pop_front() {
                search.asking.insert(content, item);
                let wish = Wish::Want(Want::Providers(content));
                let reading = Reading::new(Reader::Sources(ticket, content), wish);
                if !self.read(core, reading) {
                    self.on_sources(core, (ticket, content), None, cx);
                }
                continue;
            }
            let quiet = search.asking.is_empty() && search.asked_keys == 0;
            if quiet && search.keys.is_empty() {
                return self.finish_search(ticket, cx);
            }
            let may_ask = quiet || search.keys.front().is_some_and(|(_, shard)| *shard > 0 && free);
            if !may_ask {
                return;
            }
            let Some((key, shard)) = search.keys.pop_front() else { return };
            let Some(at) = key.terms().map(|terms| terms.ring_key(shard)) else { continue };
            search.asked_keys += 1;
            let wish = Wish::Postings { key: at, words: search.words.clone(), limit: search.limit };
            let mut reading = Reading::new(Reader::Search(ticket), wish);
            reading.word = Some((key, shard));
            if !self.read(core, reading) {
                self.on_postings(core, ticket, None, cx);
                return;
            }
        }
    }

    fn read(&mut self, core: &mut Core, reading: Reading) -> bool {
        let key = reading.wish.key();
        self.begin(core, key, Task::Get(Box::new(reading))).is_some()
    }

    /// A word's owner has answered, or nobody did.
    pub(crate) fn on_postings(
        &mut self,
        core: &mut Core,
        ticket: Ticket,
        reading: Option<Reading>,
        cx: &mut Context<'_>,
    ) {
        let Some(search) = self.publishing.searches.get_mut(&ticket) else { return };
        search.asked_keys = search.asked_keys.saturating_sub(1);
        if let Some(reading) = reading {
            for (_, body) in reading.found.values() {
                search.take(body);
            }
            if let Some((key, 0)) = reading.word {
                let said = Said { count: reading.count, bits: reading.shard_bits };
                // The other shards of this word before other words.
                for shard in (1..1u16 << said.bits).rev() {
                    search.keys.push_front((key.clone(), u8::try_from(shard).unwrap_or(u8::MAX)));
                }
                if search.words.len() == 1 {
                    // A count of what has several words says nothing of one of them.
                    self.publishing.rarity.heard(&key, said);
                }
            }
        }
        self.search_on(core, ticket, cx);
    }

    /// Who has an item is known, or nobody told.
    pub(crate) fn on_sources(
        &mut self,
        core: &mut Core,
        (ticket, content): (Ticket, [u8; 32]),
        reading: Option<&Reading>,
        cx: &mut Context<'_>,
    ) {
        let Some(search) = self.publishing.searches.get_mut(&ticket) else { return };
        let Some(item) = search.asking.remove(&content) else { return };
        let bodies = reading.iter().flat_map(|reading| reading.found.values());
        for source in bodies.filter_map(|(_, body)| source_of(body)).take(SOURCES) {
            if !search.is_enough() && search.told.insert((content, source)) {
                let source = Source::Swarm(source);
                let found = discovery::Event::Found { ticket, item: item.clone(), source };
                cx.emit(Event::Discovery(found));
            }
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

impl Search {
    /// A hit: of each item the first posting that has all words counts.
    fn take(&mut self, body: &[u8]) {
        let Ok(Record::Signed(Signed {
            subject: Subject::Posting { content, .. }, value: Some(value), ..
        })) = Record::decode(body)
        else {
            return;
        };
        let Ok(posting) = Posting::decode(value) else { return };
        let words = words_of(&posting);
        let has_all = self.words.iter().all(|word| words.contains(word));
        if has_all && self.seen.len() < 4_096 && self.seen.insert(*content) {
            self.items.push_back((*content, item_of(content, &posting)));
        }
    }
}

fn source_of(body: &[u8]) -> Option<Endpoint> {
    let record = Record::decode(body).ok().filter(|record| !record.is_tombstone())?;
    let provider = Provider::decode(record.value()).ok()?;
    provider.addresses.iter().next().map(Endpoint::from).filter(Endpoint::is_dialable)
}
