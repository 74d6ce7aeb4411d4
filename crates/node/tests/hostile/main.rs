//! Damaged peers against the real program: what one connection, or a thousand, must not be able to spoil.
//!
//! A scripted peer stands beside an honest seed. The seed stays behind a gate until the script has done its worst,
//! so what the script meets does not depend on who is faster. Every download must complete, and who lied or broke
//! the protocol must be named, and nobody else.

// Helpers of tests are tests: a failed step is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod crowds;
mod floods;
mod gate;
mod liars;
mod peer;
#[allow(dead_code, reason = "shared with the tests of the commands, which use the rest")]
#[path = "../cli/program.rs"]
mod program;
mod stage;
mod stalls;
