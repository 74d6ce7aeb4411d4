//! What the ordinary nodes of one supernode share: the keyword index, the tags it cannot rebuild, roots, the digest.
//!
//! A file with no more than a name (what mldonkey shares) is in the index alone; tags of others are kept as they came,
//! so that they are given back unchanged. Invariant: the digest has exactly the words, hashes and roots of the files.

use super::digest::{Key, Own};
use super::query::Prepared;
use super::{magnet, packed};
use crate::keyword_index::{
    self, Attributes, DocId, Entry, KeywordIndex, Kind, MAX_KEY, MAX_NAME, Order, OwnerId, Words,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use throng_wire::fasttrack::{FtHash, Item, Media, Share, TagKind, Tags, TagsWriter};

/// Bytes of all tags of one file at most; a magnet link takes a thousand.
const MAX_TAGS: usize = 2_048;
/// Steps that one search may take: below a millisecond.
const WORK: u32 = 50_000;

/// What is kept of a file that the index does not keep: its tags, packed, and behind them its file id unless that is
/// the hash's checksum.
#[derive(Debug)]
struct Extra(Box<[u8]>);

/// All shared files.
pub struct Catalogue {
    index: KeywordIndex,
    extras: BTreeMap<u32, Extra>,
    /// Beginnings of roots and who has them.
    roots: BTreeSet<(u64, u32)>,
    digest: Own,
    words: Words,
    files: u32,
}

/// A file that was found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Whose.
    pub owner: OwnerId,
    /// It.
    pub item: Item<'a>,
}

impl Catalogue {
    /// Nothing yet; `seed` keys the index's hashes.
    pub fn new(seed: [u64; 2]) -> Catalogue {
        Catalogue {
            index: KeywordIndex::new(seed),
            extras: BTreeMap::new(),
            roots: BTreeSet::new(),
            digest: Own::default(),
            words: Words::new(),
            files: 0,
        }
    }

    /// Adds a file, in place of what the owner said of the same hash before; `false` if it cannot be kept.
    pub fn share(&mut self, owner: OwnerId, share: &Share<'_>) -> bool {
        let item = &share.item;
        let tags = item.tags.to_bytes();
        if tags.len() > MAX_TAGS {
            return false;
        }
        self.unshare(owner, &item.hash);
        let text = searchable(&item.tags);
        let number = |kind| item.tags.find(kind).and_then(|tag| tag.number()).unwrap_or(0);
        let small = |kind| u32::try_from(number(kind)).unwrap_or(u32::MAX);
        let attributes = Attributes {
            kind: kind_of(share.media),
            size: item.size,
            bitrate: small(TagKind::QUALITY),
            frequency: 0,
            duration: small(TagKind::SECONDS),
        };
        let entry = Entry { name: &text, key: &item.hash.0, attributes };
        let Ok(doc) = self.index.insert(owner, &entry) else { return false };
        self.files += 1;
        if !is_plain(item, &text) {
            self.extras.insert(doc.0, Extra::of(item, &tags, name_in(&text)));
        }
        let root = root_of(&item.tags);
        if let Some(root) = &root {
            self.roots.insert((beginning(root), doc.0));
            self.digest.add(Key::root(root));
        }
        self.count(&text, &item.hash, Own::add);
        self.resize();
        true
    }

    /// Whether an owner shares a file of that hash.
    pub fn has(&mut self, owner: OwnerId, hash: &FtHash) -> bool {
        self.doc_of(owner, hash).is_some()
    }

    fn doc_of(&mut self, owner: OwnerId, hash: &FtHash) -> Option<DocId> {
        let mut doc = None;
        self.index.search_key(&hash.0, WORK, &mut |hit| {
            doc = (hit.owner == owner).then_some(hit.doc);
            doc.is_none()
        });
        doc
    }

    /// Takes a file back; `false` if the owner has none of that hash.
    pub fn unshare(&mut self, owner: OwnerId, hash: &FtHash) -> bool {
        let Some(doc) = self.doc_of(owner, hash) else { return false };
        self.forget(doc);
        self.index.remove(doc);
        self.resize();
        true
    }

    /// Takes back all that an owner has; how many they were.
    pub fn remove_owner(&mut self, owner: OwnerId) -> u32 {
        let mut docs = Vec::with_capacity(self.index.count(owner) as usize);
        self.index.browse(owner, |hit| {
            docs.push(hit.doc);
            true
        });
        docs.into_iter().for_each(|doc| self.forget(doc));
        let count = self.index.remove_owner(owner);
        self.resize();
        count
    }

    /// Takes a document out of everything but the index.
    fn forget(&mut self, doc: DocId) {
        let known = self.index.with(doc, |hit| (hit.entry.name.to_vec(), hit.entry.key.to_vec()));
        let Some((name, key)) = known else { return };
        self.files -= 1;
        if let Some(root) = self.extras.remove(&doc.0).and_then(|extra| extra.root(name_in(&name))) {
            self.roots.remove(&(beginning(&root), doc.0));
            self.digest.remove(Key::root(&root));
        }
        if let Ok(hash) = key.as_slice().try_into() {
            self.count(&name, &FtHash(hash), Own::remove);
        }
    }

    /// Counts the words and the hash of a file, each word once.
    fn count(&mut self, text: &[u8], hash: &FtHash, with: impl Fn(&mut Own, Key)) {
        self.words.clear();
        self.words.add(text);
        let mut keys: Vec<Key> = self.words.iter().map(Key::word).collect();
        keys.push(Key::hash(&hash.0));
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().for_each(|key| with(&mut self.digest, key));
    }

    /// Counts anew in a filter of another size, if this one is too dense or too thin.
    fn resize(&mut self) {
        let Some(log2) = self.digest.better_size() else { return };
        self.digest = Own::of_size(log2);
        for doc in (0..self.index.end()).map(DocId) {
            let known = self.index.with(doc, |hit| (hit.entry.name.to_vec(), hit.entry.key.to_vec()));
            if let Some((name, key)) = known
                && let Ok(hash) = key.as_slice().try_into()
            {
                self.count(&name, &FtHash(hash), Own::add);
                if let Some(root) = self.extras.get(&doc.0).and_then(|extra| extra.root(name_in(&name))) {
                    self.digest.add(Key::root(&root));
                }
            }
        }
    }

    /// Shows `found` the files that a search asks for, but those of `not`, from `start` on until it breaks.
    pub fn search(
        &mut self,
        search: &Prepared,
        not: Option<OwnerId>,
        start: DocId,
        found: &mut dyn FnMut(&Found<'_>) -> ControlFlow<()>,
    ) {
        if !search.keys.iter().all(|key| self.digest.may_have(*key)) {
            return;
        }
        let (extras, mut over) = (&self.extras, false);
        let mut look = |hit: &keyword_index::Hit<'_>| {
            let skip = over
                || not == Some(hit.owner)
                || search.hash.is_some_and(|hash| hash.0 != hit.entry.key)
                || !search.filters.accepts(&hit.entry.attributes);
            if !skip {
                over = with_item(extras, hit, |media, item| {
                    search.accepts(media, &item.tags)
                        && found(&Found { owner: hit.owner, item: *item }).is_break()
                });
            }
            over
        };
        if let Some(hash) = search.hash {
            let words = &search.words;
            self.index.search_key(&hash.0, WORK, &mut |hit| {
                let there = Words::of(hit.entry.name);
                let all = words.iter().all(|word| there.iter().any(|other| other == word));
                !(all && look(hit))
            });
        } else if let Some(root) = search.root {
            let from = beginning(&root);
            for (_, doc) in self.roots.range((from, 0)..=(from, u32::MAX)).take(WORK as usize / 16) {
                self.index.with(DocId(*doc), &mut look);
            }
        } else {
            let query = keyword_index::Query {
                filters: search.filters,
                not_owner: not,
                limit: u32::MAX,
                order: Order::From(start),
                work: WORK,
                ..keyword_index::Query::new(&search.words)
            };
            self.index.search_until(&query, &mut |hit| {
                if look(hit) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
    }

    /// Shows an owner's files until `read` returns false.
    pub fn browse(&self, owner: OwnerId, mut read: impl FnMut(Media, &Item<'_>) -> bool) {
        self.index.browse(owner, |hit| with_item(&self.extras, hit, &mut read));
    }

    /// Files of an owner.
    pub fn count_of(&self, owner: OwnerId) -> u32 {
        self.index.count(owner)
    }

    /// How many files there are.
    pub fn files(&self) -> u32 {
        self.files
    }

    /// No document has this number or a larger one.
    pub fn end(&self) -> u32 {
        self.index.end()
    }

    /// The digest.
    pub fn digest(&mut self) -> &mut Own {
        &mut self.digest
    }

    /// Files, words and bytes, the digest included.
    pub fn size(&self) -> keyword_index::Size {
        let extras: usize = self.extras.values().map(|extra| extra.0.len() + 40).sum();
        let own = self.digest.held() + extras + self.roots.len() * 24;
        let size = self.index.size();
        keyword_index::Size { bytes: size.bytes + own, ..size }
    }
}

impl Extra {
    /// The last byte, where a file id stands before it.
    const WITH_ID: u8 = 1;

    fn of(item: &Item<'_>, tags: &[u8], name: &[u8]) -> Extra {
        let mut bytes = packed::pack(tags, name);
        if item.file_id != u64::from(item.hash.checksum()) {
            bytes.extend(item.file_id.to_le_bytes());
            bytes.push(Extra::WITH_ID);
        } else {
            bytes.push(0);
        }
        Extra(bytes.into())
    }

    /// The file id, if it is not the checksum, and the tags as they came.
    fn read(&self, name: &[u8]) -> Option<(Option<u64>, Vec<u8>)> {
        let (kind, rest) = self.0.split_last()?;
        if *kind == 0 {
            return Some((None, packed::unpack(rest, name)?));
        }
        let (rest, id) = rest.split_last_chunk()?;
        Some((Some(u64::from_le_bytes(*id)), packed::unpack(rest, name)?))
    }

    fn root(&self, name: &[u8]) -> Option<[u8; 32]> {
        let (_, tags) = self.read(name)?;
        root_of(&Tags::parse(&tags).ok()?)
    }
}

/// The file's name in the text that the index has of it.
fn name_in(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or(&[])
}

/// Shows a hit as FastTrack's file, its tags as they came or, if it had a name only, rebuilt.
fn with_item(
    extras: &BTreeMap<u32, Extra>,
    hit: &keyword_index::Hit<'_>,
    read: impl FnOnce(Media, &Item<'_>) -> bool,
) -> bool {
    let Ok(hash) = hit.entry.key.try_into().map(FtHash) else { return false };
    let (media, size) = (media_of(hit.entry.attributes.kind), hit.entry.attributes.size);
    if let Some(extra) = extras.get(&hit.doc.0) {
        let Some((file_id, tags)) = extra.read(name_in(hit.entry.name)) else { return false };
        let Ok(tags) = Tags::parse(&tags) else { return false };
        return read(media, &Item { hash, file_id: file_id.unwrap_or(hash.checksum().into()), size, tags });
    }
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, hit.entry.name);
    read(media, &Item { hash, file_id: hash.checksum().into(), size, tags: tags.tags() })
}

/// Whether the index alone can give the file back.
fn is_plain(item: &Item<'_>, text: &[u8]) -> bool {
    let name = item.tags.find(TagKind::FILE_NAME);
    item.tags.len() == 1
        && name.is_some_and(|tag| tag.data == text)
        && item.file_id == u64::from(item.hash.checksum())
}

/// The texts that words are looked for in: the name first, cut to what the index takes.
fn searchable(tags: &Tags<'_>) -> Vec<u8> {
    let name = tags.find(TagKind::FILE_NAME).map_or(&[][..], |tag| tag.data);
    let mut text = name.to_vec();
    for tag in tags.iter().filter(|tag| tag.kind.is_text() && tag.kind != TagKind::FILE_NAME) {
        text.push(0);
        text.extend_from_slice(tag.data);
    }
    text.truncate(MAX_NAME);
    text
}

fn root_of(tags: &Tags<'_>) -> Option<[u8; 32]> {
    magnet::root(tags.find(TagKind::MAGNET)?.data)
}

fn beginning(root: &[u8; 32]) -> u64 {
    root.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

const fn kind_of(media: Media) -> Kind {
    match media {
        Media::Unknown => Kind::Other,
        Media::Audio => Kind::Audio,
        Media::Video => Kind::Video,
        Media::Image => Kind::Image,
        Media::Document => Kind::Text,
        Media::Software => Kind::Application,
    }
}

const fn media_of(kind: Kind) -> Media {
    match kind {
        Kind::Other => Media::Unknown,
        Kind::Mp3 | Kind::Audio => Media::Audio,
        Kind::Video => Media::Video,
        Kind::Image => Media::Image,
        Kind::Text => Media::Document,
        Kind::Application => Media::Software,
    }
}

// An FTHash is a key.
const _: () = assert!(MAX_KEY >= 20);
