//! HTTP/1.x as much as a tracker needs: the head of a GET in, a response with a length out.

use httparse::{EMPTY_HEADER, Request, Status};

/// Most bytes of a request's head; announces have less than 1 KiB.
pub(super) const HEAD_MAX: usize = 8 << 10;
/// Most header lines; browsers send about 20.
const HEADERS_MAX: usize = 64;

/// A request's head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// Path and query.
    pub(super) target: &'a str,
    /// Whether the body is left out of the answer.
    pub(super) is_head: bool,
    /// Whether the connection stays open.
    pub(super) keep_alive: bool,
    /// Bytes of the head.
    pub(super) len: usize,
}

/// Why a request is refused; the connection is closed after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400: no HTTP, or with a body.
    Bad,
    /// 405: neither GET nor HEAD.
    Method,
    /// 431: over [`HEAD_MAX`] bytes or [`HEADERS_MAX`] lines.
    TooLarge,
}

impl Refusal {
    /// The status line's end.
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Bad => "400 Bad Request",
            Self::Method => "405 Method Not Allowed",
            Self::TooLarge => "431 Request Header Fields Too Large",
        }
    }
}

/// Reads a head; `None` if more bytes are needed.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Head<'_>>, Refusal> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) if bytes.len() >= HEAD_MAX => return Err(Refusal::TooLarge),
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooLarge),
        Err(_) => return Err(Refusal::Bad),
    };
    let is_head = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Err(Refusal::Method),
    };
    // Since 1.1 connections stay open unless said otherwise.
    let mut keep_alive = request.version == Some(1);
    for header in request.headers.iter() {
        let value = header.value.trim_ascii();
        if header.name.eq_ignore_ascii_case("connection") {
            keep_alive = connection(value).unwrap_or(keep_alive);
        }
        // A body would be taken for the next request.
        let sized = header.name.eq_ignore_ascii_case("content-length") && value != b"0";
        if sized || header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Refusal::Bad);
        }
    }
    let target = request.path.ok_or(Refusal::Bad)?;
    Ok(Some(Head { target: origin_form(target), is_head, keep_alive, len }))
}

fn connection(value: &[u8]) -> Option<bool> {
    value.split(|byte| *byte == b',').find_map(|word| match word.trim_ascii() {
        word if word.eq_ignore_ascii_case(b"close") => Some(false),
        word if word.eq_ignore_ascii_case(b"keep-alive") => Some(true),
        _ => None,
    })
}

/// Proxies send `http://host/path`.
fn origin_form(target: &str) -> &str {
    let rest = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
    rest.map_or(target, |rest| rest.find('/').map_or("/", |slash| &rest[slash..]))
}

/// Appends a response; without a body for HEAD, but with its length.
pub(super) fn respond(status: &str, kind: &str, body: &[u8], head: Option<&Head<'_>>, out: &mut Vec<u8>) {
    let keep_alive = head.is_some_and(|head| head.keep_alive);
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let lines = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
        body.len()
    );
    out.extend_from_slice(lines.as_bytes());
    if !head.is_some_and(|head| head.is_head) {
        out.extend_from_slice(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = b"GET /announce?a=%00 HTTP/1.1\r\nHost: t\r\n\r\nGET /next";
        assert!((0..41).all(|cut| parse(&text[..cut]) == Ok(None)));
        let head = parse(text).unwrap().unwrap();
        assert_eq!(
            (head.target, head.keep_alive, &text[head.len..]),
            ("/announce?a=%00", true, &b"GET /next"[..])
        );
    }

    #[test]
    fn connections_stay_open_as_the_version_and_the_header_have_it() {
        let keep = |text: &str| parse(text.as_bytes()).unwrap().unwrap().keep_alive;
        assert!(!keep("GET / HTTP/1.0\r\n\r\n"));
        assert!(keep("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
        assert!(!keep("GET / HTTP/1.1\r\nconnection: foo, close\r\n\r\n"));
    }

    #[test]
    fn what_is_no_plain_get_is_refused() {
        let refusal = |text: &str| parse(text.as_bytes()).unwrap_err();
        assert_eq!(refusal("POST / HTTP/1.1\r\n\r\n"), Refusal::Method);
        assert_eq!(refusal("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"), Refusal::Bad);
        assert_eq!(refusal("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), Refusal::Bad);
        assert_eq!(refusal("\x13BitTorrent protocol\0\0\0\0"), Refusal::Bad);
        assert_eq!(refusal(&format!("GET /{}", "a".repeat(HEAD_MAX))), Refusal::TooLarge);
        assert_eq!(refusal(&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65))), Refusal::TooLarge);
    }

    #[test]
    fn a_proxys_target_is_understood_and_a_head_request_gets_no_body() {
        let text = b"HEAD http://t:80/announce?x HTTP/1.1\r\n\r\n";
        let head = parse(text).unwrap().unwrap();
        assert_eq!(head.target, "/announce?x");
        let mut out = Vec::new();
        respond("200 OK", "text/plain", b"body", Some(&head), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("Content-Length: 4\r\n") && text.ends_with("\r\n\r\n"));
    }
}
