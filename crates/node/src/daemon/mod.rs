//! The node as a running program: `throng join` keeps it in the foreground, the other commands speak to its API.
//!
//! One thread runs everything: the machines' drivers on a `LocalSet`, the HTTP API beside them as ordinary tasks that
//! speak to the node through one queue ([`request`]), so that the API could move to a thread of its own by moving one
//! call. Waiting for the disk is other threads' work. Each overlay is a [`system::System`]; what all of them can be
//! asked and tell is the vocabulary of `throng_overlay::discovery`.

pub(crate) mod api;
pub(crate) mod client;
mod database;
mod describe;
pub(crate) mod directory;
pub(crate) mod home;
pub(crate) mod node;
pub(crate) mod report;
pub(crate) mod request;
pub(crate) mod ring;
pub(crate) mod system;
pub(crate) mod view;
