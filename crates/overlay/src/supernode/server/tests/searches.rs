//! Searching, sharing and pushing among the nodes of one supernode.

use super::*;
use throng_wire::fasttrack::{PushRequest, Terms};

fn hits(heard: &[(u16, Vec<u8>)]) -> Vec<String> {
    let mut all: Vec<String> =
        heard.iter().filter(|(kind, _)| *kind == 0x07).flat_map(|(_, body)| names(body)).collect();
    all.sort();
    all
}

#[test]
fn a_search_finds_others_files_by_words_and_ends_once() {
    let mut world = World::new(config());
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    world.share(&mut bob, "Zebra Song.mp3", 1);
    world.share(&mut bob, "Giraffe.mp3", 2);
    world.share(&mut eve, "zebra song of mine.mp3", 3);
    let heard = world.search(&mut eve, 5, "song zebra");
    assert_eq!(heard.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [0x07, 0x08]);
    assert_eq!(hits(&heard), ["Zebra Song.mp3"], "never a node's own files");
    assert_eq!(heard[1].1, [0, 5]);
    assert_eq!(world.search(&mut eve, 6, "zeb"), [(0x08, vec![0, 6])], "whole words");
    assert_eq!(world.search(&mut eve, 7, "..."), [(0x08, vec![0, 7])], "nothing to search by");
}

#[test]
fn files_come_back_with_the_tags_they_came_with() {
    let mut world = World::new(config());
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, b"a.mp3").text(TagKind::ARTIST, b"Aria").number(TagKind::QUALITY, 192);
    tags.text(TagKind(0x3f), b"\x01\x02").text(TagKind::MAGNET, b"magnet:?xt=urn:btih:00");
    let item = FastItem { hash: FtHash([1; 20]), file_id: 99, size: 5, tags: tags.tags() };
    world.say(&mut bob, &Message::Share(Share { media: Media::Audio, item }));
    let heard = world.search(&mut eve, 1, "aria");
    let Message::Reply(reply) = Message::parse(0x07, &heard[0].1).unwrap() else { panic!() };
    let hit = reply.hits.iter().next().unwrap().unwrap();
    assert_eq!(hit.item, item);
    assert_eq!((hit.user, hit.bandwidth), (Some(&b"bob"[..]), 0x68));
}

#[test]
fn kinds_sizes_hashes_and_roots_narrow_a_search() {
    let mut world = World::new(config());
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    world.share(&mut bob, "zebra one.mp3", 1);
    let magnet = format!("magnet:?xl=1&x.root={}", "ab".repeat(32));
    let mut tags = TagsWriter::default();
    tags.text(TagKind::FILE_NAME, b"zebra two.avi").text(TagKind::MAGNET, magnet.as_bytes());
    let item = FastItem { hash: FtHash([2; 20]), file_id: 0, size: 70_000, tags: tags.tags() };
    world.say(&mut bob, &Message::Share(Share { media: Media::Video, item }));
    let term = |comparison, field, data| Term { comparison, field, data };
    let word = term(Comparison::Contains, TagKind::ANY, &b"zebra"[..]);
    let size = term(Comparison::AtLeast, TagKind::SIZE, &[0x84, 0x00][..]);
    let hash = term(Comparison::Equals, TagKind::HASH, &[1; 20][..]);
    let root = term(Comparison::Equals, TagKind::MAGNET, &[0xab; 32][..]);
    let odd = term(Comparison::Unknown(6), TagKind(0x25), &[2][..]);
    let cases: [(u8, &[Term<'_>], &[&str]); 7] = [
        (0x3f, &[word], &["zebra one.mp3", "zebra two.avi"]),
        (0x21, &[word], &["zebra one.mp3"]),
        (0xa2, &[word], &["zebra two.avi"]),
        (0xbf, &[word, size], &["zebra one.mp3", "zebra two.avi"]),
        (0xbf, &[hash, odd], &["zebra one.mp3"]),
        (0xbf, &[root], &["zebra two.avi"]),
        (0xbf, &[root, hash], &[]),
    ];
    for (realm, terms, found) in cases {
        let mut into = Vec::new();
        let terms: Terms<'_> = Query::write_terms(terms, &mut into);
        let query = Query { max_results: 32, id: 1, realm: Realm(realm), terms };
        let heard = world.ask(&mut eve, &Message::Search(query));
        assert_eq!(hits(&heard), found, "realm {realm:02x}, {terms:?}");
    }
}

#[test]
fn files_taken_back_or_of_those_who_left_are_not_found() {
    let mut world = World::new(config());
    let (mut bob, mut eve, mut kim) = (world.join(7, "bob"), world.join(8, "eve"), world.join(9, "kim"));
    world.share(&mut bob, "zebra.mp3", 1);
    world.share(&mut kim, "zebra.mp3", 1);
    assert_eq!(hits(&world.search(&mut eve, 1, "zebra")).len(), 2);
    let item = FastItem { hash: FtHash([1; 20]), file_id: 0, size: 0, tags: Default::default() };
    world.say(&mut bob, &Message::Unshare(item));
    assert_eq!(hits(&world.search(&mut eve, 2, "zebra")).len(), 1);
    world.stream(kim.stream, StreamInput::Closed(StreamEnd::Broken));
    assert_eq!(hits(&world.search(&mut eve, 3, "zebra")).len(), 0);
    assert_eq!(world.probe.machine.gauges().files, 0);
}

#[test]
fn a_file_shared_again_is_there_once_with_what_was_said_last() {
    let mut world = World::new(config());
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    world.share(&mut bob, "zebra old.mp3", 1);
    world.share(&mut bob, "zebra new.mp3", 1);
    assert_eq!(hits(&world.search(&mut eve, 1, "zebra")), ["zebra new.mp3"]);
}

#[test]
fn many_hits_come_in_several_messages_up_to_what_was_wanted() {
    let mut world = World::new(config());
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    for number in 0..=250u8 {
        world.share(&mut bob, &format!("zebra {number} {}.mp3", "x".repeat(200)), number);
    }
    let mut into = Vec::new();
    let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data: b"zebra" };
    let terms = Query::write_terms(&[term], &mut into);
    for (asked, told) in [(10, 10), (1_000, 200), (0, 1)] {
        let query = Query { max_results: asked, id: 1, realm: Realm::EVERYTHING, terms };
        let heard = world.ask(&mut eve, &Message::Search(query));
        assert_eq!(hits(&heard).len(), told);
        assert!(heard.iter().all(|(_, body)| body.len() < 16 << 10));
    }
}

#[test]
fn a_push_reaches_the_node_of_that_name_with_the_askers_own_address() {
    let mut world = World::new(config());
    let (mut bob, mut eve) = (world.join(7, "bob"), world.join(8, "eve"));
    world.heard(&mut bob);
    let at = |ip: [u8; 4], port| SocketAddrV4::new(Ipv4Addr::from(ip), port);
    let push = |from| {
        let supernode = at([10, 77, 0, 1], 1_218);
        let mut body = Vec::new();
        PushRequest { id: 77, from, target: at([10, 0, 0, 7], 1_214), supernode, user: b"bob" }
            .put(&mut body);
        body
    };
    world.say(&mut eve, &Message::Push(&push(at([10, 0, 0, 8], 1_300))));
    let told = [0, 0, 0, 77, 10, 0, 0, 8, 0x05, 0x14];
    assert_eq!(world.heard(&mut bob), [(0x0d, told.to_vec())]);
    // Another's address: the asker's own is told, and the lie is counted.
    world.say(&mut eve, &Message::Push(&push(at([198, 51, 100, 1], 1_300))));
    assert_eq!(world.heard(&mut bob), [(0x0d, told.to_vec())]);
    assert_eq!(world.violations(Violation::Address), 1);
    // And nobody is called by a crowd.
    for _ in 0..10 {
        world.say(&mut eve, &Message::Push(&push(at([10, 0, 0, 8], 1_300))));
    }
    assert_eq!(world.heard(&mut bob).len(), 4);
}

#[test]
fn this_nodes_own_files_are_found_and_its_own_searches_find() {
    let mut world = World::new(config());
    let mut bob = world.join(7, "bob");
    let item = crate::discovery::Item {
        title: "Folder/zebra.mp3".into(),
        size: 9,
        ft_hash: Some([4; 20]),
        root: Some([5; 32]),
        ..Default::default()
    };
    let ticket = crate::discovery::Ticket(1);
    world.command(Command::Publish(ticket, item.clone(), None));
    assert_eq!(world.told, [Event::Published(ticket)]);
    assert_eq!(hits(&world.search(&mut bob, 1, "zebra folder")), ["zebra.mp3"]);
    world.share(&mut bob, "giraffe.mp3", 9);
    let query =
        crate::discovery::Query { words: vec!["giraffe".into()], limit: 10, timeout: Duration::from_secs(5) };
    world.told.clear();
    world.command(Command::Find(ticket, query));
    let [Event::Found(_, file), Event::Finished(_)] = &world.told[..] else { panic!("{:?}", world.told) };
    assert_eq!((file.user.as_slice(), file.item.title.as_str()), (&b"bob"[..], "giraffe.mp3"));
    world.command(Command::Withdraw(ticket));
    assert_eq!(hits(&world.search(&mut bob, 2, "zebra")), [""; 0]);
    let nameless = crate::discovery::Item { ft_hash: None, ..item };
    world.command(Command::Publish(ticket, nameless, None));
    assert!(matches!(world.told.last(), Some(Event::Refused(_, crate::discovery::Refusal::MissingHash))));
}
