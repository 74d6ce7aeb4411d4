//! The paths of version 1.

use super::answer::{self, ApiError};
use super::{Shared, content, events, files, guard, inspect, login, openapi, page, sites, transmission};
use crate::daemon::report::{GetRequest, NodeStatus, PutRequest};
use crate::daemon::{metrics, request};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{self, MethodRouter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::mpsc;

/// The longest body; the largest value of the ring, 64 KiB, fits in base64.
pub(super) const MAX_BODY: usize = 128 << 10;
/// How long a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(10);
/// How often the status is sent to those who watch it.
const WATCH: Duration = Duration::from_secs(1);

/// One method of one path. `openapi.json` describes each; a test compares the two.
pub(super) struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "compared with the description"))]
    pub(super) method: Method,
    /// As axum writes it, `{name}` for a part that varies.
    pub(super) path: &'static str,
    handler: MethodRouter<Shared>,
}

impl Route {
    fn get<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>) -> Route {
        Route { method: Method::GET, path, handler: routing::get(handler) }
    }

    fn post<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>) -> Route {
        Route { method: Method::POST, path, handler: routing::post(handler) }
    }
}

/// All paths of the API.
pub(super) fn table() -> Vec<Route> {
    vec![
        Route::get("/api/v1/status", status),
        Route::get("/api/v1/status/watch", watch),
        Route::get("/api/v1/events", events::events),
        Route::post("/api/v1/put", put),
        Route::post("/api/v1/get", read),
        Route::post("/api/v1/publish", content::publish),
        Route::post("/api/v1/withdraw", content::withdraw),
        Route::get("/api/v1/library", content::library),
        Route::post("/api/v1/search", content::search),
        Route::post("/api/v1/standing", content::stand),
        Route::get("/api/v1/standing", content::standing),
        Route::post("/api/v1/standing/{id}/remove", content::end_standing),
        Route::post("/api/v1/fetch", content::fetch),
        Route::get("/api/v1/transfers", content::transfers),
        Route::get("/api/v1/transfers/{id}", content::transfer),
        Route::get("/api/v1/transfers/{id}/watch", content::watch),
        Route::post("/api/v1/transfers/{id}/{act}", content::act),
        Route::get("/api/v1/transfers/{id}/detail", inspect::answer),
        Route::post("/api/v1/sites", sites::publish),
        Route::get("/files/{id}/{*path}", files::file),
        Route::post(transmission::PATHS[0], transmission::rpc),
        Route::post(transmission::PATHS[1], transmission::rpc),
        Route::post("/api/v1/leave", leave),
        Route::post("/api/v1/login", login::login),
        Route::post("/api/v1/logout", login::logout),
        Route::get("/metrics", metrics),
        Route::get("/api/v1/openapi.json", openapi::description),
    ]
}

/// All paths and the page, behind the guard.
pub(super) fn router(shared: Shared) -> Router {
    let mut router = page::router();
    for Route { path, handler, .. } in table() {
        router = router.route(path, handler);
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(shared.clone(), guard::guard))
        .with_state(shared)
}

async fn status(State(shared): State<Shared>) -> Result<Response, ApiError> {
    let status = shared.ask(request::Request::Status).await?;
    Ok(answer::object(StatusCode::OK, &status))
}

/// For Prometheus.
async fn metrics(State(shared): State<Shared>) -> Result<Response, ApiError> {
    let status = shared.ask(request::Request::Status).await?;
    Ok(([(header::CONTENT_TYPE, metrics::KIND)], metrics::text(&status)).into_response())
}

/// The status now and once a second, one object a line.
async fn watch(State(shared): State<Shared>) -> Result<Response, ApiError> {
    let (lines, receiver) = mpsc::channel::<NodeStatus>(1);
    let first = shared.ask(request::Request::Status).await?;
    tokio::spawn(async move {
        let mut next = Ok(first);
        // Ends with the node, or when nobody reads any more.
        while let Ok(status) = next {
            if lines.send(status).await.is_err() {
                break;
            }
            tokio::select! {
                () = lines.closed() => break,
                () = tokio::time::sleep(WATCH) => {}
            }
            next = shared.ask(request::Request::Status).await;
        }
    });
    Ok(answer::lines(receiver))
}

async fn put(State(shared): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let put: PutRequest = body(request).await?;
    respond(shared.ask(|reply| request::Request::Put(put, reply)).await)
}

async fn read(State(shared): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let get: GetRequest = body(request).await?;
    respond(shared.ask(|reply| request::Request::Get(get, reply)).await)
}

/// Its steps, one object a line, until the node is gone.
async fn leave(State(shared): State<Shared>) -> Result<Response, ApiError> {
    let (tell, steps) = mpsc::channel(request::LEAVE_STEPS);
    shared.send(request::Request::Leave(tell))?;
    Ok(answer::lines(steps))
}

async fn unknown() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such path; the page is /, the API is below /api/v1/")
}

async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not answer that method")
}

pub(super) fn respond<T: Serialize>(result: Result<T, ApiError>) -> Result<Response, ApiError> {
    result.map(|object| answer::object(StatusCode::OK, &object))
}

/// The request's body as an object.
pub(super) async fn body<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    body_up_to(request, MAX_BODY).await
}

/// The same with another limit.
pub(super) async fn body_up_to<T: DeserializeOwned>(request: Request, most: usize) -> Result<T, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send JSON: Content-Type: application/json",
        ));
    }
    let bytes = body_bytes(request, most).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, format!("not the JSON expected: {error}")))
}

/// A body of at most so many bytes, whole.
pub(super) async fn body_bytes(request: Request, most: usize) -> Result<axum::body::Bytes, ApiError> {
    let bytes = tokio::time::timeout(BODY_TIME, to_bytes(request.into_body(), most)).await;
    let bytes =
        bytes.map_err(|_| ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))?;
    bytes.map_err(|_| {
        let reason = format!("the body is longer than {most} bytes or did not come whole");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
    })
}
