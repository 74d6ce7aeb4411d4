//! Every message of a datagram (chord.md 1.5): one structure each, grouped by what they serve.
//!
//! Kind numbers: 0x for the ring, 1x small rings, 2x lookups, 3x the store, 4x merging, 5x full tables, 7x refusals.
//! A structure's encoding is that of its fields in order.

mod lookup;
mod merge;
mod options;
mod repair;
mod ring;
mod small;
mod store;
mod table;

pub use lookup::{Found, Look, LookAck, LookFlags, Purpose, Verdict};
pub use merge::{Meet, MeetAck, MergeHint};
pub use options::{KindSet, Limit, Outcome, Padding, PostingFilter, PutFlags, Selector};
pub use repair::{
    Confirm, Confirmed, Cursor, Digest, DigestAck, Prefix, Pull, PullAck, Summary, TreeHash, TreeNode,
};
pub use ring::{
    GetState, JoinOk, JoinRead, Leave, LeaveAck, Notify, NotifyAck, Nudge, Ping, PingReq, PingRes, Pong,
    Redirect, Relayed, State, Switch, SwitchAck, View,
};
pub use small::{Collapse, CollapseAck, Page, Row, SmallAck, SmallAdd, SmallWelcome, Status};
pub use store::{Get, Got, Held, NotMine, Put, PutAck, PutResult, Refresh, RefreshItem, Replicate};
pub use table::{Change, Events, GetTable, Table, TableDigest, TableDigestAck};

use super::Error;
use super::contact::Mode;
use super::header::{HEADER_LEN, Header};
use super::layout::{Wire, layout};

/// Bytes after the header at most.
pub const MAX_PAYLOAD: usize = 1_200;
/// Bytes of a datagram at most: what IPv6 carries unfragmented anywhere, less its own and UDP's header.
pub const MAX_DATAGRAM: usize = HEADER_LEN + MAX_PAYLOAD;

layout! {
    /// Refusal of an address that has not yet shown a token: ask again with the one in the header.
    pub struct Challenge {}

    /// Refusal of a node with too much to do.
    pub struct Busy {
        /// Tenths of a second to wait before asking again; another node may be asked at once.
        pub retry_after: u8,
    }

    /// Refusal of a node that is no member at the moment.
    pub struct NotMember {
        /// What it is instead.
        pub mode: Mode,
    }
}

macro_rules! messages {
    ($( $code:literal $name:ident $(<$life:lifetime>)?, )*) => {
        /// A message.
        #[allow(missing_docs)] // The structures say it.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Message<'a> { $( $name($name $(<$life>)?), )* }

        impl<'a> Message<'a> {
            /// The kind's number in the header.
            pub const fn kind(&self) -> u8 {
                match self { $( Self::$name(_) => $code, )* }
            }

            /// The kind's name, for logs and counters.
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$name(_) => stringify!($name), )* }
            }

            fn read(kind: u8, bytes: &mut &'a [u8]) -> Result<Self, Error> {
                match kind {
                    $( $code => Wire::read(bytes).map(Self::$name), )*
                    _ => Err(Error::Kind(kind)),
                }
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
                match self { $( Self::$name(message) => message.write(out), )* }
            }
        }

        $( impl<'a> From<$name $(<$life>)?> for Message<'a> {
            fn from(message: $name $(<$life>)?) -> Self {
                Self::$name(message)
            }
        } )*
    };
}

messages! {
    0x01 Ping,
    0x02 Pong,
    0x03 PingReq,
    0x04 PingRes<'a>,
    0x05 GetState,
    0x06 State<'a>,
    0x07 Notify<'a>,
    0x08 NotifyAck,
    0x09 Nudge,
    0x0a JoinRead,
    0x0b JoinOk<'a>,
    0x0c Redirect,
    0x0d Leave<'a>,
    0x0e LeaveAck,
    0x0f Switch,
    0x10 SwitchAck,
    0x18 SmallAdd<'a>,
    0x19 SmallAck<'a>,
    0x1a SmallWelcome<'a>,
    0x1b Collapse<'a>,
    0x1c CollapseAck<'a>,
    0x20 Look,
    0x21 LookAck<'a>,
    0x22 Found<'a>,
    0x30 Get<'a>,
    0x31 Got<'a>,
    0x32 Put<'a>,
    0x33 PutAck<'a>,
    0x34 Refresh<'a>,
    0x35 Replicate<'a>,
    0x36 Digest<'a>,
    0x37 DigestAck<'a>,
    0x38 Pull<'a>,
    0x39 PullAck<'a>,
    0x3a Confirm,
    0x3b Confirmed,
    0x3c NotMine,
    0x40 MergeHint,
    0x41 Meet<'a>,
    0x42 MeetAck<'a>,
    0x50 Events<'a>,
    0x51 TableDigest<'a>,
    0x52 TableDigestAck<'a>,
    0x53 GetTable,
    0x54 Table<'a>,
    0x70 Challenge,
    0x71 Busy,
    0x72 NotMember,
}

/// A message and what the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'a> {
    /// The header.
    pub header: Header,
    /// What follows it.
    pub message: Message<'a>,
}

impl<'a> Datagram<'a> {
    /// Decodes a datagram; fails unless every byte of it is understood.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_DATAGRAM {
            return Err(Error::TooLarge);
        }
        let mut rest = bytes;
        let (header, kind) = Header::read(&mut rest)?;
        let message = Message::read(kind, &mut rest)?;
        if rest.is_empty() { Ok(Self { header, message }) } else { Err(Error::Trailing) }
    }

    /// Appends the datagram; on failure `out` is as before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        let written = self
            .write(out)
            .and_then(|()| if out.len() - start > MAX_DATAGRAM { Err(Error::TooLarge) } else { Ok(()) });
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.header.write(self.message.kind(), out)?;
        self.message.write(out)
    }
}
