//! The three blocks of text a link begins with (section 2).

use std::fmt::Write as _;

/// Bytes of a block at most.
pub const MAX_BLOCK: usize = 16 << 10;
/// Lines of a block at most.
const MAX_LINES: usize = 128;
/// Bytes of a line at most.
const MAX_LINE: usize = 1_024;

/// What is wrong with a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HandshakeError {
    /// Longer than 16 KiB, 128 lines or 1 KiB a line: answered 413.
    #[error("the handshake is too long")]
    TooLong,
    /// Its first line is none that begins a block.
    #[error("this is no Gnutella handshake")]
    NotGnutella,
    /// A header line without a colon, or bytes that are no text.
    #[error("a line of the handshake is malformed")]
    Malformed,
}

/// Header lines, names compared without regard to case, in the order they came.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of the first line of that name.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a line of that name says `true`.
    pub fn is_true(&self, name: &str) -> Option<bool> {
        self.find(name).map(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// Whether one of the comma-separated values of a line is this.
    pub fn lists(&self, name: &str, value: &str) -> bool {
        self.find(name).is_some_and(|all| all.split(',').any(|item| item.trim().eq_ignore_ascii_case(value)))
    }

    /// Adds a line; line ends within it are left out, so that nothing can be smuggled in.
    pub fn push(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Headers {
        let clean = |text: String| text.chars().filter(|letter| !letter.is_control()).collect();
        self.0.push((clean(name.to_owned()), clean(value.to_string())));
        self
    }

    /// All lines.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reads lines up to the empty one; continuation lines begin with a blank or tab.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Headers, HandshakeError> {
        let mut headers = Headers::default();
        for line in lines.take_while(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                let last = headers.0.last_mut().ok_or(HandshakeError::Malformed)?;
                last.1.push(' ');
                last.1.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(HandshakeError::Malformed)?;
            headers.0.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(headers)
    }
}

/// What a block is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Handshake {
    /// `GNUTELLA CONNECT/0.6`: a new link.
    Connect,
    /// `GNUTELLA CONNECT/0.4`: the old way, without headers.
    ConnectOld,
    /// `GNUTELLA OK`: accepted the old way.
    AcceptOld,
    /// `GNUTELLA/0.6 code text`: accepted or refused.
    Status {
        /// 200, or why not.
        code: u16,
        /// The same in words.
        text: String,
    },
}

/// One block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Its first line.
    pub line: Handshake,
    /// Its headers.
    pub headers: Headers,
}

impl Block {
    /// A block of that kind without headers.
    pub fn new(line: Handshake) -> Block {
        Block { line, headers: Headers::default() }
    }

    /// A status.
    pub fn status(code: u16, text: &str) -> Block {
        Block::new(Handshake::Status { code, text: text.to_owned() })
    }

    /// Reads the block at the start of bytes, and how many bytes it took; `None` if more must come.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Block, usize)>, HandshakeError> {
        let Some(end) = end_of(bytes)? else { return Ok(None) };
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| HandshakeError::Malformed)?;
        let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        let line = Handshake::parse(lines.next().unwrap_or_default())?;
        Ok(Some((Block { line, headers: Headers::parse(lines)? }, end)))
    }

    /// The block as text.
    pub fn encode(&self) -> String {
        let mut text = match &self.line {
            Handshake::Connect => "GNUTELLA CONNECT/0.6\r\n".to_owned(),
            Handshake::ConnectOld => return "GNUTELLA CONNECT/0.4\n\n".to_owned(),
            Handshake::AcceptOld => return "GNUTELLA OK\n\n".to_owned(),
            Handshake::Status { code, text } => format!("GNUTELLA/0.6 {code} {text}\r\n"),
        };
        for (name, value) in self.headers.iter() {
            // Writing to a String can't fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        text
    }
}

/// Where the empty line ends.
fn end_of(bytes: &[u8]) -> Result<Option<usize>, HandshakeError> {
    let mut start = 0;
    for line in 0.. {
        let Some(length) = bytes[start..].iter().take(MAX_LINE + 2).position(|byte| *byte == b'\n') else {
            let long = bytes.len() - start > MAX_LINE || line >= MAX_LINES || bytes.len() > MAX_BLOCK;
            return if long { Err(HandshakeError::TooLong) } else { Ok(None) };
        };
        let end = start + length + 1;
        if line >= MAX_LINES || end > MAX_BLOCK {
            return Err(HandshakeError::TooLong);
        }
        if matches!(&bytes[start..end], b"\n" | b"\r\n") {
            return Ok(Some(end));
        }
        start = end;
    }
    Ok(None)
}

/// The first line of bytes, without its end, if it is there and not too long.
pub fn first_line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n')?;
    Some(bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]))
}

impl Handshake {
    fn parse(line: &str) -> Result<Handshake, HandshakeError> {
        let line = line.trim_end();
        match line {
            "GNUTELLA CONNECT/0.4" => return Ok(Handshake::ConnectOld),
            "GNUTELLA OK" => return Ok(Handshake::AcceptOld),
            _ => {}
        }
        if let Some(version) = line.strip_prefix("GNUTELLA CONNECT/") {
            // Any 0.x above 0.4 is answered as 0.6, the only one there is.
            let known = version
                .strip_prefix("0.")
                .and_then(|minor| minor.parse::<u8>().ok())
                .is_some_and(|minor| minor >= 6);
            return if known { Ok(Handshake::Connect) } else { Err(HandshakeError::NotGnutella) };
        }
        let status = line.strip_prefix("GNUTELLA/0.6 ").ok_or(HandshakeError::NotGnutella)?;
        let (code, text) = status.split_once(' ').unwrap_or((status, ""));
        let code =
            code.parse().ok().filter(|code| (100..1_000).contains(code)).ok_or(HandshakeError::Malformed)?;
        Ok(Handshake::Status { code, text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_block_is_read_at_every_cut_and_leaves_what_follows() {
        let mut block = Block::new(Handshake::Connect);
        block.headers.push("X-Ultrapeer", "False").push("Accept-Encoding", "deflate, gzip");
        let text = block.encode();
        for end in 0..text.len() {
            assert_eq!(Block::parse(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        let with_binary = [text.as_bytes(), &[0xff, 0x00]].concat();
        let (read, used) = Block::parse(&with_binary).unwrap().unwrap();
        assert_eq!((&read, used), (&block, text.len()));
        assert_eq!(read.headers.is_true("x-ultrapeer"), Some(false));
        assert!(
            read.headers.lists("accept-encoding", "gzip") && !read.headers.lists("accept-encoding", "br")
        );
    }

    #[test]
    fn line_feeds_alone_and_continued_lines_are_taken() {
        let text = b"GNUTELLA/0.6 503 Full\nX-Try-Ultrapeers: 1.2.3.4:5,\n\t6.7.8.9:10\nBye-Packet:0.1\n\n";
        let (block, used) = Block::parse(text).unwrap().unwrap();
        assert_eq!(block.line, Handshake::Status { code: 503, text: "Full".into() });
        assert_eq!(block.headers.find("X-Try-Ultrapeers"), Some("1.2.3.4:5, 6.7.8.9:10"));
        assert_eq!((block.headers.find("bye-packet"), used), (Some("0.1"), text.len()));
        assert_eq!(Block::parse(b"GNUTELLA CONNECT/0.4\n\n").unwrap().unwrap().0.line, Handshake::ConnectOld);
    }

    #[test]
    fn handshakes_without_end_or_with_a_thousand_headers_are_refused() {
        let endless = [b"GNUTELLA CONNECT/0.6\r\nX: ".to_vec(), vec![b'a'; 2_000]].concat();
        assert_eq!(Block::parse(&endless), Err(HandshakeError::TooLong));
        let many = format!("GNUTELLA CONNECT/0.6\r\n{}", "A: b\r\n".repeat(1_000));
        assert_eq!(Block::parse(many.as_bytes()), Err(HandshakeError::TooLong));
        for broken in ["GET / HTTP/1.1\r\n\r\n", "GNUTELLA CONNECT/0.5\r\n\r\n"] {
            assert_eq!(Block::parse(broken.as_bytes()), Err(HandshakeError::NotGnutella));
        }
        for broken in [
            "GNUTELLA CONNECT/0.6\r\nno colon\r\n\r\n",
            "GNUTELLA/0.6 OK\r\n\r\n",
            "GNUTELLA CONNECT/0.6\r\n x\r\n\r\n",
        ] {
            assert_eq!(Block::parse(broken.as_bytes()), Err(HandshakeError::Malformed));
        }
    }

    #[test]
    fn a_header_cannot_smuggle_in_another() {
        let mut block = Block::status(200, "OK");
        block.headers.push("User-Agent", "a\r\nX-Ultrapeer: True");
        let (read, _) = Block::parse(block.encode().as_bytes()).unwrap().unwrap();
        assert_eq!(read.headers.iter().count(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Block::parse(&bytes);
            let _ = Block::parse(&[b"GNUTELLA CONNECT/0.6\r\n", &bytes[..]].concat());
        }
    }
}
