//! `throng join`: the node in the foreground. Each system is started by a file of its own, from the same [`Starting`].

mod bittorrent;
mod chord;
mod directory;
mod gnutella;
mod place;
mod supernode;
mod token;

use super::Context;
use crate::cli::JoinArgs;
use crate::daemon::api::{Server, Shared};
use crate::daemon::common::Common;
use crate::daemon::directory::Place;
use crate::daemon::home::{Home, Identity, NodeAddress};
use crate::daemon::node::{Ending, Inbox, Node, Parts};
use crate::daemon::notify;
use crate::daemon::request;
use crate::daemon::system::{System, Teller, Told};
use crate::failure::{Failure, Outcome};
use crate::{text, units};
use data_encoding::HEXLOWER;
use place::{bind_api, bind_port, reachable};
use serde_json::json;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use throng_runtime::net::port::Port;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::LocalSet;

/// Answers of the API under way when the node has left may take so long to be sent.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Once handed over, saying goodbye takes no longer.
const GOODBYES: Duration = Duration::from_secs(10);

/// What is to be joined, checked before anything is touched; names are looked up.
struct Plan {
    chord: Option<chord::Entry>,
    directories: Vec<Place>,
    gnutella: Option<gnutella::Entry>,
    supernode: Option<supernode::Entry>,
}

/// What every system is started with.
struct Starting<'a> {
    args: &'a JoinArgs,
    home: &'a Home,
    identity: &'a Identity,
    /// The port that systems share; each takes its protocol of it.
    port: &'a Port,
    news: UnboundedSender<Told>,
}

impl Starting<'_> {
    /// Tells the node news of the system of that name.
    fn teller(&self, name: &'static str) -> Teller {
        Teller::new(name, self.news.clone())
    }
}

/// Runs the node until it has left.
pub(crate) fn run(args: &JoinArgs, context: &Context) -> Outcome {
    let plan = plan(args, context)?;
    let home = Home::take(&context.home)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build();
    let runtime = runtime.map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    let ending = LocalSet::new().block_on(&runtime, serve(args, plan, &home, context));
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

fn plan(args: &JoinArgs, context: &Context) -> Outcome<Plan> {
    let chord = chord::entry(args, context)?;
    let directories = directory::places(&args.member, context)?;
    let gnutella = gnutella::entry(&args.gnutella, context)?;
    let supernode = supernode::entry(&args.supernode, context)?;
    let nothing = chord.is_none()
        && directories.is_empty()
        && gnutella.is_none()
        && supernode.is_none()
        && args.tracker.is_empty();
    if nothing {
        let reason = "say what to join: --chord new starts a ring, --chord ADDR joins that of the node at ADDR, \
                      --directory ADDR joins a directory, --gnutella ADDR links with that servent, --gnutella ultrapeer \
                      begins a network, --supernode ADDR joins that supernode, --supernode serve is one, \
                      --tracker URL announces what you publish to a tracker";
        return Err(Failure::Usage(reason.into()));
    }
    Ok(Plan { chord, directories, gnutella, supernode })
}

async fn serve(args: &JoinArgs, plan: Plan, home: &Home, context: &Context) -> Outcome<Ending> {
    let identity = home.identity(unix_time())?;
    let (server, listener) = bind_api(args)?;
    let port = bind_port(args)?;
    let (tell, news) = mpsc::unbounded_channel();
    let starting = Starting { args, home, identity: &identity, port: &port, news: tell };
    let mut systems = start(plan, &starting)?;
    let swarms = bittorrent::start(&starting)?;
    systems.push(Rc::clone(&swarms) as Rc<dyn System>);
    let (tell, happenings) = mpsc::unbounded_channel();
    let (library, notice) = bittorrent::library(&starting, &swarms, &tell)?;
    let common = Common::new(systems, (swarms, library), identity.key.clone(), tell);
    port.serve();
    let (requests, received) = mpsc::channel(request::QUEUE);
    let address = announce(args, home, &server)?;
    server.serve(listener, folders(args, home, Shared::new(requests, &address.token))?);
    say_where(port.local_addr(), &server, context);
    say_page(&address, context);
    let downloads = args.downloads.clone().unwrap_or_else(|| home.path("downloads"));
    let rates = (units::limit(args.upload_limit), units::limit(args.download_limit));
    let mut node = Node::new(Parts {
        common: Rc::new(common),
        api: server.local_addr(),
        key: HEXLOWER.encode(identity.key.verifying_key().as_bytes()),
        incarnation: identity.incarnation,
        patience: args.leave_timeout + GOODBYES,
        output: context.output.clone(),
        resources: (args.resources.clone(), downloads, rates),
    });
    if !address.api.ip().is_loopback() {
        node.notice(format!("the API at http://{} can be reached from other machines", server.local_addr()));
    }
    notify::ready().into_iter().for_each(|line| node.notice(line));
    identity.notices.iter().for_each(|notice| node.notice(notice.clone()));
    notice.into_iter().for_each(|notice| node.notice(notice));
    let ending = node.run(Inbox { requests: received, news, happenings }, context.interrupt.wait()).await;
    server.close(LAST_WORDS).await;
    Ok(ending)
}

/// Where what is fetched goes.
fn folders(args: &JoinArgs, home: &Home, shared: Shared) -> Outcome<Shared> {
    let absolute = |path: std::path::PathBuf| {
        let absolute =
            std::path::absolute(&path).ok().and_then(|path| path.into_os_string().into_string().ok());
        absolute
            .ok_or_else(|| Failure::failed(format_args!("{} cannot be used as a folder", text::path(&path))))
    };
    let downloads = args.downloads.clone().unwrap_or_else(|| home.path("downloads"));
    Ok(shared.with_folders(&absolute(home.path(""))?, &absolute(downloads)?))
}

/// Starts all that is planned.
fn start(plan: Plan, starting: &Starting<'_>) -> Outcome<Vec<Rc<dyn System>>> {
    let mut systems: Vec<Rc<dyn System>> = Vec::new();
    let ring = plan.chord.map(|entry| chord::start(entry, starting)).transpose()?;
    if let Some(ring) = &ring {
        systems.push(Rc::clone(ring) as Rc<dyn System>);
    }
    if !plan.directories.is_empty() {
        systems.push(directory::start(plan.directories, starting)?);
    }
    if let Some(entry) = plan.gnutella {
        systems.push(gnutella::start(entry, starting)?);
    }
    if let Some(entry) = plan.supernode {
        systems.push(supernode::start(entry, ring, starting)?);
    }
    Ok(systems)
}

fn say_where(at: SocketAddr, server: &Server, context: &Context) {
    let api = server.local_addr();
    let home = text::path(&context.home);
    context.output.print(format_args!(
        "listening on {at} (UDP and TCP), API on http://{api} (token in {home}/node.json)"
    ));
    let fields = json!({ "address": at, "api": api, "home": home, "pid": std::process::id() });
    context.output.event("listening", fields);
}

/// The link to the page opens the whole node: it is for a person at a terminal, not for logs.
fn say_page(address: &NodeAddress, context: &Context) {
    match std::io::stdout().is_terminal() {
        true => context.output.print(format_args!("page: {}", address.page())),
        false => context.output.print("page: the link is printed by: throng page"),
    }
}

/// Lets commands find the API, with a new token.
fn announce(args: &JoinArgs, home: &Home, server: &Server) -> Outcome<NodeAddress> {
    let token = match &args.api_token_file {
        Some(file) => token::kept(file)?,
        None => token::fresh()?,
    };
    let api = reachable(server.local_addr());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let address = NodeAddress { pid: std::process::id(), api, token, version };
    home.announce(&address)?;
    Ok(address)
}

/// Seconds since 1970; 0 with a clock before that.
fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
