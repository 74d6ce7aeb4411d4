//! The driver against itself on loopback: a puppet machine that reports all it sees and does what it is told.

use super::*;
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use throng_machine::{
    ContentId, Context, Datagram, Endpoint, Instant, StreamEnd, StreamId, StreamInput, Via,
};

#[derive(Debug, PartialEq, Clone)]
enum Seen {
    Accepted(StreamId),
    Opened(StreamId),
    Bytes(StreamId, Vec<u8>),
    Flushed(StreamId, u32),
    Closed(StreamId, StreamEnd),
    Datagram(SocketAddr, Vec<u8>),
    Deadline,
}

enum Do {
    Open(SocketAddr),
    Write(StreamId, Vec<u8>),
    Extent(StreamId, Extent),
    Close(StreamId),
    Send(SocketAddr, Vec<u8>),
    CallIn(Duration),
}

#[derive(Default)]
struct Puppet {
    deadline: Option<Instant>,
    /// Input is file data from that offset on, instead of bytes to report.
    places_from: Option<u64>,
}

impl Machine for Puppet {
    type Command = Do;
    type Event = Seen;

    fn handle_command(&mut self, command: Do, cx: &mut Context<'_, Seen>) {
        match command {
            Do::Open(to) => drop(cx.open(Via::Tcp, Endpoint::from(to))),
            Do::Write(stream, bytes) => cx.write(stream, |out| out.extend(bytes)),
            Do::Extent(stream, extent) => cx.write_extent(stream, |out| out.extend(b"<>"), extent),
            Do::Close(stream) => cx.close(stream),
            Do::Send(to, bytes) => cx.send(Via::Udp, Endpoint::from(to), |out| out.extend(bytes)),
            Do::CallIn(time) => self.deadline = Some(cx.now() + time),
        }
    }
    fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Context<'_, Seen>) {
        cx.emit(Seen::Datagram(datagram.from.socket_addr(), datagram.bytes.to_vec()));
    }
    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, cx: &mut Context<'_, Seen>) {
        let seen = match input {
            StreamInput::Accepted { .. } => Seen::Accepted(stream),
            StreamInput::Opened => Seen::Opened(stream),
            StreamInput::Bytes(bytes) => {
                if let Some(offset) = &mut self.places_from {
                    let len = bytes.len() as u32;
                    cx.place(Extent { content: ContentId(0), offset: *offset, len }, 0);
                    *offset += u64::from(len);
                }
                Seen::Bytes(stream, bytes.to_vec())
            }
            StreamInput::Blank(_) => return,
            StreamInput::Flushed(count) => Seen::Flushed(stream, count),
            StreamInput::Closed(end) => Seen::Closed(stream, end),
        };
        cx.emit(seen);
    }
    fn handle_timeout(&mut self, cx: &mut Context<'_, Seen>) {
        if self.deadline.is_some_and(|at| at <= cx.now()) {
            self.deadline = None;
            cx.emit(Seen::Deadline);
        }
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

/// Content whose byte at an offset is the offset's lowest; readable in the way it is told.
struct Fake {
    reads: Read,
    calls: usize,
    placed: Vec<u8>,
    seen: VecDeque<Seen>,
}

fn content(extent: Extent) -> impl Iterator<Item = u8> {
    (extent.offset..extent.offset + u64::from(extent.len)).map(|offset| offset as u8)
}

impl Application for Fake {
    type Machine = Puppet;

    fn on_event(&mut self, event: Seen, _: &mut Vec<Do>) {
        self.seen.push_back(event);
    }
    fn place(&mut self, extent: Extent, bytes: &[u8]) {
        assert_eq!(extent.offset, self.placed.len() as u64);
        self.placed.extend_from_slice(bytes);
    }
    fn read_now(&mut self, extent: Extent, into: &mut [u8]) -> Read {
        self.calls += 1;
        into.iter_mut().zip(content(extent)).for_each(|(to, byte)| *to = byte);
        self.reads
    }
    fn read_later(&mut self, extent: Extent) -> oneshot::Receiver<Option<Bytes>> {
        let (answer, receiver) = oneshot::channel();
        tokio::task::spawn_local(async move {
            tokio::task::yield_now().await;
            let _ = answer.send(Some(content(extent).collect()));
        });
        receiver
    }
}

struct Host {
    driver: Driver<Fake>,
    at: Option<SocketAddr>,
}

impl Host {
    fn start(config: NetConfig, reads: Read) -> Host {
        let sockets = Sockets::bind(&config).unwrap();
        let at = sockets.local_addr();
        let app = Fake { reads, calls: 0, placed: Vec::new(), seen: VecDeque::new() };
        Host { driver: Driver::start(Puppet::default(), app, sockets, config).unwrap(), at }
    }

    fn listening(reads: Read) -> Host {
        Host::start(NetConfig { datagrams: true, ..on_loopback() }, reads)
    }

    fn address(&self) -> SocketAddr {
        self.at.unwrap()
    }

    /// The next thing the machine saw.
    async fn next(&self) -> Seen {
        loop {
            if let Some(seen) = self.driver.with_app(|app, _| app.seen.pop_front()) {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The next thing that is not `Flushed`.
    async fn next_input(&self) -> Seen {
        loop {
            let seen = self.next().await;
            if !matches!(seen, Seen::Flushed(..)) {
                return seen;
            }
        }
    }

    /// Bytes of one stream until there are `count`.
    async fn bytes(&self, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            if let Seen::Bytes(_, bytes) = self.next_input().await {
                all.extend(bytes);
            }
        }
        all
    }

    /// Connects to another host; the two ids.
    async fn connect(&self, to: &Host) -> (StreamId, StreamId) {
        self.driver.command(Do::Open(to.address()));
        let Seen::Opened(ours) = self.next().await else { panic!("not opened") };
        let Seen::Accepted(theirs) = to.next().await else { panic!("not accepted") };
        (ours, theirs)
    }
}

fn on_loopback() -> NetConfig {
    NetConfig { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..NetConfig::default() }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

fn extent(offset: u64, len: u32) -> Extent {
    Extent { content: ContentId(0), offset, len }
}

#[test]
fn bytes_cross_both_ways_and_are_reported_as_flushed() {
    run(async {
        let (a, b) = (Host::listening(Read::Done), Host::listening(Read::Done));
        let (ours, theirs) = a.connect(&b).await;
        a.driver.command(Do::Write(ours, b"ping".to_vec()));
        assert_eq!(a.next().await, Seen::Flushed(ours, 4));
        assert_eq!(b.bytes(4).await, b"ping");
        b.driver.command(Do::Write(theirs, b"pong".to_vec()));
        assert_eq!(a.bytes(4).await, b"pong");
    });
}

#[test]
fn what_was_written_before_a_close_arrives_and_then_the_end() {
    run(async {
        let (a, b) = (Host::listening(Read::Done), Host::listening(Read::Done));
        let (ours, theirs) = a.connect(&b).await;
        a.driver.command(Do::Write(ours, vec![5; 3 << 20]));
        a.driver.command(Do::Close(ours));
        assert_eq!(b.bytes(3 << 20).await, vec![5; 3 << 20]);
        assert_eq!(b.next().await, Seen::Closed(theirs, StreamEnd::Finished));
        while a.driver.streams() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

/// Sends 64 blocks with heads from `reads` and checks what arrives; returns how often the storage was asked.
async fn send_blocks(reads: Read) -> usize {
    let (a, b) = (Host::listening(reads), Host::listening(Read::Done));
    let (ours, _) = a.connect(&b).await;
    let blocks: Vec<_> = (0..64).map(|n| extent(n * 16_384 + 3, 16_384)).collect();
    a.driver.with_app(|_, commands| {
        commands.extend(blocks.iter().map(|block| Do::Extent(ours, *block)));
    });
    let expected: Vec<u8> =
        blocks.iter().flat_map(|block| b"<>".iter().copied().chain(content(*block))).collect();
    assert!(b.bytes(expected.len()).await == expected);
    a.driver.look(|_, app| app.calls)
}

#[test]
fn contiguous_extents_leave_in_order_with_few_reads() {
    run(async {
        assert!(send_blocks(Read::Done).await < 32);
    });
}

#[test]
fn extents_that_need_waiting_keep_their_order() {
    run(async {
        send_blocks(Read::Later).await;
    });
}

#[test]
fn a_stream_whose_data_cannot_be_read_breaks() {
    run(async {
        let (a, b) = (Host::listening(Read::Failed), Host::listening(Read::Done));
        let (ours, _) = a.connect(&b).await;
        a.driver.command(Do::Extent(ours, extent(0, 16_384)));
        assert_eq!(a.next_input().await, Seen::Closed(ours, StreamEnd::Broken));
    });
}

#[test]
fn placed_bytes_reach_the_storage() {
    run(async {
        let (a, b) = (Host::listening(Read::Done), Host::listening(Read::Done));
        let (ours, _) = a.connect(&b).await;
        b.driver.core().machine.places_from = Some(0);
        a.driver.command(Do::Write(ours, (0..200).collect()));
        b.bytes(200).await;
        b.driver.look(|_, app| assert_eq!(app.placed, (0..200).collect::<Vec<u8>>()));
    });
}

#[test]
fn a_peer_that_never_reads_costs_only_what_the_machine_queued() {
    run(async {
        let a = Host::listening(Read::Done);
        let mut peer = std::net::TcpStream::connect(a.address()).unwrap();
        let Seen::Accepted(stream) = a.next().await else { panic!("not accepted") };
        let (blocks, mut queued, mut flushed, mut idle) = (4096u64, 0u64, 0u64, 0);
        // As a machine does: never more than 64 blocks unflushed. Ends when nothing moves any more.
        while idle < 1000 {
            while queued < blocks && queued * 16_386 - flushed < 1 << 20 {
                a.driver.command(Do::Extent(stream, extent(queued * 16_384, 16_384)));
                queued += 1;
            }
            idle += 1;
            while let Some(Seen::Flushed(_, count)) = a.driver.with_app(|app, _| app.seen.pop_front()) {
                flushed += u64::from(count);
                idle = 0;
            }
            tokio::task::yield_now().await;
        }
        assert!(queued < blocks, "the socket's buffers took everything: the test shows nothing");
        let held = a.driver.core().streams[&stream].out.memory();
        assert!(held < 32 << 10, "{held} bytes held");
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; queued as usize * 16_386];
            std::io::Read::read_exact(&mut peer, &mut all).map(|()| all)
        });
        while !reader.is_finished() {
            tokio::task::yield_now().await;
        }
        let all = reader.join().unwrap().unwrap();
        assert!(all.chunks(16_386).all(|block| block.starts_with(b"<>\0\x01\x02")));
    });
}

#[test]
fn accepting_pauses_at_the_limit_and_goes_on_when_a_stream_ends() {
    run(async {
        let a = Host::start(NetConfig { max_streams: 1, ..on_loopback() }, Read::Done);
        let first = std::net::TcpStream::connect(a.address()).unwrap();
        let Seen::Accepted(one) = a.next().await else { panic!("not accepted") };
        let _second = std::net::TcpStream::connect(a.address()).unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(a.driver.streams(), 1);
        drop(first);
        assert_eq!(a.next().await, Seen::Closed(one, StreamEnd::Finished));
        assert!(matches!(a.next().await, Seen::Accepted(_)));
    });
}

#[test]
fn a_connection_nobody_takes_is_refused() {
    run(async {
        let a = Host::listening(Read::Done);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        a.driver.command(Do::Open(free));
        assert!(matches!(a.next().await, Seen::Closed(_, StreamEnd::Refused)));
        assert_eq!(a.driver.streams(), 0);
    });
}

#[test]
fn datagrams_share_the_port_number_of_the_streams() {
    run(async {
        let (a, b) = (Host::listening(Read::Done), Host::listening(Read::Done));
        a.driver.command(Do::Send(b.address(), b"hello".to_vec()));
        assert_eq!(b.next().await, Seen::Datagram(a.address(), b"hello".to_vec()));
    });
}

#[test]
fn an_unspecified_ipv6_address_takes_both_families() {
    run(async {
        let listen = "[::]:0".parse().ok();
        let config = NetConfig { listen, datagrams: true, ..NetConfig::default() };
        let Ok(sockets) = Sockets::bind(&config) else { return };
        let port = sockets.local_addr().unwrap().port();
        drop(sockets);
        let a = Host::start(NetConfig { listen: Some(([0; 8], port).into()), ..config }, Read::Done);
        let _four = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(matches!(a.next().await, Seen::Accepted(_)));
        let b = Host::listening(Read::Done);
        a.driver.command(Do::Send(b.address(), b"from six to four".to_vec()));
        assert!(matches!(b.next().await, Seen::Datagram(from, _) if from.is_ipv4()));
    });
}

#[test]
fn the_machine_is_called_at_its_deadline_even_if_that_moved_nearer() {
    run(async {
        let a = Host::listening(Read::Done);
        a.driver.command(Do::CallIn(Duration::from_secs(3600)));
        tokio::task::yield_now().await;
        a.driver.command(Do::CallIn(Duration::from_millis(2)));
        assert_eq!(a.next().await, Seen::Deadline);
    });
}
