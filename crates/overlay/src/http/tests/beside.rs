//! An overlay with its transfers beside it: callers told apart, pushes both ways, one deadline.

use super::*;
use throng_machine::{Context, Datagram, Instant, Machine};

/// An overlay that notes what it is given.
#[derive(Default, Debug)]
struct Notes {
    said: Vec<String>,
    knows: bool,
}

impl Machine for Notes {
    type Command = ();
    type Event = (Endpoint, u32);
    fn handle_command(&mut self, (): (), cx: &mut Context<'_, Self::Event>) {
        cx.emit((host(3), 7));
    }
    fn handle_datagram(&mut self, datagram: Datagram<'_>, _: &mut Context<'_, Self::Event>) {
        self.said.push(format!("datagram of {}", datagram.bytes.len()));
    }
    fn handle_stream(&mut self, _: StreamId, input: StreamInput<'_>, _: &mut Context<'_, Self::Event>) {
        self.said.push(match input {
            StreamInput::Accepted { from, .. } => format!("from {from}"),
            StreamInput::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        });
    }
    fn handle_timeout(&mut self, _: &mut Context<'_, Self::Event>) {}
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

impl Host for Notes {
    fn ask_to_call(&mut self, by: &PushBy, _: u32, _: &mut Context<'_, Self::Event>) {
        self.said.push(format!("{by:?}"));
    }
    fn pass_push(&mut self, _: Guid, _: u32, to: Endpoint, _: &mut Context<'_, Self::Event>) -> bool {
        self.said.push(format!("pass {to}"));
        self.knows
    }
    fn asks_for(&self, event: &Self::Event) -> Option<Command> {
        Some(Command::CallWith(event.0, event.1))
    }
    fn on_upload(&mut self, busy: bool, finished: bool, _: &mut Context<'_, Self::Event>) {
        self.said.push(format!("busy {busy} finished {finished}"));
    }
    fn on_file_caller(&mut self, _: &mut Context<'_, Self::Event>) {
        self.said.push("somebody wants a file".into());
    }
    fn address(&self) -> Option<Endpoint> {
        Some(host(0))
    }
}

fn both() -> Probe<Beside<Notes>> {
    let mut probe = Probe::new(Beside::new(Notes::default(), Transfer::new(config(0))));
    probe.command(Both::Files(Command::Share(Box::new(file(1, 100_000)))));
    probe
}

fn said(probe: &mut Probe<Beside<Notes>>) -> Vec<String> {
    std::mem::take(&mut probe.machine.overlay.said)
}

#[test]
fn callers_are_told_apart_by_what_they_say() {
    let mut probe = both();
    for (number, text) in [(1, "GNUTELLA CONNECT/0.6\r\n"), (2, "GETaway"), (3, "\u{1}\u{2}")] {
        let (stream, _) = probe.accept(host(number));
        for byte in text.as_bytes() {
            probe.stream(stream, StreamInput::Bytes(&[*byte]));
        }
        probe.stream(stream, StreamInput::Closed(StreamEnd::Finished));
        let heard = said(&mut probe);
        assert_eq!(heard[0], format!("from {}", host(number)));
        assert_eq!(heard[1..heard.len() - 1].concat(), text, "nothing is lost");
        assert_eq!(heard.last().unwrap(), "Closed(Finished)");
    }
    let (stream, _) = probe.accept(host(1));
    let mut outs = Vec::new();
    for byte in get("Range: bytes=0-9\r\n").bytes() {
        outs.extend(probe.stream(stream, StreamInput::Bytes(&[byte])));
    }
    assert_eq!(replies(&outs, stream)[0].code, 206);
    assert_eq!(said(&mut probe), ["somebody wants a file", "busy false finished false"]);
    assert_eq!(probe.datagram(host(1), b"abc"), []);
    assert_eq!(said(&mut probe), ["datagram of 3"]);
}

#[test]
fn callers_that_say_nothing_are_let_go() {
    let mut probe = both();
    let (silent, _) = probe.accept(host(1));
    let (halting, _) = probe.accept(host(2));
    probe.stream(halting, StreamInput::Bytes(b"GE"));
    let outs = probe.advance(Duration::from_secs(11));
    assert!(is_closed(&outs, silent) && is_closed(&outs, halting));
    let callers: Vec<StreamId> = (0..70).map(|_| probe.accept(host(3)).0).collect();
    let outs = probe.advance(Duration::from_secs(11));
    assert_eq!(
        outs.iter().filter(|out| matches!(out, Out::Close(_))).count(),
        64,
        "six made room: {callers:?}"
    );
    assert_eq!((probe.machine.poll_timeout(), said(&mut probe)), (None, vec![]));
}

#[test]
fn pushes_go_both_ways() {
    let mut probe = both();
    let wall = Source { address: None, push: Some(by_servent(1)), ..source(host(1), &file(2, 100_000)) };
    probe.command(Both::Files(fetch(1, &wall, 0..10)));
    assert_eq!(said(&mut probe), [format!("{:?}", by_servent(1))]);
    let outs = probe.command(Both::Overlay(()));
    assert_eq!(called(&outs).map(|call| call.1), Some(host(3)), "the overlay was asked to have us call");
    for knows in [true, false] {
        probe.machine.overlay.knows = knows;
        let (stream, _) = probe.accept(host(1));
        let text = format!(
            "GET /gnutella/push-proxy?ServerId={} HTTP/1.1\r\nHost: h\r\nX-Node: 100.65.0.1:9\r\n\r\n",
            servent(9).base32()
        );
        let outs = probe.stream(stream, StreamInput::Bytes(text.as_bytes()));
        assert_eq!(replies(&outs, stream)[0].code, if knows { 202 } else { 410 });
        assert_eq!(said(&mut probe), ["pass 100.65.0.1:9", "somebody wants a file"]);
    }
}
