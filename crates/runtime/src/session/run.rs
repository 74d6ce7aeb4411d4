//! The session's thread: one runtime, one driver, and a loop over what is said to it.

use super::SessionConfig;
use super::content::Content;
use super::glue::Glue;
use super::journal::Journal;
use super::request::Note;
use super::sources::{Go, Web};
use crate::entropy::SystemEntropy;
use crate::hashing::Assembly;
use crate::net::port::Guest as _;
use crate::net::{Driver, NetConfig, Sockets};
use crate::trackers::Trackers;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use throng_machine::{ContentId, Entropy};
use throng_swarm::{Command, Config, SourceId, Swarm};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::Instant;

/// How often snapshots are published.
const TICK: Duration = Duration::from_millis(500);
/// The resume state is saved every so many ticks; 5 s of work is lost at most.
const TICKS_PER_CHECKPOINT: u32 = 10;
/// While the memory for pieces is used up, sources are asked to wait so long.
const FULL: Duration = Duration::from_millis(20);
/// Bytes of a peer id that are random; those before name the program.
const RANDOM_ID: usize = 12;

/// Where the thread says that it runs, and on which address, or why not.
type Ready = std::sync::mpsc::Sender<io::Result<Option<SocketAddr>>>;

/// The thread's life.
pub(super) fn thread(
    config: SessionConfig,
    notes: UnboundedSender<Note>,
    inbox: UnboundedReceiver<Note>,
    ready: &Ready,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let farewell = config.farewell;
    LocalSet::new().block_on(&runtime, async move {
        match start(config, &notes) {
            Ok((driver, local_addr)) => {
                let _ = ready.send(Ok(local_addr));
                spawn_local(tick(notes));
                serve(&driver, inbox, farewell).await;
            }
            Err(error) => _ = ready.send(Err(error)),
        }
    });
    // Names that are being looked up have threads of their own; nobody waits for those.
    runtime.shutdown_background();
}

type Started = (Driver<Glue>, Option<SocketAddr>);

fn start(config: SessionConfig, notes: &UnboundedSender<Note>) -> io::Result<Started> {
    let listening = config.listen.or(config.shared_port);
    let source = listening.map_or(config.source, |at| config.source.or_listening(at.ip()));
    let net = NetConfig {
        listen: config.listen,
        source,
        max_streams: config.swarm.max_connections + config.swarm.max_half_open,
        ..NetConfig::default()
    };
    let sockets = Sockets::bind(&net)?;
    let local_addr = sockets.local_addr().or(config.shared_port);
    let mut entropy = SystemEntropy::from_system()?;
    let mut swarm = Config { listen_port: local_addr.map_or(0, |at| at.port()), ..config.swarm };
    let random = swarm.peer_id.len() - RANDOM_ID;
    entropy.fill(&mut swarm.peer_id[random..]);
    let hashed = notes.clone();
    let assembly = Assembly::new(config.hashing, move || _ = hashed.send(Note::Hashed))?;
    let trackers = Trackers::new(source, &swarm.client.replace(' ', "/"))?;
    let key = entropy.next_u64() as u32;
    let (journal, notice) = Journal::open(config.home.as_deref())?;
    if let Some(notice) = notice {
        tracing::warn!(notice, "the resume state is not as it should be");
    }
    let web = Web { from: source, user_agent: swarm.client.replace(' ', "/") };
    let mut glue = Glue::new((assembly, journal), (trackers, web), notes.clone());
    glue.calls = config.calls;
    Ok((Driver::start(Swarm::new(swarm, key), glue, sockets, net)?, local_addr))
}

async fn tick(notes: UnboundedSender<Note>) {
    while notes.send(Note::Tick).is_ok() {
        tokio::time::sleep(TICK).await;
    }
}

async fn serve(driver: &Driver<Glue>, mut inbox: UnboundedReceiver<Note>, farewell: Duration) {
    let mut ticks = 0u32;
    while let Some(note) = inbox.recv().await {
        if matches!(note, Note::Tick) {
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(TICKS_PER_CHECKPOINT) {
                driver.with_app(|glue, _| {
                    glue.checkpoint(false);
                    glue.look();
                });
            }
        }
        if let Note::Shutdown(reply) = note {
            end(driver, inbox, farewell).await;
            // Answered once everything is stored.
            if let Some(reply) = reply {
                let _ = reply.send(());
            }
            return;
        }
        handle(driver, note);
    }
}

fn handle(driver: &Driver<Glue>, note: Note) {
    match note {
        Note::Tick => {
            let awake = driver.look(|_, glue| glue.awake.iter().copied().collect());
            publish(driver, awake);
        }
        Note::Peers(content, reply) => {
            let now = driver.clock().now();
            let _ = reply.send(driver.look(|swarm, _| swarm.peers(content, now)));
        }
        Note::Connection(socket, from) => {
            // A socket that cannot be taken over is closed by being dropped.
            if let Ok(socket) = TcpStream::from_std(socket) {
                driver.connection(socket, from);
            }
        }
        Note::Sleep(content, reply) => {
            let idle = driver.look(|swarm, glue| swarm.is_idle(content) && glue.may_sleep(content));
            if idle {
                driver.with_app(|glue, commands| glue.sleep(content, commands));
            }
            let _ = reply.send(idle);
        }
        Note::SourceData(content, source, bytes, reply) => feed(driver, (content, source), &bytes, reply),
        note => {
            driver.with_app(|glue, commands| glue.on_note(note, commands));
            let news = driver.with_app(|glue, _| std::mem::take(&mut glue.news));
            publish(driver, news.into_iter().collect());
        }
    }
}

/// Bytes of a source: to the machine, which places them; who sent them is told when to go on.
fn feed(
    driver: &Driver<Glue>,
    (content, source): (ContentId, SourceId),
    bytes: &[u8],
    reply: oneshot::Sender<Go>,
) {
    driver.feed(bytes, |swarm, cx| swarm.source_data((content, source), bytes.len() as u32, cx));
    let now = driver.clock().now();
    let pause = driver.look(|swarm, glue| {
        let limited = swarm.download_opens_at().map(|at| at.since(now));
        let full = glue.assembly.is_full().then_some(FULL);
        limited.max(full).unwrap_or_default()
    });
    // Who waited for the answer may have been stopped meanwhile.
    let _ = reply.send(Go { pause });
}

/// Publishes how torrents stand; those of which nothing changes by itself are left alone from then on.
fn publish(driver: &Driver<Glue>, contents: Vec<ContentId>) {
    let now = driver.clock().now();
    for content in contents {
        let (status, sources) =
            driver.look(|swarm, _| (swarm.status(content, now), swarm.sources(content, now)));
        driver.with_app(|glue, _| {
            let of = glue.contents.get_mut(&content);
            let is_idle = of.is_none_or(|of| {
                of.publish(status, &sources);
                of.is_idle()
            });
            if is_idle { glue.awake.remove(&content) } else { glue.awake.insert(content) }
        });
    }
}

/// Lets trackers hear of the end for a bounded time, and pieces that are whole reach the disk.
async fn end(driver: &Driver<Glue>, mut inbox: UnboundedReceiver<Note>, farewell: Duration) {
    driver.with_app(|glue, commands| {
        glue.contents.values().for_each(Content::cancel);
        commands.push(Command::Shutdown);
    });
    let deadline = Instant::now() + farewell;
    let busy = || {
        driver.look(|_, glue| glue.announcing > 0 && Instant::now() < deadline || glue.assembly.pending() > 0)
    };
    while busy() {
        let late = deadline.max(Instant::now() + Duration::from_millis(100));
        if let Ok(Some(note)) = tokio::time::timeout_at(late, inbox.recv()).await {
            handle(driver, note);
        }
    }
    publish(driver, driver.look(|_, glue| glue.contents.keys().copied().collect()));
    // Nothing is left to be served: the thread may wait for the disk.
    driver.with_app(|glue, _| {
        glue.checkpoint(true);
        glue.assembly.wait();
    });
}
