//! `throng fetch`: downloads, checks every byte, and goes on where it was.

use super::monitor::{End, Monitor};
use super::{Context, fetch_in_node, swarm};
use crate::cli::FetchArgs;
use crate::failure::{Failure, Outcome};
use crate::{text, torrent_file, units};
use globset::GlobMatcher;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use throng_runtime::net::socket::Source as SourceAddress;
use throng_runtime::session::{AddRequest, FileFilter, Session, Snapshot, Source, TorrentHandle};
use throng_wire::magnet::Magnet;
use throng_wire::metainfo::Metainfo;

/// Fetches.
pub(crate) fn run(args: &FetchArgs, context: &Context) -> Outcome {
    if let Some(client) = fetch_in_node::node(args, context) {
        return fetch_in_node::run(args, client, context);
    }
    let source = source(args, context)?;
    make_folder(&args.output)?;
    let (filter, matched) = filter(args, &source);
    let peers = peers(args, context)?;
    let session = swarm::start(&args.network, args.download_limit, context)?;
    let request = AddRequest { peers, only: filter, ..AddRequest::new(source, &args.output) };
    super::block_on(async {
        let outcome = fetch(args, request, &session, context, &matched).await;
        session.shutdown().await;
        outcome
    })?
}

/// What the person wants, from whatever they named it by.
fn source(args: &FetchArgs, context: &Context) -> Outcome<Source> {
    let [text] = args.sources.as_slice() else {
        return Err(Failure::Usage(
            "only a node fetches several at once; start one with: throng join".into(),
        ));
    };
    let begins = |start: &str| text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start));
    if begins("magnet:") {
        let magnet: Magnet = text.parse().map_err(Failure::failed)?;
        if magnet.v1.is_none() && magnet.v2.is_none() {
            return Err(Failure::Failed("the magnet link has no BitTorrent info-hash (btih or btmh)".into()));
        }
        return Ok(Source::Magnet(magnet));
    }
    if begins("http://") || begins("https://") {
        return Ok(Source::Metainfo(Arc::new(download(text, context)?)));
    }
    Ok(Source::Metainfo(Arc::new(torrent_file::read(Path::new(text))?)))
}

/// The torrent at a URL.
pub(super) fn download(url: &str, context: &Context) -> Outcome<Metainfo> {
    let most = throng_wire::bencode::Limits::default().bytes;
    let agent = concat!("throng/", env!("CARGO_PKG_VERSION"));
    let bytes = super::block_on(async {
        tokio::select! {
            body = throng_runtime::trackers::download(url, SourceAddress::default(), agent, most) => {
                body.map_err(|reason| Failure::failed(format_args!("cannot fetch {url}: {reason}")))
            }
            () = context.interrupt.wait() => Err(Failure::Interrupted),
        }
    })??;
    torrent_file::parse(&bytes, url)
}

fn make_folder(folder: &Path) -> Outcome {
    let shown = text::path(folder);
    match std::fs::create_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(_) if folder.exists() => {
            Err(Failure::failed(format_args!("{shown} is no folder; name another with -o")))
        }
        Err(error) => Err(Failure::failed(format_args!(
            "cannot make the folder {shown}: {error}; name another with -o"
        ))),
    }
}

/// Which files are wanted, and whether any was found to be; no filter wants all.
fn filter(args: &FetchArgs, source: &Source) -> (Option<FileFilter>, Arc<AtomicBool>) {
    let matched = Arc::new(AtomicBool::new(false));
    let globs: Vec<GlobMatcher> = args.only.iter().map(globset::Glob::compile_matcher).collect();
    let link = match source {
        Source::Magnet(magnet) if !magnet.select_only.is_empty() => Some(magnet.clone()),
        _ => None,
    };
    if globs.is_empty() && link.is_none() {
        matched.store(true, Ordering::Relaxed);
        return (None, matched);
    }
    let found = Arc::clone(&matched);
    let filter = move |index: usize, path: &Path| {
        let by_link =
            link.as_ref().is_none_or(|link| u32::try_from(index).is_ok_and(|index| link.selects(index)));
        let wanted =
            by_link && (globs.is_empty() || globs.iter().any(|glob| torrent_file::is_match(glob, path)));
        found.fetch_or(wanted, Ordering::Relaxed);
        wanted
    };
    (Some(Arc::new(filter)), matched)
}

/// The addresses of all peers that were named; a name that is not found is told, and matters only if it was the last.
pub(super) fn peers(args: &FetchArgs, context: &Context) -> Outcome<Vec<std::net::SocketAddr>> {
    let mut found = Vec::new();
    for peer in &args.peer {
        match peer.resolve() {
            Ok(addresses) => found.extend(addresses),
            Err(failure) => context.output.note(failure.reason().unwrap_or_default()),
        }
    }
    if found.is_empty() && !args.peer.is_empty() {
        return Err(Failure::Failed(
            "none of the peers has an address; check their names and the network".into(),
        ));
    }
    Ok(found)
}

async fn fetch(
    args: &FetchArgs,
    request: AddRequest,
    session: &Session,
    context: &Context,
    matched: &AtomicBool,
) -> Outcome {
    let started = Instant::now();
    let torrent = session.add(request).await.map_err(Failure::Failed)?;
    let mut monitor = Monitor::new(context);
    // A finished torrent of which nothing is wanted is no success.
    let end = monitor.watch(&torrent, |snapshot| snapshot.finished).await;
    match end {
        End::Failed(reason) => return Err(Failure::Failed(reason)),
        End::Interrupted => {
            session.shutdown().await;
            context.output.note("stopped; the same command goes on from here");
            return Err(Failure::Interrupted);
        }
        End::Reached if !matched.load(Ordering::Relaxed) => {
            return Err(Failure::Failed(
                "no file of the torrent matches; see its files with: throng torrent show".into(),
            ));
        }
        End::Reached => {}
    }
    complete(&torrent.snapshot(), args, started.elapsed(), context);
    if args.seed { seed_on(&torrent, session, &mut monitor, context).await } else { Ok(()) }
}

fn complete(snapshot: &Snapshot, args: &FetchArgs, time: Duration, context: &Context) {
    let (name, dir) = (text::line(&snapshot.name), text::path(&args.output));
    let Some(status) = &snapshot.status else { return };
    let speed = units::rate(units::per_second(status.downloaded, time));
    let (size, took) = (units::size(status.verified), units::duration(time));
    let text = match status.downloaded {
        0 => format!("complete: {name} in {dir}, {size}; it was all there"),
        _ => format!("complete: {name} in {dir}, {size} in {took} ({speed})"),
    };
    context.output.print(text);
    context.output.event(
        "complete",
        json!({
            "name": name,
            "dir": dir,
            "bytes": status.verified,
            "downloaded": status.downloaded,
            "uploaded": status.uploaded,
            "wasted": status.wasted,
            "seconds": time.as_secs_f64(),
        }),
    );
}

async fn seed_on(
    torrent: &TorrentHandle,
    session: &Session,
    monitor: &mut Monitor<'_>,
    context: &Context,
) -> Outcome {
    let end = monitor.watch(torrent, |_| false).await;
    session.shutdown().await;
    if let Some(status) = torrent.snapshot().status {
        context.output.note(format_args!("stopped; {} sent", units::size(status.uploaded)));
    }
    match end {
        End::Failed(reason) => Err(Failure::Failed(reason)),
        _ => Err(Failure::Interrupted),
    }
}
