//! The client against a scripted server and scripted peers, sentence by sentence of the note.

mod downloads;
mod hostile;
mod lists;
mod pair;
mod people;
mod pushes;
mod replay;
mod searches;
mod sessions;
mod sharing;
mod uploads;
mod world;

use std::time::Duration;

use throng_machine::probe::{Out, Probe};
use throng_machine::{ContentId, Endpoint, StreamEnd, StreamId, StreamInput};
use throng_wire::napster::{Frame, ServerMessage, Text};

use super::*;

pub(super) const SERVER: [u8; 4] = [10, 0, 0, 1];

/// The directory of most tests.
pub(super) fn directory() -> Endpoint {
    Endpoint::v4(SERVER, 8888)
}

/// A peer's data port.
pub(super) fn peer(number: u8) -> Endpoint {
    Endpoint::v4([10, 0, 1, number], 6701)
}

/// The number of the protocol for the address of [`peer`].
pub(super) fn number_of(number: u8) -> u32 {
    u32::from_le_bytes([10, 0, 1, number])
}

/// A client and the stream of its one directory.
pub(super) struct Bench {
    pub(super) probe: Probe<Client>,
    pub(super) server: StreamId,
}

pub(super) fn config() -> Config {
    Config { nick: b"bob".to_vec(), password: b"pw".to_vec(), data_port: 6702, ..Config::default() }
}

/// The frames written to a stream: type and data.
pub(super) fn frames(outs: &[Out], stream: StreamId) -> Vec<(u16, String)> {
    let mut bytes = Vec::new();
    for out in outs {
        if let Out::Write(to, written) = out
            && *to == stream
        {
            bytes.extend_from_slice(written);
        }
    }
    let (mut rest, mut frames) = (bytes.as_slice(), Vec::new());
    while let Some((frame, length)) = Frame::split(rest, 2_048).expect("no frame over the limit") {
        frames.push((frame.kind, String::from_utf8_lossy(frame.data).into_owned()));
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "half a frame");
    frames
}

/// The bytes written to a stream.
pub(super) fn written(outs: &[Out], stream: StreamId) -> String {
    let bytes = outs.iter().filter_map(|out| match out {
        Out::Write(to, bytes) if *to == stream => Some(bytes.clone()),
        _ => None,
    });
    String::from_utf8_lossy(&bytes.flatten().collect::<Vec<u8>>()).into_owned()
}

pub(super) fn is_closed(outs: &[Out], stream: StreamId) -> bool {
    outs.contains(&Out::Close(stream))
}

/// The call among the outputs.
pub(super) fn called(outs: &[Out]) -> Option<(StreamId, Endpoint)> {
    outs.iter().find_map(|out| match out {
        Out::Open(stream, to) => Some((*stream, *to)),
        _ => None,
    })
}

/// A frame as a server would send it, its data as text.
pub(super) fn frame(kind: u16, data: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Frame { kind, data: data.as_bytes() }.encode(&mut out).expect("short");
    out
}

impl Bench {
    /// Joined, the stream opened.
    pub(super) fn connected(config: Config) -> (Bench, Vec<Out>) {
        let mut probe = Probe::new(Client::new(config));
        let outs = probe.command(Command::Join(vec![directory()]));
        let (server, to) = called(&outs).expect("a call");
        assert_eq!(to, directory());
        let outs = probe.stream(server, StreamInput::Opened);
        (Bench { probe, server }, outs)
    }

    /// Logged in, events and outputs of that forgotten.
    pub(super) fn online_with(config: Config) -> Bench {
        let (mut bench, _) = Bench::connected(config);
        bench.hear(3, "anon@nap.net.test");
        bench.probe.take_events();
        bench
    }

    pub(super) fn online() -> Bench {
        Bench::online_with(config())
    }

    /// The server says something; what the client does.
    pub(super) fn hear(&mut self, kind: u16, data: &str) -> Vec<Out> {
        let bytes = frame(kind, data);
        self.probe.stream(self.server, StreamInput::Bytes(&bytes))
    }

    /// The same, and what the client tells the server.
    pub(super) fn ask(&mut self, kind: u16, data: &str) -> Vec<(u16, String)> {
        let outs = self.hear(kind, data);
        frames(&outs, self.server)
    }

    /// A command, and what the client tells the server.
    pub(super) fn command(&mut self, command: Command) -> Vec<(u16, String)> {
        let outs = self.probe.command(command);
        frames(&outs, self.server)
    }

    pub(super) fn bytes(&mut self, stream: StreamId, bytes: &[u8]) -> Vec<Out> {
        self.probe.stream(stream, StreamInput::Bytes(bytes))
    }

    pub(super) fn close(&mut self, stream: StreamId) -> Vec<Out> {
        self.probe.stream(stream, StreamInput::Closed(StreamEnd::Finished))
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        self.probe.take_events()
    }

    pub(super) fn seconds(&mut self, seconds: u64) -> Vec<Out> {
        self.probe.advance(Duration::from_secs(seconds))
    }

    /// Shares a file as `\music\NAME` of that size, its content numbered from its name's length.
    pub(super) fn share(&mut self, content: u32, name: &str, size: u64) {
        let file = SharedFile::new(ContentId(content), &format!("music/{name}"), size);
        let told = self.command(Command::Share(file));
        assert_eq!(told.len(), 1, "{told:?}");
        self.probe.stream(self.server, StreamInput::Flushed(1 << 20));
        self.events();
    }
}

/// Text of the protocol as an event would show it.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    ServerMessage::Motd(Text { text: text.as_bytes() }).encode(&mut out).expect("short");
    out.split_off(4)
}
