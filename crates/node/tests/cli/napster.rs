//! A user of a directory by frames, and the program as a directory.

use crate::program::{Place, Running};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// A client that knows frames and nothing else.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) fn login(at: &str, nick: &str, port: u16) -> Raw {
        Raw::on(TcpStream::connect(at).unwrap(), nick, port)
    }

    /// Logs in on a connection.
    pub(crate) fn on(socket: TcpStream, nick: &str, port: u16) -> Raw {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut raw = Raw(socket);
        raw.send(2, &format!("{nick} pw {port} \"test\" 5"));
        raw
    }

    pub(crate) fn send(&mut self, kind: u16, data: &str) {
        let mut frame = (data.len() as u16).to_le_bytes().to_vec();
        frame.extend_from_slice(&kind.to_le_bytes());
        frame.extend_from_slice(data.as_bytes());
        self.0.write_all(&frame).unwrap();
    }

    pub(crate) fn frame(&mut self) -> Option<(u16, String)> {
        let mut header = [0; 4];
        self.0.read_exact(&mut header).ok()?;
        let mut data = vec![0; usize::from(u16::from_le_bytes([header[0], header[1]]))];
        self.0.read_exact(&mut data).ok()?;
        Some((u16::from_le_bytes([header[2], header[3]]), String::from_utf8(data).unwrap()))
    }

    /// Frames until one of that kind, which is the last.
    pub(crate) fn until(&mut self, kind: u16) -> Vec<(u16, String)> {
        let mut frames = Vec::new();
        while frames.last().is_none_or(|(last, _)| *last != kind) {
            let Some(frame) = self.frame() else {
                panic!("the server closed the connection after {frames:?}")
            };
            frames.push(frame);
        }
        frames
    }

    /// The names of a search's hits.
    pub(crate) fn find(&mut self, words: &str) -> Vec<String> {
        self.send(200, &format!("FILENAME CONTAINS \"{words}\" MAX_RESULTS 100"));
        let frames = self.until(202);
        let hits = frames.iter().filter(|(kind, _)| *kind == 201);
        hits.map(|(_, data)| data.split('"').nth(1).unwrap().to_owned()).collect()
    }
}

pub(crate) fn start(place: &Place, home: &str, more: &[&str]) -> (Running, String) {
    let mut server = place.start(home, &[&["directory", "--listen", "127.0.0.1:0"], more].concat());
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    (server, address)
}
