//! Measures the driver alone: a file in the page cache leaves as 16 KiB blocks with 13-byte headers and is placed
//! into a reused buffer on the other side, without hashing or writing.
//!
//! `cargo run --release -p throng-runtime --example net_throughput -- [MIB] [BURN]`; BURN is CPU s/GiB the receiver
//! spends on each byte besides, as a stand-in for hashing on the same thread.

use bytes::Bytes;
use rustix::io::{ReadWriteFlags, preadv2};
use std::fs::File;
use std::io::{IoSliceMut, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use throng_machine::{ContentId, Context, Datagram, Endpoint, Extent, Machine, StreamId, StreamInput, Via};
use throng_runtime::net::{Application, Driver, NetConfig, Read, Sockets};
use tokio::sync::{Notify, oneshot};

const BLOCK: u32 = 16 << 10;
const HEAD: usize = 13;
const UNFLUSHED: u32 = 1 << 20;

/// Sends the content to whoever connects, or receives it from whom it connects to.
struct Mover {
    total: u64,
    moved: u64,
    unflushed: u32,
    /// Bytes of the current frame already seen.
    in_frame: u32,
    sends: bool,
}

impl Mover {
    fn fill(&mut self, stream: StreamId, cx: &mut Context<'_, ()>) {
        while self.moved < self.total && self.unflushed < UNFLUSHED {
            let extent = Extent { content: ContentId(0), offset: self.moved, len: BLOCK };
            cx.write_extent(stream, |head| head.extend_from_slice(&[7; HEAD]), extent);
            self.moved += u64::from(BLOCK);
            self.unflushed += BLOCK + HEAD as u32;
        }
        if self.moved == self.total && self.unflushed == 0 {
            cx.close(stream);
            cx.emit(());
        }
    }

    fn take(&mut self, bytes: &[u8], cx: &mut Context<'_, ()>) {
        let mut at = 0u32;
        let len = bytes.len() as u32;
        while at < len {
            if self.in_frame < HEAD as u32 {
                let taken = (HEAD as u32 - self.in_frame).min(len - at);
                self.in_frame += taken;
                at += taken;
                continue;
            }
            let done = self.in_frame - HEAD as u32;
            let taken = (BLOCK - done).min(len - at);
            cx.place(Extent { content: ContentId(0), offset: self.moved, len: taken }, at);
            self.moved += u64::from(taken);
            at += taken;
            self.in_frame = if done + taken == BLOCK { 0 } else { self.in_frame + taken };
        }
    }
}

impl Machine for Mover {
    type Command = SocketAddr;
    type Event = ();

    fn handle_command(&mut self, to: SocketAddr, cx: &mut Context<'_, ()>) {
        cx.open(Via::Tcp, Endpoint::from(to));
    }
    fn handle_datagram(&mut self, _: Datagram<'_>, _: &mut Context<'_, ()>) {}
    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Context<'_, ()>) {
        match input {
            StreamInput::Accepted { .. } if self.sends => self.fill(stream, cx),
            StreamInput::Flushed(count) => {
                self.unflushed -= count;
                self.fill(stream, cx);
            }
            StreamInput::Bytes(bytes) => self.take(bytes, cx),
            StreamInput::Closed(_) => cx.emit(()),
            _ => {}
        }
    }
    fn handle_timeout(&mut self, _: &mut Context<'_, ()>) {}
    fn poll_timeout(&self) -> Option<throng_machine::Instant> {
        None
    }
}

struct Disk {
    file: File,
    piece: Vec<u8>,
    burn: f64,
    done: Rc<Notify>,
    placed: u64,
    places: u64,
    reads: u64,
}

impl Application for Disk {
    type Machine = Mover;

    fn on_event(&mut self, (): (), _: &mut Vec<SocketAddr>) {
        self.done.notify_one();
    }
    fn place(&mut self, extent: Extent, bytes: &[u8]) {
        let at = extent.offset as usize % self.piece.len();
        self.piece[at..at + bytes.len()].copy_from_slice(bytes);
        self.placed += bytes.len() as u64;
        self.places += 1;
        let busy = Duration::from_secs_f64(self.burn * bytes.len() as f64 / (1u64 << 30) as f64);
        let started = Instant::now();
        while !busy.is_zero() && started.elapsed() < busy {}
    }
    fn read_now(&mut self, extent: Extent, into: &mut [u8]) -> Read {
        self.reads += 1;
        match preadv2(&self.file, &mut [IoSliceMut::new(into)], extent.offset, ReadWriteFlags::NOWAIT) {
            Ok(count) if count == extent.len as usize => Read::Done,
            _ => Read::Later,
        }
    }
    fn read_later(&mut self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        let (answer, receiver) = oneshot::channel();
        let file = self.file.try_clone().expect("a descriptor is left");
        std::thread::spawn(move || {
            let mut bytes = vec![0; extent.len as usize];
            let read = std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, extent.offset);
            let _ = answer.send(read.is_ok().then(|| Bytes::from(bytes)));
        });
        receiver
    }
}

/// CPU seconds this thread has used.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

fn run(
    name: &str,
    file: File,
    mover: Mover,
    to: Option<SocketAddr>,
    tell: impl FnOnce(SocketAddr),
    burn: f64,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let done = Rc::new(Notify::new());
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let config = NetConfig {
            listen: to.is_none().then(|| SocketAddr::from(([127, 0, 0, 1], 0))),
            ..NetConfig::default()
        };
        let sockets = Sockets::bind(&config).expect("a port");
        if let Some(at) = sockets.local_addr() {
            tell(at);
        }
        let before = cpu_seconds();
        let piece = vec![0; 4 << 20];
        let disk = Disk { file, piece, burn, done: done.clone(), placed: 0, places: 0, reads: 0 };
        let driver = Driver::start(mover, disk, sockets, config).expect("entropy");
        if let Some(to) = to {
            driver.command(to);
        }
        done.notified().await;
        driver.look(|_, disk| {
            let used = cpu_seconds() - before;
            println!("{name}: {used:.3} CPU s, {} reads, {} places", disk.reads, disk.places);
        });
        // The sender waits for the peer's end.
        while driver.streams() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let mib: u64 = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1024);
    let burn: f64 = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(0.0);
    let mut file = tempfile::tempfile()?;
    let chunk: Vec<u8> = (0..1u32 << 20).map(|n| (n * 2_654_435_761) as u8).collect();
    for _ in 0..mib {
        file.write_all(&chunk)?;
    }
    let total = mib << 20;
    let mover = |sends| Mover { total, moved: 0, unflushed: 0, in_frame: 0, sends };
    let (tell, told) = std::sync::mpsc::channel();
    let seed = file.try_clone()?;
    let (sender, receiver) = (mover(true), mover(false));
    let seed = std::thread::spawn(move || {
        run("seed", seed, sender, None, |at| tell.send(at).expect("the other thread waits"), 0.0);
    });
    let at = told.recv().expect("the seed listens");
    let started = Instant::now();
    run("fetch", file, receiver, Some(at), |_| {}, burn);
    let seconds = started.elapsed().as_secs_f64();
    seed.join().expect("the seed ends in order");
    println!("{seconds:.2} s, {:.0} MiB/s", mib as f64 / seconds);
    Ok(())
}
