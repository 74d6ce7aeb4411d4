//! One part of the demo: a process of this very program, with a home of its own, spoken to as any program would.

use crate::daemon::client::Client;
use crate::failure::{Failure, Outcome};
use crate::text;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long a process may take to listen; generous, as twenty may be starting at once.
const START: Duration = Duration::from_secs(30);
/// Most bytes of a process's last words that are repeated.
const WORDS: u64 = 4096;

/// A running process; killed when dropped.
pub(super) struct Actor {
    /// What people call it.
    pub(super) name: String,
    /// Where its systems are reached.
    pub(super) address: SocketAddr,
    home: PathBuf,
    child: Child,
    /// Whether it still plays.
    alive: bool,
}

impl Actor {
    /// Speaks to its API.
    pub(super) fn client(&self) -> Outcome<Client> {
        Client::new(&self.home)
    }

    /// Where its state is.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Whether it was neither killed nor has it left.
    pub(super) fn is_alive(&self) -> bool {
        self.alive
    }

    /// Ends it without a word to anyone, as a power cut would.
    pub(super) fn kill(&mut self) {
        if std::mem::take(&mut self.alive) {
            // It may have ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// Lets it hand over and say goodbye.
    pub(super) fn leave(&mut self) -> Outcome {
        if !self.alive {
            return Ok(());
        }
        self.client()?.post_and_watch("leave", |_: Value| Ok(()))?;
        let ended = self.child.wait();
        self.alive = false;
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::failed(format_args!("{} ended with {status}", self.name))),
            Err(error) => Err(Failure::failed(format_args!("{} cannot be waited for: {error}", self.name))),
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process that may not listen yet, so that many can start at once.
pub(super) struct Begun {
    name: String,
    home: PathBuf,
    child: Option<Child>,
    address: Receiver<SocketAddr>,
}

impl Begun {
    /// Starts `throng --home … --json ARGS`.
    pub(super) fn start(name: &str, scratch: &Path, args: &[&str]) -> Outcome<Begun> {
        let failed = |error| Failure::failed(format_args!("cannot start {name}: {error}"));
        let home = scratch.join(name.replace(' ', "-"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.arg("--home").arg(&home).args(["--json", "-q"]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (tell, address) = channel();
        if let Some(lines) = child.stdout.take() {
            // Read to the end, or the process would wait for room in the pipe.
            std::thread::spawn(move || {
                for line in BufReader::new(lines).lines().map_while(Result::ok) {
                    let event: Value = serde_json::from_str(&line).unwrap_or_default();
                    let at = event["address"].as_str().filter(|_| event["event"] == "listening");
                    if let Some(at) = at.and_then(|at| at.parse().ok()) {
                        // Nobody waits for a second one.
                        let _ = tell.send(at);
                    }
                }
            });
        }
        Ok(Begun { name: name.to_owned(), home, child: Some(child), address })
    }

    /// Waits until it listens; says its last words if it ends instead.
    pub(super) fn listening(mut self) -> Outcome<Actor> {
        let address = self.address.recv_timeout(START);
        let Some(child) = self.child.take() else {
            return Err(Failure::failed(format_args!("{} was started twice", self.name)));
        };
        let mut actor = Actor {
            name: self.name.clone(),
            address: SocketAddr::from(([0; 4], 0)),
            home: self.home.clone(),
            child,
            alive: true,
        };
        match address {
            Ok(address) => {
                actor.address = address;
                // Its complaints must not fill the pipe either.
                if let Some(mut words) = actor.child.stderr.take() {
                    std::thread::spawn(move || std::io::copy(&mut words, &mut std::io::sink()));
                }
                Ok(actor)
            }
            Err(RecvTimeoutError::Timeout) => {
                let seconds = START.as_secs();
                Err(Failure::failed(format_args!("{} did not listen within {seconds} s", self.name)))
            }
            Err(RecvTimeoutError::Disconnected) => {
                let mut words = String::new();
                if let Some(stderr) = actor.child.stderr.take() {
                    let _ = stderr.take(WORDS).read_to_string(&mut words);
                }
                let last = text::line(words.trim().lines().last().unwrap_or("without a word"));
                Err(Failure::failed(format_args!("{} ended at once: {last}", self.name)))
            }
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
