//! throng with programs we did not write: libtorrent, Transmission, aria2, rtorrent, qBittorrent and opentracker.
//!
//! Each test builds a network of its own out of namespaces (root needed), so all of them can run at once; the drivers
//! of the programs are those of `throng-bench`. What is not installed is reported as skipped, by name, unless
//! `CI=true` or `THRONG_INTEROP=required` is set: then it fails (`THRONG_INTEROP=off` runs none). Most of a test's time is spent waiting for timers of
//! other programs (Transmission 3.00 thinks every 10 s), so `--test-threads 8` pays even on two cores.
//!
//! Hybrid torrents are traded with libtorrent and qBittorrent alone: Debian's aria2 1.36 computes
//! another info-hash for them, and its rtorrent 0.9.8 and Transmission 3.00 fetch nothing of them.

mod case;
mod control;
mod everyone;
mod gtk_gnutella;
mod matrix;
mod mldonkey;
mod mldonkey_gnutella;
mod napster;
mod servent;
mod wanted;
