//! HTTP tracker protocol: what goes behind the `?` of a GET and what comes back as bencode.
//!
//! Requests are read without allocation. Replies are read with caps, because whoever runs a tracker is a stranger:
//! a body over [`BODY_MAX`] is refused before it is decoded, and of the peers in it at most [`PEERS_MAX`] of each
//! family are taken. We always answer in the compact form (BEP 23), which every client of today reads.

mod announce;
mod query;
mod reply;
mod scrape;

pub use announce::AnnounceRequest;
pub use query::{Query, announce_url, percent_encode, scrape_url, split_target};
pub use reply::{AnnounceBody, AnnounceReply, AnnounceResponse, Failure, Retry, push_failure};
pub use scrape::{ScrapeReply, ScrapeResponse, push_scrape, scrape_hashes, scrape_query};

/// Largest reply we decode, in bytes: 2,000 IPv6 peers as dictionaries take less than 200 KiB.
pub const BODY_MAX: usize = 1 << 20;
/// Peers taken of each family from one reply; more than any client connects to.
pub const PEERS_MAX: usize = 2_000;
/// Swarms taken from one scrape reply.
pub const SCRAPE_MAX: usize = 1_000;
/// Bytes of text (failure reason, warning, tracker id) kept from a reply.
pub const TEXT_MAX: usize = 512;

/// Why a query string is no announce or scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A parameter without which there is no answer.
    #[error("missing parameter {0}")]
    Missing(&'static str),
    /// A parameter that can't be read.
    #[error("invalid parameter {0}")]
    Invalid(&'static str),
}

/// Why a body is no tracker's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Over [`BODY_MAX`] bytes.
    #[error("tracker reply is larger than {BODY_MAX} bytes")]
    TooLarge,
    /// Not bencode: often a web page.
    #[error("tracker reply is not bencode (is this a tracker?)")]
    NotBencode,
    /// Bencode, but not a dictionary with what a reply must have.
    #[error("tracker reply lacks what a tracker answers")]
    NotReply,
}

/// Decodes a body within the caps.
fn decode(body: &[u8]) -> Result<crate::bencode::Document<'_>, ReplyError> {
    if body.len() > BODY_MAX {
        return Err(ReplyError::TooLarge);
    }
    crate::bencode::decode(body).map_err(|_| ReplyError::NotBencode)
}

/// Text from a stranger: cut to [`TEXT_MAX`] bytes, made UTF-8, control characters replaced.
fn text(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(TEXT_MAX)];
    String::from_utf8_lossy(cut).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
