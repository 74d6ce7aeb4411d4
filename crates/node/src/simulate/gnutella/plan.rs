//! What a run is to be: its mode, sizes and failures, the choices of its servents, and what it tells.

use super::super::measure::Figures;
use super::graph::Shape;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Entropy, SplitMix64};
use throng_overlay::gnutella::{Config, Limits, Role, RoleChoice, Timing};
use throng_overlay::host_cache::CacheLimits;

/// How queries travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// All servents alike, TTL 7, as in 2000.
    Flood,
    /// Leaves and ultrapeers; ultrapeers flood each other, route tables keep queries from leaves and the last hop.
    Tables,
    /// Likewise, but ultrapeers search link by link until they have enough.
    Dynamic,
}

/// Who dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Victims {
    /// Anybody.
    Random,
    /// Those with most links; of two kinds, ultrapeers.
    Best,
}

/// What is simulated.
#[derive(Clone, Debug)]
pub struct GnutellaPlan {
    /// Servents.
    pub nodes: u32,
    /// How queries travel.
    pub mode: Mode,
    /// Share of ultrapeers.
    pub ultrapeers: f64,
    /// The graph of plain servents, or of ultrapeers.
    pub shape: Shape,
    /// Its mean degree; by default 6 for plain servents, 32 for ultrapeers.
    pub degree: Option<u32>,
    /// Files a servent.
    pub files: u32,
    /// All randomness comes from it.
    pub seed: u64,
    /// Searches; as many again after a failure.
    pub queries: u32,
    /// Share of the servents, or of the best connected ones, that die.
    pub fail: f64,
    /// Which.
    pub victims: Victims,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct GnutellaFigures {
    /// What all scenarios tell. A message counts on each link it goes over; searches after a failure are asked 30 s
    /// after it.
    pub common: Figures,
    /// Ultrapeers.
    pub ultrapeers: u32,
    /// Links a servent, or an ultrapeer with others.
    pub degree: f64,
    /// Queries alone, of the messages a search.
    pub queries_per_query: f64,
    /// Copies of queries that came again, a search.
    pub duplicates_per_query: f64,
    /// Bytes a second and servent while nobody asks.
    pub idle_bytes: f64,
    /// Share of the survivors that still hang together, at once and after 30 s.
    pub connected: Option<(f64, f64)>,
    /// Share of surviving leaves that have an ultrapeer again after 30 s.
    pub recovered: Option<f64>,
}

impl GnutellaPlan {
    /// How many ultrapeers there are.
    pub(super) fn ultrapeer_count(&self) -> u32 {
        match self.mode {
            Mode::Flood => 0,
            _ => ((f64::from(self.nodes) * self.ultrapeers).round() as u32).clamp(1, self.nodes),
        }
    }

    pub(super) fn degree(&self) -> u32 {
        self.degree.unwrap_or(if self.mode == Mode::Flood { 6 } else { 32 })
    }

    /// The choices of a role; `links` is how many an ultrapeer has with others.
    fn config(&self, role: Role, links: u32) -> Arc<Config> {
        let hosts = CacheLimits { hosts: 24, first_wait: Duration::from_secs(5), ..CacheLimits::default() };
        let leaves = f64::from(self.nodes) / f64::from(self.ultrapeer_count().max(1)) * 3.0 * 1.5;
        let limits = Limits {
            plain: 3,
            most_plain: usize::MAX,
            ultrapeers: links as usize,
            leaves: (leaves as usize).max(200),
            handshakes: usize::MAX,
            hosts,
            ..Limits::default()
        };
        let seconds = Duration::from_secs;
        let timing = Timing { handshake: seconds(10), tables: seconds(30), ..Timing::default() };
        Arc::new(Config {
            agent: String::new(),
            role: RoleChoice::Fixed(role),
            deflate: false,
            dynamic: self.mode == Mode::Dynamic,
            table_bits: (10, 15),
            limits,
            timing,
            ..Config::default()
        })
    }
}

/// The choices of all servents; those of ultrapeers differ where their degrees follow a power law.
pub(super) struct Configs {
    plain: Arc<Config>,
    leaf: Arc<Config>,
    /// By degree: the first is the smallest.
    ultrapeers: Vec<Arc<Config>>,
}

impl Configs {
    pub(super) fn new(plan: &GnutellaPlan) -> Configs {
        let degree = plan.degree();
        let degrees: Vec<u32> = match plan.shape {
            Shape::Regular => vec![degree],
            // Each twice as many as the one before, and a third as often: the mean is about the degree.
            Shape::Power => [1, 2, 4, 8].map(|times| (degree / 2 * times).max(2)).to_vec(),
        };
        let ultrapeers = degrees.into_iter().map(|links| plan.config(Role::Ultrapeer, links)).collect();
        Configs { plain: plan.config(Role::Plain, 0), leaf: plan.config(Role::Leaf, 0), ultrapeers }
    }

    pub(super) fn of(&self, number: u32, ultrapeers: u32, rng: &mut SplitMix64) -> Arc<Config> {
        if ultrapeers == 0 {
            return Arc::clone(&self.plain);
        }
        if number >= ultrapeers {
            return Arc::clone(&self.leaf);
        }
        let mut class = 0;
        while class + 1 < self.ultrapeers.len() && rng.below(3) == 0 {
            class += 1;
        }
        Arc::clone(&self.ultrapeers[class])
    }
}
