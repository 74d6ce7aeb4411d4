//! What we share: the files, the words they are found by, and the hits they make.

use super::command::SharedFile;
use super::files::Files;
use super::tables::{urn_hash, words};
use crate::keyword_index::{MAX_NAME, Words};
use std::net::SocketAddrV4;
use std::sync::Arc;
use throng_machine::Endpoint;
use throng_wire::gnutella::{QrpTable, Query, RecordBuilder, WordHash, hash_of};

/// Our own extension of a record (section 16): root, v2 info-hash, and where the swarm is joined.
pub(super) const SWARM: &[u8] = b"THR";

/// What we share; nothing is allocated while that is nothing.
#[derive(Default)]
pub(super) struct Library {
    inner: Option<Box<Files>>,
    /// All upload slots are taken.
    pub(super) busy: bool,
    /// Something was uploaded whole.
    pub(super) uploaded: bool,
}

impl Library {
    /// Shares a file under an index, in place of what was there; false if it cannot be.
    pub(super) fn share(&mut self, at: u32, file: Arc<SharedFile>, key: [u64; 2], most: usize) -> bool {
        self.unshare(at);
        let inner = self.inner.get_or_insert_default();
        let fits = inner.len() < most && searchable(&file.name).len() <= MAX_NAME;
        fits && inner.add(at, file, key)
    }

    /// No longer shares a file; false if there is none.
    pub(super) fn unshare(&mut self, at: u32) -> bool {
        let Some(inner) = &mut self.inner else { return false };
        inner.remove(at)
    }

    pub(super) fn file(&self, at: u32) -> Option<&SharedFile> {
        self.inner.as_ref()?.file(at)
    }

    /// Files and KiB.
    pub(super) fn size(&self) -> (u32, u32) {
        let Some(inner) = &self.inner else { return (0, 0) };
        let kibibytes = u32::try_from(inner.bytes() / 1_024).unwrap_or(u32::MAX);
        (inner.len() as u32, kibibytes)
    }

    /// All indices, for browsing.
    pub(super) fn indices(&self) -> Vec<u32> {
        self.inner.as_ref().map(|inner| inner.iter().map(|(at, _)| at).collect()).unwrap_or_default()
    }

    /// The files that a query asks for, at most so many; from a random place on, so that all have their turn.
    pub(super) fn find(&mut self, query: &Query<'_>, most: u32, random: u32) -> Vec<u32> {
        let Some(inner) = &mut self.inner else { return Vec::new() };
        let mut found = Vec::new();
        for sha1 in query.extensions.urns().filter_map(|urn| urn.sha1()).take(4) {
            found.extend(inner.by_hash(&sha1, most.saturating_sub(found.len() as u32)));
        }
        if found.is_empty()
            && let Some(text) = query.words()
        {
            found = inner.by_words(&Words::of(searchable(text).as_bytes()), most, random);
        }
        found
    }

    /// The record of a file.
    pub(super) fn record(&self, at: u32, listen: Option<SocketAddrV4>) -> Option<RecordBuilder> {
        let file = self.file(at)?;
        let swarm = file.swarm.map(|(root, info_hash)| {
            let mut data = [root, info_hash].concat();
            if let Some(listen) = listen {
                put_endpoint(Endpoint::v4(listen.ip().octets(), listen.port()), &mut data);
            }
            (SWARM, data)
        });
        Some(RecordBuilder {
            index: at,
            size: file.size,
            name: file.name.as_bytes().to_vec(),
            sha1: file.sha1,
            tiger_root: file.tiger,
            alternates: Vec::new(),
            ggep: swarm.into_iter().collect(),
        })
    }

    /// The words of all files, and their hashes.
    fn hashes(&self) -> Vec<WordHash> {
        let mut hashes = Vec::new();
        for (_, file) in self.inner.iter().flat_map(|inner| inner.iter()) {
            hashes.extend(words(&file.name).map(|word| hash_of(&word)));
            // As the index folds them, so that whoever searches without accents is led here too.
            let folded = Words::of(searchable(&file.name).as_bytes());
            hashes.extend(folded.iter().filter_map(|word| std::str::from_utf8(word).ok()).map(hash_of));
            hashes.extend(file.sha1.as_ref().map(urn_hash));
        }
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// Our words as a table of 2^bits entries.
    pub(super) fn table(&self, bits: u32) -> QrpTable {
        let mut table = QrpTable::new(bits);
        self.fill(&mut table);
        table
    }

    /// Puts our words into a table.
    pub(super) fn fill(&self, table: &mut QrpTable) {
        self.hashes().iter().for_each(|hash| table.insert(*hash));
    }
}

/// So many bits that one entry in a hundred is present, within bounds.
pub(super) fn bits_for(words: usize, (least, most): (u32, u32)) -> u32 {
    let entries = words.saturating_mul(100).max(1);
    (usize::BITS - (entries - 1).leading_zeros()).clamp(least, most)
}

/// A name or text as the index is to see it: servents part words at apostrophes, the index does not.
pub(super) fn searchable(text: &str) -> String {
    text.replace(['\'', '\u{2019}'], " ")
}

fn put_endpoint(at: Endpoint, out: &mut Vec<u8>) {
    let ip = match at.ip() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        std::net::IpAddr::V6(ip) => ip,
    };
    out.extend_from_slice(&ip.octets());
    out.extend_from_slice(&at.port().to_be_bytes());
}

/// What our extension of a record says: root, v2 info-hash, swarm.
pub(super) fn read_swarm(data: &[u8]) -> Option<([u8; 32], [u8; 32], Option<Endpoint>)> {
    let (root, rest) = data.split_first_chunk::<32>()?;
    let (info_hash, rest) = rest.split_first_chunk::<32>()?;
    let at = rest.split_first_chunk::<16>().and_then(|(ip, port)| {
        let port = u16::from_be_bytes(*port.first_chunk()?);
        Some(Endpoint::new(std::net::Ipv6Addr::from(*ip).to_canonical(), port))
    });
    Some((*root, *info_hash, at))
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("size", &self.size()).finish_non_exhaustive()
    }
}
