//! The decoder: one pass, an explicit stack bounded by [`Limits::depth`], a token tape bounded by [`Limits::tokens`].

use super::value::Value;

/// What a decoder may spend on one input; all are checked before memory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest input, in bytes; default 10 MB, as libtorrent has it for .torrent files.
    pub bytes: usize,
    /// Deepest nesting of lists and dictionaries; default 100.
    pub depth: usize,
    /// Most tokens (integers, strings, keys, lists, dictionaries); default 3 million, 36 MB of tape.
    pub tokens: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 10_000_000, depth: 100, tokens: 3_000_000 }
    }
}

/// Why an input is not acceptable bencoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input is longer than [`Limits::bytes`].
    #[error("bencoding: longer than allowed")]
    TooLong,
    /// Lists and dictionaries are nested deeper than [`Limits::depth`].
    #[error("bencoding: nested too deep")]
    TooDeep,
    /// More values than [`Limits::tokens`].
    #[error("bencoding: too many values")]
    TooManyTokens,
    /// The input ends inside a value.
    #[error("bencoding: truncated")]
    UnexpectedEnd,
    /// A byte that begins no value.
    #[error("bencoding: unexpected byte at offset {0}")]
    UnexpectedByte(u32),
    /// An integer with no digits, a leading zero, `-0`, or beyond 64 bits.
    #[error("bencoding: malformed integer at offset {0}")]
    BadInteger(u32),
    /// A string length with a leading zero, without colon, or too large to be true.
    #[error("bencoding: malformed string length at offset {0}")]
    BadLength(u32),
    /// A dictionary key that is not a string.
    #[error("bencoding: dictionary key is not a string at offset {0}")]
    KeyNotString(u32),
    /// A dictionary that ends after a key.
    #[error("bencoding: dictionary key without value at offset {0}")]
    MissingValue(u32),
    /// Bytes follow the value.
    #[error("bencoding: trailing bytes after the value")]
    TrailingData,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int = 0,
    Bytes = 1,
    List = 2,
    Dict = 3,
}

/// One value: its raw span, and in 30 bits the next sibling (list, dict) or the offset of the content (string).
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) start: u32,
    pub(super) end: u32,
    packed: u32,
}

/// Largest number the packed field holds; also the hard ceiling of tokens.
const PACKED_MAX: u32 = (1 << 30) - 1;

impl Token {
    fn new(kind: Kind, start: u32, end: u32, extra: u32) -> Self {
        Self { start, end, packed: (kind as u32) << 30 | (extra & PACKED_MAX) }
    }

    pub(super) fn kind(self) -> Kind {
        match self.packed >> 30 {
            0 => Kind::Int,
            1 => Kind::Bytes,
            2 => Kind::List,
            _ => Kind::Dict,
        }
    }

    /// For containers: index of the token after the last descendant. For strings: length of the `123:` header.
    pub(super) fn extra(self) -> u32 {
        self.packed & PACKED_MAX
    }
}

/// A decoded input: the borrowed bytes and the tape of tokens over them.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    pub(super) input: &'a [u8],
    pub(super) tokens: Vec<Token>,
    canonical: bool,
}

impl<'a> Document<'a> {
    /// The outermost value.
    pub fn root(&self) -> Value<'_, 'a> {
        Value::new(self, 0)
    }

    /// Whether all dictionary keys were sorted and unique, so that re-encoding gives the same bytes.
    pub fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// Number of values on the tape.
    pub fn token_count(&self) -> usize {
        self.tokens.len()
    }
}

/// Decodes one value that fills `input`, with default [`Limits`].
pub fn decode(input: &[u8]) -> Result<Document<'_>, Error> {
    decode_with(input, Limits::default())
}

/// Decodes one value that fills `input`; [`Error::TrailingData`] if bytes follow it.
pub fn decode_with(input: &[u8], limits: Limits) -> Result<Document<'_>, Error> {
    let (document, consumed) = decode_prefix_with(input, limits)?;
    if consumed == input.len() { Ok(document) } else { Err(Error::TrailingData) }
}

/// Decodes the value at the front of `input` and says how many bytes it took (metadata messages of BEP 9 carry data
/// after it), with default [`Limits`].
pub fn decode_prefix(input: &[u8]) -> Result<(Document<'_>, usize), Error> {
    decode_prefix_with(input, Limits::default())
}

/// [`decode_prefix`] with limits; [`Limits::bytes`] counts the whole input, rest included.
pub fn decode_prefix_with(input: &[u8], limits: Limits) -> Result<(Document<'_>, usize), Error> {
    if input.len() > limits.bytes || u32::try_from(input.len()).is_err() {
        return Err(Error::TooLong);
    }
    let mut decoder =
        Decoder { input, at: 0, limits, tokens: Vec::new(), stack: Vec::new(), canonical: true };
    decoder.run()?;
    let consumed = decoder.at;
    Ok((Document { input, tokens: decoder.tokens, canonical: decoder.canonical }, consumed))
}

/// An open list or dictionary.
struct Frame {
    token: u32,
    dict: bool,
    /// Inside a dictionary: a key was read and its value is due.
    value_due: bool,
    /// Span of the content of the last key.
    last_key: Option<(u32, u32)>,
}

struct Decoder<'a> {
    input: &'a [u8],
    at: usize,
    limits: Limits,
    tokens: Vec<Token>,
    stack: Vec<Frame>,
    canonical: bool,
}

impl Decoder<'_> {
    fn run(&mut self) -> Result<(), Error> {
        loop {
            match self.peek()? {
                b'e' => self.close()?,
                first => {
                    self.before_value(first)?;
                    match first {
                        b'i' => self.integer()?,
                        b'l' => self.open(Kind::List)?,
                        b'd' => self.open(Kind::Dict)?,
                        b'0'..=b'9' => self.string()?,
                        _ => return Err(Error::UnexpectedByte(self.offset())),
                    }
                }
            }
            if self.stack.is_empty() {
                return Ok(());
            }
        }
    }

    fn peek(&self) -> Result<u8, Error> {
        self.input.get(self.at).copied().ok_or(Error::UnexpectedEnd)
    }

    /// The input is at most `u32::MAX` long (checked at the start), so the cast loses nothing.
    fn offset(&self) -> u32 {
        self.at as u32
    }

    /// Keys must be strings; keys and values alternate.
    fn before_value(&mut self, first: u8) -> Result<(), Error> {
        let offset = self.at as u32;
        if let Some(frame) = self.stack.last_mut().filter(|frame| frame.dict) {
            if !frame.value_due && !first.is_ascii_digit() {
                return Err(Error::KeyNotString(offset));
            }
            frame.value_due = !frame.value_due;
        }
        Ok(())
    }

    fn push(&mut self, token: Token) -> Result<u32, Error> {
        let index = self.tokens.len();
        if index >= self.limits.tokens.min(PACKED_MAX as usize) {
            return Err(Error::TooManyTokens);
        }
        self.tokens.push(token);
        Ok(index as u32)
    }

    fn open(&mut self, kind: Kind) -> Result<(), Error> {
        if self.stack.len() >= self.limits.depth {
            return Err(Error::TooDeep);
        }
        let start = self.offset();
        let token = self.push(Token::new(kind, start, start, 0))?;
        self.stack.push(Frame { token, dict: kind == Kind::Dict, value_due: false, last_key: None });
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        let frame = self.stack.pop().ok_or(Error::UnexpectedByte(self.offset()))?;
        if frame.value_due {
            return Err(Error::MissingValue(self.offset()));
        }
        self.at += 1;
        let (end, next) = (self.offset(), self.tokens.len() as u32);
        if let Some(token) = self.tokens.get_mut(frame.token as usize) {
            *token = Token::new(token.kind(), token.start, end, next);
        }
        Ok(())
    }

    fn integer(&mut self) -> Result<(), Error> {
        let start = self.at;
        let bad = Error::BadInteger(start as u32);
        // 20 characters hold every i64; a longer run of digits is refused without reading on.
        let window = &self.input[start + 1..self.input.len().min(start + 22)];
        let Some(length) = window.iter().position(|&byte| byte == b'e') else {
            let digits = window.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
            return Err(if window.len() < 21 && digits { Error::UnexpectedEnd } else { bad });
        };
        parse_int(&window[..length]).ok_or(bad)?;
        self.at = start + 1 + length + 1;
        let end = self.offset();
        self.push(Token::new(Kind::Int, start as u32, end, 0))?;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Error> {
        let start = self.at;
        let bad = Error::BadLength(start as u32);
        let mut length: usize = 0;
        let mut at = start;
        loop {
            match self.input.get(at).ok_or(Error::UnexpectedEnd)? {
                digit @ b'0'..=b'9' => {
                    let digit = usize::from(digit - b'0');
                    length = length.checked_mul(10).and_then(|n| n.checked_add(digit)).ok_or(bad)?;
                    // Longer than any accepted input: whatever follows cannot make it true.
                    if length > self.limits.bytes || (at > start && self.input[start] == b'0') {
                        return Err(bad);
                    }
                }
                b':' => break,
                _ => return Err(bad),
            }
            at += 1;
        }
        let content = at + 1;
        if length > self.input.len() - content {
            return Err(Error::UnexpectedEnd);
        }
        self.at = content + length;
        let header = (content - start) as u32;
        let end = self.offset();
        self.push(Token::new(Kind::Bytes, start as u32, end, header))?;
        self.note_key(content as u32, end);
        Ok(())
    }

    /// Called after each string: where it was a key, compares it with the one before.
    fn note_key(&mut self, start: u32, end: u32) {
        let Some(frame) = self.stack.last_mut().filter(|frame| frame.dict && frame.value_due) else { return };
        if let Some((last_start, last_end)) = frame.last_key {
            let last = &self.input[last_start as usize..last_end as usize];
            self.canonical &= last < &self.input[start as usize..end as usize];
        }
        frame.last_key = Some((start, end));
    }
}

/// The number in `text` if it is written canonically and fits.
pub(super) fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [] => return None,
        [b'0'] if negative => return None,
        [b'0', _, ..] => return None,
        _ => {}
    }
    digits.iter().try_fold(0i64, |value, &byte| {
        let digit = i64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
        let value = value.checked_mul(10)?;
        // Negative numbers are built downwards: i64::MIN has no positive counterpart.
        if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
    })
}
