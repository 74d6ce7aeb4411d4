//! A ring of fifty processes on a bad network: what it acknowledged survives, and it becomes one ring again.
//!
//! Every process has a network namespace of its own (root needed); a switch of `throng-bench` between them loses 10 % of
//! all packets and delays the rest by 200 ms, which is `tc netem` in all but name, for kernels without that. The whole
//! takes about four minutes, most of it the minute of the partition and the patience of failure detection. Skipped with
//! `THRONG_INTEROP=off` and where namespaces cannot be made, unless `CI=true` or `THRONG_INTEROP=required` is set: then
//! that fails.

// Helpers of tests are tests: a failed step is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fifty;
mod member;
mod wanted;
