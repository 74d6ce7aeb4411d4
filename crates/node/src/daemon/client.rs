//! The commands' side of the API.

use super::home::NodeAddress;
use super::report::ErrorAnswer;
use crate::failure::{Failure, Outcome};
use crate::text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the first byte of an answer may take: longer than any operation of the ring.
const ANSWER: Duration = Duration::from_secs(40);
/// Longest answer read as one object.
const MAX_ANSWER: u64 = 64 << 20;

/// Speaks to the node that runs on a home.
pub(crate) struct Client {
    home: PathBuf,
    address: NodeAddress,
    agent: Agent,
}

impl Client {
    /// Finds the node's address; it is not asked yet.
    pub(crate) fn new(home: &Path) -> Outcome<Client> {
        let address = NodeAddress::read(home)?.ok_or_else(|| nobody(home))?;
        // A proxy must not see the token, and could not reach loopback anyway.
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .build();
        Ok(Client { home: home.to_owned(), address, agent: config.new_agent() })
    }

    /// The link to the node's page.
    pub(crate) fn page(&self) -> String {
        self.address.page()
    }

    /// Reads an object.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        self.object(self.ask(path)?)
    }

    /// Asks with an object, reads one.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Outcome<T> {
        let body = serde_json::to_vec(request).map_err(anyhow::Error::from)?;
        let sent = self.agent.post(self.url(path)).header("Content-Type", "application/json");
        let response = sent.header("Authorization", self.bearer()).send(&body[..]);
        self.object(self.answered(response)?)
    }

    /// Reads objects as they come, one a line, until the node ends the answer.
    pub(crate) fn watch<T: DeserializeOwned>(&self, path: &str, each: impl FnMut(T) -> Outcome) -> Outcome {
        self.lines(self.ask(path)?, each)
    }

    /// As [`Client::watch`], of what is asked by POST without a body.
    pub(crate) fn post_and_watch<T: DeserializeOwned>(
        &self,
        path: &str,
        each: impl FnMut(T) -> Outcome,
    ) -> Outcome {
        let response = self.agent.post(self.url(path)).header("Authorization", self.bearer()).send_empty();
        self.lines(self.answered(response)?, each)
    }

    /// As [`Client::watch`], of what is asked with an object.
    pub(crate) fn ask_and_watch<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
        each: impl FnMut(T) -> Outcome,
    ) -> Outcome {
        let body = serde_json::to_vec(request).map_err(anyhow::Error::from)?;
        let sent = self.agent.post(self.url(path)).header("Content-Type", "application/json");
        let response = sent.header("Authorization", self.bearer()).send(&body[..]);
        self.lines(self.answered(response)?, each)
    }

    fn ask(&self, path: &str) -> Outcome<Response<Body>> {
        let response = self.agent.get(self.url(path)).header("Authorization", self.bearer()).call();
        self.answered(response)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.address.api)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.address.token)
    }

    fn answered(&self, response: Result<Response<Body>, ureq::Error>) -> Outcome<Response<Body>> {
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let told = response.body_mut().with_config().limit(MAX_ANSWER).read_json::<ErrorAnswer>();
        // A node that was killed leaves its address; whoever has its port now is no node of this home.
        Err(match told {
            Ok(told) if status != 401 => Failure::Failed(text::line(&told.error)),
            _ => nobody(&self.home),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        match error {
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                nobody(&self.home)
            }
            _ => Failure::failed(format_args!(
                "the node (process {}) does not answer at http://{}: {error}",
                self.address.pid, self.address.api
            )),
        }
    }

    fn object<T: DeserializeOwned>(&self, mut response: Response<Body>) -> Outcome<T> {
        let read = response.body_mut().with_config().limit(MAX_ANSWER).read_json();
        read.map_err(|error| self.unreadable(&error))
    }

    fn lines<T: DeserializeOwned>(
        &self,
        response: Response<Body>,
        mut each: impl FnMut(T) -> Outcome,
    ) -> Outcome {
        let body = response.into_body().into_with_config().limit(u64::MAX).reader();
        for line in BufReader::new(body).lines() {
            // The node has gone in the middle of a line.
            let Ok(line) = line else { break };
            each(serde_json::from_str(&line).map_err(|error| self.unreadable(&error))?)?;
        }
        Ok(())
    }

    fn unreadable(&self, error: &impl std::fmt::Display) -> Failure {
        let version = text::line(&self.address.version);
        Failure::failed(format_args!("the answer of the node (version {version}) cannot be read: {error}"))
    }
}

fn nobody(home: &Path) -> Failure {
    let home = text::path(home);
    Failure::failed(format_args!("no node is running on {home}; start one with: throng join"))
}
