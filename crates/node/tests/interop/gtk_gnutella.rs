//! Our servent with gtk-gnutella 1.2.3. It is not packaged, so the tests ask `THRONG_GTK_GNUTELLA` for the program and
//! say so when it is not set; a path that leads nowhere fails. Everything runs in a namespace without a way out, at
//! addresses it takes for public ones (100.64/10, each in its own /16).
//!
//! It thinks slowly. Without a window it refuses to search; `THRONG_GTK_GNUTELLA_WINDOW` names one that has a window, for
//! which Xvfb is started. As an ultrapeer it steps down after a minute where the clock is two years after its release.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sha1::{Digest, Sha1};
use throng_bench::lab::{Host, Lab};
use throng_machine::ContentId;
use throng_overlay::discovery::{self, Item, Query, Source, Ticket};
use throng_overlay::gnutella::{Command, Event, Role};
use throng_overlay::http::Both;
use throng_runtime::fetch::{RangeError, RangeSource as _};
use throng_runtime::gnutella::{Member, Offering, Told};
use throng_wire::gnutella::tiger::{TreeHasher, depth_for, height_of, root};
use throng_wire::gnutella::{Message, Urn, frame};
use tokio::sync::mpsc::{UnboundedReceiver, channel};

use crate::servent::{id_of, joins, member};
use crate::wanted::program;

const VARIABLE: &str = "THRONG_GTK_GNUTELLA";
const WINDOWED: &str = "THRONG_GTK_GNUTELLA_WINDOW";
/// The display of the one with a window.
const DISPLAY: &str = ":77";
const PORT: u16 = 6346;
/// It refuses to run as root.
const NOBODY: u32 = 65_534;
/// It measures sorting before it does anything else.
const PATIENCE: Duration = Duration::from_secs(180);
const OURS: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(100, 65, 0, 1);
const OUR_LEAF: Ipv4Addr = Ipv4Addr::new(100, 66, 0, 1);
/// The name of its file, and the words of it.
const ITS_NAME: &str = "wombat_lullaby_song.mp3";
const WORDS: [&str; 3] = ["wombat", "lullaby", "song"];
/// The names of our files.
const NAME: &str = "quokka_serenade_tune.ogg";
const PUSHED: &str = "echidna_nocturne_tune.ogg";
/// Large enough for several of its requests and for its tree.
const SIZE: usize = 1_700_000;

/// The program on a host, its folders beneath one; killed with the test.
struct Gtk {
    program: PathBuf,
    folder: PathBuf,
    host: Host,
    child: Child,
    /// What it draws on.
    screen: Option<Child>,
}

/// What it is started as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Leaf,
    Ultrapeer,
    /// A leaf with a window.
    Windowed,
}

impl Drop for Gtk {
    fn drop(&mut self) {
        // It may have ended before.
        for child in std::iter::once(&mut self.child).chain(&mut self.screen) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Gtk {
    /// Starts it, sharing what is in `share`, and waits until it can be asked.
    fn start(program: &Path, host: &Host, folder: &Path, role: As) -> Result<Gtk> {
        let at = |name: &str| folder.join(name);
        for name in ["", "share", "config", "incomplete", "complete", "corrupt"] {
            fs::create_dir_all(at(name))?;
            chown(at(name), Some(NOBODY), Some(NOBODY))?;
        }
        fs::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
        let mode = if role == As::Ultrapeer { 2 } else { 0 };
        let folders = [
            ("shared_dirs", "share"),
            ("store_downloading_files_to", "incomplete"),
            ("move_downloading_files_to", "complete"),
            ("move_corrupted_files_to", "corrupt"),
        ];
        let mut text = format!(
            "online_mode = TRUE\nconfigured_peermode = {mode}\nlisten_port = {PORT}\nforce_local_ip = TRUE\n\
             forced_local_ip = \"{THEIRS}\"\nbind_to_forced_local_ip = TRUE\nenable_udp = TRUE\nenable_dht = FALSE\n\
             enable_guess = FALSE\nis_firewalled = FALSE\nis_udp_firewalled = FALSE\nbrowse_host_enabled = TRUE\n"
        );
        for (name, folder) in folders {
            text.push_str(&format!("{name} = \"{}\"\n", at(folder).display()));
        }
        fs::write(at("config/config_gnet"), text)?;
        chown(at("config/config_gnet"), Some(NOBODY), Some(NOBODY))?;
        let mut command = Gtk::command(program, host, folder);
        let mut screen = None;
        if role == As::Windowed {
            let mut server = host.namespace.command("Xvfb");
            server.args([DISPLAY, "-screen", "0", "1024x768x24", "-ac"]);
            server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            screen = Some(server.spawn().context("Xvfb")?);
            command.env("DISPLAY", DISPLAY);
        } else {
            command.arg("--topless");
        }
        command.args(["--no-supervise", "--no-restart", "--log-stderr"]).arg(at("log"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let gtk = Gtk { program: program.into(), folder: folder.into(), host: host.clone(), child, screen };
        gtk.until("it answers", || Ok(gtk.ask("status")?.contains("Uptime")))?;
        Ok(gtk)
    }

    /// The program as nobody, its folder told.
    fn command(program: &Path, host: &Host, folder: &Path) -> std::process::Command {
        let mut command = host.namespace.command("setpriv");
        let user = NOBODY.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]).arg(program);
        command.env("GTK_GNUTELLA_DIR", folder.join("config")).env("HOME", folder).current_dir(folder);
        command
    }

    /// Says a line to its shell; what it answers.
    fn ask(&self, line: &str) -> Result<String> {
        let mut command = Gtk::command(&self.program, &self.host, &self.folder);
        command.arg("--shell").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        std::io::Write::write_all(
            &mut child.stdin.take().context("no input")?,
            format!("{line}\nquit\n").as_bytes(),
        )?;
        Ok(String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned())
    }

    /// A counter of its statistics.
    fn counted(&self, name: &str) -> Result<u64> {
        let said = self.ask("stats general")?;
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.with_context(|| format!("no {name} in: {said}"))
    }

    fn until(&self, what: &str, is: impl Fn() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is()? {
            ensure!(Instant::now() < deadline, "gtk-gnutella: waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }

    /// Puts a file into its shared folder.
    fn gives(folder: &Path, name: &str, data: &[u8]) -> Result<()> {
        fs::create_dir_all(folder.join("share"))?;
        Ok(fs::write(folder.join("share").join(name), data)?)
    }

    /// The file it has fetched, once it has; our servents go on meanwhile.
    async fn fetched(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.folder.join("complete").join(name);
        let deadline = Instant::now() + PATIENCE;
        while !path.exists() {
            ensure!(Instant::now() < deadline, "it did not fetch: {}", self.ask("downloads")?);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(fs::read(path)?)
    }
}

fn data(seed: u32) -> Vec<u8> {
    (0..SIZE as u32).map(|at| ((at * (7 + seed)) ^ (at >> 9) ^ (at >> 16)) as u8).collect()
}

/// A file of ours.
fn offering(number: u32, folder: &Path, name: &str, data: &[u8]) -> Result<Offering> {
    let path = folder.join(name);
    fs::write(&path, data)?;
    let size = data.len() as u64;
    let mut hasher = TreeHasher::new(height_of(size) - depth_for(size));
    hasher.update(data);
    let level: Arc<[_]> = hasher.finish().into();
    let (title, sha1) = (name.to_owned(), Some(Sha1::digest(data).into()));
    let item = Item { title, size, sha1, tiger: Some(root(&level)), ..Item::default() };
    let modified = fs::metadata(&path)?.modified()?;
    Ok(Offering {
        content: ContentId(number),
        item,
        tiger_level: level,
        path,
        modified,
        magnet: String::new(),
    })
}

/// Searches until there is a hit. Each time the words come in another order, as it answers the same ones only once.
async fn finds(
    member: &Member,
    told: &mut UnboundedReceiver<Told>,
    words: &[&str],
) -> Result<(Item, Source)> {
    for number in 1..=20_u32 {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let turn = number as usize % words.len();
        words.rotate_left(turn);
        if number > 2 {
            words.truncate(1);
        }
        let query = Query { words, limit: 1, timeout: Duration::from_secs(15) };
        member.command(Command::Discovery(discovery::Command::Find(Ticket(number), query)));
        while let Some(event) = told.recv().await {
            match event {
                Both::Overlay(Event::Discovery(discovery::Event::Found { item, source, .. })) => {
                    return Ok((item, source));
                }
                Both::Overlay(Event::Discovery(discovery::Event::Finished(over)))
                    if over == Ticket(number) =>
                {
                    break;
                }
                _ => {}
            }
        }
    }
    bail!("nothing was found")
}

/// All of a copy, waiting where it is busy.
async fn fetches(member: &Member, item: &Item, found: &Source) -> Result<Vec<u8>> {
    let mut source = member.source(item, found).context("no way to the copy")?;
    let (mut held, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while (held.len() as u64) < item.size {
        ensure!(Instant::now() < deadline, "it takes too long");
        let (into, mut bytes) = channel(4);
        let fetching = source.fetch(held.len() as u64..item.size, into);
        let collect = async {
            while let Some(bytes) = bytes.recv().await {
                held.extend_from_slice(&bytes);
            }
        };
        match tokio::join!(fetching, collect).0 {
            Ok(()) => {}
            Err(RangeError::Busy { retry_after, .. }) => tokio::time::sleep(retry_after).await,
            Err(RangeError::Broken(why)) => {
                eprintln!("broken: {why}");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(held)
}

/// Its file is found and fetched, its tree is right, its list names the file.
async fn takes(
    member: &Member,
    told: &mut UnboundedReceiver<Told>,
    theirs: &[u8],
    words: &[&str],
) -> Result<(Item, Source)> {
    let (item, found) = finds(member, told, words).await.context("we search")?;
    ensure!(item.sha1 == Some(Sha1::digest(theirs).into()), "another file was found: {item:?}");
    ensure!(fetches(member, &item, &found).await.context("we fetch")? == theirs, "the copy differs");
    let root = item.tiger.context("the hit names no tree")?;
    let (level, _) = member.tree(&item, &found, root).await.context("we fetch the tree")?;
    ensure!(level.len() > 1, "the tree is only its root");
    let list = member.browse(SocketAddr::from((THEIRS, PORT)).into()).await.context("we browse")?;
    let (header, payload, _) = frame(&list)?.context("an empty list")?;
    let Message::QueryHit(hit) = Message::parse(&header, payload)? else { bail!("no hit in the list") };
    ensure!(hit.records().any(|record| record.sha1() == item.sha1), "the list lacks the file");
    Ok((item, found))
}

/// The same, called by it.
async fn takes_by_push(member: &Member, (item, found): (Item, Source), theirs: &[u8]) -> Result<()> {
    let Source::Gnutella { at, servent, index, name, proxies, .. } = found else { bail!("found elsewhere") };
    let walled = Source::Gnutella { at, servent, index, name, firewalled: true, proxies };
    // It lets one address call five times a minute, and we are not to make it call more.
    tokio::time::sleep(Duration::from_secs(20)).await;
    ensure!(
        fetches(member, &item, &walled).await.context("we fetch by push")? == theirs,
        "the pushed copy differs"
    );
    Ok(())
}

/// Runs `test` within the host's namespace on a runtime of its own.
fn within(host: &Host, test: impl AsyncFnOnce() -> Result<()> + Send) -> Result<()> {
    host.namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio::task::LocalSet::new().block_on(&runtime, test())
    })
}

/// A host with the addresses of all.
fn lab() -> Result<(Lab, Host)> {
    let mut lab = Lab::loopback()?;
    let host = lab.host()?;
    for address in [OURS, THEIRS, OUR_LEAF] {
        host.namespace.run(&format!("ip address add {address}/32 dev lo"))?;
    }
    Ok((lab, host))
}

/// It has become a leaf of our ultrapeer and told what it shares: a search before that is over at once, as nobody is there
/// to be asked.
async fn links(gtk: &Gtk, hub: &Member) -> Result<()> {
    gtk.ask(&format!("node add {OURS} {PORT}"))?;
    let shares = |table: Option<(u32, u32)>| table.is_some_and(|(present, _)| present > 0);
    let linked = || {
        let links = hub.status().links;
        links.iter().any(|link| link.agent.starts_with("gtk-gnutella") && shares(link.table))
    };
    let deadline = Instant::now() + PATIENCE;
    while !linked() {
        ensure!(Instant::now() < deadline, "gtk-gnutella did not link: {:?}", hub.status());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Has it fetch a file from where `source` says, without a search.
fn told_of(gtk: &Gtk, file: &Offering, source: &str) -> Result<()> {
    let sha1 = Urn::Sha1(file.item.sha1.context("hashed")?);
    let at = format!("{source}/uri-res/N2R?{sha1}").replace(':', "%3A").replace('?', "%3F");
    let name = &file.item.title;
    gtk.ask(&format!("download add \"magnet:?xt={sha1}&xs={at}&dn={name}\"")).map(drop)
}

/// As a leaf of our ultrapeer: our leaf finds its file and fetches it, directly and by push; it fetches ours, both ways
/// too.
fn as_a_leaf(program: &Path) -> Result<()> {
    let (_lab, host) = lab()?;
    let folder = tempfile::Builder::new().prefix("throng-gtk-").tempdir()?;
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    let (ours, pushed, theirs, theirs_in) = (data(0), data(6), data(2), folder.path().join("gtk"));
    Gtk::gives(&theirs_in, ITS_NAME, &theirs)?;
    let gtk = Gtk::start(program, &host, &theirs_in, As::Leaf)?;
    within(&host, async || {
        let (hub, mut hub_told) = member((OURS, PORT), Role::Ultrapeer)?;
        joins(&hub, &mut hub_told, &[]).await?;
        let (leaf, mut told) = member((OUR_LEAF, PORT), Role::Leaf)?;
        let file = offering(1, folder.path(), NAME, &ours)?;
        let other = offering(2, folder.path(), PUSHED, &pushed)?;
        leaf.publish(Ticket(3), &file);
        leaf.publish(Ticket(4), &other);
        joins(&leaf, &mut told, &[(OURS, PORT)]).await?;
        links(&gtk, &hub).await?;
        let copy = takes(&leaf, &mut told, &theirs, &WORDS).await?;
        takes_by_push(&leaf, copy, &theirs).await?;
        told_of(&gtk, &file, &format!("http://{OUR_LEAF}:{PORT}"))?;
        ensure!(gtk.fetched(NAME).await? == ours, "what it fetched differs");
        // By way of our ultrapeer, its push proxy, our leaf is asked to call.
        let servent = id_of((OUR_LEAF, PORT)).hex();
        told_of(&gtk, &other, &format!("push://{servent}:{OURS}:{PORT}"))?;
        ensure!(gtk.fetched(PUSHED).await? == pushed, "what was pushed to it differs");
        ensure!(leaf.violations() == throng_overlay::http::Violations::default(), "{:?}", leaf.violations());
        Ok(())
    })
}

#[test]
fn gtk_gnutella_as_a_leaf_of_ours_trades_both_ways() -> Result<()> {
    program(VARIABLE).map_or(Ok(()), |program| as_a_leaf(&program))
}

/// As the ultrapeer of our leaf: its file is found and fetched.
fn as_an_ultrapeer(program: &Path) -> Result<()> {
    let (_lab, host) = lab()?;
    let folder = tempfile::Builder::new().prefix("throng-gtk-").tempdir()?;
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    let (theirs, theirs_in) = (data(2), folder.path().join("gtk"));
    Gtk::gives(&theirs_in, ITS_NAME, &theirs)?;
    let gtk = Gtk::start(program, &host, &theirs_in, As::Ultrapeer)?;
    if !gtk.ask("status")?.contains("Ultrapeer") {
        eprintln!("skipped: by this clock gtk-gnutella is too old to be an ultrapeer");
        return Ok(());
    }
    within(&host, async || {
        let (leaf, mut told) = member((OUR_LEAF, PORT), Role::Leaf)?;
        joins(&leaf, &mut told, &[(THEIRS, PORT)]).await?;
        takes(&leaf, &mut told, &theirs, &WORDS).await.map(drop)
    })
}

#[test]
fn gtk_gnutella_as_the_ultrapeer_of_our_leaf_is_searched_and_fetched_from() -> Result<()> {
    program(VARIABLE).map_or(Ok(()), |program| as_an_ultrapeer(&program))
}

/// With a window it searches, and takes what our leaf answers.
fn with_a_window(program: &Path) -> Result<()> {
    let (_lab, host) = lab()?;
    let folder = tempfile::Builder::new().prefix("throng-gtk-").tempdir()?;
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    let (ours, theirs_in) = (data(0), folder.path().join("gtk"));
    Gtk::gives(&theirs_in, ITS_NAME, &data(2))?;
    let gtk = Gtk::start(program, &host, &theirs_in, As::Windowed)?;
    within(&host, async || {
        let (hub, mut hub_told) = member((OURS, PORT), Role::Ultrapeer)?;
        joins(&hub, &mut hub_told, &[]).await?;
        let (leaf, mut told) = member((OUR_LEAF, PORT), Role::Leaf)?;
        leaf.publish(Ticket(3), &offering(1, folder.path(), NAME, &ours)?);
        joins(&leaf, &mut told, &[(OURS, PORT)]).await?;
        links(&gtk, &hub).await?;
        let before = gtk.counted("local_query_hits")?;
        gtk.ask("search add \"quokka serenade\"")?;
        let deadline = Instant::now() + PATIENCE;
        while gtk.counted("local_query_hits")? == before {
            let answered = leaf.status().metrics.answered;
            ensure!(Instant::now() < deadline, "it found nothing; we answered {answered} times");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        ensure!(leaf.status().metrics.answered > 0, "somebody else answered");
        Ok(())
    })
}

#[test]
fn gtk_gnutella_with_a_window_searches_and_takes_our_hits() -> Result<()> {
    program(WINDOWED).map_or(Ok(()), |program| with_a_window(&program))
}
