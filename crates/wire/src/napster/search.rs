//! Hits, search by md5, and browsing (4.3).

use std::net::Ipv4Addr;

use super::Speed;
use super::message::record;
use super::sharing::FileRun;

record! {
    /// A search hit (201).
    pub struct Hit<'a> {
        /// Full path as it was shared.
        quoted name: &'a [u8],
        /// The md5 word, or 32 zeros from servers that throw it away (N10).
        word md5: &'a [u8],
        /// Bytes; 32 bits in real servers (N8).
        long size: u64,
        /// kbit/s, rounded (N9).
        number bitrate: u32,
        /// Hz, rounded (N9).
        number frequency: u32,
        /// Seconds.
        number duration: u32,
        /// Who has it.
        word nick: &'a [u8],
        /// Where they are, as the server says.
        ip ip: Ipv4Addr,
        /// Speed of their line.
        speed speed: Speed,
        /// The specification's weight; nobody known sends it.
        maybe_number weight: Option<u32>,
    }
}

record! {
    /// Who has that content (215)?
    pub struct ResumeSearch<'a> {
        /// The bare 32 digits (N10).
        word md5: &'a [u8],
        /// Bytes.
        long size: u64,
    }
}

record! {
    /// Somebody has it (216).
    pub struct ResumeHit<'a> {
        /// Who.
        word nick: &'a [u8],
        /// Where.
        ip ip: Ipv4Addr,
        /// Data port, 0 if firewalled.
        port port: u16,
        /// Full path.
        quoted name: &'a [u8],
        /// The md5 word.
        word md5: &'a [u8],
        /// Bytes.
        long size: u64,
        /// Speed of their line.
        speed speed: Speed,
    }
}

record! {
    /// List a user's files (211, 10301).
    pub struct Browse<'a> {
        /// Whose.
        word nick: &'a [u8],
        /// How many at most.
        maybe_number max: Option<u32>,
    }
}

record! {
    /// A file of the list (212).
    pub struct BrowseItem<'a> {
        /// Whose.
        word nick: &'a [u8],
        /// Full path.
        quoted name: &'a [u8],
        /// The md5 word.
        word md5: &'a [u8],
        /// Bytes.
        long size: u64,
        /// kbit/s, rounded.
        number bitrate: u32,
        /// Hz, rounded.
        number frequency: u32,
        /// Seconds.
        number duration: u32,
    }
}

record! {
    /// The list is over (213).
    pub struct BrowseEnd<'a> {
        /// Whose.
        word nick: &'a [u8],
        /// Where they are; G only.
        maybe_ip ip: Option<Ipv4Addr>,
    }
}

record! {
    /// Files of one directory of the list (10302, A only).
    pub struct BrowseDirectory<'a> {
        /// Whose.
        word nick: &'a [u8],
        /// The directory.
        quoted directory: &'a [u8],
        /// Its files.
        files files: FileRun<'a>,
    }
}

record! {
    /// Somebody wants our list directly (640); with an address if we are firewalled and must call them.
    pub struct DirectBrowseOrder<'a> {
        /// Who.
        word nick: &'a [u8],
        /// Where they are.
        maybe_ip ip: Option<Ipv4Addr>,
        /// Their data port.
        maybe_number port: Option<u32>,
    }
}

record! {
    /// Where to ask for the list (641).
    pub struct DirectBrowseReady<'a> {
        /// Whose list.
        word nick: &'a [u8],
        /// Where they are.
        ip ip: Ipv4Addr,
        /// Their data port.
        port port: u16,
    }
}

record! {
    /// There will be no direct browse (642).
    pub struct DirectBrowseError<'a> {
        /// Whose list.
        word nick: &'a [u8],
        /// Why.
        quoted text: &'a [u8],
    }
}
