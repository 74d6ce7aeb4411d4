//! An overlay's machine and its transfers as one: they share a port, streams and deadlines.
//!
//! Connections that others open are told apart by their first bytes; those that are no HTTP, `GIV`, `GIVE` or `QUEUE`
//! belong to the overlay. Pushes are the overlay's to send and ours to answer: the two ask each other here.
//!
//! Invariants: a caller that says nothing is let go; the overlay never sees a connection of ours, nor we one of its.

use std::collections::BTreeMap;
use std::time::Duration;

use throng_machine::{Context, Datagram, Deadline, Endpoint, Instant, Machine, StreamId, StreamInput, Via};
use throng_wire::gnutella::Guid;

use super::command::{Command, PushBy};
use super::event::Event;
use super::machine::Transfer;

/// Callers that have not said what they speak; the oldest goes for the next.
const MAX_UNDECIDED: usize = 64;
/// How long a caller may take to say it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an overlay does for its transfers.
pub trait Host: Machine {
    /// Asks a source to call us; one that is known by a number must say this. Where there is no way nothing is done:
    /// the wait for the call ends by itself.
    fn ask_to_call(&mut self, by: &PushBy, number: u32, cx: &mut Context<'_, Self::Event>);

    /// Passes the wish of somebody to be called on to a servent; false if there is no way to it.
    fn pass_push(
        &mut self,
        servent: Guid,
        index: u32,
        to: Endpoint,
        cx: &mut Context<'_, Self::Event>,
    ) -> bool;

    /// What an event of the overlay asks of the transfers: to call somebody with a file.
    fn asks_for(&self, event: &Self::Event) -> Option<Command>;

    /// An upload begins or ends: whether all slots are taken now, and whether it was finished.
    fn on_upload(&mut self, busy: bool, finished: bool, cx: &mut Context<'_, Self::Event>);

    /// Somebody called our port for a file, so it can be called.
    fn on_file_caller(&mut self, cx: &mut Context<'_, Self::Event>);

    /// Where we can be called, as far as the overlay knows.
    fn address(&self) -> Option<Endpoint>;
}

/// Something of the overlay or of the transfers: a command or an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Both<O, F> {
    /// Of the overlay.
    Overlay(O),
    /// Of the transfers.
    Files(F),
}

/// A caller that has not said what it speaks.
#[derive(Debug)]
struct Undecided {
    from: Endpoint,
    via: Via,
    said: Vec<u8>,
    until: Instant,
}

/// The two machines.
#[derive(Debug)]
pub struct Beside<M: Host> {
    /// The overlay.
    pub overlay: M,
    /// Its transfers.
    pub files: Transfer,
    undecided: BTreeMap<StreamId, Undecided>,
    told: Vec<M::Event>,
    heard: Vec<Event>,
}

type Cx<'a, M> = Context<'a, Both<<M as Machine>::Event, Event>>;

impl<M: Host> Beside<M> {
    /// Puts them side by side.
    pub fn new(overlay: M, files: Transfer) -> Beside<M> {
        let mut both =
            Beside { overlay, files, undecided: BTreeMap::new(), told: Vec::new(), heard: Vec::new() };
        both.files.set_address(both.overlay.address());
        both
    }

    fn with_overlay(&mut self, cx: &mut Cx<'_, M>, act: impl FnOnce(&mut M, &mut Context<'_, M::Event>)) {
        let mut told = std::mem::take(&mut self.told);
        cx.part(&mut told, |cx| act(&mut self.overlay, cx));
        self.after_overlay(told, cx);
    }

    /// Hands on what the overlay told; not generic, as the two call each other.
    fn after_overlay(&mut self, mut told: Vec<M::Event>, cx: &mut Cx<'_, M>) {
        for event in told.drain(..) {
            if let Some(command) = self.overlay.asks_for(&event) {
                self.with_files(cx, |files, cx| files.handle_command(command, cx));
            }
            cx.emit(Both::Overlay(event));
        }
        self.told = told;
        self.files.set_address(self.overlay.address());
    }

    fn with_files(&mut self, cx: &mut Cx<'_, M>, act: impl FnOnce(&mut Transfer, &mut Context<'_, Event>)) {
        let mut heard = std::mem::take(&mut self.heard);
        cx.part(&mut heard, |cx| act(&mut self.files, cx));
        self.after_files(heard, cx);
    }

    /// Hands on what the transfers told; not generic, as the two call each other.
    fn after_files(&mut self, mut heard: Vec<Event>, cx: &mut Cx<'_, M>) {
        for event in heard.drain(..) {
            match &event {
                Event::PushWanted(_, by, number) => {
                    self.with_overlay(cx, |overlay, cx| overlay.ask_to_call(by, *number, cx));
                }
                Event::PushProxyAsked(stream, servent, index, to) => {
                    let mut passed = false;
                    self.with_overlay(cx, |overlay, cx| {
                        passed = overlay.pass_push(*servent, *index, *to, cx)
                    });
                    self.with_files(cx, |files, cx| {
                        files.handle_command(Command::PushPassed(*stream, passed), cx);
                    });
                }
                Event::Uploading(..) | Event::Uploaded(..) | Event::UploadFailed(..) => {
                    let (busy, done) = (self.files.is_busy(), matches!(event, Event::Uploaded(..)));
                    self.with_overlay(cx, |overlay, cx| overlay.on_upload(busy, done, cx));
                }
                _ => {}
            }
            cx.emit(Both::Files(event));
        }
        self.heard = heard;
    }

    fn on_accepted(&mut self, stream: StreamId, from: Endpoint, via: Via, cx: &mut Cx<'_, M>) {
        if self.undecided.len() >= MAX_UNDECIDED
            && let Some((oldest, _)) = self.undecided.pop_first()
        {
            cx.close(oldest);
        }
        let until = cx.now() + PATIENCE;
        self.undecided.insert(stream, Undecided { from, via, said: Vec::new(), until });
    }

    /// The first bytes of a caller: whose is it?
    fn on_first_bytes(&mut self, stream: StreamId, bytes: &[u8], cx: &mut Cx<'_, M>) {
        let Some(caller) = self.undecided.get_mut(&stream) else { return };
        caller.said.extend_from_slice(bytes);
        let Some(ours) = Transfer::speaks(&caller.said) else { return };
        let Some(Undecided { from, via, said, .. }) = self.undecided.remove(&stream) else { return };
        let (accepted, bytes) = (StreamInput::Accepted { from, via }, StreamInput::Bytes(&said));
        if ours {
            self.with_files(cx, |files, cx| {
                files.handle_stream(stream, accepted, cx);
                files.handle_stream(stream, bytes, cx);
            });
            self.with_overlay(cx, |overlay, cx| overlay.on_file_caller(cx));
        } else {
            self.with_overlay(cx, |overlay, cx| {
                overlay.handle_stream(stream, accepted, cx);
                overlay.handle_stream(stream, bytes, cx);
            });
        }
    }
}

impl<M: Host> Machine for Beside<M> {
    type Command = Both<M::Command, Command>;
    type Event = Both<M::Event, Event>;

    fn handle_command(&mut self, command: Self::Command, cx: &mut Cx<'_, M>) {
        match command {
            Both::Overlay(command) => {
                self.with_overlay(cx, |overlay, cx| overlay.handle_command(command, cx))
            }
            Both::Files(command) => self.with_files(cx, |files, cx| files.handle_command(command, cx)),
        }
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Cx<'_, M>) {
        self.with_overlay(cx, |overlay, cx| overlay.handle_datagram(datagram, cx));
    }

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_, M>) {
        match input {
            StreamInput::Accepted { from, via } => self.on_accepted(stream, from, via, cx),
            StreamInput::Bytes(bytes) if self.undecided.contains_key(&stream) => {
                self.on_first_bytes(stream, bytes, cx);
            }
            StreamInput::Closed(_) if self.undecided.remove(&stream).is_some() => {}
            input if self.files.owns(stream) => {
                self.with_files(cx, |files, cx| files.handle_stream(stream, input, cx));
            }
            input => self.with_overlay(cx, |overlay, cx| overlay.handle_stream(stream, input, cx)),
        }
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_, M>) {
        let now = cx.now();
        let silent = self.undecided.iter().filter(|(_, caller)| caller.until <= now);
        for stream in silent.map(|(stream, _)| *stream).collect::<Vec<_>>() {
            self.undecided.remove(&stream);
            cx.close(stream);
        }
        if self.files.poll_timeout().is_some_and(|at| at <= now) {
            self.with_files(cx, |files, cx| files.handle_timeout(cx));
        }
        if self.overlay.poll_timeout().is_some_and(|at| at <= now) {
            self.with_overlay(cx, |overlay, cx| overlay.handle_timeout(cx));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.overlay.poll_timeout()).at(self.files.poll_timeout());
        self.undecided.values().for_each(|caller| _ = deadline.at(caller.until));
        deadline.earliest()
    }
}
