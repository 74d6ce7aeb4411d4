//! What a ring adds: whose files are published there, when it is asked, and whom it makes this supernode ask.

use super::neighbours::{frames, preamble};
use super::*;
use crate::discovery::{self, Item, Ticket};
use throng_wire::supernode::{Message as LinkMessage, Preamble, Purpose, Reply as LinkReply};

fn world() -> World {
    World::new(Config { ring: true, ..config() })
}

impl World {
    /// The publications and withdrawals told since the last look.
    fn wishes(&mut self) -> (Vec<(Ticket, Item)>, Vec<Ticket>) {
        let (mut published, mut withdrawn) = (Vec::new(), Vec::new());
        for event in std::mem::take(&mut self.told) {
            match event {
                Event::RingPublish(ticket, item) => published.push((ticket, item)),
                Event::RingWithdraw(ticket) => withdrawn.push(ticket),
                _ => {}
            }
        }
        (published, withdrawn)
    }

    /// Searches; the ring's ticket and query.
    fn asks_ring(&mut self, node: &mut super::Node, id: u16, words: &str) -> (Ticket, discovery::Query) {
        assert_eq!(self.search(node, id, words), [], "it is not over");
        let wish = self.told.iter().rev().find_map(|event| match event {
            Event::RingFind(ticket, query) => Some((*ticket, query.clone())),
            _ => None,
        });
        wish.expect("the ring is asked")
    }

    /// The call to a supernode that the ring named, taken; the stream, and the guid of what was asked.
    fn answer_call(&mut self, instance: u64) -> (StreamId, [u8; 16]) {
        let (stream, _) = self.opened.pop().expect("it is called");
        self.stream(stream, StreamInput::Opened);
        let asked = Preamble::parse(&self.raw(stream)).unwrap();
        assert_eq!(asked.purpose, Purpose::Errand);
        self.bytes(stream, &preamble(Purpose::Errand, instance, asked.nonce));
        let said = frames(&self.raw(stream));
        assert_eq!((said.len(), said[0].0), (1, 0x07), "one question, and nothing else");
        (stream, *said[0].1.first_chunk().unwrap())
    }
}

fn named(last: u8) -> Endpoint {
    Endpoint::v4([10, 0, 2, last], 1_400)
}

fn reply(guid: [u8; 16], name: &str) -> Vec<u8> {
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, name.as_bytes());
    let item = FastItem { hash: FtHash([9; 20]), file_id: 0, size: 1, tags: tags.tags() };
    let at = SocketAddrV4::new(Ipv4Addr::new(10, 0, 9, 1), 1_214);
    let (mut hit, mut out) = (Vec::new(), Vec::new());
    throng_wire::fasttrack::Hit { at, bandwidth: 0, user: Some(b"zoe"), item }.put(b"KaZaA", &mut hit);
    let supernode = SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 1), 1_400);
    let hits = throng_wire::fasttrack::Hits::written(1, &hit);
    assert!(LinkMessage::Reply(LinkReply { guid, supernode, hits }).put(&mut out));
    out
}

#[test]
fn a_file_of_several_nodes_is_published_once_and_until_the_last_has_gone() {
    let mut world = world();
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    world.share(&mut bob, "zebra.mp3", 1);
    let (published, _) = world.wishes();
    let [(ticket, item)] = &published[..] else { panic!("{published:?}") };
    assert_eq!((item.title.as_str(), item.size, item.ft_hash), ("zebra.mp3", 1_000, Some([1; 20])));
    world.share(&mut eve, "zebra.mp3", 1);
    world.share(&mut bob, "zebra again.mp3", 1);
    assert_eq!(world.wishes(), (vec![], vec![]), "it is there already");
    world.stream(bob.stream, StreamInput::Closed(StreamEnd::Broken));
    assert_eq!(world.wishes(), (vec![], vec![]), "another still has it");
    world.stream(eve.stream, StreamInput::Closed(StreamEnd::Broken));
    assert_eq!(world.wishes(), (vec![], vec![*ticket]));
}

#[test]
fn without_a_ring_nothing_is_wished_for() {
    let mut world = World::new(config());
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    world.share(&mut bob, "zebra.mp3", 1);
    assert_eq!(world.search(&mut eve, 1, "giraffe"), [(0x08, vec![0, 1])], "it is over at once");
    assert_eq!(world.told, []);
}

#[test]
fn a_ring_is_asked_for_what_is_missing_and_who_it_names_answers_to_the_asker() {
    let mut world = world();
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    world.share(&mut bob, "zebra here.mp3", 1);
    let heard = world.search(&mut eve, 1, "zebra");
    assert_eq!(heard.len(), 1, "what is here comes first");
    let Some(Event::RingFind(ticket, query)) = world.told.pop() else { panic!("{:?}", world.told) };
    assert_eq!((query.words, query.limit), (vec!["zebra".to_owned()], 31));
    world.command(Command::RingFound(ticket, named(1)));
    assert_eq!(world.opened.last().unwrap().1, named(1));
    let (stream, guid) = world.answer_call(77);
    world.command(Command::RingFinished(ticket));
    world.bytes(stream, &reply(guid, "zebra there.mp3"));
    let heard = world.heard(&mut eve);
    assert_eq!((heard.len(), names(&heard[0].1)), (1, vec!["zebra there.mp3".to_owned()]));
    // It says that it has said all: the search is over before its time.
    let mut bye = Vec::new();
    LinkMessage::Bye(0).put(&mut bye);
    world.bytes(stream, &bye);
    assert!(world.is_closed(stream));
    assert_eq!(world.heard(&mut eve), [(0x08, vec![0, 1])]);
    assert_eq!(world.probe.machine.gauges().known, 1, "it may become a neighbour");
    assert_eq!(world.probe.machine.gauges().links, 0);
}

#[test]
fn who_asks_one_thing_is_told_when_it_has_heard_all() {
    let mut world = world();
    let mut bob = world.join(7, "bob");
    world.share(&mut bob, "zebra.mp3", 1);
    for (word, kinds) in [("zebra", &[0x08, 0x0a][..]), ("giraffe", &[0x0a])] {
        let stream = world.accept(Endpoint::v4([10, 0, 1, 1], 50_000));
        world.bytes(stream, &preamble(Purpose::Errand, 5, 0));
        world.raw(stream);
        let terms = super::neighbours::words(word);
        let mut ask = Vec::new();
        super::neighbours::query(word.len() as u8, 1, 0, &terms).put(&mut ask);
        world.bytes(stream, &ask);
        let said: Vec<u8> = frames(&world.raw(stream)).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(said, kinds, "{word}");
    }
    assert_eq!(world.probe.machine.gauges().links, 0, "it is no neighbour");
}

#[test]
fn a_ring_that_does_not_answer_or_names_the_dead_costs_a_search_no_more_than_its_time() {
    let mut world = world();
    let mut eve = world.join(8, "eve");
    // It refuses.
    let (ticket, _) = world.asks_ring(&mut eve, 1, "zebra");
    world.command(Command::RingFinished(ticket));
    assert_eq!(world.heard(&mut eve), [(0x08, vec![0, 1])]);
    // It is silent: told to stop when the time is over.
    let (ticket, _) = world.asks_ring(&mut eve, 2, "zebra");
    world.advance(config().ring_wait);
    assert_eq!(world.heard(&mut eve), [(0x08, vec![0, 2])]);
    assert!(world.told.contains(&Event::RingCancel(ticket)));
    world.command(Command::RingFound(ticket, named(1)));
    assert_eq!(world.opened, [], "too late");
    // Whom it names is gone.
    let (ticket, _) = world.asks_ring(&mut eve, 3, "zebra");
    world.command(Command::RingFound(ticket, named(1)));
    world.command(Command::RingFinished(ticket));
    assert_eq!(world.heard(&mut eve), [], "its answer is awaited");
    let (stream, _) = world.opened.pop().unwrap();
    world.stream(stream, StreamInput::Closed(StreamEnd::Refused));
    assert_eq!(world.heard(&mut eve), [(0x08, vec![0, 3])]);
}

#[test]
fn a_ring_makes_nobody_call_a_neighbour_this_node_or_one_address_by_a_crowd() {
    let mut world = world();
    let mut eve = world.join(8, "eve");
    let other = world.link(1);
    world.prove(&other);
    world.opened.clear();
    let me = endpoint(config().address.unwrap());
    let neighbour = Endpoint::v4([10, 0, 1, 1], 1_400);
    let (ticket, _) = {
        world.search(&mut eve, 1, "zebra");
        world.advance(Duration::from_secs(4));
        let wish = world.told.iter().find_map(|event| match event {
            Event::RingFind(ticket, query) => Some((*ticket, query.clone())),
            _ => None,
        });
        wish.expect("the ring is asked after the flood")
    };
    world.opened.clear();
    for at in [me, neighbour, Endpoint::v4([224, 0, 0, 1], 80)] {
        world.command(Command::RingFound(ticket, at));
    }
    assert_eq!(world.opened, []);
    for port in 0..40 {
        world.command(Command::RingFound(ticket, Endpoint::v4([10, 0, 3, 1], 1_000 + port)));
    }
    assert!(world.opened.len() <= 16, "{} calls", world.opened.len());
}
