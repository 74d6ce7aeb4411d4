//! A supernode machine under load: ordinary nodes with files of 2001, neighbours with as many, searches of both.
//!
//! The bench measures it; a test of the overlay bounds what it takes. Everything goes the way it does on sockets: through
//! the cipher and the frames of both protocols.

use crate::users::{Catalogue, Rng, Shared};
use std::time::Duration;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, Instant, SplitMix64, StreamId, StreamInput};
use throng_overlay::supernode::digest::{Key, Own};
use throng_overlay::supernode::server::{Gauges, Metrics};
use throng_overlay::supernode::{Config, Server};
use throng_wire::fasttrack::{
    CLIENT_SEED, Cipher, ClientHello, Comparison, Framing, FtHash, Item, Media, Message, NETWORK_NAME,
    NodeInfo, Query, Realm, SERVER_SEED, Share, TagKind, TagsWriter, Term,
};
use throng_wire::supernode::{
    Message as LinkMessage, Preamble, Purpose, Query as LinkQuery, Sketch, Standing,
};

/// Where the supernode is.
const AT: [u8; 4] = [10, 77, 0, 1];
const PORT: u16 = 1_214;
/// Hits that a person's program wants: mldonkey's 32.
const WANTED: u16 = 32;
/// Long enough for a search to take all its steps.
const WHOLE_SEARCH: Duration = Duration::from_secs(10);
/// Catalogues of other supernodes that the neighbours' digests are made of.
const OTHERS: u32 = 4;

/// What is put upon it.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Ordinary nodes.
    pub nodes: u32,
    /// Files of each.
    pub files: u32,
    /// Other supernodes it is linked to.
    pub links: u32,
    /// Whether files carry what our own nodes say of them (tag 3A) besides their names.
    pub ours: bool,
}

/// An ordinary node's end of its connection.
struct Node {
    stream: StreamId,
    says: Cipher,
    framing: Framing,
    searches: u16,
}

impl Node {
    fn say(&mut self, message: &Message<'_>) -> Vec<u8> {
        let (mut body, mut out) = (Vec::new(), Vec::new());
        message.put(&mut body);
        assert!(self.framing.encode(message.kind(), &body, &mut out), "it fits");
        self.says.apply(&mut out);
        out
    }
}

/// The supernode with all that is attached to it.
pub struct Load {
    probe: Probe<Server>,
    catalogue: Catalogue,
    shape: Shape,
    nodes: Vec<Node>,
    links: Vec<StreamId>,
    rng: Rng,
    guids: u64,
}

impl Load {
    /// A supernode that nobody is attached to.
    pub fn new(shape: Shape) -> Load {
        let address = Some(std::net::SocketAddrV4::new(AT.into(), PORT));
        let config = Config { address, port: PORT, ..Config::default() };
        let server = Server::new(config.into(), &mut SplitMix64::new(1), Instant::EPOCH);
        Load {
            probe: Probe::new(server),
            catalogue: Catalogue::new(60_000, 400_000, 7),
            shape,
            nodes: Vec::new(),
            links: Vec::new(),
            rng: Rng(13),
            guids: 0,
        }
    }

    /// What it has.
    pub fn gauges(&self) -> Gauges {
        self.probe.machine.gauges()
    }

    /// What it did.
    pub fn metrics(&self) -> Metrics {
        self.probe.machine.metrics()
    }

    /// The supernode alone; all that stood around it is gone.
    pub fn finish(self) -> Server {
        self.probe.machine
    }

    /// Lets all ordinary nodes come and share.
    pub fn fill(&mut self) {
        for number in 0..self.shape.nodes {
            self.attach(number);
        }
        self.advance(WHOLE_SEARCH);
    }

    /// Lets all neighbours come, each with a digest of as many files.
    pub fn link(&mut self) {
        let digests: Vec<Own> = (0..OTHERS).map(|other| self.digest(other + 1)).collect();
        for number in 0..self.shape.links {
            self.link_one(number, &digests[(number % OTHERS) as usize]);
        }
        self.advance(WHOLE_SEARCH);
    }

    fn attach(&mut self, number: u32) {
        let [_, a, b, c] = (number + 1).to_be_bytes();
        let (stream, _) = self.probe.accept(Endpoint::v4([10, a, b, c], 40_000));
        let seed = CLIENT_SEED ^ SERVER_SEED;
        let mut node = Node { stream, says: Cipher::new(seed), framing: Framing::default(), searches: 0 };
        let mut name = [NETWORK_NAME, &[0]].concat();
        node.says.apply(&mut name);
        self.give(stream, &[&ClientHello::ours().encode()[..], &name].concat());
        let (address, user) =
            (std::net::SocketAddrV4::new([10, a, b, c].into(), PORT), format!("user{number}"));
        let info = NodeInfo { address, bandwidth: 0x68, user: user.as_bytes() };
        let bytes = node.say(&Message::NodeInfo(info));
        self.give(stream, &bytes);
        for file in self.catalogue.user(number, self.shape.files) {
            let bytes = node.say(&share(&file, self.shape.ours, &mut Vec::new()));
            self.give(stream, &bytes);
        }
        self.nodes.push(node);
    }

    /// Of another supernode with as many nodes and files.
    fn digest(&self, other: u32) -> Own {
        let mut keys = std::collections::BTreeSet::new();
        for number in 0..self.shape.nodes {
            for file in self.catalogue.user(other * self.shape.nodes + number, self.shape.files) {
                let words =
                    file.base.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
                keys.extend(words.map(|word| Key::word(word.to_lowercase().as_bytes())));
                keys.insert(Key::hash(&hash_of(&file).0));
            }
        }
        let mut own = Own::default();
        loop {
            keys.iter().for_each(|key| own.add(*key));
            match own.better_size() {
                Some(log2) => own = Own::of_size(log2),
                None => return own,
            }
        }
    }

    fn link_one(&mut self, number: u32, digest: &Own) {
        let (stream, _) = self.probe.accept(Endpoint::v4([10, 200, 0, number as u8], 50_000));
        let standing = Standing { members: 100, slots: 150, links: 40, minutes: 10 };
        let mut out = Vec::new();
        let sees = AT.into();
        let instance = u64::from(number) + 1;
        Preamble { purpose: Purpose::Link, port: PORT, instance, nonce: 0, sees, standing }.put(&mut out);
        digest.tell_all(|part| assert!(LinkMessage::Digest(part).put(&mut out)));
        // A hundred supernodes: 64 marks, evenly.
        let mut marks = Vec::new();
        let mark = |rank: u64| throng_wire::supernode::Mark { number: rank * (u64::MAX / 100), age: 0 };
        let sketch = Sketch::write((1..=64).map(mark), &mut marks);
        assert!(LinkMessage::Sketch(sketch).put(&mut out));
        self.give(stream, &out);
        self.links.push(stream);
    }

    /// Searches made ready: streams and bytes. Each node asks in turn, so that none asks more than it may.
    pub fn searches(&mut self, count: usize) -> Vec<(StreamId, Vec<u8>)> {
        let searches = (0..count).map(|number| {
            let words = self.catalogue.query(&mut self.rng);
            let place = number % self.nodes.len();
            let node = &mut self.nodes[place];
            node.searches += 1;
            let mut into = Vec::new();
            let query = Query {
                max_results: WANTED,
                id: node.searches,
                realm: Realm::EVERYTHING,
                terms: terms(&words, &mut into),
            };
            (node.stream, node.say(&Message::Search(query)))
        });
        searches.collect()
    }

    /// The same as other supernodes ask, each the next.
    pub fn queries(&mut self, count: usize) -> Vec<(StreamId, Vec<u8>)> {
        let queries = (0..count).map(|number| {
            let words = self.catalogue.query(&mut self.rng);
            let (mut guid, mut into, mut out) = ([0; 16], Vec::new(), Vec::new());
            self.guids += 1;
            guid[..8].copy_from_slice(&self.guids.to_be_bytes());
            let (realm, terms) = (Realm::EVERYTHING, terms(&words, &mut into));
            let query = LinkQuery { guid, ttl: 1, hops: 1, fanout: 0, wanted: WANTED, realm, terms };
            assert!(LinkMessage::Query(query).put(&mut out));
            (self.links[number % self.links.len()], out)
        });
        queries.collect()
    }

    /// Gives what was made ready, and time for all that follows.
    pub fn serve(&mut self, asked: &[(StreamId, Vec<u8>)]) {
        for (stream, bytes) in asked {
            self.give(*stream, bytes);
        }
        // Behind what was made ready: the keystream goes on in that order.
        self.stay_linked();
        self.advance(WHOLE_SEARCH);
    }

    /// All say that they are alive.
    fn stay_linked(&mut self) {
        let mut out = Vec::new();
        let standing = Standing { members: 100, slots: 150, links: 40, minutes: 10 };
        assert!(LinkMessage::Standing(standing).put(&mut out));
        for stream in self.links.clone() {
            self.give(stream, &out);
        }
        for place in 0..self.nodes.len() {
            let (stream, mut ping) = (self.nodes[place].stream, Vec::new());
            Framing::ping(&mut ping);
            self.nodes[place].says.apply(&mut ping);
            self.give(stream, &ping);
        }
    }

    /// Gives bytes; what is written leaves at once.
    fn give(&mut self, stream: StreamId, bytes: &[u8]) {
        let outs = self.probe.stream(stream, StreamInput::Bytes(bytes));
        self.flush(outs);
    }

    fn advance(&mut self, by: Duration) {
        let outs = self.probe.advance(by);
        self.flush(outs);
        self.probe.events.clear();
    }

    fn flush(&mut self, outs: Vec<Out>) {
        for out in outs {
            if let Out::Write(stream, bytes) = out {
                let more = self.probe.stream(stream, StreamInput::Flushed(bytes.len() as u32));
                self.flush(more);
            }
        }
    }
}

fn terms<'a>(words: &str, into: &'a mut Vec<u8>) -> throng_wire::fasttrack::Terms<'a> {
    let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data: words.as_bytes() };
    Query::write_terms(&[term], into)
}

/// A hash that recordings share, as FTHash would be.
fn hash_of(file: &Shared) -> FtHash {
    let mut hash = [0; 20];
    for (byte, digits) in hash.iter_mut().zip(file.md5.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    FtHash(hash)
}

/// As mldonkey shares: a name and no more; or as ours do.
fn share<'a>(file: &Shared, ours: bool, into: &'a mut Vec<u8>) -> Message<'a> {
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, file.base.as_bytes());
    if ours {
        let (root, hash) = (file.md5.repeat(2), &file.md5);
        let sha1 = hash.to_uppercase().replace(['0', '1', '8', '9'], "Q");
        let magnet = format!(
            "magnet:?xt=urn:btmh:1220{root}&xt=urn:sha1:{sha1}&xl={}&x.pe=10.0.0.1:7117&x.root={root}",
            file.size
        );
        tags.text(TagKind::MAGNET, magnet.as_bytes());
    }
    let hash = hash_of(file);
    let (file_id, size) = (hash.checksum().into(), file.size.into());
    let item = Item { hash, file_id, size, tags: tags.tags() };
    Message::Share(Share { media: Media::Audio, item }).put(into);
    Message::Other { kind: 0x22, body: into }
}
