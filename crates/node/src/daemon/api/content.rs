//! Publishing, searching and fetching.

use super::answer::{self, ApiError};
use super::routes::{MAX_BODY, body, body_up_to, respond};
use super::{Shared, inspect};
use crate::daemon::report::{
    FetchRequest, PageRequest, PublishRequest, SearchRequest, StandingRequest, TransferReport, TransferState,
    WithdrawRequest,
};
use crate::daemon::request::{self, Act};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often a transfer is told to those who watch it.
const WATCH: Duration = Duration::from_millis(500);
/// The longest body of a fetch request: a torrent of 10 MB in base64.
const MAX_TORRENT: usize = 14 << 20;

/// Its steps, one object a line.
pub(super) async fn publish(State(shared): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let publish: PublishRequest = body_up_to(request, MAX_BODY).await?;
    let (tell, steps) = mpsc::channel(request::STEPS);
    shared.ask(|reply| request::Request::Publish(publish, tell, reply)).await?;
    Ok(answer::lines(steps))
}

pub(super) async fn withdraw(State(shared): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let withdraw: WithdrawRequest = body(request).await?;
    respond(shared.ask(|reply| request::Request::Withdraw(withdraw, reply)).await)
}

pub(super) async fn library(
    State(shared): State<Shared>,
    page: Result<Query<PageRequest>, QueryRejection>,
) -> Result<Response, ApiError> {
    let page = page_of(page)?;
    respond(shared.ask(|reply| request::Request::Library(page, reply)).await)
}

/// Which part of a list the query asks for.
fn page_of(page: Result<Query<PageRequest>, QueryRejection>) -> Result<PageRequest, ApiError> {
    let wrong =
        |_| ApiError::new(StatusCode::BAD_REQUEST, "a list takes limit=N and after=NEXT, nothing else");
    page.map(|Query(page)| page).map_err(wrong)
}

/// Hits as they come, one object a line.
pub(super) async fn search(State(shared): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let search: SearchRequest = body(request).await?;
    let (tell, steps) = mpsc::channel(request::STEPS);
    shared.ask(|reply| request::Request::Search(search, tell, reply)).await?;
    Ok(answer::lines(steps))
}

/// Sets up a search that is asked again and again.
pub(super) async fn stand(State(shared): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let standing: StandingRequest = body(request).await?;
    respond(shared.ask(|reply| request::Request::Stand(standing, reply)).await)
}

pub(super) async fn standing(State(shared): State<Shared>) -> Result<Response, ApiError> {
    respond(shared.ask(request::Request::Standing).await)
}

pub(super) async fn end_standing(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    shared.ask(|reply| request::Request::EndStanding(id, reply)).await?;
    Ok(answer::object(StatusCode::OK, &serde_json::json!({})))
}

pub(super) async fn fetch(State(shared): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let mut fetch: FetchRequest = body_up_to(request, MAX_TORRENT).await?;
    if fetch.output.is_empty() {
        fetch.output = shared.downloads.to_string();
    }
    respond(shared.ask(|reply| request::Request::Fetch(fetch, reply)).await)
}

pub(super) async fn transfers(
    State(shared): State<Shared>,
    page: Result<Query<PageRequest>, QueryRejection>,
) -> Result<Response, ApiError> {
    let page = page_of(page)?;
    respond(shared.ask(|reply| request::Request::Transfers(page, reply)).await)
}

pub(super) async fn transfer(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    respond(shared.ask(|reply| request::Request::Transfer(id, reply)).await)
}

/// How it stands now and twice a second, one object a line, until it is complete, has failed or is gone.
pub(super) async fn watch(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let (lines, receiver) = mpsc::channel::<TransferReport>(1);
    let first = shared.ask(|reply| request::Request::Transfer(id.clone(), reply)).await?;
    tokio::spawn(async move {
        let mut next = Ok(first);
        while let Ok(report) = next {
            let over = matches!(report.state, TransferState::Complete | TransferState::Failed);
            if lines.send(report).await.is_err() || over {
                break;
            }
            tokio::select! {
                () = lines.closed() => break,
                () = tokio::time::sleep(WATCH) => {}
            }
            next = shared.ask(|reply| request::Request::Transfer(id.clone(), reply)).await;
        }
    });
    Ok(answer::lines(receiver))
}

pub(super) async fn act(
    State(shared): State<Shared>,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let done = || answer::object(StatusCode::OK, &serde_json::json!({}));
    let act = match act.as_str() {
        "verify" => return inspect::verify(&shared, &id).await.map(|()| done()),
        "remove-files" => {
            let withdrawn = inspect::remove(&shared, &id, true).await?;
            return Ok(answer::object(StatusCode::OK, &serde_json::json!({ "withdrawn": withdrawn })));
        }
        "pause" => Act::Pause,
        "resume" => Act::Resume,
        "remove" => Act::Remove,
        _ => {
            return Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "a transfer can be paused, resumed, verified or removed",
            ));
        }
    };
    shared.ask(|reply| request::Request::Act(id, act, reply)).await?;
    Ok(done())
}
