//! What peers say to each other on a data port (section 7) and our extension of it (section 12).
//!
//! There are no frames and few terminators: a number may end where a segment ends. Parsers are handed all bytes since
//! the last text and say whether a text is whole, or whole unless more digits follow ([`Parsed::Open`]); the caller
//! then waits a moment. Invariant: no parser asks for more than its limit.

mod answer;
mod list;
mod magnet;
mod opening;

pub use answer::{OffsetAnswer, Refusal, SizeAnswer, parse_offset, parse_size};
pub use list::{ListLine, ListState, MAX_LINE, write_list_end, write_list_start};
pub use magnet::{MAX_MAGNET, parse_magnet_answer, write_magnet_answer};
pub use opening::{MAX_OPENING, Opening};

/// What the listening side sends at once after accepting, alone in its segment (P3, P4).
pub const GREETING: u8 = b'1';

/// What came of bytes that may not be all there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<T> {
    /// More is needed.
    Incomplete,
    /// Whole, and that many bytes long.
    Complete(T, usize),
    /// Whole if nothing follows at once; that many bytes long.
    Open(T, usize),
}

impl<T> Parsed<T> {
    /// The same with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Parsed<U> {
        match self {
            Parsed::Incomplete => Parsed::Incomplete,
            Parsed::Complete(value, length) => Parsed::Complete(change(value), length),
            Parsed::Open(value, length) => Parsed::Open(change(value), length),
        }
    }
}

/// The digits at the start of `bytes` and their number; `None` if there are none or the number needs over 64 bits.
fn leading_digits(bytes: &[u8]) -> Option<(u64, usize)> {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = bytes[..count]
        .iter()
        .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    (count > 0).then_some((value, count))
}

#[cfg(test)]
mod tests;
