//! The index against a plain scan: whatever was inserted, removed and asked, the answers are the same.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Owner, name, key, numbers.
type Document = (OwnerId, Vec<u8>, Vec<u8>, Attributes);

/// Everything in a list, searched from end to end.
#[derive(Default)]
struct Plain {
    documents: BTreeMap<DocId, Document>,
    speeds: BTreeMap<OwnerId, u32>,
}

impl Plain {
    fn search(&self, query: &Query<'_>) -> BTreeSet<DocId> {
        let matches = |(doc, (owner, name, _, attributes)): (&DocId, &Document)| {
            let words = Words::of(name);
            let words: BTreeSet<&[u8]> = words.iter().collect();
            let speed = self.speeds.get(owner).copied().unwrap_or(0);
            let good = !query.words.is_empty()
                && query.words.iter().all(|word| words.contains(word))
                && !query.excluded.iter().any(|word| words.contains(word))
                && query.filters.accepts(attributes)
                && query.filters.speed.contains(speed.into())
                && query.not_owner != Some(*owner)
                && (query.accept)(*owner);
            good.then_some(*doc)
        };
        self.documents.iter().filter_map(matches).collect()
    }
}

/// Both, and everything done to both.
struct Pair {
    index: KeywordIndex,
    plain: Plain,
}

#[derive(Clone, Debug)]
enum Act {
    Insert { owner: u32, name: Vec<u8>, key: u8, numbers: (u8, u64, u32, u32, u32) },
    Remove(prop::sample::Index),
    RemoveOwner(u32),
    Speed(u32, u32),
    Search(Ask),
}

#[derive(Clone, Debug)]
struct Ask {
    words: Vec<u8>,
    excluded: Vec<u8>,
    filters: Filters,
    not_owner: Option<u32>,
    odd_only: bool,
    limit: u32,
    from: Option<u32>,
    ranked: bool,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "zebra", "Zebra", "quagga", "okapi", "don't", "café", "cafe", "ibex", "the", "mp3", "a", "東京",
        "gnu",
    ]);
    let folder = prop::sample::select(vec!["", "C:\\MP3\\", "C:\\My Music\\Aphex\\", "/home/a/"]);
    let latin = any::<bool>();
    // Some have more words than count.
    let words =
        prop_oneof![8 => prop::collection::vec(word.clone(), 0..6), 1 => prop::collection::vec(word, 25..40)];
    (folder, words, latin).prop_map(|(folder, words, latin)| {
        let text = format!("{folder}{}", words.join(" "));
        match latin {
            true => text.chars().map(|char| u8::try_from(u32::from(char)).unwrap_or(b'?')).collect(),
            false => text.into_bytes(),
        }
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    prop_oneof![
        4 => Just(Bounds::default()),
        1 => (0..200_u64).prop_map(|min| Bounds { min, max: u64::MAX }),
        1 => (0..200_u64).prop_map(|max| Bounds { min: 0, max }),
        1 => (0..200_u64).prop_map(|value| Bounds { min: value, max: value }),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let filters = (prop::option::of(0..3_usize), bounds(), bounds(), bounds(), bounds(), bounds()).prop_map(
        |(kind, size, bitrate, frequency, duration, speed)| {
            let kind = kind.map(|kind| [Kind::Mp3, Kind::Video, Kind::Other][kind]);
            Filters { kind, size, bitrate, frequency, duration, speed }
        },
    );
    let who = prop::option::of(0..5_u32);
    let how = (any::<bool>(), prop_oneof![Just(1000), 0..9_u32], prop::option::of(0..300_u32), any::<bool>());
    (name(), prop_oneof![2 => Just(Vec::new()), 1 => name()], filters, who, how).prop_map(
        |(words, excluded, filters, not_owner, (odd_only, limit, from, ranked))| Ask {
            words,
            excluded,
            filters,
            not_owner,
            odd_only,
            limit,
            from,
            ranked,
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let numbers = (0..3_u8, 0..200_u64, 0..200_u32, 0..200_u32, 0..200_u32);
    prop_oneof![
        12 => (0..5_u32, name(), 0..4_u8, numbers)
            .prop_map(|(owner, name, key, numbers)| Act::Insert { owner, name, key, numbers }),
        4 => any::<prop::sample::Index>().prop_map(Act::Remove),
        1 => (0..5_u32).prop_map(Act::RemoveOwner),
        1 => (0..5_u32, 0..200_u32).prop_map(|(owner, speed)| Act::Speed(owner, speed)),
        4 => ask().prop_map(Act::Search),
    ]
}

impl Pair {
    fn new() -> Pair {
        Pair { index: KeywordIndex::new([1, 2]), plain: Plain::default() }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Insert { owner, name, key, numbers } => self.insert(OwnerId(*owner), name, *key, *numbers),
            Act::Remove(which) => {
                let docs: Vec<DocId> = self.plain.documents.keys().copied().collect();
                if !docs.is_empty() {
                    let doc = *which.get(&docs);
                    assert!(self.index.remove(doc));
                    assert!(!self.index.remove(doc));
                    self.plain.documents.remove(&doc);
                }
            }
            Act::RemoveOwner(owner) => {
                let owner = OwnerId(*owner);
                let before = self.plain.documents.len();
                self.plain.documents.retain(|_, document| document.0 != owner);
                self.plain.speeds.remove(&owner);
                assert_eq!(self.index.remove_owner(owner) as usize, before - self.plain.documents.len());
            }
            Act::Speed(owner, speed) => {
                self.index.set_speed(OwnerId(*owner), *speed);
                self.plain.speeds.insert(OwnerId(*owner), *speed);
            }
            Act::Search(ask) => self.ask(ask),
        }
    }

    fn insert(&mut self, owner: OwnerId, name: &[u8], key: u8, numbers: (u8, u64, u32, u32, u32)) {
        let key = if key == 0 { vec![] } else { vec![key; 16] };
        let kind = [Kind::Mp3, Kind::Video, Kind::Other][usize::from(numbers.0)];
        let (size, bitrate, frequency, duration) = (numbers.1, numbers.2, numbers.3, numbers.4);
        let attributes = Attributes { kind, size, bitrate, frequency, duration };
        let doc = self.index.insert(owner, &Entry { name, key: &key, attributes }).unwrap();
        let old = self.plain.documents.insert(doc, (owner, name.to_vec(), key, attributes));
        assert_eq!(old, None, "the id was free");
    }

    fn ask(&mut self, ask: &Ask) {
        let (words, excluded) = (Words::of(&ask.words), Words::of(&ask.excluded));
        let odd = |owner: OwnerId| owner.0 % 2 == 1;
        let rank = |hit: &Hit<'_>| hit.entry.attributes.size / 8;
        let mut query = Query { excluded: &excluded, filters: ask.filters, ..Query::new(&words) };
        query.not_owner = ask.not_owner.map(OwnerId);
        query.limit = ask.limit;
        if ask.odd_only {
            query.accept = &odd;
        }
        if let Some(from) = ask.from {
            query.order = Order::From(DocId(from));
        }
        if ask.ranked {
            query.order = Order::Rank(&rank);
        }
        let expected = self.plain.search(&query);
        let mut found = Vec::new();
        let answer = self.index.search(&query, &mut |hit| {
            let known = &self.plain.documents[&hit.doc];
            assert_eq!((known.0, &*known.1, &*known.2), (hit.owner, hit.entry.name, hit.entry.key));
            assert_eq!(known.3, hit.entry.attributes);
            found.push(hit.doc);
        });
        let mut wanted: Vec<DocId> = expected.iter().copied().collect();
        if ask.ranked {
            wanted.sort_by_key(|doc| std::cmp::Reverse(self.plain.documents[doc].3.size / 8));
        } else if let Some(from) = ask.from {
            let before = wanted.partition_point(|doc| doc.0 < from);
            wanted.rotate_left(before);
        }
        wanted.truncate(ask.limit as usize);
        assert_eq!(found, wanted, "{ask:?}");
        assert_eq!((answer.hits as usize, answer.partial), (found.len(), false));
        assert!(answer.full || found.len() == expected.len() || ask.limit == 0);
    }

    fn check_all(&mut self) {
        assert_eq!(self.index.size().documents as usize, self.plain.documents.len());
        for owner in (0..5).map(OwnerId) {
            let mut browsed = Vec::new();
            self.index.browse(owner, |hit| {
                browsed.push((hit.doc, hit.entry.name.to_vec()));
                true
            });
            browsed.sort();
            let of_owner = self.plain.documents.iter().filter(|(_, document)| document.0 == owner);
            assert_eq!(
                browsed,
                of_owner.map(|(doc, document)| (*doc, document.1.clone())).collect::<Vec<_>>()
            );
            assert_eq!(self.index.count(owner) as usize, browsed.len());
        }
        for (owner, name) in self.plain.documents.values().map(|document| (document.0, &document.1)) {
            let doc = self.index.find(owner, &name.to_ascii_uppercase()).unwrap();
            assert!(self.plain.documents[&doc].1.eq_ignore_ascii_case(name));
        }
        for key in (1..4).map(|key| vec![key; 16]) {
            let mut found = Vec::new();
            self.index.search_key(&key, 100_000, &mut |hit| {
                found.push(hit.doc);
                true
            });
            let with = self.plain.documents.iter().filter(|(_, document)| document.2 == key);
            assert_eq!(found, with.map(|(doc, _)| *doc).collect::<Vec<_>>());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn the_index_answers_as_a_plain_scan_does(acts in prop::collection::vec(act(), 1..300)) {
        let mut pair = Pair::new();
        for act in &acts {
            pair.act(act);
        }
        pair.check_all();
        for owner in 0..5 {
            pair.act(&Act::RemoveOwner(owner));
        }
        // Nothing is left behind: no word, no key.
        prop_assert_eq!((pair.index.size().documents, pair.index.size().words), (0, 0));
    }
}

fn song(name: &[u8]) -> Entry<'_> {
    Entry { name, key: &[], attributes: Attributes::default() }
}

fn search(index: &mut KeywordIndex, text: &[u8]) -> Vec<Vec<u8>> {
    let words = Words::of(text);
    let mut found = Vec::new();
    index.search(&Query::new(&words), &mut |hit| found.push(hit.entry.name.to_vec()));
    found
}

#[test]
fn words_match_whole_and_all_of_them_must() {
    let mut index = KeywordIndex::new([1, 2]);
    for name in [&br"C:\MP3\Aphex Tone - Zebra Song.mp3"[..], b"zebra crossing.mp3", b"zebrafish.mp3"] {
        index.insert(OwnerId(0), &song(name)).unwrap();
    }
    assert_eq!(search(&mut index, b"ZEBRA").len(), 2);
    assert_eq!(search(&mut index, b"song zebra"), [br"C:\MP3\Aphex Tone - Zebra Song.mp3".to_vec()]);
    assert!(search(&mut index, b"zeb").is_empty());
    assert!(search(&mut index, b"zebra nowhere").is_empty());
    assert!(search(&mut index, b"").is_empty());
    assert_eq!(index.frequency(b"zebra"), 2);
}

#[test]
fn a_search_ends_when_whoever_asked_has_enough() {
    let mut index = KeywordIndex::new([1, 2]);
    for number in 0..1_000_u32 {
        index.insert(OwnerId(number / 100), &song(b"the song")).unwrap();
    }
    let (words, rank) = (Words::of(b"song"), |hit: &Hit<'_>| u64::from(hit.doc.0));
    for (order, first) in [(Order::Ascending, 0), (Order::From(DocId(990)), 990), (Order::Rank(&rank), 1_107)]
    {
        let query = Query { order, limit: 500, ..Query::new(&words) };
        let mut found = Vec::new();
        let answer = index.search_until(&query, &mut |hit| {
            found.push(hit.doc.0);
            if found.len() < 20 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!((found.len(), found[0], answer.hits, answer.full), (20, first, 20, true));
        assert!(answer.work < 200 || first == 1_107, "nothing is read behind the last: {answer:?}");
    }
}

#[test]
fn a_search_that_costs_too_much_says_that_it_is_partial() {
    let mut index = KeywordIndex::new([1, 2]);
    for number in 0..20_000_u32 {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        index.insert(OwnerId(number / 100), &song(format!("the {parity} {number}").as_bytes())).unwrap();
    }
    let words = Words::of(b"even odd the");
    let query = Query { work: 1_000, ..Query::new(&words) };
    let answer = index.search(&query, &mut |_| {});
    assert!(answer.partial && answer.work < 1_200, "{answer:?}");
    assert!(!index.search(&Query { work: u32::MAX, ..query }, &mut |_| {}).partial);
    let the = Words::of(b"the");
    let never = |_| false;
    let query = Query { work: 1_000, accept: &never, ..Query::new(&the) };
    let answer = index.search(&query, &mut |_| {});
    assert!(answer.partial && answer.work < 1_200, "{answer:?}");
}

#[test]
fn a_million_documents_of_one_owner_go_in_one_sweep() {
    let mut index = KeywordIndex::new([1, 2]);
    for number in 0..100_000_u32 {
        index.insert(OwnerId(7), &song(format!(r"C:\all\song number {number}.mp3").as_bytes())).unwrap();
    }
    index.insert(OwnerId(8), &song(b"other song.mp3")).unwrap();
    assert_eq!(index.remove_owner(OwnerId(7)), 100_000);
    assert_eq!((index.size().documents, index.size().words), (1, 3));
    assert_eq!(search(&mut index, b"song"), [b"other song.mp3".to_vec()]);
}

#[test]
fn too_long_names_and_keys_are_refused_and_the_longest_are_kept() {
    let mut index = KeywordIndex::new([1, 2]);
    assert_eq!(index.insert(OwnerId(0), &song(&[b'a'; MAX_NAME + 1])), Err(Refusal::NameTooLong));
    let entry = Entry { key: &[1; MAX_KEY + 1], ..song(b"a") };
    assert_eq!(index.insert(OwnerId(0), &entry), Err(Refusal::KeyTooLong));
    for number in 0..40_u8 {
        let name: Vec<u8> = (0..MAX_NAME).map(|at| b'a' + (at as u8).wrapping_mul(number) % 26).collect();
        let doc = index.insert(OwnerId(0), &Entry { key: &[number; MAX_KEY], ..song(&name) }).unwrap();
        assert_eq!(index.with(doc, |hit| hit.entry.name == name), Some(true));
    }
    assert_eq!(index.remove_owner(OwnerId(0)), 40);
    assert_eq!(index.size().words, 0);
}
