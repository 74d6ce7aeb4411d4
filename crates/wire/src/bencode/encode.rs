//! The writer: values are pushed in order, nothing is built in memory but the output.

use std::ops::Range;

/// Writes one bencoded value; the caller gives dictionary keys in order (debug builds check it).
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    out: Vec<u8>,
    /// One entry an open container: for dictionaries the span of the last key.
    open: Vec<Option<Range<usize>>>,
}

impl Encoder {
    /// An encoder with an empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An encoder that appends to `out`.
    pub fn with_buffer(out: Vec<u8>) -> Self {
        Self { out, open: Vec::new() }
    }

    /// Opens a dictionary; [`Self::end`] closes it.
    pub fn begin_dict(&mut self) -> &mut Self {
        self.out.push(b'd');
        self.open.push(Some(0..0));
        self
    }

    /// Opens a list; [`Self::end`] closes it.
    pub fn begin_list(&mut self) -> &mut Self {
        self.out.push(b'l');
        self.open.push(None);
        self
    }

    /// Closes the innermost list or dictionary.
    pub fn end(&mut self) -> &mut Self {
        let closed = self.open.pop();
        debug_assert!(closed.is_some(), "end() without an open list or dictionary");
        self.out.push(b'e');
        self
    }

    /// A dictionary key; its value comes next.
    pub fn key(&mut self, key: impl AsRef<[u8]>) -> &mut Self {
        let key = key.as_ref();
        self.bytes(key);
        let span = self.out.len() - key.len()..self.out.len();
        if let Some(Some(last)) = self.open.last_mut() {
            debug_assert!(last.end == 0 || self.out[last.clone()] < *key, "dictionary keys out of order");
            *last = span;
        }
        self
    }

    /// An integer.
    pub fn int(&mut self, value: impl Into<i128>) -> &mut Self {
        // i128 takes every i64, u64 and narrower type in one method; BEP 3 sets no bound.
        self.out.extend_from_slice(format!("i{}e", value.into()).as_bytes());
        self
    }

    /// A string.
    pub fn bytes(&mut self, value: impl AsRef<[u8]>) -> &mut Self {
        let value = value.as_ref();
        self.out.extend_from_slice(format!("{}:", value.len()).as_bytes());
        self.out.extend_from_slice(value);
        self
    }

    /// A value that is already bencoded, such as an info dictionary kept as it came.
    pub fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.out.extend_from_slice(encoded);
        self
    }

    /// A dictionary entry with a string value.
    pub fn entry_bytes(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        self.key(key).bytes(value)
    }

    /// A dictionary entry with an integer value.
    pub fn entry_int(&mut self, key: impl AsRef<[u8]>, value: impl Into<i128>) -> &mut Self {
        self.key(key).int(value)
    }

    /// The bytes written.
    pub fn finish(self) -> Vec<u8> {
        debug_assert!(self.open.is_empty(), "a list or dictionary is still open");
        self.out
    }
}
