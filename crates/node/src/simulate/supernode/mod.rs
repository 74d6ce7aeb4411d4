//! `throng simulate supernode`: ordinary nodes and supernodes, the shipping machine of both.

pub mod host;
pub mod run;
