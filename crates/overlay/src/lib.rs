//! Finding: the vocabulary that every overlay answers to.
//!
//! Directory, gnutella, supernode and chord are machines of their own; what the application asks and is told is the
//! same for all ([`discovery`]), so that one workload compares them and one node joins them all.

pub mod chord;
mod dial;
pub mod directory;
pub mod discovery;
pub mod flood;
pub mod gnutella;
pub mod host_cache;
pub mod http;
pub mod keyword_index;
pub mod publication;
pub mod supernode;
mod timers;
