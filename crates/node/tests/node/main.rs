//! The node as its users run it: `throng join` as a process of its own, the other commands speaking to it.
//!
//! Every node listens on a loopback port the system chooses, with a home in the test's folder. Nothing sleeps: tests wait
//! for lines of output, each with a deadline.

// Helpers of tests are tests: a failed step is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod alone;
mod api;
mod directories;
mod gnutella;
mod half;
mod home;
mod operate;
mod peers;
#[allow(dead_code, reason = "shared with the tests of the commands, which use the rest")]
#[path = "../cli/program.rs"]
mod program;
mod several;
mod supernodes;
mod transmission;
