//! The program as its users run it: real processes, real files, loopback sockets on ports the system chooses.
//!
//! Nothing sleeps: tests wait for lines of output, each with a deadline.

// Helpers of tests are tests: a failed step is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bad_input;
mod bad_tracker;
mod directory;
mod directory_life;
mod napster;
mod program;
mod torrents;
mod transfers;
