//! A browser shows the token once and gets a cookie for it.

use super::Shared;
use super::answer::ApiError;
use super::auth::cookie_name;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// Whoever comes here has shown the token, or has a session, which is then renewed.
pub(super) async fn login(State(shared): State<Shared>, headers: HeaderMap) -> Result<Response, ApiError> {
    let session = shared.keys.begin_session().map_err(|error| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, format!("the system gives no random bytes: {error}"))
    })?;
    shared.keys.end_session(&headers);
    Ok(with_cookie(&headers, &session, ""))
}

/// Ends the browser's session.
pub(super) async fn logout(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    shared.keys.end_session(&headers);
    with_cookie(&headers, "", "; Max-Age=0")
}

fn with_cookie(headers: &HeaderMap, value: &str, more: &str) -> Response {
    let name = cookie_name(headers);
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{more}");
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}
