//! Searching: a query (type 06), its hits (07) and their end (08).

use super::number::{address, counted, put_address, put_counted, take, u8, u16, until};
use super::{Error, Item, TagKind};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Terms a query may have.
const MAX_TERMS: usize = 32;
/// Separates user and network in a hit.
const USER_END: u8 = 0x01;
/// In place of user and network: the same as an earlier hit of that address.
const SAME_USER: u8 = 0x02;

/// How a term is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// The same.
    Equals,
    /// At most.
    AtMost,
    /// About.
    About,
    /// At least.
    AtLeast,
    /// All its words occur.
    Contains,
    /// A number whose meaning nobody knows; the term is to be ignored.
    Unknown(u8),
}

impl Comparison {
    fn from_code(code: u8) -> Comparison {
        match code {
            0 => Comparison::Equals,
            2 => Comparison::AtMost,
            3 => Comparison::About,
            4 => Comparison::AtLeast,
            5 => Comparison::Contains,
            other => Comparison::Unknown(other),
        }
    }

    fn code(self) -> u8 {
        match self {
            Comparison::Equals => 0,
            Comparison::AtMost => 2,
            Comparison::About => 3,
            Comparison::AtLeast => 4,
            Comparison::Contains => 5,
            Comparison::Unknown(code) => code,
        }
    }
}

/// What kinds of files are searched: the low five bits are a kind or `1f` for all, the rest marks the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Realm(pub u8);

impl Realm {
    /// Everything, as mldonkey says it.
    pub const EVERYTHING: Realm = Realm(0x3f);

    /// Whether a file of this kind is searched; files of no known kind always are.
    pub fn includes(self, media: super::Media) -> bool {
        let wanted = self.0 & 0x1f;
        !(1..=5).contains(&wanted) || media.code() == 0 || media.code() == wanted
    }
}

/// One condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term<'a> {
    /// How it is compared.
    pub comparison: Comparison,
    /// Which tag.
    pub field: TagKind,
    /// With what.
    pub data: &'a [u8],
}

/// The terms of a query, checked when they were read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Terms<'a> {
    count: u8,
    bytes: &'a [u8],
}

impl<'a> Terms<'a> {
    /// Takes a count and that many terms off the front.
    pub fn take(bytes: &mut &'a [u8]) -> Result<Terms<'a>, Error> {
        let count = u8(bytes)?;
        if usize::from(count) > MAX_TERMS {
            return Err(Error::Length);
        }
        let all = *bytes;
        for _ in 0..count {
            take(bytes, 2)?;
            counted(bytes)?;
        }
        Ok(Terms { count, bytes: &all[..all.len() - bytes.len()] })
    }

    /// Appends count and terms.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(self.count);
        out.extend_from_slice(self.bytes);
    }

    /// The terms in order.
    pub fn iter(&self) -> impl Iterator<Item = Term<'a>> + use<'a> {
        let mut bytes = self.bytes;
        std::iter::from_fn(move || {
            let comparison = Comparison::from_code(u8(&mut bytes).ok()?);
            let field = TagKind(u8(&mut bytes).ok()?.into());
            counted(&mut bytes).ok().map(|data| Term { comparison, field, data })
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A search (type 06).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'a> {
    /// Hits wanted.
    pub max_results: u16,
    /// The node's number for it; means something on that connection only.
    pub id: u16,
    /// Kinds of files.
    pub realm: Realm,
    /// All of them must hold.
    pub terms: Terms<'a>,
}

impl<'a> Query<'a> {
    pub(super) fn take(bytes: &mut &'a [u8]) -> Result<Query<'a>, Error> {
        // 00 01; the second byte is now and then 0.
        take(bytes, 2)?;
        let (max_results, id) = (u16(bytes)?, u16(bytes)?);
        u8(bytes)?;
        let realm = Realm(u8(bytes)?);
        Ok(Query { max_results, id, realm, terms: Terms::take(bytes)? })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0, 1]);
        out.extend_from_slice(&self.max_results.to_be_bytes());
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&[1, self.realm.0]);
        self.terms.put(out);
    }

    /// Writes terms, for [`Query::terms`]; those beyond the limit or of a field that has no byte are left out.
    pub fn write_terms<'b>(terms: &[Term<'_>], into: &'b mut Vec<u8>) -> Terms<'b> {
        let start = into.len();
        let mut count = 0;
        for term in terms.iter().take(MAX_TERMS) {
            let Ok(field) = u8::try_from(term.field.0) else { continue };
            into.extend_from_slice(&[term.comparison.code(), field]);
            put_counted(into, term.data);
            count += 1;
        }
        Terms { count, bytes: &into[start..] }
    }
}

/// A file found and who has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hit<'a> {
    /// Where it is served; a private address or port 0 means by push only.
    pub at: SocketAddrV4,
    /// The owner's bandwidth code.
    pub bandwidth: u8,
    /// The owner's name; `None` if it is that of an earlier hit of the same address in this reply.
    pub user: Option<&'a [u8]>,
    /// The file.
    pub item: Item<'a>,
}

impl<'a> Hit<'a> {
    /// Takes a hit off the front.
    pub fn take(bytes: &mut &'a [u8]) -> Result<Hit<'a>, Error> {
        let (at, bandwidth) = (address(bytes)?, u8(bytes)?);
        let user = if bytes.first() == Some(&SAME_USER) {
            take(bytes, 1)?;
            None
        } else {
            let user = until(bytes, USER_END)?;
            until(bytes, 0)?;
            Some(user)
        };
        Ok(Hit { at, bandwidth, user, item: Item::take(bytes)? })
    }

    /// Appends the hit; names are always spelt out unless there is none.
    pub fn put(&self, network: &[u8], out: &mut Vec<u8>) {
        put_address(out, self.at);
        out.push(self.bandwidth);
        match self.user {
            Some(user) => {
                out.extend_from_slice(user);
                out.push(USER_END);
                out.extend_from_slice(network);
                out.push(0);
            }
            None => out.push(SAME_USER),
        }
        self.item.put(out);
    }
}

/// The hits of a reply, read one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hits<'a> {
    count: u16,
    bytes: &'a [u8],
}

impl<'a> Hits<'a> {
    /// Hits already written by [`Hit::put`].
    pub fn written(count: u16, bytes: &'a [u8]) -> Hits<'a> {
        Hits { count, bytes }
    }

    /// The bytes of all of them as they came, checked by nobody.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The hits in order; one that cannot be read is told as an error and ends them.
    pub fn iter(&self) -> impl Iterator<Item = Result<Hit<'a>, Error>> + use<'a> {
        let (mut left, mut bytes) = (self.count, self.bytes);
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let hit = Hit::take(&mut bytes);
            if hit.is_err() {
                left = 0;
            }
            Some(hit)
        })
    }

    /// How many the reply says there are.
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Whether it says there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Hits for a search (type 07).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply<'a> {
    /// The supernode through which the owners can be pushed.
    pub supernode: SocketAddrV4,
    /// The search.
    pub id: u16,
    /// The hits.
    pub hits: Hits<'a>,
}

impl<'a> Reply<'a> {
    pub(super) fn take(bytes: &mut &'a [u8]) -> Result<Reply<'a>, Error> {
        let (supernode, id, count) = (address(bytes)?, u16(bytes)?, u16(bytes)?);
        let hits = Hits { count, bytes: std::mem::take(bytes) };
        Ok(Reply { supernode, id, hits })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_address(out, self.supernode);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.hits.count.to_be_bytes());
        out.extend_from_slice(self.hits.bytes);
    }

    /// An address that says nothing, for nodes that have none to give.
    pub const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
}
