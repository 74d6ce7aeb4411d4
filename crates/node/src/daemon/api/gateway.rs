//! The gateway: sites of others (and one's own) as web pages at `http://NAME.localhost:PORT/…`, each an origin of its own.
//!
//! Pages come from the swarm as they are asked for. All versions of a site lie in one folder: what a new version leaves
//! as it was is there already, is verified, and is not fetched again. Nothing of the node is here, so no token is asked
//! for; but only a person opens a site: other sites' pages may link to it, and can neither embed it nor fetch from it, so
//! that no page makes this node fetch what its visitors never saw.

use super::Shared;
use super::answer::ApiError;
use super::auth::only;
use super::inspect::shown_files;
use super::sites::{SiteName, Version};
use super::{files, guard};
use crate::daemon::report::{FetchRequest, WithdrawRequest};
use crate::daemon::request::{Act, Request};
use axum::extract::Request as HttpRequest;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use throng_runtime::session::{Session, State as Doing, TorrentHandle};
use throng_runtime::storage::Storage;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The ring is asked for a newer version no oftener.
const FRESH: Duration = Duration::from_secs(10);
/// How long peers may take to say what is in a site.
const PATIENCE: Duration = Duration::from_secs(30);
/// A torrent that was just begun is asked for again after.
const OPENING: Duration = Duration::from_millis(50);
/// Sites that are open at once; the one unasked for the longest is closed for another.
const MAX_SITES: usize = 64;

/// The sites that are open. One lock a site would let two of them resolve at once; a person reads one.
#[derive(Default)]
pub(super) struct Sites(Mutex<BTreeMap<SiteName, Open>>);

#[derive(Clone)]
struct Open {
    version: Version,
    /// The transfer's id; `None` if this node publishes the site itself.
    transfer: Option<String>,
    looked: Instant,
    asked: Instant,
}

/// Answers for a site.
pub(super) async fn serve(shared: &Shared, site: &SiteName, request: HttpRequest) -> Response {
    // Its body, which nobody reads, cannot be shared between threads.
    let (head, _) = request.into_parts();
    let answered = answer(shared, site, &head).await;
    let mut response = answered.unwrap_or_else(ApiError::into_response);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_SECURITY_POLICY);
    let rules = [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::CACHE_CONTROL, "no-cache")];
    rules
        .into_iter()
        .for_each(|(name, rule)| _ = headers.insert(name, header::HeaderValue::from_static(rule)));
    response
}

async fn answer(shared: &Shared, site: &SiteName, head: &Parts) -> Result<Response, ApiError> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "a site is only read"));
    }
    if guard::is_foreign(&head.headers) && !is_visit(&head.headers) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "pages of other sites may only link here"));
    }
    let version = current(shared, site).await?;
    let (session, torrent) = torrent(shared, &version).await?;
    let storage = contents(&session, &torrent).await?;
    let path = percent_decode_str(head.uri.path().trim_start_matches('/')).decode_utf8_lossy();
    match find(&storage, &path) {
        Found::File(index, name) => {
            files::send(&session, (&torrent, &storage, index), (kind(&name), ""), &head.headers)
        }
        Found::Folder => {
            let to = format!("{}/", head.uri.path());
            Ok((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response())
        }
        Found::Nothing => Err(ApiError::new(StatusCode::NOT_FOUND, "the site has no such page")),
    }
}

/// Whether a person opens it, in a window of its own.
fn is_visit(headers: &HeaderMap) -> bool {
    let is =
        |name: &'static str, value: &str| only(headers, header::HeaderName::from_static(name)) == Some(value);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

/// The newest version, being fetched; an older one if the ring does not answer.
async fn current(shared: &Shared, site: &SiteName) -> Result<Version, ApiError> {
    let mut sites = shared.sites.0.lock().await;
    let now = Instant::now();
    if let Some(open) = sites.get_mut(site) {
        open.asked = now;
        if now - open.looked < FRESH {
            return Ok(open.version.clone());
        }
    }
    let newest = match (site.newest(shared).await, sites.get(site)) {
        (Ok(newest), _) => newest,
        (Err(_), Some(open)) => return Ok(open.version.clone()),
        (Err(error), None) => return Err(error),
    };
    let before = sites.remove(site);
    let transfer = match before {
        Some(open) if open.version.info_hash == newest.info_hash => open.transfer,
        before => {
            if let Some(id) = before.and_then(|open| open.transfer) {
                close(shared, id).await;
            }
            begin(shared, site, &newest).await?
        }
    };
    if sites.len() >= MAX_SITES {
        let oldest = sites.iter().min_by_key(|(_, open)| open.asked).map(|(site, _)| site.clone());
        if let Some(id) = oldest.and_then(|site| sites.remove(&site)).and_then(|open| open.transfer) {
            close(shared, id).await;
        }
    }
    sites.insert(site.clone(), Open { version: newest.clone(), transfer, looked: now, asked: now });
    Ok(newest)
}

/// Leaves an older version; its files stay for the next. What was fetched is shared onward, as it was: that ends too.
async fn close(shared: &Shared, id: String) {
    // Any of this may be gone already.
    if let Ok(transfer) = shared.ask(|reply| Request::Transfer(id.clone(), reply)).await {
        let path = format!("{}/{}", transfer.folder.trim_end_matches('/'), transfer.name);
        let _ = shared.ask(|reply| Request::Withdraw(WithdrawRequest { id: path }, reply)).await;
    }
    let _ = shared.ask(|reply| Request::Act(id, Act::Remove, reply)).await;
}

/// Begins to fetch a version, unless it is here.
async fn begin(shared: &Shared, site: &SiteName, version: &Version) -> Result<Option<String>, ApiError> {
    let hash = HEXLOWER.encode(&version.info_hash);
    if shared.ask(|reply| Request::Torrent(hash.clone(), reply)).await.is_ok() {
        return Ok(None);
    }
    let request = FetchRequest {
        source: Some(format!("magnet:?xt=urn:btih:{hash}")),
        torrent: None,
        output: format!("{}/sites/{}", shared.home, site.folder()),
        only: Vec::new(),
        peers: version.peers.clone(),
    };
    Ok(Some(shared.ask(|reply| Request::Fetch(request, reply)).await?.id))
}

/// The version's torrent; just begun, it may not be open yet.
async fn torrent(shared: &Shared, version: &Version) -> Result<(Session, TorrentHandle), ApiError> {
    let hash = HEXLOWER.encode(&version.info_hash);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match shared.ask(|reply| Request::Torrent(hash.clone(), reply)).await {
            Err(error) if error.is_temporary() && Instant::now() < deadline => {
                tokio::time::sleep(OPENING).await;
            }
            answer => return answer,
        }
    }
}

/// Waits until it is known what is in it.
async fn contents(session: &Session, torrent: &TorrentHandle) -> Result<Arc<Storage>, ApiError> {
    let mut snapshots = torrent.snapshots();
    let known = snapshots.wait_for(|snapshot| {
        !matches!(snapshot.state, Doing::Opening | Doing::Checking { .. } | Doing::FetchingMetadata)
    });
    let nobody = || {
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, "nobody who has this site answers now; try again later")
    };
    // What it gives back keeps the snapshot locked: it is let go before anything is waited for.
    let known = tokio::time::timeout(PATIENCE, known).await.is_ok_and(|known| known.is_ok());
    match known {
        true => session.storage(torrent).await.ok_or_else(nobody),
        false => Err(nobody()),
    }
}

enum Found {
    File(usize, String),
    /// A folder with an index, asked for without its slash: relative links would lead astray.
    Folder,
    Nothing,
}

fn find(storage: &Storage, path: &str) -> Found {
    let exactly = |wanted: &str| shown_files(storage.metainfo()).find(|(_, name)| name == wanted);
    let asked =
        if path.is_empty() || path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() };
    match exactly(&asked) {
        Some((index, name)) => Found::File(index, name),
        None if exactly(&format!("{asked}/index.html")).is_some() => Found::Folder,
        None => Found::Nothing,
    }
}

/// A site is an origin of its own: its pages are pages.
fn kind(path: &str) -> (&'static str, bool) {
    let end = path.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    let kind = match end.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        _ => return files::kind(path),
    };
    (kind, true)
}
