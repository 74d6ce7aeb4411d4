//! Who may ask: not a page of another origin, not a name that was made to lead here, nobody without the token.
//!
//! A browser sends the name it was given as Host: an attacker's name whose address was changed to ours (DNS rebinding)
//! is refused, an IP address or `localhost` is not. Origin, where a browser sends it, must be the Host itself, and what
//! it says of the page that asks (`Sec-Fetch-Site`) must be that it is ours. All are looked at before the token, and no
//! answer carries a CORS header. A cookie, which a browser sends by itself, changes things only with an Origin.

use super::Shared;
use super::answer::ApiError;
use super::auth::{Keys, Proof, only};
use super::sites::SiteName;
use super::{gateway, page, transmission};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::net::{IpAddr, Ipv4Addr};

/// What a browser says of the page that makes it ask (W3C Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How it asks; `navigate` for a person who follows a link.
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Lets a request through, or not; and says to browsers what they may do with the answer: nothing, unless the handler
/// says more.
pub(super) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    // A site is an origin of its own, and gets nothing of what follows.
    if let Some(site) = only(request.headers(), header::HOST).and_then(SiteName::of_host) {
        return gateway::serve(&shared, &site, request).await;
    }
    let path = request.uri().path().to_owned();
    let mut response = match check(&shared.keys, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let basic = transmission::is_here(&path) && response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    if basic {
        // So that programs of this interface ask for a password.
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"throng\""));
    }
    let rules = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, rule) in rules {
        headers.entry(name).or_insert(HeaderValue::from_static(rule));
    }
    response
}

fn check(keys: &Keys, request: &Request) -> Result<(), ApiError> {
    let (headers, path) = (request.headers(), request.uri().path());
    let forbidden = |reason| ApiError::new(StatusCode::FORBIDDEN, reason);
    let Some(host) = only(headers, header::HOST).filter(|host| leads_here(host)) else {
        return Err(forbidden("ask by IP address or localhost, not by another name"));
    };
    if headers.contains_key(header::ORIGIN) && !is_own(headers, host) {
        return Err(forbidden("pages of other origins may not ask"));
    }
    if is_foreign(headers) && !(page::is_public(path) && is_navigation(request)) {
        return Err(forbidden("pages of other sites may not ask"));
    }
    if page::is_public(path) {
        return Ok(());
    }
    if transmission::is_here(path) && keys.proves_by_password(headers) {
        return Ok(());
    }
    let unauthorized = |reason| ApiError::new(StatusCode::UNAUTHORIZED, reason);
    match keys.prove(headers).map_err(unauthorized)? {
        Proof::Cookie if !request.method().is_safe() && !headers.contains_key(header::ORIGIN) => {
            Err(forbidden("with a cookie, an Origin is needed; programs send the token instead"))
        }
        Proof::Cookie | Proof::Token => Ok(()),
    }
}

fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let origin = only(headers, header::ORIGIN);
    origin.and_then(|origin| origin.strip_prefix("http://")) == Some(host)
}

/// Whether a browser says that a page of another site asks. Those of another port of this machine are `same-site`.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    headers.contains_key(FETCH_SITE) && !matches!(only(headers, FETCH_SITE), Some("same-origin" | "none"))
}

fn is_navigation(request: &Request) -> bool {
    request.method() == Method::GET && only(request.headers(), FETCH_MODE) == Some("navigate")
}

/// Whether a Host is an IP address or `localhost`, with or without a port: neither can be made to lead elsewhere.
fn leads_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && !name.ends_with(':') => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match bare {
        Some(v6) => v6.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()),
        None => name.eq_ignore_ascii_case("localhost") || is_v4(name),
    }
}

fn is_v4(name: &str) -> bool {
    // No octal, no hexadecimal, no short forms.
    name.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn only_names_that_nobody_can_redirect_lead_here() {
        for host in
            ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:7118", "[::1]", "[::1]:7118", "10.0.0.7:1"]
        {
            assert!(leads_here(host), "{host}");
        }
        let foreign = [
            "",
            "evil.example",
            "evil.example:7118",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "0x7f.1",
            "2130706433",
            "127.1:80",
            "::1",
            "[::1",
            "[localhost]",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "user@127.0.0.1",
            "127.0.0.1:80:80",
            "[127.0.0.1]",
        ];
        for host in foreign {
            assert!(!leads_here(host), "{host}");
        }
    }
}
