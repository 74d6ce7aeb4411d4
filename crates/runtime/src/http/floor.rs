//! The application of an overlay and its transfers: bytes to the hold, all else to the program.

use super::Hold;
use crate::net::{Application, Read};
use bytes::Bytes;
use throng_machine::{Extent, Machine};
use throng_overlay::http::{Beside, Both, Event, Host};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// What the program is told: of the overlay, and of transfers what concerns the node.
type Told<M> = Both<<M as Machine>::Event, Event>;

/// The floor that an overlay of kind `M` stands on.
pub(crate) struct Floor<M: Host> {
    hold: Hold,
    tell: UnboundedSender<Told<M>>,
}

impl<M: Host> Floor<M> {
    pub(crate) fn new(tell: UnboundedSender<Told<M>>) -> Floor<M> {
        Floor { hold: Hold::default(), tell }
    }
}

impl<M: Host> AsMut<Hold> for Floor<M> {
    fn as_mut(&mut self) -> &mut Hold {
        &mut self.hold
    }
}

impl<M: Host + 'static> Application for Floor<M> {
    type Machine = Beside<M>;

    fn on_event(&mut self, event: Told<M>, _: &mut Vec<<Self::Machine as Machine>::Command>) {
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
