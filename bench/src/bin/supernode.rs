//! A supernode's memory and CPU a search, by the allocator's and the system's accounts, over the machine alone: no
//! sockets, no other program. `cargo run --release -p throng-bench --bin supernode`.

use std::alloc::System;
use std::time::Duration;

use anyhow::Result;
use cap::Cap;
use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use throng_bench::users;

#[path = "../supernode_load.rs"]
#[allow(unreachable_pub, reason = "it is a test's module elsewhere")]
mod supernode_load;

use supernode_load::{Load, Shape};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// A supernode's memory and CPU a search.
#[derive(Parser, Debug)]
struct Options {
    /// Ordinary nodes.
    #[arg(long, default_value_t = 150)]
    nodes: u32,
    /// Files of each.
    #[arg(long, default_value_t = 500)]
    files: u32,
    /// Links to other supernodes, each with as many files.
    #[arg(long, default_value_t = 40)]
    links: u32,
    /// Files carry what our own nodes say of them, not just a name.
    #[arg(long)]
    ours: bool,
    /// Searches of ordinary nodes, and as many queries of other supernodes.
    #[arg(long, default_value_t = 15_000)]
    searches: usize,
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

fn main() -> Result<()> {
    let Options { nodes, files, links, ours, searches } = Options::parse();
    let mut load = Load::new(Shape { nodes, files, links, ours });
    let begun = cpu();
    load.fill();
    let shared = cpu().saturating_sub(begun);
    load.link();
    let gauges = load.gauges();
    let idle = idle(&mut load, searches / nodes as usize);
    let of_nodes = measure(&mut load, (nodes as usize, searches), idle, Load::searches);
    let of_links = measure(&mut load, (links as usize * 25, searches), idle, Load::queries);
    let server = load.finish();
    let before = ALLOCATOR.allocated();
    drop(server);
    let bytes = before - ALLOCATOR.allocated();
    println!(
        "{:#}",
        json!({
            "nodes": gauges.members, "files": gauges.files, "links": gauges.links, "ours": ours,
            "bytes": bytes, "index_bytes": gauges.index_bytes, "digest_bytes": gauges.digest_bytes,
            "cpu_us_a_file": shared.as_secs_f64() * 1e6 / f64::from(gauges.files.max(1)),
            "idle_us_a_10_seconds": idle.as_secs_f64() * 1e6,
            "searches_of_nodes": of_nodes, "queries_of_supernodes": of_links,
        })
    );
    Ok(())
}

/// CPU of doing nothing for as long as a batch takes.
fn idle(load: &mut Load, batches: usize) -> Duration {
    let begun = cpu();
    (0..batches).for_each(|_| load.serve(&[]));
    cpu().saturating_sub(begun) / batches.max(1) as u32
}

/// CPU of searches in batches, the idle CPU of each taken off.
fn measure(
    load: &mut Load,
    (batch, count): (usize, usize),
    idle: Duration,
    make: impl Fn(&mut Load, usize) -> Vec<(throng_machine::StreamId, Vec<u8>)>,
) -> Value {
    let (mut spent, mut asked, before) = (Duration::ZERO, 0, load.metrics());
    while asked < count {
        let batch = make(load, batch);
        asked += batch.len();
        let begun = cpu();
        load.serve(&batch);
        spent += cpu().saturating_sub(begun).saturating_sub(idle);
    }
    let (after, each) = (load.metrics(), asked.max(1) as f64);
    let a_search = |count: u64| count as f64 / each;
    json!({
        "count": asked, "cpu_us": spent.as_secs_f64() * 1e6 / each,
        "hits": a_search(after.hits - before.hits),
        "asked_further": a_search(after.queries_sent - before.queries_sent),
    })
}
