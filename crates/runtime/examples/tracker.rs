//! A bare tracker for measurements: `tracker ADDR` serves until its standard input ends.

use std::io::Read as _;

use throng_runtime::tracker::{TrackerConfig, TrackerServer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into()).parse()?;
    let server = TrackerServer::start(TrackerConfig { listen, ..TrackerConfig::default() })?;
    println!("{}", server.local_addr());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop();
    Ok(())
}
