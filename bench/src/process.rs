//! A running program: its log, the signs by which it is ready or complete, what it used, and its certain end.
//!
//! Invariant: the child is killed and reaped when its `Running` is dropped, so also when a test panics.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How often a condition is looked at; also the resolution of every time measured here.
const LOOK: Duration = Duration::from_millis(5);
/// How often a program is asked, which costs it and us more than a look.
const ASK: Duration = Duration::from_millis(100);
/// How long a program may take to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// What a program has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time of all its threads, in seconds (resolution 10 ms).
    pub cpu_seconds: f64,
    /// Peak resident memory in bytes (`VmHWM`; mapped file pages count).
    pub peak_rss: u64,
}

/// A condition that the program's state can be held against.
pub enum Sign {
    /// It exited with code 0.
    Exit,
    /// This file exists.
    File(PathBuf),
    /// Its output holds this text.
    Text(String),
    /// It listens on this TCP port.
    Listening(u16),
    /// Asked of the program itself; an error means "not yet".
    Ask(Box<dyn Fn() -> Result<bool> + Send + Sync>),
}

impl fmt::Debug for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit => f.write_str("its exit"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Text(text) => write!(f, "the output {text:?}"),
            Self::Listening(port) => write!(f, "listening on port {port}"),
            Self::Ask(_) => f.write_str("its own report"),
        }
    }
}

/// A started program.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    log: PathBuf,
    started: Instant,
    ready: Sign,
    complete: Sign,
    usage: Usage,
}

impl Running {
    /// Starts `command` with its output going to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path, ready: Sign, complete: Sign) -> Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("{name} could not be started"))?;
        let (name, log) = (name.to_owned(), log.to_owned());
        Ok(Self { name, child, log, started, ready, complete, usage: Usage::default() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// All it has printed.
    pub fn output(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Its standard input, for programs that wait for a word from us.
    pub fn stdin(&mut self) -> Option<&mut std::process::ChildStdin> {
        self.child.stdin.as_mut()
    }

    /// Waits until it serves, or fails at `deadline`.
    pub fn wait_ready(&mut self, deadline: Instant) -> Result<()> {
        self.wait(deadline, false).map(drop)
    }

    /// Waits until it says that all data is complete; returns when that was seen.
    pub fn wait_complete(&mut self, deadline: Instant) -> Result<Instant> {
        self.wait(deadline, true)
    }

    /// Whether it has completed by now; an error if it ended without having done so.
    pub fn is_complete(&mut self) -> Result<bool> {
        self.look(true)
    }

    fn wait(&mut self, deadline: Instant, complete: bool) -> Result<Instant> {
        while !self.look(complete)? {
            if Instant::now() >= deadline {
                let sign = if complete { &self.complete } else { &self.ready };
                bail!("{} did not reach {sign:?} in time\n{}", self.name, self.last_words());
            }
            let sign = if complete { &self.complete } else { &self.ready };
            std::thread::sleep(if let Sign::Ask(_) = sign { ASK } else { LOOK });
        }
        Ok(Instant::now())
    }

    fn look(&mut self, complete: bool) -> Result<bool> {
        let ended = self.observe();
        let sign = if complete { &self.complete } else { &self.ready };
        if let Sign::Exit = sign {
            if !ended {
                return Ok(false);
            }
            let status = self.child.wait()?;
            ensure!(status.success(), "{} failed: {status}\n{}", self.name, self.last_words());
            return Ok(true);
        }
        let holds = match sign {
            Sign::Exit => false,
            Sign::File(path) => path.exists(),
            Sign::Text(text) => self.output().contains(text.as_str()),
            Sign::Listening(port) => is_listening(self.child.id(), *port),
            Sign::Ask(ask) => ask().unwrap_or(false),
        };
        ensure!(holds || !ended, "{} ended before {sign:?}\n{}", self.name, self.last_words());
        Ok(holds)
    }

    /// Notes what it has used; true if it has ended (it is not reaped by this).
    fn observe(&mut self) -> bool {
        let pid = self.child.id();
        let Some((state, cpu_seconds)) = read_stat(pid) else { return true };
        self.usage.cpu_seconds = self.usage.cpu_seconds.max(cpu_seconds);
        self.usage.peak_rss = self.usage.peak_rss.max(read_peak_rss(pid));
        matches!(state, 'Z' | 'X')
    }

    /// What it has used until now, or until it ended.
    pub fn usage(&mut self) -> Usage {
        self.observe();
        self.usage
    }

    /// The end of its output, for a report of what went wrong.
    pub fn last_words(&self) -> String {
        let output = self.output().replace('\r', "\n");
        let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
        let from = lines.len().saturating_sub(25);
        format!("--- the last output of {} ---\n{}", self.name, lines[from..].join("\n"))
    }

    /// Asks it to end (SIGINT), and kills it if it does not within five seconds.
    pub fn stop(mut self) -> Result<()> {
        self.interrupt()
    }

    fn interrupt(&mut self) -> Result<()> {
        self.observe();
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), Signal::INT)?;
        let deadline = Instant::now() + GRACE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() >= deadline {
                return self.kill();
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            self.child.kill()?;
            self.child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.kill();
    }
}

/// State letter and CPU seconds of a process that has not been reaped.
fn read_stat(pid: u32) -> Option<(char, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name is in parentheses and may hold anything; the fields are counted from behind it.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let state = fields.first()?.chars().next()?;
    let ticks = fields.get(11)?.parse::<u32>().ok()?.saturating_add(fields.get(12)?.parse::<u32>().ok()?);
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100);
    Some((state, f64::from(ticks) / f64::from(per_second)))
}

fn read_peak_rss(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

/// Whether some socket of the process's network namespace listens on `port`.
fn is_listening(pid: u32, port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    ["tcp", "tcp6"].iter().any(|table| {
        let rows = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        rows.lines().skip(1).any(|row| {
            let fields: Vec<&str> = row.split_whitespace().collect();
            // State 0A is LISTEN.
            fields.get(1).is_some_and(|local| local.ends_with(&suffix)) && fields.get(3) == Some(&"0A")
        })
    })
}
