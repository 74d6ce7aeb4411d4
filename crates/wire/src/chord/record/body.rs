//! The values of providers and postings: what they say of an item.

use super::codec::{read_short, write_short};
use super::{Hashes, MAX_POSTING, MAX_PROVIDER};
use crate::chord::Error;
use crate::chord::layout::{List, Wire};
use std::net::SocketAddr;

/// Tags a posting may have at most.
const MAX_TAGS: u8 = 12;

/// Where an item is to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Provider<'a> {
    /// How.
    pub flags: ProviderFlags,
    /// Where its holder is reached: the first is the packet's source or a relay that confirms it.
    pub addresses: List<'a, SocketAddr>,
    /// The swarm it can be fetched from.
    pub info_hash: Option<[u8; 20]>,
}

/// How an item is to be had; bits not known are ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProviderFlags(pub u8);

impl ProviderFlags {
    /// The holder has all of it.
    pub const COMPLETE: Self = Self(1);
    /// The addresses are a relay's, which confirms the holder.
    pub const RELAYED: Self = Self(2);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl<'a> Provider<'a> {
    /// Decodes a provider's value.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_PROVIDER {
            return Err(Error::TooLarge);
        }
        let mut rest = bytes;
        let flags = ProviderFlags(u8::read(&mut rest)?);
        let provider = Self { flags, addresses: Wire::read(&mut rest)?, info_hash: Wire::read(&mut rest)? };
        if rest.is_empty() { Ok(provider) } else { Err(Error::Trailing) }
    }

    /// Appends the value.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        out.push(self.flags.0);
        let written = self.addresses.write(out).and_then(|()| self.info_hash.write(out));
        finish(written, out, start, MAX_PROVIDER)
    }
}

/// What a posting says of its item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Posting<'a> {
    /// The name it is found by.
    pub title: &'a str,
    /// Further words, separated by one line feed (0x0a) each; empty for none.
    pub tags: &'a str,
    /// Bytes.
    pub size: u64,
    /// What it is: a code of the application's, 0 for not said.
    pub medium: u8,
    /// What it can be fetched by.
    pub hashes: Hashes,
    /// Where its publisher is reached: the packet's source, but for the port.
    pub source: SocketAddr,
}

impl<'a> Posting<'a> {
    /// Decodes a posting's value.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_POSTING {
            return Err(Error::TooLarge);
        }
        let mut rest = bytes;
        let posting = Self {
            title: text(Wire::read(&mut rest)?)?,
            tags: text(read_short(&mut rest)?)?,
            size: Wire::read(&mut rest)?,
            medium: Wire::read(&mut rest)?,
            hashes: Hashes::read(&mut rest)?,
            source: Wire::read(&mut rest)?,
        };
        posting.check()?;
        if rest.is_empty() { Ok(posting) } else { Err(Error::Trailing) }
    }

    /// Appends the value; fails if it is longer than 450 bytes or has more than 12 tags.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        let written = self.check().and_then(|()| self.write(out));
        finish(written, out, start, MAX_POSTING)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.title.as_bytes().write(out)?;
        write_short(self.tags.as_bytes(), out)?;
        self.size.write(out)?;
        self.medium.write(out)?;
        self.hashes.write(out);
        self.source.write(out)
    }

    fn check(&self) -> Result<(), Error> {
        let tags = self.tags.split('\n').count();
        let empty = !self.tags.is_empty() && self.tags.split('\n').any(str::is_empty);
        if self.title.is_empty() || empty || tags > usize::from(MAX_TAGS) { Err(Error::Name) } else { Ok(()) }
    }

    /// The tags, in order.
    pub fn tags(&self) -> impl Iterator<Item = &'a str> {
        self.tags.split('\n').filter(|tag| !tag.is_empty())
    }
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::Name)
}

fn finish(written: Result<(), Error>, out: &mut Vec<u8>, start: usize, most: usize) -> Result<(), Error> {
    let written = written.and(if out.len() - start > most { Err(Error::TooLarge) } else { Ok(()) });
    if written.is_err() {
        out.truncate(start);
    }
    written
}
