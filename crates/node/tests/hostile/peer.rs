//! The scripted peer: speaks the protocol as far as its script wants, over a blocking socket.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::peer::{self, Block, HANDSHAKE_LEN, Handshake, Limits, Message, Reserved};

/// Nothing may keep a script waiting longer.
const PATIENCE: Duration = Duration::from_secs(100);
/// The fast extension, so that requests are refused by name (BEP 6).
const FEATURES: Reserved = Reserved::FAST;

/// One connection of a scripted peer, past the handshakes.
pub(crate) struct Scripted {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Scripted {
    /// Takes one call, and lets `listener` refuse all later ones.
    pub(crate) fn answer(listener: TcpListener) -> Scripted {
        let mut scripted = Scripted::over(listener.accept().unwrap().0);
        let theirs = scripted.handshake();
        scripted.greet(theirs.info_hash);
        scripted
    }

    /// Calls somebody.
    pub(crate) fn call(address: &str, info_hash: InfoHash) -> Scripted {
        let mut scripted = Scripted::over(TcpStream::connect(address).unwrap());
        scripted.greet(info_hash);
        scripted.handshake();
        scripted
    }

    fn over(stream: TcpStream) -> Scripted {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Scripted { stream, unread: Vec::new() }
    }

    fn greet(&mut self, info_hash: InfoHash) {
        // Two with one id count as one peer.
        let mut peer_id = *b"-XX0001-hostile-0000";
        peer_id[18..].copy_from_slice(&self.stream.local_addr().unwrap().port().to_be_bytes());
        let handshake = Handshake { reserved: FEATURES, info_hash, peer_id: PeerId(peer_id) };
        assert!(self.write(&handshake.encode()), "nobody waited for a handshake");
    }

    fn handshake(&mut self) -> Handshake {
        let mut bytes = [0; HANDSHAKE_LEN];
        self.stream.read_exact(&mut bytes).unwrap();
        Handshake::decode(&bytes).unwrap().unwrap()
    }

    /// Sends bytes as they are; false once the other side has closed.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        match self.stream.write_all(bytes) {
            Ok(()) => true,
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::WouldBlock, "the other side neither reads nor closes");
                false
            }
        }
    }

    /// Sends messages at once; false once the other side has closed.
    pub(crate) fn say(&mut self, messages: &[Message<'_>]) -> bool {
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| peer::encode(message, &mut bytes));
        self.write(&bytes)
    }

    /// Answers a request with `data`, changed by `change` on its way.
    pub(crate) fn send(&mut self, block: Block, mut data: Vec<u8>, change: impl FnOnce(&mut [u8])) -> bool {
        change(&mut data);
        self.say(&[Message::Piece { piece: block.piece, begin: block.begin, data: &data }])
    }

    /// Reads until `wanted` likes a message; `None` once the other side has closed.
    pub(crate) fn hear<T>(&mut self, mut wanted: impl FnMut(Message<'_>) -> Option<T>) -> Option<T> {
        loop {
            while let Some((message, length)) = peer::decode_frame(&self.unread, &Limits::default()).unwrap()
            {
                let found = wanted(message);
                self.unread.drain(..length);
                if found.is_some() {
                    return found;
                }
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.unread.extend_from_slice(&bytes[..count]),
                Err(error) => {
                    assert_ne!(error.kind(), ErrorKind::WouldBlock, "the other side says nothing");
                    return None;
                }
            }
        }
    }

    /// The next block asked for.
    pub(crate) fn request(&mut self) -> Option<Block> {
        self.hear(|message| match message {
            Message::Request(block) => Some(block),
            _ => None,
        })
    }

    /// Reads and forgets until the other side closes.
    pub(crate) fn wait_for_close(&mut self) {
        self.hear(|_| None::<()>);
    }
}
