//! Becoming a supernode and ceasing to be one, and the proof that this node could be one.

use super::Node;
use crate::supernode::{Command, Cx, Event, Role, Standing, endpoint, v4};
use std::net::Ipv4Addr;
use throng_machine::{Endpoint, Machine, StreamId};
use throng_wire::supernode::{Preamble, Purpose};

/// Bytes of the sample that a call back may ask for; what the caller measures.
const SAMPLE: usize = crate::supernode::server::SAMPLE as usize;

impl Node {
    /// Does what the parts wish for.
    pub(super) fn change_role(&mut self, cx: &mut Cx<'_>) {
        if self.client.take_promotion() && self.config().role == Role::Either && self.server.is_none() {
            self.promote(cx);
        }
        let is_superfluous = self.server.as_ref().is_some_and(|server| server.is_superfluous());
        if is_superfluous && self.config().role == Role::Either {
            self.demote(cx);
        }
    }

    /// A supernode asked for it: what was shared there is shared here.
    fn promote(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let mut server = self.new_server(cx.rng(), now);
        let old = self.client.supernode();
        let known: Vec<Endpoint> = old.into_iter().chain(self.client.known()).map(endpoint).collect();
        self.client.retire(cx);
        for (ticket, body) in self.client.take_shares() {
            server.adopt(ticket, &body);
        }
        server.handle_command(Command::Join(known), cx);
        let address = server.address();
        server.says_joined();
        self.server = Some(server);
        cx.emit(Event::Became(Standing::Super));
        cx.emit(Event::Joined(address));
    }

    /// It is not needed: its nodes go elsewhere, and it becomes one of others.
    fn demote(&mut self, cx: &mut Cx<'_>) {
        let Some(mut server) = self.server.take() else { return };
        let neighbours: Vec<Endpoint> = server.neighbours().into_iter().map(endpoint).collect();
        let shares = server.release();
        server.retire(cx);
        cx.emit(Event::Became(Standing::Ordinary));
        shares.into_iter().for_each(|(ticket, body)| self.client.adopt(ticket, body));
        self.client.handle_command(Command::Join(neighbours), cx);
    }

    /// Our supernode calls back: only it is answered, and with a sample by which it measures how fast we send.
    pub(super) fn answer_probe(&mut self, stream: StreamId, call: (Endpoint, &[u8]), cx: &mut Cx<'_>) {
        let (from, bytes) = call;
        let is_ours = self.client.supernode().is_some_and(|at| endpoint(at).ip() == from.ip());
        let preamble = bytes.get(..Preamble::LEN).and_then(|bytes| Preamble::parse(bytes).ok());
        if let Some(asked) = preamble.filter(|asked| is_ours && asked.purpose == Purpose::Probe) {
            let answer = Preamble {
                purpose: Purpose::Probe,
                port: self.config().port,
                instance: self.client.instance(),
                nonce: asked.nonce,
                sees: v4(from).map_or(Ipv4Addr::UNSPECIFIED, |at| *at.ip()),
                standing: Default::default(),
            };
            cx.write(stream, |out| {
                answer.put(out);
                out.resize(out.len() + SAMPLE, 0);
            });
        }
        cx.close(stream);
    }
}
