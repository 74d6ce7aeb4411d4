//! Tags: what is told of a file beyond its hash and size.

use super::Error;
use super::number::{counted, put_counted, put_vint, vint};

/// Tags a file may have; the free programs write a handful.
pub(super) const MAX_TAGS: u64 = 64;

/// Which tag; numbers are those of section 6 of the note.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TagKind(pub u64);

impl TagKind {
    /// Any text; in searches only.
    pub const ANY: TagKind = TagKind(0x00);
    /// A number: the year.
    pub const YEAR: TagKind = TagKind(0x01);
    /// The file's base name.
    pub const FILE_NAME: TagKind = TagKind(0x02);
    /// 20 bytes of FTHash; in searches only.
    pub const HASH: TagKind = TagKind(0x03);
    /// The work's title.
    pub const TITLE: TagKind = TagKind(0x04);
    /// A number: seconds of play.
    pub const SECONDS: TagKind = TagKind(0x05);
    /// Who made it.
    pub const ARTIST: TagKind = TagKind(0x06);
    /// What it is part of.
    pub const ALBUM: TagKind = TagKind(0x08);
    /// Words it is to be found by.
    pub const KEYWORDS: TagKind = TagKind(0x0c);
    /// Two numbers: width and height.
    pub const RESOLUTION: TagKind = TagKind(0x0d);
    /// A number: kbit/s.
    pub const QUALITY: TagKind = TagKind(0x15);
    /// A number: bytes; in searches only.
    pub const SIZE: TagKind = TagKind(0x21);
    /// Ours: a magnet link with root, info-hash and swarm endpoint; in searches the 32 bytes of the root.
    pub const MAGNET: TagKind = TagKind(0x3a);

    /// Whether a search for any text looks into this tag.
    pub fn is_text(self) -> bool {
        matches!(self.0, 0x02 | 0x04 | 0x06 | 0x08 | 0x0a | 0x0c | 0x0e | 0x10 | 0x12 | 0x18 | 0x1a | 0x1c)
    }

    /// Whether its data is one number.
    pub fn is_number(self) -> bool {
        matches!(self.0, 0x01 | 0x05 | 0x09 | 0x11 | 0x15 | 0x19 | 0x1d | 0x21 | 0x35)
    }
}

/// One tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag<'a> {
    /// Which.
    pub kind: TagKind,
    /// Its data: text without terminator, or numbers of variable length.
    pub data: &'a [u8],
}

impl Tag<'_> {
    /// Its data as one number.
    pub fn number(&self) -> Option<u64> {
        vint(&mut &self.data[..]).ok()
    }
}

/// The tags of a file, checked when they were read; a cheap view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tags<'a> {
    count: u64,
    bytes: &'a [u8],
}

impl<'a> Tags<'a> {
    /// Takes a count and that many tags off the front.
    pub(super) fn take(bytes: &mut &'a [u8]) -> Result<Tags<'a>, Error> {
        let count = vint(bytes)?;
        if count > MAX_TAGS {
            return Err(Error::Length);
        }
        let all = *bytes;
        for _ in 0..count {
            vint(bytes)?;
            counted(bytes)?;
        }
        Ok(Tags { count, bytes: &all[..all.len() - bytes.len()] })
    }

    /// Appends count and tags.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_vint(out, self.count);
        out.extend_from_slice(self.bytes);
    }

    /// The tags in order.
    pub fn iter(&self) -> impl Iterator<Item = Tag<'a>> + use<'a> {
        let mut bytes = self.bytes;
        std::iter::from_fn(move || {
            let kind = TagKind(vint(&mut bytes).ok()?);
            counted(&mut bytes).ok().map(|data| Tag { kind, data })
        })
    }

    /// The first tag of a kind.
    pub fn find(&self, kind: TagKind) -> Option<Tag<'a>> {
        self.iter().find(|tag| tag.kind == kind)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Count and tags as they are on the wire, for those who keep them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 1);
        self.put(&mut out);
        out
    }

    /// Reads what [`Tags::to_bytes`] wrote.
    pub fn parse(mut bytes: &'a [u8]) -> Result<Tags<'a>, Error> {
        let tags = Tags::take(&mut bytes)?;
        if bytes.is_empty() { Ok(tags) } else { Err(Error::Length) }
    }
}

/// Collects tags to be sent.
#[derive(Clone, Debug, Default)]
pub struct TagsWriter {
    count: u64,
    bytes: Vec<u8>,
}

impl TagsWriter {
    /// Adds a tag of text or other bytes; one too many is left out.
    pub fn text(&mut self, kind: TagKind, data: &[u8]) -> &mut TagsWriter {
        if self.count < MAX_TAGS {
            self.count += 1;
            put_vint(&mut self.bytes, kind.0);
            put_counted(&mut self.bytes, data);
        }
        self
    }

    /// Adds a tag of one number.
    pub fn number(&mut self, kind: TagKind, value: u64) -> &mut TagsWriter {
        let mut data = Vec::new();
        put_vint(&mut data, value);
        self.text(kind, &data)
    }

    /// What was collected.
    pub fn tags(&self) -> Tags<'_> {
        Tags { count: self.count, bytes: &self.bytes }
    }
}
