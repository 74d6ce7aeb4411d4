//! A shared file: what a node tells its supernode of it.

use super::number::{array, put_vint, u8, vint};
use super::{Error, FtHash, Tags};

/// What kind of file it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Media {
    /// Not known, or a number that means nothing.
    Unknown,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// Pictures.
    Image,
    /// Text.
    Document,
    /// Programs.
    Software,
}

impl Media {
    /// From the number on the wire.
    pub fn from_code(code: u8) -> Media {
        match code {
            1 => Media::Audio,
            2 => Media::Video,
            3 => Media::Image,
            4 => Media::Document,
            5 => Media::Software,
            _ => Media::Unknown,
        }
    }

    /// The number on the wire.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// A file: hash, id, size, tags. The body of an unshare, and the end of a share and of a hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item<'a> {
    /// What names it.
    pub hash: FtHash,
    /// The 14-bit checksum of the hash, as a rule.
    pub file_id: u64,
    /// Bytes.
    pub size: u64,
    /// The rest.
    pub tags: Tags<'a>,
}

impl<'a> Item<'a> {
    pub(super) fn take(bytes: &mut &'a [u8]) -> Result<Item<'a>, Error> {
        let hash = FtHash(array(bytes)?);
        let (file_id, size) = (vint(bytes)?, vint(bytes)?);
        Ok(Item { hash, file_id, size, tags: Tags::take(bytes)? })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash.0);
        put_vint(out, self.file_id);
        put_vint(out, self.size);
        self.tags.put(out);
    }
}

/// A file that a node shares (type 22).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share<'a> {
    /// What kind it is.
    pub media: Media,
    /// The file.
    pub item: Item<'a>,
}

impl<'a> Share<'a> {
    pub(super) fn take(bytes: &mut &'a [u8]) -> Result<Share<'a>, Error> {
        // A zero byte before the kind; two behind it that are now and then 1 to 10 and mean nothing known.
        u8(bytes)?;
        let media = Media::from_code(u8(bytes)?);
        array::<2>(bytes)?;
        Ok(Share { media, item: Item::take(bytes)? })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0, self.media.code(), 0, 0]);
        self.item.put(out);
    }
}
