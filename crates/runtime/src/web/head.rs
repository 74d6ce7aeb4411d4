//! The head of an answer to a range request.

use crate::fetch::RangeError;
use std::time::Duration;

/// Bytes of status line and headers we take.
pub(super) const HEAD_MAX: usize = 16 << 10;
/// Headers we take.
const HEADERS_MAX: usize = 64;
/// How long a busy server is left alone if it does not say.
const RETRY: Duration = Duration::from_secs(30);
/// The longest wait a server may ask for.
const MAX_RETRY: u64 = 3_600;

/// What a server answered, before the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Head {
    /// The bytes follow, beginning `skip` bytes before those asked for; the connection ends behind them if it does not
    /// `keep`.
    Bytes {
        /// Bytes of the file before those asked for.
        skip: u64,
        /// Bytes that follow, if it says so.
        length: Option<u64>,
        /// Whether the connection can be used again.
        keep: bool,
    },
    /// They are elsewhere.
    Moved(String),
}

/// Reads a head; the length of it, or `None` if more has to come. `start` is the first byte asked for.
pub(super) fn parse(bytes: &[u8], start: u64) -> Result<Option<(usize, Head)>, RangeError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let used = match head.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Ok(None),
        _ => return Err(RangeError::Gone("it does not answer as a web server does".into())),
    };
    let header = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    let has =
        |name: &str, word: &str| header(name).is_some_and(|value| value.to_ascii_lowercase().contains(word));
    let gone = |reason: String| Err(RangeError::Gone(reason));
    let keep = head.version == Some(1) && !has("connection", "close");
    let plain = || -> Result<Option<u64>, RangeError> {
        if has("transfer-encoding", "chunked")
            || header("content-encoding").is_some_and(|coding| coding != "identity")
        {
            return Err(RangeError::Gone("it sends the file in another form than it has".into()));
        }
        Ok(header("content-length").and_then(|length| length.parse().ok()))
    };
    let head = match head.code.unwrap_or_default() {
        206 => {
            let first = header("content-range").and_then(first_byte);
            if first != Some(start) {
                return gone("it sent another part than it was asked for".into());
            }
            let length = plain()?;
            Head::Bytes { skip: 0, length, keep: keep && length.is_some() }
        }
        200 => Head::Bytes { skip: start, length: plain()?, keep: false },
        301 | 302 | 303 | 307 | 308 => match header("location") {
            Some(location) => Head::Moved(location.to_owned()),
            None => return gone("it redirects to nowhere".into()),
        },
        416 => return Err(RangeError::NotThere),
        429 | 503 => {
            let seconds = header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
            let retry_after =
                seconds.map_or(RETRY, |seconds| Duration::from_secs(seconds.clamp(1, MAX_RETRY)));
            return Err(RangeError::Busy { retry_after, position: None });
        }
        status @ (400..=407 | 409..=428 | 430..=499) => {
            return gone(format!("it answered with HTTP status {status}"));
        }
        status => return Err(RangeError::Broken(format!("it answered with HTTP status {status}"))),
    };
    Ok(Some((used, head)))
}

/// Of `bytes 5-9/100` the 5.
fn first_byte(range: &str) -> Option<u64> {
    range.strip_prefix("bytes")?.trim_start_matches([' ', '=']).split('-').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, start: u64) -> Result<Head, RangeError> {
        Ok(parse(text.as_bytes(), start)?.unwrap().1)
    }

    #[test]
    fn a_part_is_taken_only_if_it_is_the_one_asked_for() {
        let part =
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/100\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(of(part, 5), Ok(Head::Bytes { skip: 0, length: Some(5), keep: true }));
        assert!(matches!(of(part, 6), Err(RangeError::Gone(_))));
        let whole = "HTTP/1.0 200 OK\r\n\r\n";
        assert_eq!(of(whole, 7), Ok(Head::Bytes { skip: 7, length: None, keep: false }));
        assert_eq!(parse(&whole.as_bytes()[..10], 0), Ok(None));
    }

    #[test]
    fn what_a_server_refuses_is_told_apart_by_whether_to_ask_again() {
        let busy = of("HTTP/1.1 503 Busy\r\nRetry-After: 9\r\n\r\n", 0);
        assert_eq!(busy, Err(RangeError::Busy { retry_after: Duration::from_secs(9), position: None }));
        assert!(matches!(of("HTTP/1.1 404 Not Found\r\n\r\n", 0), Err(RangeError::Gone(_))));
        assert!(matches!(of("HTTP/1.1 500 Oops\r\n\r\n", 0), Err(RangeError::Broken(_))));
        assert!(matches!(of("HTTP/1.1 416 Range\r\n\r\n", 0), Err(RangeError::NotThere)));
        assert!(matches!(of("SSH-2.0-OpenSSH\r\n\r\n", 0), Err(RangeError::Gone(_))));
        let packed = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
        assert!(matches!(of(packed, 0), Err(RangeError::Gone(_))));
    }
}
