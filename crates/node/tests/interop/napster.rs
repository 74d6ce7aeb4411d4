//! Our client, and our directory as a linked server, with directories we did not write: OpenNap 0.36 and opennap-ng
//! 0.50. Neither is packaged, so each test asks an environment variable for the program (`THRONG_OPENNAP`,
//! `THRONG_OPENNAP_NG`: paths) and says so when it is not set; a path that leads nowhere fails. Everything runs in a
//! namespace without a way out.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use throng_bench::lab::{Host, Lab};
use throng_machine::{ContentId, Endpoint};
use throng_overlay::directory::client::{Command, Config, Event, Search};
use throng_overlay::directory::server::{self, Peer};
use throng_overlay::discovery::Ticket;
use throng_runtime::directory::member::{Copy, Member, Offering};
use throng_runtime::directory::server::{DirectoryConfig, DirectoryServer, Notice};
use throng_runtime::fetch::RangeSource as _;
use throng_runtime::net::socket::Source;
use throng_runtime::net::{NetConfig, Sockets};
use tokio::sync::mpsc::{UnboundedReceiver, channel};

use crate::wanted::program;

const PORT: u16 = 8888;
/// The second host's address, where our own directory is when it is linked.
const OURS: &str = "10.77.0.2";
const WE_SEND: &str = "ocean";
const THEY_SEND: &str = "desert";
/// The user without rights, on every Linux.
const NOBODY: u32 = 65_534;
const SIZE: usize = 3_000_000;
const PATIENCE: Duration = Duration::from_secs(60);
const LINK: &str = "magnet:?xt=urn:btmh:1220000000000000000000000000000000000000000000000000000000000000aaaa";

/// A server of the time; killed with the test.
struct OpenNap(Child);

impl Drop for OpenNap {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it on a host, with its files in a folder.
fn start(program: &Path, is_ng: bool, host: &Host, folder: &Path) -> Result<OpenNap> {
    let address = host.address;
    // A linked server's name has to resolve, and a number does without asking anybody.
    let own = format!("server_name {address}\nmax_clones 0\n");
    let ng = "max_searches_per_minute 0\nmax_tags_per_minute 0\nstat_server_host none\n".to_owned();
    // It looks for a group of that name otherwise, and ends where there is none.
    let old = format!("config_dir {}\nuid {NOBODY}\ngid {NOBODY}\n", folder.display());
    let text = format!("{own}listen_addr {address}\nserver_ports {PORT}\n{}", if is_ng { ng } else { old });
    std::fs::write(folder.join("config"), text)?;
    for name in ["motd", "users", "block", "filter", "channels", "bans", "acl"] {
        std::fs::write(folder.join(name), "")?;
    }
    std::fs::write(folder.join("servers"), format!("{OURS} {WE_SEND} {THEY_SEND} {PORT}\n"))?;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o777))?;
    let mut command = host.namespace.command(program);
    if is_ng {
        command.arg("-c").arg(folder).arg("-e").arg(folder);
    } else {
        command.arg("-c").arg(folder.join("config"));
    }
    command.current_dir(folder);
    let log = std::fs::File::create(folder.join("out"))?;
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    Ok(OpenNap(child))
}

/// A client of ours at a host, reachable or not.
fn member(host: &Host, nick: &str, listens: bool) -> Result<(Member, UnboundedReceiver<Event>)> {
    let at = SocketAddr::from((host.address, 0));
    let source = Source::default().or_listening(at.ip());
    let net = NetConfig { listen: listens.then_some(at), source, ..NetConfig::default() };
    let sockets = Sockets::bind(&net)?;
    let config = Config { nick: nick.into(), ..Config::default() };
    Ok(Member::start(config, (sockets, net), Some((Ipv4Addr::UNSPECIFIED, 7117).into()))?)
}

async fn until<T>(told: &mut UnboundedReceiver<Event>, wanted: impl Fn(&Event) -> Option<T>) -> Result<T> {
    let mut seen = Vec::new();
    let found = async {
        while let Some(event) = told.recv().await {
            if let Some(found) = wanted(&event) {
                return Ok(found);
            }
            seen.push(event);
        }
        bail!("the client ended")
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| bail!("waited in vain; it told {seen:?}"))
}

async fn joins(member: &Member, told: &mut UnboundedReceiver<Event>, at: Endpoint) -> Result<()> {
    member.command(Command::Join(vec![at]));
    until(told, |event| matches!(event, Event::LoggedIn(..)).then_some(())).await
}

/// Searches until there is a hit: sharing has no answer.
async fn finds(member: &Member, told: &mut UnboundedReceiver<Event>, words: &str) -> Result<Copy> {
    for number in 1..50 {
        member.command(Command::Find(Ticket(number), Search::for_words(vec![words.into()])));
        let hit = until(told, |event| match event {
            Event::Found(_, file) => Some(Some(file.clone())),
            Event::Finished(_) | Event::Refused(..) => Some(None),
            _ => None,
        });
        if let Some(file) = hit.await? {
            return Ok(Copy { server: file.server, nick: file.nick, name: file.name, size: file.size });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("nothing was found")
}

/// Two ranges of a copy, the second first.
async fn fetches(member: &Member, copy: Copy) -> Result<Vec<u8>> {
    let mut source = member.source(copy);
    let middle = SIZE as u64 / 3;
    let mut halves = Vec::new();
    for range in [middle..SIZE as u64, 0..middle] {
        let (into, mut bytes) = channel(4);
        let fetching = source.fetch(range, into);
        let collect = async {
            let mut held = Vec::new();
            while let Some(bytes) = bytes.recv().await {
                held.extend_from_slice(&bytes);
            }
            held
        };
        let (fetched, held) = tokio::join!(fetching, collect);
        fetched?;
        halves.insert(0, held);
    }
    Ok(halves.concat())
}

/// alice shares at one server, bob searches at the other (mostly the same), fetches, and asks for the link.
async fn crosses(
    servers: (Endpoint, Endpoint),
    hosts: &[Host],
    listen: (bool, bool),
    folder: &Path,
) -> Result<()> {
    let data: Vec<u8> = (0..SIZE as u32).map(|at| ((at * 7) ^ (at >> 9)) as u8).collect();
    let path = folder.join("Ocelot Song.mp3");
    std::fs::write(&path, &data)?;
    let last = |server: Endpoint| server.socket_addr().port() % 10;
    let (at_alice, at_bob) = (last(servers.0), last(servers.1));
    let word = format!("ocelot{}{}s{at_alice}{at_bob}", u8::from(listen.0), u8::from(listen.1));
    let (alice, mut told) = member(&hosts[1], &format!("alice{word}"), listen.0)?;
    let (bob, mut heard) = member(&hosts[2], &format!("bob{word}"), listen.1)?;
    alice.publish(Offering {
        content: ContentId(1),
        title: format!("{word} song.mp3"),
        size: data.len() as u64,
        root: Some([7; 16]),
        modified: std::fs::metadata(&path)?.modified()?,
        path,
        magnet: LINK.into(),
    });
    joins(&alice, &mut told, servers.0).await.context("alice joins")?;
    joins(&bob, &mut heard, servers.1).await.context("bob joins")?;
    let copy = finds(&bob, &mut heard, &word).await?;
    ensure!(copy.size == data.len() as u64, "the size is {}", copy.size);
    let fetched = fetches(&bob, copy.clone()).await.with_context(|| format!("bob fetches, {listen:?}"))?;
    ensure!(fetched == data, "the copy differs, {listen:?}");
    let link = bob.magnet(copy).await.context("no link was told")?;
    ensure!(link == format!("{LINK}&x.pe={}:7117", hosts[1].address), "the link is {link}");
    Ok(())
}

/// Direct, pushed by the uploader, called by a firewalled downloader.
fn trades(program: &Path, is_ng: bool) -> Result<()> {
    let mut lab = Lab::loopback()?;
    let hosts = [lab.host()?, lab.host()?, lab.host()?];
    let folder = tempfile::tempdir()?;
    let _server = start(program, is_ng, &hosts[0], folder.path())?;
    let server = Endpoint::v4(hosts[0].address.octets(), PORT);
    let outcome = hosts[1].namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio::task::LocalSet::new().block_on(&runtime, async {
            for listen in [(true, true), (false, true), (true, false)] {
                crosses((server, server), &hosts, listen, folder.path()).await?;
            }
            Ok(())
        })
    });
    let log = std::fs::read_to_string(folder.path().join("out")).unwrap_or_default();
    outcome.with_context(|| format!("the server's log: {log}"))
}

/// Our directory, linked with theirs.
async fn linked(theirs: &Host) -> Result<DirectoryServer> {
    let dial = Endpoint::v4(theirs.address.octets(), PORT);
    let peer = Peer {
        name: theirs.address.to_string(),
        send_password: WE_SEND.into(),
        expect_password: THEY_SEND.into(),
        addresses: vec![theirs.address.into()],
        dial: Some(dial),
    };
    let server = server::Config { name: OURS.into(), peers: vec![peer], ..server::Config::default() };
    // Another last digit than theirs, which names of files and users are told apart by.
    let listen = format!("{OURS}:{}", PORT - 1).parse()?;
    let mut ours = DirectoryServer::start(DirectoryConfig { listen, server, ..DirectoryConfig::default() })?;
    let name = theirs.address.to_string();
    hears(&mut ours, |notice| matches!(notice, Notice::Linked(other) if *other == name)).await?;
    Ok(ours)
}

/// Waits until our directory tells an operator something.
async fn hears(ours: &mut DirectoryServer, wanted: impl Fn(&Notice) -> bool) -> Result<()> {
    let mut before = Vec::new();
    let heard = async {
        while let Some(notice) = ours.notice().await {
            if wanted(&notice) {
                return Ok(());
            }
            before.push(notice);
        }
        bail!("our directory ended")
    };
    let heard = tokio::time::timeout(PATIENCE, heard).await;
    heard.unwrap_or_else(|_| bail!("waited in vain")).with_context(|| format!("before it told {before:?}"))
}

/// A user of each of two linked servers, both ways, directly and pushed; then theirs dies, and ours goes on.
fn links(program: &Path, is_ng: bool) -> Result<()> {
    let mut lab = Lab::loopback()?;
    let hosts = [lab.host()?, lab.host()?, lab.host()?];
    ensure!(hosts[1].address.to_string() == OURS, "hosts are numbered in order");
    let folder = tempfile::tempdir()?;
    let server = start(program, is_ng, &hosts[0], folder.path())?;
    let theirs = Endpoint::v4(hosts[0].address.octets(), PORT);
    let outcome = hosts[1].namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let mut directory = linked(&hosts[0]).await?;
            let ours = Endpoint::from(directory.local_addr());
            for servers in [(ours, theirs), (theirs, ours)] {
                for listen in [(true, true), (false, true)] {
                    let crossed = crosses(servers, &hosts, listen, folder.path()).await;
                    crossed.with_context(|| format!("alice and bob are at {servers:?}"))?;
                }
            }
            drop(server);
            hears(&mut directory, |notice| matches!(notice, Notice::Unlinked(..))).await?;
            crosses((ours, ours), &hosts, (true, true), folder.path()).await
        })
    });
    let log = std::fs::read_to_string(folder.path().join("out")).unwrap_or_default();
    outcome.with_context(|| format!("the server's log: {log}"))
}

#[test]
fn our_client_shares_searches_and_fetches_through_opennap() -> Result<()> {
    program("THRONG_OPENNAP").map_or(Ok(()), |program| trades(&program, false))
}

#[test]
fn our_client_shares_searches_and_fetches_through_opennap_ng() -> Result<()> {
    program("THRONG_OPENNAP_NG").map_or(Ok(()), |program| trades(&program, true))
}

#[test]
fn our_directory_links_with_opennap() -> Result<()> {
    program("THRONG_OPENNAP").map_or(Ok(()), |program| links(&program, false))
}

#[test]
fn our_directory_links_with_opennap_ng() -> Result<()> {
    program("THRONG_OPENNAP_NG").map_or(Ok(()), |program| links(&program, true))
}
