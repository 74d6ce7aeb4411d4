//! UDP tracker protocol (BEP 15) with options (BEP 41).
//!
//! Every message is big-endian and begins, after an 8-byte connection id in requests, with a 4-byte action and a
//! 4-byte transaction id. The family of an announce's peers is that of the socket it came over: nothing in the
//! packet says it. Nothing here allocates but what appends to the caller's buffer.

mod options;
mod request;
mod response;

pub use options::{OPTIONS_MAX, Options, push_url_data};
pub use request::{AnnounceRequest, ConnectRequest, Header, Request, RequestError, ScrapeRequest};
pub use response::{
    AnnounceHeader, AnnounceResponse, ConnectResponse, Response, ResponseError, ScrapeResponse, push_error,
    push_scrape_entry, push_scrape_header,
};

/// The first 8 bytes of a connect request.
pub const PROTOCOL_ID: u64 = 0x0000_0417_2710_1980;
/// Bytes of a connect request and of a connect response.
pub const CONNECT_LEN: usize = 16;
/// Bytes of an announce request without options.
pub const ANNOUNCE_LEN: usize = 98;
/// Bytes of an announce response before its peers.
pub const ANNOUNCE_HEAD_LEN: usize = 20;
/// Bytes of a scrape request before its hashes.
pub const SCRAPE_HEAD_LEN: usize = 16;
/// Bytes of one swarm in a scrape response.
pub const SCRAPE_ENTRY_LEN: usize = 12;
/// Most swarms of one scrape: what fits into a packet of 1,500 bytes (BEP 15 says "up to about 74").
pub const SCRAPE_MAX: usize = 74;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// The `N` bytes at `at`, if there are as many.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_be_bytes)
}

/// A cursor over a fixed buffer, for messages of a known size.
struct Put<'a>(&'a mut [u8], usize);

impl Put<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.1 + bytes.len();
        self.0[self.1..end].copy_from_slice(bytes);
        self.1 = end;
    }
}

#[cfg(test)]
mod tests;
