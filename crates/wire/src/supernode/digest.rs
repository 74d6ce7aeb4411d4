//! What of a digest travels: whole parts of its bits, or the places of bits that changed.

use super::Error;
use crate::fasttrack::number::{put_vint, u8, vint};

/// The smallest digest: 2^10 bits.
pub const MIN_DIGEST_LOG2: u8 = 10;
/// The largest digest: 2^21 bits, 256 KiB.
pub const MAX_DIGEST_LOG2: u8 = 21;

/// Bytes of a digest from some place on; the part at 0 begins a new digest that is empty otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DigestPart<'a> {
    /// The digest has 2^`log2` bits.
    pub log2: u8,
    /// Where the bytes belong.
    pub at: u32,
    /// They.
    pub bytes: &'a [u8],
}

impl<'a> DigestPart<'a> {
    /// Reads the body; a part beyond the digest's end is refused.
    pub fn parse(mut body: &'a [u8]) -> Result<DigestPart<'a>, Error> {
        let bytes = &mut body;
        let (log2, at) = (u8(bytes)?, vint(bytes)?);
        if !(MIN_DIGEST_LOG2..=MAX_DIGEST_LOG2).contains(&log2) {
            return Err(Error::Value);
        }
        let end = at.checked_add(bytes.len() as u64).ok_or(Error::Length)?;
        if end > 1 << (log2 - 3) {
            return Err(Error::Length);
        }
        Ok(DigestPart { log2, at: at as u32, bytes })
    }

    /// Appends the body.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(self.log2);
        put_vint(out, self.at.into());
        out.extend_from_slice(self.bytes);
    }
}

/// Places of bits that are now what they were not, ascending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Toggles<'a>(&'a [u8]);

impl<'a> Toggles<'a> {
    /// Reads the body; places that are none of a digest's are refused when they are read.
    pub fn parse(body: &'a [u8]) -> Toggles<'a> {
        Toggles(body)
    }

    /// The places; an error ends them.
    pub fn iter(&self) -> impl Iterator<Item = Result<u32, Error>> + use<'a> {
        let (mut bytes, mut next) = (self.0, Some(0u64));
        std::iter::from_fn(move || {
            let from = next.filter(|_| !bytes.is_empty())?;
            let place = vint(&mut bytes).and_then(|step| from.checked_add(step).ok_or(Error::Number));
            let place = place.and_then(|place| match u32::try_from(place) {
                Ok(place) if place < 1 << MAX_DIGEST_LOG2 => Ok(place),
                _ => Err(Error::Value),
            });
            next = place.ok().map(|place| u64::from(place) + 1);
            Some(place)
        })
    }

    /// Appends the body; `places` must ascend.
    pub fn put(places: impl Iterator<Item = u32>, out: &mut Vec<u8>) {
        let mut next = 0;
        for place in places {
            put_vint(out, u64::from(place).saturating_sub(next));
            next = u64::from(place) + 1;
        }
    }
}
