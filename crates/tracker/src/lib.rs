//! The tracker: one swarm store with a UDP face (BEP 15, 41) and an HTTP face (BEP 3, 7, 23, 48), sans-IO.
//!
//! A driver hands over datagrams and request targets with the sender's address, the time and entropy; answers are
//! appended to its buffer. Peers are known by the address their packet came from and the port they announce, never
//! by an address they claim. Before an address is proved (by a connection id, or by TCP's handshake) it is sent
//! nothing larger than it sent.

mod allow;
mod config;
mod connection_id;
mod http;
mod keys;
mod machine;
mod metrics;
mod peers;
mod record;
mod swarms;
mod table;
mod tracker;
mod udp;

pub use allow::{AllowList, AllowListError};
pub use config::Config;
pub use http::HttpStatus;
pub use machine::Command;
pub use metrics::{FamilyGauges, Metrics};
pub use tracker::Tracker;
