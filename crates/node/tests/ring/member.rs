//! One process of the ring, and what is asked of many at once.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Mutex;
use std::time::Instant;
use throng_bench::lab::Host;
use throng_bench::process::{Running, Sign};

const PROGRAM: &str = env!("CARGO_BIN_EXE_throng");
/// Every member has its own address, so all use one port.
pub(crate) const PORT: u16 = 7117;
/// Commands run at once: nearly all of their time is spent waiting for a network with 400 ms of round trip and a tenth of
/// all packets lost.
const AT_ONCE: usize = 48;

/// A process that takes part; killed when dropped.
pub(crate) struct Member {
    pub(crate) host: Host,
    home: PathBuf,
    running: Running,
}

impl Member {
    /// Starts it; `chord` is an address or `new`.
    pub(crate) fn start(host: &Host, folder: &Path, chord: &str) -> Member {
        let home = folder.join(host.address.to_string());
        std::fs::create_dir_all(&home).unwrap();
        let mut command = host.namespace.command(PROGRAM);
        command.arg("--json").arg("--home").arg(&home).args([
            "join",
            "--chord",
            chord,
            "--chord-places",
            "1",
        ]);
        command.args(["--listen", &format!("{}:{PORT}", host.address), "--api", "127.0.0.1:7118"]);
        let joined = Sign::Text(r#""event":"joined""#.into());
        let name = format!("throng on {}", host.address);
        let running = Running::start(&name, command, &home.join("log"), joined, Sign::Exit).unwrap();
        Member { host: host.clone(), home, running }
    }

    /// Waits until it is in the ring.
    pub(crate) fn wait_joined(&mut self, deadline: Instant) {
        self.running.wait_ready(deadline).unwrap();
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.running.kill().unwrap();
    }

    /// Bytes of memory it had at most.
    pub(crate) fn peak_memory(&mut self) -> u64 {
        self.running.usage().peak_rss
    }

    /// Runs a command of the member's node.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = self.host.namespace.command(PROGRAM);
        command.arg("--home").arg(&self.home).args(arguments).output().unwrap()
    }

    /// Its part of the ring as its status has it; `None` if it does not answer.
    pub(crate) fn ring(&self) -> Option<Value> {
        let output = self.ask(&["--json", "status"]);
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(status["systems"][0].clone())
    }

    /// Its neighbours in a line, for a report of what went wrong.
    pub(crate) fn picture(&self) -> String {
        let Some(ring) = self.ring() else { return format!("{} does not answer", self.host.address) };
        let place = &ring["nodes"][0];
        let short = |node: &Value| node["id"].as_str().unwrap_or("?").chars().take(4).collect::<String>();
        let successors =
            place["successors"].as_array().into_iter().flatten().map(short).collect::<Vec<_>>().join(" ");
        let (id, before) = (short(place), short(&place["predecessor"]));
        format!(
            "{before} < {id} < {successors}; {}, {}, owns: {}",
            ring["standing"], ring["mode"], place["active"]
        )
    }

    /// Whether the ring acknowledged that it has the value.
    pub(crate) fn put(&self, key: &str, value: &str) -> bool {
        self.ask(&["--json", "put", key, value]).status.success()
    }

    /// What the ring has under the key.
    pub(crate) fn get(&self, key: &str) -> Result<String, String> {
        let output = self.ask(&["get", key]);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// Does something with each, several at once, and returns the results in order.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(items.iter().enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let item = next.lock().unwrap().next();
                    let Some((index, item)) = item else { break };
                    let result = work(item);
                    done.lock().unwrap().push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
