//! Transmission's RPC (rpc-spec of Transmission 3.00 and 4.0), enough for the programs that know only it: add, list, start,
//! stop, verify, limit and remove.
//!
//! A caller proves itself as everywhere in this API, or by HTTP Basic with the token as the password, any user name. It
//! must also repeat the session id that it is told with status 409, as this interface has it against pages of others.

mod fields;
mod ids;
mod session;
mod torrents;

use super::Shared;
use super::answer::{self, ApiError};
use super::auth::only;
use super::routes::body_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use ids::Ids;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::{Mutex, PoisonError};

/// Where it is asked; `transmission-remote` puts a slash behind it.
pub(super) const PATHS: [&str; 2] = ["/transmission/rpc", "/transmission/rpc/"];

const SESSION_ID: HeaderName = HeaderName::from_static("x-transmission-session-id");
/// A torrent of 10 MB in base64.
const MAX_BODY: usize = 14 << 20;

/// What this interface remembers between requests.
pub(super) struct Remote {
    session_id: String,
    ids: Mutex<Ids>,
    limits: Mutex<Limits>,
}

/// Limits of the session, kept while they are off, as this interface has it.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Kilobytes (1,000 bytes) a second, and whether it is on.
    down: (u64, bool),
    up: (u64, bool),
    /// Whether what is added begins at once, unless that is said with it.
    start_added: bool,
}

impl Remote {
    /// The session id is new with the token, and says nothing of it.
    pub(super) fn new(token: &str) -> Remote {
        let id = Sha256::digest(format!("transmission session {token}"));
        let limits = Limits { down: (100, false), up: (100, false), start_added: true };
        Remote { session_id: HEXLOWER.encode(&id[..24]), ids: Mutex::default(), limits: Mutex::new(limits) }
    }

    fn ids<T>(&self, work: impl FnOnce(&mut Ids) -> T) -> T {
        work(&mut self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn limits<T>(&self, work: impl FnOnce(&mut Limits) -> T) -> T {
        work(&mut self.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a path is this interface's.
pub(super) fn is_here(path: &str) -> bool {
    PATHS.contains(&path)
}

#[derive(Deserialize)]
struct Call {
    method: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    #[serde(default)]
    tag: Value,
}

/// One call.
pub(super) async fn rpc(State(shared): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let id = &shared.remote.session_id;
    if only(request.headers(), SESSION_ID) != Some(id.as_str()) {
        let told = format!("repeat the request with X-Transmission-Session-Id: {id}\n");
        return Ok((StatusCode::CONFLICT, [(SESSION_ID, id.clone())], told).into_response());
    }
    let bytes = body_bytes(request, MAX_BODY).await?;
    let call: Call = serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, format!("not the JSON expected: {error}")))?;
    let (result, arguments) = match dispatch(&shared, &call.method, &call.arguments).await {
        Ok(arguments) => ("success".to_owned(), arguments),
        Err(reason) => (reason, json!({})),
    };
    let mut told = json!({ "result": result, "arguments": arguments });
    if !call.tag.is_null() {
        told["tag"] = call.tag;
    }
    Ok(answer::object(StatusCode::OK, &told))
}

/// What comes of a call, or one line why not.
async fn dispatch(shared: &Shared, method: &str, arguments: &Map<String, Value>) -> Result<Value, String> {
    // Newer programs write `torrent_get`.
    match method.replace('_', "-").as_str() {
        "torrent-get" => torrents::get(shared, arguments).await,
        "torrent-add" => torrents::add(shared, arguments).await,
        "torrent-start" | "torrent-start-now" => {
            torrents::each(shared, arguments, torrents::Verb::Start).await
        }
        "torrent-stop" => torrents::each(shared, arguments, torrents::Verb::Stop).await,
        "torrent-verify" => torrents::each(shared, arguments, torrents::Verb::Verify).await,
        "torrent-remove" => {
            let files = flag(arguments, "delete-local-data").unwrap_or(false);
            torrents::each(shared, arguments, torrents::Verb::Remove { files }).await
        }
        "torrent-set" => torrents::set(arguments),
        "session-get" => session::get(shared, arguments).await,
        "session-set" => session::set(shared, arguments).await,
        "session-stats" => session::stats(shared).await,
        "free-space" => session::free_space(arguments),
        "port-test" => {
            Err("this node asks no service of the Internet about its port; see: throng doctor".into())
        }
        other => Err(format!("this node does not know the method {}", crate::text::line(other))),
    }
}

/// An argument under its name with dashes or, as newer programs have it, underscores.
fn argument<'a>(arguments: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    arguments.get(name).or_else(|| arguments.get(&name.replace('-', "_")))
}

fn flag(arguments: &Map<String, Value>, name: &str) -> Option<bool> {
    let value = argument(arguments, name)?;
    value.as_bool().or_else(|| value.as_i64().map(|number| number != 0))
}

fn text<'a>(arguments: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    argument(arguments, name)?.as_str().filter(|text| !text.is_empty())
}
