//! What the comparisons and the interop tests of `crates/node` share: a small network of Linux namespaces,
//! processes that never outlive their owner, data sets, torrents, and one driver for each real program.
//!
//! Nothing here uses throng's own crates: a defect of ours must not be able to hide in the judge.

pub mod data;
pub mod lab;
pub mod napster;
pub mod process;
pub mod program;
pub mod switch;
pub mod torrent;
pub mod users;
