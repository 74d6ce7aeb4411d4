//! Bencoding (BEP 3): an iterative decoder over a borrowed buffer and a canonical writer.
//!
//! The decoder builds a tape of 12-byte tokens beside the input and copies nothing, so every value can give back the
//! very bytes it was read from ([`Value::raw`]): an info-hash is taken over the bytes as they came. It never recurses
//! and checks its [`Limits`] before it grows anything.
//!
//! Refused: leading zeros, `-0`, integers beyond `i64`, keys that are not strings, bytes after the value (use
//! [`decode_prefix`] where those are expected). Unsorted and duplicate keys exist in real torrents; they are accepted
//! and reported by [`Document::is_canonical`]. Of duplicate keys [`Value::get`] sees the first.

mod decode;
mod encode;
mod value;

pub use decode::{Document, Error, Limits, decode, decode_prefix, decode_prefix_with, decode_with};
pub use encode::Encoder;
pub use value::{DictIter, ListIter, Value};

#[cfg(test)]
mod tests;
