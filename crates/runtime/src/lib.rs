//! Production drivers: sockets, storage, hashing, clock and entropy on tokio.

pub mod create;
pub mod directory;
pub mod fetch;
pub mod gnutella;
pub mod hashing;
pub mod http;
pub mod library;
pub mod resume;
pub mod storage;

pub mod clock;
pub mod entropy;
pub mod net;
pub mod ring;
pub mod session;
pub mod shelf;
mod sqlite;
pub mod supernode;
pub mod tracker;
pub mod trackers;
pub mod web;
