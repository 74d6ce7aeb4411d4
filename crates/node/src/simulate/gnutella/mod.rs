//! `throng simulate gnutella`: servents of both kinds of network, the shipping machine in all of them.

pub mod graph;
pub mod host;
pub mod plan;
pub mod run;
