//! Tests of the server: what captures show, every refusal and limit by name, hostile clients, linked servers.

mod hostile;
mod limits;
mod links;
mod neighbours;
mod people;
mod quirks;
mod replay;
mod sharing;
mod transfers;

use super::*;
use std::time::Duration;
use throng_machine::probe::{Out, Probe};
use throng_wire::napster::{Frame, MAX_DATA};

/// A frame as a test reads it: type and data as text, other bytes as Latin-1.
pub(super) type Seen = (u16, String);

/// A server, its clients, and an application that keeps passwords.
pub(super) struct World {
    pub(super) probe: Probe<Server>,
    passwords: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Answers to passwords are given at once unless a test wants to wait.
    pub(super) answers: bool,
    inbox: BTreeMap<StreamId, Vec<u8>>,
    pub(super) closed: Vec<StreamId>,
    /// Streams the server asked for and to where.
    pub(super) opened: Vec<(StreamId, Endpoint)>,
    pub(super) told: Vec<Event>,
    /// Flushed is told at once unless a test plays somebody who does not read.
    pub(super) reads: bool,
}

pub(super) fn config() -> Config {
    Config {
        name: "nap.net.test".into(),
        epoch_unix: 1_000_000_000,
        motd: vec!["Welcome.".into()],
        ..Config::default()
    }
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// A frame of a client.
pub(super) fn frame(kind: u16, data: impl AsRef<[u8]>) -> Vec<u8> {
    let data = data.as_ref();
    let mut out = (data.len() as u16).to_le_bytes().to_vec();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(data);
    out
}

impl World {
    pub(super) fn new(config: Config) -> World {
        let server = Server::new(config, &mut throng_machine::SplitMix64::new(3), Instant::EPOCH);
        World {
            probe: Probe::new(server),
            passwords: BTreeMap::new(),
            answers: true,
            inbox: BTreeMap::new(),
            closed: Vec::new(),
            opened: Vec::new(),
            told: Vec::new(),
            reads: true,
        }
    }

    pub(super) fn connect(&mut self, from: [u8; 4]) -> StreamId {
        let (stream, outs) = self.probe.accept(Endpoint::v4(from, 40_000));
        self.take(outs);
        stream
    }

    /// A user who has logged in, with what that was answered thrown away.
    pub(super) fn user(&mut self, nick: &str, port: u16) -> StreamId {
        let number = self.inbox.len() as u8;
        self.user_from(nick, port, [10, 0, 1, number])
    }

    pub(super) fn user_from(&mut self, nick: &str, port: u16, from: [u8; 4]) -> StreamId {
        let stream = self.connect(from);
        self.send(stream, 2, format!("{nick} pw {port} \"net 0.1\" 5"));
        assert!(self.seen(stream).iter().any(|(kind, _)| *kind == 3), "{nick} is in");
        stream
    }

    pub(super) fn operator(&mut self, nick: &str, level: Level) -> StreamId {
        let account =
            Account { nick: nick.into(), level, email: b"op@net.test".to_vec(), created: 1, last_seen: 1 };
        self.passwords.insert(nick.into(), b"pw".to_vec());
        self.command(Command::LoadAccount(account));
        self.user(nick, 6_699)
    }

    pub(super) fn bytes(&mut self, stream: StreamId, bytes: &[u8]) {
        let outs = self.probe.stream(stream, StreamInput::Bytes(bytes));
        self.take(outs);
    }

    pub(super) fn send(&mut self, stream: StreamId, kind: u16, data: impl AsRef<[u8]>) {
        self.bytes(stream, &frame(kind, data));
    }

    /// Something of a stream that is no bytes.
    pub(super) fn stream(&mut self, stream: StreamId, input: StreamInput<'_>) {
        let outs = self.probe.stream(stream, input);
        self.take(outs);
    }

    pub(super) fn leave(&mut self, stream: StreamId) {
        let outs = self.probe.stream(stream, StreamInput::Closed(StreamEnd::Finished));
        self.take(outs);
    }

    pub(super) fn command(&mut self, command: Command) {
        let outs = self.probe.command(command);
        self.take(outs);
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let outs = self.probe.advance(by);
        self.take(outs);
    }

    /// What a client has received since it was last looked at.
    pub(super) fn seen(&mut self, stream: StreamId) -> Vec<Seen> {
        let bytes = std::mem::take(self.inbox.entry(stream).or_default());
        let (mut at, mut seen) = (0, Vec::new());
        while let Some((frame, length)) = Frame::split(&bytes[at..], MAX_DATA).expect("a good frame") {
            seen.push((frame.kind, latin(frame.data)));
            at += length;
        }
        assert_eq!(at, bytes.len(), "whole frames only");
        seen
    }

    /// Sends and returns what the sender receives.
    pub(super) fn ask(&mut self, stream: StreamId, kind: u16, data: impl AsRef<[u8]>) -> Vec<Seen> {
        self.seen(stream);
        self.send(stream, kind, data);
        self.seen(stream)
    }

    pub(super) fn is_closed(&self, stream: StreamId) -> bool {
        self.closed.contains(&stream)
    }

    /// What has arrived at a stream, as it is.
    pub(super) fn raw(&mut self, stream: StreamId) -> Vec<u8> {
        std::mem::take(self.inbox.entry(stream).or_default())
    }

    pub(super) fn violations(&self, violation: Violation) -> u64 {
        self.probe.machine.metrics().count(violation)
    }

    /// Delivers outputs and plays the application.
    fn take(&mut self, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Write(stream, bytes) => {
                    let length = bytes.len() as u32;
                    self.inbox.entry(stream).or_default().extend(bytes);
                    if self.reads {
                        let outs = self.probe.stream(stream, StreamInput::Flushed(length));
                        self.take(outs);
                    }
                }
                Out::Close(stream) => self.closed.push(stream),
                Out::Open(stream, to) => self.opened.push((stream, to)),
                other => unreachable!("a directory does not {other:?}"),
            }
        }
        for event in self.probe.take_events() {
            self.told.push(event.clone());
            match event {
                Event::AccountCreated { account, password } => {
                    self.passwords.insert(account.nick, password);
                }
                Event::PasswordChanged { nick, password } => {
                    self.passwords.insert(nick, password);
                }
                Event::CheckPassword { check, nick, password } if self.answers => {
                    let nick = nick.to_ascii_lowercase();
                    let known = self.passwords.iter().find(|(known, _)| known.to_ascii_lowercase() == nick);
                    let right = known.is_some_and(|(_, known)| *known == password);
                    self.command(Command::PasswordChecked { check, right });
                }
                _ => {}
            }
        }
    }
}

/// A frame that is expected.
pub(super) fn is(kind: u16, data: &str) -> Seen {
    (kind, data.to_owned())
}
