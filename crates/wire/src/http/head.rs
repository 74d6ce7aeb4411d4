//! The first line and the header lines of requests and replies (section 11 of the Gnutella note, 8 of FastTrack's).

use crate::gnutella::Headers;
use std::fmt::Write as _;

/// Bytes of a head at most, its empty line included.
pub const MAX_HEAD: usize = 16 << 10;
/// Lines of a head at most.
const MAX_LINES: usize = 128;

/// Why bytes are no head.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HttpError {
    /// Longer than 16 KiB or 128 lines.
    #[error("the head is longer than 16 KiB or 128 lines")]
    TooLong,
    /// Its first line is no request or status of HTTP/1.
    #[error("this is not HTTP/1")]
    NotHttp,
    /// A header line without a colon, or lengths that contradict each other.
    #[error("a header is malformed")]
    Malformed,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// The head and the bytes.
    Get,
    /// The head alone.
    Head,
    /// Anything else: refused.
    Other,
}

/// A request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// The path as it came, escapes and all.
    pub path: String,
    /// HTTP/1.0 (0) or HTTP/1.1 (1).
    pub minor: u8,
    /// Header lines.
    pub headers: Headers,
}

/// The head of a reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// HTTP/1.0 (0) or HTTP/1.1 (1).
    pub minor: u8,
    /// The status.
    pub code: u16,
    /// The same in words.
    pub text: String,
    /// Header lines.
    pub headers: Headers,
}

impl Request {
    /// A `GET` of HTTP/1.1 without headers.
    pub fn get(path: impl std::fmt::Display) -> Request {
        Request { method: Method::Get, path: path.to_string(), minor: 1, headers: Headers::default() }
    }

    /// Reads the request at the start of bytes, and how many bytes it took; `None` if more must come.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, HttpError> {
        let Some((text, end)) = whole_head(bytes)? else { return Ok(None) };
        let (line, headers) = split_head(&text)?;
        // mldonkey leaves spaces in paths: the version is what follows the last one.
        let (head, version) = line.rsplit_once(' ').ok_or(HttpError::NotHttp)?;
        let minor = minor_of(version)?;
        let (method, path) = head.split_once(' ').ok_or(HttpError::NotHttp)?;
        let method = match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            other if other.bytes().all(|byte| byte.is_ascii_uppercase()) => Method::Other,
            _ => return Err(HttpError::NotHttp),
        };
        Ok(Some((Request { method, path: path.trim().to_owned(), minor, headers }, end)))
    }

    /// Appends the request.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let method = if self.method == Method::Head { "HEAD" } else { "GET" };
        let clean: String = self.path.chars().filter(|letter| !letter.is_control()).collect();
        put(format!("{method} {clean} HTTP/1.{}", self.minor), &self.headers, out);
    }

    /// Whether the connection is to be kept for another request.
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(self.minor, &self.headers)
    }

    /// Whether a body follows, which nobody has a reason to send.
    pub fn has_body(&self) -> bool {
        self.headers.find("Transfer-Encoding").is_some()
            || self.headers.find("Content-Length").is_some_and(|length| length.trim() != "0")
    }
}

impl Reply {
    /// A reply of HTTP/1.1 without headers.
    pub fn new(code: u16, text: &str) -> Reply {
        Reply { minor: 1, code, text: text.to_owned(), headers: Headers::default() }
    }

    /// Reads the head at the start of bytes, and how many bytes it took; `None` if more must come.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, HttpError> {
        let Some((text, end)) = whole_head(bytes)? else { return Ok(None) };
        let (line, headers) = split_head(&text)?;
        let (version, status) = line.split_once(' ').ok_or(HttpError::NotHttp)?;
        let minor = minor_of(version)?;
        let (code, text) = status.trim_start().split_once(' ').unwrap_or((status.trim(), ""));
        let code = code.parse().ok().filter(|code| (100..1_000).contains(code)).ok_or(HttpError::NotHttp)?;
        Ok(Some((Reply { minor, code, text: text.trim().to_owned(), headers }, end)))
    }

    /// Appends the head.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let clean: String = self.text.chars().filter(|letter| !letter.is_control()).collect();
        put(format!("HTTP/1.{} {} {clean}", self.minor, self.code), &self.headers, out);
    }

    /// Whether the connection is kept after this reply.
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(self.minor, &self.headers)
    }

    /// The length of the body, if it is told; lines that contradict each other are an error.
    pub fn content_length(&self) -> Result<Option<u64>, HttpError> {
        let lines = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
        let mut length = None;
        for (_, value) in lines {
            let told = value.trim().parse().map_err(|_| HttpError::Malformed)?;
            if length.replace(told).is_some_and(|before| before != told) {
                return Err(HttpError::Malformed);
            }
        }
        Ok(length)
    }

    /// Whether the body comes in chunks.
    pub fn is_chunked(&self) -> bool {
        self.headers.lists("Transfer-Encoding", "chunked")
    }

    /// Seconds to wait before asking again.
    pub fn retry_after(&self) -> Option<u32> {
        self.headers.find("Retry-After")?.trim().parse().ok()
    }
}

fn keeps_alive(minor: u8, headers: &Headers) -> bool {
    let says = |word: &str| {
        let mut lines = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Connection"));
        lines.any(|(_, value)| value.split(',').any(|item| item.trim().eq_ignore_ascii_case(word)))
    };
    if minor == 0 { says("keep-alive") } else { !says("close") }
}

fn minor_of(version: &str) -> Result<u8, HttpError> {
    match version.trim() {
        "HTTP/1.0" => Ok(0),
        "HTTP/1.1" => Ok(1),
        _ => Err(HttpError::NotHttp),
    }
}

fn put(line: String, headers: &Headers, out: &mut Vec<u8>) {
    let mut text = line;
    text.push_str("\r\n");
    for (name, value) in headers.iter() {
        // Writing to a String can't fail.
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    out.extend_from_slice(text.as_bytes());
}

/// The head as text, and where it ends; line ends before it are passed over.
fn whole_head(bytes: &[u8]) -> Result<Option<(String, usize)>, HttpError> {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let (mut start, mut lines) = (blank, 0);
    loop {
        let window = bytes.get(start..).unwrap_or_default();
        let Some(length) = window.iter().take(MAX_HEAD).position(|byte| *byte == b'\n') else {
            let long = bytes.len() - blank >= MAX_HEAD || blank >= MAX_HEAD;
            return if long { Err(HttpError::TooLong) } else { Ok(None) };
        };
        let line = &window[..=length];
        start += length + 1;
        lines += 1;
        if lines > MAX_LINES || start - blank > MAX_HEAD {
            return Err(HttpError::TooLong);
        }
        if matches!(line, b"\n" | b"\r\n") {
            return Ok(Some((String::from_utf8_lossy(&bytes[blank..start]).into_owned(), start)));
        }
    }
}

/// The first line and the header lines of a whole head.
fn split_head(text: &str) -> Result<(&str, Headers), HttpError> {
    let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    let line = lines.next().unwrap_or_default();
    Ok((line.trim_end(), Headers::parse(lines).map_err(|_| HttpError::Malformed)?))
}
