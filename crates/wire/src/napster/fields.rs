//! Reading the fields of a frame's data by the rule of both servers (section 2).
//!
//! White space is skipped; a field that begins with a quote runs to the next quote (or the end), another to the next
//! white space. There is no escape. Data ends at the first NUL, as it does for servers and clients written in C.

use std::net::Ipv4Addr;

use super::{FileRun, NapsterError, Speed};

/// A cursor over the fields of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// What is left of the text; always the end of it.
    rest: &'a [u8],
    text: usize,
    whole: &'a [u8],
}

/// Whether the servers take it for white space.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Fields<'a> {
    /// Begins at the first field of `data`.
    pub fn new(data: &'a [u8]) -> Self {
        let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
        Fields { rest: &data[..end], text: end, whole: data }
    }

    /// What no field was read from yet.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field, if there is one; an empty one only in quotes.
    pub fn next_field(&mut self) -> Option<&'a [u8]> {
        self.next_delimited().map(|(field, _)| field)
    }

    /// The next field, and whether its end was seen: a closing quote or white space, not the end of the data.
    pub(super) fn next_delimited(&mut self) -> Option<(&'a [u8], bool)> {
        let start = self.rest.iter().position(|byte| !is_space(*byte))?;
        let rest = &self.rest[start..];
        let (body, end) = match rest {
            [b'"', quoted @ ..] => (quoted, quoted.iter().position(|byte| *byte == b'"')),
            bare => (bare, bare.iter().position(|byte| is_space(*byte))),
        };
        self.rest = end.map_or(&[], |end| &body[end + 1..]);
        Some((&body[..end.unwrap_or(body.len())], end.is_some()))
    }

    /// A field written bare.
    pub fn word(&mut self) -> Result<&'a [u8], NapsterError> {
        self.next_field().ok_or(NapsterError::MissingField)
    }

    /// A field written in quotes; read like any other.
    pub fn quoted(&mut self) -> Result<&'a [u8], NapsterError> {
        self.word()
    }

    /// A field written in quotes only if it holds a space.
    pub fn loose(&mut self) -> Result<&'a [u8], NapsterError> {
        self.word()
    }

    /// A last field that may be missing.
    pub fn maybe_word(&mut self) -> Result<Option<&'a [u8]>, NapsterError> {
        Ok(self.next_field())
    }

    /// A last field, written in quotes, that may be missing.
    pub fn maybe_quoted(&mut self) -> Result<Option<&'a [u8]>, NapsterError> {
        Ok(self.next_field())
    }

    /// A decimal number of 32 bits, saturating; a negative one as its two's complement (N8), junk behind the digits
    /// is ignored.
    pub fn number(&mut self) -> Result<u32, NapsterError> {
        let value = decimal(self.word()?)?;
        Ok(u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// A number that may be missing.
    pub fn maybe_number(&mut self) -> Result<Option<u32>, NapsterError> {
        let value = self.next_field().map(decimal).transpose()?;
        Ok(value.map(|value| u32::try_from(value).unwrap_or(u32::MAX)))
    }

    /// A size or time of 64 bits; A prints sizes over 2 GiB as negative numbers of 32 bits (N8).
    pub fn long(&mut self) -> Result<u64, NapsterError> {
        decimal(self.word()?)
    }

    /// A size or time that may be missing.
    pub fn maybe_long(&mut self) -> Result<Option<u64>, NapsterError> {
        self.next_field().map(decimal).transpose()
    }

    /// A TCP port; `OutOfRange` over 65,535.
    pub fn port(&mut self) -> Result<u16, NapsterError> {
        u16::try_from(self.number()?).map_err(|_| NapsterError::OutOfRange)
    }

    /// A speed code, known or not.
    pub fn speed(&mut self) -> Result<Speed, NapsterError> {
        self.number().map(Speed)
    }

    /// A speed code that may be missing.
    pub fn maybe_speed(&mut self) -> Result<Option<Speed>, NapsterError> {
        Ok(self.maybe_number()?.map(Speed))
    }

    /// An IPv4 address: its four bytes read as a little-endian number, in decimal.
    pub fn ip(&mut self) -> Result<Ipv4Addr, NapsterError> {
        self.number().map(ip_from_number)
    }

    /// An address that may be missing.
    pub fn maybe_ip(&mut self) -> Result<Option<Ipv4Addr>, NapsterError> {
        Ok(self.maybe_number()?.map(ip_from_number))
    }

    /// The whole rest behind one space: free text.
    pub fn text(&mut self) -> Result<&'a [u8], NapsterError> {
        let rest = std::mem::take(&mut self.rest);
        Ok(rest.strip_prefix(b" ").unwrap_or(rest))
    }

    /// The whole rest without the white space around it: a nick alone in its frame.
    pub fn alone(&mut self) -> Result<&'a [u8], NapsterError> {
        let mut rest = std::mem::take(&mut self.rest);
        while let [first, tail @ ..] = rest
            && is_space(*first)
        {
            rest = tail;
        }
        while let [head @ .., last] = rest
            && is_space(*last)
        {
            rest = head;
        }
        if rest.is_empty() { Err(NapsterError::MissingField) } else { Ok(rest) }
    }

    /// The whole rest byte for byte.
    pub fn raw(&mut self) -> Result<&'a [u8], NapsterError> {
        Ok(std::mem::take(&mut self.rest))
    }

    /// The whole rest: files, six fields each.
    pub fn files(&mut self) -> Result<FileRun<'a>, NapsterError> {
        self.raw().map(|rest| FileRun(rest.trim_ascii_start()))
    }

    /// The whole rest with the white space that ended the last field: what a server passes on byte for byte.
    pub fn tail(&mut self) -> Result<&'a [u8], NapsterError> {
        let start = self.text - std::mem::take(&mut self.rest).len();
        let spaced =
            start.checked_sub(1).filter(|at| self.whole.get(*at).is_some_and(|byte| is_space(*byte)));
        Ok(&self.whole[spaced.unwrap_or(start)..self.text])
    }

    /// The sender of a message relayed between servers: a bare field with `:` before it.
    pub fn origin(&mut self) -> Result<&'a [u8], NapsterError> {
        self.word()?.strip_prefix(b":").ok_or(NapsterError::MissingField)
    }

    /// The whole rest behind one space with all NULs: a frame within a frame.
    pub fn binary(&mut self) -> Result<&'a [u8], NapsterError> {
        let rest = &self.whole[self.text - std::mem::take(&mut self.rest).len()..];
        Ok(rest.strip_prefix(b" ").unwrap_or(rest))
    }
}

/// The address behind a number of the protocol: 16777343 is 127.0.0.1.
pub fn ip_from_number(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(number.to_le_bytes())
}

/// The number of the protocol for an address.
pub fn ip_to_number(ip: Ipv4Addr) -> u32 {
    u32::from_le_bytes(ip.octets())
}

/// Decimal digits, saturating; `-N` is read as 32 bits in two's complement.
fn decimal(field: &[u8]) -> Result<u64, NapsterError> {
    let (negative, digits) = match field {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if !digits.first().is_some_and(u8::is_ascii_digit) {
        return Err(NapsterError::NotANumber);
    }
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let value =
        digits.fold(0u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    if negative {
        let value = u32::try_from(value).map_err(|_| NapsterError::OutOfRange)?;
        return Ok(u64::from(value.wrapping_neg()));
    }
    Ok(value)
}
