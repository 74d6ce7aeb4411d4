//! Scrape over HTTP (BEP 48): counts of swarms, named by repeated `info_hash` parameters.

use super::query::{Query, decode_exact, percent_encode};
use super::{Failure, QueryError, ReplyError, SCRAPE_MAX, decode};
use crate::bencode::{Encoder, Value};
use crate::ids::InfoHash;
use crate::tracker::ScrapeEntry;

/// The swarms a query asks for, in its order.
pub fn scrape_hashes(query: &[u8]) -> impl Iterator<Item = Result<InfoHash, QueryError>> {
    Query(query)
        .filter(|(key, _)| *key == b"info_hash")
        .map(|(_, value)| decode_exact(value).map(InfoHash).ok_or(QueryError::Invalid("info_hash")))
}

/// Appends a scrape's query string (without `?`).
pub fn scrape_query(hashes: &[InfoHash], out: &mut String) {
    for (index, hash) in hashes.iter().enumerate() {
        out.push_str(if index == 0 { "info_hash=" } else { "&info_hash=" });
        percent_encode(&hash.0, out);
    }
}

/// What a tracker answers to a scrape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScrapeReply {
    /// Counts.
    Files(ScrapeResponse),
    /// A refusal.
    Failure(Failure),
}

/// Counts, as a client takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeResponse {
    /// At most [`SCRAPE_MAX`] swarms, in the tracker's order.
    pub files: Vec<(InfoHash, ScrapeEntry)>,
}

impl ScrapeReply {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, ReplyError> {
        let document = decode(body)?;
        let root = document.root();
        if let Some(failure) = Failure::of(root) {
            return Ok(Self::Failure(failure));
        }
        let files = root.get(b"files").and_then(Value::as_dict).ok_or(ReplyError::NotReply)?;
        let files = files
            .take(SCRAPE_MAX)
            .filter_map(|(key, value)| Some((InfoHash::from_slice(key)?, entry(value))));
        Ok(Self::Files(ScrapeResponse { files: files.collect() }))
    }
}

fn entry(value: Value<'_, '_>) -> ScrapeEntry {
    let count = |key: &[u8]| {
        let count = value.get(key).and_then(Value::as_u64).unwrap_or_default();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    ScrapeEntry {
        seeders: count(b"complete"),
        completed: count(b"downloaded"),
        leechers: count(b"incomplete"),
    }
}

/// Appends a body with these counts; sorts them and drops doubles, because dictionary keys are sorted and unique.
pub fn push_scrape(files: &mut Vec<(InfoHash, ScrapeEntry)>, out: &mut Vec<u8>) {
    files.sort_unstable_by_key(|(hash, _)| *hash);
    files.dedup_by_key(|(hash, _)| *hash);
    let mut encoder = Encoder::with_buffer(std::mem::take(out));
    encoder.begin_dict().key("files").begin_dict();
    for (hash, counts) in files.iter() {
        encoder.key(hash.0).begin_dict();
        encoder.entry_int("complete", counts.seeders);
        encoder.entry_int("downloaded", counts.completed);
        encoder.entry_int("incomplete", counts.leechers).end();
    }
    encoder.end().end();
    *out = encoder.finish();
}
