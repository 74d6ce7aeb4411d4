//! Bytes to typed messages and back: no clock, no entropy, no state that outlives a call.

pub mod bencode;
pub mod chord;
pub mod fasttrack;
pub mod gnutella;
pub mod http;
pub mod ids;
pub mod magnet;
pub mod merkle;
pub mod metainfo;
pub mod napster;
pub mod paths;
pub mod peer;
pub mod supernode;
pub mod tracker;
