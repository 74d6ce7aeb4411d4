//! What opens the API: the token, and the sessions of browsers that have shown it.
//!
//! A browser keeps a session in a cookie that scripts cannot read and that no other site's page can send (`HttpOnly`,
//! `SameSite=Strict`). Cookies do not know ports: its name carries ours, so that two nodes of one machine do not take
//! each other's, and it is a secret of its own, never the token. All secrets are compared by hash, so that the time it
//! takes says nothing of where a guess is wrong. Sessions end with the process.

use axum::http::{HeaderMap, HeaderValue, header};
use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};
use throng_machine::Entropy as _;
use throng_runtime::entropy::SystemEntropy;

/// Browsers logged in at once; the oldest gives way.
const MAX_SESSIONS: usize = 32;
/// Random bytes of a session.
const SESSION: usize = 32;

type Digest = [u8; 32];

/// The token and the sessions.
pub(super) struct Keys {
    token: Digest,
    sessions: Mutex<VecDeque<Digest>>,
}

/// How a request proved itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Proof {
    /// By the token, in a header that no page can make a browser add.
    Token,
    /// By a cookie, which a browser adds by itself.
    Cookie,
}

impl Keys {
    pub(super) fn new(token: &str) -> Keys {
        Keys { token: digest(token), sessions: Mutex::default() }
    }

    /// What the request proves itself by; `Err` says what is wrong.
    pub(super) fn prove(&self, headers: &HeaderMap) -> Result<Proof, &'static str> {
        match only(headers, header::AUTHORIZATION) {
            Some(given) if self.is_token(given) => Ok(Proof::Token),
            Some(given) if is_known_scheme(given) => Err("the token is not that of node.json"),
            None if self.session(headers).is_some() => Ok(Proof::Cookie),
            _ => Err("send the token of node.json: Authorization: Bearer TOKEN"),
        }
    }

    /// Begins a session: its cookie's value.
    pub(super) fn begin_session(&self) -> io::Result<String> {
        let mut secret = [0; SESSION];
        SystemEntropy::from_system()?.fill(&mut secret);
        let secret = HEXLOWER.encode(&secret);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() == MAX_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(digest(&secret));
        Ok(secret)
    }

    /// Ends the session of a request, if it has one.
    pub(super) fn end_session(&self, headers: &HeaderMap) {
        if let Some(session) = self.session(headers) {
            self.sessions.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != session);
        }
    }

    fn session(&self, headers: &HeaderMap) -> Option<Digest> {
        let name = cookie_name(headers);
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut values = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| {
            let (key, value) = cookie.trim().split_once('=')?;
            (key == name).then(|| digest(value))
        });
        values.find(|value| sessions.contains(value))
    }

    fn is_token(&self, given: &str) -> bool {
        match given.split_once(' ') {
            Some((scheme, guess)) if scheme.eq_ignore_ascii_case("bearer") => digest(guess) == self.token,
            _ => false,
        }
    }

    /// Whether a request names the token as its password (HTTP Basic, any user name): for programs that can do no
    /// better.
    pub(super) fn proves_by_password(&self, headers: &HeaderMap) -> bool {
        let given = only(headers, header::AUTHORIZATION).and_then(|given| given.split_once(' '));
        let Some((_, code)) = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic")) else {
            return false;
        };
        let pair = BASE64.decode(code.trim().as_bytes()).ok().and_then(|pair| String::from_utf8(pair).ok());
        pair.is_some_and(|pair| pair.split_once(':').is_some_and(|(_, word)| digest(word) == self.token))
    }
}

/// The name of the cookie: that of the port the browser asks.
pub(super) fn cookie_name(headers: &HeaderMap) -> String {
    let port = only(headers, header::HOST).and_then(|host| host.rsplit_once(':')).map(|(_, port)| port);
    let port = port.and_then(|port| port.parse::<u16>().ok()).unwrap_or(80);
    format!("throng-{port}")
}

/// The header's value if it is there once, as text.
pub(super) fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).and_then(|value: &HeaderValue| value.to_str().ok())
}

fn is_known_scheme(given: &str) -> bool {
    given.split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
}

fn digest(secret: &str) -> Digest {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod unit {
    use super::*;

    fn headers(lines: &[(header::HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_session_is_of_one_port_and_ends_when_it_is_told() {
        let keys = Keys::new("secret");
        let session = keys.begin_session().unwrap();
        let with = |host: &str, cookie: &str| headers(&[(header::HOST, host), (header::COOKIE, cookie)]);
        let own = with("127.0.0.1:7118", &format!("other=1; throng-7118={session}"));
        assert_eq!(keys.prove(&own), Ok(Proof::Cookie));
        assert!(keys.prove(&with("127.0.0.1:7119", &format!("throng-7118={session}"))).is_err());
        assert!(keys.prove(&with("127.0.0.1:7118", "throng-7118=secret")).is_err());
        keys.end_session(&own);
        assert!(keys.prove(&own).is_err());
    }

    #[test]
    fn the_oldest_of_too_many_sessions_gives_way() {
        let keys = Keys::new("secret");
        let sessions: Vec<_> = (0..=MAX_SESSIONS).map(|_| keys.begin_session().unwrap()).collect();
        let proves = |session: &str| {
            let cookie = format!("throng-80={session}");
            keys.prove(&headers(&[(header::HOST, "localhost"), (header::COOKIE, &cookie)])).is_ok()
        };
        assert!(!proves(&sessions[0]) && proves(&sessions[1]) && proves(&sessions[MAX_SESSIONS]));
    }

    #[test]
    fn a_password_is_the_token_whoever_the_user_is() {
        let keys = Keys::new("secret");
        let basic = |pair: &str| {
            headers(&[(header::AUTHORIZATION, &format!("Basic {}", BASE64.encode(pair.as_bytes())))])
        };
        assert!(keys.proves_by_password(&basic("anyone:secret")));
        for pair in ["anyone:wrong", "secret", "secret:", ":"] {
            assert!(!keys.proves_by_password(&basic(pair)), "{pair}");
        }
        assert!(keys.prove(&basic("anyone:secret")).is_err());
    }
}
