//! One FastTrack connection behind its hellos: both keystreams, both framings, and input that is no whole frame yet.
//!
//! Invariant: no more than one message of [`MAX_MESSAGE`] waits, whatever a header says.

use throng_wire::fasttrack::{CLIENT_SEED, ClientHello};
use throng_wire::fasttrack::{
    Cipher, Error, Frame, Framing, Message, NETWORK_NAME, SERVER_SEED, ServerHello,
};

/// Bytes of a message that an ordinary node or its supernode may send. A share with all tags is below 4 KiB; a reply
/// is written below this by us and may be longer from others, see [`MAX_REPLY`].
pub(super) const MAX_MESSAGE: usize = 16 << 10;
/// Bytes of a message that a supernode may send to its node: any.
pub(super) const MAX_REPLY: usize = throng_wire::fasttrack::MAX_BODY;
/// Bytes of a network's name at most, its end included.
const MAX_NAME: usize = 32;
/// Lead byte and header of a message.
pub(super) const HEAD: usize = 5;

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Channel {
    hears: Cipher,
    says: Cipher,
    reader: Framing,
    writer: Framing,
    input: Vec<u8>,
    /// The longest message that is listened to.
    limit: u16,
}

impl Channel {
    /// The supernode's side, once the node's hello came.
    pub(super) fn accept(hello: &ClientHello) -> Channel {
        Channel::new(hello.seed ^ SERVER_SEED, SERVER_SEED, MAX_MESSAGE)
    }

    /// The node's side, once the supernode's hello came.
    pub(super) fn call(hello: &ServerHello) -> Channel {
        Channel::new(hello.seed, CLIENT_SEED ^ hello.seed, MAX_REPLY)
    }

    fn new(hears: u32, says: u32, limit: usize) -> Channel {
        Channel {
            hears: Cipher::new(hears),
            says: Cipher::new(says),
            reader: Framing::default(),
            writer: Framing::default(),
            input: Vec::new(),
            limit: limit as u16,
        }
    }

    /// Takes enciphered bytes.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        let from = self.input.len();
        self.input.extend_from_slice(bytes);
        self.hears.apply(&mut self.input[from..]);
    }

    /// The network's name once all of it is there, without its zero byte.
    pub(super) fn take_name(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match self.input.iter().take(MAX_NAME).position(|byte| *byte == 0) {
            Some(end) => {
                let name = self.input[..end].to_vec();
                self.input.drain(..=end);
                Ok(Some(name))
            }
            None if self.input.len() >= MAX_NAME => Err(Error::Length),
            None => Ok(None),
        }
    }

    /// Takes all input away to be read by [`Channel::split`]; what is left comes back by [`Channel::keep`].
    pub(super) fn take_input(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.input)
    }

    /// The frame at the start of input taken away.
    pub(super) fn split<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Frame<'a>, usize)>, Error> {
        let frame = self.reader.decode(bytes)?;
        match &frame {
            Some((Frame::Message(_, body), _)) if body.len() > usize::from(self.limit) => Err(Error::Length),
            None if bytes.len() > HEAD + usize::from(self.limit) => Err(Error::Length),
            _ => Ok(frame),
        }
    }

    /// Gives back what was no whole frame.
    pub(super) fn keep(&mut self, mut input: Vec<u8>, from: usize) {
        input.drain(..from);
        // Nothing waits as a rule: then nothing is held.
        self.input = if input.is_empty() { Vec::new() } else { input };
    }

    /// Appends the network's name, enciphered.
    pub(super) fn put_name(&mut self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(NETWORK_NAME);
        out.push(0);
        self.says.apply(&mut out[from..]);
    }

    /// Appends a message, enciphered; `false`, and nothing appended, if it is too long.
    pub(super) fn put(&mut self, message: &Message<'_>, out: &mut Vec<u8>) -> bool {
        let mut body = Vec::new();
        message.put(&mut body);
        let from = out.len();
        let written = self.writer.encode(message.kind(), &body, out);
        self.says.apply(&mut out[from..]);
        written
    }

    /// Appends a ping, enciphered.
    pub(super) fn put_ping(&mut self, out: &mut Vec<u8>) {
        let from = out.len();
        Framing::ping(out);
        self.says.apply(&mut out[from..]);
    }

    /// Appends a pong, enciphered.
    pub(super) fn put_pong(&mut self, out: &mut Vec<u8>) {
        let from = out.len();
        Framing::pong(out);
        self.says.apply(&mut out[from..]);
    }
}
