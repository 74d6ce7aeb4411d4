//! Query strings: pairs as they stand, percent-decoding into fixed buffers, and URLs of announce and scrape.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode};

/// What RFC 3986 calls unreserved stays as it is; all else is escaped.
pub(super) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Appends `bytes`, percent-encoded.
pub fn percent_encode(bytes: &[u8], out: &mut String) {
    out.extend(percent_encoding::percent_encode(bytes, ESCAPED));
}

/// Splits a request's target into path and query (empty without `?`); a fragment, which no client sends, stays.
pub fn split_target(target: &[u8]) -> (&[u8], &[u8]) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, &[]),
    }
}

/// Iterates over `key=value` pairs, both as they stand; keys are compared raw, since no client escapes theirs.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(pub &'a [u8]);

impl<'a> Iterator for Query<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|byte| *byte == b'&');
        let (pair, rest) = end.map_or((self.0, &[][..]), |at| (&self.0[..at], &self.0[at + 1..]));
        self.0 = rest;
        let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        Some((&pair[..equals], pair.get(equals + 1..).unwrap_or_default()))
    }
}

/// Decodes a value of exactly `N` bytes; `+` is a space, as forms have it (Python and Java clients send it so).
pub(super) fn decode_exact<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut rest = value;
    for byte in &mut bytes {
        (*byte, rest) = match *rest {
            [b'%', hi, lo, ref rest @ ..] => (hex(hi)? << 4 | hex(lo)?, rest),
            [b'+', ref rest @ ..] => (b' ', rest),
            [plain, ref rest @ ..] => (plain, rest),
            [] => return None,
        };
    }
    rest.is_empty().then_some(bytes)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Decodes a value; borrowed where nothing is escaped.
pub(super) fn decode_value(value: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(value).into()
}

/// Reads a decimal number; saturates, because some clients send more than 64 bits in `left`.
pub(super) fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(value.iter().fold(0, add))
}

/// Joins a tracker's announce URL and a query; the URL may already carry one (a passkey, say).
pub fn announce_url(announce: &str, query: &str) -> String {
    let base = announce.split('#').next().unwrap_or(announce);
    let joint = match base.find('?') {
        None => "?",
        Some(at) if at + 1 == base.len() || base.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{base}{joint}{query}")
}

/// The scrape URL of an announce URL (BEP 48): `announce` at the start of the last path segment becomes `scrape`.
pub fn scrape_url(announce: &str) -> Option<String> {
    let path = announce.find('?').unwrap_or(announce.len());
    let slash = announce[..path].rfind('/')?;
    let rest = announce[slash + 1..].strip_prefix("announce")?;
    Some(format!("{}/scrape{rest}", &announce[..slash]))
}
