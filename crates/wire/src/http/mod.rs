//! HTTP between peers, as Gnutella and FastTrack programs speak it to move files.
//!
//! Heads of requests and replies ([`Request`], [`Reply`]) with limits, what a request names ([`Target`]), and the values
//! of the headers that matter: ranges, alternate locations, queues, hash trees, tags. A connection that the uploader
//! opened begins with an [`Opening`] instead. Programs of twenty years are read: spaces in paths, bare line feeds,
//! doubled headers. Bodies never pass through here but chunk sizes ([`Chunks`]). See `docs/protocols/http.md`.

mod chunked;
mod head;
mod location;
mod opening;
mod queue;
mod span;
mod tag;
mod target;
#[cfg(test)]
mod tests;

pub use crate::gnutella::{ByteRange, Headers, parse_range};
pub use chunked::{Chunk, ChunkError, Chunks};
pub use head::{HttpError, MAX_HEAD, Method, Reply, Request};
pub use location::{
    Firewalled, parse_address, parse_firewalled, parse_locations, parse_old_location, write_firewalled,
    write_locations,
};
pub use opening::{MAX_OPENING, Opening};
pub use queue::{OldQueue, QueueId, Queued};
pub use span::{ContentRange, parse_available, write_available};
pub use tag::{ft_hash_tag, parse_tag, parse_thex_uri, thex_uri};
pub use target::{Target, TargetError, escape};
