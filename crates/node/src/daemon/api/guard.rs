//! Who may ask: not a page of another origin, not a name that was made to lead here, nobody without the token.
//!
//! A browser sends the name it was given as Host: an attacker's name whose address was changed to ours (DNS rebinding)
//! is refused, an IP address or `localhost` is not. Origin, where a browser sends it, must be the Host itself. Both are
//! looked at before the token, and no answer carries a CORS header.

use super::Shared;
use super::answer::ApiError;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use std::net::{IpAddr, Ipv4Addr};

/// What opens the API; compared by hash, so that the time it takes says nothing of where a guess is wrong.
pub(super) struct Token([u8; 32]);

impl Token {
    pub(super) fn new(token: &str) -> Token {
        Token(Sha256::digest(token).into())
    }

    fn is(&self, guess: &str) -> bool {
        let guess: [u8; 32] = Sha256::digest(guess).into();
        guess == self.0
    }
}

/// Lets a request through, or not; and says to browsers what they may do with the answer: nothing.
pub(super) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = match check(&shared.token, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    let rules = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, rule) in rules {
        headers.insert(name, HeaderValue::from_static(rule));
    }
    response
}

fn check(token: &Token, headers: &HeaderMap) -> Result<(), ApiError> {
    let forbidden = |reason| ApiError::new(StatusCode::FORBIDDEN, reason);
    let host = only(headers, header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.filter(|host| leads_here(host)) else {
        return Err(forbidden("ask by IP address or localhost, not by another name"));
    };
    if headers.contains_key(header::ORIGIN) {
        let origin = only(headers, header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let own = origin.and_then(|origin| origin.strip_prefix("http://")) == Some(host);
        if !own {
            return Err(forbidden("pages of other origins may not ask"));
        }
    }
    let given = only(headers, header::AUTHORIZATION).and_then(|given| given.to_str().ok());
    let guess = given
        .and_then(|given| given.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match guess {
        Some((_, guess)) if token.is(guess) => Ok(()),
        Some(_) => Err(ApiError::new(StatusCode::UNAUTHORIZED, "the token is not that of node.json")),
        None => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "send the token of node.json: Authorization: Bearer TOKEN",
        )),
    }
}

/// The header's value if it is there once.
fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
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
