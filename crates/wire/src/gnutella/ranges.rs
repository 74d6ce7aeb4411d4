//! `Range` headers of HTTP requests (section 11.2): the first of several counts.

/// The bytes asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByteRange {
    /// From there, to there inclusive or to the end.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

impl ByteRange {
    /// First and last byte in a file of so many; `None` if there is none.
    pub fn within(self, size: u64) -> Option<(u64, u64)> {
        let last = size.checked_sub(1)?;
        match self {
            ByteRange::From(first, end) if first <= last => {
                Some((first, end.map_or(last, |end| end.min(last))))
            }
            ByteRange::Last(count) if count > 0 => Some((size - count.min(size), last)),
            _ => None,
        }
    }
}

/// Reads the value of a `Range` header; `None` if it is malformed.
pub fn parse_range(value: &str) -> Option<ByteRange> {
    let list = value.trim().strip_prefix("bytes")?.trim_start();
    let list = list.strip_prefix(['=', ' ']).unwrap_or(list);
    let (first, last) = list.split(',').next()?.trim().split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (first.trim(), last.trim()) {
        ("", last) => number(last).map(ByteRange::Last),
        (first, "") => Some(ByteRange::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(ByteRange::From(first, Some(last)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_servents_write_them() {
        let known = [
            ("bytes=0-262143", Some((0, 262_143))),
            ("bytes=5-", Some((5, 999_999))),
            ("bytes=-10", Some((999_990, 999_999))),
            ("bytes 7-8", Some((7, 8))),
            ("bytes=1-2,5-6", Some((1, 2))),
            ("bytes=999999-2000000", Some((999_999, 999_999))),
            ("bytes=1000000-", None),
            ("bytes=-0", None),
        ];
        for (text, range) in known {
            assert_eq!(parse_range(text).unwrap().within(1_000_000), range, "{text}");
        }
        for broken in
            ["", "bytes=", "bytes=a-b", "bytes=5-4", "lines=1-2", "bytes=-", "bytes=99999999999999999999-"]
        {
            assert_eq!(parse_range(broken), None, "{broken}");
        }
        assert_eq!(ByteRange::From(0, None).within(0), None);
    }
}
