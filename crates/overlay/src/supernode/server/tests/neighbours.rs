//! Other supernodes: proofs, lies, what is told to whom.

use super::*;
use throng_wire::supernode::{
    Frame as LinkFrame, HEAD, Message as LinkMessage, Preamble, Purpose, Query as LinkQuery,
    Reply as LinkReply,
};

/// Another supernode's end of a link.
pub(super) struct Other {
    pub(super) stream: StreamId,
    instance: u64,
}

pub(super) fn preamble(purpose: Purpose, instance: u64, nonce: u64) -> Vec<u8> {
    let standing = Standing { members: 10, slots: 150, links: 5, minutes: 1 };
    let sees = Ipv4Addr::new(10, 77, 0, 1);
    let mut out = Vec::new();
    Preamble { purpose, port: 1_400, instance, nonce, sees, standing }.put(&mut out);
    out
}

/// The messages of a link, by kind and body.
pub(super) fn frames(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut at, mut all) = (0, Vec::new());
    while let Some((frame, length)) = LinkFrame::split(&bytes[at..]) {
        at += length;
        all.push((frame.kind, frame.body.to_vec()));
    }
    assert!(bytes.len() - at < HEAD, "whole frames only");
    all
}

impl World {
    /// A supernode calls and is answered; the call back waits.
    pub(super) fn link(&mut self, last: u8) -> Other {
        let stream = self.accept(Endpoint::v4([10, 0, 1, last], 50_000));
        let instance = u64::from(last);
        self.bytes(stream, &preamble(Purpose::Link, instance, 0));
        let answer = self.raw(stream);
        assert_eq!(Preamble::parse(&answer[..Preamble::LEN]).unwrap().purpose, Purpose::Link);
        Other { stream, instance }
    }

    /// The call back is answered as an honest supernode does.
    pub(super) fn prove(&mut self, other: &Other) {
        let (probe, to) = self.opened.pop().expect("a call back");
        assert_eq!(to.port(), 1_400);
        self.stream(probe, StreamInput::Opened);
        let asked = Preamble::parse(&self.raw(probe)).unwrap();
        assert_eq!(asked.purpose, Purpose::Probe);
        self.bytes(probe, &preamble(Purpose::Probe, other.instance, asked.nonce));
        assert!(self.is_closed(probe));
    }

    pub(super) fn tell(&mut self, other: &Other, message: &LinkMessage<'_>) {
        let mut bytes = Vec::new();
        assert!(message.put(&mut bytes));
        self.bytes(other.stream, &bytes);
    }

    fn listed(&mut self) -> usize {
        self.probe.machine.neighbours().len()
    }
}

pub(super) fn words(text: &str) -> Vec<u8> {
    let mut into = Vec::new();
    let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data: text.as_bytes() };
    let mut out = Vec::new();
    Query::write_terms(&[term], &mut into).put(&mut out);
    out
}

pub(super) fn query(guid: u8, ttl: u8, hops: u8, terms: &[u8]) -> LinkMessage<'_> {
    let terms = throng_wire::fasttrack::Terms::take(&mut &terms[..]).unwrap();
    let realm = Realm::EVERYTHING;
    LinkMessage::Query(LinkQuery { guid: [guid; 16], ttl, hops, fanout: 0, wanted: 10, realm, terms })
}

#[test]
fn a_supernode_is_told_to_others_only_after_it_was_reached_where_it_says() {
    let mut world = World::new(config());
    let other = world.link(1);
    assert_eq!(world.listed(), 0);
    world.prove(&other);
    assert_eq!(world.probe.machine.neighbours(), [SocketAddrV4::new(Ipv4Addr::new(10, 0, 1, 1), 1_400)]);
    let mut node = world.join(7, "bob");
    let list = world.heard(&mut node).remove(0).1;
    assert_eq!(list[8..14], [10, 0, 1, 1, 0x05, 0x78]);
}

#[test]
fn who_answers_a_call_back_with_another_number_is_another() {
    for (instance, flips) in [(99, 0), (1, 1)] {
        let mut world = World::new(config());
        world.link(1);
        let (probe, _) = world.opened.pop().unwrap();
        world.stream(probe, StreamInput::Opened);
        let asked = Preamble::parse(&world.raw(probe)).unwrap();
        world.bytes(probe, &preamble(Purpose::Probe, instance, asked.nonce ^ flips));
        assert_eq!(world.listed(), 0);
        assert_eq!(world.violations(Violation::NotReachable), 1);
    }
    let mut world = World::new(config());
    world.link(1);
    let (probe, _) = world.opened.pop().unwrap();
    world.stream(probe, StreamInput::Closed(StreamEnd::Refused));
    assert_eq!((world.listed(), world.violations(Violation::NotReachable)), (0, 1));
}

#[test]
fn a_probe_is_answered_with_its_nonce_and_closed() {
    let mut world = World::new(config());
    let stream = world.accept(Endpoint::v4([10, 0, 1, 9], 50_000));
    world.bytes(stream, &preamble(Purpose::Probe, 5, 0x1234));
    assert_eq!(Preamble::parse(&world.raw(stream)).unwrap().nonce, 0x1234);
    assert!(world.is_closed(stream));
}

#[test]
fn a_call_to_oneself_and_a_second_link_to_the_same_end() {
    let mut world = World::new(config());
    let me = world.probe.machine.instance;
    let stream = world.accept(Endpoint::v4([10, 0, 1, 9], 50_000));
    world.bytes(stream, &preamble(Purpose::Link, me, 0));
    assert!(world.is_closed(stream));
    let first = world.link(1);
    let second = world.accept(Endpoint::v4([10, 0, 1, 1], 50_001));
    world.bytes(second, &preamble(Purpose::Link, first.instance, 0));
    assert_ne!(world.is_closed(first.stream), world.is_closed(second));
    assert_eq!(world.probe.machine.gauges().links, 1);
}

#[test]
fn a_query_is_answered_once_and_passed_on_only_where_a_digest_fits() {
    let mut world = World::new(config());
    let mut bob = world.join(7, "bob");
    world.share(&mut bob, "zebra.mp3", 1);
    let (asker, fitting, other) = (world.link(1), world.link(2), world.link(3));
    let mut digest = crate::supernode::digest::Own::default();
    digest.add(crate::supernode::digest::Key::word(b"zebra"));
    digest.tell_all(|part| world.tell(&fitting, &LinkMessage::Digest(part)));
    for other in [&asker, &fitting, &other] {
        world.raw(other.stream);
    }
    let terms = words("zebra");
    world.tell(&asker, &query(1, 2, 0, &terms));
    let reply = frames(&world.raw(asker.stream));
    assert_eq!(reply.len(), 1);
    assert_eq!(reply[0].0, 0x08);
    let passed = frames(&world.raw(fitting.stream));
    assert_eq!((passed.len(), passed[0].0), (1, 0x07));
    // TTL 1, one hop.
    assert_eq!(passed[0].1[16..18], [1, 1]);
    assert_eq!(world.raw(other.stream), []);
    world.tell(&other, &query(1, 2, 0, &terms));
    assert_eq!((world.raw(other.stream), world.raw(fitting.stream)), (vec![], vec![]), "it came before");
    // Its reply goes back the way the query came.
    let hits = throng_wire::fasttrack::Hits::written(0, &[]);
    let supernode = SocketAddrV4::new(Ipv4Addr::new(10, 0, 1, 2), 1_400);
    world.tell(&fitting, &LinkMessage::Reply(LinkReply { guid: [1; 16], supernode, hits }));
    assert_eq!(frames(&world.raw(asker.stream)).len(), 1);
}

#[test]
fn a_query_that_came_as_the_last_hop_may_still_be_helped_with() {
    let mut world = World::new(config());
    let (asker, helper, fitting) = (world.link(1), world.link(2), world.link(3));
    let mut digest = crate::supernode::digest::Own::default();
    digest.add(crate::supernode::digest::Key::word(b"zebra"));
    digest.tell_all(|part| world.tell(&fitting, &LinkMessage::Digest(part)));
    world.raw(fitting.stream);
    let terms = words("zebra");
    world.tell(&helper, &query(1, 1, 1, &terms));
    assert_eq!(frames(&world.raw(fitting.stream)), []);
    world.tell(&asker, &query(1, 2, 0, &terms));
    assert_eq!(frames(&world.raw(fitting.stream)).len(), 1);
}

#[test]
fn queries_that_repeat_or_go_too_far_are_counted_and_hits_nobody_asked_for_dropped() {
    let mut world = World::new(config());
    let other = world.link(1);
    let terms = words("zebra");
    world.tell(&other, &query(1, 1, 0, &terms));
    world.tell(&other, &query(1, 1, 0, &terms));
    world.tell(&other, &query(2, 200, 100, &terms));
    assert_eq!(world.violations(Violation::Repeated), 2);
    let hits = throng_wire::fasttrack::Hits::written(1, b"junk");
    let supernode = SocketAddrV4::new(Ipv4Addr::new(10, 0, 1, 1), 1_400);
    for guid in 0..150 {
        if !world.is_closed(other.stream) {
            world.tell(&other, &LinkMessage::Reply(LinkReply { guid: [100 + guid; 16], supernode, hits }));
        }
    }
    assert!(world.is_closed(other.stream), "when it is a habit");
}

#[test]
fn a_supernode_whose_answers_are_none_is_shut_out() {
    let mut world = World::new(config());
    let mut eve = world.join(8, "eve");
    let other = world.link(1);
    world.prove(&other);
    let mut digest = crate::supernode::digest::Own::default();
    digest.add(crate::supernode::digest::Key::word(b"zebra"));
    digest.tell_all(|part| world.tell(&other, &LinkMessage::Digest(part)));
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, b"buy this.exe");
    let item = FastItem { hash: FtHash([9; 20]), file_id: 0, size: 1, tags: tags.tags() };
    let mut hit = Vec::new();
    let at = SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 1), 80);
    throng_wire::fasttrack::Hit { at, bandwidth: 0, user: Some(b"spam"), item }.put(b"KaZaA", &mut hit);
    for id in 0..8 {
        world.raw(other.stream);
        world.search(&mut eve, id, "zebra");
        let Some((_, body)) = frames(&world.raw(other.stream)).into_iter().find(|(kind, _)| *kind == 7)
        else {
            break;
        };
        let guid = *body.first_chunk().unwrap();
        let supernode = SocketAddrV4::new(Ipv4Addr::new(10, 0, 1, 1), 1_400);
        let hits = throng_wire::fasttrack::Hits::written(1, &hit);
        world.tell(&other, &LinkMessage::Reply(LinkReply { guid, supernode, hits }));
    }
    assert!(world.heard(&mut eve).iter().all(|(kind, _)| *kind != 0x07), "none reached a node");
    assert!(world.is_closed(other.stream));
    let again = world.accept(Endpoint::v4([10, 0, 1, 1], 50_009));
    world.bytes(again, &preamble(Purpose::Link, 1, 0));
    assert!(world.is_closed(again), "it does not come back at once");
}

#[test]
fn garbage_on_a_link_ends_it_and_a_cut_at_every_offset_does_no_harm() {
    let terms = words("zebra");
    let mut whole = preamble(Purpose::Link, 4, 0);
    query(1, 2, 0, &terms).put(&mut whole);
    for cut in 0..whole.len() {
        let mut world = World::new(config());
        let stream = world.accept(Endpoint::v4([10, 0, 1, 9], 50_000));
        world.bytes(stream, &whole[..cut]);
        world.stream(stream, StreamInput::Closed(StreamEnd::Broken));
        assert_eq!(world.probe.machine.gauges().links, 0, "cut at {cut}");
    }
    for bad in [&[0x05, 0, 2, 9, 0][..], &[0x07, 0, 1, 0], &[0x09, 0, 0]] {
        let mut world = World::new(config());
        let other = world.link(1);
        world.bytes(other.stream, bad);
        assert!(world.is_closed(other.stream));
    }
}

#[test]
fn an_address_that_gossip_names_is_called_only_when_links_are_wanted_and_never_nearer_than_its_source() {
    let mut world = World::new(Config { links: 1, ..config() });
    let other = world.link(1);
    world.opened.clear();
    let list = [198, 51, 100, 1, 4, 0xbe, 0, 0, 127, 0, 0, 1, 0, 80, 0, 0];
    world.tell(&other, &LinkMessage::Known(throng_wire::fasttrack::NodeList(&list)));
    world.advance(Duration::from_secs(10));
    assert_eq!(world.opened, []);
    assert_eq!(world.probe.machine.gauges().known, 1, "the loopback address was not taken");
}

#[test]
fn a_supernode_is_superfluous_when_nobody_links_it_for_long_not_after_a_short_outage() {
    let mut world = World::new(config());
    let other = world.link(2);
    world.prove(&other);
    let standing = Standing { members: 10, slots: 150, links: 5, minutes: 1 };
    for _ in 0..30 {
        world.advance(Duration::from_secs(20));
        world.tell(&other, &LinkMessage::Standing(standing));
    }
    assert!(!world.is_closed(other.stream), "it lasted ten minutes");
    world.stream(other.stream, StreamInput::Closed(StreamEnd::Broken));
    let minute = |world: &mut World| (0..30).for_each(|_| world.advance(Duration::from_secs(2)));
    (0..4).for_each(|_| minute(&mut world));
    assert!(!world.probe.machine.is_superfluous());
    (0..2).for_each(|_| minute(&mut world));
    assert!(world.probe.machine.is_superfluous());
}

#[test]
fn a_supernode_whose_line_does_not_carry_what_it_says_is_superfluous_unless_few_links_stand() {
    let flow = crate::flood::FlowLimits { window: 1, waiting: 60 };
    for (deaf, ends) in [(2, false), (4, true)] {
        let mut world = World::new(Config { flow, ..config() });
        let mut others = Vec::new();
        for last in 1..=4 {
            world.reads = last > deaf;
            let other = world.link(last);
            world.prove(&other);
            others.push(other);
        }
        let standing = Standing { members: 10, slots: 150, links: 5, minutes: 1 };
        for _ in 0..5 {
            world.advance(Duration::from_secs(10));
            others.iter().for_each(|other| world.tell(other, &LinkMessage::Standing(standing)));
        }
        assert!(others.iter().all(|other| !world.is_closed(other.stream)));
        assert_eq!(world.probe.machine.is_superfluous(), ends, "{deaf} do not read");
    }
}
