//! A whole .torrent file: the info dictionary and what stands around it.

use super::{Info, MetainfoError, PieceLayers};
use crate::bencode::{self, Encoder, Limits, Value};

/// Most trackers, and most web seeds, that are kept; more are dropped.
pub const MAX_URLS: usize = 256;

/// Longest URL that is kept, in bytes; longer ones are dropped.
pub const MAX_URL_LEN: usize = 2_048;

/// A parsed .torrent file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metainfo {
    /// The info dictionary.
    pub info: Info,
    /// v2 piece hashes.
    pub layers: PieceLayers,
    /// Tracker URLs in tiers (BEP 12), unchecked beyond their length; no tier is empty.
    pub trackers: Vec<Vec<String>>,
    /// Web seed URLs (`url-list`, BEP 19).
    pub web_seeds: Vec<String>,
    /// Seeds that speak BEP 17 (`httpseeds`).
    pub http_seeds: Vec<String>,
    /// Free text.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
}

impl Metainfo {
    /// A torrent with nothing but its info dictionary, as a magnet link yields it.
    pub fn new(info: Info) -> Self {
        Self {
            info,
            layers: PieceLayers::new(),
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            http_seeds: Vec::new(),
            comment: None,
            created_by: None,
            creation_date: None,
        }
    }

    /// Reads a .torrent file of at most 10 MB (the default [`Limits`]).
    pub fn parse(torrent: &[u8]) -> Result<Self, MetainfoError> {
        Self::parse_with(torrent, Limits::default())
    }

    /// Reads a .torrent file with other limits: one's own files may be larger than what strangers are allowed.
    pub fn parse_with(torrent: &[u8], limits: Limits) -> Result<Self, MetainfoError> {
        let document = bencode::decode_with(torrent, limits)?;
        let root = document.root();
        root.as_dict().ok_or(MetainfoError::NotADict)?;
        let info = Info::from_value(root.get(b"info").ok_or(MetainfoError::NoInfo)?)?;
        let layers = match root.get(b"piece layers").filter(|_| info.hash_v2().is_some()) {
            Some(dict) => PieceLayers::parse(dict, info.layout())?,
            None => PieceLayers::new(),
        };
        Ok(Self {
            layers,
            trackers: trackers(root),
            web_seeds: urls(root.get(b"url-list")),
            http_seeds: urls(root.get(b"httpseeds")),
            comment: text(root, b"comment.utf-8").or_else(|| text(root, b"comment")),
            created_by: text(root, b"created by"),
            creation_date: root.get(b"creation date").and_then(Value::as_int),
            info,
        })
    }

    /// The canonical .torrent file; the info dictionary stays as it came.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.begin_dict();
        if let Some(first) = self.trackers.iter().flatten().next() {
            out.entry_bytes("announce", first);
        }
        if self.trackers.iter().map(Vec::len).sum::<usize>() > 1 {
            out.key("announce-list").begin_list();
            self.trackers.iter().for_each(|tier| list(&mut out, tier));
            out.end();
        }
        self.comment.iter().for_each(|comment| _ = out.entry_bytes("comment", comment));
        self.created_by.iter().for_each(|program| _ = out.entry_bytes("created by", program));
        self.creation_date.iter().for_each(|date| _ = out.entry_int("creation date", *date));
        if !self.http_seeds.is_empty() {
            list(out.key("httpseeds"), &self.http_seeds);
        }
        out.key("info").raw(self.info.raw());
        if self.info.hash_v2().is_some() {
            out.key("piece layers").begin_dict();
            self.layers.iter().for_each(|(root, layer)| _ = out.entry_bytes(root, layer));
            out.end();
        }
        if !self.web_seeds.is_empty() {
            list(out.key("url-list"), &self.web_seeds);
        }
        out.end();
        out.finish()
    }
}

fn list(out: &mut Encoder, items: &[String]) {
    out.begin_list();
    items.iter().for_each(|item| _ = out.bytes(item));
    out.end();
}

fn text(dict: Value<'_, '_>, key: &[u8]) -> Option<String> {
    dict.get(key).and_then(Value::as_bytes).map(|text| String::from_utf8_lossy(text).into_owned())
}

fn url(value: Value<'_, '_>) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty() && text.len() <= MAX_URL_LEN).then(|| text.to_owned())
}

/// One URL or a list of them: both occur.
fn urls(value: Option<Value<'_, '_>>) -> Vec<String> {
    let Some(value) = value else { return Vec::new() };
    match value.as_list() {
        Some(items) => items.filter_map(url).take(MAX_URLS).collect(),
        None => url(value).into_iter().collect(),
    }
}

/// The tiers of `announce-list`, or `announce` where that has no usable one.
fn trackers(root: Value<'_, '_>) -> Vec<Vec<String>> {
    let mut tiers = Vec::new();
    let mut room = MAX_URLS;
    for tier in root.get(b"announce-list").and_then(Value::as_list).into_iter().flatten() {
        let mut tier = urls(Some(tier));
        tier.truncate(room);
        room -= tier.len();
        if !tier.is_empty() {
            tiers.push(tier);
        }
    }
    if tiers.is_empty() {
        tiers.extend(root.get(b"announce").and_then(url).map(|only| vec![only]));
    }
    tiers
}
