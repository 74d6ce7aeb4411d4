//! `throng join`: the node in the foreground.

use super::Context;
use crate::cli::{Chord, JoinArgs, bind_reason};
use crate::daemon::api::{Server, Shared};
use crate::daemon::home::{Home, Identity, NodeAddress};
use crate::daemon::node::{Ending, Inbox, Node, Parts};
use crate::daemon::request;
use crate::daemon::ring::{self, Entry, RingSystem};
use crate::daemon::system::{Teller, Told};
use crate::failure::{Failure, Outcome};
use crate::text;
use data_encoding::HEXLOWER;
use serde_json::json;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use throng_machine::{Endpoint, Entropy as _};
use throng_overlay::chord;
use throng_runtime::entropy::SystemEntropy;
use throng_runtime::net::socket::Source;
use throng_runtime::ring::{RingConfig, RingError};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::LocalSet;

/// Where the ring is listened for unless said; no program of note uses it.
const PORT: u16 = 7117;
/// Where the API listens unless said.
const API_PORT: u16 = 7118;
/// What the ring keeps, in the home.
const RECORDS: &str = "ring.sqlite";
/// A free port for TCP may be taken for UDP; so often another is tried.
const TRIES: usize = 8;
/// Answers of the API under way when the node has left may take so long to be sent.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Once handed over, saying goodbye takes no longer.
const GOODBYES: Duration = Duration::from_secs(10);
/// Random bytes of a token.
const TOKEN: usize = 32;

/// Runs the node until it has left.
pub(crate) fn run(args: &JoinArgs, context: &Context) -> Outcome {
    let entry = entry(&args.chord, context)?;
    let home = Home::take(&context.home)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build();
    let runtime = runtime.map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    let ending = LocalSet::new().block_on(&runtime, serve(args, entry, &home, context));
    runtime.shutdown_background();
    let Ending { interrupted, abandoned } = ending?;
    drop(home);
    context.output.event("stopped", json!({ "abandoned": abandoned }));
    if !abandoned.is_empty() {
        context.output.note(format_args!(
            "stopped; {} had not taken over all that was held here in time; it stays on the disk",
            abandoned.join(", ")
        ));
    }
    if interrupted { Err(Failure::Interrupted) } else { Ok(()) }
}

/// What `--chord` means; names are looked up.
fn entry(chord: &[Chord], context: &Context) -> Outcome<Entry> {
    let addresses: Vec<_> = chord
        .iter()
        .filter_map(|chord| match chord {
            Chord::At(address) => Some(address),
            Chord::New => None,
        })
        .collect();
    if chord.is_empty() {
        let reason =
            "say what to join: --chord new starts a ring, --chord ADDR joins that of the node at ADDR";
        return Err(Failure::Usage(reason.into()));
    }
    if addresses.is_empty() {
        return Ok(Entry::New);
    }
    if addresses.len() < chord.len() {
        return Err(Failure::Usage(
            "--chord new starts a ring of its own: give it alone, or addresses".into(),
        ));
    }
    let mut found = Vec::new();
    let mut unknown = Vec::new();
    for address in addresses {
        match address.resolve() {
            Ok(addresses) => found.extend(addresses),
            Err(failure) => unknown.push(failure),
        }
    }
    if found.is_empty() {
        return Err(unknown.swap_remove(0));
    }
    unknown.iter().filter_map(Failure::reason).for_each(|reason| context.output.note(reason));
    Ok(Entry::Through(found))
}

async fn serve(args: &JoinArgs, entry: Entry, home: &Home, context: &Context) -> Outcome<Ending> {
    let identity = home.identity(unix_time())?;
    let (server, listener) = bind_api(args)?;
    let (tell, news) = mpsc::unbounded_channel();
    let ring = start_ring(args, &entry, home, (&identity, &tell))?;
    let (requests, received) = mpsc::channel(request::QUEUE);
    let address = announce(home, &server)?;
    server.serve(listener, Shared::new(requests, &address.token));
    say_where(&ring, &server, context);
    let mut node = Node::new(Parts {
        systems: vec![ring],
        api: server.local_addr(),
        key: HEXLOWER.encode(identity.key.verifying_key().as_bytes()),
        incarnation: identity.incarnation,
        patience: args.leave_timeout + GOODBYES,
        output: context.output.clone(),
    });
    if !address.api.ip().is_loopback() {
        node.notice(format!("the API at http://{} can be reached from other machines", server.local_addr()));
    }
    identity.notices.into_iter().for_each(|notice| node.notice(notice));
    let ending = node.run(Inbox { requests: received, news }, context.interrupt.wait()).await;
    server.close(LAST_WORDS).await;
    Ok(ending)
}

fn say_where(ring: &RingSystem, server: &Server, context: &Context) {
    let (at, api) = (ring.local_addr(), server.local_addr());
    let home = text::path(&context.home);
    context.output.print(format_args!(
        "listening on {at} (UDP and TCP), API on http://{api} (token in {home}/node.json)"
    ));
    let fields = json!({ "address": at, "api": api, "home": home, "pid": std::process::id() });
    context.output.event("listening", fields);
}

/// Lets commands find the API, with a new token.
fn announce(home: &Home, server: &Server) -> Outcome<NodeAddress> {
    let mut token = [0; TOKEN];
    SystemEntropy::from_system().map_err(anyhow::Error::from)?.fill(&mut token);
    let api = reachable(server.local_addr());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let address = NodeAddress { pid: std::process::id(), api, token: HEXLOWER.encode(&token), version };
    home.announce(&address)?;
    Ok(address)
}

/// Where a socket of this machine is reached from this machine.
fn reachable(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}

fn bind_api(args: &JoinArgs) -> Outcome<(Server, TcpListener)> {
    let places = match &args.api {
        Some(listen) => vec![listen.resolve()?],
        None => vec![(Ipv4Addr::LOCALHOST, API_PORT).into(), (Ipv4Addr::LOCALHOST, 0).into()],
    };
    first_free(&places, Server::bind).map_err(|(at, error)| {
        Failure::failed(format_args!("cannot listen on {at} for the API: {}", bind_reason(&error)))
    })
}

fn start_ring(
    args: &JoinArgs,
    entry: &Entry,
    home: &Home,
    (identity, tell): (&Identity, &UnboundedSender<Told>),
) -> Outcome<Rc<RingSystem>> {
    let (v6, v4) = (IpAddr::from(Ipv6Addr::UNSPECIFIED), IpAddr::from(Ipv4Addr::UNSPECIFIED));
    let places = match &args.listen {
        Some(listen) => vec![listen.resolve()?],
        None => vec![(v6, PORT).into(), (v6, 0).into(), (v4, PORT).into(), (v4, 0).into()],
    };
    let start = |listen| {
        let config = RingConfig { listen, source: Source::default(), records: Some(home.path(RECORDS)) };
        let timers = chord::Timers { hand_over: args.leave_timeout, ..chord::Timers::default() };
        let chosen = chord::Config { vnodes: args.chord_places, timers, ..chord::Config::default() };
        let machine = |at| chord::Chord::new(Arc::new(chosen), &host(at, entry, identity));
        RingSystem::start(&config, entry.clone(), machine, Teller::new(ring::NAME, tell.clone()))
    };
    first_free(&places, start).map_err(|(at, error)| match error {
        RingError::Io(error) => {
            Failure::failed(format_args!("cannot listen on {at} for the ring: {}", bind_reason(&error)))
        }
        error => Failure::failed(error),
    })
}

/// What the ring's machine has for itself.
fn host(at: SocketAddr, entry: &Entry, identity: &Identity) -> chord::Host {
    let known = match entry {
        _ if !at.ip().is_unspecified() => Some(at),
        // Those who join will tell, but there must be one whom they can join.
        Entry::New => Some(SocketAddr::new(own_ip(), at.port())),
        Entry::Through(_) => None,
    };
    chord::Host {
        endpoint: known.map(Endpoint::from),
        incarnation: identity.incarnation,
        clock: unix_time(),
        key_seed: identity.key.to_bytes(),
    }
}

/// The address this machine would leave from towards the Internet (nothing is sent); loopback if it has no way there.
fn own_ip() -> IpAddr {
    let towards = |from: IpAddr, to: &str| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    // Addresses for documentation (RFC 5737, RFC 3849): they lead the usual way out.
    let v4 = towards(Ipv4Addr::UNSPECIFIED.into(), "192.0.2.1:9");
    let v6 = || towards(Ipv6Addr::UNSPECIFIED.into(), "[2001:db8::1]:9");
    v4.or_else(v6).unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// What starts at the first place that can be had. A port that the system chooses is asked for more than once: free for
/// TCP, it may be taken for UDP.
fn first_free<T, E: From<io::Error> + AsIo>(
    places: &[SocketAddr],
    start: impl Fn(SocketAddr) -> Result<T, E>,
) -> Result<T, (SocketAddr, E)> {
    let tries = |at: &SocketAddr| std::iter::repeat_n(*at, if at.port() == 0 { TRIES } else { 1 });
    let mut last = None;
    for at in places.iter().flat_map(tries) {
        match start(at) {
            Ok(started) => return Ok(started),
            Err(error) if error.as_io().is_none() => return Err((at, error)),
            Err(error) => last = Some((at, error)),
        }
    }
    Err(last.unwrap_or_else(|| {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        (nowhere, E::from(io::ErrorKind::AddrNotAvailable.into()))
    }))
}

/// An error that may be one of the sockets'.
trait AsIo {
    fn as_io(&self) -> Option<&io::Error>;
}

impl AsIo for io::Error {
    fn as_io(&self) -> Option<&io::Error> {
        Some(self)
    }
}

impl AsIo for RingError {
    fn as_io(&self) -> Option<&io::Error> {
        match self {
            RingError::Io(error) => Some(error),
            RingError::Records(_) => None,
        }
    }
}

/// Seconds since 1970; 0 with a clock before that.
fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
