//! One case: a seed, a downloader, a tracker and a torrent; it passes if the SHA-256 of every file is right.

use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use throng_bench::data;
use throng_bench::lab::{Host, Lab};
use throng_bench::process::Running;
use throng_bench::program::{Job, Opentracker, Program, Throng, ThrongTracker, Tracker, scrape};
use throng_bench::torrent::{self, Format, Torrent};

use crate::wanted::{Turn, installed};

/// Longest time one transfer may take; Transmission alone may need 20 s to let the first byte go.
const DEADLINE: Duration = Duration::from_secs(100);
const TRACKER_PORT: u16 = 6969;
/// Every peer has its own address, so all may use one port.
pub(crate) const PORT: u16 = 6881;
/// Fast enough to begin, slow enough to be caught in the middle; bytes a second.
const SLOW: u64 = 2 << 20;

/// What is in the torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// One file that is no multiple of a piece or a block.
    File,
    /// Files of many sizes in two folders, an empty one among them.
    Folder,
}

/// What the downloader is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Torrent,
    Magnet,
}

/// What the downloader already has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Zero,
    /// About half of the data. throng is killed in the middle of a download; others find what one left.
    Resumed,
}

/// Who introduces the peers, and over which protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    OurHttp,
    OurUdp,
    OpentrackerHttp,
    OpentrackerUdp,
}

/// All that varies between two programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) format: Format,
    pub(crate) content: Content,
    pub(crate) source: Source,
    pub(crate) start: Start,
    pub(crate) through: Through,
}

/// The built program.
pub(crate) fn throng() -> Throng {
    Throng { program: PathBuf::from(env!("CARGO_BIN_EXE_throng")) }
}

impl Through {
    pub(crate) fn tracker(self) -> Box<dyn Tracker> {
        match self {
            Self::OurHttp | Self::OurUdp => Box::new(ThrongTracker { program: throng().program }),
            Self::OpentrackerHttp | Self::OpentrackerUdp => Box::new(Opentracker),
        }
    }

    fn url(self, at: SocketAddrV4) -> String {
        let scheme = match self {
            Self::OurHttp | Self::OpentrackerHttp => "http",
            Self::OurUdp | Self::OpentrackerUdp => "udp",
        };
        format!("{scheme}://{at}/announce")
    }
}

/// Where a case happens: temporary folders, a network, a running tracker, a torrent of some content.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) lab: Lab,
    pub(crate) torrent: Torrent,
    content: PathBuf,
    tracker: SocketAddrV4,
    tracker_host: Host,
    _running: Running,
    _turn: Turn,
}

impl Place {
    pub(crate) fn make(format: Format, content: Content, through: Through) -> Result<Self> {
        let turn = Turn::wait();
        let folder = tempfile::Builder::new().prefix("throng-interop-").tempdir()?;
        // opentracker drops root and must still reach its list.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let path = make_content(folder.path(), content)?;
        let mut lab = Lab::bridged()?;
        let tracker_host = lab.host()?;
        let tracker = SocketAddrV4::new(tracker_host.address, TRACKER_PORT);
        let url = through.url(tracker);
        let torrent = torrent::make(&path, &folder.path().join("t.torrent"), format, 256 << 10, Some(&url))?;
        let served = through.tracker();
        let mut running = served.start(&tracker_host, TRACKER_PORT, &torrent.info_hashes, folder.path())?;
        running.wait_ready(Instant::now() + DEADLINE)?;
        Ok(Self {
            folder,
            lab,
            torrent,
            content: path,
            tracker,
            tracker_host,
            _running: running,
            _turn: turn,
        })
    }

    /// A new folder for one participant.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// The path or link that stands for the torrent.
    pub(crate) fn source(&self, source: Source) -> Result<&str> {
        match source {
            Source::Torrent => self.torrent.file.to_str().context("a path that is not UTF-8"),
            Source::Magnet => Ok(&self.torrent.magnet),
        }
    }

    /// Starts a seed on a new host and waits until the tracker knows it.
    pub(crate) fn seed(&mut self, program: &dyn Program) -> Result<Running> {
        let host = self.lab.host()?;
        let scratch = self.folder("seed")?;
        let dir = self.content.parent().context("the content has no folder")?;
        let mut seed =
            program.start_seed(&Job::new(&host, PORT, self.source(Source::Torrent)?, dir, &scratch))?;
        let deadline = Instant::now() + DEADLINE;
        seed.wait_ready(deadline)?;
        while self.complete_peers() == 0 {
            ensure!(Instant::now() < deadline, "the tracker never heard of the seed\n{}", seed.last_words());
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(seed)
    }

    /// Peers with all data, as the tracker counts them in the swarm that has most.
    pub(crate) fn complete_peers(&self) -> u64 {
        let hashes = self.torrent.info_hashes.iter();
        let counts =
            hashes.map(|hash| scrape(&self.tracker_host, self.tracker, hash).map_or(0, |(seeds, _)| seeds));
        counts.max().unwrap_or(0)
    }

    /// An error unless all of the content is in the `dir` of `program`, right to the last bit.
    pub(crate) fn check(&self, program: &dyn Program, dir: &Path) -> Result<()> {
        data::compare(&self.content, &dir.join("content"), program.makes_empty_files())
    }
}

fn make_content(folder: &Path, content: Content) -> Result<PathBuf> {
    let path = folder.join("source/content");
    if content == Content::File {
        fs::create_dir(folder.join("source"))?;
        data::write_file(&path, (12 << 20) + 12_345, 3)?;
        return Ok(path);
    }
    fs::create_dir_all(path.join("some folder/deep"))?;
    let sizes = [0, 1, 16_383, 16_384, 16_385, 262_143, 262_145, 300_000, 1_500_000, 5_000_001];
    for (seed, size) in (10..).zip(sizes) {
        data::write_file(&path.join(format!("{size} bytes")), size, seed)?;
        data::write_file(&path.join(format!("some folder/deep/{size}.bin")), size, seed + 100)?;
    }
    Ok(path)
}

/// Runs one case; returns at once if something it needs is not installed.
pub(crate) fn run(seed: &dyn Program, downloader: &dyn Program, plan: Plan) {
    if !installed(&[seed, downloader], plan.through.tracker().as_ref()) {
        return;
    }
    let outcome = transfer(seed, downloader, plan);
    let what = || format!("{} -> {}, {plan:?}", seed.name(), downloader.name());
    outcome.with_context(what).expect("the data arrives");
}

fn transfer(seed: &dyn Program, downloader: &dyn Program, plan: Plan) -> Result<()> {
    let mut place = Place::make(plan.format, plan.content, plan.through)?;
    let mut seeding = place.seed(seed)?;
    let host = place.lab.host()?;
    let (target, scratch) = (place.folder("target")?, place.folder("work")?);
    let mut job = Job::new(&host, PORT, place.source(plan.source)?, &target, &scratch);
    job.seed_on = false;
    if plan.start == Start::Resumed {
        leave_half(&place, downloader, &job)?;
    }
    let before = host.received()?;
    let mut fetching = downloader.start_fetch(&job)?;
    let complete = fetching.wait_complete(Instant::now() + DEADLINE);
    let received = host.received()?.saturating_sub(before);
    complete.with_context(|| format!("{received} bytes came\n{}", seeding.last_words()))?;
    fetching.stop()?;
    place.check(downloader, &target)?;
    if plan.start == Start::Resumed {
        let whole = data::warm(&place.content)?;
        ensure!(received < whole / 10 * 9, "{received} of {whole} bytes came again: nothing was kept");
    }
    seeding.kill()
}

/// Leaves in the job's folder what a download that was cut short leaves.
fn leave_half(place: &Place, downloader: &dyn Program, job: &Job<'_>) -> Result<()> {
    if downloader.name() != throng().name() {
        return data::copy_half(&place.content, &job.dir.join("content"));
    }
    let mut slow = job.clone();
    slow.download_limit = SLOW;
    let whole = data::warm(&place.content)?;
    let deadline = Instant::now() + DEADLINE;
    let before = job.host.received()?;
    let mut fetching = downloader.start_fetch(&slow)?;
    while job.host.received()?.saturating_sub(before) < whole / 2 {
        ensure!(!fetching.is_complete()?, "it completed although it was slowed down");
        ensure!(Instant::now() < deadline, "half the data did not come in time\n{}", fetching.last_words());
        std::thread::sleep(Duration::from_millis(20));
    }
    fetching.kill()
}
