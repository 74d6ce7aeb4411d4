//! What a servent does for the transfers beside it (`overlay::http`): pushes both ways, flags for its hits.

use super::command::{Command, Event};
use super::machine::{Cx, Servent};
use crate::http::{self, Host, PushBy};
use throng_machine::Endpoint;
use throng_wire::gnutella::Guid;

impl Host for Servent {
    fn ask_to_call(&mut self, by: &PushBy, _: u32, cx: &mut Cx<'_>) {
        // Numbers are FastTrack's.
        if let PushBy::Servent { servent, index, proxies } = by {
            self.on_command(Command::Push { servent: *servent, index: *index, proxies: proxies.clone() }, cx);
        }
    }

    fn pass_push(&mut self, servent: Guid, index: u32, to: Endpoint, cx: &mut Cx<'_>) -> bool {
        self.push_for(servent, index, to, cx)
    }

    fn asks_for(&self, event: &Event) -> Option<http::Command> {
        match event {
            Event::PushWanted { requester, index } => Some(http::Command::CallWith(*requester, *index)),
            _ => None,
        }
    }

    fn on_upload(&mut self, busy: bool, finished: bool, cx: &mut Cx<'_>) {
        self.on_command(Command::Busy(busy), cx);
        if finished {
            self.on_command(Command::Uploaded, cx);
        }
    }

    fn on_file_caller(&mut self, cx: &mut Cx<'_>) {
        self.on_command(Command::Reachable, cx);
    }

    fn address(&self) -> Option<Endpoint> {
        self.listen().map(|at| Endpoint::v4(at.ip().octets(), at.port()))
    }
}
