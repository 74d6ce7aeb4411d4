//! Places in a queue for an upload: `X-Queued` of PARQ, and the older `X-Queue` (section 11.6).

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use std::fmt;

/// Names a place in a queue: 16 bytes, written as 32 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QueueId(pub [u8; 16]);

impl QueueId {
    /// Reads 32 digits of any case.
    pub fn parse(text: &str) -> Option<QueueId> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok()?;
        bytes.try_into().ok().map(QueueId)
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// `X-Queued`: a place, 0 being a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Queued {
    /// Its name.
    pub id: Option<QueueId>,
    /// How many are before, counted from 1; 0 or nothing: it is our turn.
    pub position: Option<u32>,
    /// How many wait.
    pub length: Option<u32>,
    /// Seconds after which the place is lost.
    pub lifetime: Option<u32>,
    /// Seconds until our turn, as the server guesses.
    pub eta: Option<u32>,
}

/// `X-Queue` of old servers: a place and how often to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OldQueue {
    /// How many are before, counted from 1.
    pub position: u32,
    /// Seconds to wait before asking again, at least.
    pub poll_min: u32,
    /// Seconds after which the place is lost.
    pub poll_max: u32,
}

/// The value of a variable, names of any case.
fn variable<'a>(value: &'a str, separator: char, name: &str) -> Option<&'a str> {
    let mut pairs = value.split(separator).take(32).filter_map(|pair| pair.split_once('='));
    pairs.find(|(known, _)| known.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The digits a value begins with.
fn number(text: &str) -> Option<u32> {
    text[..text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len())].parse().ok()
}

impl Queued {
    /// Reads the value; what is missing or malformed is left out.
    pub fn parse(value: &str) -> Queued {
        let count = |name| variable(value, ';', name).and_then(number);
        Queued {
            id: variable(value, ';', "ID").and_then(QueueId::parse),
            position: count("position"),
            length: count("length"),
            lifetime: count("lifetime"),
            eta: count("ETA"),
        }
    }
}

impl fmt::Display for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.position.map(|position| format!("position={position}")));
        parts.extend(self.length.map(|length| format!("length={length}")));
        parts.extend(self.lifetime.map(|lifetime| format!("lifetime={lifetime}")));
        parts.extend(self.eta.map(|eta| format!("ETA={eta}")));
        parts.extend(self.id.map(|id| format!("ID={id}")));
        f.write_str(&parts.join("; "))
    }
}

impl OldQueue {
    /// Reads the value of a reply; `None` if it is a version of PARQ or malformed.
    pub fn parse(value: &str) -> Option<OldQueue> {
        let count = |name| variable(value, ',', name).and_then(number);
        Some(OldQueue {
            position: count("position")?,
            poll_min: count("pollMin").unwrap_or(45),
            poll_max: count("pollMax").unwrap_or(120),
        })
    }
}

impl fmt::Display for OldQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position={},pollMin={},pollMax={}", self.position, self.poll_min, self.poll_max)
    }
}
