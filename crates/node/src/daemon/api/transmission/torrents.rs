//! `torrent-*`: transfers listed, added and told what to do.

use super::fields::{self, Torrent};
use super::ids::{Name, Wanted};
use super::{argument, flag, text};
use crate::daemon::api::{Shared, inspect};
use crate::daemon::report::{FetchRequest, TransferDetail, TransferReport};
use crate::daemon::request::{Act, Request};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

/// Transfers that are asked for one by one; for more all are looked at.
const FEW: usize = 16;

/// What may be done with each of several transfers.
#[derive(Clone, Copy)]
pub(super) enum Verb {
    Start,
    Stop,
    Verify,
    Remove { files: bool },
}

/// All transfers with their numbers, in the numbers' order.
async fn numbered(shared: &Shared) -> Result<Vec<(i64, TransferReport)>, String> {
    let mut transfers = shared.all_transfers().await.map_err(|error| error.reason().to_owned())?;
    // The node has the newest first; numbers are given to the oldest first.
    transfers.reverse();
    let living: BTreeSet<&str> = transfers.iter().map(|transfer| transfer.id.as_str()).collect();
    shared.remote.ids(|ids| ids.keep(|id| living.contains(id), now()));
    let mut all: Vec<_> = shared
        .remote
        .ids(|ids| transfers.into_iter().map(|it| (ids.number(&it.id, fields::hash(&it)), it)).collect());
    all.sort_by_key(|(number, _)| *number);
    Ok(all)
}

async fn wanted(shared: &Shared, wanted: &Wanted) -> Result<Vec<(i64, TransferReport)>, String> {
    if let Wanted::These(names) = wanted
        && let Some(found) = seen(shared, names).await
    {
        return Ok(found);
    }
    let mut all = numbered(shared).await?;
    all.retain(|(number, it)| wanted.is(*number, &[&it.id, fields::hash(it)]));
    Ok(all)
}

/// A few that were seen before, without a look at all; none if one of them was not, or is gone.
async fn seen(shared: &Shared, names: &[Name]) -> Option<Vec<(i64, TransferReport)>> {
    if names.len() > FEW {
        return None;
    }
    let ids: Option<BTreeMap<_, _>> = shared.remote.ids(|ids| names.iter().map(|it| ids.seen(it)).collect());
    let mut found = Vec::new();
    for (number, id) in ids? {
        found.push((number, shared.ask(|reply| Request::Transfer(id, reply)).await.ok()?));
    }
    Some(found)
}

pub(super) async fn get(shared: &Shared, arguments: &Map<String, Value>) -> Result<Value, String> {
    let ids = Wanted::of(arguments.get("ids").unwrap_or(&Value::Null))?;
    let fields = arguments.get("fields").and_then(Value::as_array).ok_or("no fields are asked for")?;
    let fields: Vec<&str> = fields.iter().filter_map(Value::as_str).collect();
    let as_table = text(arguments, "format") == Some("table");
    let deep = fields::need_detail(fields.iter().copied());
    let mut rows = Vec::new();
    for (number, report) in wanted(shared, &ids).await? {
        let detail = if deep { inspect::detail(shared, &report.id).await.ok() } else { None };
        rows.push(row((number, &report), detail.as_ref(), &fields, as_table));
    }
    if as_table {
        rows.insert(0, fields.iter().map(|field| Value::from(*field)).collect());
    }
    let mut told = json!({ "torrents": rows });
    if ids == Wanted::Recent {
        told["removed"] = shared.remote.ids(|ids| ids.gone_lately(now())).into();
    }
    Ok(told)
}

fn row(
    (number, report): (i64, &TransferReport),
    detail: Option<&TransferDetail>,
    fields: &[&str],
    as_table: bool,
) -> Value {
    let torrent = Torrent { number, report, detail, now: now() };
    if as_table {
        return fields.iter().map(|field| torrent.field(field).unwrap_or_default()).collect();
    }
    let known = fields.iter().filter_map(|field| Some(((*field).to_owned(), torrent.field(field)?)));
    Value::Object(known.collect())
}

pub(super) async fn add(shared: &Shared, arguments: &Map<String, Value>) -> Result<Value, String> {
    let (link, torrent) = (text(arguments, "filename"), text(arguments, "metainfo"));
    let source = match (torrent, link) {
        (Some(_), _) => None,
        (None, Some(link)) if link.contains("://") => {
            return Err(
                "give the torrent itself or a magnet link; this node fetches no torrents by URL".into()
            );
        }
        (None, Some(link)) => Some(link.to_owned()),
        (None, None) => return Err("nothing is given to be added: filename or metainfo".into()),
    };
    // Line breaks are usual in base64 of this size.
    let torrent = torrent.map(|torrent| torrent.split_whitespace().collect());
    if shared.remote.ids(|ids| ids.is_empty()) {
        // Those that were there before have the numbers before.
        numbered(shared).await?;
    }
    let output = text(arguments, "download-dir").map_or_else(|| shared.downloads.to_string(), str::to_owned);
    let request = FetchRequest { source, torrent, output, only: Vec::new(), peers: Vec::new() };
    let reason = |error: crate::daemon::api::answer::ApiError| error.reason().to_owned();
    let added = shared.ask(|reply| Request::Fetch(request, reply)).await.map_err(reason)?;
    let start = shared.remote.limits(|limits| limits.start_added);
    if !added.known && flag(arguments, "paused").unwrap_or(!start) {
        shared.ask(|reply| Request::Act(added.id.clone(), Act::Pause, reply)).await.map_err(reason)?;
    }
    let it = shared.ask(|reply| Request::Transfer(added.id.clone(), reply)).await;
    let it = it.map_err(|_| "it was removed at once")?;
    let hash = fields::hash(&it);
    let number = shared.remote.ids(|ids| ids.number(&it.id, hash));
    let told = json!({ "id": number, "name": it.name, "hashString": hash });
    Ok(json!({ (if added.known { "torrent-duplicate" } else { "torrent-added" }): told }))
}

pub(super) async fn each(
    shared: &Shared,
    arguments: &Map<String, Value>,
    verb: Verb,
) -> Result<Value, String> {
    let ids = Wanted::of(arguments.get("ids").unwrap_or(&Value::Null))?;
    let mut withdrawn = Vec::new();
    for (_, it) in wanted(shared, &ids).await? {
        let done = match verb {
            Verb::Start => shared.ask(|reply| Request::Act(it.id.clone(), Act::Resume, reply)).await,
            Verb::Stop => shared.ask(|reply| Request::Act(it.id.clone(), Act::Pause, reply)).await,
            Verb::Verify => inspect::verify(shared, &it.id).await,
            Verb::Remove { files } => {
                let removed = inspect::remove(shared, &it.id, files).await;
                removed.map(|titles| {
                    shared.remote.ids(|ids| ids.forget(&it.id, fields::hash(&it), now()));
                    withdrawn.extend(titles);
                })
            }
        };
        done.map_err(|error| error.reason().to_owned())?;
    }
    // Those who do not know this word pass over it.
    Ok(if withdrawn.is_empty() { json!({}) } else { json!({ "withdrawn": withdrawn }) })
}

/// What is only how it is shown is taken; what would change what is moved is refused rather than forgotten.
pub(super) fn set(arguments: &Map<String, Value>) -> Result<Value, String> {
    let harmless =
        ["ids", "labels", "bandwidthPriority", "queuePosition", "honorsSessionLimits", "peer-limit"];
    let asked = arguments.keys().map(|name| name.replace('_', "-"));
    let refused: Vec<_> = asked.filter(|name| !harmless.contains(&name.as_str())).collect();
    if argument(arguments, "ids").is_none() || !refused.is_empty() {
        let what = crate::text::line(&refused.join(", "));
        return Err(format!("this node cannot set this of one torrent ({what}); limits are the session's"));
    }
    Ok(json!({}))
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
