//! The list of a user's files sent directly (7.4): a nick, a line a file, an empty line.

use crate::napster::{Fields, NapsterError, Payload, Share};

/// The longest line of a list: a path of 256 bytes and five numbers fit several times.
pub const MAX_LINE: usize = 2_048;

/// Where in a list a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListState {
    /// Before the nick; TekNap sends a line `SENDLIST` there, which is skipped.
    #[default]
    Start,
    /// Among the files.
    Files,
}

/// A line of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListLine<'a> {
    /// Whose list it is.
    Nick(&'a [u8]),
    /// A file.
    File(Share<'a>),
    /// A line that says nothing: `SENDLIST`, or a file that cannot be read.
    Skipped,
    /// The list is over.
    End,
}

impl ListState {
    /// Reads the next line and says how long it was; `None` if it is not whole, `PeerTextTooLong` over [`MAX_LINE`].
    pub fn next_line<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(ListLine<'a>, usize)>, NapsterError> {
        let Some(end) = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
            return if bytes.len() >= MAX_LINE { Err(NapsterError::PeerTextTooLong) } else { Ok(None) };
        };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        let line = match self {
            ListState::Start if line.trim_ascii() == b"SENDLIST" || line.is_empty() => ListLine::Skipped,
            ListState::Start => {
                *self = ListState::Files;
                let line = line.strip_prefix(b"SENDLIST ").unwrap_or(line);
                ListLine::Nick(line.trim_ascii())
            }
            ListState::Files if line.is_empty() => ListLine::End,
            ListState::Files => {
                Share::parse(&mut Fields::new(line)).map_or(ListLine::Skipped, ListLine::File)
            }
        };
        Ok(Some((line, end + 1)))
    }
}

/// Appends the first line of our list, as an answer to `GETLIST`; `Unwritable` if it is no nick.
pub fn write_list_start(nick: &[u8], out: &mut Vec<u8>) -> Result<(), NapsterError> {
    let start = out.len();
    let mut writer = crate::napster::Writer::new(out);
    writer.word(nick);
    writer.raw(b"\n");
    let written = writer.finish();
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Appends the empty line that ends a list.
pub fn write_list_end(out: &mut Vec<u8>) {
    out.push(b'\n');
}

impl Share<'_> {
    /// Appends the file as a line of a list; `Unwritable` if a field cannot be expressed.
    pub fn write_line(&self, out: &mut Vec<u8>) -> Result<(), NapsterError> {
        let start = out.len();
        let mut writer = crate::napster::Writer::new(out);
        self.write(&mut writer);
        writer.raw(b"\n");
        let written = writer.finish();
        if written.is_err() {
            out.truncate(start);
        }
        written
    }
}
