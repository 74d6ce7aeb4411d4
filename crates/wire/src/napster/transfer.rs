//! Arranging downloads and uploads (4.4).

use std::net::Ipv4Addr;

use super::Speed;
use super::message::record;

record! {
    /// A nick and a file: 203, 500, 608, 609 from clients, 206 and 609 from servers.
    pub struct NickFile<'a> {
        /// The other user.
        word nick: &'a [u8],
        /// Full path as it was shared.
        quoted name: &'a [u8],
    }
}

record! {
    /// Somebody wants a file of ours (607).
    pub struct UploadRequest<'a> {
        /// Who.
        word nick: &'a [u8],
        /// Full path; not checked by every server (N13).
        quoted name: &'a [u8],
        /// Speed of their line, if they sit on a linked server of type G.
        maybe_speed speed: Option<Speed>,
    }
}

record! {
    /// The file can be had there (204), or call that downloader (501).
    pub struct Contact<'a> {
        /// The other user.
        word nick: &'a [u8],
        /// Where they are, as the server says.
        ip ip: Ipv4Addr,
        /// Their data port; 0 in a 204 means firewalled.
        port port: u16,
        /// Full path.
        quoted name: &'a [u8],
        /// The md5 word, or `firewallerror` if both are firewalled.
        word md5: &'a [u8],
        /// Speed of their line; some servers leave it out of 501.
        maybe_speed speed: Option<Speed>,
    }
}

/// The md5 word of a 204 that says that neither side can be called.
pub const FIREWALL_ERROR: &[u8] = b"firewallerror";

record! {
    /// Not now (619): our queue is full.
    pub struct QueueFull<'a> {
        /// Who asked.
        word nick: &'a [u8],
        /// For what.
        quoted name: &'a [u8],
        /// Uploads allowed; 0 means not at all.
        number limit: u32,
    }
}

record! {
    /// Not now (620): their queue is full.
    pub struct QueueLimit<'a> {
        /// Who was asked.
        word nick: &'a [u8],
        /// For what.
        quoted name: &'a [u8],
        /// Bytes.
        long size: u64,
        /// Uploads allowed; 0 means not at all.
        number limit: u32,
    }
}
