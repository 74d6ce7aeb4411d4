//! Finding a supernode: several are called, a moment apart, and the first that says its name is kept.

use super::super::channel::Channel;
use super::session::Session;
use super::{Client, Cx, Event};
use crate::supernode::{Violation, endpoint};
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::{Instant, StreamId, Via};
use throng_wire::fasttrack::{ClientHello, ENCRYPTION_TYPE, ServerHello};

/// So long a supernode has before another is called beside it.
const HEAD_START: Duration = Duration::from_millis(700);

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) stream: StreamId,
    pub(super) at: SocketAddrV4,
    pub(super) until: Instant,
    /// Its first bytes, until there are enough; then the channel that takes its name.
    input: Vec<u8>,
    channel: Option<Box<Channel>>,
}

/// A wait, in milliseconds.
pub(super) fn millis(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)
}

impl Client {
    /// Calls one more, now; if all are being called or failed, later.
    pub(super) fn call_somebody(&mut self, cx: &mut Cx<'_>) {
        self.next_call = None;
        if self.leaving || self.session.is_some() || self.known.is_empty() {
            return;
        }
        if self.calls.len() < self.config.calls_at_once {
            let calls = &self.calls;
            let drawn = self.known.draw(|at| calls.iter().any(|call| call.at == at), cx.rng());
            if let Some(at) = drawn {
                self.call(at, cx);
                self.next_call = Some(cx.now() + HEAD_START);
                return;
            }
        }
        if self.calls.is_empty() {
            self.wait(cx);
        }
    }

    pub(super) fn call(&mut self, at: SocketAddrV4, cx: &mut Cx<'_>) {
        let stream = cx.open(Via::Tcp, endpoint(at));
        let until = cx.now() + self.config.connect_timeout;
        self.calls.push(Call { stream, at, until, input: Vec::new(), channel: None });
    }

    /// Nobody takes us: later again, each time twice as late.
    fn wait(&mut self, cx: &mut Cx<'_>) {
        let jitter = cx.rng().below(self.retry.max(1));
        self.next_call = Some(cx.now() + Duration::from_millis((self.retry / 2 + jitter).into()));
        self.retry = self.retry.saturating_mul(2).min(millis(self.config.retry_max));
        cx.emit(Event::Isolated);
    }

    pub(super) fn on_opened(&mut self, stream: StreamId, cx: &mut Cx<'_>) {
        if self.calls.iter().any(|call| call.stream == stream) {
            cx.write(stream, |out| out.extend_from_slice(&ClientHello::ours().encode()));
        }
    }

    /// Bytes of somebody who is called: its hello, then its name.
    pub(super) fn on_greeting(&mut self, stream: StreamId, bytes: &[u8], cx: &mut Cx<'_>) {
        let Some(place) = self.calls.iter().position(|call| call.stream == stream) else { return };
        let call = &mut self.calls[place];
        match &mut call.channel {
            Some(channel) => channel.receive(bytes),
            None => {
                call.input.extend_from_slice(bytes);
                let Some(hello) = call.input.first_chunk::<{ ServerHello::LEN }>() else { return };
                let hello = ServerHello::parse(hello).unwrap_or(ServerHello::ours());
                // A type that its seed hides from us is tried as the one we know: its name tells whether it is.
                if hello.encryption_type().is_some_and(|kind| kind != ENCRYPTION_TYPE) {
                    return self.refuse_call(place, cx);
                }
                let mut channel = Channel::call(&hello);
                channel.receive(&call.input[ServerHello::LEN..]);
                call.input = Vec::new();
                call.channel = Some(Box::new(channel));
            }
        }
        let name = self.calls[place].channel.as_mut().map(|channel| channel.take_name());
        match name {
            Some(Ok(Some(name))) if throng_wire::fasttrack::is_known_name(&name) => self.attach(place, cx),
            Some(Ok(Some(_)) | Err(_)) => self.refuse_call(place, cx),
            Some(Ok(None)) | None => {}
        }
    }

    /// Not what we can talk to.
    fn refuse_call(&mut self, place: usize, cx: &mut Cx<'_>) {
        let call = self.calls.swap_remove(place);
        cx.close(call.stream);
        self.known.failed(call.at);
        self.blame(call.at, Violation::Unreadable, cx);
        self.call_somebody(cx);
    }

    /// The first that said its name: the others are let go.
    fn attach(&mut self, place: usize, cx: &mut Cx<'_>) {
        let call = self.calls.swap_remove(place);
        let Some(mut channel) = call.channel else { return };
        for other in self.calls.take() {
            cx.close(other.stream);
        }
        if let Some(old) = self.session.take() {
            cx.close(old.stream);
        }
        self.next_call = None;
        self.forget_tellings();
        cx.write(call.stream, |out| channel.put_name(out));
        let due = cx.now() + self.config.silence;
        self.session = Some(Box::new(Session::new(call.stream, call.at, *channel, due)));
        self.tell_who(cx);
        self.read(cx);
    }

    pub(super) fn on_call_ended(&mut self, stream: StreamId, _refused: bool, cx: &mut Cx<'_>) {
        let Some(place) = self.calls.iter().position(|call| call.stream == stream) else { return };
        let call = self.calls.swap_remove(place);
        self.known.failed(call.at);
        if self.session.is_none() {
            self.call_somebody(cx);
        }
    }

    pub(super) fn end_slow_calls(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        while let Some(place) = self.calls.iter().position(|call| call.until <= now) {
            let call = self.calls.swap_remove(place);
            cx.close(call.stream);
            self.known.failed(call.at);
            if self.session.is_none() {
                self.call_somebody(cx);
            }
        }
    }

    /// The supernode is gone, or is left.
    pub(super) fn lose(&mut self, cx: &mut Cx<'_>) {
        let Some(session) = self.session.take() else { return };
        self.known.failed(session.at);
        if session.attached {
            cx.emit(Event::Lost(session.at));
        }
        self.call_somebody(cx);
    }

    /// The supernode took us.
    pub(super) fn attached(&mut self, cx: &mut Cx<'_>) {
        let Some(session) = self.session.as_mut().filter(|session| !session.attached) else { return };
        session.attached = true;
        let at = session.at;
        self.known.succeeded(at);
        self.retry = millis(self.config.retry_min);
        cx.emit(Event::Joined(Some(at)));
        self.tell_capacity(cx);
        self.ask_again(cx);
    }
}
