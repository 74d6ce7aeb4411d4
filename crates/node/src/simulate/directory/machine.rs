//! A server or a user as one type of machine: the simulator's hosts are all of one type.

use throng_machine::{Context, Datagram, Instant, Machine, StreamId, StreamInput};
use throng_overlay::directory::{client, server};

/// One of both.
pub enum Either {
    /// A directory.
    Server(Box<server::Server>),
    /// Somebody who uses it.
    Client(Box<client::Client>),
}

/// What one of both is asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// A directory.
    Server(server::Command),
    /// A user.
    Client(client::Command),
}

/// What one of both says.
#[derive(Clone, Debug)]
pub enum Event {
    /// A directory.
    Server(server::Event),
    /// A user.
    Client(client::Event),
}

type Cx<'a> = Context<'a, Event>;

impl Either {
    fn act(
        &mut self,
        cx: &mut Cx<'_>,
        on_server: impl FnOnce(&mut server::Server, &mut Context<'_, server::Event>),
        on_client: impl FnOnce(&mut client::Client, &mut Context<'_, client::Event>),
    ) {
        match self {
            Either::Server(server) => {
                let mut events = Vec::new();
                cx.part(&mut events, |cx| on_server(server, cx));
                events.into_iter().for_each(|event| cx.emit(Event::Server(event)));
            }
            Either::Client(client) => {
                let mut events = Vec::new();
                cx.part(&mut events, |cx| on_client(client, cx));
                events.into_iter().for_each(|event| cx.emit(Event::Client(event)));
            }
        }
    }
}

impl Machine for Either {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::Server(command) => {
                self.act(cx, |server, cx| server.handle_command(command, cx), |_, _| {})
            }
            Command::Client(command) => {
                self.act(cx, |_, _| {}, |client, cx| client.handle_command(command, cx))
            }
        }
    }

    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Cx<'_>) {}

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        match self {
            Either::Server(server) => {
                let mut events = Vec::new();
                cx.part(&mut events, |cx| server.handle_stream(stream, input, cx));
                events.into_iter().for_each(|event| cx.emit(Event::Server(event)));
            }
            Either::Client(client) => {
                let mut events = Vec::new();
                cx.part(&mut events, |cx| client.handle_stream(stream, input, cx));
                events.into_iter().for_each(|event| cx.emit(Event::Client(event)));
            }
        }
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        self.act(cx, |server, cx| server.handle_timeout(cx), |client, cx| client.handle_timeout(cx));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Either::Server(server) => server.poll_timeout(),
            Either::Client(client) => client.poll_timeout(),
        }
    }
}
