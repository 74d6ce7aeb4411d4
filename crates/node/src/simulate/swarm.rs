//! `throng simulate swarm`: a flash crowd over the shipping machine.
//!
//! Hosts are numbered: 0 is the seed, 1 to `nodes` are the downloaders, then come the liars. Who is killed and who is
//! hidden is drawn from the seed, so the choice does not follow the order in which hosts meet the tracker.

use super::figures::CrowdFigures;
use super::memory;
use super::swarm_host::{HostPlan, SwarmHost, TrackerBook};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Entropy, FOREVER, Instant, SplitMix64};
use throng_sim::{Arrivals, Departure, Group, HostId, Incident, Latency, Nat, Network};
use throng_sim::{Profile, ProfileId, Scenario};
use throng_swarm::{Config, TorrentOptions};
use throng_wire::metainfo::{BuildError, Builder, Format, Hashes, Metainfo, Options, SourceFile};

/// Share of its blocks that a liar sends wrong: few enough that each piece needs a search for the culprit.
const LIES: f64 = 0.25;

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
    /// Share of the downloaders whose power fails, for good, at a third of T*; 0. At least one is spared.
    pub fail: f64,
    /// Share of the downloaders behind NATs that let nobody in; 0.
    pub hidden: f64,
    /// Hosts more that say they have everything and send one block in four wrong; 0.
    pub liars: u32,
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
            fail: 0.0,
            hidden: 0.0,
            liars: 0,
            until: Duration::from_secs(3_600),
        }
    }
}

impl Crowd {
    /// Whether there is a torrent of this size and piece length.
    pub fn check(&self) -> Result<(), BuildError> {
        self.builder().map(|_| ())
    }

    fn builder(&self) -> Result<Builder, BuildError> {
        let file = SourceFile { length: self.size, ..SourceFile::default() };
        let options = Options { format: Format::V1, piece_length: self.piece_length, ..Options::default() };
        Builder::single_file(b"crowd", file, options)
    }

    /// The torrent: hashes do not matter, data is never read.
    ///
    /// # Panics
    /// If [`Crowd::check`] fails.
    pub fn metainfo(&self) -> Arc<Metainfo> {
        let builder = self.builder().expect("the crowd was checked");
        let pieces = builder.layout().piece_count() as usize;
        let hashes = Hashes { v1: vec![0; 20 * pieces], ..Hashes::default() };
        Arc::new(builder.finish(hashes).expect("there is a hash for every piece"))
    }

    /// Pieces of the file; 0 if [`Crowd::check`] fails.
    pub fn pieces(&self) -> u32 {
        self.builder().map_or(0, |builder| builder.layout().piece_count())
    }

    /// The least time, in seconds, in which the whole crowd can have the file.
    pub fn t_star(&self) -> f64 {
        t_star(self.size, self.uplink, self.nodes, self.pieces())
    }

    /// When those that are killed are killed: a third of T*, before anybody can have everything from others.
    pub fn killed_at(&self) -> Duration {
        Duration::from_secs_f64((self.t_star() / 3.0).min(FOREVER.as_secs_f64()))
    }

    /// The downloaders that are killed, ascending.
    pub fn killed(&self) -> Vec<u32> {
        self.draw(self.count(self.fail).min(self.nodes.saturating_sub(1)), 1)
    }

    /// The downloaders behind NATs, ascending.
    pub fn hidden(&self) -> Vec<u32> {
        self.draw(self.count(self.hidden), 2)
    }

    /// The hosts that lie.
    pub fn liars(&self) -> std::ops::Range<u32> {
        self.nodes + 1..self.nodes + 1 + self.liars
    }

    fn count(&self, share: f64) -> u32 {
        (f64::from(self.nodes) * share.clamp(0.0, 1.0)).round() as u32
    }

    /// So many different downloaders, ascending; a stream of randomness of its own for each purpose.
    fn draw(&self, count: u32, purpose: u64) -> Vec<u32> {
        if count == 0 {
            return Vec::new();
        }
        let mut rng = SplitMix64::new(SplitMix64::mix(self.seed ^ 0x6372_6f77_6421, purpose));
        let mut hosts: Vec<u32> = (1..=self.nodes).collect();
        for place in 0..count.min(self.nodes) {
            let other = place + rng.below(self.nodes - place);
            hosts.swap(place as usize, other as usize);
        }
        hosts.truncate(count as usize);
        hosts.sort_unstable();
        hosts
    }

    /// The scenario: hosts, network, failures, end.
    pub fn scenario(&self) -> Scenario {
        let mut scenario = Scenario::new("swarm", self.seed);
        scenario.replay = format!("throng simulate swarm --nodes {} --seed {{seed}}", self.nodes);
        scenario.network = Network { latency: self.latency, count_hosts: true, ..Network::default() };
        let group = |count, profile| Group { count, profile, arrivals: Arrivals::Together(Duration::ZERO) };
        scenario.groups = vec![group(1, Profile::default()), group(self.nodes, Profile::default())];
        if self.liars > 0 {
            scenario.groups.push(group(self.liars, Profile::default()));
        }
        self.hide(&mut scenario, group(0, Profile { nat: Nat::Symmetric, ..Profile::default() }));
        for host in self.killed() {
            let stop = Incident::Stop(host..host + 1, Departure::Silent);
            scenario.incidents.push((self.killed_at(), stop));
        }
        scenario.until = self.until;
        scenario
    }

    /// Puts hosts behind NATs before they have called anybody; the empty group is there for its profile.
    fn hide(&self, scenario: &mut Scenario, behind_nat: Group) {
        let hidden = self.hidden();
        if hidden.is_empty() {
            return;
        }
        scenario.groups.push(behind_nat);
        let profile = ProfileId(scenario.groups.len() as u16);
        let changes = hidden.into_iter().map(|host| Incident::Change(host..host + 1, profile));
        scenario.incidents.extend(changes.map(|change| (Duration::ZERO, change)));
    }

    /// What host number `host` is like.
    pub fn plan(&self, host: HostId, meta: &Arc<Metainfo>, tracker: &Rc<RefCell<TrackerBook>>) -> HostPlan {
        let (seed, lies) = (host.0 == 0, self.liars().contains(&host.0));
        HostPlan {
            meta: meta.clone(),
            seed: seed || lies,
            lies: if lies { LIES } else { 0.0 },
            config: Config {
                upload_limit: Some(self.uplink),
                max_connections_per_torrent: self.connections,
                ..Config::default()
            },
            options: TorrentOptions { super_seed: seed && self.super_seed, ..TorrentOptions::default() },
            tracker: tracker.clone(),
        }
    }

    /// Runs it until every downloader that is not killed has everything; `progress` is told how many have, once a
    /// virtual second.
    ///
    /// # Panics
    /// If [`Crowd::check`] fails.
    pub fn run(&self, mut progress: impl FnMut(usize, Instant)) -> CrowdFigures {
        let (meta, tracker) = (self.metainfo(), Rc::new(RefCell::new(TrackerBook::default())));
        let resident = memory::resident();
        let mut sim = self.scenario().prepare(|host| SwarmHost::new(self.plan(host, &meta, &tracker)));
        let (end, killed) = (sim.now() + self.until, self.killed());
        let survivors = self.nodes as usize - killed.len();
        while sim.now() < end {
            sim.run_for(Duration::from_secs(1));
            let done = self.finished(sim.apps(), &killed).count();
            progress(done, sim.now());
            if done == survivors {
                break;
            }
        }
        CrowdFigures::take(self, &sim, resident)
    }

    /// When downloaders that were not killed had everything.
    pub(super) fn finished<'a>(
        &self,
        hosts: &'a [SwarmHost],
        killed: &'a [u32],
    ) -> impl Iterator<Item = Instant> + 'a {
        let downloaders = (0u32..).zip(hosts).skip(1).take(self.nodes as usize);
        let finished = downloaders.filter_map(|(host, app)| Some((host, app.finished?)));
        finished.filter(|(host, _)| killed.binary_search(host).is_err()).map(|(_, at)| at)
    }
}

/// The least time in which one seed and `nodes` downloaders, all with this uplink, can spread a file.
pub fn t_star(size: u64, uplink: u64, nodes: u32, pieces: u32) -> f64 {
    let generations = f64::from(nodes.max(1).ilog2());
    size as f64 / uplink as f64 * (1.0 + generations / f64::from(pieces.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 16 downloaders of 4 MiB over 512 KiB/s: T* is 8.1 s.
    fn small() -> Crowd {
        Crowd { nodes: 16, size: 4 << 20, uplink: 512 << 10, ..Crowd::default() }
    }

    #[test]
    fn a_run_tells_what_it_cost_and_the_same_seed_tells_the_same() {
        let figures = small().run(|_, _| ());
        assert_eq!((figures.queries, figures.finished.len(), figures.killed), (16, 16, 0));
        assert!(figures.bytes > 16 * (4 << 20), "every downloader got all: {} B", figures.bytes);
        assert!(figures.busiest > figures.messages / 17 && figures.busiest < figures.messages);
        assert_eq!(figures.trace, small().run(|_, _| ()).trace);
    }

    #[test]
    fn the_crowd_heals_when_a_third_of_it_loses_power() {
        let crowd = Crowd { fail: 0.33, ..small() };
        let figures = crowd.run(|_, _| ());
        assert_eq!((figures.killed, figures.queries, figures.finished.len()), (5, 11, 11));
        let healed = figures.healed.expect("all survivors got everything");
        assert!(healed > 2.0 && healed < 120.0, "{healed} s");
    }

    #[test]
    fn someone_survives_even_if_all_are_to_be_killed() {
        let crowd = Crowd { fail: 1.0, ..small() };
        assert_eq!((crowd.killed().len(), Crowd { nodes: 1, ..crowd }.killed().len()), (15, 0));
    }

    #[test]
    fn hidden_downloaders_get_everything_too() {
        let figures = Crowd { hidden: 0.5, ..small() }.run(|_, _| ());
        assert_eq!((figures.hidden, figures.finished.len()), (8, 16));
        assert_ne!(figures.trace, small().run(|_, _| ()).trace, "NATs change something");
    }

    #[test]
    fn liars_are_banned_and_nobody_else_is() {
        let figures = Crowd { liars: 2, ..small() }.run(|_, _| ());
        assert_eq!((figures.liars, figures.liars_banned, figures.honest_banned), (2, 2, 0));
        assert_eq!(figures.finished.len(), 16);
    }

    #[test]
    fn hosts_are_drawn_without_repetition_from_the_downloaders() {
        let crowd = Crowd { nodes: 1_000, fail: 0.25, hidden: 1.0, ..Crowd::default() };
        let killed = crowd.killed();
        assert_eq!(killed.len(), 250);
        assert!(killed.windows(2).all(|two| two[0] < two[1]) && killed[0] >= 1 && killed[249] <= 1_000);
        assert_eq!(crowd.hidden(), (1..=1_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_size_no_torrent_can_have_is_found_before_the_run() {
        assert!(small().check().is_ok());
        let crowd = Crowd { size: u64::MAX, piece_length: Some(16 << 10), ..small() };
        assert!(crowd.check().is_err());
        assert!(crowd.killed_at() <= FOREVER);
    }
}
