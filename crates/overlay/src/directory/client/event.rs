//! What the client tells the application.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use throng_machine::{ContentId, Endpoint, StreamId};
use throng_wire::napster::Speed;
use throng_wire::napster::peer::Refusal as PeerRefusal;

use super::command::DownloadId;
use super::violation::Violation;
use crate::discovery::{self, Item, Refusal, Source, Ticket};

/// A file of a user, as a search or a browse told it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserFile {
    /// Through which directory it was found.
    pub server: Endpoint,
    /// Who has it.
    pub nick: Vec<u8>,
    /// The full name, opaque bytes: what a download asks for.
    pub name: Vec<u8>,
    /// Bytes.
    pub size: u64,
    /// The md5 word, where it can be the beginning of a pieces root (section 12).
    pub root: Option<[u8; 16]>,
    /// kbit/s, as the server rounded it.
    pub bitrate: u32,
    /// Hz, as the server rounded it.
    pub frequency: u32,
    /// Seconds.
    pub duration: u32,
    /// Speed of the user's line; unknown in a browse.
    pub speed: Speed,
    /// Where the user is, as the server says; unspecified in a browse.
    pub address: Ipv4Addr,
}

impl UserFile {
    /// As every overlay tells it: the last part of the name, without a root, as 16 bytes prove nothing.
    pub fn item(&self) -> Item {
        let base = self.name.rsplit(|byte| matches!(byte, b'\\' | b'/')).next().unwrap_or(&self.name);
        Item { title: String::from_utf8_lossy(base).into_owned(), size: self.size, ..Item::default() }
    }

    /// How it is asked for.
    pub fn source(&self) -> Source {
        Source::Directory { server: self.server, nick: self.nick.clone(), name: self.name.clone() }
    }
}

/// What a server knows of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserInfo {
    /// Who.
    pub nick: Vec<u8>,
    /// Leech, User, Moderator, Admin, Elite.
    pub level: Vec<u8>,
    /// Active and others.
    pub status: Vec<u8>,
    /// Seconds online.
    pub online: u64,
    /// Files shared.
    pub shared: u32,
    /// Downloads and uploads under way.
    pub transfers: (u32, u32),
    /// Speed of the line.
    pub speed: Speed,
    /// The program.
    pub client: Vec<u8>,
}

/// Why a directory was left or not entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogoutReason {
    /// The application asked for it.
    Asked,
    /// No connection.
    Unreachable,
    /// The connection ended.
    Lost,
    /// It said nothing for too long.
    Silent,
    /// It refused the login; a notice with its words came before.
    Refused,
    /// It remembers an earlier session of ours (N6).
    Ghost,
    /// Our nick logged in elsewhere.
    Replaced,
    /// It broke the protocol.
    Violation,
}

/// Why a download failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DownloadError {
    /// Too many at once, or the id is in use.
    Busy,
    /// The directory is not one we joined.
    NotJoined,
    /// The user is gone, or does not share the file (206).
    NotAvailable,
    /// Nobody answered in time.
    TimedOut,
    /// Neither side can be called.
    BothFirewalled,
    /// The queue stayed full.
    QueueFull,
    /// The address the server gave must not be called: ours, nobody's, or of a network we are not part of with it.
    BadAddress,
    /// The user could not be reached.
    Unreachable,
    /// The user refused.
    Refused(PeerRefusal),
    /// The file is no longer of the size the hit told.
    SizeChanged(u64),
    /// The connection ended too early, or hardly moved.
    Interrupted,
    /// The peer broke the protocol.
    Violation,
    /// A name or nick that the protocol cannot express.
    Unwritable,
}

/// What the client tells the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Logged in at a directory under that nick.
    LoggedIn(Endpoint, Vec<u8>),
    /// Not, or no longer; tried again after that time if any.
    LoggedOut(Endpoint, LogoutReason, Option<Duration>),
    /// A line of the message of the day.
    Motd(Endpoint, Vec<u8>),
    /// A notice or error in the server's words.
    Notice(Endpoint, Vec<u8>),
    /// Users, files and gigabytes.
    Totals(Endpoint, u64, u64, u64),
    /// The server would have us go elsewhere (host, port): a person decides.
    Redirected(Endpoint, Vec<u8>, u16),
    /// All files are told to that directory: how many.
    Shared(Endpoint, u32),
    /// A file cannot be shared: its name is shared already, or it is too much.
    NotShared(ContentId),
    /// A hit.
    Found(Ticket, Box<UserFile>),
    /// A file of a browse.
    Listed(Ticket, Box<UserFile>),
    /// A search or browse is over.
    Finished(Ticket),
    /// A search or browse is over as it cannot be done.
    Refused(Ticket, Refusal),
    /// A user says something.
    Said(Endpoint, Vec<u8>, Vec<u8>),
    /// A watched user is there.
    UserCame(Endpoint, Vec<u8>, Speed),
    /// A watched user has gone.
    UserLeft(Endpoint, Vec<u8>),
    /// What is known of a user.
    User(Endpoint, Box<UserInfo>),
    /// A user is not there; last seen at that Unix time, if registered.
    UserAway(Endpoint, Vec<u8>, Option<u64>),
    /// The speed of a user's line.
    UserSpeed(Endpoint, Vec<u8>, Speed),
    /// A user answered a ping.
    Pong(Endpoint, Vec<u8>),
    /// A user could not reach our data port.
    PortUnreachable(Endpoint, Vec<u8>),
    /// Bytes begin to come, from that offset of that size.
    Began(DownloadId, u64, u64),
    /// The uploader's bytes do not continue what was had: all begins anew at 0.
    Restarted(DownloadId),
    /// The queue is full; asked again after that time.
    Queued(DownloadId, Duration),
    /// All bytes that were wanted are placed; nothing verifies them.
    Downloaded(DownloadId),
    /// The user is one of our nodes: go on with this magnet link, which came from that address; the download here is
    /// over. The root it names must begin with the 16 bytes of the hit, where there were any.
    Magnet(DownloadId, Bytes, Endpoint),
    /// The download is over; bytes had, from the beginning.
    DownloadFailed(DownloadId, DownloadError, u64),
    /// An upload begins.
    Uploading(ContentId, Vec<u8>),
    /// All bytes of an upload have left.
    Uploaded(ContentId, Vec<u8>),
    /// An upload that had begun ended too early.
    UploadFailed(ContentId, Vec<u8>),
    /// One of our nodes asks for the magnet link of a file: answer with `Command::Magnet`.
    MagnetWanted(StreamId, ContentId),
    /// Somebody did what they must not.
    Misbehaved(Endpoint, Violation),
}

impl Event {
    /// As every overlay tells it, where it does.
    pub fn discovery(&self) -> Option<discovery::Event> {
        Some(match self {
            Event::LoggedIn(..) => discovery::Event::Joined,
            Event::LoggedOut(_, LogoutReason::Asked, _) => discovery::Event::Left,
            Event::Found(ticket, file) => {
                discovery::Event::Found { ticket: *ticket, item: file.item(), source: file.source() }
            }
            Event::Finished(ticket) => discovery::Event::Finished(*ticket),
            Event::Refused(ticket, refusal) => discovery::Event::Refused(*ticket, *refusal),
            _ => return None,
        })
    }
}
