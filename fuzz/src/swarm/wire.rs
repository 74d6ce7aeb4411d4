//! What crosses a stream, as an independent reader sees it: which bytes sent to the machine are file data, and what
//! the machine asked for.

use throng_wire::peer::{Block, HANDSHAKE_LEN, HashRequest, Limits, Message, MetadataMessage, decode_frame};

/// A run of file data within one input.
#[derive(Debug)]
pub struct Run {
    pub at: u32,
    pub len: u32,
    pub piece: u32,
    pub begin: u32,
}

/// Follows the bytes sent to the machine.
#[derive(Default)]
pub struct Inbound {
    handshake: usize,
    head: Vec<u8>,
    skip: u32,
    data: Option<Run>,
}

impl Inbound {
    /// The runs of file data in the next `count` bytes; `None` for bytes whose content stays with the driver.
    pub fn take(&mut self, bytes: Option<&[u8]>, count: u32) -> Vec<Run> {
        let (mut at, mut runs) = (0, Vec::new());
        while at < count {
            if let Some(data) = &mut self.data {
                let len = data.len.min(count - at);
                runs.push(Run { at, len, piece: data.piece, begin: data.begin });
                (data.begin, data.len) = (data.begin.wrapping_add(len), data.len - len);
                at += len;
                if data.len == 0 {
                    self.data = None;
                }
                continue;
            }
            let Some(bytes) = bytes else { break };
            if self.handshake < HANDSHAKE_LEN {
                self.handshake += 1;
            } else if self.skip > 0 {
                self.skip -= 1;
            } else {
                self.head.push(bytes[at as usize]);
                self.on_head();
            }
            at += 1;
        }
        runs
    }

    fn on_head(&mut self) {
        let word =
            |at: usize| self.head.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let Some(length) = word(0) else { return };
        match (length, self.head.get(4), word(5), word(9)) {
            (0, ..) => self.head.clear(),
            (9.., Some(7), Some(piece), Some(begin)) => {
                self.data = Some(Run { at: 0, len: length - 9, piece, begin }).filter(|run| run.len > 0);
                self.head.clear();
            }
            (_, Some(id), ..) if *id != 7 || length < 9 => {
                self.skip = length - 1;
                self.head.clear();
            }
            _ => {}
        }
    }

    /// Whether a message or the handshake is cut right now: what is sent next would be read as its rest.
    pub fn is_between(&self) -> bool {
        self.head.is_empty() && self.skip == 0 && self.data.is_none()
    }

    /// Whether the handshake was sent.
    pub fn has_greeted(&self) -> bool {
        self.handshake == HANDSHAKE_LEN
    }
}

/// Reads what the machine writes; all of it must be well-formed.
#[derive(Default)]
pub struct Outbound {
    bytes: Vec<u8>,
    greeted: bool,
    /// Requests not answered nor cancelled.
    pub requests: Vec<Block>,
    /// Everything ever asked for.
    pub asked: Vec<Block>,
    pub hashes: Vec<HashRequest>,
    pub metadata: Vec<u32>,
}

impl Outbound {
    /// Takes written bytes that are no file data.
    pub fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if !self.greeted {
            if self.bytes.len() < HANDSHAKE_LEN {
                return;
            }
            self.bytes.drain(..HANDSHAKE_LEN);
            self.greeted = true;
        }
        let bytes = std::mem::take(&mut self.bytes);
        let mut rest = &bytes[..];
        while let Some((message, consumed)) =
            decode_frame(rest, &Limits::default()).expect("the machine writes well")
        {
            self.on_message(&message);
            rest = &rest[consumed..];
        }
        assert!(rest.is_empty(), "a message is written whole");
    }

    fn on_message(&mut self, message: &Message<'_>) {
        match *message {
            Message::Request(block) => {
                self.requests.push(block);
                self.asked.push(block);
            }
            Message::Cancel(block) => self.requests.retain(|asked| *asked != block),
            Message::HashRequest(request) => {
                assert_eq!(request.validate(), Ok(()));
                self.hashes.push(request);
            }
            Message::Extended { id: 1.., payload } => {
                if let Ok(MetadataMessage::Request { piece }) = MetadataMessage::decode(payload) {
                    self.metadata.push(piece);
                }
            }
            _ => {}
        }
    }
}
