//! FastTrack's messages and frames, and those between supernodes.

use std::net::{Ipv4Addr, SocketAddrV4};
use throng_wire::fasttrack::{
    self, Cipher, Comparison, Framing, FtHash, Hit, Hits, Item, Media, Message, NodeInfo, PushRequest, Realm,
    Reply, Share, TagKind, TagsWriter, Term,
};
use throng_wire::supernode::{
    self, Candidate, DigestPart, Mark, Ours, Preamble, Purpose, Sketch, Standing, Toggles,
};

fn at() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 1_214)
}

/// Messages by kind, a stream of them, bytes to hash, a push.
pub(super) fn fasttrack() -> Vec<Vec<u8>> {
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, b"zebra song.mp3").number(TagKind::QUALITY, 192);
    let item = Item { hash: FtHash([7; 20]), file_id: 4_464, size: 3_146_505, tags: tags.tags() };
    let mut into = Vec::new();
    let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data: b"song zebra" };
    let terms = fasttrack::Query::write_terms(&[term], &mut into);
    let query = fasttrack::Query { max_results: 32, id: 1, realm: Realm::EVERYTHING, terms };
    let mut hits = Vec::new();
    Hit { at: at(), bandwidth: 0x68, user: Some(b"fflaom"), item }.put(b"KaZaA", &mut hits);
    let reply = Reply { supernode: at(), id: 1, hits: Hits::written(1, &hits) };
    let info = NodeInfo { address: at(), bandwidth: 0x68, user: b"fflaom" };
    let messages = [
        Message::NodeInfo(info),
        Message::Share(Share { media: Media::Audio, item }),
        Message::Unshare(item),
        Message::Search(query),
        Message::Reply(reply),
        Message::SearchEnd(1),
        Message::ExternalAddress(*at().ip()),
    ];
    let mut seeds: Vec<Vec<u8>> = messages
        .iter()
        .map(|message| {
            let mut seed = vec![0, message.kind() as u8];
            message.put(&mut seed);
            seed
        })
        .collect();
    let (mut framing, mut stream) = (Framing::default(), Vec::new());
    for message in &messages {
        let mut body = Vec::new();
        message.put(&mut body);
        framing.encode(message.kind(), &body, &mut stream);
        Framing::ping(&mut stream);
    }
    Cipher::new(0x1234_5678).apply(&mut stream);
    seeds.push([&[1, 0x12, 0x34, 0x56, 0x78][..], &stream].concat());
    seeds.push(vec![2; 300]);
    let mut push = vec![3];
    PushRequest { id: 9, from: at(), target: at(), supernode: at(), user: b"bob" }.put(&mut push);
    seeds.push(push);
    seeds
}

/// A preamble, each message between supernodes, and what they say to nodes of ours.
pub(super) fn links() -> Vec<Vec<u8>> {
    let standing = Standing { members: 100, slots: 150, links: 40, minutes: 60 };
    let sees = *at().ip();
    let mut preamble = Vec::new();
    Preamble { purpose: Purpose::Link, port: 1_214, instance: 1, nonce: 2, sees, standing }
        .put(&mut preamble);
    let (mut into, mut marks, mut places) = (Vec::new(), Vec::new(), Vec::new());
    let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data: b"zebra" };
    let terms = fasttrack::Query::write_terms(&[term], &mut into);
    let realm = Realm::EVERYTHING;
    Toggles::put([1, 500, 1_000].into_iter(), &mut places);
    let query = supernode::Query { guid: [7; 16], ttl: 3, hops: 0, fanout: 4, wanted: 32, realm, terms };
    let reply = supernode::Reply { guid: [7; 16], supernode: at(), hits: Hits::written(0, &[]) };
    let push = PushRequest { id: 9, from: at(), target: at(), supernode: at(), user: b"bob" };
    let messages = [
        supernode::Message::Standing(standing),
        supernode::Message::AskKnown,
        supernode::Message::Sketch(Sketch::write([Mark { number: 5, age: 6 }].into_iter(), &mut marks)),
        supernode::Message::Digest(DigestPart { log2: 10, at: 0, bytes: &[0xff; 20] }),
        supernode::Message::Toggles(Toggles::parse(&places)),
        supernode::Message::Query(query),
        supernode::Message::Reply(reply),
        supernode::Message::Push(push),
        supernode::Message::Bye(0),
    ];
    let mut stream = Vec::new();
    messages.iter().for_each(|message| _ = message.put(&mut stream));
    let candidate = Candidate { willing: true, port: 1_214, instance: 1, mebibytes: 64, minutes: 11 };
    let mut ours = Vec::new();
    Ours::Candidate(candidate).put(&mut ours);
    let mut moved = Vec::new();
    Ours::Move(at()).put(&mut moved);
    vec![preamble, stream, ours, moved]
}
