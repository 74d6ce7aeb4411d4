//! Files of web servers: HTTP/1.1 ranges over one connection that is kept (RFC 9110, 14; BEP 19).
//!
//! Where a URL, or a redirect from it, may lead is bounded as SECURITY.md asks (SSRF): never from a public address on
//! to a private one, no query to a server near us.

mod connection;
mod head;
mod seed;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use connection::WebFile;
pub(crate) use seed::WebSeed;
