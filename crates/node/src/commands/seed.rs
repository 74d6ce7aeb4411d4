//! `throng seed`: serves files until interrupted.

use super::monitor::{End, Monitor};
use super::{Context, swarm};
use crate::cli::SeedArgs;
use crate::failure::{Failure, Outcome};
use crate::{text, torrent_file, units};
use serde_json::json;
use std::sync::Arc;
use throng_runtime::session::{AddRequest, Session, Snapshot, Source, State, TorrentHandle};
use throng_swarm::TorrentOptions;
use throng_wire::metainfo::Metainfo;

/// Serves.
pub(crate) fn run(args: &SeedArgs, context: &Context) -> Outcome {
    let metainfo = Arc::new(torrent_file::read(&args.torrent)?);
    if !args.dir.exists() {
        let dir = text::path(&args.dir);
        return Err(Failure::failed(format_args!("there is no folder {dir}; check the path")));
    }
    let session = swarm::start(&args.network, None, context)?;
    super::block_on(serve(args, metainfo, &session, context))?
}

async fn serve(args: &SeedArgs, metainfo: Arc<Metainfo>, session: &Session, context: &Context) -> Outcome {
    let place = torrent_file::locate(&metainfo, &args.dir);
    let options =
        TorrentOptions { upload_only: true, super_seed: args.super_seed, ..TorrentOptions::default() };
    let request = AddRequest {
        map: Some(place.map),
        skip_check: args.skip_check,
        read_only: true,
        options,
        ..AddRequest::new(Source::Metainfo(metainfo), place.root)
    };
    let torrent = session.add(request).await.map_err(Failure::Failed)?;
    let mut monitor = Monitor::new(context);
    let mut end = monitor.watch(&torrent, is_ready).await;
    if end == End::Reached {
        begin(args, &torrent, context)?;
        end = monitor.watch(&torrent, |_| false).await;
    }
    session.shutdown().await;
    if let Some(status) = torrent.snapshot().status {
        context.output.note(format_args!("stopped; {} sent", units::size(status.uploaded)));
        context.output.event("stopped", json!({ "uploaded": status.uploaded }));
    }
    match end {
        End::Failed(reason) => Err(Failure::Failed(reason)),
        _ => Err(Failure::Interrupted),
    }
}

/// Whether it was checked and the swarm has it.
fn is_ready(snapshot: &Snapshot) -> bool {
    snapshot.status.is_some()
        && matches!(snapshot.state, State::Seeding | State::Downloading | State::Paused(_))
}

/// Says what is served; refuses to serve nothing.
fn begin(args: &SeedArgs, torrent: &TorrentHandle, context: &Context) -> Outcome {
    let snapshot = torrent.snapshot();
    let (name, dir) = (text::line(&snapshot.name), text::path(&args.dir));
    let Some(status) = snapshot.status else { return Ok(()) };
    let (have, all) = status.pieces;
    if have == 0 && all > 0 {
        return Err(Failure::failed(format_args!(
            "nothing of {name} is in {dir}, or it is all wrong; check the folder"
        )));
    }
    if have < all {
        let torrent = text::path(&args.torrent);
        context.output.note(format_args!(
            "only {have} of {all} pieces are there and right; serving those (see: throng torrent verify {torrent} {dir})"
        ));
    }
    context.output.note(format_args!("seeding {name}, {}; Ctrl-C ends it", units::size(status.verified)));
    context.output.event(
        "seeding",
        json!({ "name": name, "pieces": have, "pieces_total": all, "bytes": status.verified }),
    );
    Ok(())
}
