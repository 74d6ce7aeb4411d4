//! The UDP face behind the contract, so that simulated clients announce to the shipping tracker.

use throng_machine::{Context, Datagram, Instant, Machine, StreamId, StreamInput};

use crate::allow::AllowList;
use crate::tracker::Tracker;

/// What the application may ask of a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve only these swarms from now on, or all.
    Allow(Option<AllowList>),
}

impl Machine for Tracker {
    type Command = Command;
    type Event = std::convert::Infallible;

    fn handle_command(&mut self, command: Command, _cx: &mut Context<'_, Self::Event>) {
        match command {
            Command::Allow(allow) => self.set_allow_list(allow),
        }
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Context<'_, Self::Event>) {
        let mut answer = Vec::new();
        let now = cx.now();
        Tracker::handle_datagram(self, datagram.from, datagram.bytes, now, cx.rng(), &mut answer);
        if !answer.is_empty() {
            cx.send(datagram.via, datagram.from, |out| out.extend_from_slice(&answer));
        }
    }

    /// Streams are the HTTP server's: a driver that has one calls [`Tracker::handle_get`]; others are closed.
    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Context<'_, Self::Event>) {
        if matches!(input, StreamInput::Accepted { .. }) {
            cx.close(stream);
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Self::Event>) {
        Tracker::handle_timeout(self, cx.now());
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(Tracker::poll_timeout(self))
    }
}
