//! The page as people use it: in a real browser, on a real node.
//!
//! Chromium runs without a window and may reach loopback alone. Skipped with `THRONG_INTEROP=off` and where Chromium is
//! not installed, unless `CI=true` or `THRONG_INTEROP=required` is set: then that fails. `THRONG_PICTURES=DIR` keeps
//! pictures of what was seen.

// Helpers of tests are tests: a failed step is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod browser;
mod content;
mod many;
mod overlays;
#[allow(dead_code, reason = "shared with the tests of the node, which use the rest")]
#[path = "../node/peers.rs"]
mod peers;
#[allow(dead_code, reason = "shared with the tests of the commands, which use the rest")]
#[path = "../cli/program.rs"]
mod program;
