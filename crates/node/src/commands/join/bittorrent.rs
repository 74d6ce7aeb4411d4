//! Swarms and the library: what every node has, whatever it joins.

use super::Starting;
use crate::daemon::bittorrent::{self, BitTorrent};
use crate::daemon::common::Happening;
use crate::failure::{Failure, Outcome};
use crate::units;
use std::rc::Rc;
use throng_runtime::library::Library;
use throng_runtime::session::SessionConfig;
use throng_swarm::Config;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

/// What is published and what its files hash to, in the home.
const LIBRARY: &str = "library.sqlite";

/// Starts the session.
pub(super) fn start(starting: &Starting<'_>) -> Outcome<Rc<BitTorrent>> {
    let Starting { args, home, port, .. } = *starting;
    for url in &args.tracker {
        let known = ["http://", "https://", "udp://"].iter().any(|scheme| url.starts_with(scheme));
        if !known {
            let reason = format!("{url} is no tracker; its URL begins with http://, https:// or udp://");
            return Err(Failure::Usage(reason));
        }
    }
    let limits = (units::limit(args.upload_limit), units::limit(args.download_limit));
    let swarm = Config { upload_limit: limits.0, download_limit: limits.1, ..Config::default() };
    let config = SessionConfig { home: Some(home.folder().to_owned()), swarm, ..SessionConfig::default() };
    let teller = starting.teller(bittorrent::NAME);
    BitTorrent::start(config, port, args.tracker.clone(), teller)
        .map_err(|error| Failure::failed(format_args!("cannot start BitTorrent: {error}")))
}

/// Opens the library; what it tells becomes the node's.
pub(super) fn library(
    starting: &Starting<'_>,
    swarms: &BitTorrent,
    tell: &UnboundedSender<Happening>,
) -> Outcome<(Library, Option<String>)> {
    let (told, mut news) = unbounded_channel();
    let path = starting.home.path(LIBRARY);
    let opened = Library::open(Some(&path), swarms.trackers().to_vec(), told).map_err(Failure::failed)?;
    let tell = tell.clone();
    spawn_local(async move {
        while let Some(told) = news.recv().await {
            if tell.send(Happening::Library(told)).is_err() {
                return;
            }
        }
    });
    Ok(opened)
}
