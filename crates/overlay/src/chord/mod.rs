//! The ring: Chord with the corrected maintenance protocol, a replicated store, providers and keyword postings.
//!
//! One machine a host; it runs one or more virtual nodes over one UDP and TCP port. What the application asks and is
//! told is in [`Command`] and [`Event`]; the protocol is in `docs/protocols/chord.md`.

mod command;
mod event;

pub use command::{Command, PersistId, Put, Start, Want};
pub use event::{Change, Event, Failure, Value};
