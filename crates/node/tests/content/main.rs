//! Publishing, searching and fetching as users do it: nodes as processes of their own on loopback ports the system
//! chooses, the commands speaking to them. Nothing sleeps: tests wait for lines of output, each with a deadline.

// Helpers of tests are tests: a failed step is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod directory;
mod fetch;
#[allow(dead_code, reason = "shared with the tests of the node")]
#[path = "../node/peers.rs"]
mod peers;
#[allow(dead_code, reason = "shared with the tests of the commands, which use the rest")]
#[path = "../cli/program.rs"]
mod program;
mod publish;
mod search;
mod three;
mod together;
mod world;
