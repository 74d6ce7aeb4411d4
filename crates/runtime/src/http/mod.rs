//! Transfers between peers by HTTP on real sockets and files, for the drivers of the overlays that have them.
//!
//! A driver's machine is the overlay with its transfers beside it ([`throng_overlay::http::Beside`]); its application
//! keeps a [`Hold`] and hands it the transfers' events, arriving bytes and reads. [`Carrier`] is what the rest of the
//! program needs of such a driver: files to share, and sources to fetch from ([`source`]), each a
//! [`crate::fetch::RangeSource`] by way of a [`Desk`].

mod floor;
mod found;
mod hold;
mod ranges;
#[cfg(test)]
mod tests;
mod whole;

pub(crate) use floor::Floor;
pub use found::source_of;
pub use hold::Hold;
pub use whole::{browse, tree};

use crate::fetch::{Desk, desk};
use crate::net::{Application, Driver};
use crate::shelf::Stored;
use throng_machine::ContentId;
use throng_overlay::http::{Beside, Both, Command, Host, Shared, Source};
use tokio::task::spawn_local;

/// A running machine that moves files, and its application's [`Hold`]; clones are handles on the same one.
pub trait Carrier: Clone + 'static {
    /// Gives the transfers a command. Not from within a turn of the driver.
    fn files(&self, command: Command);

    /// Looks into the hold. Not from within a turn of the driver.
    fn hold<R>(&self, act: impl FnOnce(&mut Hold) -> R) -> R;
}

impl<M, A> Carrier for Driver<A>
where
    M: Host + 'static,
    A: Application<Machine = Beside<M>> + AsMut<Hold>,
{
    fn files(&self, command: Command) {
        self.command(Both::Files(command));
    }

    fn hold<R>(&self, act: impl FnOnce(&mut Hold) -> R) -> R {
        self.with_app(|app, _| act(app.as_mut()))
    }
}

/// Serves a file from where it lies.
pub fn share(carrier: &impl Carrier, shared: Shared, stored: Stored) {
    carrier.hold(|hold| hold.shelf.put(shared.content, stored));
    carrier.files(Command::Share(Box::new(shared)));
}

/// Serves it no longer.
pub fn unshare(carrier: &impl Carrier, content: ContentId) {
    carrier.files(Command::Unshare(content));
    carrier.hold(|hold| hold.shelf.remove(content));
}

/// The way to the bytes of one copy of a file, on the current `LocalSet`; people call it by that name.
pub fn source(carrier: &impl Carrier, name: impl Into<String>, from: Source) -> Desk {
    let (desk, orders) = desk(name);
    spawn_local(ranges::serve(carrier.clone(), from, orders));
    desk
}
