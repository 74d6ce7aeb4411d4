//! The client side of the directories (docs/protocols/napster.md): many servers, many transfers, one machine.
//!
//! A server is named by its address, a download by the application, a shared file by its content. The machine logs in
//! and comes back, tells what is shared, asks one question at a time (answers carry no ids), and moves files by
//! [`throng_machine::Extent`]: their bytes never enter its memory. Copies from strangers are not verified; our own
//! nodes are asked for a magnet link instead (section 12).
//!
//! Invariants: only what is shared and agreed is served; nobody is called on a server's word who is nearer to us than
//! the server; every wait has an end; what is held for one peer is bounded.

mod browse;
mod command;
mod config;
mod download;
mod event;
mod machine;
mod messages;
mod peer;
mod people;
mod receive;
mod search;
mod server;
mod session;
mod shares;
mod sharing;
mod standing;
mod upload;
mod violation;

pub use command::{Command, Download, DownloadId, Part, Resume, Search};
pub use config::Config;
pub use event::{DownloadError, Event, LogoutReason, UserFile, UserInfo};
pub use machine::Client;
pub use shares::{SharedFile, md5_word, root_of_md5};
pub use standing::Session;
pub use violation::{Violation, Violations};

#[cfg(test)]
mod tests;
