//! A node of the network: ordinary or super, as its configuration and its supernode want.
//!
//! It gives each connection to the part whose it is and changes roles (`role`): what is shared stays shared. Files move
//! by `overlay::http`, which stands beside the node.

mod beside;
mod role;

use super::command::{Command, Event};
use super::config::{Config, Role};
use super::seldom::Seldom;
use super::{Client, Cx, Server, Standing};
use std::net::SocketAddrV4;
use std::sync::Arc;
use throng_machine::{Datagram, Deadline, Endpoint, Entropy, Instant, Machine, StreamId, StreamInput, Via};
use throng_wire::supernode::{MAGIC, Preamble};

/// Connections to an ordinary node that have not said what they want, at most.
const MAX_INCOMING: usize = 16;

/// A connection to an ordinary node: its supernode calls back, or somebody is mistaken.
#[derive(Debug)]
struct Incoming {
    stream: StreamId,
    from: Endpoint,
    until: Instant,
    bytes: Vec<u8>,
}

/// A node.
pub struct Node {
    client: Client,
    server: Option<Box<Server>>,
    incoming: Seldom<Incoming>,
}

impl Node {
    /// A node that knows nobody; `entropy` must be the operating system's in production.
    ///
    /// Many nodes may have the same choices.
    pub fn new(config: impl Into<Arc<Config>>, entropy: &mut dyn Entropy, now: Instant) -> Node {
        let config = config.into();
        let is_super = config.role == Role::Super;
        let client = Client::new(config, entropy.next_u64());
        let mut node = Node { client, server: None, incoming: Seldom::default() };
        if is_super {
            node.server = Some(node.new_server(entropy, now));
        }
        node
    }

    fn new_server(&self, entropy: &mut dyn Entropy, now: Instant) -> Box<Server> {
        let mut server = Server::new(Arc::clone(self.client.config()), entropy, now);
        server.identify(self.client.instance(), self.client.seen_as());
        Box::new(server)
    }

    fn config(&self) -> &Config {
        self.client.config()
    }

    /// What it is.
    pub fn standing(&self) -> Standing {
        if self.server.is_some() { Standing::Super } else { Standing::Ordinary }
    }

    /// Its ordinary side.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its other side, while it is a supernode.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_deref()
    }

    /// Where others reach it, as far as it knows.
    pub fn address(&self) -> Option<SocketAddrV4> {
        let seen = || self.client.seen_as().map(|ip| SocketAddrV4::new(ip, self.config().port));
        self.config().address.or_else(|| self.server.as_ref()?.address()).or_else(seen)
    }

    /// Supernodes it could go to after a restart.
    pub fn acquaintances(&self) -> Vec<SocketAddrV4> {
        match &self.server {
            Some(server) => server.neighbours(),
            None => self.client.known().collect(),
        }
    }

    fn on_first_bytes(&mut self, place: usize, bytes: &[u8], cx: &mut Cx<'_>) {
        let incoming = &mut self.incoming[place];
        incoming.bytes.extend_from_slice(bytes);
        let is_link = incoming.bytes.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic);
        if is_link && incoming.bytes.len() < Preamble::LEN {
            return;
        }
        let Incoming { stream, from, bytes, .. } = self.incoming.swap_remove(place);
        self.answer_probe(stream, (from, &bytes), cx);
    }

    fn on_accepted(&mut self, stream: StreamId, from: Endpoint, cx: &mut Cx<'_>) {
        if let Some(server) = &mut self.server {
            return server.handle_stream(stream, StreamInput::Accepted { from, via: Via::Tcp }, cx);
        }
        if self.incoming.len() >= MAX_INCOMING {
            let oldest = self.incoming.swap_remove(0);
            cx.close(oldest.stream);
        }
        let until = cx.now() + self.config().greeting_timeout;
        self.incoming.push(Incoming { stream, from, until, bytes: Vec::new() });
    }

    fn on_incoming(&mut self, place: usize, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        match input {
            StreamInput::Bytes(bytes) => self.on_first_bytes(place, bytes, cx),
            StreamInput::Closed(_) => _ = self.incoming.swap_remove(place),
            _ => {}
        }
    }

    fn end_slow_incoming(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.incoming.retain(|incoming| {
            let is_slow = incoming.until <= now;
            if is_slow {
                cx.close(incoming.stream);
            }
            !is_slow
        });
    }

    fn on_join(&mut self, addresses: Vec<Endpoint>, cx: &mut Cx<'_>) {
        let Some(server) = &mut self.server else {
            return self.client.handle_command(Command::Join(addresses), cx);
        };
        server.handle_command(Command::Join(addresses), cx);
        let address = server.address();
        if !server.says_joined() {
            cx.emit(Event::Joined(address));
        }
    }
}

impl Machine for Node {
    type Command = Command;
    type Event = Event;

    fn handle_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::Join(addresses) => self.on_join(addresses, cx),
            command => match &mut self.server {
                Some(server) => {
                    // What it could give counts in either role.
                    if let Command::Capacity { .. } = command {
                        self.client.handle_command(command.clone(), cx);
                    }
                    server.handle_command(command, cx);
                }
                None => self.client.handle_command(command, cx),
            },
        }
        self.change_role(cx);
    }

    /// The protocol needs no datagrams.
    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Cx<'_>) {}

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Cx<'_>) {
        if let StreamInput::Accepted { from, .. } = input {
            return self.on_accepted(stream, from, cx);
        }
        if let Some(place) = self.incoming.iter().position(|incoming| incoming.stream == stream) {
            self.on_incoming(place, input, cx);
        } else if self.client.owns(stream) {
            self.client.handle_stream(stream, input, cx);
        } else if let Some(server) = &mut self.server {
            server.handle_stream(stream, input, cx);
        }
        self.change_role(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        self.end_slow_incoming(cx);
        self.client.handle_timeout(cx);
        if let Some(server) = &mut self.server {
            server.handle_timeout(cx);
        }
        self.change_role(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.client.poll_timeout());
        deadline.at(self.server.as_ref().and_then(|server| server.poll_timeout()));
        deadline.at(self.incoming.iter().map(|incoming| incoming.until).min());
        deadline.earliest()
    }
}
