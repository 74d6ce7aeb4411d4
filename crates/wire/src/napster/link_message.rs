//! What servers of one cluster tell each other (section 9).
//!
//! A client's message that is passed on for a user of another server carries `:sender ` in front of its data:
//! [`relayed`] takes it off, [`encode_relayed`] puts it on.

use std::net::Ipv4Addr;

use super::frame::write_frame;
use super::message::{messages, record};
use super::*;

record! {
    /// A server introduces itself (10010).
    pub struct LinkHello<'a> {
        /// Its name, which must resolve to its address.
        word server: &'a [u8],
        /// Any word; 16 hexadecimal digits.
        word nonce: &'a [u8],
        /// 0 to 9; the lower of both sides is used.
        number compression: u32,
    }
}

record! {
    /// A user somewhere behind the sender (2).
    pub struct LinkUser<'a> {
        /// Who.
        word nick: &'a [u8],
        /// The password, in clear: ours sends a word of no use instead.
        word password: &'a [u8],
        /// Data port.
        number port: u32,
        /// The program.
        quoted client: &'a [u8],
        /// Speed of the line; G may quote it.
        speed speed: Speed,
        /// Mail address or `unknown`.
        word email: &'a [u8],
        /// Unix time of the login.
        long login_time: u64,
        /// Where from.
        ip ip: Ipv4Addr,
        /// On which server.
        word server: &'a [u8],
        /// From which port.
        number connect_port: u32,
    }
}

record! {
    /// What a user shares in all (10012).
    pub struct UserShares<'a> {
        /// Who.
        word nick: &'a [u8],
        /// Files.
        number files: u32,
        /// Their size in kilobytes.
        long kilobytes: u64,
    }
}

record! {
    /// Where a user connects from (10013, now part of 2).
    pub struct UserAddress<'a> {
        /// Who.
        word nick: &'a [u8],
        /// Where from.
        ip ip: Ipv4Addr,
        /// From which port.
        number port: u32,
        /// On which server.
        word server: &'a [u8],
    }
}

record! {
    /// A registered nick (10014); the older creation time wins.
    pub struct Registration<'a> {
        /// The server that says so.
        origin from: &'a [u8],
        /// The nick.
        word nick: &'a [u8],
        /// Password or its hash.
        word password: &'a [u8],
        /// Level.
        word level: &'a [u8],
        /// Mail address.
        word email: &'a [u8],
        /// Unix time.
        long created: u64,
        /// Unix time.
        long last_seen: u64,
    }
}

record! {
    /// A search of a user behind the sender (10015).
    pub struct LinkSearch<'a> {
        /// Who searches.
        word nick: &'a [u8],
        /// Eight capitals that name the search.
        word id: &'a [u8],
        /// The query, rebuilt; read it with [`Query::parse`].
        text query: &'a [u8],
    }
}

record! {
    /// One hit (10016), on the way back.
    pub struct LinkHit<'a> {
        /// Names the search.
        word id: &'a [u8],
        /// Who has it; address and speed are in everybody's user table.
        word nick: &'a [u8],
        /// Full path.
        quoted name: &'a [u8],
        /// The md5 word.
        word md5: &'a [u8],
        /// Bytes.
        long size: u64,
        /// kbit/s.
        number bitrate: u32,
        /// Hz.
        number frequency: u32,
        /// Seconds.
        number duration: u32,
    }
}

record! {
    /// A whole client frame for a user on another server (10018).
    pub struct Wrapped<'a> {
        /// The server that says so.
        origin from: &'a [u8],
        /// For whom.
        word nick: &'a [u8],
        /// The frame with its header; split it with [`Frame::split`].
        binary frame: &'a [u8],
    }
}

record! {
    /// Two servers are linked (10019).
    pub struct LinkUp<'a> {
        /// One.
        word server: &'a [u8],
        /// Its port.
        port port: u16,
        /// The other.
        word peer: &'a [u8],
        /// Its port.
        port peer_port: u16,
        /// One more at each relay.
        number hops: u32,
    }
}

record! {
    /// A server has left (10020).
    pub struct LinkDown<'a> {
        /// The server that says so.
        origin from: &'a [u8],
        /// Which left.
        word server: &'a [u8],
        /// Why.
        maybe_quoted reason: Option<&'a [u8]>,
    }
}

record! {
    /// To users of a level (10021).
    pub struct TellLevel<'a> {
        /// The server that says so.
        origin from: &'a [u8],
        /// From which level on.
        word level: &'a [u8],
        /// What.
        quoted text: &'a [u8],
    }
}

record! {
    /// The answer to a 750 between servers (10022, G).
    pub struct LinkPong<'a> {
        /// Who answers.
        origin from: &'a [u8],
        /// To whom.
        word target: &'a [u8],
        /// As asked.
        text args: &'a [u8],
    }
}

record! {
    /// The time at linking (10023, G).
    pub struct LinkTime<'a> {
        /// The server that says so.
        origin from: &'a [u8],
        /// Its Unix time.
        long time: u64,
    }
}

record! {
    /// Somebody asked who a user is (10024, G).
    pub struct WhoisNotice<'a> {
        /// Who asked.
        origin from: &'a [u8],
        /// Of whom.
        word nick: &'a [u8],
    }
}

record! {
    /// A user's level (606).
    pub struct UserLevel<'a> {
        /// The server that says so.
        origin from: &'a [u8],
        /// Who.
        word nick: &'a [u8],
        /// Leech, User, Moderator, Admin, Elite.
        word level: &'a [u8],
        /// When it was given; A only.
        maybe_long time: Option<u64>,
    }
}

record! {
    /// A user is thrown out (610); nick collisions are settled so.
    pub struct LinkKill<'a> {
        /// The server that says so.
        origin from: &'a [u8],
        /// Whom.
        word nick: &'a [u8],
        /// Why.
        maybe_quoted reason: Option<&'a [u8]>,
    }
}

messages! {
    /// A message between servers; `Other` may be a client's message passed on (see [`relayed`]).
    pub enum LinkMessage<'a> {
        /// A user.
        2 => User(user: LinkUser<'a>),
        /// A user's level.
        606 => Level(level: UserLevel<'a>),
        /// A user is thrown out.
        610 => Kill(kill: LinkKill<'a>),
        /// A user left.
        10000 => UserQuit(nick: Nick<'a>),
        /// A server introduces itself, in clear.
        10010 => Hello(hello: LinkHello<'a>),
        /// It knows the password, in clear; see [`link_proof`](super::link_proof).
        10011 => Proof(proof: Nick<'a>),
        /// What a user shares.
        10012 => Shares(shares: UserShares<'a>),
        /// Where a user connects from.
        10013 => Address(address: UserAddress<'a>),
        /// A registered nick.
        10014 => Registration(registration: Registration<'a>),
        /// A search.
        10015 => Search(search: LinkSearch<'a>),
        /// A hit.
        10016 => Hit(hit: LinkHit<'a>),
        /// That neighbour, and all behind it, is done with a search.
        10017 => SearchEnd(id: Nick<'a>),
        /// A frame for a user on another server.
        10018 => Wrapped(wrapped: Wrapped<'a>),
        /// Two servers are linked.
        10019 => LinkUp(link: LinkUp<'a>),
        /// A server has left.
        10020 => LinkDown(link: LinkDown<'a>),
        /// To users of a level.
        10021 => TellLevel(tell: TellLevel<'a>),
        /// The answer to a ping.
        10022 => Pong(pong: LinkPong<'a>),
        /// The time.
        10023 => Time(time: LinkTime<'a>),
        /// Somebody asked who a user is.
        10024 => WhoisNotice(notice: WhoisNotice<'a>),
        /// All is told.
        10262 => SyncEnd,
        /// All was heard.
        10263 => SyncEndAck,
    }
}

/// The sender and the frame as they sent it, if `frame` is a message passed on.
pub fn relayed<'a>(frame: Frame<'a>) -> Option<(&'a [u8], Frame<'a>)> {
    let text = frame.data.strip_prefix(b":")?;
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let data = text.get(end + 1..).unwrap_or(&[]);
    (end > 0).then_some((&text[..end], Frame { kind: frame.kind, data }))
}

/// Appends a client's frame as it is passed on for `sender`; `Unwritable` or `TooLong` append nothing.
pub fn encode_relayed(sender: &[u8], frame: Frame<'_>, out: &mut Vec<u8>) -> Result<(), NapsterError> {
    write_frame(out, frame.kind, |out| {
        let mut writer = Writer::new(out);
        writer.origin(sender);
        writer.binary(frame.data);
        writer.finish()
    })
}
