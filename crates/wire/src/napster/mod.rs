//! The Napster protocol as OpenNap servers speak it, as a codec only: bytes to typed messages and back.
//!
//! Sources: docs/protocols/napster.md; section numbers and quirks (T, P, N) in the comments are those of that page.
//! Invariants: nothing here outlives a call, but for the zlib streams of a link; decoded messages borrow from the
//! caller's bytes; names are opaque bytes; reading is as tolerant as the servers of the time, writing is strict: what
//! cannot be read back is refused; every length is checked against its limit before a caller is asked to hold it.

mod client_message;
mod error;
mod fields;
mod frame;
mod link_message;
mod link_stream;
mod message;
mod nick;
pub mod peer;
mod people;
mod query;
mod rounding;
mod search;
mod server_message;
mod session;
mod sharing;
mod speed;
mod transfer;
mod writer;

pub use client_message::ClientMessage;
pub use error::NapsterError;
pub use fields::{Fields, ip_from_number, ip_to_number};
pub use frame::{Frame, HEADER_LEN, MAX_DATA};
pub use link_message::{
    LinkDown, LinkHello, LinkHit, LinkKill, LinkMessage, LinkPong, LinkSearch, LinkTime, LinkUp, LinkUser,
    Registration, TellLevel, UserAddress, UserLevel, UserShares, WhoisNotice, Wrapped, encode_relayed,
    relayed,
};
pub use link_stream::{Deflater, Inflater, PROOF_LEN, link_proof};
pub use message::{Nick, NickText, Number, Payload, Text};
pub use nick::{MAX_CLIENT, MAX_NICK, is_valid_nick};
pub use people::{ChannelDetails, ChannelEntry, Kill, Member, NickSpeed, Said, Say, Whois, Whowas};
pub use query::{Bounds, FileKind, KindFilter, MAX_RESULTS, Query, QueryError, Term};
pub use rounding::{round_bitrate, round_frequency};
pub use search::{
    Browse, BrowseDirectory, BrowseEnd, BrowseItem, DirectBrowseError, DirectBrowseOrder, DirectBrowseReady,
    Hit, ResumeHit, ResumeSearch,
};
pub use server_message::ServerMessage;
pub use session::{Capability, Login, LoginAck, NewSpeed, PasswordCheck, Ping, Redirect, Stats};
pub use sharing::{FileRun, Files, Share, ShareDirectory, ShareTyped, Unshare};
pub use speed::Speed;
pub use transfer::{Contact, FIREWALL_ERROR, NickFile, QueueFull, QueueLimit, UploadRequest};
pub use writer::Writer;

#[cfg(test)]
mod query_tests;
#[cfg(test)]
mod tests;
