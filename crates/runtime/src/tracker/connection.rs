//! One HTTP connection: requests one after the other, each within its time.

use std::net::SocketAddr;
use std::sync::Arc;

use throng_machine::Endpoint;
use throng_tracker::HttpStatus;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Shared;
use super::http::Slot;
use super::message::{HEAD_MAX, Head, Refusal, parse, respond};
use crate::entropy::SystemEntropy;

const TEXT: &str = "text/plain";

/// A client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    from: Endpoint,
    shared: Arc<Shared>,
    entropy: SystemEntropy,
    stopped: watch::Receiver<bool>,
    /// Held to the end.
    _slot: Slot,
    /// Bytes read and not yet understood.
    input: Vec<u8>,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        from: SocketAddr,
        shared: Arc<Shared>,
        (entropy, stopped, slot): (SystemEntropy, watch::Receiver<bool>, Slot),
    ) -> Self {
        Self { stream, from: from.into(), shared, entropy, stopped, _slot: slot, input: Vec::new() }
    }

    /// Answers requests until the client goes, errs, takes too long, or the server stops.
    pub(super) async fn run(mut self) {
        let limit = self.shared.config.request_timeout;
        loop {
            let mut stopped = self.stopped.clone();
            let request = tokio::select! {
                request = timeout(limit, self.next()) => request,
                _ = stopped.wait_for(|stopped| *stopped) => return,
            };
            let Ok(Some((output, keep_alive))) = request else { return };
            if !matches!(timeout(limit, self.stream.write_all(&output)).await, Ok(Ok(()))) || !keep_alive {
                break;
            }
        }
        // Best effort: the answer has been handed to the system.
        let _ = timeout(limit, self.stream.shutdown()).await;
    }

    /// Reads a request and answers it; `None` when the client is gone.
    async fn next(&mut self) -> Option<(Vec<u8>, bool)> {
        loop {
            if !self.input.is_empty() {
                match parse(&self.input) {
                    Ok(Some(head)) => {
                        let (len, keep_alive) = (head.len, head.keep_alive);
                        let output = answer(&self.shared, &mut self.entropy, self.from, &head);
                        self.input.drain(..len);
                        return Some((output, keep_alive));
                    }
                    Ok(None) => {}
                    Err(refusal) => return Some((refuse(refusal), false)),
                }
            }
            self.input.reserve(HEAD_MAX - self.input.len());
            let read =
                (&mut self.stream).take((HEAD_MAX - self.input.len()) as u64).read_buf(&mut self.input).await;
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }
}

fn answer(shared: &Shared, entropy: &mut SystemEntropy, from: Endpoint, head: &Head<'_>) -> Vec<u8> {
    let (mut output, mut body) = (Vec::new(), Vec::new());
    if shared.config.metrics && head.target == "/metrics" {
        let mut text = String::new();
        shared.tracker().metrics().render(&mut text);
        respond("200 OK", "text/plain; version=0.0.4", text.as_bytes(), Some(head), &mut output);
        return output;
    }
    let now = shared.now();
    let status = shared.tracker().handle_get(from, head.target.as_bytes(), now, entropy, &mut body);
    match status {
        HttpStatus::Ok => respond("200 OK", TEXT, &body, Some(head), &mut output),
        HttpStatus::NotFound => respond("404 Not Found", TEXT, b"not found\n", Some(head), &mut output),
    }
    output
}

fn refuse(refusal: Refusal) -> Vec<u8> {
    let mut output = Vec::new();
    respond(refusal.status(), TEXT, b"", None, &mut output);
    output
}
