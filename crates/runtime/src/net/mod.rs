//! The driver of one host: any [`Machine`] on tokio's sockets, one thread, one task a connection.
//!
//! Received bytes go through one scratch buffer a driver: the machine looks at them, names the file data among them,
//! and the application puts that where it belongs before anything else happens. File data to send stays a name in
//! the stream's queue until the socket has room; then runs of it are read from the page cache by one call and leave
//! with their headers by one vectored write. `sendfile` was measured against that: what it
//! saves the sender it costs a receiver on the same machine; it needs two calls a block and blocks on cache misses.
//!
//! Invariant: the core (machine, application, streams) is borrowed within a turn only, never over an await.

mod accept;
mod connection;
mod core;
mod driver;
pub mod port;
mod queue;
pub mod socket;
#[cfg(test)]
mod tests;

pub use self::core::Traffic;
pub use driver::{Driver, NetConfig, Sockets};

use bytes::Bytes;
use throng_machine::{Extent, Machine};
use tokio::sync::oneshot;

/// The application's side of a driver: it is told events, stores what arrives and finds what is to leave.
pub trait Application: 'static + Sized {
    /// The machine it drives.
    type Machine: Machine;

    /// The machine said something; what is pushed to `commands` is handled once all events of the turn were told.
    fn on_event(
        &mut self,
        event: <Self::Machine as Machine>::Event,
        commands: &mut Vec<<Self::Machine as Machine>::Command>,
    );

    /// File data arrived; `bytes` is as long as the extent and is lent for this call only.
    fn place(&mut self, extent: Extent, bytes: &[u8]);

    /// Reads file data if that needs no waiting; `into` is as long as the extent.
    fn read_now(&mut self, extent: Extent, into: &mut [u8]) -> Read;

    /// Reads file data that [`Application::read_now`] had to wait for; `None` or a dropped sender means it failed.
    fn read_later(&mut self, extent: Extent) -> oneshot::Receiver<Option<Bytes>>;
}

/// What came of reading without waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// The buffer is filled.
    Done,
    /// It is not in memory.
    Later,
    /// It can't be read at all: the stream that needs it is closed.
    Failed,
}
