//! Fuzz targets as plain functions: one a decoder of `throng-wire`, one a machine.
//!
//! Each takes any bytes and panics where an invariant does not hold: no decoder panics, what was decoded is encoded
//! and decoded to the same again, and machines keep to the contract of `throng-machine`. `fuzz_targets/` hands them
//! inputs made by libFuzzer; `tests/replay.rs` runs them over `corpus/` on stable Rust without it.

mod chord;
mod decoders;
mod directory_client;
mod directory_server;
mod fetch;
mod gnutella;
mod input;
mod publication;
pub mod seeds;
mod supernode_client;
mod supernode_server;
mod swarm;
mod tracker;
mod transfer;

pub use chord::chord_machine;
pub use decoders::chord::chord;
pub use decoders::content::{bencode, info, magnet, metainfo, paths};
pub use decoders::fasttrack::{fasttrack, supernode};
pub use decoders::gnutella::gnutella;
pub use decoders::hashes::hashes;
pub use decoders::http::http;
pub use decoders::napster::napster;
pub use decoders::peer::{client_name, extensions, frames, handshake};
pub use decoders::tracker::{tracker_http, tracker_udp};
pub use directory_client::directory_client;
pub use directory_server::directory_server;
pub use fetch::{plain_plan, web_head};
pub use gnutella::gnutella_servent;
pub use publication::publication;
pub use supernode_client::supernode_client;
pub use supernode_server::supernode_server;
pub use swarm::swarm;
pub use tracker::tracker;
pub use transfer::transfer;

/// A target: its name (of the binary and of its folder in `corpus/`) and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 30] = [
    ("bencode", bencode),
    ("metainfo", metainfo),
    ("info", info),
    ("magnet", magnet),
    ("paths", paths),
    ("frames", frames),
    ("handshake", handshake),
    ("extensions", extensions),
    ("hashes", hashes),
    ("tracker_http", tracker_http),
    ("tracker_udp", tracker_udp),
    ("client_name", client_name),
    ("chord", chord),
    ("chord_machine", chord_machine),
    ("swarm", swarm),
    ("tracker", tracker),
    ("napster", napster),
    ("directory_client", directory_client),
    ("directory_server", directory_server),
    ("http", http),
    ("transfer", transfer),
    ("gnutella", gnutella),
    ("gnutella_servent", gnutella_servent),
    ("fasttrack", fasttrack),
    ("supernode", supernode),
    ("supernode_server", supernode_server),
    ("supernode_client", supernode_client),
    ("publication", publication),
    ("plain_plan", plain_plan),
    ("web_head", web_head),
];
