//! The central directory on real sockets: the server, and the client with the files it shares and fetches.

pub mod client;
pub mod server;

#[cfg(test)]
mod tests;
