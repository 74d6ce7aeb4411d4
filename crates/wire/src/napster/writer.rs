//! Writing the fields of a frame strictly: single spaces, quotes where they belong, nothing that cannot be read back.
//!
//! Each method has the name of the one in [`Fields`](super::Fields) that reads what it writes. The first error sticks.

use std::io::Write;
use std::net::Ipv4Addr;

use super::fields::{ip_to_number, is_space};
use super::{FileRun, NapsterError, Speed};

/// Appends fields to the data of a frame.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    error: Option<NapsterError>,
}

impl<'o> Writer<'o> {
    /// Fields are appended to `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        Writer { out, start, error: None }
    }

    /// What went wrong first, if anything did.
    pub fn finish(self) -> Result<(), NapsterError> {
        self.error.map_or(Ok(()), Err)
    }

    fn refuse(&mut self) {
        self.error.get_or_insert(NapsterError::Unwritable);
    }

    fn space(&mut self) {
        if self.out.len() > self.start {
            self.out.push(b' ');
        }
    }

    fn decimal(&mut self, value: u64) {
        self.space();
        // Writing to a Vec cannot fail.
        _ = write!(self.out, "{value}");
    }

    /// A bare field: not empty, without white space, quotes or NUL.
    pub fn word(&mut self, field: &[u8]) {
        self.space();
        if field.is_empty() || field.iter().any(|byte| is_space(*byte) || matches!(byte, b'"' | 0)) {
            self.refuse();
        }
        self.out.extend_from_slice(field);
    }

    /// A field in quotes: without quotes, line ends and NUL.
    pub fn quoted(&mut self, field: &[u8]) {
        self.space();
        if field.iter().any(|byte| matches!(byte, b'"' | 0 | b'\r' | b'\n')) {
            self.refuse();
        }
        self.out.push(b'"');
        self.out.extend_from_slice(field);
        self.out.push(b'"');
    }

    /// A field in quotes only if it is empty or holds a space.
    pub fn loose(&mut self, field: &[u8]) {
        if field.is_empty() || field.iter().any(|byte| is_space(*byte)) {
            self.quoted(field);
        } else {
            self.word(field);
        }
    }

    /// A bare field if there is one.
    pub fn maybe_word(&mut self, field: Option<&[u8]>) {
        if let Some(field) = field {
            self.word(field);
        }
    }

    /// A field in quotes if there is one.
    pub fn maybe_quoted(&mut self, field: Option<&[u8]>) {
        if let Some(field) = field {
            self.quoted(field);
        }
    }

    /// A decimal number.
    pub fn number(&mut self, value: u32) {
        self.decimal(u64::from(value));
    }

    /// A number if there is one.
    pub fn maybe_number(&mut self, value: Option<u32>) {
        if let Some(value) = value {
            self.number(value);
        }
    }

    /// A size or time, unsigned as G prints it.
    pub fn long(&mut self, value: u64) {
        self.decimal(value);
    }

    /// A size or time if there is one.
    pub fn maybe_long(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.long(value);
        }
    }

    /// A TCP port.
    pub fn port(&mut self, port: u16) {
        self.decimal(u64::from(port));
    }

    /// A speed code.
    pub fn speed(&mut self, speed: Speed) {
        self.number(speed.0);
    }

    /// A speed code if there is one.
    pub fn maybe_speed(&mut self, speed: Option<Speed>) {
        self.maybe_number(speed.map(|speed| speed.0));
    }

    /// An IPv4 address as a number.
    pub fn ip(&mut self, ip: Ipv4Addr) {
        self.number(ip_to_number(ip));
    }

    /// An address if there is one.
    pub fn maybe_ip(&mut self, ip: Option<Ipv4Addr>) {
        self.maybe_number(ip.map(ip_to_number));
    }

    /// Free text to the end of the frame; without NUL.
    pub fn text(&mut self, text: &[u8]) {
        self.space();
        self.raw(text);
    }

    /// A nick alone in its frame: not empty, no white space around it, no NUL.
    pub fn alone(&mut self, field: &[u8]) {
        let blank = |byte: Option<&u8>| byte.is_none_or(|byte| is_space(*byte));
        if blank(field.first()) || blank(field.last()) {
            self.refuse();
        }
        self.raw(field);
    }

    /// Bytes as they are, without a space before them; without NUL.
    pub fn raw(&mut self, bytes: &[u8]) {
        if bytes.contains(&0) {
            self.refuse();
        }
        self.out.extend_from_slice(bytes);
    }

    /// Files, six fields each.
    pub fn files(&mut self, files: FileRun<'_>) {
        self.space();
        self.raw(files.0);
    }

    /// What followed a nick: nothing, or a space and more.
    pub fn tail(&mut self, tail: &[u8]) {
        if tail.first().is_some_and(|byte| !is_space(*byte)) {
            self.refuse();
        }
        self.raw(tail);
    }

    /// The sender of a message relayed between servers.
    pub fn origin(&mut self, sender: &[u8]) {
        self.space();
        self.out.push(b':');
        if sender.is_empty() || sender.iter().any(|byte| is_space(*byte) || matches!(byte, b'"' | 0)) {
            self.refuse();
        }
        self.out.extend_from_slice(sender);
    }

    /// Bytes as they are behind a space, NULs included: a frame within a frame.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.space();
        self.out.extend_from_slice(bytes);
    }
}
