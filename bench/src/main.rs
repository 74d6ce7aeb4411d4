//! Reproducible comparisons of throng with other programs; README.md says how they are made.

mod crowd;
mod directory;
mod floor;
mod node;
mod setup;
mod torrents;
mod tracker;
mod transfer;
mod ultrapeer;

use anyhow::Result;
use cap::Cap;
use clap::{Parser, Subcommand};
use std::alloc::System;

/// Counts what is allocated, for those who measure a machine within this process.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Reproducible comparisons of throng with other programs. Needs root, for network namespaces.
#[derive(Parser, Debug)]
#[command(name = "bench")]
struct Options {
    #[command(subcommand)]
    comparison: Comparison,
}

#[derive(Subcommand, Debug)]
enum Comparison {
    /// One side of the bare program that only reads, sends, receives, hashes and writes.
    #[command(subcommand)]
    Floor(floor::Side),
    /// One seed to one downloader on loopback.
    Transfer(transfer::Options),
    /// One seed and many downloaders, every uplink capped.
    Crowd(crowd::Options),
    /// Our tracker and aquatic_udp under aquatic's load tester.
    Tracker(tracker::Options),
    /// A Gnutella ultrapeer as a machine: queries a second of CPU time, bytes it holds. Needs no root.
    Ultrapeer(ultrapeer::Options),
    /// Our directory server as a process: CPU and memory of files, searches and idle connections.
    Directory(directory::Options),
    /// A library of many files published by one node through all systems: seconds until it is found by each.
    Node(node::Options),
    /// A node with many idle torrents: seconds to start, bytes and CPU of each.
    Torrents(torrents::Options),
    /// Users of a directory who hold their connections and do nothing, for `directory`.
    #[command(hide = true)]
    Hold(directory::Hold),
}

fn main() -> Result<()> {
    match Options::parse().comparison {
        Comparison::Floor(side) => floor::run(&side),
        Comparison::Transfer(options) => transfer::run(&options),
        Comparison::Crowd(options) => crowd::run(&options),
        Comparison::Tracker(options) => tracker::run(&options),
        Comparison::Ultrapeer(options) => ultrapeer::run(&options),
        Comparison::Directory(options) => directory::run(&options),
        Comparison::Node(options) => node::run(&options),
        Comparison::Torrents(options) => torrents::run(&options),
        Comparison::Hold(options) => directory::hold(&options),
    }
}
