//! The node as a running program: `throng join` keeps it in the foreground, the other commands speak to its API.
//!
//! One thread runs everything: the machines' drivers on a `LocalSet`, the HTTP API beside them as ordinary tasks that
//! speak to the node through one queue ([`request`]), so that the API could move to a thread of its own by moving one
//! call. Waiting for the disk is other threads' work. Each overlay is a [`system::System`]; what all of them can be
//! asked and tell is the vocabulary of `throng_overlay::discovery`.

pub(crate) mod api;
pub(crate) mod bittorrent;
pub(crate) mod client;
pub(crate) mod common;
mod database;
mod describe;
pub(crate) mod directory;
pub(crate) mod gnutella;
mod hits;
pub(crate) mod home;
mod index;
mod kept;
mod listing;
mod metrics;
pub(crate) mod node;
pub(crate) mod notify;
mod parts;
mod probe;
mod record;
pub(crate) mod report;
pub(crate) mod request;
mod resources;
mod rest;
pub(crate) mod ring;
mod search;
mod shelf;
mod shelf_report;
mod standing;
pub(crate) mod supernode;
pub(crate) mod system;
mod transfers;
pub(crate) mod view;
mod whole;
