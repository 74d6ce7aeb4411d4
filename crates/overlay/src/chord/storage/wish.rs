//! What is read: where it lies, which records answer it, and how it is asked for.

use super::id::Locator;
use crate::chord::Want;
use throng_wire::chord::{
    Get, Kind, KindSet, Padding, Record, RingId, Selector, entry_key, immutable_hash, immutable_key,
    mutable_key, provider_key,
};

/// Records kept of one read at most.
pub(super) const MOST: usize = 1_024;
/// Providers asked of one holder.
const SAMPLE: u8 = 64;

/// What is to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// As the application asks.
    Want(Want),
    /// Postings of a shard that have all of these words.
    Postings {
        /// The shard's key.
        key: RingId,
        /// The words.
        words: Vec<String>,
    },
    /// One record of our own.
    Own(Locator, [u8; 32]),
}

impl Wish {
    /// Where it lies.
    pub(crate) fn key(&self) -> RingId {
        match self {
            Wish::Want(Want::Entry { name, .. }) => entry_key(name),
            Wish::Want(Want::Immutable(hash)) => immutable_key(hash),
            Wish::Want(Want::Mutable { key, salt }) => mutable_key(key, salt),
            Wish::Want(Want::Providers(content)) => provider_key(content),
            Wish::Postings { key, .. } => *key,
            Wish::Own(id, _) => id.key,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Wish::Want(Want::Entry { .. }) => Kind::Entry,
            Wish::Want(Want::Immutable(_)) => Kind::Immutable,
            Wish::Want(Want::Mutable { .. }) => Kind::Mutable,
            Wish::Want(Want::Providers(_)) => Kind::Provider,
            Wish::Postings { .. } => Kind::Posting,
            Wish::Own(id, _) => id.kind(),
        }
    }

    /// Whether a record answers it.
    pub(super) fn admits(&self, record: &Record<'_>) -> bool {
        let by = |writer: &[u8; 32]| record.writer() == Some(writer);
        let at_key = || record.ring_key() == self.key();
        record.kind() == self.kind()
            && match self {
                Wish::Want(Want::Immutable(hash)) => immutable_hash(record.value()) == *hash,
                Wish::Want(Want::Mutable { key, .. }) => by(key) && at_key(),
                Wish::Want(Want::Entry { writer, .. }) => writer.as_ref().is_none_or(by) && at_key(),
                Wish::Own(_, writer) => by(writer) && at_key(),
                Wish::Want(Want::Providers(_)) | Wish::Postings { .. } => at_key(),
            }
    }
}

impl Wish {
    /// Whether any valid copy is the value.
    pub(super) fn is_fixed(&self) -> bool {
        matches!(self, Wish::Want(Want::Immutable(_)))
    }

    pub(super) fn limit(&self) -> usize {
        match self {
            Wish::Want(Want::Providers(_)) => usize::from(SAMPLE),
            _ => MOST,
        }
    }
}

/// Postings of one answer.
pub(super) const PAGE: u8 = 50;

/// Makes the request and hands it on: it borrows from what is made on the way. `page` is the most postings wanted;
/// `padding` spares a stranger's challenge.
pub(super) fn with_get<T>(
    wish: &Wish,
    (cursor, seed, page, padding): (u32, u32, u8, Padding),
    then: impl FnOnce(&Get<'_>) -> T,
) -> T {
    let mut get = Get {
        key: wish.key(),
        kinds: KindSet::of(&[wish.kind()]),
        selector: Selector::All,
        limit: 32,
        cursor,
        padding,
    };
    match wish {
        Wish::Want(Want::Entry { writer: Some(writer), .. }) => {
            get.selector = Selector::By(writer);
            then(&get)
        }
        Wish::Own(_, writer) => {
            get.selector = Selector::By(writer);
            then(&get)
        }
        Wish::Want(Want::Providers(_)) => {
            (get.selector, get.limit) = (Selector::Sample(seed), SAMPLE);
            then(&get)
        }
        Wish::Postings { words, .. } => {
            let terms: Vec<_> =
                words.iter().filter_map(|word| throng_wire::chord::Term::new(word)).take(12).collect();
            get.selector = Selector::Postings(throng_wire::chord::PostingFilter {
                terms: (&terms).into(),
                min_size: 0,
                max_size: u64::MAX,
                medium: 0,
            });
            get.limit = page;
            then(&get)
        }
        Wish::Want(_) => then(&get),
    }
}
