//! What systems share of a publication: an offer of each file, under the name by which strangers find it.

use super::{Entry, Shared};
use crate::daemon::common::Common;
use crate::daemon::rest::Rest;
use crate::daemon::system::{Offer, System};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use throng_machine::ContentId;
use throng_overlay::discovery::{Item, Ticket};
use throng_runtime::library::{Id, Publication, SharedFile};
use throng_runtime::session::TorrentHandle;

impl Entry {
    /// One that no system but its swarm shares yet; `lent` if the torrent is a transfer's.
    pub(super) fn new(publication: Arc<Publication>, torrent: Option<TorrentHandle>, lent: bool) -> Entry {
        let (rest, uploaded, announced) = (Rest::Awake, 0, (0, 0));
        Entry { publication, torrent, lent, shared: None, trouble: None, rest, uploaded, announced }
    }

    /// By which systems speak of its files.
    pub(crate) fn tickets(&self) -> impl Iterator<Item = Ticket> + Clone {
        self.shared.iter().flat_map(|shared| &shared.offers).map(|(ticket, _)| *ticket)
    }

    /// How far a system says that it is with each file.
    pub(crate) fn spread(&self, system: &str) -> Option<&BTreeMap<Ticket, (u32, u32)>> {
        self.shared.as_ref().and_then(|shared| shared.spread.get(system))
    }

    /// Offers every file to a system.
    pub(super) fn offer(&self, system: &Rc<dyn System>) {
        let Some(shared) = &self.shared else { return };
        shared.offers.iter().for_each(|(ticket, offer)| system.publish(*ticket, offer));
        shared.folder.iter().for_each(|folder| system.publish_folder(folder.0, &folder.1));
    }
}

/// Makes of a publication what systems share.
pub(super) fn make_offers(entry: &mut Entry, (common, tickets): (&Common, &mut BTreeMap<Ticket, Id>)) {
    let publication = &entry.publication;
    let mut shared = Box::<Shared>::default();
    let single = publication.is_single_file;
    let levels = common.library.tiger_levels(&publication.files);
    for (file, level) in publication.files.iter().zip(levels) {
        let ticket = common.ticket();
        let name = if single { named(publication.title(), &file.name()) } else { file.name() };
        let offer = Rc::new(Offer {
            item: Item { title: tagged(&name, &publication.tags), ..item_of_file(publication, file) },
            path: file.path.to_path_buf(),
            modified: UNIX_EPOCH + Duration::from_nanos(u64::try_from(file.modified).unwrap_or(0)),
            tiger_level: level.into(),
            content: ContentId(ticket.0),
        });
        tickets.insert(ticket, publication.id);
        shared.offers.push((ticket, offer));
    }
    if !single {
        let ticket = common.ticket();
        tickets.insert(ticket, publication.id);
        let whole = item_of(publication);
        let title = format!("{}{}", whole.title, more_words(&whole.title, &publication.tags));
        shared.folder = Some((ticket, Item { title, ..whole }));
    }
    entry.shared = Some(shared);
}

/// A title as a file name: with the file's ending, by which programs know what it is.
fn named(title: &str, file: &str) -> String {
    match Path::new(file).extension().and_then(|ending| ending.to_str()) {
        Some(ending) if !title.to_lowercase().ends_with(&format!(".{}", ending.to_lowercase())) => {
            format!("{title}.{ending}")
        }
        _ => title.to_owned(),
    }
}

/// A file's name with the words it is to be found by beside those it has: every system looks for words of names, and
/// not all have another place for them.
fn tagged(name: &str, tags: &[String]) -> String {
    let more = more_words(name, tags);
    match Path::new(name).extension().and_then(|ending| ending.to_str()) {
        Some(ending) => {
            let stem = &name[..name.len() - ending.len() - 1];
            format!("{stem}{more}.{ending}")
        }
        None => format!("{name}{more}"),
    }
}

/// ` (those of the tags that the name lacks)`, or nothing.
fn more_words(name: &str, tags: &[String]) -> String {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    let has = words(name);
    let lacking: Vec<&str> =
        tags.iter().filter(|tag| !words(tag).is_subset(&has)).map(String::as_str).collect();
    if lacking.is_empty() { String::new() } else { format!(" ({})", lacking.join(" ")) }
}

/// A publication as a whole.
pub(crate) fn item_of(publication: &Publication) -> Item {
    let only = publication.files.first().filter(|_| publication.is_single_file);
    Item {
        title: publication.title().to_owned(),
        size: publication.size(),
        root: only.and_then(|file| file.root),
        info_hash: swarm_of(publication),
        info_hash_v2: publication.v2.map(|hash| hash.0),
        sha1: only.map(|file| file.sha1),
        tiger: only.map(|file| file.tiger),
        ft_hash: only.map(|file| file.ft_hash),
    }
}

/// A file of a publication, without a name.
pub(super) fn item_of_file(publication: &Publication, file: &SharedFile) -> Item {
    Item {
        title: String::new(),
        size: file.size,
        root: file.root,
        info_hash: swarm_of(publication),
        info_hash_v2: publication.v2.map(|hash| hash.0),
        sha1: Some(file.sha1),
        tiger: Some(file.tiger),
        ft_hash: Some(file.ft_hash),
    }
}

/// The swarm a publication goes by: of v1, if it has one.
pub(super) fn swarm_of(publication: &Publication) -> Option<[u8; 20]> {
    publication.swarms().next().map(|hash| hash.0)
}

/// What a publication can be looked for by: its swarms, and the hashes that cover the whole of a file.
pub(super) fn hashes(publication: &Publication) -> impl Iterator<Item = &[u8]> {
    let v1 = publication.v1.iter().map(|hash| &hash.0[..]);
    let v2 = publication.v2.iter().map(|hash| &hash.0[..]);
    v1.chain(v2).chain(publication.files.iter().flat_map(hashes_of_file))
}

fn hashes_of_file(file: &SharedFile) -> impl Iterator<Item = &[u8]> {
    let root = file.root.as_ref().map(|root| &root[..]);
    root.into_iter().chain([&file.sha1[..], &file.tiger[..]])
}

/// The same of what was found.
pub(super) fn hashes_of_item(item: &Item) -> impl Iterator<Item = &[u8]> {
    let root = item.root.as_ref().map(|hash| &hash[..]);
    let v2 = item.info_hash_v2.as_ref().map(|hash| &hash[..]);
    let sha1 = item.sha1.as_ref().map(|hash| &hash[..]);
    let tiger = item.tiger.as_ref().map(|hash| &hash[..]);
    let swarm = item.info_hash.as_ref().map(|hash| &hash[..]);
    [root, sha1, tiger, v2, swarm].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_keeps_the_ending_of_its_file() {
        assert_eq!(named("Trip to the Moon", "a.MP4"), "Trip to the Moon.MP4");
        assert_eq!(named("moon.mp4", "a.MP4"), "moon.mp4");
        assert_eq!(named("moon", "readme"), "moon");
    }

    #[test]
    fn tags_are_words_of_the_name_before_its_ending_unless_it_has_them() {
        let tags = ["Méliès", "Voyage", "1902"].map(String::from);
        assert_eq!(tagged("Voyage.mp4", &tags), "Voyage (Méliès 1902).mp4");
        assert_eq!(tagged("voyage 1902 méliès", &tags), "voyage 1902 méliès");
        assert_eq!(tagged("notes", &[]), "notes");
        assert_eq!(tagged(".mp4", &tags[..1]), ".mp4 (Méliès)");
    }
}
