//! What the node does for its transfers (`overlay::http`): pushes, both ways.

use super::Node;
use crate::http::{self, Host, PushBy};
use crate::supernode::{Command, Cx, Event, endpoint, v4};
use throng_machine::{Endpoint, Machine};
use throng_wire::gnutella::Guid;

impl Host for Node {
    fn ask_to_call(&mut self, by: &PushBy, number: u32, cx: &mut Cx<'_>) {
        let PushBy::Number { at, supernode, user } = by else { return };
        if let (Some(target), Some(supernode)) = (v4(*at), v4(*supernode)) {
            self.handle_command(Command::Push { id: number, target, supernode, user: user.clone() }, cx);
        }
    }

    /// Servents are Gnutella's.
    fn pass_push(&mut self, _: Guid, _: u32, _: Endpoint, _: &mut Cx<'_>) -> bool {
        false
    }

    fn asks_for(&self, event: &Event) -> Option<http::Command> {
        match event {
            Event::CallAsked { id, to } => Some(http::Command::CallWithNumber(endpoint(*to), *id)),
            _ => None,
        }
    }

    /// Nobody is told how busy we are.
    fn on_upload(&mut self, _: bool, _: bool, _: &mut Cx<'_>) {}

    /// Whether we can be called is what a supernode's call back tells.
    fn on_file_caller(&mut self, _: &mut Cx<'_>) {}

    fn address(&self) -> Option<Endpoint> {
        let known = Node::address(self).filter(|at| at.port() != 0 && !at.ip().is_unspecified());
        known.map(endpoint)
    }
}
