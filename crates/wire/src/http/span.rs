//! Which bytes a reply carries, and which a partial file has (section 11.2).

use std::fmt;
use std::ops::Range;

/// Ranges of a partial file read or written at most.
const MOST: usize = 128;

/// `Content-Range`: bytes of a file of so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContentRange {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
    /// Bytes of the whole file, if told.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads the value; `None` if it is malformed or contradicts itself.
    pub fn parse(value: &str) -> Option<ContentRange> {
        let value = value.trim();
        let rest = value.get(5..).filter(|_| value[..5].eq_ignore_ascii_case("bytes"))?;
        let rest = rest.trim_start().trim_start_matches('=');
        let (range, total) = rest.split_once('/')?;
        let (first, last) = range.trim().split_once('-')?;
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let total = match total.trim() {
            "*" => None,
            total => Some(total.parse().ok()?),
        };
        (first <= last && last < u64::MAX && total.is_none_or(|total| last < total)).then_some(ContentRange {
            first,
            last,
            total,
        })
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.last - self.first + 1
    }

    /// Never: there is no such header for nothing.
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}-{}/", self.first, self.last)?;
        match self.total {
            Some(total) => write!(f, "{total}"),
            None => f.write_str("*"),
        }
    }
}

/// Reads `X-Available-Ranges`; what is malformed is left out.
pub fn parse_available(value: &str) -> Vec<Range<u64>> {
    let Some(list) = value.trim().strip_prefix("bytes") else { return Vec::new() };
    let list = list.trim_start().trim_start_matches('=');
    let ranges = list.split(',').take(MOST).filter_map(|range| {
        let (first, last) = range.trim().split_once('-')?;
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some(first..last.checked_add(1)?)
    });
    ranges.collect()
}

/// Writes `X-Available-Ranges`, as many as fit.
pub fn write_available(ranges: &[Range<u64>]) -> String {
    let full = ranges.iter().filter(|range| range.start < range.end).take(MOST);
    let texts: Vec<String> = full.map(|range| format!("{}-{}", range.start, range.end - 1)).collect();
    format!("bytes {}", texts.join(","))
}
