//! `throng demo`: the lecture on real sockets of this machine, in two scenes.
//!
//! First the swarm: one tracker, one seed and three downloaders. The seed's uplink is narrow, so that the downloaders
//! have a reason to trade: what one has, the others get from it. Then all five systems at once ([`lecture`]), each node a
//! process of its own.

mod actor;
mod ask;
mod cast;
mod exhibit;
mod lecture;
mod node;
mod source;
mod table;

use super::Context;
use crate::cli::DemoArgs;
use crate::failure::{Failure, Outcome};
use crate::{text, units};
use exhibit::Exhibit;
use node::Node;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use throng_runtime::create::{Control, CreateError, Source as Files, create};
use throng_runtime::tracker::{TrackerConfig, TrackerServer};
use throng_wire::metainfo::{Metainfo, Options};

/// How often nodes are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// If no byte arrives anywhere for this long, something is wrong with this machine's network.
const STUCK: Duration = Duration::from_secs(30);
/// The seed's uplink is such that one copy takes about this long.
const ONE_COPY: u64 = 2;
/// The narrowest uplink, bytes a second.
const LEAST_UPLINK: u64 = 256 << 10;
const DOWNLOADERS: usize = 3;

/// Shows it.
pub(crate) fn run(args: &DemoArgs, context: &Context) -> Outcome {
    let began = Instant::now();
    let scratch = tempfile::Builder::new().prefix("throng-demo-").tempdir();
    let scratch =
        scratch.map_err(|error| Failure::failed(format_args!("cannot make a temporary folder: {error}")))?;
    let path = source::choose(args, scratch.path())?;
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let tracker = TrackerServer::start(TrackerConfig { listen, ..TrackerConfig::default() });
    let tracker = tracker.map_err(Failure::failed)?;
    let url = format!("http://{}/announce", tracker.local_addr());
    let metainfo = Arc::new(publish(&path, &url, context)?);
    let outcome = super::block_on(share(&path, &metainfo, scratch.path(), context))?;
    let outcome = outcome.and_then(|()| {
        let exhibit = Exhibit::choose(&path, scratch.path())?;
        lecture::play(scratch.path(), &exhibit, &url, context)
    });
    tracker.stop();
    outcome?;
    let time = units::duration(began.elapsed());
    context.output.print(format_args!("every copy is right; all of it took {time}"));
    context.output.event("demo", json!({ "ok": true, "seconds": began.elapsed().as_secs_f64() }));
    Ok(())
}

/// Makes the torrent.
fn publish(path: &Path, tracker: &str, context: &Context) -> Outcome<Metainfo> {
    let source = Files::scan(path).map_err(Failure::failed)?;
    let options = Options { trackers: vec![vec![tracker.to_owned()]], ..Options::default() };
    let control = Control { cancel: context.interrupt.flag(), ..Control::default() };
    let metainfo = create(source, options, control).map_err(|error| match error {
        CreateError::Cancelled => Failure::Interrupted,
        error => Failure::failed(error),
    })?;
    let metainfo = metainfo.metainfo;
    let layout = metainfo.info.layout();
    let files = layout.files().iter().filter(|file| !file.attributes.padding).count() as u64;
    let (bytes, pieces) = (layout.content_length(), u64::from(layout.piece_count()));
    context.output.print(format_args!(
        "sharing {}: {}, {} in {}; tracker {tracker}",
        text::path(path),
        units::plural(files, "file"),
        units::size(bytes),
        units::plural(pieces, "piece"),
    ));
    let fields = json!({ "path": text::path(path), "files": files, "bytes": bytes, "pieces": pieces, "tracker": tracker });
    context.output.event("sharing", fields);
    if pieces == 0 {
        return Err(Failure::failed(format_args!(
            "{} holds no data to share; name another",
            text::path(path)
        )));
    }
    Ok(metainfo)
}

async fn share(path: &Path, metainfo: &Arc<Metainfo>, scratch: &Path, context: &Context) -> Outcome {
    let content = path
        .canonicalize()
        .map_err(|error| Failure::failed(format_args!("cannot read {}: {error}", text::path(path))))?;
    let folder = content.parent().unwrap_or(&content).to_owned();
    let uplink = (metainfo.info.layout().total_length() / ONE_COPY).max(LEAST_UPLINK);
    let mut nodes = vec![Node::seed(metainfo, &folder, uplink).await?];
    for number in 1..=DOWNLOADERS {
        let name = format!("downloader {number}");
        nodes.push(Node::downloader(name, metainfo, &scratch.join(format!("copy-{number}")), context).await?);
    }
    let fetched = fetch(&mut nodes, context).await;
    for node in &nodes {
        node.leave().await;
    }
    fetched?;
    report(&nodes, context);
    let (checked, copies) =
        (Arc::clone(metainfo), nodes[1..].iter().map(|node| node.dir.clone()).collect::<Vec<_>>());
    for dir in copies {
        source::check_copy(&checked, &dir, &context.interrupt)?;
    }
    Ok(())
}

/// Looks at all nodes until every copy is complete.
async fn fetch(nodes: &mut [Node], context: &Context) -> Outcome {
    let (mut moved, mut before) = (Instant::now(), 0);
    loop {
        for node in nodes.iter_mut() {
            node.look().await?;
        }
        if nodes.iter().all(Node::is_complete) {
            return Ok(());
        }
        let received = nodes.iter().map(Node::received).sum();
        if received != before {
            (moved, before) = (Instant::now(), received);
        } else if moved.elapsed() > STUCK {
            let reason =
                "nothing arrived for 30 s; see whether this machine lets programs talk over 127.0.0.1";
            return Err(Failure::Failed(reason.into()));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = context.interrupt.wait() => return Err(Failure::Interrupted),
        }
    }
}

/// Prints times, and who got how much from whom: shares of what was seen under way.
fn report(nodes: &[Node], context: &Context) {
    for node in &nodes[1..] {
        let from = nodes.iter().map(|other| (other.name.as_str(), node.received_from(other)));
        let from: Vec<(&str, u64)> = from.filter(|(_, bytes)| *bytes > 0).collect();
        let seen = from.iter().map(|(_, bytes)| bytes).sum::<u64>().max(1);
        let shares = from.iter().map(|(name, bytes)| (*name, bytes * 100 / seen));
        let words: String = shares.clone().map(|(name, share)| format!(", {share} % from {name}")).collect();
        let (took, received) = (units::duration(node.took()), units::size(node.received()));
        let name = &node.name;
        context.output.print(format_args!("{name}: complete after {took}; {received} received{words}"));
        let shares: serde_json::Map<_, _> =
            shares.map(|(name, share)| (name.to_owned(), share.into())).collect();
        let seconds = node.took().as_secs_f64();
        context.output.event(
            "complete",
            json!({ "name": name, "seconds": seconds, "received": node.received(), "percent_from": shares }),
        );
    }
    if let Some(seed) = nodes.first() {
        let sent = seed.sent();
        context.output.print(format_args!("seed: sent {} in all", units::size(sent)));
        context.output.event("seed", json!({ "uploaded": sent }));
    }
}
