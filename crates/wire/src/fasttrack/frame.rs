//! Framing inside the cipher: one-byte pings and pongs, and messages whose header bytes change places.

use super::Error;

/// Bytes of a message's body at most: its length has 16 bits.
pub const MAX_BODY: usize = 65_535;
/// Where both directions' header state begins.
const START: u32 = 0x51;
const PING: u8 = 0x50;
const PONG: u8 = 0x52;
const MESSAGE: u8 = 0x4b;
/// Lead byte and header of a message.
const HEAD: usize = 5;

/// One unit of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame<'a> {
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
    /// A message: its type with flags in the high byte, and its body.
    Message(u16, &'a [u8]),
}

/// One direction's framing: which place each header byte has depends on all messages before.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    state: u32,
}

impl Default for Framing {
    fn default() -> Framing {
        Framing { state: START }
    }
}

impl Framing {
    /// Reads the frame at the start of deciphered bytes, and how many bytes it took; `None` if more must come.
    pub fn decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Frame<'a>, usize)>, Error> {
        match bytes.first() {
            None => Ok(None),
            Some(&PING) => Ok(Some((Frame::Ping, 1))),
            Some(&PONG) => Ok(Some((Frame::Pong, 1))),
            Some(&MESSAGE) => Ok(self.message(bytes)),
            Some(_) => Err(Error::OutOfStep),
        }
    }

    fn message<'a>(&mut self, bytes: &'a [u8]) -> Option<(Frame<'a>, usize)> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        let [_, b1, b2, b3, b4] = *head;
        let (kind, length) = match self.state % 3 {
            0 => ([b2, b1], [b3, b4]),
            1 => ([b1, b3], [b2, b4]),
            _ => ([b1, b4], [b3, b2]),
        };
        let (kind, length) = (u16::from_be_bytes(kind), u16::from_be_bytes(length));
        let end = HEAD + usize::from(length);
        let body = bytes.get(HEAD..end)?;
        self.advance(kind, length);
        Some((Frame::Message(kind, body), end))
    }

    /// Appends a message; `false`, and nothing appended, if its body is over [`MAX_BODY`].
    pub fn encode(&mut self, kind: u16, body: &[u8], out: &mut Vec<u8>) -> bool {
        let Ok(length) = u16::try_from(body.len()) else { return false };
        let ([kind_high, kind_low], [high, low]) = (kind.to_be_bytes(), length.to_be_bytes());
        let head = match self.state % 3 {
            0 => [kind_low, kind_high, high, low],
            1 => [kind_high, high, kind_low, low],
            _ => [kind_high, low, high, kind_low],
        };
        out.push(MESSAGE);
        out.extend_from_slice(&head);
        out.extend_from_slice(body);
        self.advance(kind, length);
        true
    }

    /// Appends a ping.
    pub fn ping(out: &mut Vec<u8>) {
        out.push(PING);
    }

    /// Appends a pong.
    pub fn pong(out: &mut Vec<u8>) {
        out.push(PONG);
    }

    fn advance(&mut self, kind: u16, length: u16) {
        self.state ^= !(u32::from(kind) + u32::from(length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_three_messages_of_a_supernode_are_framed_as_seen() {
        let (mut framing, mut out) = (Framing::default(), Vec::new());
        assert!(framing.encode(0x00, &[0; 8], &mut out));
        assert_eq!(out, [0x4b, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(framing.state, 0xffff_ffa6);
        out.clear();
        assert!(framing.encode(0x2c, &[10, 0, 0, 1], &mut out));
        assert_eq!(out, [0x4b, 0, 0, 0x2c, 4, 10, 0, 0, 1]);
        assert_eq!(framing.state, 0x69);
        out.clear();
        assert!(framing.encode(0x03, &[], &mut out));
        assert_eq!(out, [0x4b, 3, 0, 0, 0]);
    }

    #[test]
    fn a_stream_out_of_step_and_a_body_too_long_are_refused() {
        assert_eq!(Framing::default().decode(&[0x4c]), Err(Error::OutOfStep));
        let mut out = Vec::new();
        assert!(!Framing::default().encode(6, &[0; MAX_BODY + 1], &mut out));
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn any_messages_survive_whatever_the_segments(
            messages in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..300)), 1..20),
            step in 1usize..50,
        ) {
            let (mut writer, mut reader, mut stream) = (Framing::default(), Framing::default(), Vec::new());
            for (kind, body) in &messages {
                Framing::ping(&mut stream);
                prop_assert!(writer.encode(*kind, body, &mut stream));
            }
            let (mut have, mut read, mut pings) = (Vec::new(), Vec::new(), 0);
            for segment in stream.chunks(step) {
                have.extend_from_slice(segment);
                while let Some((frame, used)) = reader.decode(&have)? {
                    match frame {
                        Frame::Message(kind, body) => read.push((kind, body.to_vec())),
                        _ => pings += 1,
                    }
                    have.drain(..used);
                }
            }
            prop_assert_eq!(pings, messages.len());
            prop_assert_eq!(read, messages);
        }
    }
}
