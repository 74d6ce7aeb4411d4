//! One connection to a peer: what it has, what it owes us, what we owe it.

use crate::pieces::PieceSet;
use crate::rate::{Rate, Stamp, Window};
use crate::{Config, Event};
use std::collections::VecDeque;
use throng_machine::{Context, Endpoint, Instant, StreamId};
use throng_wire::peer::{self, Block, Message};

/// A request of ours that a peer has not answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) block: Block,
    pub(crate) stamp: Stamp,
}

/// A block whose bytes are coming in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) block: Block,
    pub(crate) got: u32,
    /// Wanted; else its bytes are discarded.
    pub(crate) wanted: bool,
    pub(crate) stamp: Option<Stamp>,
}

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// We dialled and wait.
    Connecting,
    /// Waiting for the rest of the peer's handshake.
    Handshaking,
    /// Messages flow.
    Joined,
}

/// What a peer told of its pieces before we knew how many there are.
#[derive(Clone, Default, Debug)]
pub(crate) struct EarlyPieces {
    pub(crate) bitfield: Option<Vec<u8>>,
    pub(crate) all: bool,
    pub(crate) haves: Vec<u32>,
}

/// What a peer said in its extension handshake (BEP 10).
#[derive(Clone, Default, Debug)]
pub(crate) struct Told {
    pub(crate) client: String,
    pub(crate) requests: Option<u32>,
    pub(crate) listen_port: Option<u16>,
    pub(crate) metadata_size: Option<u32>,
    pub(crate) upload_only: bool,
    /// The peer's numbers for `ut_metadata` and `ut_pex`, `lt_donthave`.
    pub(crate) metadata: Option<u8>,
    pub(crate) exchange: Option<u8>,
    pub(crate) dont_have: Option<u8>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: StreamId,
    /// The remote address; for incoming connections its port is not the one it listens on.
    pub(crate) address: Endpoint,
    pub(crate) incoming: bool,
    pub(crate) phase: Phase,
    pub(crate) id: [u8; 20],
    pub(crate) extended: bool,
    pub(crate) fast: bool,
    pub(crate) v2: bool,
    pub(crate) told: Told,

    /// Bytes of a message that is not complete.
    pub(crate) tail: Vec<u8>,
    pub(crate) arrival: Option<Arrival>,

    pub(crate) pieces: PieceSet,
    pub(crate) early: Option<Box<EarlyPieces>>,
    /// Pieces it has that we want.
    pub(crate) useful: u32,
    pub(crate) am_choking: bool,
    pub(crate) am_interested: bool,
    pub(crate) peer_choking: bool,
    pub(crate) peer_interested: bool,
    /// Optimistically unchoked.
    pub(crate) optimistic: bool,
    pub(crate) snubbed: bool,

    pub(crate) sent: VecDeque<Request>,
    pub(crate) window: Window,
    /// The piece it was last asked for.
    pub(crate) current: Option<u32>,
    /// Pieces we may ask for while choked (BEP 6).
    pub(crate) allowed_us: Vec<u32>,
    /// Pieces it may ask for while choked.
    pub(crate) allowed_it: Vec<u32>,
    /// Pieces it suggested (BEP 6).
    pub(crate) suggested: VecDeque<u32>,

    pub(crate) queue: VecDeque<Block>,
    /// In the ring of peers waiting for upload tokens.
    pub(crate) waiting: bool,
    /// Bytes handed to the driver that have not left.
    pub(crate) unflushed: u32,
    /// Pieces suggested to it that it has not asked for.
    pub(crate) sown: Vec<u32>,
    /// Pieces shown to it while super-seeding (BEP 16).
    pub(crate) shown: Vec<u32>,

    pub(crate) down: Rate,
    pub(crate) up: Rate,
    pub(crate) began: Instant,
    pub(crate) last_received: Instant,
    pub(crate) last_sent: Instant,
    /// The last time it sent a block, or began to owe one.
    pub(crate) last_block: Instant,
    pub(crate) unchoked_at: Instant,
    /// Payload it had been sent when it was last unchoked.
    pub(crate) unchoked_total: u64,
    /// Bytes it sent that nobody asked for.
    pub(crate) unasked: u64,
    /// Control messages in this second, against floods.
    pub(crate) chatter: u32,
    pub(crate) exchanged: bool,
    pub(crate) closing: bool,
}

impl Peer {
    pub(crate) fn new(stream: StreamId, address: Endpoint, incoming: bool, now: Instant) -> Peer {
        Peer {
            stream,
            address,
            incoming,
            phase: if incoming { Phase::Handshaking } else { Phase::Connecting },
            id: [0; 20],
            extended: false,
            fast: false,
            v2: false,
            told: Told::default(),
            tail: Vec::new(),
            arrival: None,
            pieces: PieceSet::default(),
            early: None,
            useful: 0,
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            optimistic: false,
            snubbed: false,
            sent: VecDeque::new(),
            window: Window::new(now),
            current: None,
            allowed_us: Vec::new(),
            allowed_it: Vec::new(),
            suggested: VecDeque::new(),
            queue: VecDeque::new(),
            waiting: false,
            unflushed: 0,
            sown: Vec::new(),
            shown: Vec::new(),
            down: Rate::new(now),
            up: Rate::new(now),
            began: now,
            last_received: now,
            last_sent: now,
            last_block: now,
            unchoked_at: Instant::EPOCH,
            unchoked_total: 0,
            unasked: 0,
            chatter: 0,
            exchanged: false,
            closing: false,
        }
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.phase == Phase::Joined && !self.closing
    }

    pub(crate) fn is_seed(&self) -> bool {
        self.pieces.is_full() || self.early.as_ref().is_some_and(|early| early.all)
    }

    /// The address others can dial it at, where known.
    pub(crate) fn dialable(&self) -> Option<Endpoint> {
        if !self.incoming {
            return Some(self.address);
        }
        self.told.listen_port.map(|port| self.address.with_port(port)).filter(Endpoint::is_dialable)
    }

    /// Whether it owes blocks; one that stopped in its middle is owed too, though it is no request any more.
    pub(crate) fn owes(&self) -> bool {
        !self.sent.is_empty() || self.arrival.as_ref().is_some_and(|arrival| arrival.wanted)
    }

    /// Whether it may be asked for this piece now.
    pub(crate) fn may_ask(&self, piece: u32) -> bool {
        !self.peer_choking || self.allowed_us.contains(&piece)
    }

    /// How many requests it should have under way.
    pub(crate) fn window_blocks(&self, config: &Config) -> u32 {
        if self.snubbed {
            return 1;
        }
        // Clients that don't say how many they hold were seen to hold 250.
        let most = self.told.requests.unwrap_or(250).min(config.max_requests_per_peer as u32);
        self.window.blocks(config.queue_delay).min(most.max(1))
    }

    /// Writes a message.
    pub(crate) fn send(&mut self, message: &Message<'_>, cx: &mut Context<'_, Event>) {
        let mut written = 0;
        cx.write(self.stream, |out| {
            let before = out.len();
            peer::encode(message, out);
            written = out.len() - before;
        });
        self.wrote(written, cx.now());
    }

    /// Writes bytes made elsewhere.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8], cx: &mut Context<'_, Event>) {
        cx.write(self.stream, |out| out.extend_from_slice(bytes));
        self.wrote(bytes.len(), cx.now());
    }

    /// Notes bytes handed to the driver.
    pub(crate) fn wrote(&mut self, bytes: usize, now: Instant) {
        self.unflushed = self.unflushed.saturating_add(bytes as u32);
        self.last_sent = now;
    }

    /// Closes the connection; the machine forgets it when the current input is handled.
    pub(crate) fn close(&mut self, cx: &mut Context<'_, Event>) {
        if !self.closing {
            self.closing = true;
            cx.close(self.stream);
        }
    }
}
