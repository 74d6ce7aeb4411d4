//! One function a decoder: any bytes in, no panic, and what came out survives its encoder.

pub mod chord;
pub mod content;
pub mod gnutella;
pub mod fasttrack;
pub mod hashes;
pub mod http;
pub mod napster;
pub mod peer;
pub mod tracker;
