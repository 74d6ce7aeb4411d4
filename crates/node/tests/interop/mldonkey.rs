//! Our supernode and an ordinary node of ours with mldonkey 3.2.1 (FastTrack). It is not packaged, so the test asks
//! `THRONG_MLDONKEY` for the program (`mlnet`) and says so when it is not set; a path that leads nowhere fails. It runs as
//! nobody in a namespace without a way out, with our supernode as the one it knows.
//!
//! It calls supernodes once a minute, so joining takes one or two. It uploads nothing (section 12 of the note), so its file
//! is found and not fetched; and it hashes rightly up to 300 KiB only, so its file is smaller.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use throng_bench::lab::{Host, Lab};
use throng_machine::{ContentId, Endpoint};
use throng_overlay::discovery::{Item, Query, Ticket};
use throng_overlay::http::Both;
use throng_overlay::supernode::{Command, Config, Event, FoundFile, Role};
use throng_runtime::net::socket::Source;
use throng_runtime::net::{NetConfig, Sockets};
use throng_runtime::supernode::{Member, Offering, Told};
use throng_wire::fasttrack::FtHasher;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::wanted::program;

const PORT: u16 = 1216;
/// Nobody else is asked for supernodes.
const OPTIONS: &str = "client_port = 1214\nredirectors = []\n";
const ITS_API: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4080);
/// The user without rights, on every Linux.
const NOBODY: u32 = 65_534;
/// It tries a supernode once a minute, and searches by hash as often.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
/// Its file: of what it hashes rightly.
const ITS_NAME: &str = "mongoose lullaby.mp3";
const ITS_SIZE: usize = 200_000;
/// Ours: of several of its requests, which are of 256 KiB.
pub(crate) const NAME: &str = "quokka serenade.ogg";
pub(crate) const SIZE: usize = 1_700_000;

/// The program on a host; killed with the test.
pub(crate) struct MlDonkey {
    host: Host,
    folder: PathBuf,
    child: Child,
}

impl Drop for MlDonkey {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl MlDonkey {
    /// Starts it with a file to share and one servent to call: a network's name, its options and where to.
    fn start(
        program: &Path,
        host: &Host,
        folder: &Path,
        (network, options, to): (&str, &str, SocketAddrV4),
    ) -> Result<MlDonkey> {
        fs::create_dir_all(folder.join("incoming/files"))?;
        fs::write(folder.join("incoming/files").join(ITS_NAME), data(ITS_SIZE, 3))?;
        // Nothing on the Internet is asked for; addresses of this network are called. Its buffer is
        // larger than it comes, or it reads more at once than it has room for, and closes.
        let core = "allow_local_network = true\nhttp_port = 4080\ntelnet_port = 0\ngui_port = 0\nweb_infos = []\n\
                    client_buffer_size = 500000\n";
        fs::write(folder.join("downloads.ini"), format!("enable_{network} = true\n{core}"))?;
        let cache = format!("cache = {{\n ultrapeers = [(\"{}\", {})]\n}}\n", to.ip(), to.port());
        let file = format!("{network}.ini");
        fs::write(folder.join(&file), format!("{options}{cache}"))?;
        for name in ["", "incoming", "incoming/files", "downloads.ini", &file] {
            chown(folder.join(name), Some(NOBODY), Some(NOBODY))?;
        }
        let mut command = host.namespace.command("setpriv");
        let user = NOBODY.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]).arg(program);
        command.env("MLDONKEY_DIR", folder).env("HOME", folder).current_dir(folder);
        let log = fs::File::create(folder.join("log"))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(MlDonkey { host: host.clone(), folder: folder.into(), child })
    }

    /// Says a command to its page; what the page shows.
    pub(crate) fn ask(&self, command: &str) -> Result<String> {
        self.page(&format!("/submit?q={}", command.replace(' ', "+")))
    }

    pub(crate) fn page(&self, path: &str) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.host.http_get(ITS_API, path)?).into_owned())
    }

    /// Waits for what a command shows; our nodes go on meanwhile.
    pub(crate) async fn shows<T>(
        &self,
        command: &str,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // It may not listen yet.
            let shown = self.ask(command).unwrap_or_default();
            if let Some(found) = wanted(&shown) {
                return Ok(found);
            }
            ensure!(Instant::now() < deadline, "mldonkey: {command} shows in vain {shown}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The file it has fetched, once it has.
    pub(crate) async fn fetched(&self, name: &str, size: usize) -> Result<Vec<u8>> {
        let path = self.folder.join("incoming/files").join(name);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match fs::read(&path) {
                Ok(bytes) if bytes.len() == size => return Ok(bytes),
                _ => ensure!(Instant::now() < deadline, "it did not fetch: {}", self.ask("vd")?),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

pub(crate) fn data(size: usize, seed: u32) -> Vec<u8> {
    (0..size as u32).map(|at| ((at * (7 + seed)) ^ (at >> 9) ^ (at >> 16)) as u8).collect()
}

/// Runs `test` on a host of ours beside a host of its own with mldonkey, which knows us by a network's name, options and
/// our port; nothing where the program is not named. The folder is for our files.
pub(crate) fn beside(
    (network, options, port): (&str, &str, u16),
    test: impl AsyncFnOnce(&MlDonkey, &Host, &Path) -> Result<()> + Send,
) -> Result<()> {
    let Some(program) = program("THRONG_MLDONKEY") else { return Ok(()) };
    let mut lab = Lab::bridged()?;
    let (ours, its) = (lab.host()?, lab.host()?);
    let folder = tempfile::Builder::new().prefix("throng-ml-").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let its_folder = folder.path().join("mldonkey");
    let to = SocketAddrV4::new(ours.address, port);
    let mldonkey = MlDonkey::start(&program, &its, &its_folder, (network, options, to))?;
    let outcome = ours.namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio::task::LocalSet::new().block_on(&runtime, test(&mldonkey, &ours, folder.path()))
    });
    let log = fs::read_to_string(its_folder.join("log")).unwrap_or_default();
    outcome.with_context(|| format!("its log: {log}"))
}

/// A node of ours at the host's address.
fn member(host: &Host, user: &str, role: Role, port: u16) -> Result<(Member, UnboundedReceiver<Told>)> {
    let at = SocketAddrV4::new(host.address, port);
    let source = Source::default().or_listening(host.address.into());
    let net = NetConfig { listen: Some(SocketAddr::V4(at)), source, ..NetConfig::default() };
    let sockets = Sockets::bind(&net)?;
    let config = Config { role, user: user.into(), address: Some(at), port, ..Config::default() };
    Ok(Member::start(config, (sockets, net), 0)?)
}

/// A file of ours.
fn offering(folder: &Path, bytes: &[u8]) -> Result<Offering> {
    let path = folder.join(NAME);
    fs::write(&path, bytes)?;
    let mut hasher = FtHasher::new(bytes.len() as u64);
    hasher.update(bytes);
    let ft_hash = Some(hasher.finish().0);
    let item = Item {
        title: NAME.into(),
        size: bytes.len() as u64,
        ft_hash,
        root: Some([5; 32]),
        ..Item::default()
    };
    let modified = fs::metadata(&path)?.modified()?;
    Ok(Offering { content: ContentId(1), item, path, modified, magnet: String::new() })
}

async fn until<T>(told: &mut UnboundedReceiver<Told>, wanted: impl Fn(Event) -> Option<T>) -> Result<T> {
    let found = async {
        while let Some(event) = told.recv().await {
            if let Both::Overlay(event) = event
                && let Some(found) = wanted(event)
            {
                return Ok(found);
            }
        }
        bail!("the node ended")
    };
    tokio::time::timeout(PATIENCE, found).await.context("waited in vain")?
}

async fn joins(member: &Member, told: &mut UnboundedReceiver<Told>, at: Vec<Endpoint>) -> Result<()> {
    member.command(Command::Join(at));
    until(told, |event| matches!(event, Event::Joined(_)).then_some(())).await
}

/// Its file, as our node finds it; it was shared before, so one search is enough.
async fn finds(node: &Member, told: &mut UnboundedReceiver<Told>, word: &str) -> Result<FoundFile> {
    let query = Query { words: vec![word.into()], limit: 1, timeout: Duration::from_secs(15) };
    node.command(Command::Find(Ticket(9), query));
    let found = until(told, |event| match event {
        Event::Found(_, file) => Some(Some(*file)),
        Event::Finished(_) | Event::Refused(..) => Some(None),
        _ => None,
    });
    found.await?.context("nothing was found")
}

/// The number of a result on its page, by the file's name.
pub(crate) fn result_of(page: &str, name: &str) -> Option<u32> {
    let before = &page[..page.find(&format!(">{name}"))?];
    let number = &before[before.rfind("results?d=")? + "results?d=".len()..];
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// It joins and publishes; each finds the other's file; it fetches ours.
async fn trades(mldonkey: &MlDonkey, host: &Host, folder: &Path) -> Result<()> {
    let (hub, mut hub_told) = member(host, "hub", Role::Super, PORT)?;
    joins(&hub, &mut hub_told, Vec::new()).await?;
    let (node, mut told) = member(host, "zoe", Role::Ordinary, 1300)?;
    let ours = data(SIZE, 0);
    node.publish(Ticket(5), &offering(folder, &ours)?);
    joins(&node, &mut told, vec![Endpoint::v4(host.address.octets(), PORT)]).await?;
    mldonkey.shows("vm", |page| page.contains("Connected to 1 servers").then_some(())).await?;
    let shared = || hub.look(|hub| hub.server().map(|server| server.gauges().files));
    let deadline = Instant::now() + PATIENCE;
    while shared() != Some(2) {
        ensure!(Instant::now() < deadline, "it published nothing: {:?} files", shared());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let found = finds(&node, &mut told, "mongoose").await.context("we search")?;
    let mut hasher = FtHasher::new(ITS_SIZE as u64);
    hasher.update(&data(ITS_SIZE, 3));
    ensure!(found.item.ft_hash == Some(hasher.finish().0), "another file was found: {found:?}");
    ensure!((found.item.size, found.at.port()) == (ITS_SIZE as u64, 1214), "{found:?}");
    mldonkey.ask("s serenade quokka")?;
    let number = mldonkey.shows("vr", |page| result_of(page, NAME)).await.context("it searches")?;
    mldonkey.page(&format!("/results?d={number}"))?;
    let got = mldonkey.fetched(NAME, SIZE).await?;
    ensure!(got == ours, "what it fetched differs");
    let violations = hub.look(|hub| hub.server().map(|server| server.violations().total()));
    ensure!(violations == Some(0), "it did nothing wrong, nor did we: {violations:?}");
    Ok(())
}

#[test]
fn mldonkey_joins_publishes_searches_and_fetches_through_our_supernode() -> Result<()> {
    beside(("fasttrack", OPTIONS, PORT), trades)
}
