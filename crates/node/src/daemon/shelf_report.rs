//! How publications stand, in each system and as a whole.

use super::bittorrent;
use super::hits;
use super::listing;
use super::report::{Hashing, LibraryReport, PageRequest, PublicationReport, Spread};
use super::request::Refused;
use super::rest::Rest;
use super::shelf::{Entry, Shelf, item_of};
use crate::text;
use data_encoding::HEXLOWER;
use std::collections::BTreeMap;

impl Shelf {
    /// How far each joined system is, and whether that is as far as it goes.
    pub(super) fn spreads(&self, entry: &Entry) -> Vec<(&'static str, Spread, bool)> {
        let mut all = Vec::new();
        for system in self.common.systems.iter().map(|system| system.name()) {
            if system == bittorrent::NAME {
                all.push(self.seeding(entry));
                continue;
            }
            if !self.common.joined.borrow().contains(system) {
                let spread = Spread { words: "not joined yet".into(), ..Spread::default() };
                all.push((system, spread, true));
                continue;
            }
            let empty = BTreeMap::new();
            let told = entry.spread(system).unwrap_or(&empty);
            let files = entry.publication.files.len() as u64;
            let Told { said, taken, at, of, whole } =
                entry.tickets().filter_map(|it| told.get(&it)).collect();
            let done = said == files && whole;
            let words = match (files, said) {
                (0, _) => "nothing to share".into(),
                (_, 0) => "announcing".into(),
                (1, _) => format!("{} {at} of {of}", verb(system)),
                _ => format!("{} {at} of {of}, {taken} of {files} files", verb(system)),
            };
            let (at, of) = (u64::from(at), u64::from(of));
            all.push((system, Spread { at, of, files: (taken, files), words }, done));
        }
        all
    }

    fn seeding(&self, entry: &Entry) -> (&'static str, Spread, bool) {
        let status = entry.torrent.as_ref().and_then(|torrent| torrent.snapshot().status);
        let files = entry.publication.files.len() as u64;
        let announced = match entry.rest {
            Rest::Asleep | Rest::Waking => Some((entry.announced.0 as usize, entry.announced.1 as usize)),
            Rest::Awake | Rest::Falling { .. } => status.map(|status| status.announced),
        };
        let (spread, done) = match announced.or(entry.lent.then_some((0, 0))) {
            None => (Spread { words: "opening".into(), ..Spread::default() }, entry.trouble.is_some()),
            Some((at, of)) => {
                let words = match of {
                    0 => "seeding, without a tracker".into(),
                    _ => format!("seeding, announced to {at} of {of} trackers"),
                };
                let (at, of) = (at as u64, of as u64);
                (Spread { at, of, files: (files, files), words }, at >= of)
            }
        };
        (bittorrent::NAME, spread, done)
    }

    /// Publications, a part of them.
    pub(super) fn library(&self, page: &PageRequest) -> Result<LibraryReport, Refused> {
        let all = self.entries.iter().map(|(id, entry)| (entry.publication.created, &**id, entry));
        let (part, next) = listing::part(all, page)?;
        let publications = part.into_iter().map(|entry| self.report(entry)).collect();
        let hashing = self.jobs.values().filter(|job| job.total > 0).map(|job| Hashing {
            path: text::path(&job.path),
            done: job.done,
            total: job.total,
        });
        Ok(LibraryReport { publications, total: self.entries.len(), next, hashing: hashing.collect() })
    }

    pub(super) fn report(&self, entry: &Entry) -> PublicationReport {
        let publication = &entry.publication;
        let status = entry.torrent.as_ref().and_then(|torrent| torrent.snapshot().status);
        PublicationReport {
            id: publication.id.to_string(),
            title: publication.title().to_owned(),
            tags: publication.tags.to_vec(),
            path: text::path(&publication.path),
            size: publication.size(),
            files: publication.files.len(),
            magnet: publication.magnet().to_string(),
            hashes: hits::hashes(&item_of(publication)),
            publisher: HEXLOWER.encode(self.common.key.verifying_key().as_bytes()),
            sequence: publication.sequence,
            published_at: publication.created,
            systems: self
                .spreads(entry)
                .into_iter()
                .map(|(system, spread, _)| (system.to_owned(), spread))
                .collect(),
            trouble: entry.trouble.as_deref().map(str::to_owned),
            fetched: publication.fetched,
            uploaded: entry.uploaded + status.map_or(0, |status| status.uploaded),
        }
    }
}

/// What one system said of the files of a publication, in one look: it may have ten thousand, and is looked at often.
struct Told {
    /// Files it said anything of, and those that are in at least one place.
    said: u64,
    taken: u64,
    /// Places of the file that is in fewest, and of the one that is to be in most.
    at: u32,
    of: u32,
    /// All those are in as many places as they are to be in.
    whole: bool,
}

impl<'a> FromIterator<&'a (u32, u32)> for Told {
    fn from_iter<T: IntoIterator<Item = &'a (u32, u32)>>(files: T) -> Told {
        let mut told = Told { said: 0, taken: 0, at: u32::MAX, of: 0, whole: true };
        for (at, of) in files {
            told.said += 1;
            told.taken += u64::from(*at > 0);
            told.at = told.at.min(*at);
            told.of = told.of.max(*of);
            told.whole &= at >= of;
        }
        if told.said == 0 {
            told.at = 0;
        }
        told
    }
}

/// What a system does with what is published.
fn verb(system: &str) -> &'static str {
    match system {
        "chord" => "stored in",
        _ => "searchable on",
    }
}
