//! One directory: how far its session has come and what is under way there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use throng_machine::{ContentId, Endpoint, Instant, StreamId, TokenBucket};
use throng_wire::napster::Bounds;

use super::config::Config;
use crate::discovery::Ticket;

/// How far a session has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Until the next attempt.
    Waiting,
    /// Dialling.
    Connecting,
    /// 7 is sent, 8 or 9 awaited.
    Checking,
    /// 2 or 6 is sent.
    LoggingIn,
    /// 3 has come.
    Online,
}

/// Which program the server is, as its first line says: what it can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    /// OpenNap 0.36 or not known: the smallest grammar.
    Basic,
    /// opennap-ng and our own: exclusions, sizes, durations, any type.
    Full,
}

/// A search or browse under way or waiting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    pub(super) ticket: Ticket,
    pub(super) what: What,
    /// Hits so far.
    pub(super) hits: u32,
    /// Hits wanted.
    pub(super) limit: u32,
    /// When to stop waiting, once sent.
    pub(super) until: Option<Instant>,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// The text of a 200, and what a small grammar leaves to us: words (lower case) that must not occur, bounds.
    Search { text: Vec<u8>, unwanted: Vec<Vec<u8>>, size: Bounds, duration: Bounds },
    /// A 215.
    Content { md5: String, size: u64 },
    /// A 211.
    Browse { nick: Vec<u8> },
}

/// One directory.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) stream: Option<StreamId>,
    pub(super) phase: Phase,
    pub(super) dialect: Dialect,
    /// Bytes of a frame not whole yet.
    pub(super) held: Vec<u8>,
    /// Our nick there.
    pub(super) nick: Vec<u8>,
    /// How often another nick was tried.
    pub(super) renamed: u32,
    /// Attempts in a row that failed.
    pub(super) failures: u32,
    /// Why the session will have ended, if the server said so.
    pub(super) ending: Option<super::LogoutReason>,
    /// The server was asked whether it is still there.
    pub(super) poked: bool,
    /// Bytes written and not flushed.
    pub(super) unflushed: u64,
    /// Files not yet told.
    pub(super) pending: BTreeSet<ContentId>,
    /// Names to take back.
    pub(super) withdrawn: VecDeque<Vec<u8>>,
    /// Files told in this session.
    pub(super) told: u32,
    /// The server wants no more files.
    pub(super) full: bool,
    /// Files it does not want.
    pub(super) refused: BTreeSet<ContentId>,
    /// The first is under way, the others wait: answers carry no ids.
    pub(super) asked: VecDeque<Asked>,
    /// Ends of searches given up: what comes before them belongs to nobody.
    pub(super) owed: u32,
    /// Until when they are waited for.
    pub(super) owed_until: Instant,
    /// Nicks (lower case) that run our program.
    pub(super) ours: BTreeMap<Vec<u8>, bool>,
    /// What we may be made to answer: bytes a second.
    pub(super) answers: TokenBucket,
    /// Answers nobody asked for.
    pub(super) unasked: u32,
}

/// Bytes a second that pings and requests may make us answer to one server.
const ANSWERS: u64 = 4 << 10;

/// Nicks whose program is remembered.
const MAX_PROGRAMS: usize = 256;

impl Server {
    pub(super) fn new(config: &Config, now: Instant) -> Server {
        Server {
            stream: None,
            phase: Phase::Waiting,
            dialect: Dialect::Basic,
            held: Vec::new(),
            nick: config.nick.clone(),
            renamed: 0,
            failures: 0,
            ending: None,
            poked: false,
            unflushed: 0,
            pending: BTreeSet::new(),
            withdrawn: VecDeque::new(),
            told: 0,
            full: false,
            refused: BTreeSet::new(),
            asked: VecDeque::new(),
            owed: 0,
            owed_until: now,
            ours: BTreeMap::new(),
            answers: TokenBucket::new(Some(ANSWERS), now),
            unasked: 0,
        }
    }

    pub(super) fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    /// Forgets what belonged to a session that is over.
    pub(super) fn reset(&mut self) {
        self.stream = None;
        self.phase = Phase::Waiting;
        self.dialect = Dialect::Basic;
        self.held = Vec::new();
        self.ending = None;
        self.poked = false;
        self.unflushed = 0;
        self.pending.clear();
        self.withdrawn.clear();
        self.told = 0;
        self.full = false;
        self.refused.clear();
        self.owed = 0;
        self.ours.clear();
        self.unasked = 0;
    }

    /// Remembers which program a nick runs.
    pub(super) fn learn(&mut self, nick: &[u8], client: &[u8]) {
        if self.ours.len() >= MAX_PROGRAMS {
            self.ours.pop_first();
        }
        self.ours.insert(nick.to_ascii_lowercase(), client.starts_with(b"Throng/"));
    }

    /// Whether a nick is known to run our program.
    pub(super) fn is_ours(&self, nick: &[u8]) -> bool {
        self.ours.get(&nick.to_ascii_lowercase()).copied().unwrap_or(false)
    }

    /// The nick to try next: digits in place of the end, never over 19 characters.
    pub(super) fn rename(&mut self, base: &[u8], number: u32) {
        let digits = number.to_string();
        let room = throng_wire::napster::MAX_NICK - digits.len().min(8);
        self.nick = [&base[..base.len().min(room)], digits.as_bytes()].concat();
        self.renamed += 1;
    }
}

/// A set of directories by address.
pub(super) type Servers = BTreeMap<Endpoint, Box<Server>>;
