//! A node of the ring as a running thing: the Chord machine on one UDP and TCP port, its records in SQLite.
//!
//! A [`Ring`] lives on the `LocalSet` it was started on and is a cheap handle. Records restored at the start are given
//! to the machine before it joins; what the machine wants kept goes to a thread of its own that commits in batches.
//!
//! Invariant: the machine hears `Persisted(_, true)` only of what is committed, so nothing is acknowledged to others
//! that a `kill -9` of this process would lose.

mod glue;
mod handle;
mod records;
#[cfg(test)]
mod tests;
mod writer;

pub use glue::{Counts, Told};
pub use handle::{Got, Kept, Ring, RingConfig, RingError};
pub use records::RecordsError;
