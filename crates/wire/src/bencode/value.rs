//! Cursors over a decoded [`Document`]; `Copy`, two words, all lookups without allocation.

use super::decode::{Document, Kind, Token, parse_int};

/// One value of a document: `'d` borrows the tape, `'a` the input, so strings outlive the tape.
#[derive(Debug, Clone, Copy)]
pub struct Value<'d, 'a> {
    document: &'d Document<'a>,
    index: u32,
}

impl<'d, 'a> Value<'d, 'a> {
    pub(super) fn new(document: &'d Document<'a>, index: u32) -> Self {
        Self { document, index }
    }

    fn token(self) -> Token {
        self.document.tokens[self.index as usize]
    }

    /// Index of the token after this value and all inside it.
    fn next_index(self) -> u32 {
        let token = self.token();
        match token.kind() {
            Kind::Int | Kind::Bytes => self.index + 1,
            Kind::List | Kind::Dict => token.extra(),
        }
    }

    /// The bytes this value was read from, header and end mark included.
    pub fn raw(self) -> &'a [u8] {
        let token = self.token();
        &self.document.input[token.start as usize..token.end as usize]
    }

    /// Where in the document's input [`Self::raw`] lies.
    pub fn span(self) -> std::ops::Range<usize> {
        let token = self.token();
        token.start as usize..token.end as usize
    }

    /// The content, if this is a string.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        let token = self.token();
        (token.kind() == Kind::Bytes).then(|| &self.raw()[token.extra() as usize..])
    }

    /// The content, if this is a string of valid UTF-8.
    pub fn as_str(self) -> Option<&'a str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The number, if this is an integer.
    pub fn as_int(self) -> Option<i64> {
        let raw = self.raw();
        (self.token().kind() == Kind::Int).then(|| parse_int(&raw[1..raw.len() - 1]))?
    }

    /// The number, if this is an integer and not negative.
    pub fn as_u64(self) -> Option<u64> {
        self.as_int().and_then(|value| u64::try_from(value).ok())
    }

    /// The items, if this is a list.
    pub fn as_list(self) -> Option<ListIter<'d, 'a>> {
        (self.token().kind() == Kind::List).then(|| ListIter::of(self))
    }

    /// The entries in the order they came, if this is a dictionary.
    pub fn as_dict(self) -> Option<DictIter<'d, 'a>> {
        (self.token().kind() == Kind::Dict).then(|| DictIter(ListIter::of(self)))
    }

    /// The value under `key`, if this is a dictionary that has it; of duplicates the first.
    pub fn get(self, key: &[u8]) -> Option<Value<'d, 'a>> {
        self.as_dict()?.find_map(|(name, value)| (name == key).then_some(value))
    }
}

/// Items of a list.
#[derive(Debug, Clone)]
pub struct ListIter<'d, 'a> {
    document: &'d Document<'a>,
    next: u32,
    end: u32,
}

impl<'d, 'a> ListIter<'d, 'a> {
    fn of(container: Value<'d, 'a>) -> Self {
        Self { document: container.document, next: container.index + 1, end: container.next_index() }
    }
}

impl<'d, 'a> Iterator for ListIter<'d, 'a> {
    type Item = Value<'d, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let value = Value::new(self.document, self.next);
        self.next = value.next_index();
        Some(value)
    }
}

/// Entries of a dictionary.
#[derive(Debug, Clone)]
pub struct DictIter<'d, 'a>(ListIter<'d, 'a>);

impl<'d, 'a> Iterator for DictIter<'d, 'a> {
    type Item = (&'a [u8], Value<'d, 'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.next()?.as_bytes()?;
        Some((key, self.0.next()?))
    }
}
