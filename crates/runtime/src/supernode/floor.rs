//! The application of the node and its transfers: bytes to the hold, all else to the program.

use super::Told;
use crate::http::Hold;
use crate::net::{Application, Read};
use bytes::Bytes;
use throng_machine::{Extent, Machine};
use throng_overlay::http::{Beside, Both};
use throng_overlay::supernode::Node;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

pub(super) struct Floor {
    hold: Hold,
    tell: UnboundedSender<Told>,
}

impl Floor {
    pub(super) fn new(tell: UnboundedSender<Told>) -> Floor {
        Floor { hold: Hold::default(), tell }
    }
}

impl AsMut<Hold> for Floor {
    fn as_mut(&mut self) -> &mut Hold {
        &mut self.hold
    }
}

impl Application for Floor {
    type Machine = Beside<Node>;

    fn on_event(&mut self, event: Told, _: &mut Vec<<Self::Machine as Machine>::Command>) {
        let event = match event {
            Both::Overlay(event) => Some(Both::Overlay(event)),
            Both::Files(event) => self.hold.on_event(event).map(Both::Files),
        };
        if let Some(event) = event {
            // Nobody listens any more at the end of the program.
            let _ = self.tell.send(event);
        }
    }

    fn place(&mut self, extent: Extent, bytes: &[u8]) {
        self.hold.place(extent, bytes);
    }

    fn read_now(&mut self, extent: Extent, into: &mut [u8]) -> Read {
        self.hold.read_now(extent, into)
    }

    fn read_later(&mut self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        self.hold.read_later(extent)
    }
}
