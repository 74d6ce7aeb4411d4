//! The central directory, as Napster was: a server that knows every user's files, and the users.
//!
//! The protocol is OpenNap's (docs/protocols/napster.md), the codec `throng_wire::napster`.

pub mod client;
pub mod server;
