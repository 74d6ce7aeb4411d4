//! The ordinary node against a scripted supernode.

use super::*;
use crate::discovery::{Item, Query, Refusal};
use crate::supernode::channel::Channel;
use std::time::Duration;
use throng_machine::probe::{Out, Probe};
use throng_wire::fasttrack::{
    ClientHello, Frame, FtHash, Hit, Hits, Message, NodeList, NodeListEntry, PushOrder, Reply, SERVER_SEED,
    ServerHello, TagKind, TagsWriter,
};
use throng_wire::supernode::{OURS, Ours};

/// A client and its one supernode's end.
struct Bench {
    probe: Probe<Client>,
    stream: StreamId,
    channel: Channel,
    outs: Vec<Out>,
}

fn super_at(last: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 1214)
}

fn config() -> Config {
    Config { user: b"bob".to_vec(), port: 1300, ..Config::default() }
}

fn opened(outs: &[Out]) -> Vec<(StreamId, Endpoint)> {
    let open = |out: &Out| if let Out::Open(stream, to) = out { Some((*stream, *to)) } else { None };
    outs.iter().filter_map(open).collect()
}

fn written(outs: &[Out], stream: StreamId) -> Vec<u8> {
    let bytes = outs.iter().filter_map(|out| match out {
        Out::Write(to, bytes) if *to == stream => Some(bytes.as_slice()),
        _ => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

impl Bench {
    /// A client that called, was answered, and said its name.
    fn named() -> Bench {
        let mut probe = Probe::new(Client::new(Arc::new(config()), 77));
        let outs = probe.command(Command::Join(vec![super::super::endpoint(super_at(1))]));
        let (stream, to) = opened(&outs)[0];
        assert_eq!(to, super::super::endpoint(super_at(1)));
        let outs = probe.stream(stream, StreamInput::Opened);
        let hello = written(&outs, stream);
        assert_eq!(hello, ClientHello::ours().encode());
        let hello = ClientHello::parse(hello.first_chunk().unwrap());
        let mut channel = Channel::accept(&hello);
        assert_eq!(hello.seed ^ SERVER_SEED, 0xe8ff_4440);
        let mut answer = ServerHello::ours().encode().to_vec();
        channel.put_name(&mut answer);
        let outs = probe.stream(stream, StreamInput::Bytes(&answer));
        let mut bench = Bench { probe, stream, channel, outs: Vec::new() };
        let bytes = written(&outs, stream);
        bench.channel.receive(&bytes);
        assert_eq!(bench.channel.take_name().unwrap().unwrap(), b"KaZaA");
        bench
    }

    /// One that is attached, with what was said until then forgotten.
    fn attached() -> Bench {
        let mut bench = Bench::named();
        bench.say(&list(&[super_at(1)]));
        bench.say(&Message::ExternalAddress(Ipv4Addr::new(10, 0, 0, 9)));
        bench.say(&Message::SendShares);
        bench.heard();
        bench.probe.take_events();
        bench
    }

    fn say(&mut self, message: &Message<'_>) {
        let mut bytes = Vec::new();
        assert!(self.channel.put(message, &mut bytes));
        let outs = self.probe.stream(self.stream, StreamInput::Bytes(&bytes));
        self.take(outs);
    }

    fn command(&mut self, command: Command) {
        let outs = self.probe.command(command);
        self.take(outs);
    }

    fn advance(&mut self, seconds: u64) {
        let outs = self.probe.advance(Duration::from_secs(seconds));
        self.take(outs);
    }

    fn take(&mut self, outs: Vec<Out>) {
        let bytes = written(&outs, self.stream);
        self.channel.receive(&bytes);
        self.outs.extend(outs);
    }

    /// What the client said: types and bodies; 0x50 and 0x52 for pings and pongs.
    fn heard(&mut self) -> Vec<(u16, Vec<u8>)> {
        let input = self.channel.take_input();
        let (mut at, mut heard) = (0, Vec::new());
        while let Some((frame, length)) = self.channel.split(&input[at..]).expect("in step") {
            at += length;
            heard.push(match frame {
                Frame::Ping => (0x50, Vec::new()),
                Frame::Pong => (0x52, Vec::new()),
                Frame::Message(kind, body) => (kind, body.to_vec()),
            });
        }
        heard
    }

    fn find(&mut self, ticket: u32, word: &str) {
        let query = Query { words: vec![word.into()], limit: 10, timeout: Duration::from_secs(20) };
        self.command(Command::Find(Ticket(ticket), query));
    }

    fn reply(&mut self, id: u16, name: &str) {
        let mut tags = TagsWriter::default();
        tags.text(TagKind::FILE_NAME, name.as_bytes());
        let item =
            throng_wire::fasttrack::Item { hash: FtHash([5; 20]), file_id: 0, size: 9, tags: tags.tags() };
        let mut bytes = Vec::new();
        Hit { at: super_at(50), bandwidth: 1, user: Some(b"eve"), item }.put(b"KaZaA", &mut bytes);
        let hits = Hits::written(1, &bytes);
        self.say(&Message::Reply(Reply { supernode: super_at(1), id, hits }));
    }
}

fn list(all: &[SocketAddrV4]) -> Message<'static> {
    let mut bytes = Vec::new();
    for address in all {
        NodeList::put(NodeListEntry { address: *address, minutes: 0, load: 0 }, &mut bytes);
    }
    Message::NodeList(NodeList(Box::leak(bytes.into_boxed_slice())))
}

fn item(title: &str, hash: u8) -> Item {
    Item { title: title.into(), size: 9, ft_hash: Some([hash; 20]), ..Item::default() }
}

#[test]
fn it_says_who_it_is_with_the_name_and_its_address_when_it_is_told() {
    let mut bench = Bench::named();
    // No address, port 1300, no bandwidth, a zero byte, the name.
    assert_eq!(bench.heard(), [(0x02, b"\0\0\0\0\x05\x14\0\0bob".to_vec())]);
    bench.say(&list(&[super_at(1), super_at(2)]));
    bench.say(&Message::ExternalAddress(Ipv4Addr::new(10, 0, 0, 9)));
    let heard = bench.heard();
    assert!(heard.contains(&(0x02, b"\x0a\0\0\x09\x05\x14\0\0bob".to_vec())));
    assert_eq!(bench.probe.take_events(), [Event::Joined(Some(super_at(1)))]);
    assert_eq!(bench.probe.machine.known().count(), 2);
}

#[test]
fn shares_are_told_when_they_are_wanted_and_then_as_they_change() {
    let mut bench = Bench::named();
    bench.command(Command::Publish(Ticket(1), item("zebra.mp3", 1), None));
    bench.say(&list(&[super_at(1)]));
    bench.heard();
    assert_eq!(bench.probe.machine.shared(), (1, 0), "not before they are wanted");
    bench.say(&Message::SendShares);
    let kinds = |heard: Vec<(u16, Vec<u8>)>| heard.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    assert_eq!(kinds(bench.heard()), [0x22]);
    bench.command(Command::Publish(Ticket(2), item("giraffe.mp3", 2), None));
    assert_eq!(kinds(bench.heard()), [0x22]);
    bench.command(Command::Publish(Ticket(3), item("giraffe.mp3", 2), None));
    bench.heard();
    bench.command(Command::Withdraw(Ticket(3)));
    assert_eq!(kinds(bench.heard()), [], "it is still shared under another ticket");
    bench.command(Command::Withdraw(Ticket(2)));
    let heard = bench.heard();
    assert_eq!(heard[0].0, 0x05);
    assert_eq!(heard[0].1[..20], [2; 20]);
    bench.command(Command::Publish(Ticket(4), Item { ft_hash: None, ..item("x", 1) }, None));
    let events = bench.probe.take_events();
    assert!(events.contains(&Event::Refused(Ticket(4), Refusal::MissingHash)));
}

#[test]
fn a_list_longer_than_the_supernode_reads_is_told_as_it_reads() {
    let mut bench = Bench::attached();
    for number in 0..2_000u32 {
        let title = format!("zebra {number} {}.mp3", "x".repeat(100));
        bench.command(Command::Publish(Ticket(number), Item { title, ..item("", number as u8) }, None));
    }
    let first = bench.heard().len();
    assert!((100..400).contains(&first), "{first} at once");
    let mut told = first;
    for _ in 0..100 {
        let outs = bench.probe.stream(bench.stream, StreamInput::Flushed(32 << 10));
        bench.take(outs);
        told += bench.heard().len();
    }
    assert_eq!(told, 2_000);
}

#[test]
fn hits_are_told_and_a_search_ends_once() {
    let mut bench = Bench::attached();
    bench.find(7, "zebra");
    let heard = bench.heard();
    // Up to 10, id 1, everything, one term: contains, any, "zebra".
    assert_eq!(heard, [(0x06, b"\0\x01\0\x0a\0\x01\x01\x3f\x01\x05\0\x05zebra".to_vec())]);
    bench.reply(1, "Zebra Song.mp3");
    bench.reply(1, "Zebra Song.mp3");
    bench.reply(1, "no answer.mp3");
    bench.reply(9, "Zebra Song.mp3");
    bench.say(&Message::SearchEnd(1));
    bench.say(&Message::SearchEnd(1));
    let events = bench.probe.take_events();
    let found: Vec<_> = events.iter().filter(|event| matches!(event, Event::Found(..))).collect();
    assert_eq!(found.len(), 1, "each copy once");
    assert_eq!(events.iter().filter(|event| **event == Event::Finished(Ticket(7))).count(), 1);
    let violations = bench.probe.machine.violations();
    assert_eq!(violations.count(Violation::FalseAnswer), 1);
    assert_eq!(violations.count(Violation::Unasked), 1);
    bench.find(8, "zebra");
    bench.advance(25);
    assert!(bench.probe.take_events().contains(&Event::Finished(Ticket(8))), "no end came");
}

#[test]
fn when_the_supernode_dies_the_next_is_told_and_asked_everything_again() {
    let mut bench = Bench::attached();
    bench.say(&list(&[super_at(1), super_at(2)]));
    bench.command(Command::Publish(Ticket(1), item("zebra.mp3", 1), None));
    bench.find(2, "giraffe");
    bench.outs.clear();
    let outs = bench.probe.stream(bench.stream, StreamInput::Closed(StreamEnd::Broken));
    let (stream, to) = opened(&outs)[0];
    assert_eq!(to, super::super::endpoint(super_at(2)), "the one that did not just die");
    assert!(bench.probe.take_events().contains(&Event::Lost(super_at(1))));
    bench.probe.stream(stream, StreamInput::Opened);
    let mut channel = Channel::accept(&ClientHello::ours());
    let mut answer = ServerHello::ours().encode().to_vec();
    channel.put_name(&mut answer);
    for message in [list(&[super_at(2)]), Message::SendShares] {
        assert!(channel.put(&message, &mut answer));
    }
    let outs = bench.probe.stream(stream, StreamInput::Bytes(&answer));
    channel.receive(&written(&outs, stream));
    channel.take_name().unwrap();
    (bench.stream, bench.channel) = (stream, channel);
    let kinds: Vec<u16> = bench.heard().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [0x02, OURS, 0x06, 0x22]);
    assert_eq!(bench.probe.machine.supernode(), Some(super_at(2)));
}

#[test]
fn a_silent_supernode_is_pinged_and_left() {
    let mut bench = Bench::attached();
    bench.advance(9);
    assert_eq!(bench.heard(), [(0x50, vec![])]);
    let mut pong = Vec::new();
    bench.channel.put_pong(&mut pong);
    let outs = bench.probe.stream(bench.stream, StreamInput::Bytes(&pong));
    bench.take(outs);
    bench.advance(9);
    assert_eq!(bench.heard(), [(0x50, vec![])]);
    bench.advance(9);
    assert!(bench.outs.contains(&Out::Close(bench.stream)));
    assert!(bench.probe.take_events().contains(&Event::Lost(super_at(1))));
}

#[test]
fn several_supernodes_are_called_a_moment_apart_and_the_first_stays() {
    let mut probe = Probe::new(Client::new(Arc::new(config()), 77));
    let all = (1..=5).map(|last| super::super::endpoint(super_at(last))).collect();
    let mut outs = probe.command(Command::Join(all));
    outs.extend(probe.advance(Duration::from_secs(3)));
    let calls = opened(&outs);
    assert_eq!(calls.len(), 3);
    let (stream, _) = calls[1];
    probe.stream(stream, StreamInput::Opened);
    let mut answer = ServerHello::ours().encode().to_vec();
    Channel::accept(&ClientHello::ours()).put_name(&mut answer);
    let outs = probe.stream(stream, StreamInput::Bytes(&answer));
    let closed = |id| outs.contains(&Out::Close(id));
    assert_eq!(calls.iter().map(|(id, _)| closed(*id)).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn what_is_no_supernode_is_left_and_counted() {
    for answer in [&[0xff; 80][..], b"HTTP/1.1 400 Bad Request\r\n\r\nand more than a name has bytes"] {
        let mut probe = Probe::new(Client::new(Arc::new(config()), 77));
        let outs = probe.command(Command::Join(vec![super::super::endpoint(super_at(1))]));
        let (stream, _) = opened(&outs)[0];
        probe.stream(stream, StreamInput::Opened);
        let outs = probe.stream(stream, StreamInput::Bytes(answer));
        assert!(outs.contains(&Out::Close(stream)));
        assert_eq!(probe.machine.violations().count(Violation::Unreadable), 1);
        assert!(probe.machine.poll_timeout().is_some(), "it tries again");
    }
}

#[test]
fn orders_to_call_are_told_but_not_for_addresses_nearer_than_the_supernode() {
    let mut bench = Bench::attached();
    let order = |to: SocketAddrV4| {
        let mut body = Vec::new();
        PushOrder { id: 5, to }.put(&mut body);
        body
    };
    bench.say(&Message::Push(&order(super_at(60))));
    bench.say(&Message::Push(&order(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80))));
    let events = bench.probe.take_events();
    assert_eq!(events[0], Event::CallAsked { id: 5, to: super_at(60) });
    assert_eq!(bench.probe.machine.violations().count(Violation::Address), 1);
}

#[test]
fn it_moves_when_it_is_asked_to_and_keeps_the_old_until_the_new_answers() {
    let mut bench = Bench::attached();
    let mut body = Vec::new();
    Ours::Move(super_at(3)).put(&mut body);
    bench.outs.clear();
    bench.say(&Message::Other { kind: OURS, body: &body });
    assert_eq!(opened(&bench.outs)[0].1, super::super::endpoint(super_at(3)));
    assert!(!bench.outs.contains(&Out::Close(bench.stream)));
    assert_eq!(bench.probe.machine.supernode(), Some(super_at(1)));
}

#[test]
fn statistics_updates_and_the_unknown_are_never_obeyed() {
    let mut bench = Bench::attached();
    for kind in [0x09, 0x1f, 0x20, 0x21, 0x99, 0x8001] {
        bench.say(&Message::Other { kind, body: &[0; 100] });
    }
    assert_eq!((bench.heard(), bench.probe.take_events()), (vec![], vec![]));
}

#[test]
fn a_stream_cut_at_every_offset_leaves_a_client_that_tries_again() {
    let mut answer = ServerHello::ours().encode().to_vec();
    let mut channel = Channel::accept(&ClientHello::ours());
    channel.put_name(&mut answer);
    for message in [list(&[super_at(1)]), Message::SendShares] {
        assert!(channel.put(&message, &mut answer));
    }
    for cut in 0..answer.len() {
        let mut probe = Probe::new(Client::new(Arc::new(config()), 77));
        let outs = probe.command(Command::Join(vec![super::super::endpoint(super_at(1))]));
        let (stream, _) = opened(&outs)[0];
        probe.stream(stream, StreamInput::Opened);
        probe.stream(stream, StreamInput::Bytes(&answer[..cut]));
        probe.stream(stream, StreamInput::Closed(StreamEnd::Broken));
        assert!(probe.machine.supernode().is_none() && probe.machine.poll_timeout().is_some(), "{cut}");
    }
}

#[test]
fn an_attached_node_takes_few_bytes() {
    let session = size_of::<Session>();
    let known = 24 * 7;
    assert!(size_of::<Client>() + session + known <= 512, "{} + {session} + {known}", size_of::<Client>());
}

#[test]
fn a_supernode_that_chooses_a_type_we_do_not_speak_is_left_at_its_hello() {
    let ours = ServerHello::ours().encode();
    for kind in [0x01u8, 0x29, 0x80, 0xbb] {
        let mut probe = Probe::new(Client::new(Arc::new(config()), 77));
        let outs = probe.command(Command::Join(vec![super::super::endpoint(super_at(1))]));
        let (stream, _) = opened(&outs)[0];
        probe.stream(stream, StreamInput::Opened);
        let mut hello = ours;
        hello[7] ^= 0x40 ^ kind;
        let outs = probe.stream(stream, StreamInput::Bytes(&hello));
        assert!(outs.contains(&Out::Close(stream)), "{kind:x}");
        assert_eq!(probe.machine.violations().count(Violation::Unreadable), 1);
    }
}

#[test]
fn hits_name_third_parties_in_vain_where_they_are_nearer_than_the_supernode() {
    let mut bench = Bench::attached();
    bench.find(7, "zebra");
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, b"zebra.mp3");
    let mut bytes = Vec::new();
    for (number, ip) in (1..).zip([[127, 0, 0, 1], [169, 254, 0, 1], [198, 51, 100, 9]]) {
        let hash = FtHash([number; 20]);
        let item = throng_wire::fasttrack::Item { hash, file_id: 0, size: 9, tags: tags.tags() };
        let at = SocketAddrV4::new(ip.into(), 22);
        Hit { at, bandwidth: 1, user: Some(b"eve"), item }.put(b"KaZaA", &mut bytes);
    }
    let hits = Hits::written(3, &bytes);
    bench.say(&Message::Reply(Reply { supernode: super_at(1), id: 1, hits }));
    let events = bench.probe.take_events();
    let called: Vec<bool> = events
        .iter()
        .filter_map(
            |event| if let Event::Found(_, file) = event { Some(!file.is_firewalled()) } else { None },
        )
        .collect();
    assert_eq!(called, [false, false, true], "only what is no nearer than the supernode");
}
