//! HTTP/1.1 responses as trackers give them, read from what has arrived so far (RFC 9112, 6).

#[cfg(test)]
use throng_wire::tracker::http::BODY_MAX;

/// Bytes of status line and headers we take.
const HEAD_MAX: usize = 16 << 10;
/// Headers we take.
const HEADERS_MAX: usize = 64;

/// A whole response.
#[derive(Debug, PartialEq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) is_html: bool,
    pub(super) body: Vec<u8>,
}

/// Why bytes are no response, in words that follow "tracker: ".
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub(super) enum ResponseError {
    #[error("the answer is not HTTP")]
    NotHttp,
    #[error("the answer is larger than allowed")]
    TooLarge,
    #[error("the connection ended before the answer did")]
    Cut,
    #[error("the answer is compressed, though we did not ask for that")]
    Compressed,
}

/// How the end of a body is known.
enum Framing {
    Length(usize),
    Chunked,
    UntilEnd,
}

/// The response of a tracker in `bytes`, or `None` if more has to come; `ended` says that nothing more will.
#[cfg(test)]
pub(super) fn parse(bytes: &[u8], ended: bool) -> Result<Option<Response>, ResponseError> {
    parse_up_to(bytes, ended, BODY_MAX)
}

/// The response in `bytes` with a body of at most `most`, or `None` if more has to come; `ended` says that nothing more
/// will.
pub(super) fn parse_up_to(bytes: &[u8], ended: bool, most: usize) -> Result<Option<Response>, ResponseError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let start = match head.parse(bytes) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) if ended => return Err(ResponseError::Cut),
        Ok(httparse::Status::Partial) if bytes.len() > HEAD_MAX => return Err(ResponseError::TooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ResponseError::NotHttp),
    };
    let header = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    if header("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(ResponseError::Compressed);
    }
    let framing = if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        Framing::Chunked
    } else if let Some(length) = header("content-length") {
        Framing::Length(length.parse().map_err(|_| ResponseError::NotHttp)?)
    } else {
        Framing::UntilEnd
    };
    let Some(body) = body(&bytes[start..], framing, ended, most)? else { return Ok(None) };
    let text = body.trim_ascii_start();
    let is_html = header("content-type")
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
        && !text.starts_with(b"d")
        || text.starts_with(b"<");
    let location = header("location").map(str::to_owned);
    Ok(Some(Response { status: head.code.unwrap_or_default(), location, is_html, body }))
}

fn body(bytes: &[u8], framing: Framing, ended: bool, most: usize) -> Result<Option<Vec<u8>>, ResponseError> {
    let body = match framing {
        Framing::Length(length) if length > most => return Err(ResponseError::TooLarge),
        Framing::Length(length) => bytes.get(..length).map(<[u8]>::to_vec),
        Framing::Chunked => dechunk(bytes, most)?,
        Framing::UntilEnd if bytes.len() > most => return Err(ResponseError::TooLarge),
        Framing::UntilEnd => ended.then(|| bytes.to_vec()),
    };
    if body.is_none() && ended {
        return Err(ResponseError::Cut);
    }
    Ok(body)
}

/// Joins chunks (RFC 9112, 7.1); `None` if the last has not come. Trailers are not looked at.
fn dechunk(mut bytes: &[u8], most: usize) -> Result<Option<Vec<u8>>, ResponseError> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete(parsed)) => parsed,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(ResponseError::NotHttp),
        };
        if size == 0 {
            return Ok(Some(body));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > most - body.len() {
            return Err(ResponseError::TooLarge);
        }
        let rest = &bytes[start..];
        let Some((chunk, rest)) = rest.split_at_checked(size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        bytes = match rest {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(ResponseError::NotHttp),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(text: &str, ended: bool) -> Result<Option<Vec<u8>>, ResponseError> {
        parse(text.as_bytes(), ended).map(|response| response.map(|response| response.body))
    }

    #[test]
    fn bodies_end_by_length_by_chunk_or_with_the_connection() {
        let whole = Ok(Some(b"d1:ai1ee".to_vec()));
        assert_eq!(body_of("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nd1:ai1ee", false), whole);
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nd1:\r\n5\r\nai1ee\r\n0\r\n\r\n";
        assert_eq!(body_of(chunked, false), whole);
        for cut in 0..chunked.len() - 4 {
            assert_eq!(body_of(&chunked[..cut], false), Ok(None), "{cut}");
            assert_eq!(body_of(&chunked[..cut], true), Err(ResponseError::Cut), "{cut}");
        }
        assert_eq!(body_of("HTTP/1.0 200 OK\r\n\r\nd1:ai1ee", false), Ok(None));
        assert_eq!(body_of("HTTP/1.0 200 OK\r\n\r\nd1:ai1ee", true), whole);
    }

    #[test]
    fn sizes_are_refused_before_they_arrive() {
        let large = |head: &str| body_of(&format!("HTTP/1.1 200 OK\r\n{head}"), false);
        assert_eq!(large("Content-Length: 999999999\r\n\r\n"), Err(ResponseError::TooLarge));
        assert_eq!(large("Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n"), Err(ResponseError::TooLarge));
        assert_eq!(large(&"X: y\r\n".repeat(60).repeat(60)), Err(ResponseError::NotHttp));
        assert_eq!(large(&format!("X: {}", "y".repeat(HEAD_MAX))), Err(ResponseError::TooLarge));
    }

    #[test]
    fn a_web_page_is_known_as_one() {
        let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
        assert!(parse(page.as_bytes(), false).unwrap().unwrap().is_html);
        let plain = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nde";
        assert!(!parse(plain.as_bytes(), false).unwrap().unwrap().is_html);
    }

    #[test]
    fn what_is_not_http_is_said_to_be_so() {
        assert_eq!(body_of("SSH-2.0-OpenSSH\r\n", false), Err(ResponseError::NotHttp));
        assert_eq!(body_of("", true), Err(ResponseError::Cut));
    }
}
