//! What every overlay can be asked and what it tells: join, leave, publish, search.

use std::time::Duration;
use throng_machine::Endpoint;

/// Names a search or publication of the application within one overlay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u32);

/// What is published, searched for and found: a file known by its hashes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Item {
    /// The name it is found by.
    pub title: String,
    /// Bytes.
    pub size: u64,
    /// Root of the file's BEP 52 tree: its one identity in every overlay.
    pub root: Option<[u8; 32]>,
    /// The swarm it can be fetched from: the name that travels in handshakes (v1, or v2 cut short).
    pub info_hash: Option<[u8; 20]>,
    /// The v2 info-hash of a torrent that has it, in full.
    pub info_hash_v2: Option<[u8; 32]>,
    /// SHA-1 of the whole file, as Gnutella names it.
    pub sha1: Option<[u8; 20]>,
    /// Root of the file's tiger tree, as Gnutella checks its blocks.
    pub tiger: Option<[u8; 24]>,
    /// FTHash, as FastTrack names it: it covers parts of the file only, and proves little.
    pub ft_hash: Option<[u8; 20]>,
}

impl Item {
    /// Whether the two name the same content by a hash that covers all of it: at least one both have, and none that
    /// differs.
    pub fn is_same_content(&self, other: &Item) -> bool {
        let shared = [
            same(&self.root, &other.root),
            same(&self.info_hash_v2, &other.info_hash_v2),
            same(&self.sha1, &other.sha1),
            same(&self.tiger, &other.tiger),
        ];
        shared.contains(&Some(true)) && !shared.contains(&Some(false))
    }
}

/// Whether two hashes are equal, where both are known.
fn same<const N: usize>(one: &Option<[u8; N]>, other: &Option<[u8; N]>) -> Option<bool> {
    Some(one.as_ref()? == other.as_ref()?)
}

/// Where one copy of an item is, in the terms of the overlay that found it. The address is a stranger's word: whoever
/// dials it bounds how often.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// A peer of its swarm.
    Swarm(Endpoint),
    /// A user of a directory.
    Directory {
        /// The directory that told of it.
        server: Endpoint,
        /// The user.
        nick: Vec<u8>,
        /// The name the user shares it under.
        name: Vec<u8>,
    },
    /// A Gnutella servent.
    Gnutella {
        /// Where it says it listens.
        at: Endpoint,
        /// Its servent id.
        servent: [u8; 16],
        /// The file's index there.
        index: u32,
        /// The file's name there.
        name: Vec<u8>,
        /// It cannot be called and must be asked to call (PUSH).
        firewalled: bool,
        /// Who passes a push on.
        proxies: Vec<Endpoint>,
    },
    /// An ordinary node of a supernode.
    Supernode {
        /// Where it says it listens.
        at: Endpoint,
        /// Its user's name.
        user: Vec<u8>,
        /// Its supernode, which passes a push on.
        supernode: Endpoint,
        /// It cannot be called and must be asked to call (push).
        firewalled: bool,
    },
}

impl Source {
    /// The overlay that it is of: `bittorrent`, `directory`, `gnutella` or `supernode`.
    pub fn system(&self) -> &'static str {
        match self {
            Source::Swarm(_) => "bittorrent",
            Source::Directory { .. } => "directory",
            Source::Gnutella { .. } => "gnutella",
            Source::Supernode { .. } => "supernode",
        }
    }
}

/// What the application may ask of any overlay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Enter the overlay through any of these.
    Join(Vec<Endpoint>),
    /// Hand over what is held, say goodbye.
    Leave,
    /// Make an item findable until it is withdrawn.
    Publish(Ticket, Item),
    /// Take it back.
    Withdraw(Ticket),
    /// Look for words, until that many hits or that much time.
    Find(Ticket, Query),
    /// Stop looking.
    Cancel(Ticket),
}

/// A search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// All of them must occur.
    pub words: Vec<String>,
    /// Enough.
    pub limit: u32,
    /// Long enough.
    pub timeout: Duration,
}

/// What any overlay tells the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The overlay is entered.
    Joined,
    /// The overlay is left.
    Left,
    /// An item can be found by others: stored or announced at that many of so many places.
    Published {
        /// The publication.
        ticket: Ticket,
        /// Places that have it.
        at: u32,
        /// Places that should.
        of: u32,
    },
    /// A hit.
    Found {
        /// The search.
        ticket: Ticket,
        /// What was found.
        item: Item,
        /// Where a copy is.
        source: Source,
    },
    /// A search is over.
    Finished(Ticket),
    /// Something asked cannot be done; the search or publication is over.
    Refused(Ticket, Refusal),
}

/// Why something cannot be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The overlay has not been joined.
    NotJoined,
    /// Too many at once.
    Busy,
    /// The query has no word that can be searched for.
    EmptyQuery,
    /// The item lacks the hash by which this overlay names files.
    MissingHash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_shares_a_hash_of_all_of_it_and_contradicts_in_none() {
        let with = |sha1: Option<u8>, root: Option<u8>| Item {
            sha1: sha1.map(|byte| [byte; 20]),
            root: root.map(|byte| [byte; 32]),
            ..Item::default()
        };
        let one = with(Some(1), Some(1));
        assert!(one.is_same_content(&with(Some(1), None)));
        assert!(one.is_same_content(&with(Some(1), Some(1))));
        assert!(!one.is_same_content(&with(Some(1), Some(2))), "one of the hashes lies");
        assert!(!one.is_same_content(&with(None, None)), "nothing says so");
        let weak = Item { ft_hash: Some([1; 20]), ..Item::default() };
        assert!(!weak.is_same_content(&weak.clone()), "it covers parts only");
    }
}
