//! The directory's thread: one runtime, one driver, and a loop over what is said to it.

use super::glue::Glue;
use super::limits::raise_open_files;
use super::store::Store;
use super::workers::Workers;
use super::{DirectoryConfig, DirectoryError, Notice, Statistics};
use crate::clock::Clock;
use crate::entropy::SystemEntropy;
use crate::net::socket::Source;
use crate::net::{Driver, NetConfig, Sockets};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use throng_overlay::directory::server::{Account, Banned, Command, Server};
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Notices kept for an operator who is busy.
pub(super) const NOTICES: usize = 256;
/// Open files besides connections: the store, its log, the runtime, standard streams.
const OTHER_FILES: u64 = 64;
/// How often we look whether everybody has gone.
const LOOK: Duration = Duration::from_millis(10);

/// What the thread is asked, by the program and by the workers.
pub(super) enum Ask {
    Command(Command),
    Statistics(oneshot::Sender<Statistics>),
    Stop(String, Option<(String, u16)>),
    StoreFailed(String),
}

/// The thread's ends of its channels.
pub(super) struct Channels {
    /// For the workers' answers.
    pub(super) own: UnboundedSender<Ask>,
    pub(super) inbox: UnboundedReceiver<Ask>,
    pub(super) tell: Sender<Notice>,
    pub(super) ready: std::sync::mpsc::Sender<Result<SocketAddr, DirectoryError>>,
}

/// What the machine was told of the store.
#[derive(Default)]
struct Told {
    version: i64,
    accounts: BTreeMap<Vec<u8>, Account>,
    bans: BTreeMap<Banned, Vec<u8>>,
}

/// The thread's life.
pub(super) fn thread(config: DirectoryConfig, channels: Channels) {
    let Channels { own, mut inbox, tell, ready } = channels;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error.into()));
            return;
        }
    };
    LocalSet::new().block_on(&runtime, async move {
        let (poll, farewell) = (config.store_poll, config.farewell);
        match start(config, &own, tell).await {
            Ok((driver, local_addr)) => {
                drop(own);
                let mut told = Told::default();
                follow_store(&driver, &mut told);
                let _ = ready.send(Ok(local_addr));
                serve(&driver, &mut inbox, (poll, told), farewell).await;
            }
            Err(error) => _ = ready.send(Err(error)),
        }
    });
}

async fn start(
    config: DirectoryConfig,
    asks: &UnboundedSender<Ask>,
    notices: Sender<Notice>,
) -> Result<(Driver<Glue>, SocketAddr), DirectoryError> {
    let store = match &config.store {
        Some(path) => Store::open(path)?,
        None => Store::in_memory()?,
    };
    let mut server = config.server;
    let files = raise_open_files(u64::from(server.max_connections) + OTHER_FILES);
    let room = u32::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(u32::MAX);
    server.max_connections = server.max_connections.min(room);
    let max_streams = server.max_connections as usize;
    let (sockets, local_addr) = bind_in_time(config.listen, config.handover).await?;
    server.port = local_addr.port();
    server.epoch_unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut entropy = SystemEntropy::from_system()?;
    let machine = Server::new(server, &mut entropy, Clock::start().now());
    let workers = Workers::start(store, config.hashers, asks)?;
    let glue = Glue { workers, notices, closed: false, reload: false };
    // Other servers know us by the address we listen on.
    let source = Source::default().or_listening(local_addr.ip());
    let net = NetConfig { max_streams, source, ..NetConfig::default() };
    Ok((Driver::start(machine, glue, sockets, net)?, local_addr))
}

/// Binds as soon as a server that was told to stop has let go of the address: the next one is started beside it.
async fn bind_in_time(listen: SocketAddr, within: Duration) -> Result<(Sockets, SocketAddr), DirectoryError> {
    let end = Instant::now() + within;
    loop {
        match bind(listen) {
            Err(DirectoryError::Bind { source, .. })
                if source.kind() == ErrorKind::AddrInUse && Instant::now() < end =>
            {
                sleep(LOOK).await;
            }
            bound => return bound,
        }
    }
}

/// `[::]` falls back to IPv4 where there is no IPv6.
fn bind(listen: SocketAddr) -> Result<(Sockets, SocketAddr), DirectoryError> {
    let attempt = |at| {
        let sockets = Sockets::bind(&NetConfig { listen: Some(at), ..NetConfig::default() })?;
        let addr = sockets.local_addr().ok_or(ErrorKind::AddrNotAvailable)?;
        Ok((sockets, addr))
    };
    let any = listen.is_ipv6() && listen.ip().is_unspecified();
    let bound = attempt(listen).or_else(|error: std::io::Error| match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied => Err(error),
        _ if any => attempt(SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.port()))),
        _ => Err(error),
    });
    bound.map_err(|source| DirectoryError::Bind { addr: listen, source })
}

async fn serve(
    driver: &Driver<Glue>,
    inbox: &mut UnboundedReceiver<Ask>,
    (poll, mut told): (Duration, Told),
    farewell: Duration,
) {
    let mut look = interval(poll);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ask = tokio::select! {
            ask = inbox.recv() => ask,
            _ = look.tick() => {
                follow_store(driver, &mut told);
                continue;
            }
        };
        match ask {
            Some(Ask::Command(command)) => driver.command(command),
            Some(Ask::Statistics(answer)) => {
                let statistics = driver
                    .look(|machine, _| Statistics { metrics: machine.metrics(), gauges: machine.gauges() });
                // Who asked may have gone.
                let _ = answer.send(statistics);
            }
            Some(Ask::StoreFailed(reason)) => driver.look(|_, glue| glue.tell(Notice::StoreFailed(reason))),
            Some(Ask::Stop(notice, redirect)) => return stop(driver, notice, redirect, farewell).await,
            None => return,
        }
    }
}

/// The socket is free for the next server first; then everybody is told, and may read it for a while.
async fn stop(driver: &Driver<Glue>, notice: String, redirect: Option<(String, u16)>, farewell: Duration) {
    driver.stop_listening();
    // Its task drops the socket when it runs next.
    tokio::task::yield_now().await;
    driver.command(Command::Shutdown { notice: notice.into_bytes(), redirect });
    let end = Instant::now() + farewell;
    while Instant::now() < end && (driver.streams() > 0 || !driver.look(|_, glue| glue.closed)) {
        sleep(LOOK).await;
    }
}

/// Tells the machine what has changed in the store since it was last told.
fn follow_store(driver: &Driver<Glue>, told: &mut Told) {
    let read = driver.with_app(|glue, _| {
        let wanted = std::mem::take(&mut glue.reload);
        let store = glue.workers.store();
        let version = store.version()?;
        if version == told.version && !wanted {
            return Ok(None);
        }
        Ok(Some((version, store.accounts()?, store.bans()?)))
    });
    match read {
        Ok(None) => {}
        Ok(Some((version, accounts, bans))) => {
            told.version = version;
            for command in told.changes(accounts, bans) {
                driver.command(command);
            }
        }
        Err::<_, super::StoreError>(error) => {
            driver.look(|_, glue| glue.tell(Notice::StoreFailed(error.to_string())));
        }
    }
}

impl Told {
    /// What the machine has to be told so that it knows these; accounts it made itself it has.
    fn changes(&mut self, accounts: Vec<Account>, bans: Vec<(Banned, Vec<u8>)>) -> Vec<Command> {
        let mut commands = Vec::new();
        let accounts: BTreeMap<_, _> =
            accounts.into_iter().map(|account| (account.nick.to_ascii_lowercase(), account)).collect();
        let bans: BTreeMap<_, _> = bans.into_iter().collect();
        for (nick, account) in &accounts {
            if self.accounts.get(nick).is_none_or(|old| old.level != account.level) {
                commands.push(Command::LoadAccount(account.clone()));
            }
        }
        let gone = self.accounts.keys().filter(|nick| !accounts.contains_key(*nick));
        commands.extend(gone.map(|nick| Command::ForgetAccount { nick: nick.clone() }));
        for (who, reason) in &bans {
            if self.bans.get(who) != Some(reason) {
                commands.push(Command::Ban { banned: who.clone(), reason: reason.clone() });
            }
        }
        let lifted = self.bans.keys().filter(|who| !bans.contains_key(*who));
        commands.extend(lifted.cloned().map(Command::Unban));
        (self.accounts, self.bans) = (accounts, bans);
        commands
    }
}
