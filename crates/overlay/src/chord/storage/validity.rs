//! Whether a record is what it says: checked by every holder before it keeps it and every reader before it believes
//! it (4.1). Integrity rests on SHA-256 and ed25519; where a record came from counts for nothing.
//!
//! Signatures hold by the rules of ZIP 215, by which many checked at once hold exactly when each does: holders never differ
//! on a record, however they came by it.

use super::id::{Locator, Version};
use super::quota::Network;
use super::records::Candidate;
use crate::chord::publish::terms;
use ed25519_dalek::VerifyingKey;
use ed25519_zebra::{Signature, VerificationKey};
use throng_machine::Endpoint;
use throng_wire::chord::{
    Kind, MAX_SHARD_BITS, Posting, Provider, ProviderFlags, Record, Signed, Subject, shard_of,
};

/// Seconds an immutable value is kept, having no signer to say; 24 h.
pub(crate) const IMMUTABLE_TTL: u32 = 86_400;

/// Seconds a kind is kept at most, whatever its signer says.
pub(crate) const fn longest(kind: Kind) -> u32 {
    match kind {
        Kind::Immutable => IMMUTABLE_TTL,
        Kind::Mutable | Kind::Posting => 86_400,
        Kind::Provider => 4 * 3_600,
        Kind::Entry => throng_wire::chord::MAX_TTL,
    }
}

/// What is wrong with a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Invalid {
    /// Signed by another key, or over other bytes.
    Signature,
    /// A posting under a word that its title and tags do not have.
    Terms,
    /// A provider or posting that names an address that is not the packet's.
    Source,
    /// It cannot be encoded.
    Form,
}

/// Checks signature and sense of a record; an immutable one is named by its hash and so right wherever it lies.
pub(crate) fn check(record: &Record<'_>) -> Result<(), Invalid> {
    let Record::Signed(signed) = record else { return Ok(()) };
    if is_weak(signed.writer) {
        return Err(Invalid::Signature);
    }
    let key = VerificationKey::try_from(*signed.writer).map_err(|_| Invalid::Signature)?;
    let signature = Signature::from_bytes(signed.signature);
    key.verify(&signature, &signed.signed_bytes()).map_err(|_| Invalid::Signature)?;
    check_terms(signed)
}

/// Whether signatures of a key prove nothing: it is none, or of an order so small that anybody can sign for it.
pub(crate) fn is_weak(writer: &[u8; 32]) -> bool {
    VerifyingKey::from_bytes(writer).map_or(true, |key| key.is_weak())
}

/// Checks sense alone, of a record whose signature is known to hold.
pub(crate) fn check_sense(record: &Record<'_>) -> Result<(), Invalid> {
    match record {
        Record::Signed(signed) => check_terms(signed),
        Record::Immutable(_) => Ok(()),
    }
}

fn check_terms(signed: &Signed<'_>) -> Result<(), Invalid> {
    let (Subject::Posting { terms: under, .. }, Some(value)) = (signed.subject, signed.value) else {
        return Ok(());
    };
    let posting = Posting::decode(value).map_err(|_| Invalid::Form)?;
    let has = |term: &str| {
        terms::contains(posting.title, term) || posting.tags().any(|tag| terms::contains(tag, term))
    };
    let second = under.second().is_none_or(|term| has(term.as_str()));
    if has(under.first().as_str()) && second { Ok(()) } else { Err(Invalid::Terms) }
}

/// All words of a posting's title and tags.
pub(crate) fn words_of(posting: &Posting<'_>) -> Vec<String> {
    let mut words = terms::words(posting.title);
    for word in posting.tags().flat_map(terms::words) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// Checks that a provider put from `source` announces that address first, unless a relay speaks for it, and that a
/// posting names it.
pub(crate) fn check_source(record: &Record<'_>, source: Endpoint) -> Result<(), Invalid> {
    let Record::Signed(Signed { subject, value: Some(value), .. }) = record else { return Ok(()) };
    match subject {
        Subject::Provider { .. } => check_provider(value, source),
        Subject::Posting { .. } => {
            let named = Posting::decode(value).map_err(|_| Invalid::Form)?.source;
            if Endpoint::from(named).ip() == source.ip() { Ok(()) } else { Err(Invalid::Source) }
        }
        _ => Ok(()),
    }
}

fn check_provider(value: &[u8], source: Endpoint) -> Result<(), Invalid> {
    let provider = Provider::decode(value).map_err(|_| Invalid::Form)?;
    let first = provider.addresses.iter().next();
    let right = first.is_some_and(|address| Endpoint::from(address).ip() == source.ip());
    if right && !provider.flags.has(ProviderFlags::RELAYED) { Ok(()) } else { Err(Invalid::Source) }
}

/// What the store is offered: `remaining` seconds of life as the sender says, none for what its signer gives it.
pub(crate) fn candidate(
    record: &Record<'_>,
    remaining: Option<u32>,
    network: Network,
) -> Result<Candidate, Invalid> {
    let kind = record.kind();
    let mut body = Vec::new();
    record.encode(&mut body).map_err(|_| Invalid::Form)?;
    let ttl = match record {
        Record::Immutable(_) => IMMUTABLE_TTL,
        Record::Signed(signed) => signed.ttl.min(longest(kind)),
    };
    let (content, shard) = match record {
        Record::Signed(Signed { subject: Subject::Posting { content, .. }, .. }) => {
            (first_8(content), shard_of(content, MAX_SHARD_BITS))
        }
        _ => (0, 0),
    };
    Ok(Candidate {
        id: Locator::new(record.ring_key(), kind, record.id()),
        version: Version::of(record.seq(), record.value()),
        account: record.writer().map(account),
        network,
        content,
        shard,
        ttl,
        remaining: remaining.unwrap_or(ttl),
        tombstone: record.is_tombstone(),
        body: body.into(),
    })
}

fn account(writer: &[u8; 32]) -> [u8; 16] {
    let [half @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *writer;
    half
}

fn first_8(content: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *content;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
