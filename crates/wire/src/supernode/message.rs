//! Messages by kind.

use super::{DigestPart, Error, Frame, Toggles};
use crate::fasttrack::number::{address, array, put_address, take, u8, u16, u32};
use crate::fasttrack::{Hits, NodeList, PushRequest, Realm, Terms};
use std::net::SocketAddrV4;

const STANDING: u8 = 0x01;
const KNOWN: u8 = 0x02;
const ASK_KNOWN: u8 = 0x03;
const SKETCH: u8 = 0x04;
const DIGEST: u8 = 0x05;
const TOGGLES: u8 = 0x06;
const QUERY: u8 = 0x07;
const REPLY: u8 = 0x08;
const PUSH: u8 = 0x09;
const BYE: u8 = 0x0a;

/// Addresses of a [`Message::Known`].
pub const MAX_KNOWN: usize = 64;
/// Marks of a [`Message::Sketch`].
pub const MAX_SKETCH: usize = 64;
/// Bytes of an address in a list.
const NODE: usize = 8;
/// Bytes of a mark.
const MARK: usize = 10;

/// Names a query.
pub type Guid = [u8; 16];

/// A message between supernodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// How the speaker stands; also says that it is alive.
    Standing(Standing),
    /// Other supernodes.
    Known(NodeList<'a>),
    /// To be answered with [`Message::Known`].
    AskKnown,
    /// By which the number of supernodes is estimated.
    Sketch(Sketch<'a>),
    /// A part of the speaker's digest.
    Digest(DigestPart<'a>),
    /// Bits of it that changed.
    Toggles(Toggles<'a>),
    /// A search.
    Query(Query<'a>),
    /// Hits for one.
    Reply(Reply<'a>),
    /// An ordinary node of the hearer's is to call somebody.
    Push(PushRequest<'a>),
    /// The speaker closes, for a reason to be counted.
    Bye(u8),
    /// Of a later version; to be ignored.
    Other(u8),
}

impl<'a> Message<'a> {
    /// Reads a frame; bytes behind the known fields are ignored.
    pub fn parse(frame: Frame<'a>) -> Result<Message<'a>, Error> {
        let mut body = frame.body;
        let bytes = &mut body;
        Ok(match frame.kind {
            STANDING => Message::Standing(Standing::take(bytes)?),
            KNOWN if bytes.len() > MAX_KNOWN * NODE => return Err(Error::Length),
            KNOWN => Message::Known(NodeList(bytes)),
            ASK_KNOWN => Message::AskKnown,
            SKETCH if bytes.len() > MAX_SKETCH * MARK => return Err(Error::Length),
            SKETCH => Message::Sketch(Sketch(bytes)),
            DIGEST => Message::Digest(DigestPart::parse(bytes)?),
            TOGGLES => Message::Toggles(Toggles::parse(bytes)),
            QUERY => Message::Query(Query::take(bytes)?),
            REPLY => Message::Reply(Reply::take(bytes)?),
            PUSH => Message::Push(PushRequest::parse(bytes)?),
            BYE => Message::Bye(u8(bytes)?),
            other => Message::Other(other),
        })
    }

    /// Appends the frame; `false`, and nothing appended, if it is too long.
    pub fn put(&self, out: &mut Vec<u8>) -> bool {
        Frame::put(self.kind(), out, |out| match self {
            Message::Standing(standing) => standing.put(out),
            Message::Known(NodeList(bytes)) | Message::Sketch(Sketch(bytes)) => out.extend_from_slice(bytes),
            Message::AskKnown | Message::Other(_) => {}
            Message::Digest(part) => part.put(out),
            Message::Toggles(toggles) => {
                let places = toggles.iter().map_while(Result::ok);
                Toggles::put(places, out);
            }
            Message::Query(query) => query.put(out),
            Message::Reply(reply) => reply.put(out),
            Message::Push(push) => push.put(out),
            Message::Bye(reason) => out.push(*reason),
        })
    }

    fn kind(&self) -> u8 {
        match self {
            Message::Standing(_) => STANDING,
            Message::Known(_) => KNOWN,
            Message::AskKnown => ASK_KNOWN,
            Message::Sketch(_) => SKETCH,
            Message::Digest(_) => DIGEST,
            Message::Toggles(_) => TOGGLES,
            Message::Query(_) => QUERY,
            Message::Reply(_) => REPLY,
            Message::Push(_) => PUSH,
            Message::Bye(_) => BYE,
            Message::Other(kind) => *kind,
        }
    }
}

/// How a supernode stands.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Standing {
    /// Ordinary nodes attached to it.
    pub members: u16,
    /// Ordinary nodes it can carry.
    pub slots: u16,
    /// Supernodes it is linked to.
    pub links: u16,
    /// Minutes since it became one.
    pub minutes: u32,
}

impl Standing {
    pub(super) fn take(bytes: &mut &[u8]) -> Result<Standing, Error> {
        let [members, slots, links] = [u16(bytes)?, u16(bytes)?, u16(bytes)?];
        Ok(Standing { members, slots, links, minutes: u32(bytes)? })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for number in [self.members, self.slots, self.links] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.minutes.to_be_bytes());
    }
}

/// One supernode's mark: its number is as if drawn at random, so the smallest of all tell how many there are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark {
    /// A hash of its address.
    pub number: u64,
    /// Seconds since it said so itself.
    pub age: u16,
}

/// The smallest marks that the speaker knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sketch<'a>(&'a [u8]);

impl<'a> Sketch<'a> {
    /// The marks; what is left over at the end is ignored.
    pub fn iter(&self) -> impl Iterator<Item = Mark> + use<'a> {
        self.0.chunks_exact(MARK).filter_map(|mut mark| {
            let mark = &mut mark;
            Some(Mark { number: array(mark).map(u64::from_be_bytes).ok()?, age: u16(mark).ok()? })
        })
    }

    /// Writes marks, for a message; those beyond [`MAX_SKETCH`] are left out.
    pub fn write(marks: impl Iterator<Item = Mark>, into: &mut Vec<u8>) -> Sketch<'_> {
        into.clear();
        for mark in marks.take(MAX_SKETCH) {
            into.extend_from_slice(&mark.number.to_be_bytes());
            into.extend_from_slice(&mark.age.to_be_bytes());
        }
        Sketch(into)
    }
}

/// A search as it goes from supernode to supernode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'a> {
    /// Names it.
    pub guid: Guid,
    /// Links it may still go.
    pub ttl: u8,
    /// Links it has gone.
    pub hops: u8,
    /// To how many supernodes beyond those whose digest fits it is to be passed on; 0 to none.
    pub fanout: u8,
    /// Hits wanted of each supernode.
    pub wanted: u16,
    /// Kinds of files.
    pub realm: Realm,
    /// All of them must hold.
    pub terms: Terms<'a>,
}

impl<'a> Query<'a> {
    fn take(bytes: &mut &'a [u8]) -> Result<Query<'a>, Error> {
        let (guid, [ttl, hops, fanout]) = (array(bytes)?, array(bytes)?);
        let (wanted, realm) = (u16(bytes)?, Realm(u8(bytes)?));
        Ok(Query { guid, ttl, hops, fanout, wanted, realm, terms: Terms::take(bytes)? })
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.guid);
        out.extend_from_slice(&[self.ttl, self.hops, self.fanout]);
        out.extend_from_slice(&self.wanted.to_be_bytes());
        out.push(self.realm.0);
        self.terms.put(out);
    }
}

/// Hits of one supernode's ordinary nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply<'a> {
    /// The search.
    pub guid: Guid,
    /// Whose ordinary nodes have the files.
    pub supernode: SocketAddrV4,
    /// The hits as FastTrack writes them.
    pub hits: Hits<'a>,
}

impl<'a> Reply<'a> {
    /// Bytes of all that is no hit.
    pub const OVERHEAD: usize = 16 + 6 + 2;

    fn take(bytes: &mut &'a [u8]) -> Result<Reply<'a>, Error> {
        let (guid, supernode, count) = (array(bytes)?, address(bytes)?, u16(bytes)?);
        let hits = Hits::written(count, take(bytes, bytes.len())?);
        Ok(Reply { guid, supernode, hits })
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.guid);
        put_address(out, self.supernode);
        out.extend_from_slice(&(self.hits.len() as u16).to_be_bytes());
        out.extend_from_slice(self.hits.bytes());
    }
}
