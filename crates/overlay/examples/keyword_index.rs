//! Measures the keyword index in this process: bytes and CPU a file, searches a second, latency, sweeps.
//!
//! `cargo run --release -p throng-overlay --example keyword_index -- USERS FILES_EACH [SEARCHES]`
//! Every answer of a part of the searches is compared with a plain scan.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "measuring is reading clocks")]

#[path = "../../../bench/src/users.rs"]
#[allow(unreachable_pub, reason = "it is a library's module elsewhere")]
mod users;

use std::fs;
use std::time::Instant;
use throng_overlay::keyword_index::{
    Attributes, DocId, Entry, KeywordIndex, Kind, Order, OwnerId, Query, Words,
};
use users::{Catalogue, Rng, Shared};

fn main() {
    let arguments: Vec<u32> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let users = arguments.first().copied().unwrap_or(500);
    let files = arguments.get(1).copied().unwrap_or(200);
    let searches = arguments.get(2).copied().unwrap_or(20_000);
    let catalogue = Catalogue::new(60_000.max(users * 4), 400_000, 7);
    let mut index = KeywordIndex::new([1, 2]);
    let base = resident();
    fill(&mut index, &catalogue, users, files);
    report_memory(&index, base);
    measure_searches(&mut index, &catalogue, searches);
    compare(&mut index, &catalogue, users * files);
    churn(&mut index, &catalogue, users, files);
    report_memory(&index, base);
    measure_searches(&mut index, &catalogue, searches);
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Nanoseconds this thread has run.
fn cpu() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn add(index: &mut KeywordIndex, owner: OwnerId, shared: &[(Vec<u8>, Vec<u8>, Attributes)]) {
    for (name, key, attributes) in shared {
        // As the directory does: nobody shares a name twice.
        if index.find(owner, name).is_none() {
            index.insert(owner, &Entry { name, key, attributes: *attributes }).expect("there is room");
        }
    }
}

fn prepare(shared: Vec<Shared>) -> Vec<(Vec<u8>, Vec<u8>, Attributes)> {
    let prepare = |file: Shared| {
        let key =
            (0..16).filter_map(|at| u8::from_str_radix(&file.md5[at * 2..at * 2 + 2], 16).ok()).collect();
        let attributes = Attributes {
            kind: Kind::Mp3,
            size: file.size.into(),
            bitrate: file.bitrate,
            frequency: file.frequency,
            duration: file.duration,
        };
        ((file.folder + &file.base).into_bytes(), key, attributes)
    };
    shared.into_iter().map(prepare).collect()
}

fn fill(index: &mut KeywordIndex, catalogue: &Catalogue, users: u32, files: u32) {
    let (mut spent, mut names) = (0, 0);
    for batch in (0..users).collect::<Vec<_>>().chunks(50) {
        let shared: Vec<_> = batch.iter().map(|user| prepare(catalogue.user(*user, files))).collect();
        names += shared.iter().flatten().map(|file| file.0.len()).sum::<usize>();
        let before = cpu();
        for (user, shared) in batch.iter().zip(&shared) {
            add(index, OwnerId(*user), shared);
        }
        spent += cpu() - before;
    }
    let count = f64::from(index.size().documents);
    println!(
        "{} files of {users} users, {} words and keys, {:.1} bytes a name: {:.2} µs of CPU a file",
        index.size().documents,
        index.size().words,
        names as f64 / count,
        spent as f64 / 1e3 / count
    );
}

fn report_memory(index: &KeywordIndex, base: u64) {
    let (size, count) = (index.size(), f64::from(index.size().documents));
    println!(
        "  memory: {:.1} bytes a file by its own account, {:.1} of the process ({} MiB)",
        size.bytes as f64 / count,
        (resident() - base) as f64 / count,
        (resident() - base) >> 20
    );
}

fn measure_searches(index: &mut KeywordIndex, catalogue: &Catalogue, searches: u32) {
    let mut rng = Rng(99);
    let texts: Vec<String> = (0..searches).map(|_| catalogue.query(&mut rng)).collect();
    let starts: Vec<u32> = texts.iter().map(|_| rng.below(index.size().documents)).collect();
    // Latency is the least of three rounds, so that other programs on this machine do not count.
    let mut nanos = vec![u64::MAX; texts.len()];
    let (mut hits, mut bytes, mut partial) = (0_u64, 0_u64, 0_u64);
    let before = cpu();
    for _ in 0..3 {
        for ((text, start), least) in texts.iter().zip(&starts).zip(&mut nanos) {
            let began = Instant::now();
            let words = Words::of(text.as_bytes());
            let query = Query { order: Order::From(DocId(*start)), ..Query::new(&words) };
            let answer = index.search(&query, &mut |hit| bytes += hit.entry.name.len() as u64);
            hits += u64::from(answer.hits);
            partial += u64::from(answer.partial);
            *least = (*least).min(began.elapsed().as_nanos() as u64);
        }
    }
    let each = (cpu() - before) as f64 / 3.0 / f64::from(searches);
    nanos.sort_unstable();
    let at = |share: f64| nanos[((nanos.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!(
        "  searches: {:.1} µs of CPU, {:.1} hits each, {:.0} a second a core; half in {:.1} µs, 99% in {:.1} µs, \
         all in {:.1} µs; {:.2}% partial",
        each / 1e3,
        hits as f64 / 3.0 / f64::from(searches),
        1e9 / each,
        at(0.5),
        at(0.99),
        at(1.0),
        partial as f64 / 3.0 / f64::from(searches) * 100.0
    );
    assert!(bytes > 0, "something was found");
}

/// Some searches against a plain scan.
fn compare(index: &mut KeywordIndex, catalogue: &Catalogue, files: u32) {
    let searches = (30_000_000 / files.max(1)).clamp(3, 300);
    let mut all: Vec<(DocId, Vec<Vec<u8>>)> = Vec::new();
    for owner in 0.. {
        let before = all.len();
        index.browse(OwnerId(owner), |hit| {
            all.push((hit.doc, Words::of(hit.entry.name).iter().map(<[u8]>::to_vec).collect()));
            true
        });
        if all.len() == before || all.len() > 2_000_000 {
            break;
        }
    }
    let highest = all.iter().map(|(doc, _)| *doc).max().unwrap_or(DocId(0));
    let mut rng = Rng(5);
    for _ in 0..searches {
        let words = Words::of(catalogue.query(&mut rng).as_bytes());
        let has = |of: &[Vec<u8>]| words.iter().all(|word| of.iter().any(|other| other == word));
        let mut expected: Vec<DocId> = all.iter().filter(|(_, of)| has(of)).map(|(doc, _)| *doc).collect();
        expected.sort_unstable();
        let mut found = Vec::new();
        let query = Query { limit: u32::MAX, work: u32::MAX, ..Query::new(&words) };
        index.search(&query, &mut |hit| found.push(hit.doc));
        found.retain(|doc| *doc <= highest);
        assert_eq!(found, expected, "{words:?}");
    }
    println!("  {searches} answers equal a plain scan of {} files", all.len());
}

/// Users leave and others come.
fn churn(index: &mut KeywordIndex, catalogue: &Catalogue, users: u32, files: u32) {
    let (mut left, mut came, mut removed, mut longest) = (0, 0, 0_u32, 0);
    let mut rng = Rng(3);
    for round in 0..(users / 2).min(2_000) {
        let owner = OwnerId(rng.below(users));
        let shared = prepare(catalogue.user(users + round, files));
        let (before, began) = (cpu(), Instant::now());
        removed += index.remove_owner(owner);
        longest = longest.max(began.elapsed().as_micros());
        let middle = cpu();
        add(index, owner, &shared);
        left += middle - before;
        came += cpu() - middle;
    }
    let per = |nanos: u64| nanos as f64 / 1e3 / f64::from(removed.max(1));
    println!(
        "  churn: {:.2} µs of CPU a file to remove, {:.2} to add again; longest sweep of {files} files {longest} µs",
        per(left),
        per(came)
    );
}
