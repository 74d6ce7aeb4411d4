//! A hit as this node understands it.

use super::{endpoint, magnet};
use crate::discovery::{Item, Source};
use std::net::{SocketAddr, SocketAddrV4};
use throng_machine::Endpoint;
use throng_wire::fasttrack::{self, NodeInfo, TagKind};

/// Bytes of a title at most.
const MAX_TITLE: usize = 1_024;

/// A file found and who has it: a stranger's word, all of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundFile {
    /// What was found; `ft_hash` is always there.
    pub item: Item,
    /// Where its owner serves it; port 0 if it must be pushed.
    pub at: SocketAddrV4,
    /// Its owner.
    pub user: Vec<u8>,
    /// Its owner's supernode.
    pub supernode: SocketAddrV4,
    /// Its owner's swarm endpoint, if it is one of ours.
    pub swarm: Option<SocketAddr>,
}

impl FoundFile {
    /// Reads a hit; `None` if it has no name to be shown by, or no user to be asked for. A swarm elsewhere than where the
    /// owner comes from is a third party, and is left out.
    pub(super) fn of(hit: &fasttrack::Hit<'_>, user: &[u8], supernode: SocketAddrV4) -> Option<FoundFile> {
        let name = hit.item.tags.find(TagKind::FILE_NAME).or_else(|| hit.item.tags.find(TagKind::TITLE))?;
        if name.data.is_empty() || name.data.len() > MAX_TITLE || !NodeInfo::is_valid_user(user) {
            return None;
        }
        let mut item = Item {
            title: String::from_utf8_lossy(name.data).into_owned(),
            size: hit.item.size,
            ft_hash: Some(hit.item.hash.0),
            ..Item::default()
        };
        let tag = hit.item.tags.find(TagKind::MAGNET);
        let swarm =
            tag.and_then(|tag| magnet::read(tag.data, &mut item)).filter(|swarm| swarm.ip() == *hit.at.ip());
        Some(FoundFile { item, at: hit.at, user: user.to_vec(), supernode, swarm })
    }

    /// How it is fetched.
    pub fn source(&self) -> Source {
        Source::Supernode {
            at: endpoint(self.at),
            user: self.user.clone(),
            supernode: endpoint(self.supernode),
            firewalled: self.is_firewalled(),
        }
    }

    /// Whether its owner cannot be called: no port, or an address that leads nowhere from elsewhere.
    pub fn is_firewalled(&self) -> bool {
        self.at.port() == 0 || self.at.ip().is_unspecified()
    }
}

/// Where a hit may be fetched from on the word of who told it: nowhere nearer to us than they are, but by a push.
pub(super) fn callable_from(teller: Endpoint, at: SocketAddrV4) -> SocketAddrV4 {
    match crate::dial::callable(teller, *at.ip(), at.port()) {
        Some(_) => at,
        None => SocketAddrV4::new(*at.ip(), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_wire::fasttrack::{FtHash, Hit, Item as Shared, TagsWriter};

    fn found(at: [u8; 4], swarm: [u8; 4]) -> FoundFile {
        let known = Item { info_hash_v2: Some([1; 32]), root: Some([2; 32]), ..Item::default() };
        let link = magnet::write(&known, Some(SocketAddr::from((swarm, 7_117)))).unwrap();
        let mut tags = TagsWriter::default();
        tags.text(TagKind::FILE_NAME, b"zebra.ogg").text(TagKind::MAGNET, &link);
        let item = Shared { hash: FtHash([3; 20]), file_id: 0, size: 1, tags: tags.tags() };
        let at = SocketAddrV4::new(at.into(), 1_214);
        let hit = Hit { at, bandwidth: 0, user: Some(b"zoe"), item };
        FoundFile::of(&hit, b"zoe", SocketAddrV4::new([10, 0, 0, 1].into(), 1_214)).unwrap()
    }

    #[test]
    fn a_swarm_is_believed_only_where_its_owner_comes_from() {
        let own = found([198, 51, 100, 7], [198, 51, 100, 7]);
        assert_eq!(own.swarm, Some(SocketAddr::from(([198, 51, 100, 7], 7_117))));
        let third = found([198, 51, 100, 7], [203, 0, 113, 9]);
        assert_eq!((third.swarm, third.item.root), (None, Some([2; 32])), "the file is known all the same");
    }

    #[test]
    fn an_address_nearer_than_who_names_it_is_not_called() {
        let at = |ip: [u8; 4]| SocketAddrV4::new(ip.into(), 80);
        let public = Endpoint::v4([198, 51, 100, 1], 1_214);
        for (named, port) in
            [([127, 0, 0, 1], 0), ([10, 0, 0, 9], 0), ([169, 254, 1, 1], 0), ([203, 0, 113, 9], 80)]
        {
            assert_eq!(callable_from(public, at(named)).port(), port, "{named:?}");
        }
        assert_eq!(callable_from(Endpoint::v4([10, 0, 0, 1], 1), at([10, 0, 0, 9])).port(), 80);
    }
}
