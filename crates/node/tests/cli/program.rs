//! Running the program, and files for it to work on.

use serde_json::Value;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use throng_machine::{Entropy as _, SplitMix64};

/// How long anything may take; generous, since machines are shared.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long a command may run that ends by itself: whole simulations are among them.
const RUN_DEADLINE: Duration = Duration::from_secs(600);

/// A folder of one test, with the program's home in it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders it lies in.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The program with these arguments, run in this folder.
    pub(crate) fn command(&self, home: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.current_dir(self.folder.path()).arg("--home").arg(self.path(home)).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        finish(self.command("home", arguments), b"")
    }

    /// Starts it with `--json`.
    pub(crate) fn start(&self, home: &str, arguments: &[&str]) -> Running {
        Running::start(self.command(home, &[&["--json"], arguments].concat()))
    }

    /// Makes a torrent of `path` and returns its magnet link.
    pub(crate) fn publish(&self, path: &str, torrent: &str, more: &[&str]) -> String {
        let done = self.run(&[&["torrent", "create", path, "-o", torrent], more].concat());
        assert_eq!(done.code, 0, "{done:?}");
        done.stdout.trim().to_owned()
    }

    /// Starts a seed and waits until it serves; returns it with its address.
    pub(crate) fn seed(&self, torrent: &str, dir: &str, more: &[&str]) -> (Running, String) {
        let arguments = [&["seed", torrent, dir, "--listen", "127.0.0.1:0"], more].concat();
        let mut seed = self.start("home-seed", &arguments);
        let address = seed.event("listening")["address"].as_str().unwrap().to_owned();
        seed.event("seeding");
        (seed, address)
    }

    /// Names of everything in a folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Bytes that do not repeat, the same each time.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    SplitMix64::new(seed).fill(&mut bytes);
    bytes
}

/// Fails unless both folders hold the same files.
pub(crate) fn assert_same(left: &Path, right: &Path) {
    let names = |folder: &Path| {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(left), names(right), "{} and {}", left.display(), right.display());
    for name in names(left) {
        let (left, right) = (left.join(&name), right.join(&name));
        if left.is_dir() {
            assert_same(&left, &right);
        } else {
            assert!(
                std::fs::read(&left).unwrap() == std::fs::read(&right).unwrap(),
                "{} differs",
                right.display()
            );
        }
    }
}

/// Runs a command to its end with something on standard input; killed, and the test failed, if it does not end.
pub(crate) fn finish(mut command: Command, input: &[u8]) -> Done {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    // Who does not read it has closed it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let (tell, ended) = channel();
    // Ends with the program.
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    match ended.recv_timeout(RUN_DEADLINE) {
        Ok(output) => Done::of(output.unwrap()),
        Err(_) => {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            panic!("{command:?} does not end")
        }
    }
}

/// What a run ended with.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Shortened: what a failed test shows should be readable.
impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| text.chars().take(2_000).collect::<String>();
        write!(f, "exit code {}; it said\n{}\nand\n{}", self.code, short(&self.stdout), short(&self.stderr))
    }
}

impl Done {
    pub(crate) fn of(output: Output) -> Done {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap_or(-1);
        Done { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Standard output as one object a line.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Fails unless it ended with this code and said so in one line that has all of `words`.
    pub(crate) fn assert_refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.starts_with("throng: "), "{self:?}");
        assert!(self.stdout.is_empty(), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self:?}");
        }
    }
}

/// A running program; killed if the test ends before it.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = channel();
        let pipes: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for pipe in pipes {
            let tell = tell.clone();
            // Ends with the pipe, or when nobody listens any more.
            std::thread::spawn(move || {
                BufReader::new(pipe).lines().map_while(Result::ok).all(|line| tell.send(line).is_ok())
            });
        }
        Running { child, lines }
    }

    /// Waits for an output line that `wanted` likes.
    pub(crate) fn line<T>(&mut self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => match wanted(&line) {
                    Some(found) => return found,
                    None => seen.push(line),
                },
                Err(error) => panic!("waiting for {what}: {error}; it said {seen:#?}"),
            }
        }
    }

    /// Waits for an event.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        self.event_with(name, |_| true)
    }

    /// Waits for an event that `wanted` likes.
    pub(crate) fn event_with(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.line(name, |line| {
            let object: Value = serde_json::from_str(line).ok()?;
            (object["event"] == name && wanted(&object)).then_some(object)
        })
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> i32 {
        // Its pipes close when it ends.
        let deadline = Instant::now() + DEADLINE;
        while self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
        assert!(Instant::now() < deadline, "the program did not end");
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

/// Answers every HTTP request with these bytes; returns the URL of the server.
pub(crate) fn serve(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // One read holds a whole request; if the client is gone already, the next may not be.
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(&answer));
        }
    });
    url
}
