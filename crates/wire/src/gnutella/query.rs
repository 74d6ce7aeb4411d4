//! Searches (section 4.2).

use super::number::{array, text};
use super::{Error, Extensions};

/// What a query asks for beside its words; big-endian on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct QueryFlags(pub u16);

impl QueryFlags {
    /// The flags mean something; without it gtk-gnutella drops the query.
    pub const VALID: QueryFlags = QueryFlags(0x8000);
    /// The sender can't be connected to: firewalled receivers don't answer.
    pub const FIREWALLED: QueryFlags = QueryFlags(0x4000);
    /// XML metadata wanted.
    pub const XML: QueryFlags = QueryFlags(0x2000);
    /// The leaf answers questions about how many hits it kept.
    pub const GUIDED: QueryFlags = QueryFlags(0x1000);
    /// Hits may have binary hashes (GGEP `H`).
    pub const BINARY_HASHES: QueryFlags = QueryFlags(0x0800);
    /// Hits out of band are wanted.
    pub const OUT_OF_BAND: QueryFlags = QueryFlags(0x0400);

    /// Both.
    pub const fn with(self, other: QueryFlags) -> QueryFlags {
        QueryFlags(self.0 | other.0)
    }

    /// Without those.
    pub const fn without(self, other: QueryFlags) -> QueryFlags {
        QueryFlags(self.0 & !other.0)
    }

    /// Whether all of those are set.
    pub const fn has(self, other: QueryFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Most hits wanted; `None` for no limit.
    pub fn most_hits(self) -> Option<u8> {
        Some(self.0 as u8).filter(|most| *most > 0)
    }
}

/// A search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'a> {
    /// What is asked for.
    pub flags: QueryFlags,
    /// Words, UTF-8 if the sender is proper; empty or one backslash in searches by hash.
    pub text: &'a [u8],
    /// Hashes and GGEP.
    pub extensions: Extensions<'a>,
}

impl<'a> Query<'a> {
    /// Reads a payload.
    pub fn parse(mut payload: &'a [u8]) -> Result<Query<'a>, Error> {
        let bytes = &mut payload;
        let flags = QueryFlags(u16::from_be_bytes(array(bytes)?));
        let text = text(bytes)?;
        Ok(Query { flags, text, extensions: Extensions(bytes) })
    }

    /// Appends the payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.flags.0.to_be_bytes());
        out.extend_from_slice(self.text);
        out.push(0);
        out.extend_from_slice(self.extensions.0);
    }

    /// The words, if there are any: not in a search by hash alone.
    pub fn words(&self) -> Option<&'a str> {
        std::str::from_utf8(self.text).ok().filter(|text| !matches!(text.trim(), "" | "\\"))
    }
}
