//! `throng directory`: a Napster server, and the store of its accounts and bans.

use super::Context;
use crate::cli::{DirectoryArgs, LinkTo, bind_reason};
use crate::failure::{Failure, Outcome};
use crate::{text, units};
use serde_json::json;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use throng_overlay::directory::server::{Config, Peer, Rate};
use throng_runtime::directory::server::{
    DirectoryConfig, DirectoryError, DirectoryServer, Notice, Statistics, Store, StoreError,
};

/// A message of the day is shown to every client at login; 16 KiB are more than a screen.
const MAX_MOTD: u64 = 16 << 10;
/// What clients are told when the server stops.
const GOODBYE: &str = "The server stops, and may be back in a moment.";

/// Serves until interrupted, or changes the store.
pub(crate) fn run(args: &DirectoryArgs, context: &Context) -> Outcome {
    let store = store(context)?;
    if args.only_changes() {
        return change(args, &store, context);
    }
    let server = Config {
        name: args.name.clone(),
        loopback_as: args.public_address,
        motd: args.motd.as_deref().map(motd).transpose()?.unwrap_or_default(),
        registered_only: args.registered_only,
        max_connections: args.max_connections,
        max_per_address: args.max_per_address,
        max_files: args.max_files,
        messages: Rate {
            a_minute: args.max_messages,
            burst: args.max_messages.max(Config::default().messages.burst),
        },
        searches: Rate {
            a_minute: args.max_searches,
            burst: args.max_searches.max(Config::default().searches.burst),
        },
        peers: args.link.iter().map(peer).collect::<Outcome<_>>()?,
        ..Config::default()
    };
    let config = DirectoryConfig {
        listen: args.listen.resolve()?,
        store: Some(store),
        server,
        ..DirectoryConfig::default()
    };
    let mut server = DirectoryServer::start(config).map_err(|error| failure(&error))?;
    let at = server.local_addr();
    context.output.print(format_args!("directory {} listening on {at}", args.name));
    context.output.event("listening", json!({ "address": at.to_string(), "name": args.name }));
    super::block_on(serve(&mut server, args, context))?;
    let statistics = super::block_on(server.statistics())?;
    server.stop(GOODBYE, args.redirect.clone().map(|to| (to.0, to.1)));
    if let Some(statistics) = statistics {
        let logins = units::plural(statistics.metrics.logins, "login");
        let searches = units::count(statistics.metrics.searches);
        context.output.note(format_args!("stopped after {logins}, searches: {searches}"));
    }
    Err(Failure::Interrupted)
}

async fn serve(server: &mut DirectoryServer, args: &DirectoryArgs, context: &Context) {
    let period = if args.stats_interval == 0 {
        Duration::from_secs(u32::MAX.into())
    } else {
        Duration::from_secs(args.stats_interval)
    };
    let mut tick = tokio::time::interval(period);
    tick.tick().await;
    let mut last = Statistics::default();
    loop {
        tokio::select! {
            () = context.interrupt.wait() => return,
            notice = server.notice() => match notice {
                Some(Notice::StopRequested(by)) => {
                    context.output.note(format_args!("{by} asked it to stop"));
                    return;
                }
                Some(notice) => tell(&notice, context),
                None => return,
            },
            _ = tick.tick() => if let Some(now) = server.statistics().await {
                tell_statistics(&now, &last, context);
                last = now;
            },
        }
    }
}

fn tell(notice: &Notice, context: &Context) {
    let output = &context.output;
    match notice {
        Notice::Linked(name) => {
            output.note(format_args!("linked with {name}"));
            output.event("linked", json!({ "server": name }));
        }
        Notice::Unlinked(name, why) => {
            output.note(format_args!("not linked with {name}: {why}"));
            output.event("unlinked", json!({ "server": name, "reason": why }));
        }
        Notice::Killed(who, by, why) => {
            output.note(format_args!("{by} threw out {who}: {}", text::line(why)));
            output.event("killed", json!({ "nick": who, "by": by, "reason": why }));
        }
        Notice::Violation(from, violation) => {
            output.detail(format_args!("{from}: {violation:?}"));
            output.event(
                "violation",
                json!({ "from": from.to_string(), "violation": format!("{violation:?}") }),
            );
        }
        Notice::StoreFailed(why) => {
            output.note(format_args!("accounts are not kept: {why}"));
            output.event("store_failed", json!({ "reason": why }));
        }
        Notice::StopRequested(_) => {}
    }
}

fn tell_statistics(now: &Statistics, last: &Statistics, context: &Context) {
    let Statistics { metrics, gauges } = now;
    context.output.event(
        "statistics",
        json!({
            "users": gauges.users, "connections": gauges.connections, "files": gauges.files,
            "bytes_shared": gauges.bytes_shared, "index_bytes": gauges.index_bytes, "words": gauges.words,
            "links": gauges.links, "accounts": gauges.accounts, "logins": metrics.logins,
            "logins_refused": metrics.logins_refused, "messages": metrics.messages, "searches": metrics.searches,
            "searches_refused": metrics.searches_refused, "hits": metrics.hits,
            "violations": metrics.violations.iter().sum::<u64>(),
        }),
    );
    if (metrics.messages, gauges.users) != (last.metrics.messages, last.gauges.users) {
        let users = units::plural(gauges.users.into(), "user");
        let (files, size) = (units::plural(gauges.files, "file"), units::size(gauges.bytes_shared));
        let searches = units::count(metrics.searches - last.metrics.searches);
        context.output.note(format_args!("{users}, {files} ({size}), searches since: {searches}"));
    }
}

/// The path of the store, in a home that exists.
fn store(context: &Context) -> Outcome<PathBuf> {
    let home = &context.home;
    let failed =
        |error| Failure::failed(format_args!("cannot make the folder {}: {error}", text::path(home)));
    std::fs::create_dir_all(home).map_err(failed)?;
    Ok(home.join("directory.sqlite"))
}

fn change(args: &DirectoryArgs, store: &Path, context: &Context) -> Outcome {
    let failed = |error: StoreError| Failure::failed(error);
    let store = Store::open(store).map_err(failed)?;
    for who in &args.ban {
        store.ban(who, args.reason.as_bytes()).map_err(failed)?;
    }
    for who in &args.unban {
        if !store.unban(who).map_err(failed)? {
            return Err(Failure::Failed("there is no such ban".into()));
        }
    }
    for (nick, level) in &args.level {
        if !store.set_level(nick.as_bytes(), *level).map_err(failed)? {
            return Err(Failure::failed(format_args!("no user {nick} is registered here")));
        }
    }
    let changes = args.ban.len() + args.unban.len() + args.level.len();
    context.output.print(units::plural(changes as u64, "change"));
    context.output.event("changed", json!({ "changes": changes }));
    Ok(())
}

fn motd(path: &Path) -> Outcome<Vec<String>> {
    let failed = |error| Failure::failed(format_args!("cannot read {}: {error}", text::path(path)));
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_MOTD {
        return Err(Failure::failed(format_args!(
            "{} is longer than {}",
            text::path(path),
            units::size(MAX_MOTD)
        )));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

fn peer(link: &LinkTo) -> Outcome<Peer> {
    let unknown = || {
        Failure::failed(format_args!("no address is known for {}; check the name and the network", link.host))
    };
    let found: Vec<SocketAddr> =
        (link.host.as_str(), link.port.unwrap_or(1)).to_socket_addrs().map_err(|_| unknown())?.collect();
    let addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
    let first = *found.first().ok_or_else(unknown)?;
    Ok(Peer {
        name: link.name.clone(),
        send_password: link.ours.clone(),
        expect_password: link.theirs.clone(),
        addresses,
        dial: link.port.map(|_| first.into()),
    })
}

fn failure(error: &DirectoryError) -> Failure {
    match error {
        DirectoryError::Bind { addr, source } => {
            Failure::failed(format_args!("cannot listen on {addr}: {}", bind_reason(source)))
        }
        _ => Failure::failed(error),
    }
}
