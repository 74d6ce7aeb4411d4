//! `session-*` and `free-space`: the node as a whole.

use super::{Limits, argument, flag, text};
use crate::daemon::api::Shared;
use crate::daemon::report::TransferReport;
use crate::daemon::request::Request;
use serde_json::{Map, Value, json};

/// Bytes of a kilobyte in this interface; the units below say so.
const KILO: u64 = 1_000;

pub(super) async fn get(shared: &Shared, arguments: &Map<String, Value>) -> Result<Value, String> {
    let limits = shared.remote.limits(|limits| *limits);
    let status = shared.ask(Request::Status).await.map_err(|error| error.reason().to_owned())?;
    let port = status.systems.iter().find_map(|system| {
        let address =
            serde_json::to_value(system).ok()?["address"].as_str()?.parse::<std::net::SocketAddr>().ok()?;
        Some(address.port())
    });
    let mut all = describe(shared, limits);
    all["peer-port"] = port.unwrap_or(0).into();
    let Some(wanted) = arguments.get("fields").and_then(Value::as_array) else { return Ok(all) };
    let wanted = wanted.iter().filter_map(Value::as_str);
    Ok(wanted
        .filter_map(|name| Some((name.to_owned(), all.get(name)?.clone())))
        .collect::<Map<_, _>>()
        .into())
}

fn describe(shared: &Shared, limits: Limits) -> Value {
    let free = room(&shared.downloads).map_or(json!(-1), |(free, _)| free.into());
    let mut all = unlike();
    let own = json!({
        "version": concat!("3.00 (throng ", env!("CARGO_PKG_VERSION"), ")"),
        "rpc-version": 17, "rpc-version-minimum": 14, "session-id": "",
        "config-dir": "", "download-dir": &*shared.downloads, "download-dir-free-space": free,
        "speed-limit-down": limits.down.0, "speed-limit-down-enabled": limits.down.1,
        "speed-limit-up": limits.up.0, "speed-limit-up-enabled": limits.up.1,
        "start-added-torrents": limits.start_added,
        "units": {
            "speed-units": ["kB/s", "MB/s", "GB/s", "TB/s"], "speed-bytes": KILO,
            "size-units": ["kB", "MB", "GB", "TB"], "size-bytes": KILO,
            "memory-units": ["KiB", "MiB", "GiB", "TiB"], "memory-bytes": 1024,
        },
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
        all.extend(own);
    }
    all
}

/// What this node does not have, or does in one way only.
fn unlike() -> Value {
    json!({
        "alt-speed-enabled": false, "alt-speed-time-enabled": false, "alt-speed-down": 0, "alt-speed-up": 0,
        "alt-speed-time-begin": 0, "alt-speed-time-end": 0, "alt-speed-time-day": 0,
        "blocklist-enabled": false, "blocklist-size": 0, "blocklist-url": "", "cache-size-mb": 0,
        "dht-enabled": false, "lpd-enabled": false, "pex-enabled": true, "utp-enabled": false,
        "encryption": "tolerated", "port-forwarding-enabled": false, "peer-port-random-on-start": false,
        "peer-limit-global": 0, "peer-limit-per-torrent": 0,
        "incomplete-dir": "", "incomplete-dir-enabled": false, "rename-partial-files": false,
        "download-queue-enabled": false, "download-queue-size": 0, "seed-queue-enabled": false, "seed-queue-size": 0,
        "queue-stalled-enabled": false, "queue-stalled-minutes": 0,
        "idle-seeding-limit": 0, "idle-seeding-limit-enabled": false, "seedRatioLimit": 0, "seedRatioLimited": false,
        "script-torrent-done-enabled": false, "script-torrent-done-filename": "",
        "trash-original-torrent-files": false,
    })
}

/// Limits are taken; what this node does in one way only is refused if another is asked for.
pub(super) async fn set(shared: &Shared, arguments: &Map<String, Value>) -> Result<Value, String> {
    let number = |name: &str| argument(arguments, name).map(|value| value.as_u64().ok_or(name.to_owned()));
    let wrong = |name: String| format!("{name} is no number of kilobytes a second");
    let down = number("speed-limit-down").transpose().map_err(wrong)?;
    let up = number("speed-limit-up").transpose().map_err(wrong)?;
    let known = [
        "speed-limit-down",
        "speed-limit-down-enabled",
        "speed-limit-up",
        "speed-limit-up-enabled",
        "start-added-torrents",
    ];
    let refused: Vec<_> =
        arguments.keys().filter(|name| !known.contains(&name.replace('_', "-").as_str())).cloned().collect();
    let limits = shared.remote.limits(|limits| {
        limits.down = (down.unwrap_or(limits.down.0), flag(arguments, known[1]).unwrap_or(limits.down.1));
        limits.up = (up.unwrap_or(limits.up.0), flag(arguments, known[3]).unwrap_or(limits.up.1));
        limits.start_added = flag(arguments, known[4]).unwrap_or(limits.start_added);
        *limits
    });
    let bytes = |(kilobytes, on): (u64, bool)| on.then(|| kilobytes.saturating_mul(KILO));
    let set = (bytes(limits.up), bytes(limits.down));
    shared.ask(|reply| Request::SetLimits(set, reply)).await.map_err(|error| error.reason().to_owned())?;
    match refused.is_empty() {
        true => Ok(json!({})),
        false => Err(format!(
            "this node takes only speed limits here, not {}; the rest is in config.toml",
            crate::text::line(&refused.join(", "))
        )),
    }
}

pub(super) async fn stats(shared: &Shared) -> Result<Value, String> {
    let reason = |error: crate::daemon::api::answer::ApiError| error.reason().to_owned();
    let transfers = shared.all_transfers().await.map_err(reason)?;
    let status = shared.ask(Request::Status).await.map_err(reason)?;
    let sum = |of: fn(&TransferReport) -> u64| transfers.iter().map(of).sum::<u64>();
    let stopped = transfers.iter().filter(|it| super::fields::status(it) == 0).count();
    let totals = json!({
        "uploadedBytes": sum(|it| it.uploaded), "downloadedBytes": sum(|it| it.downloaded),
        "filesAdded": transfers.len(), "sessionCount": status.incarnation, "secondsActive": status.uptime_seconds,
    });
    Ok(json!({
        "activeTorrentCount": transfers.len() - stopped, "pausedTorrentCount": stopped, "torrentCount": transfers.len(),
        "downloadSpeed": sum(|it| it.download_rate), "uploadSpeed": sum(|it| it.upload_rate),
        "current-stats": totals, "cumulative-stats": totals,
    }))
}

pub(super) fn free_space(arguments: &Map<String, Value>) -> Result<Value, String> {
    let path = text(arguments, "path").ok_or("no path is given")?;
    let (free, total) = room(path).ok_or_else(|| format!("{} is no folder here", crate::text::line(path)))?;
    Ok(json!({ "path": path, "size-bytes": free, "total_size": total }))
}

/// Free and all bytes of the disk a path is on, or would be.
fn room(path: &str) -> Option<(u64, u64)> {
    let there = std::path::Path::new(path).ancestors().find(|path| path.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    Some((disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize)))
}
