//! One Gnutella ultrapeer as a machine: queries a second of CPU time, and bytes, with real route tables.
//!
//! It has leaves and links with other ultrapeers, all of whom sent it their words; queries come on the links and leave
//! on those they go to. No socket is used: what is measured is the machine. On deflated links queries come deflated too,
//! each flushed by itself, which is the dearest way. A tenth of the queries is for words that a leaf has.

use crate::ALLOCATOR;
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use flate2::{Compress, Compression, FlushCompress};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{
    Context, Endpoint, Entropy, Instant, Machine, Op, Outbox, SplitMix64, StreamId, StreamInput, Via,
};
use throng_overlay::discovery;
use throng_overlay::gnutella::{Command, Config, Event, Identity, Limits, Role, RoleChoice, Servent};
use throng_wire::gnutella::{Guid, Header, Kind, QrpTable, hash_of, reset, table_patches};

/// Words of a file's name, and how many there are in all.
const WORDS: u32 = 3;
const VOCABULARY: u32 = 20_000;
/// Entries of a leaf's table and of an ultrapeer's, as powers of two.
const LEAF_BITS: u32 = 13;
const ULTRAPEER_BITS: u32 = 17;
/// Queries are made in rounds of so many, outside of what is timed.
const ROUND: usize = 8_192;

/// What is measured.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Leaves.
    #[arg(long, default_value_t = 200)]
    leaves: u32,
    /// Links with other ultrapeers.
    #[arg(long, default_value_t = 32)]
    links: u32,
    /// Files of each leaf, three words each.
    #[arg(long, default_value_t = 50)]
    files: u32,
    /// Queries of each row.
    #[arg(long, default_value_t = 400_000)]
    queries: usize,
}

/// How the queries of a row come: each TTL with its weight.
const MIXES: [(&str, &[(u8, u32)]); 4] = [
    ("at their last hop", &[(1, 1)]),
    ("one hop to go", &[(2, 1)]),
    ("two hops to go", &[(3, 1)]),
    ("as dynamic queries come", &[(1, 60), (2, 30), (3, 1)]),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    println!(
        "an ultrapeer with {} leaves of {} files and {} links, {} queries a row, one core",
        options.leaves, options.files, options.links, options.queries
    );
    println!("queries                  links      queries/s  sent a query        MiB");
    for deflate in [false, true] {
        for (name, mix) in MIXES {
            let row = Ultrapeer::new(options, deflate)?.row(mix, options)?;
            let links = if deflate { "deflated" } else { "plain" };
            println!(
                "{name:24} {links:9} {:10.0} {:13.1} {:10.1}",
                row.rate,
                row.sent,
                row.bytes as f64 / 1_048_576.0
            );
        }
    }
    Ok(())
}

struct Row {
    /// Queries a second of CPU time.
    rate: f64,
    /// Queries sent on for each.
    sent: f64,
    /// Bytes it holds at the end.
    bytes: usize,
}

/// The servent and its driver.
struct Ultrapeer {
    servent: Servent,
    now: Instant,
    rng: SplitMix64,
    next: u32,
    outbox: Outbox,
    events: Vec<Event>,
    leaves: Vec<StreamId>,
    links: Vec<StreamId>,
    /// What deflates on the other side of the links, if anything does.
    deflaters: BTreeMap<StreamId, Compress>,
    before: usize,
}

impl Ultrapeer {
    fn new(options: &Options, deflate: bool) -> Result<Ultrapeer> {
        let before = ALLOCATOR.allocated();
        let limits = Limits {
            leaves: options.leaves as usize,
            ultrapeers: options.links as usize,
            handshakes: usize::MAX,
            per_address: usize::MAX,
            ..Limits::default()
        };
        let role = RoleChoice::Fixed(Role::Ultrapeer);
        let config = Arc::new(Config { role, deflate, limits, ..Config::default() });
        let listen = SocketAddrV4::new(Ipv4Addr::new(100, 64, 0, 1), 6_346);
        let me = Identity { servent: Guid::marked([1; 16]), listen, key: [1, 2] };
        let mut ultrapeer = Ultrapeer {
            servent: Servent::new(config, me),
            now: Instant::from_micros(1_000_000),
            rng: SplitMix64::new(1),
            next: 0,
            outbox: Outbox::new(),
            events: Vec::new(),
            leaves: Vec::new(),
            links: Vec::new(),
            deflaters: BTreeMap::new(),
            before,
        };
        ultrapeer.call(|servent, cx| {
            servent.handle_command(Command::Discovery(discovery::Command::Join(Vec::new())), cx);
        });
        for number in 0..options.leaves + options.links {
            ultrapeer.link(number, deflate, options)?;
        }
        // Its own table is made, told, and nothing of it is under way any more.
        for _ in 0..100 {
            ultrapeer.now = ultrapeer.now + Duration::from_millis(100);
            ultrapeer.call(|servent, cx| servent.handle_timeout(cx));
        }
        let is = |role| ultrapeer.servent.links(role);
        let (leaves, links) = (is(Role::Leaf), is(Role::Ultrapeer));
        ensure!((leaves, links) == (options.leaves as usize, options.links as usize), "{leaves} {links}");
        Ok(ultrapeer)
    }

    /// Calls the machine, and lets all that it writes leave at once.
    fn call(&mut self, act: impl FnOnce(&mut Servent, &mut Context<'_, Event>)) {
        self.outbox.clear();
        let mut cx =
            Context::new(self.now, &mut self.rng, &mut self.next, &mut self.outbox, &mut self.events);
        act(&mut self.servent, &mut cx);
        while !self.outbox.is_empty() {
            let written: Vec<(StreamId, u32)> = self.outbox.ops().iter().filter_map(written).collect();
            self.outbox.clear();
            let mut cx =
                Context::new(self.now, &mut self.rng, &mut self.next, &mut self.outbox, &mut self.events);
            for (stream, bytes) in written {
                self.servent.handle_stream(stream, StreamInput::Flushed(bytes), &mut cx);
            }
        }
        self.events.clear();
    }

    fn bytes(&mut self, stream: StreamId, bytes: &[u8]) {
        self.call(|servent, cx| servent.handle_stream(stream, StreamInput::Bytes(bytes), cx));
    }

    /// The bytes as the other side of a link sends them.
    fn coded(&mut self, stream: StreamId, message: Vec<u8>) -> Result<Vec<u8>> {
        let Some(deflater) = self.deflaters.get_mut(&stream) else { return Ok(message) };
        let mut out = Vec::with_capacity(message.len() + 1_024);
        deflater.compress_vec(&message, &mut out, FlushCompress::Sync)?;
        Ok(out)
    }

    /// A leaf or ultrapeer calls, is taken, and tells its words.
    fn link(&mut self, number: u32, deflate: bool, options: &Options) -> Result<()> {
        let is_leaf = number < options.leaves;
        let stream = StreamId(self.next);
        self.next += 1;
        let [_, a, b, c] = (number + 1).to_be_bytes();
        let from = Endpoint::v4([101, a, b, c], 6_346);
        self.call(|servent, cx| {
            servent.handle_stream(stream, StreamInput::Accepted { from, via: Via::Tcp }, cx);
        });
        let kind = if is_leaf {
            "X-Ultrapeer: False\r\n"
        } else {
            "X-Ultrapeer: True\r\nX-Ultrapeer-Query-Routing: 0.1\r\nX-Dynamic-Querying: 0.1\r\nX-Degree: 32\r\n"
        };
        let hello = format!(
            "GNUTELLA CONNECT/0.6\r\n{kind}X-Query-Routing: 0.1\r\nAccept-Encoding: deflate\r\n\
             Bye-Packet: 0.1\r\n\r\n"
        );
        self.bytes(stream, hello.as_bytes());
        if deflate && !is_leaf {
            self.bytes(stream, b"GNUTELLA/0.6 200 OK\r\nContent-Encoding: deflate\r\n\r\n");
            let before = ALLOCATOR.allocated();
            self.deflaters.insert(stream, Compress::new(Compression::default(), true));
            // What the other side keeps is not the ultrapeer's.
            self.before += ALLOCATOR.allocated() - before;
        } else {
            self.bytes(stream, b"GNUTELLA/0.6 200 OK\r\n\r\n");
        }
        let of = if is_leaf { number..number + 1 } else { number * 1_000..number * 1_000 + options.leaves };
        let mut table = QrpTable::new(if is_leaf { LEAF_BITS } else { ULTRAPEER_BITS });
        for file in of.flat_map(|leaf| (0..options.files).map(move |file| (leaf, file))) {
            (0..WORDS).for_each(|place| table.insert(hash_of(&word(file.0, file.1, place))));
        }
        let mut message = Vec::new();
        let header = Header { guid: Guid([9; 16]), kind: Kind::Qrp, ttl: 1, hops: 0, length: 0 };
        header.message(&mut message, |out| reset(&table).put(out));
        for patch in table_patches(None, &table) {
            header.message(&mut message, |out| out.extend_from_slice(&patch));
        }
        let message = self.coded(stream, message)?;
        self.bytes(stream, &message);
        if is_leaf {
            self.leaves.push(stream)
        } else {
            self.links.push(stream)
        }
        Ok(())
    }

    /// A query as it comes on a link: a tenth of them asks for a file of a leaf.
    fn query(&mut self, mix: &[(u8, u32)], options: &Options) -> (StreamId, Vec<u8>) {
        let link = self.links[self.rng.below(self.links.len() as u32) as usize];
        let all: u32 = mix.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.rng.below(all);
        let chosen = mix.iter().find(|(_, weight)| {
            let here = drawn < *weight;
            drawn = drawn.wrapping_sub(*weight);
            here
        });
        let ttl = chosen.map_or(1, |(ttl, _)| *ttl);
        let owner = if self.rng.below(10) == 0 { 0 } else { 1_000_000 };
        let (leaf, file) = (owner + self.rng.below(options.leaves), self.rng.below(options.files));
        let text = [0, 1, 2].map(|place| word(leaf, file, place)).join(" ");
        let mut guid = [0; 16];
        self.rng.fill(&mut guid);
        let header = Header { guid: Guid(guid), kind: Kind::Query, ttl, hops: 4 - ttl, length: 0 };
        let mut message = Vec::new();
        header.message(&mut message, |out| {
            out.extend_from_slice(&[0x98, 0x00]);
            out.extend_from_slice(text.as_bytes());
            out.push(0);
        });
        (link, message)
    }

    fn row(mut self, mix: &[(u8, u32)], options: &Options) -> Result<Row> {
        let (mut spent, mut done) = (Duration::ZERO, 0);
        let sent = |servent: &Servent| servent.metrics().sent.of(Kind::Query);
        let from = sent(&self.servent);
        while done < options.queries {
            let mut queries = Vec::with_capacity(ROUND);
            for _ in 0..ROUND {
                let (link, message) = self.query(mix, options);
                queries.push((link, self.coded(link, message)?));
            }
            let begin = cpu()?;
            for (link, message) in &queries {
                // 50,000 a second, so that nobody asks more than he may.
                self.now = self.now + Duration::from_micros(20);
                self.bytes(*link, message);
                if self.servent.poll_timeout().is_some_and(|at| at <= self.now) {
                    self.call(|servent, cx| servent.handle_timeout(cx));
                }
            }
            spent += cpu()?.saturating_sub(begin);
            done += ROUND;
            // Everybody says something, lest links be taken for dead.
            let all: Vec<StreamId> = self.leaves.iter().chain(&self.links).copied().collect();
            let mut other = Vec::new();
            Header { guid: Guid([9; 16]), kind: Kind::Other(0x55), ttl: 1, hops: 0, length: 0 }
                .message(&mut other, |_| {});
            for stream in all {
                let other = self.coded(stream, other.clone())?;
                self.bytes(stream, &other);
            }
        }
        let links = self.servent.links(Role::Ultrapeer);
        ensure!(links == self.links.len(), "links were lost: {links}");
        let received = self.servent.metrics().received.of(Kind::Query);
        ensure!(received >= done as u64, "only {received} of {done} queries came");
        let bytes = ALLOCATOR.allocated().checked_sub(self.before).context("memory")?;
        let sent = (sent(&self.servent) - from) as f64 / done as f64;
        Ok(Row { rate: done as f64 / spent.as_secs_f64(), sent, bytes })
    }
}

/// A word of a file's name: two that many have, and one of its own.
fn word(leaf: u32, file: u32, place: u32) -> String {
    let drawn = SplitMix64::mix(u64::from(leaf) << 32 | u64::from(file), place.into());
    match place {
        0 => format!("own{leaf}x{file}"),
        _ => format!("word{}", drawn % u64::from(VOCABULARY)),
    }
}

/// The stream that an operation writes to, and how much.
fn written(op: &Op) -> Option<(StreamId, u32)> {
    match op {
        Op::Write { stream, bytes } => Some((*stream, bytes.len() as u32)),
        Op::WriteBytes { stream, bytes } => Some((*stream, bytes.len() as u32)),
        _ => None,
    }
}

/// CPU time of this program, which has one thread.
fn cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanos = text.split(' ').next().and_then(|first| first.parse().ok()).context("schedstat")?;
    Ok(Duration::from_nanos(nanos))
}
