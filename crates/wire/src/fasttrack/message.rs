//! Messages by type.

use super::number::{address, array, put_address, take, u8, u16};
use super::{Error, Item, Query, Reply, Share, Statistics};
use std::net::{Ipv4Addr, SocketAddrV4};

const NODE_LIST: u16 = 0x00;
const NODE_INFO: u16 = 0x02;
const SEND_SHARES: u16 = 0x03;
const UNSHARE: u16 = 0x05;
const SEARCH: u16 = 0x06;
const REPLY: u16 = 0x07;
const SEARCH_END: u16 = 0x08;
const STATISTICS: u16 = 0x09;
const PUSH: u16 = 0x0d;
const NAME: u16 = 0x1d;
const SHARE: u16 = 0x22;
const VERSION: u16 = 0x26;
const EXTERNAL: u16 = 0x2c;
/// Bytes of an entry of the node list.
const NODE: usize = 8;

/// A message between node and supernode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// 00, from the supernode: other supernodes. mldonkey counts itself connected after it.
    NodeList(NodeList<'a>),
    /// 02, from the node: who it is.
    NodeInfo(NodeInfo<'a>),
    /// 03, from the supernode: mldonkey answers with all its shares.
    SendShares,
    /// 05, from the node: no longer shared.
    Unshare(Item<'a>),
    /// 06, from the node.
    Search(Query<'a>),
    /// 07, from the supernode.
    Reply(Reply<'a>),
    /// 08, from the supernode: nothing more for that search.
    SearchEnd(u16),
    /// 09, from the supernode.
    Statistics(Statistics),
    /// 0D: a `PushRequest` from a node, a `PushOrder` from a supernode.
    Push(&'a [u8]),
    /// 1D: the network's name; answered with one's own.
    NetworkName(&'a [u8]),
    /// 22, from the node.
    Share(Share<'a>),
    /// 26: a program's version.
    Version(u32),
    /// 2C, from the supernode: the node's address as it sees it.
    ExternalAddress(Ipv4Addr),
    /// Anything else, to be ignored.
    Other {
        /// The type, with flags in the high byte.
        kind: u16,
        /// The body.
        body: &'a [u8],
    },
}

impl<'a> Message<'a> {
    /// Reads a body; bytes behind the known fields are ignored, as both free programs do.
    pub fn parse(kind: u16, mut body: &'a [u8]) -> Result<Message<'a>, Error> {
        let bytes = &mut body;
        Ok(match kind {
            NODE_LIST => Message::NodeList(NodeList(bytes)),
            NODE_INFO => Message::NodeInfo(NodeInfo::take(bytes)?),
            SEND_SHARES => Message::SendShares,
            UNSHARE => Message::Unshare(Item::take(bytes)?),
            SEARCH => Message::Search(Query::take(bytes)?),
            REPLY => Message::Reply(Reply::take(bytes)?),
            SEARCH_END => Message::SearchEnd(u16(bytes)?),
            STATISTICS => Message::Statistics(Statistics::parse(bytes)?),
            PUSH => Message::Push(bytes),
            NAME => Message::NetworkName(bytes),
            SHARE => Message::Share(Share::take(bytes)?),
            VERSION => Message::Version(array(bytes).map(u32::from_be_bytes)?),
            EXTERNAL => Message::ExternalAddress(array::<4>(bytes)?.into()),
            _ => Message::Other { kind, body: bytes },
        })
    }

    /// The type.
    pub fn kind(&self) -> u16 {
        match self {
            Message::NodeList(_) => NODE_LIST,
            Message::NodeInfo(_) => NODE_INFO,
            Message::SendShares => SEND_SHARES,
            Message::Unshare(_) => UNSHARE,
            Message::Search(_) => SEARCH,
            Message::Reply(_) => REPLY,
            Message::SearchEnd(_) => SEARCH_END,
            Message::Statistics(_) => STATISTICS,
            Message::Push(_) => PUSH,
            Message::NetworkName(_) => NAME,
            Message::Share(_) => SHARE,
            Message::Version(_) => VERSION,
            Message::ExternalAddress(_) => EXTERNAL,
            Message::Other { kind, .. } => *kind,
        }
    }

    /// Appends the body.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Message::NodeList(NodeList(bytes))
            | Message::Push(bytes)
            | Message::NetworkName(bytes)
            | Message::Other { body: bytes, .. } => out.extend_from_slice(bytes),
            Message::NodeInfo(info) => info.put(out),
            Message::SendShares => {}
            Message::Unshare(item) => item.put(out),
            Message::Search(query) => query.put(out),
            Message::Reply(reply) => reply.put(out),
            Message::SearchEnd(id) => out.extend_from_slice(&id.to_be_bytes()),
            Message::Statistics(statistics) => statistics.put(out),
            Message::Share(share) => share.put(out),
            Message::Version(version) => out.extend_from_slice(&version.to_be_bytes()),
            Message::ExternalAddress(ip) => out.extend_from_slice(&ip.octets()),
        }
    }
}

/// Who a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeInfo<'a> {
    /// Where it serves files, as it believes; port 0 for nowhere.
    pub address: SocketAddrV4,
    /// Its bandwidth code.
    pub bandwidth: u8,
    /// Its user's name.
    pub user: &'a [u8],
}

impl<'a> NodeInfo<'a> {
    fn take(bytes: &mut &'a [u8]) -> Result<NodeInfo<'a>, Error> {
        let (address, bandwidth) = (address(bytes)?, u8(bytes)?);
        u8(bytes)?;
        Ok(NodeInfo { address, bandwidth, user: bytes })
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_address(out, self.address);
        out.extend_from_slice(&[self.bandwidth, 0]);
        out.extend_from_slice(self.user);
    }

    /// Whether a user's name is one others can show and address: 1 to 31 bytes without blank, tab, `@` or control.
    pub fn is_valid_user(name: &[u8]) -> bool {
        let good = |byte: &u8| !matches!(byte, 0..=0x20 | b'@' | 0x7f);
        (1..32).contains(&name.len()) && name.iter().all(good)
    }
}

/// Other supernodes, 8 bytes each; what is left over at the end is ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeList<'a>(pub &'a [u8]);

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeListEntry {
    /// Where it is.
    pub address: SocketAddrV4,
    /// Minutes since it was heard of; 0 for a direct neighbour.
    pub minutes: u8,
    /// Its load, or what it has left: nobody knows.
    pub load: u8,
}

impl<'a> NodeList<'a> {
    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = NodeListEntry> + use<'a> {
        let mut bytes = self.0;
        std::iter::from_fn(move || {
            let mut entry = take(&mut bytes, NODE).ok()?;
            let entry = &mut entry;
            Some(NodeListEntry {
                address: address(entry).ok()?,
                minutes: u8(entry).ok()?,
                load: u8(entry).ok()?,
            })
        })
    }

    /// Appends an entry to what becomes a list.
    pub fn put(entry: NodeListEntry, out: &mut Vec<u8>) {
        put_address(out, entry.address);
        out.extend_from_slice(&[entry.minutes, entry.load]);
    }
}
