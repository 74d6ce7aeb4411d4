//! A simulated peer: the shipping swarm machine, a disk that hashes, and a tracker that always answers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{ContentId, Endpoint, Entropy, Extent, Instant};
use throng_sim::{App, HostIo, Placed, ReadOutcome};
use throng_swarm::{
    AddTorrent, AnnounceEvent, BlockDigests, Command, Config, Event, Swarm, TorrentOptions, TrackerOutcome,
};
use throng_wire::ids::PieceIndex;
use throng_wire::metainfo::Metainfo;

/// The one torrent of a simulated host.
pub const CONTENT: ContentId = ContentId(0);
const BLOCK: u64 = 16 << 10;
/// Peers a tracker gives at once, as common trackers do.
const TRACKER_PEERS: usize = 50;
/// Time a tracker takes to answer.
const TRACKER_DELAY: Duration = Duration::from_millis(50);

/// The tracker all hosts of a simulation share: it is part of the world, not under test.
#[derive(Default)]
pub struct TrackerBook {
    peers: Vec<Endpoint>,
    announces: u64,
}

impl TrackerBook {
    fn announce(&mut self, from: Endpoint, event: AnnounceEvent, rng: &mut dyn Entropy) -> Vec<Endpoint> {
        self.announces += 1;
        let peers = self.sample(rng);
        match event {
            AnnounceEvent::Stopped => self.peers.retain(|peer| *peer != from),
            AnnounceEvent::Started if !self.peers.contains(&from) => self.peers.push(from),
            _ => {}
        }
        peers
    }

    fn sample(&self, rng: &mut dyn Entropy) -> Vec<Endpoint> {
        if self.peers.len() <= TRACKER_PEERS {
            return self.peers.clone();
        }
        let mut chosen = BTreeSet::new();
        while chosen.len() < TRACKER_PEERS {
            chosen.insert(rng.below(self.peers.len() as u32));
        }
        chosen.into_iter().map(|index| self.peers[index as usize]).collect()
    }
}

/// What a host is like.
#[derive(Clone)]
pub struct HostPlan {
    /// The torrent, shared by all.
    pub meta: Arc<Metainfo>,
    /// It begins with everything.
    pub seed: bool,
    /// It sends wrong data in that share of its blocks.
    pub lies: f64,
    /// The machine's choices; its peer id is replaced.
    pub config: Config,
    /// The torrent's choices.
    pub options: TorrentOptions,
    /// The tracker.
    pub tracker: Rc<RefCell<TrackerBook>>,
}

/// A simulated peer.
pub struct SwarmHost {
    plan: HostPlan,
    machine: Swarm,
    /// What its disk keeps over a restart.
    stored: BTreeSet<u32>,
    /// Wrong blocks of pieces that are not verified yet, by their offsets.
    wrong: BTreeMap<u64, Box<[u8]>>,
    /// When it had everything.
    pub finished: Option<Instant>,
    /// Peers it shut out.
    pub banned: Vec<Endpoint>,
    /// Pieces that came wrong.
    pub rejected: u32,
    storage_failed: bool,
}

impl SwarmHost {
    /// A host that is not started yet.
    pub fn new(plan: HostPlan) -> SwarmHost {
        let pieces = plan.meta.info.layout().piece_count();
        let stored = if plan.seed { (0..pieces).collect() } else { BTreeSet::new() };
        let machine = Swarm::new(Config::default(), 0);
        SwarmHost {
            plan,
            machine,
            stored,
            wrong: BTreeMap::new(),
            finished: None,
            banned: Vec::new(),
            rejected: 0,
            storage_failed: false,
        }
    }

    /// The machine, to look at.
    pub fn swarm(&self) -> &Swarm {
        &self.machine
    }

    /// Whether it began with everything.
    pub fn is_seed(&self) -> bool {
        self.plan.seed
    }

    /// How many pieces it has stored.
    pub fn stored(&self) -> usize {
        self.stored.len()
    }

    fn bitfield(&self) -> Vec<u8> {
        let mut bits = vec![0u8; self.plan.meta.info.layout().piece_count().div_ceil(8) as usize];
        for piece in &self.stored {
            bits[*piece as usize / 8] |= 0x80 >> (piece % 8);
        }
        bits
    }

    fn span(&self, piece: u32) -> std::ops::Range<u64> {
        let layout = self.plan.meta.info.layout();
        let begin = layout.piece_offset(PieceIndex(piece));
        begin..begin + u64::from(layout.piece_len(PieceIndex(piece)))
    }

    fn hash(&mut self, piece: u32, io: &mut HostIo<'_, SwarmHost>) {
        let span = self.span(piece);
        if self.wrong.range(span.clone()).next().is_none() {
            self.stored.insert(piece);
            let digests = self.machine.compares(CONTENT, piece).then(|| self.digests(piece));
            io.command(Command::PieceVerified(CONTENT, piece, digests));
        } else {
            self.rejected += 1;
            io.command(Command::PieceRejected(CONTENT, piece, self.digests(piece)));
        }
    }

    /// Digests that differ exactly where a block is wrong.
    fn digests(&self, piece: u32) -> BlockDigests {
        let blocks = self.span(piece).step_by(BLOCK as usize);
        let digest = |begin: u64| match self.wrong.range(begin..begin + BLOCK).next() {
            Some(_) => !begin,
            None => begin,
        };
        BlockDigests::Short(blocks.map(digest).collect())
    }

    fn forget_wrong(&mut self, piece: u32) {
        let span = self.span(piece);
        self.wrong.retain(|at, _| !span.contains(at));
    }
}

impl App for SwarmHost {
    type Machine = Swarm;

    fn machine(&mut self) -> &mut Swarm {
        &mut self.machine
    }

    fn on_start(&mut self, io: &mut HostIo<'_, Self>) {
        let mut config = self.plan.config.clone();
        config.peer_id[8..].copy_from_slice(format!("{:012}", io.host().0).as_bytes());
        config.listen_port = io.endpoint().port();
        self.machine = Swarm::new(config, io.host().0);
        let meta = self.plan.meta.clone();
        io.command(Command::Add(Box::new(AddTorrent {
            content: CONTENT,
            info_hashes: meta.info.swarms().map(|hash| hash.0).collect(),
            info_hash_v2: meta.info.hash_v2().map(|hash| hash.0),
            have: self.bitfield(),
            trackers: vec![vec![String::from("sim")]],
            options: self.plan.options.clone(),
            metainfo: Some(meta),
        })));
    }

    fn on_stop(&mut self) {
        self.wrong.clear();
    }

    fn on_event(&mut self, event: Event, io: &mut HostIo<'_, Self>) {
        match event {
            Event::PieceComplete(_, piece) => {
                let span = self.span(piece);
                io.disk(span.end - span.start, u64::from(piece));
            }
            Event::DropPiece(_, piece) => self.forget_wrong(piece),
            Event::Finished(_) => self.finished = self.finished.or(Some(io.now())),
            Event::Banned { peer, .. } => self.banned.push(peer),
            Event::Announce(announce) => {
                let own = io.endpoint();
                let mut peers = self.plan.tracker.borrow_mut().announce(own, announce.event, io.rng());
                peers.retain(|peer| *peer != own);
                let outcome = TrackerOutcome::Answered {
                    interval: Duration::from_secs(1800),
                    min_interval: None,
                    peers,
                    counts: None,
                };
                io.command_after(TRACKER_DELAY, Command::Announced(CONTENT, announce.request, outcome));
            }
            _ => {}
        }
    }

    fn on_tick(&mut self, _tag: u64, io: &mut HostIo<'_, Self>) {
        self.storage_failed = false;
        io.command(Command::StorageRecovered(CONTENT));
    }

    fn on_disk(&mut self, piece: u64, ok: bool, io: &mut HostIo<'_, Self>) {
        if ok && !self.storage_failed {
            self.hash(piece as u32, io);
        } else if !self.storage_failed {
            // The disk is full: somebody makes room after five seconds.
            self.storage_failed = true;
            io.command(Command::StorageFailed(CONTENT));
            io.tick_after(Duration::from_secs(5), 0);
        }
    }

    fn on_place(&mut self, placed: Placed<'_>, _io: &mut HostIo<'_, Self>) {
        if placed.corrupt {
            self.wrong.insert(placed.extent.offset, Box::default());
        } else {
            self.wrong.remove(&placed.extent.offset);
        }
    }

    fn on_read(&mut self, _extent: Extent, io: &mut HostIo<'_, Self>) -> ReadOutcome {
        let draw = io_draw(self.plan.lies, io);
        if draw { ReadOutcome::Corrupt } else { ReadOutcome::Good }
    }
}

fn io_draw(share: f64, io: &mut HostIo<'_, SwarmHost>) -> bool {
    share > 0.0 && f64::from(io.rng().below(1 << 20)) < share * f64::from(1 << 20)
}
