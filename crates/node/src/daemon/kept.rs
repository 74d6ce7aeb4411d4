//! Hits as they are kept in the home, so that their ids are known after a restart and transfers find their sources.

use super::hits::{Hit, hashes};
use super::report::HashReport;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use throng_machine::Endpoint;
use throng_overlay::discovery::{Item, Source};

/// A hit as it is kept in the home.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(super) struct KeptHit {
    id: String,
    title: String,
    size: u64,
    hashes: HashReport,
    sources: Vec<KeptSource>,
    systems: BTreeSet<String>,
    publisher: Option<String>,
    seen: u64,
}

/// A source as it is kept in the home; bytes in hex.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(tag = "system", rename_all = "kebab-case")]
enum KeptSource {
    Swarm {
        at: std::net::SocketAddr,
    },
    Directory {
        server: std::net::SocketAddr,
        nick: String,
        name: String,
    },
    Gnutella {
        at: std::net::SocketAddr,
        servent: String,
        index: u32,
        name: String,
        firewalled: bool,
        proxies: Vec<std::net::SocketAddr>,
    },
    Supernode {
        at: std::net::SocketAddr,
        user: String,
        supernode: std::net::SocketAddr,
        firewalled: bool,
    },
}

impl KeptHit {
    pub(super) fn of(hit: &Hit) -> KeptHit {
        KeptHit {
            id: hit.id.clone(),
            title: hit.item.title.clone(),
            size: hit.item.size,
            hashes: hashes(&hit.item),
            sources: hit.sources.iter().map(KeptSource::of).collect(),
            systems: hit.systems.clone(),
            publisher: hit.publisher.map(|key| HEXLOWER.encode(&key)),
            seen: hit.seen,
        }
    }

    pub(super) fn back(self) -> Hit {
        fn hash<const N: usize>(text: &Option<String>) -> Option<[u8; N]> {
            HEXLOWER.decode(text.as_ref()?.as_bytes()).ok()?.try_into().ok()
        }
        let of = &self.hashes;
        let item = Item {
            title: self.title,
            size: self.size,
            root: hash(&of.root),
            info_hash: hash(&of.info_hash),
            info_hash_v2: hash(&of.info_hash_v2),
            sha1: hash(&of.sha1),
            tiger: hash(&of.tiger),
            ft_hash: hash(&of.ft_hash),
        };
        let sources = self.sources.into_iter().filter_map(KeptSource::back).collect();
        let publisher = hash(&self.publisher);
        let (id, systems, seen) = (self.id, self.systems, self.seen);
        Hit { id, item, sources, systems, probed: BTreeMap::new(), publisher, signed_title: None, seen }
    }
}

impl KeptSource {
    fn of(source: &Source) -> KeptSource {
        let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
        match source {
            Source::Swarm(at) => KeptSource::Swarm { at: at.socket_addr() },
            Source::Directory { server, nick, name } => {
                KeptSource::Directory { server: server.socket_addr(), nick: hex(nick), name: hex(name) }
            }
            Source::Gnutella { at, servent, index, name, firewalled, proxies } => KeptSource::Gnutella {
                at: at.socket_addr(),
                servent: hex(servent),
                index: *index,
                name: hex(name),
                firewalled: *firewalled,
                proxies: proxies.iter().map(Endpoint::socket_addr).collect(),
            },
            Source::Supernode { at, user, supernode, firewalled } => KeptSource::Supernode {
                at: at.socket_addr(),
                user: hex(user),
                supernode: supernode.socket_addr(),
                firewalled: *firewalled,
            },
        }
    }

    fn back(self) -> Option<Source> {
        let bytes = |text: String| HEXLOWER.decode(text.as_bytes()).ok();
        Some(match self {
            KeptSource::Swarm { at } => Source::Swarm(at.into()),
            KeptSource::Directory { server, nick, name } => {
                Source::Directory { server: server.into(), nick: bytes(nick)?, name: bytes(name)? }
            }
            KeptSource::Gnutella { at, servent, index, name, firewalled, proxies } => Source::Gnutella {
                at: at.into(),
                servent: bytes(servent)?.try_into().ok()?,
                index,
                name: bytes(name)?,
                firewalled,
                proxies: proxies.into_iter().map(Endpoint::from).collect(),
            },
            KeptSource::Supernode { at, user, supernode, firewalled } => Source::Supernode {
                at: at.into(),
                user: bytes(user)?,
                supernode: supernode.into(),
                firewalled,
            },
        })
    }
}
