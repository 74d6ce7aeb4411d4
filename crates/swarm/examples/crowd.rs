//! Scratch.
#[path = "../../node/src/simulate/mod.rs"]
mod simulate;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let nodes: u32 = a[1].parse().unwrap();
    let piece: u32 = a[2].parse().unwrap();
    let conns: usize = a[3].parse().unwrap();
    let ss = a.get(4).is_some_and(|s| s == "ss");
    let c = simulate::swarm::Crowd { nodes, piece_length: (piece>0).then_some(piece<<10), connections: conns, super_seed: ss, until: std::time::Duration::from_secs(200), ..Default::default() };
    let t = std::time::Instant::now();
    let f = c.run(|d, at| if std::env::var("V").is_ok() { eprintln!("{d} {at:?}") });
    let n = f.finished.len();
    println!("nodes {nodes} pieces {} conns {conns} ss {ss}: done {n} t* {:.2} first {:.2} med {:.2} last {:.2} ratio {:.3} copies {:.2} events {} wall {:?}", f.pieces, f.t_star, f.finished.first().unwrap_or(&0.), f.finished.get(n/2).unwrap_or(&0.), f.finished.last().unwrap_or(&0.), f.finished.last().unwrap_or(&0.)/f.t_star, f.seed_copies, f.events, t.elapsed());
}
