//! `throng simulate swarm`: a flash crowd over the shipping machine.

use super::swarm_host::{CONTENT, HostPlan, SwarmHost, TrackerBook};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::Instant;
use throng_sim::{Arrivals, Group, HostId, Latency, Network, Profile, Scenario, Sim};
use throng_swarm::{Config, TorrentOptions};
use throng_wire::metainfo::{Builder, Format, Hashes, Metainfo, Options, SourceFile};

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// Downloaders, besides the one seed.
    pub nodes: u32,
    /// All randomness comes from it.
    pub seed: u64,
    /// Bytes of the file.
    pub size: u64,
    /// Bytes a piece; the automatic choice.
    pub piece_length: Option<u32>,
    /// Uplink of every host in bytes a second, limited as a person would: by the program.
    pub uplink: u64,
    /// One-way latency between hosts.
    pub latency: Latency,
    /// Connections a host keeps.
    pub connections: usize,
    /// The seed super-seeds (BEP 16).
    pub super_seed: bool,
    /// Gives up after this much virtual time.
    pub until: Duration,
}

impl Default for Crowd {
    fn default() -> Crowd {
        Crowd {
            nodes: 1_000,
            seed: 1,
            size: 64 << 20,
            piece_length: None,
            uplink: 4 << 20,
            latency: Latency::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(60) },
            connections: 40,
            super_seed: false,
            until: Duration::from_secs(3_600),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct CrowdFigures {
    /// Least possible time: (F/U)(1 + ⌊log2 N⌋/M), in seconds.
    pub t_star: f64,
    /// Seconds until each downloader had everything, ascending; those that never had are missing.
    pub finished: Vec<f64>,
    /// Payload bytes the seed sent, over the size of the file.
    pub seed_copies: f64,
    /// Events handled.
    pub events: u64,
    /// The run's trace hash.
    pub trace: u64,
    /// Pieces of the file.
    pub pieces: u32,
}

impl Crowd {
    /// The torrent: hashes do not matter, data is never read.
    pub fn metainfo(&self) -> Arc<Metainfo> {
        let file = SourceFile { length: self.size, ..SourceFile::default() };
        let options = Options { format: Format::V1, piece_length: self.piece_length, ..Options::default() };
        let builder = Builder::single_file(b"crowd", file, options).expect("a plain file can be published");
        let pieces = builder.layout().piece_count() as usize;
        let hashes = Hashes { v1: vec![0; 20 * pieces], ..Hashes::default() };
        Arc::new(builder.finish(hashes).expect("there is a hash for every piece"))
    }

    /// The scenario: hosts, network, end.
    pub fn scenario(&self) -> Scenario {
        let mut scenario = Scenario::new("swarm", self.seed);
        scenario.replay = format!("throng simulate swarm --nodes {} --seed {{seed}}", self.nodes);
        scenario.network = Network { latency: self.latency, ..Network::default() };
        let group = |count| Group {
            count,
            profile: Profile::default(),
            arrivals: Arrivals::Together(Duration::ZERO),
        };
        scenario.groups = vec![group(1), group(self.nodes)];
        scenario.until = self.until;
        scenario
    }

    /// What host number `host` is like.
    pub fn plan(&self, host: HostId, meta: &Arc<Metainfo>, tracker: &Rc<RefCell<TrackerBook>>) -> HostPlan {
        let seed = host.0 == 0;
        HostPlan {
            meta: meta.clone(),
            seed,
            lies: 0.0,
            config: Config {
                upload_limit: Some(self.uplink),
                max_connections_per_torrent: self.connections,
                ..Config::default()
            },
            options: TorrentOptions { super_seed: seed && self.super_seed, ..TorrentOptions::default() },
            tracker: tracker.clone(),
        }
    }

    /// Runs it until every downloader has everything; `progress` is told how many have, once a virtual second.
    pub fn run(&self, mut progress: impl FnMut(usize, Instant)) -> CrowdFigures {
        let (meta, tracker) = (self.metainfo(), Rc::new(RefCell::new(TrackerBook::default())));
        let mut sim = self.scenario().prepare(|host| SwarmHost::new(self.plan(host, &meta, &tracker)));
        let end = sim.now() + self.until;
        while sim.now() < end {
            sim.run_for(Duration::from_secs(1));
            let done = sim.apps().iter().filter(|host| host.finished.is_some()).count();
            progress(done, sim.now());
            if done == self.nodes as usize {
                break;
            }
        }
        self.figures(&sim, meta.info.layout().piece_count())
    }

    fn figures(&self, sim: &Sim<SwarmHost>, pieces: u32) -> CrowdFigures {
        let finished = sim.apps().iter().filter_map(|host| host.finished);
        let mut finished: Vec<f64> = finished.map(|at| at.since(Instant::EPOCH).as_secs_f64()).collect();
        finished.sort_by(f64::total_cmp);
        let uploaded =
            sim.app(HostId(0)).swarm().status(CONTENT, sim.now()).map_or(0, |status| status.uploaded);
        CrowdFigures {
            t_star: t_star(self.size, self.uplink, self.nodes, pieces),
            finished,
            seed_copies: uploaded as f64 / self.size as f64,
            events: sim.probe().totals.events,
            trace: sim.trace().hash(),
            pieces,
        }
    }
}

/// The least time in which one seed and `nodes` downloaders, all with this uplink, can spread a file.
pub fn t_star(size: u64, uplink: u64, nodes: u32, pieces: u32) -> f64 {
    let generations = f64::from(nodes.max(1).ilog2());
    size as f64 / uplink as f64 * (1.0 + generations / f64::from(pieces.max(1)))
}
