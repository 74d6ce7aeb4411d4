//! Networks for the programs under test, made of Linux network namespaces. Needs root, `ip`, `nsenter`, `unshare`
//! and `setpriv`.
//!
//! Invariants: no namespace made here has a route out of the lab, so no program can reach the Internet; a
//! namespace lives as long as its anchor (a `cat` that ends when the pipe to us closes), so nothing is left behind
//! even if this process is killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// One network namespace, its loopback up; gone when dropped.
#[derive(Debug)]
pub struct Namespace {
    anchor: Child,
    /// Closing it ends the anchor.
    stdin: Option<ChildStdin>,
}

impl Namespace {
    /// Makes a namespace with nothing in it but its loopback; needs root.
    pub fn new() -> Result<Arc<Self>> {
        let mut anchor = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat >/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("unshare could not be started")?;
        let stdin = anchor.stdin.take();
        let stdout = anchor.stdout.take().context("the anchor has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let namespace = Self { anchor, stdin };
        ensure!(
            line.trim() == "ready",
            "a network namespace could not be made (root and iproute2 are needed)"
        );
        Ok(Arc::new(namespace))
    }

    /// A process in it, which lives as long as the namespace does.
    pub fn pid(&self) -> u32 {
        self.anchor.id()
    }

    fn net(&self) -> String {
        format!("/proc/{}/ns/net", self.anchor.id())
    }

    /// A command that runs `program` in this namespace, by its own process id, and is killed if we die first.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.net())).args(["setpriv", "--pdeathsig", "KILL", "--"]);
        command.arg(program.as_ref());
        command
    }

    /// Runs a command line to its end; an error unless it exits with 0.
    pub fn run(&self, line: &str) -> Result<()> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command line")?;
        let output = self.command(program).args(words).stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(());
        }
        bail!("`{line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim())
    }

    /// Runs `work` on a thread of its own that has entered the namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = self.net();
        let joined = std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let file = File::open(&path)?;
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
                work()
            });
            thread.join()
        });
        joined.unwrap_or_else(|_| bail!("the thread in the namespace panicked"))
    }

    /// Bytes received so far by the interface `device`, link headers included.
    pub fn received(&self, device: &str) -> Result<u64> {
        let table = std::fs::read_to_string(format!("/proc/{}/net/dev", self.anchor.id()))?;
        let prefix = format!("{device}:");
        let row = table.lines().find_map(|line| line.trim().strip_prefix(prefix.as_str()));
        let field = row.and_then(|row| row.split_whitespace().next()).context("no such interface")?;
        Ok(field.parse()?)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ended = self.anchor.wait();
    }
}

/// A place in the lab where a program runs: an address and the namespace that has it.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its own address, 10.77.0.N.
    pub address: Ipv4Addr,
    /// The namespace to run programs in.
    pub namespace: Arc<Namespace>,
}

impl Host {
    /// Sends one HTTP/1.1 request from this host and returns the whole answer, headers included.
    pub fn http(&self, to: SocketAddrV4, request: &str) -> Result<Vec<u8>> {
        self.namespace.enter(|| {
            let mut stream = TcpStream::connect_timeout(&to.into(), Duration::from_secs(2))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer);
            // A server that keeps the connection open has still answered.
            if answer.is_empty() {
                read?;
            }
            Ok(answer)
        })
    }

    /// `GET path`, the connection closed after it.
    pub fn http_get(&self, to: SocketAddrV4, path: &str) -> Result<Vec<u8>> {
        self.http(to, &format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n"))
    }

    /// Bytes that reached this host over its own interface (a bridged lab only).
    pub fn received(&self) -> Result<u64> {
        self.namespace.received("eth0")
    }
}

/// A set of hosts that reach each other and nothing else.
#[derive(Debug)]
pub struct Lab {
    hub: Arc<Namespace>,
    bridged: bool,
    next: u8,
}

impl Lab {
    /// All hosts in one namespace: their traffic is loopback traffic, but no address is in 127.0.0.0/8, which
    /// several programs refuse.
    pub fn loopback() -> Result<Self> {
        Ok(Self { hub: Namespace::new()?, bridged: false, next: 1 })
    }

    /// Each host in a namespace of its own, all plugged into one bridge.
    pub fn bridged() -> Result<Self> {
        let hub = Namespace::new()?;
        hub.run("ip link add name br0 type bridge")?;
        hub.run("ip link set br0 up")?;
        Ok(Self { hub, bridged: true, next: 1 })
    }

    /// Adds a host; there is room for 250.
    pub fn host(&mut self) -> Result<Host> {
        ensure!(self.next <= 250, "the lab is full");
        let number = self.next;
        self.next += 1;
        let address = Ipv4Addr::new(10, 77, 0, number);
        if !self.bridged {
            self.hub.run(&format!("ip address add {address}/32 dev lo"))?;
            return Ok(Host { address, namespace: Arc::clone(&self.hub) });
        }
        let namespace = Namespace::new()?;
        let pid = namespace.anchor.id();
        self.hub.run(&format!("ip link add name h{number} type veth peer name eth0 netns {pid}"))?;
        self.hub.run(&format!("ip link set h{number} master br0 up"))?;
        namespace.run(&format!("ip address add {address}/24 dev eth0"))?;
        namespace.run("ip link set eth0 up")?;
        Ok(Host { address, namespace })
    }
}
