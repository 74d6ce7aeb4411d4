//! Measures two whole sessions in two processes: a seed and a fetch over loopback, hashing and writing included.
//!
//! `session_throughput make DIR MIB` makes a file and its torrent; `session_throughput seed DIR` prints its address and
//! serves until its input ends; `session_throughput fetch DIR TO ADDRESS` fetches, prints the figures and ends.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use throng_runtime::create::{Control, Source as Files, create};
use throng_runtime::session::{AddRequest, Session, SessionConfig, Source};
use throng_wire::metainfo::{Format, Metainfo, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match args.as_slice() {
        ["make", dir, mib] => make(Path::new(dir), mib.parse()?),
        ["seed", dir] => runtime.block_on(seed(Path::new(dir))),
        ["fetch", dir, to, at] => runtime.block_on(fetch(Path::new(dir), Path::new(to), at)),
        _ => Err("make DIR MIB | seed DIR | fetch DIR TO ADDRESS".into()),
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn make(dir: &Path, mib: usize) -> Outcome {
    let chunk: Vec<u8> = (0..1u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(dir.join("data"), chunk.repeat(mib))?;
    let options = Options { format: Format::V1, piece_length: Some(1 << 20), ..Options::default() };
    let created = create(Files::scan(&dir.join("data"))?, options, Control::default())?;
    std::fs::write(dir.join("data.torrent"), created.metainfo.encode())?;
    Ok(())
}

fn torrent(dir: &Path) -> Result<Source, Box<dyn std::error::Error>> {
    Ok(Source::Metainfo(Arc::new(Metainfo::parse(&std::fs::read(dir.join("data.torrent"))?)?)))
}

fn config() -> SessionConfig {
    SessionConfig { listen: Some(([127, 0, 0, 1], 0).into()), ..SessionConfig::default() }
}

async fn seed(dir: &Path) -> Outcome {
    let session = Session::start(config())?;
    let add = AddRequest { read_only: true, ..AddRequest::new(torrent(dir)?, dir) };
    let mut torrent = session.add(add).await?;
    torrent.wait_finished().await?;
    println!("{}", session.local_addr().ok_or("not listening")?);
    let before = cpu_seconds("self");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    println!("{:?}", torrent.snapshot().notices);
    report("seed", before);
    Ok(())
}

async fn fetch(dir: &Path, to: &Path, at: &str) -> Outcome {
    let started = Instant::now();
    let session = Session::start(config())?;
    let add = AddRequest { peers: vec![at.parse()?], ..AddRequest::new(torrent(dir)?, to) };
    let mut torrent = session.add(add).await?;
    let patience = std::time::Duration::from_secs(20);
    if tokio::time::timeout(patience, torrent.wait_finished()).await.is_err() {
        let peers = session.peers(&torrent).await;
        return Err(format!("stalled: {:#?}\n{peers:#?}", torrent.snapshot()).into());
    }
    let seconds = started.elapsed().as_secs_f64();
    let mib = torrent.snapshot().status.map_or(0, |status| status.verified) >> 20;
    println!("fetch: {mib} MiB in {seconds:.2} s, {:.0} MiB/s", mib as f64 / seconds);
    report("fetch", 0.0);
    Ok(())
}

/// CPU used by the process, by thread name, and its peak memory.
fn report(name: &str, before: f64) {
    let mut threads = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let comm = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let id = task.file_name().to_string_lossy().into_owned();
        threads.push(format!("{} {:.2}", comm.trim(), cpu_seconds(&format!("self/task/{id}"))));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
    println!("{name}: {:.2} CPU s since ready; {}; {peak}", cpu_seconds("self") - before, threads.join(", "));
}

/// User and system time of a process or thread, at the 100 Hz the kernel counts in.
fn cpu_seconds(of: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        / 100.0
}
