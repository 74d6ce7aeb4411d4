//! The central directory on real sockets: the server, the client with single files, and a node's membership.

pub mod client;
pub mod member;
pub mod server;

#[cfg(test)]
mod tests;
