//! The floor: what a bare program needs to move files over loopback TCP and check them, with no protocol at all.
//!
//! Either side is one thread: `pread` and `send`; `recv`, SHA-1 and `pwrite`. What made it faster, and what did not, is
//! in README.md.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use sha1::{Digest, Sha1};
use throng_bench::data;
use throng_bench::process::{Running, Sign};
use throng_bench::program::{Job, Program};
use throng_bench::torrent::Format;

/// The length of data that has one digest.
const MIB: usize = 1 << 20;
/// Bytes handled at once on either side: they stay in a core's level-2 cache from one copy to the next.
const CHUNK: usize = 256 << 10;
/// Buffers of one MiB between the receiving and the hashing thread, if there are two.
const BUFFERS: usize = 4;

/// One side of the floor.
#[derive(Subcommand, Debug)]
pub(crate) enum Side {
    /// Listen, and send everything below PATH to the first who connects.
    Send(SendArgs),
    /// Connect, and write what comes below DIR.
    Receive(ReceiveArgs),
}

#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// A file or a folder.
    path: PathBuf,
    /// Address to listen on.
    #[arg(long)]
    listen: SocketAddr,
}

#[derive(Args, Debug)]
pub(crate) struct ReceiveArgs {
    /// Address to connect to.
    from: SocketAddr,
    /// An existing folder.
    dir: PathBuf,
    /// Hash and write on a second thread, not on the one that receives.
    #[arg(long)]
    two_threads: bool,
}

/// Runs one side to its end.
pub(crate) fn run(side: &Side) -> Result<()> {
    match side {
        Side::Send(args) => send(args),
        Side::Receive(args) => receive(args),
    }
}

fn send(args: &SendArgs) -> Result<()> {
    let listener = TcpListener::bind(args.listen)?;
    let (mut stream, _from) = listener.accept()?;
    let root = args.path.parent().context("the path has no parent")?;
    let name = PathBuf::from(args.path.file_name().context("the path has no name")?);
    let files: Vec<PathBuf> = data::list(&args.path)?
        .into_iter()
        .map(|file| if file.as_os_str().is_empty() { name.clone() } else { name.join(file) })
        .collect();
    let mut manifest = String::new();
    for file in &files {
        manifest += &format!("{} {}\n", fs::metadata(root.join(file))?.len(), file.display());
    }
    stream.write_all(format!("{}\n{manifest}", files.len()).as_bytes())?;
    let mut buf = vec![0; CHUNK];
    for file in &files {
        send_file(&File::open(root.join(file))?, &mut stream, &mut buf)?;
    }
    Ok(())
}

fn send_file(file: &File, stream: &mut TcpStream, buf: &mut [u8]) -> Result<()> {
    let mut at = 0;
    loop {
        let n = file.read_at(buf, at)?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..n])?;
        at += n as u64;
    }
}

fn receive(args: &ReceiveArgs) -> Result<()> {
    let mut input = BufReader::with_capacity(64 << 10, TcpStream::connect(args.from)?);
    let files = read_manifest(&mut input)?;
    let mut sink = Sink {
        root: args.dir.clone(),
        files: files.into_iter(),
        open: None,
        hasher: Sha1::new(),
        pending: 0,
        hashed: 0,
    };
    if !args.two_threads {
        let mut buf = vec![0; CHUNK];
        loop {
            let n = fill(&mut input, &mut buf)?;
            if n == 0 {
                return sink.finish();
            }
            sink.take(&buf[..n])?;
        }
    }
    let (full, filled) = sync_channel::<(Vec<u8>, usize)>(BUFFERS);
    let (empty, emptied) = sync_channel::<Vec<u8>>(BUFFERS);
    for _ in 0..BUFFERS {
        empty.send(vec![0; MIB])?;
    }
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || write_all(&mut sink, &filled, &empty));
        let received = pump(&mut input, &emptied, &full);
        drop(full);
        writer.join().map_err(|_| anyhow::anyhow!("the writing thread panicked"))?.and(received)
    })
}

fn pump(
    input: &mut impl Read,
    emptied: &Receiver<Vec<u8>>,
    full: &SyncSender<(Vec<u8>, usize)>,
) -> Result<()> {
    while let Ok(mut buf) = emptied.recv() {
        let n = fill(input, &mut buf)?;
        if n == 0 || full.send((buf, n)).is_err() {
            break;
        }
    }
    Ok(())
}

fn write_all(
    sink: &mut Sink,
    filled: &Receiver<(Vec<u8>, usize)>,
    empty: &SyncSender<Vec<u8>>,
) -> Result<()> {
    while let Ok((buf, n)) = filled.recv() {
        sink.take(&buf[..n])?;
        // The receiving thread may have ended already.
        let _unwanted = empty.send(buf);
    }
    sink.finish()
}

/// Fills `buf` as far as the stream goes.
fn fill(input: &mut impl Read, buf: &mut [u8]) -> Result<usize> {
    let mut have = 0;
    while have < buf.len() {
        match input.read(&mut buf[have..])? {
            0 => break,
            n => have += n,
        }
    }
    Ok(have)
}

fn read_manifest(input: &mut impl BufRead) -> Result<Vec<(u64, PathBuf)>> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let count: usize = line.trim().parse()?;
    let mut files = Vec::new();
    for _ in 0..count {
        line.clear();
        input.read_line(&mut line)?;
        let (size, path) = line.trim_end().split_once(' ').context("a manifest line without a size")?;
        files.push((size.parse()?, PathBuf::from(path)));
    }
    Ok(files)
}

/// Hashes what it is given and cuts it into files.
struct Sink {
    root: PathBuf,
    files: std::vec::IntoIter<(u64, PathBuf)>,
    /// The file being written, the offset in it and the bytes it still lacks.
    open: Option<(File, u64, u64)>,
    hasher: Sha1,
    /// Bytes in `hasher`, less than a MiB between calls.
    pending: usize,
    /// Folded digests: they are thrown away, but not before they were needed.
    hashed: u64,
}

impl Sink {
    fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.pending += bytes.len();
        if self.pending >= MIB {
            self.hashed += u64::from(self.hasher.finalize_reset()[0]);
            self.pending = 0;
        }
        while !bytes.is_empty() {
            if self.open.as_ref().is_none_or(|(_, _, left)| *left == 0) {
                self.next_file()?;
            }
            let (file, at, left) = self.open.as_mut().context("more data than the manifest says")?;
            let n = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            file.write_all_at(&bytes[..n], *at)?;
            *at += n as u64;
            *left -= n as u64;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    fn next_file(&mut self) -> Result<()> {
        let (size, path) = self.files.next().context("more data than the manifest says")?;
        let path = self.root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        self.open = Some((File::create(path)?, 0, size));
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let left = self.open.as_ref().map_or(0, |(_, _, left)| *left);
        ensure!(left == 0 && self.files.len() == 0, "the stream ended early");
        let last = self.hasher.finalize_reset()[0];
        println!("complete {}", self.hashed + u64::from(last));
        Ok(())
    }
}

/// The floor as a contender in the tables: the torrent is ignored but for the name of what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    /// What is sent.
    pub(crate) content: PathBuf,
}

impl Floor {
    fn command(job: &Job<'_>, side: &str) -> Result<std::process::Command> {
        let mut command = job.host.namespace.command(std::env::current_exe()?);
        command.args(["floor", side]);
        Ok(command)
    }

    fn log(job: &Job<'_>) -> PathBuf {
        Path::new(job.scratch).join("log")
    }
}

impl Program for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn is_installed(&self) -> bool {
        true
    }

    fn dials(&self) -> bool {
        true
    }

    fn understands(&self, _format: Format) -> bool {
        true
    }

    fn start_seed(&self, job: &Job<'_>) -> Result<Running> {
        let mut command = Self::command(job, "send")?;
        command.arg(&self.content).args(["--listen", &job.listen().to_string()]);
        Running::start(self.name(), command, &Self::log(job), Sign::Listening(job.port), Sign::Exit)
    }

    fn start_fetch(&self, job: &Job<'_>) -> Result<Running> {
        let mut command = Self::command(job, "receive")?;
        let peer: SocketAddrV4 = *job.peers.first().context("the floor dials one peer")?;
        command.arg(peer.to_string()).arg(job.dir);
        Running::start(self.name(), command, &Self::log(job), Sign::Exit, Sign::Exit)
    }
}
