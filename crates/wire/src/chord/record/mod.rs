//! What the ring stores (chord.md 4.1, and entries: the ring as a database of names and values).
//!
//! A record is a view of its bytes. Decoding checks sizes and form; signatures and hashes are the holder's and the
//! reader's to check, over [`Record::signed_bytes`] as laid out here. SHA-1 only places a record on the ring.

mod body;
mod codec;
mod hashes;
mod sign;

pub use body::{Posting, Provider, ProviderFlags};
pub use hashes::Hashes;
pub use sign::{Order, SIGNATURE_DOMAIN};

use super::Error;
use super::id::RingId;
use super::layout::{Wire, codes};
use sha2::{Digest, Sha256};

/// Bytes of an immutable value that still goes by datagram.
pub const MAX_INLINE: usize = 1_000;
/// Bytes of an encoded record that fits into every message that carries one; a longer one goes by stream.
pub const MAX_INLINE_RECORD: usize = 1_140;
/// Bytes of an immutable value at most.
pub const MAX_IMMUTABLE: usize = 64 * 1024;
/// Bytes of a mutable value or an entry's at most.
pub const MAX_VALUE: usize = 1_000;
/// Bytes of a mutable's salt at most.
pub const MAX_SALT: usize = 64;
/// Bytes of an entry's name at most.
pub const MAX_NAME: usize = 255;
/// Bytes of a provider's addresses and flags at most.
pub const MAX_PROVIDER: usize = 200;
/// Bytes of a posting's title, tags and hashes at most.
pub const MAX_POSTING: usize = 450;
/// Characters of a term, at least and at most.
pub const TERM_CHARS: (usize, usize) = (2, 40);
/// Seconds a signed record may ask to live at most: 30 days.
pub const MAX_TTL: u32 = 30 * 24 * 3_600;
/// Shards of one term are 2^this at most.
pub const MAX_SHARD_BITS: u8 = 8;

codes! {
    /// What a record is.
    pub enum Kind {
        /// A value named by its hash.
        Immutable = 0,
        /// The newest version of what one key signs.
        Mutable = 1,
        /// Who has an item.
        Provider = 2,
        /// That an item has a word.
        Posting = 3,
        /// A named value of one writer.
        Entry = 4,
    }
}

/// A record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record<'a> {
    /// A value named by its hash; at most 64 KiB.
    Immutable(&'a [u8]),
    /// Anything else.
    Signed(Signed<'a>),
}

/// A record somebody signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed<'a> {
    /// What it is about; with the writer, what it replaces.
    pub subject: Subject<'a>,
    /// The ed25519 public key of who signed it.
    pub writer: &'a [u8; 32],
    /// Its version; of providers and postings the seconds since 1970 when it was published.
    pub seq: u64,
    /// Seconds it is to live from its publication.
    pub ttl: u32,
    /// The value, or the encoded [`Provider`] or [`Posting`]; none in a tombstone.
    pub value: Option<&'a [u8]>,
    /// Over [`Signed::signed_bytes`].
    pub signature: &'a [u8; 64],
}

/// What a signed record is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject<'a> {
    /// One of the writer's own values.
    Mutable {
        /// Which; at most 64 bytes.
        salt: &'a [u8],
    },
    /// That the writer has an item.
    Provider {
        /// The item: its BEP 52 root.
        content: &'a [u8; 32],
    },
    /// That an item has a word, or two.
    Posting {
        /// The word or pair.
        terms: Terms<'a>,
        /// The item.
        content: &'a [u8; 32],
        /// The publisher took the term to have 2^this shards; not signed.
        shard_bits: u8,
    },
    /// A name's value of this writer.
    Entry {
        /// The name; 1 to 255 bytes.
        name: &'a [u8],
    },
}

/// A word in the form it is searched by: lower case, NFKC, 2 to 40 characters, none of them a control character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Term<'a>(&'a str);

impl<'a> Term<'a> {
    /// Checks length and characters; folding is the caller's.
    pub fn new(text: &'a str) -> Option<Self> {
        let (least, most) = TERM_CHARS;
        let chars = text.chars().take(most + 1).count();
        let fits = (least..=most).contains(&chars) && !text.chars().any(char::is_control);
        fits.then_some(Self(text))
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// What a posting is found under: one word or two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Terms<'a> {
    first: Term<'a>,
    second: Option<Term<'a>>,
}

impl<'a> Terms<'a> {
    /// One word.
    pub const fn one(term: Term<'a>) -> Self {
        Self { first: term, second: None }
    }

    /// Two different words, put in order; none if they are equal.
    pub fn pair(a: Term<'a>, b: Term<'a>) -> Option<Self> {
        (a != b).then(|| Self { first: a.min(b), second: Some(a.max(b)) })
    }

    /// The smaller word.
    pub const fn first(self) -> Term<'a> {
        self.first
    }

    /// The larger word, of two.
    pub const fn second(self) -> Option<Term<'a>> {
        self.second
    }

    /// Where the postings of a shard lie: SHA-1("kw", term, 0, shard) or ("k2", term, 0x1f, term, 0, shard).
    pub fn ring_key(self, shard: u8) -> RingId {
        let first = self.first.0.as_bytes();
        match self.second {
            None => RingId::hash_parts(&[b"kw", first, &[0, shard]]),
            Some(second) => RingId::hash_parts(&[b"k2", first, &[0x1f], second.0.as_bytes(), &[0, shard]]),
        }
    }
}

/// Which of 2^`bits` shards (at most 256) the postings of an item belong to.
pub fn shard_of(content: &[u8; 32], bits: u8) -> u8 {
    let hash = Sha256::digest(content);
    hash[31] & ((1u16 << bits.min(MAX_SHARD_BITS)) - 1) as u8
}

/// The SHA-256 an immutable value is read by: of "im" and the value; its first 160 bits are the ring key.
pub fn immutable_hash(value: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(b"im").chain_update(value).finalize().into()
}

/// The ring key of an immutable value, given its hash.
pub fn immutable_key(hash: &[u8; 32]) -> RingId {
    let [key @ .., _, _, _, _, _, _, _, _, _, _, _, _] = *hash;
    RingId(key)
}

/// The ring key of a mutable value.
pub fn mutable_key(writer: &[u8; 32], salt: &[u8]) -> RingId {
    RingId::hash_parts(&[b"mu", writer, salt])
}

/// The ring key of who has an item.
pub fn provider_key(content: &[u8; 32]) -> RingId {
    RingId::hash_parts(&[b"pr", content])
}

/// The ring key of a name.
pub fn entry_key(name: &[u8]) -> RingId {
    RingId::hash_parts(&[b"kv", name])
}

/// Names a record within a store: by kind, subject and writer, so that a new version or a tombstone has the id of
/// what it replaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId(pub [u8; 32]);

impl<'a> Wire<'a> for RecordId {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Error> {
        Wire::read(bytes).map(Self)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.write(out)
    }
}

impl Subject<'_> {
    /// The kind of a record about it.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Mutable { .. } => Kind::Mutable,
            Self::Provider { .. } => Kind::Provider,
            Self::Posting { .. } => Kind::Posting,
            Self::Entry { .. } => Kind::Entry,
        }
    }

    /// Where a record about it lies; `writer` counts for mutable values only.
    pub fn ring_key(&self, writer: &[u8; 32]) -> RingId {
        match self {
            Self::Mutable { salt } => mutable_key(writer, salt),
            Self::Provider { content } => provider_key(content),
            Self::Posting { terms, content, shard_bits } => terms.ring_key(shard_of(content, *shard_bits)),
            Self::Entry { name } => entry_key(name),
        }
    }
}

impl<'a> Record<'a> {
    /// What it is; of a tombstone, what it removes.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Immutable(_) => Kind::Immutable,
            Self::Signed(signed) => signed.subject.kind(),
        }
    }

    /// Where it lies on the ring.
    pub fn ring_key(&self) -> RingId {
        match self {
            Self::Immutable(value) => immutable_key(&immutable_hash(value)),
            Self::Signed(signed) => signed.subject.ring_key(signed.writer),
        }
    }

    /// Its version; 0 for immutable values.
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Immutable(_) => 0,
            Self::Signed(signed) => signed.seq,
        }
    }

    /// Who signed it.
    pub const fn writer(&self) -> Option<&'a [u8; 32]> {
        match self {
            Self::Immutable(_) => None,
            Self::Signed(signed) => Some(signed.writer),
        }
    }

    /// Its value; empty in a tombstone.
    pub fn value(&self) -> &'a [u8] {
        match self {
            Self::Immutable(value) => value,
            Self::Signed(signed) => signed.value.unwrap_or_default(),
        }
    }

    /// Whether it removes what it is about.
    pub const fn is_tombstone(&self) -> bool {
        matches!(self, Self::Signed(Signed { value: None, .. }))
    }
}
