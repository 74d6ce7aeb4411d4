//! A host as a line of text: `10.0.0.1:6346 proved failures=0 age=12`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use throng_machine::Endpoint;

/// A host as the application keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// Where it is.
    pub at: Endpoint,
    /// It has answered once.
    pub proved: bool,
    /// Attempts in a row that came to nothing.
    pub failures: u8,
    /// Seconds since it was heard of.
    pub age: u64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing = if self.proved { "proved" } else { "told" };
        write!(f, "{} {standing} failures={} age={}", self.at, self.failures, self.age)
    }
}

/// A line that is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a line of a host cache")]
pub struct NoLine;

impl FromStr for Line {
    type Err = NoLine;

    /// Only the address must be there; what is unknown is skipped.
    fn from_str(line: &str) -> Result<Line, NoLine> {
        let mut words = line.split_ascii_whitespace();
        let at: SocketAddr = words.next().and_then(|word| word.parse().ok()).ok_or(NoLine)?;
        let mut read = Line { at: at.into(), proved: false, failures: 0, age: 0 };
        for word in words {
            match word.split_once('=') {
                None if word == "proved" => read.proved = true,
                Some(("failures", count)) => read.failures = count.parse().map_err(|_| NoLine)?,
                Some(("age", age)) => read.age = age.parse().map_err(|_| NoLine)?,
                _ => {}
            }
        }
        Ok(read)
    }
}
