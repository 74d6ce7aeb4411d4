//! Records as bytes: kind, then what the kind has; sizes are checked before anything else is looked at.

use super::{
    Kind, MAX_IMMUTABLE, MAX_NAME, MAX_POSTING, MAX_PROVIDER, MAX_SALT, MAX_SHARD_BITS, MAX_TTL, MAX_VALUE,
    Posting, Provider, Record, Signed, Subject, Term, Terms,
};
use crate::chord::Error;
use crate::chord::layout::{Wire, take};

/// Bit of the kind's byte that makes a tombstone of it.
const TOMBSTONE: u8 = 0x80;

impl<'a> Record<'a> {
    /// Decodes a record that is all of `bytes`, as a store or disk keeps it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        let record = Self::read(&mut rest)?;
        if rest.is_empty() { Ok(record) } else { Err(Error::Trailing) }
    }

    /// Appends the record; on failure (a part too long, or no text) `out` is as before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        let written = self.write(out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }
}

impl<'a> Wire<'a> for Record<'a> {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let code = u8::read(bytes)?;
        if code == Kind::Immutable as u8 {
            let len = usize::try_from(u32::read(bytes)?).map_err(|_| Error::TooLarge)?;
            return at_most(len, MAX_IMMUTABLE).and_then(|()| take(bytes, len)).map(Self::Immutable);
        }
        let subject = read_subject(code & !TOMBSTONE, bytes)?;
        let writer = Wire::read(bytes)?;
        let (seq, ttl) = (u64::read(bytes)?, u32::read(bytes)?);
        let value = if code & TOMBSTONE == 0 { Some(Wire::read(bytes)?) } else { None };
        let signed = Signed { subject, writer, seq, ttl, value, signature: Wire::read(bytes)? };
        signed.check()?;
        Ok(Self::Signed(signed))
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Immutable(value) => {
                at_most(value.len(), MAX_IMMUTABLE)?;
                out.push(Kind::Immutable as u8);
                u32::try_from(value.len()).map_err(|_| Error::TooLarge)?.write(out)?;
                out.extend_from_slice(value);
                Ok(())
            }
            Self::Signed(signed) => signed.write(out),
        }
    }
}

impl Signed<'_> {
    /// Sizes and form, without the signature.
    fn check(&self) -> Result<(), Error> {
        if self.ttl == 0 || self.ttl > MAX_TTL {
            return Err(Error::Value);
        }
        let value = self.value.unwrap_or_default();
        match self.subject {
            Subject::Mutable { salt } => {
                at_most(salt.len(), MAX_SALT)?;
                at_most(value.len(), MAX_VALUE)
            }
            Subject::Entry { name } => {
                check_name(name)?;
                at_most(value.len(), MAX_VALUE)
            }
            Subject::Provider { .. } => {
                at_most(value.len(), MAX_PROVIDER)?;
                self.value.map_or(Ok(()), |value| Provider::decode(value).map(drop))
            }
            Subject::Posting { shard_bits, .. } => {
                if shard_bits > MAX_SHARD_BITS {
                    return Err(Error::Value);
                }
                at_most(value.len(), MAX_POSTING)?;
                self.value.map_or(Ok(()), |value| Posting::decode(value).map(drop))
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.check()?;
        let tombstone = if self.value.is_none() { TOMBSTONE } else { 0 };
        out.push(self.subject.kind() as u8 | tombstone);
        match self.subject {
            Subject::Mutable { salt } => write_short(salt, out)?,
            Subject::Entry { name } => write_short(name, out)?,
            Subject::Provider { content } => content.write(out)?,
            Subject::Posting { terms, content, shard_bits } => {
                terms.write(out)?;
                content.write(out)?;
                out.push(shard_bits);
            }
        }
        self.writer.write(out)?;
        self.seq.write(out)?;
        self.ttl.write(out)?;
        self.value.map_or(Ok(()), |value| value.write(out))?;
        self.signature.write(out)
    }
}

fn read_subject<'a>(code: u8, bytes: &mut &'a [u8]) -> Result<Subject<'a>, Error> {
    const MUTABLE: u8 = Kind::Mutable as u8;
    const PROVIDER: u8 = Kind::Provider as u8;
    const POSTING: u8 = Kind::Posting as u8;
    const ENTRY: u8 = Kind::Entry as u8;
    Ok(match code {
        MUTABLE => Subject::Mutable { salt: read_short(bytes)? },
        ENTRY => Subject::Entry { name: read_short(bytes)? },
        PROVIDER => Subject::Provider { content: Wire::read(bytes)? },
        POSTING => Subject::Posting {
            terms: Wire::read(bytes)?,
            content: Wire::read(bytes)?,
            shard_bits: Wire::read(bytes)?,
        },
        _ => return Err(Error::Kind(code)),
    })
}

const fn at_most(len: usize, most: usize) -> Result<(), Error> {
    if len <= most { Ok(()) } else { Err(Error::TooLarge) }
}

const fn check_name(name: &[u8]) -> Result<(), Error> {
    if name.is_empty() || name.len() > MAX_NAME { Err(Error::Name) } else { Ok(()) }
}

/// Bytes behind their number in 8 bits.
pub(super) fn read_short<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let len = u8::read(bytes)?;
    take(bytes, usize::from(len))
}

/// Bytes behind their number in 8 bits.
pub(super) fn write_short(value: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    out.push(u8::try_from(value.len()).map_err(|_| Error::TooLarge)?);
    out.extend_from_slice(value);
    Ok(())
}

impl<'a> Wire<'a> for Term<'a> {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(read_short(bytes)?).map_err(|_| Error::Name)?;
        Self::new(text).ok_or(Error::Name)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        write_short(self.0.as_bytes(), out)
    }
}

impl<'a> Wire<'a> for Terms<'a> {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        let (first, second) = (Term::read(bytes)?, Option::<Term<'a>>::read(bytes)?);
        if second.is_some_and(|second| second <= first) {
            return Err(Error::Value);
        }
        Ok(Self { first, second })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.first.write(out)?;
        self.second.write(out)
    }
}
