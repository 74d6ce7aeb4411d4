//! What searches have found: one hit for the same content, whatever named it where, with an id that `throng fetch`
//! takes for a day.

pub(super) use super::kept::KeptHit;
use super::report::{HashReport, HitReport};
use crate::text;
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use throng_overlay::discovery::{Item, Source};
use throng_overlay::publication::Verified;
use throng_wire::ids::{InfoHashV1, InfoHashV2};
use throng_wire::magnet::{Magnet, PeerAddress};

/// Hits kept; the oldest goes when another comes.
const MOST: usize = 10_000;
/// Peers taken of one link of a stranger.
const PEERS: usize = 4;
/// Sources kept of one hit.
const SOURCES: usize = 64;
/// Digits of an id.
const ID: usize = 8;
/// Seconds a hit is kept.
pub(super) const LIFE: u64 = 86_400;

/// One hit.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Hit {
    pub(super) id: String,
    pub(super) item: Item,
    pub(super) sources: BTreeSet<Source>,
    pub(super) systems: BTreeSet<String>,
    /// Of the sources that were asked, whether they answered.
    pub(super) probed: BTreeMap<Source, bool>,
    /// Who signed it, and what it is called by them.
    pub(super) publisher: Option<[u8; 32]>,
    pub(super) signed_title: Option<String>,
    /// Seconds since 1970 when it was last found.
    pub(super) seen: u64,
}

impl Hit {
    /// Whether a source has answered for it.
    pub(super) fn is_live(&self) -> bool {
        self.probed.values().any(|live| *live)
    }

    /// Whether all sources that were asked are silent.
    pub(super) fn is_dead(&self) -> bool {
        !self.probed.is_empty() && !self.is_live()
    }
}

/// What content is known by, the strongest first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    Root([u8; 32]),
    V2([u8; 32], u64),
    Sha1([u8; 20]),
    Tiger([u8; 24]),
    Swarm([u8; 20], u64),
    FtHash([u8; 20], u64),
    Name(String, u64),
}

/// All hits.
#[derive(Default)]
pub(super) struct Hits {
    by_id: BTreeMap<String, Hit>,
    by_key: BTreeMap<Key, String>,
    /// Hits that were found to be another.
    merged: BTreeMap<String, String>,
}

impl Hits {
    /// Takes what a system found; the hit's id, and whether anything about it is new.
    pub(super) fn absorb(&mut self, system: &str, item: Item, source: Source, now: u64) -> (String, bool) {
        let keys = keys(&item);
        let known = keys
            .iter()
            .filter_map(|key| self.by_key.get(key))
            .find(|id| self.by_id.get(*id).is_some_and(|hit| !contradicts(&hit.item, &item)));
        let id = known.cloned().unwrap_or_else(|| self.new_id(&keys));
        let hit = self.by_id.entry(id.clone()).or_insert_with(|| Hit {
            id: id.clone(),
            item: Item { title: item.title.clone(), size: item.size, ..Item::default() },
            sources: BTreeSet::new(),
            systems: BTreeSet::new(),
            probed: BTreeMap::new(),
            publisher: None,
            signed_title: None,
            seen: now,
        });
        let before = (hit.item.clone(), hit.sources.len(), hit.systems.len());
        learn(&mut hit.item, item);
        if hit.sources.len() < SOURCES {
            hit.sources.insert(source);
        }
        hit.systems.insert(system.to_owned());
        hit.seen = now;
        let new = before != (hit.item.clone(), hit.sources.len(), hit.systems.len());
        let all = self::keys(&hit.item);
        for key in keys.into_iter().chain(all) {
            self.by_key.entry(key).or_insert_with(|| id.clone());
        }
        self.shrink();
        (id, new)
    }

    /// A hit by its id.
    pub(super) fn get(&self, id: &str) -> Option<&Hit> {
        self.by_id.get(self.merged.get(id).map_or(id, String::as_str))
    }

    /// The holder of a copy has said what it is; the hit that it is now part of, if it was another than thought.
    pub(super) fn learned(&mut self, id: &str, told: Item) -> Option<String> {
        let hit = self.by_id.get(id).filter(|hit| !contradicts(&hit.item, &told))?;
        let mut item = hit.item.clone();
        learn(&mut item, told);
        let strong = keys(&item);
        let other = strong.iter().filter_map(|key| self.by_key.get(key)).find(|other| {
            other.as_str() != id && self.by_id.get(*other).is_some_and(|hit| !contradicts(&hit.item, &item))
        });
        if let Some(other) = other.cloned() {
            let hit = self.by_id.remove(id)?;
            let into = self.by_id.get_mut(&other)?;
            learn(&mut into.item, item);
            into.sources.extend(hit.sources);
            into.systems.extend(hit.systems);
            into.probed.extend(hit.probed);
            self.by_key.values_mut().filter(|of| *of == id).for_each(|of| other.clone_into(of));
            self.merged.values_mut().filter(|of| *of == id).for_each(|of| other.clone_into(of));
            self.merged.insert(id.to_owned(), other.clone());
            return Some(other);
        }
        strong.into_iter().for_each(|key| _ = self.by_key.entry(key).or_insert_with(|| id.to_owned()));
        if let Some(hit) = self.by_id.get_mut(id) {
            hit.item = item;
        }
        None
    }

    /// More places of a hit, as a holder of it says.
    pub(super) fn add_sources(&mut self, id: &str, sources: Vec<Source>) {
        if let Some(hit) = self.by_id.get_mut(id) {
            let room = SOURCES.saturating_sub(hit.sources.len());
            hit.sources.extend(sources.into_iter().take(room));
        }
    }

    /// A hit by its id or an unambiguous beginning of it, at least four digits.
    pub(super) fn find(&self, text: &str) -> Option<&Hit> {
        let text = text.to_ascii_lowercase();
        if let Some(hit) = self.get(&text) {
            return Some(hit);
        }
        let mut like = self.by_id.range(text.clone()..).take_while(|(id, _)| id.starts_with(&text));
        let (_, hit) = like.next().filter(|_| text.len() >= 4)?;
        like.next().is_none().then_some(hit)
    }

    /// Another search: who was there before may have gone.
    pub(super) fn forget_answers(&mut self, id: &str) {
        if let Some(hit) = self.by_id.get_mut(id) {
            hit.probed.clear();
        }
    }

    /// Whether a source answered.
    pub(super) fn probed(&mut self, id: &str, source: Source, live: bool) {
        if let Some(hit) = self.by_id.get_mut(id) {
            hit.probed.insert(source, live);
        }
    }

    /// What was signed of it; the newest counts.
    pub(super) fn signed(&mut self, id: &str, records: &[Verified]) -> bool {
        let newest = records.iter().max_by_key(|verified| verified.publication.sequence);
        let (Some(hit), Some(verified)) = (self.by_id.get_mut(id), newest) else { return false };
        hit.publisher = Some(verified.publisher);
        // What was signed names a folder as a whole; a file of it goes by its own name.
        if verified.publication.item.size == hit.item.size {
            hit.signed_title = Some(verified.publication.item.title.clone());
        }
        if verified.publication.files == 1 {
            learn(&mut hit.item, verified.publication.item.clone());
        }
        true
    }

    /// Hits of this name and size whose hashes say nothing about being the same.
    fn perhaps_same(&self, hit: &Hit) -> Vec<String> {
        let like = |other: &&Hit| {
            other.id != hit.id
                && other.item.size == hit.item.size
                && folded(&other.item.title) == folded(&hit.item.title)
                && !contradicts(&other.item, &hit.item)
        };
        self.by_id.values().filter(like).map(|other| other.id.clone()).take(8).collect()
    }

    /// A hit as people see it.
    pub(super) fn report(&self, id: &str, words: &[String], own: bool) -> Option<HitReport> {
        let hit = self.by_id.get(id)?;
        let live = hit.probed.values().filter(|live| **live).count();
        Some(HitReport {
            id: hit.id.clone(),
            title: text::line(hit.signed_title.as_ref().unwrap_or(&hit.item.title)),
            size: hit.item.size,
            sources: hit.sources.len(),
            live,
            checked: hit.probed.len(),
            systems: hit.systems.iter().cloned().collect(),
            verified: hit.publisher.is_some(),
            provable: is_provable(&hit.item),
            publisher: hit.publisher.map(|key| HEXLOWER.encode(&key)),
            hashes: hashes(&hit.item),
            magnet: magnet(&hit.item).map(|magnet| magnet.to_string()),
            perhaps_same: self.perhaps_same(hit),
            replaces: self.merged.iter().filter(|(_, of)| *of == id).map(|(old, _)| old.clone()).collect(),
            rank: rank(hit, live, words),
            own,
        })
    }

    fn new_id(&self, keys: &[Key]) -> String {
        let mut number = 0u32;
        loop {
            let digest = Sha256::digest(format!("{:?} {number}", keys.first()).as_bytes());
            let mut id = BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
            id.truncate(ID);
            if !self.by_id.contains_key(&id) {
                return id;
            }
            number += 1;
        }
    }

    fn shrink(&mut self) {
        if self.by_id.len() <= MOST {
            return;
        }
        let oldest = self.by_id.values().min_by_key(|hit| hit.seen).map(|hit| hit.id.clone());
        if let Some(id) = oldest {
            self.by_id.remove(&id);
            self.by_key.retain(|_, of| *of != id);
            self.merged.retain(|_, of| *of != id);
        }
    }

    /// Puts back a hit of an earlier run.
    pub(super) fn restore(&mut self, hit: Hit) {
        for key in keys(&hit.item) {
            self.by_key.entry(key).or_insert_with(|| hit.id.clone());
        }
        self.by_id.insert(hit.id.clone(), hit);
    }
}

pub(super) fn folded(title: &str) -> String {
    title.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn keys(item: &Item) -> Vec<Key> {
    let mut keys = Vec::new();
    keys.extend(item.root.map(Key::Root));
    keys.extend(item.info_hash_v2.map(|hash| Key::V2(hash, item.size)));
    keys.extend(item.sha1.map(Key::Sha1));
    keys.extend(item.tiger.map(Key::Tiger));
    keys.extend(item.info_hash.map(|hash| Key::Swarm(hash, item.size)));
    if keys.is_empty() {
        keys.extend(item.ft_hash.map(|hash| Key::FtHash(hash, item.size)));
    }
    if keys.is_empty() {
        keys.push(Key::Name(folded(&item.title), item.size));
    }
    keys
}

/// Whether a hash both have differs, or the size.
pub(super) fn contradicts(one: &Item, other: &Item) -> bool {
    fn differ<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
        matches!((one, other), (Some(one), Some(other)) if one != other)
    }
    one.size != other.size && one.size != 0 && other.size != 0
        || differ(&one.root, &other.root)
        || differ(&one.sha1, &other.sha1)
        || differ(&one.tiger, &other.tiger)
        || differ(&one.ft_hash, &other.ft_hash)
}

/// Fills in what was not known.
fn learn(known: &mut Item, item: Item) {
    known.size = if known.size == 0 { item.size } else { known.size };
    known.root = known.root.or(item.root);
    known.info_hash = known.info_hash.or(item.info_hash);
    known.info_hash_v2 = known.info_hash_v2.or(item.info_hash_v2);
    known.sha1 = known.sha1.or(item.sha1);
    known.tiger = known.tiger.or(item.tiger);
    known.ft_hash = known.ft_hash.or(item.ft_hash);
    if known.title.is_empty() {
        known.title = item.title;
    }
}

/// Whether a hash covers all of it.
pub(super) fn is_provable(item: &Item) -> bool {
    item.root.is_some()
        || item.info_hash.is_some()
        || item.info_hash_v2.is_some()
        || item.sha1.is_some()
        || item.tiger.is_some()
}

/// What a link says of content.
pub(super) fn item_of(magnet: &Magnet) -> Item {
    Item {
        title: magnet.name.clone().unwrap_or_default(),
        size: magnet.length.unwrap_or(0),
        root: None,
        info_hash: magnet.swarms().next().map(|hash| hash.0),
        info_hash_v2: magnet.v2.map(|hash| hash.0),
        sha1: magnet.sha1,
        tiger: magnet.tiger_tree,
        ft_hash: None,
    }
}

/// Peers that a link names by address, a few.
pub(super) fn peers_of(magnet: &Magnet) -> impl Iterator<Item = std::net::SocketAddr> {
    let sockets = magnet.peers.iter().filter_map(|peer| match peer {
        PeerAddress::Socket(at) => Some(*at),
        PeerAddress::Host(..) => None,
    });
    sockets.take(PEERS)
}

/// Its link, if a link can name it.
pub(super) fn magnet(item: &Item) -> Option<Magnet> {
    let cut_v2 = item.info_hash_v2.map(InfoHashV2);
    let v1 =
        item.info_hash.filter(|hash| cut_v2.is_none_or(|v2| throng_wire::ids::InfoHash::from(v2).0 != *hash));
    let magnet = Magnet {
        v1: v1.map(InfoHashV1),
        v2: cut_v2,
        sha1: item.sha1,
        tiger_tree: item.tiger,
        name: Some(item.title.clone()),
        length: (item.size > 0).then_some(item.size),
        ..Magnet::default()
    };
    let named =
        magnet.v1.is_some() || magnet.v2.is_some() || magnet.sha1.is_some() || magnet.tiger_tree.is_some();
    named.then_some(magnet)
}

pub(super) fn hashes(item: &Item) -> HashReport {
    HashReport {
        root: item.root.map(|hash| HEXLOWER.encode(&hash)),
        info_hash: item.info_hash.map(|hash| HEXLOWER.encode(&hash)),
        info_hash_v2: item.info_hash_v2.map(|hash| HEXLOWER.encode(&hash)),
        sha1: item.sha1.map(|hash| HEXLOWER.encode(&hash)),
        tiger: item.tiger.map(|hash| HEXLOWER.encode(&hash)),
        ft_hash: item.ft_hash.map(|hash| HEXLOWER.encode(&hash)),
    }
}

/// Signed before unsigned, then what many have, then how much of the title the words are.
fn rank(hit: &Hit, live: usize, words: &[String]) -> f64 {
    let title = folded(&hit.item.title).chars().count().max(1) as f64;
    let asked: usize = words.iter().map(|word| folded(word).chars().count()).sum();
    let signed = if hit.publisher.is_some() { 1_000.0 } else { 0.0 };
    let provable = if is_provable(&hit.item) { 100.0 } else { 0.0 };
    let dead = hit.probed.len().saturating_sub(live);
    let sources = hit.sources.len().saturating_sub(dead).min(50) as f64;
    let gone = if hit.is_dead() { -2_000.0 } else { 0.0 };
    gone + signed + provable + 10.0 * live.min(10) as f64 + sources + (asked as f64 / title).min(1.0)
}

#[cfg(test)]
mod tests;
