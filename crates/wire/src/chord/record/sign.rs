//! What is signed, what names a record, and which of two versions wins (chord.md 4.1, 4.2).

use super::{Record, RecordId, Signed, Subject, immutable_hash};
use sha2::{Digest, Sha256};

/// What everything signed begins with, so that no signature of another protocol by the same key fits.
pub const SIGNATURE_DOMAIN: &[u8] = b"throng chord 1";

/// Which of two versions of a record wins: the larger. Total, so that replicas converge in any order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Order {
    /// The version.
    pub seq: u64,
    /// SHA-256 of the value (of nothing for a tombstone).
    pub hash: [u8; 32],
}

impl Subject<'_> {
    /// Two letters that keep the kinds apart.
    const fn tag(&self) -> &'static [u8; 2] {
        match self {
            Self::Mutable { .. } => b"mu",
            Self::Provider { .. } => b"pr",
            Self::Posting { .. } => b"kw",
            Self::Entry { .. } => b"kv",
        }
    }

    /// What is signed of the subject; each part behind its length, the shard not among them.
    fn push(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.tag());
        match self {
            Self::Mutable { salt } => push_part(salt, out),
            Self::Provider { content } => push_part(*content, out),
            Self::Posting { terms, content, .. } => {
                push_part(terms.first().as_str().as_bytes(), out);
                push_part(terms.second().map_or("", |term| term.as_str()).as_bytes(), out);
                push_part(*content, out);
            }
            Self::Entry { name } => push_part(name, out),
        }
    }
}

impl Signed<'_> {
    /// The bytes the signature is over: domain, tag, subject, version, time to live, and the value behind a 1, or a 0
    /// for a tombstone.
    ///
    /// Of a posting with a value both words are left empty: its title says where it may lie, so one signature holds for
    /// all words of an item. A tombstone has no title, and names its words.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = SIGNATURE_DOMAIN.to_vec();
        match (self.subject, self.value) {
            (Subject::Posting { content, .. }, Some(_)) => {
                out.extend_from_slice(self.subject.tag());
                [&[][..], &[], content].into_iter().for_each(|part| push_part(part, &mut out));
            }
            _ => self.subject.push(&mut out),
        }
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.ttl.to_be_bytes());
        match self.value {
            Some(value) => {
                out.push(1);
                push_part(value, &mut out);
            }
            None => out.push(0),
        }
        out
    }
}

impl Record<'_> {
    /// Names the record within a store: the same for all versions of it and for its tombstone.
    pub fn id(&self) -> RecordId {
        match self {
            Self::Immutable(value) => RecordId(immutable_hash(value)),
            Self::Signed(signed) => signed.subject.id(signed.writer),
        }
    }

    /// Which version it is.
    pub fn order(&self) -> Order {
        Order { seq: self.seq(), hash: Sha256::digest(self.value()).into() }
    }
}

impl Subject<'_> {
    /// The id of the record somebody signed about it.
    pub fn id(&self, writer: &[u8; 32]) -> RecordId {
        let mut bytes = Vec::with_capacity(128);
        self.push(&mut bytes);
        bytes.extend_from_slice(writer);
        RecordId(Sha256::digest(&bytes).into())
    }
}

/// Bytes behind their number in 32 bits.
fn push_part(part: &[u8], out: &mut Vec<u8>) {
    // No part is longer than a value; a longer one would not be encoded.
    out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(part);
}
