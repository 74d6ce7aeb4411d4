//! A search, ready for the index, the digests, and to check what others answer (section 5 of the note).
//!
//! Words count whole, without case and accents, in any order, in the file's name and its text tags; of a term for one
//! text field the words must be in that tag. Numbers are compared as asked; a term of unknown comparison or meaning is
//! ignored. A search needs a word, a hash or a root: everything else only narrows.

use super::digest::Key;
use super::magnet;
use crate::keyword_index::{Bounds, Filters, MAX_WORDS, Words};
use throng_wire::fasttrack::{Comparison, FtHash, Item, Media, Realm, TagKind, Tags, Term, Terms};

/// "About" lets through so many hundredths more or less.
const ABOUT: u64 = 10;

/// A search that can be answered.
#[derive(Debug)]
pub struct Prepared {
    /// All of them must occur.
    pub words: Words,
    /// The content asked for.
    pub hash: Option<FtHash>,
    /// The content asked for, by our tag.
    pub root: Option<[u8; 32]>,
    /// What the index can compare.
    pub filters: Filters,
    /// Kinds of files.
    pub realm: Realm,
    /// What must be in a supernode's digest for it to have an answer.
    pub keys: Vec<Key>,
    /// What only tags tell.
    checks: Vec<Check>,
}

/// A condition on one tag.
#[derive(Debug)]
enum Check {
    Words(TagKind, Words),
    Number(TagKind, Bounds),
}

impl Prepared {
    /// Reads terms; `None` if there is nothing to search by.
    pub fn of(realm: Realm, terms: &Terms<'_>) -> Option<Prepared> {
        let mut prepared = Prepared {
            words: Words::new(),
            hash: None,
            root: None,
            filters: Filters::default(),
            realm,
            keys: Vec::new(),
            checks: Vec::new(),
        };
        let mut surplus = false;
        for term in terms.iter() {
            surplus |= !prepared.take(&term);
        }
        if surplus || (prepared.words.is_empty() && prepared.hash.is_none() && prepared.root.is_none()) {
            return None;
        }
        prepared.keys.extend(prepared.words.iter().map(Key::word));
        prepared.keys.extend(prepared.hash.iter().map(|hash| Key::hash(&hash.0)));
        prepared.keys.extend(prepared.root.iter().map(Key::root));
        prepared.keys.sort_unstable();
        prepared.keys.dedup();
        Some(prepared)
    }

    /// Takes a term; `false` if nothing can match it.
    fn take(&mut self, term: &Term<'_>) -> bool {
        match (term.field, term.comparison) {
            (_, Comparison::Unknown(_)) => true,
            (TagKind::HASH, Comparison::Equals) => set(&mut self.hash, term.data.try_into().ok().map(FtHash)),
            (TagKind::MAGNET, Comparison::Equals) => set(&mut self.root, term.data.try_into().ok()),
            (field, Comparison::Contains | Comparison::Equals)
                if field == TagKind::ANY || field.is_text() =>
            {
                self.take_text(term)
            }
            (field, comparison) if field.is_number() => self.take_number(field, comparison, term.data),
            _ => true,
        }
    }

    fn take_text(&mut self, term: &Term<'_>) -> bool {
        let words = Words::of(term.data);
        // No name has that many words that count, so nothing can match.
        if self.words.len() + words.len() > MAX_WORDS {
            return false;
        }
        self.words.add(term.data);
        if term.field != TagKind::ANY && !words.is_empty() {
            self.checks.push(Check::Words(term.field, words));
        }
        true
    }

    fn take_number(&mut self, field: TagKind, comparison: Comparison, data: &[u8]) -> bool {
        let Some(value) = (throng_wire::fasttrack::Tag { kind: field, data }).number() else { return true };
        let mut own = Bounds::default();
        let bounds = match field {
            TagKind::SIZE => &mut self.filters.size,
            TagKind::SECONDS => &mut self.filters.duration,
            TagKind::QUALITY => &mut self.filters.bitrate,
            _ => &mut own,
        };
        match comparison {
            Comparison::Equals => bounds.equal_to(value),
            Comparison::AtMost => bounds.at_most(value),
            Comparison::AtLeast => bounds.at_least(value),
            Comparison::About => {
                let slack = value / 100 * ABOUT + value % 100 * ABOUT / 100;
                bounds.at_least(value - slack);
                bounds.at_most(value.saturating_add(slack));
            }
            Comparison::Contains | Comparison::Unknown(_) => return true,
        }
        if own != Bounds::default() {
            self.checks.push(Check::Number(field, own));
        }
        true
    }

    /// Whether tags say what the index could not be asked, and the kind is wanted.
    pub fn accepts(&self, media: Media, tags: &Tags<'_>) -> bool {
        self.realm.includes(media)
            && self.root.is_none_or(|root| {
                tags.find(TagKind::MAGNET).is_some_and(|tag| magnet::root(tag.data) == Some(root))
            })
            && self.checks.iter().all(|check| check.holds(tags))
    }

    /// Whether a file that another supernode names is an answer at all.
    pub fn matches(&self, item: &Item<'_>) -> bool {
        let number = |kind| item.tags.find(kind).and_then(|tag| tag.number());
        let texts = item.tags.iter().filter(|tag| tag.kind.is_text());
        let texts: Vec<Words> = texts.map(|tag| Words::of(tag.data)).collect();
        let has = |word: &[u8]| texts.iter().any(|text| text.iter().any(|other| other == word));
        self.hash.is_none_or(|hash| hash == item.hash)
            && self.words.iter().all(has)
            && self.filters.size.contains(item.size)
            && number(TagKind::SECONDS).is_none_or(|value| self.filters.duration.contains(value))
            && number(TagKind::QUALITY).is_none_or(|value| self.filters.bitrate.contains(value))
            // The kind does not travel with hits.
            && self.accepts(Media::Unknown, &item.tags)
    }
}

impl Check {
    fn holds(&self, tags: &Tags<'_>) -> bool {
        match self {
            Check::Words(kind, words) => {
                tags.find(*kind).is_some_and(|tag| contains(&Words::of(tag.data), words))
            }
            Check::Number(kind, bounds) => {
                tags.find(*kind).and_then(|tag| tag.number()).is_some_and(|value| bounds.contains(value))
            }
        }
    }
}

/// Sets what may be asked once; another value cannot match as well.
fn set<T: PartialEq>(to: &mut Option<T>, value: Option<T>) -> bool {
    let fits = value.is_some() && (to.is_none() || *to == value);
    *to = value;
    fits
}

fn contains(there: &Words, wanted: &Words) -> bool {
    wanted.iter().all(|word| there.iter().any(|other| other == word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_wire::fasttrack::{Query, TagsWriter};

    fn prepared(terms: &[Term<'_>]) -> Option<Prepared> {
        let mut into = Vec::new();
        Prepared::of(Realm::EVERYTHING, &Query::write_terms(terms, &mut into))
    }

    fn term(comparison: Comparison, field: TagKind, data: &[u8]) -> Term<'_> {
        Term { comparison, field, data }
    }

    const fn item<'a>(size: u64, tags: Tags<'a>) -> Item<'a> {
        Item { hash: FtHash([5; 20]), file_id: 0, size, tags }
    }

    #[test]
    fn words_match_in_any_order_and_case_and_in_any_text_tag() {
        let search = prepared(&[term(Comparison::Contains, TagKind::ANY, b"song ZEBRA aria")]).unwrap();
        let mut tags = TagsWriter::default();
        tags.text(TagKind::FILE_NAME, b"Zebra-Song.mp3").text(TagKind::ARTIST, b"Aria");
        assert!(search.matches(&item(1, tags.tags())));
        let mut without = TagsWriter::default();
        without.text(TagKind::FILE_NAME, b"Zebra-Song.mp3");
        assert!(!search.matches(&item(1, without.tags())));
        assert_eq!(search.keys.len(), 3);
    }

    #[test]
    fn numbers_are_compared_as_asked() {
        let size = [0x87, 0x68];
        for (comparison, fits) in [
            (Comparison::Equals, [false, true, false]),
            (Comparison::AtMost, [true, true, false]),
            (Comparison::AtLeast, [false, true, true]),
            (Comparison::About, [true, true, true]),
        ] {
            let terms =
                [term(Comparison::Equals, TagKind::HASH, &[5; 20]), term(comparison, TagKind::SIZE, &size)];
            let search = prepared(&terms).unwrap();
            let found = [950, 1_000, 1_099].map(|size| search.matches(&item(size, Tags::default())));
            assert_eq!(found, fits, "{comparison:?}");
            assert!(!search.matches(&item(1_101, Tags::default())) || comparison == Comparison::AtLeast);
        }
    }

    #[test]
    fn terms_nobody_knows_are_ignored_and_a_search_needs_something_to_go_by() {
        let unknown = term(Comparison::Unknown(6), TagKind(0x25), &[2]);
        let hash = term(Comparison::Equals, TagKind::HASH, &[5; 20]);
        assert!(prepared(&[hash, unknown]).unwrap().matches(&item(1, Tags::default())));
        assert!(prepared(&[unknown]).is_none());
        assert!(prepared(&[term(Comparison::AtLeast, TagKind::SIZE, &[1])]).is_none());
        assert!(prepared(&[term(Comparison::Contains, TagKind::ANY, b"...")]).is_none());
        assert!(prepared(&[term(Comparison::Equals, TagKind::HASH, &[5; 19])]).is_none());
        let other = term(Comparison::Equals, TagKind::HASH, &[6; 20]);
        assert!(prepared(&[hash, other]).is_none(), "nothing has two hashes");
        let many = "a ".repeat(MAX_WORDS);
        let words = term(Comparison::Contains, TagKind::ANY, many.as_bytes());
        assert!(prepared(&[words]).is_some() && prepared(&[words, words]).is_none(), "no name has so many");
    }

    #[test]
    fn a_term_for_one_field_looks_there_only_and_a_root_in_our_tag() {
        let search = prepared(&[term(Comparison::Contains, TagKind::ARTIST, b"aria")]).unwrap();
        let mut title = TagsWriter::default();
        title.text(TagKind::FILE_NAME, b"aria.mp3");
        assert!(!search.matches(&item(1, title.tags())));
        title.text(TagKind::ARTIST, b"the aria");
        assert!(search.matches(&item(1, title.tags())));
        let by_root = prepared(&[term(Comparison::Equals, TagKind::MAGNET, &[7; 32])]).unwrap();
        assert!(!by_root.matches(&item(1, title.tags())));
        let known = crate::discovery::Item { root: Some([7; 32]), ..Default::default() };
        title.text(TagKind::MAGNET, &magnet::write(&known, None).unwrap());
        assert!(by_root.matches(&item(1, title.tags())));
    }

    #[test]
    fn years_are_checked_by_their_tag() {
        let year = [0x8f, 0x57];
        let terms =
            [term(Comparison::Contains, TagKind::ANY, b"x"), term(Comparison::Equals, TagKind::YEAR, &year)];
        let search = prepared(&terms).unwrap();
        let mut tags = TagsWriter::default();
        tags.text(TagKind::FILE_NAME, b"x");
        assert!(!search.matches(&item(1, tags.tags())));
        tags.number(TagKind::YEAR, 2_007);
        assert!(search.matches(&item(1, tags.tags())));
    }
}
