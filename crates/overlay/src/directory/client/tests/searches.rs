//! Searching and browsing.

use super::*;
use crate::discovery::{self, Item, Refusal, Ticket};
use throng_wire::napster::{Bounds, FileKind, KindFilter};

const HIT: &str =
    "\"C:\\f\\fire okapi.mp3\" 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f 5000000 128 44100 10 fire 16777343 5";

fn search(words: &str) -> Search {
    Search::for_words(words.split(' ').map(str::to_owned).collect())
}

#[test]
fn a_search_brings_hits_until_its_end() {
    let mut bench = Bench::online();
    let told = bench.command(Command::Find(Ticket(7), search("fire okapi")));
    assert_eq!(told, [(200, "FILENAME CONTAINS \"fire okapi\" MAX_RESULTS 100".into())]);
    bench.hear(201, HIT);
    bench.hear(202, "");
    let events = bench.events();
    let [Event::Found(Ticket(7), file), Event::Finished(Ticket(7))] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((file.nick.as_slice(), file.size, file.root), (&b"fire"[..], 5_000_000, Some([0x0f; 16])));
    let Some(discovery::Event::Found { ticket, item, source }) = events[0].discovery() else {
        panic!("a hit")
    };
    assert_eq!((ticket, source), (Ticket(7), file.source()));
    assert_eq!(item, Item { title: "fire okapi.mp3".into(), size: 5_000_000, ..Item::default() });
}

#[test]
fn searches_wait_for_each_other_as_answers_carry_no_ids() {
    let mut bench = Bench::online();
    assert_eq!(bench.command(Command::Find(Ticket(1), search("a"))).len(), 1);
    assert_eq!(bench.command(Command::Find(Ticket(2), search("b"))), []);
    assert_eq!(bench.ask(202, ""), [(200, "FILENAME CONTAINS \"b\" MAX_RESULTS 100".into())]);
    bench.hear(201, HIT);
    assert!(matches!(bench.events()[..], [Event::Finished(Ticket(1)), Event::Found(Ticket(2), _)]));
    assert_eq!(bench.command(Command::Find(Ticket(2), search("c"))), []);
    assert_eq!(bench.events(), [Event::Refused(Ticket(2), Refusal::Busy)]);
}

#[test]
fn hits_of_a_search_given_up_are_not_taken_for_those_of_the_next() {
    let mut bench = Bench::online();
    bench.command(Command::Find(Ticket(1), search("slow")));
    bench.command(Command::Find(Ticket(2), search("next")));
    bench.hear(214, "1 1 1");
    let outs = bench.seconds(61);
    // The second had its time with the first.
    assert!(frames(&outs, bench.server).is_empty() || frames(&outs, bench.server)[0].0 == 200);
    bench.events();
    bench.command(Command::Find(Ticket(3), search("third")));
    bench.hear(201, HIT);
    bench.hear(202, "");
    assert_eq!(bench.events(), [], "those belong to the first");
    bench.hear(201, HIT);
    bench.hear(202, "");
    assert!(matches!(bench.events()[..], [Event::Found(Ticket(3), _), Event::Finished(Ticket(3))]));
}

#[test]
fn each_server_is_asked_in_its_dialect() {
    let all = Search {
        excludes: vec!["live".into()],
        limit: 20,
        kind: KindFilter::Any,
        bitrate: Bounds::at_least(128),
        frequency: Bounds::exactly(44_100),
        line_speed: Bounds::at_least(7),
        size: Bounds::at_best(6_000_000),
        duration: Bounds::at_least(5),
        local_only: true,
        ..search("fire")
    };
    let mut bench = Bench::online();
    bench.hear(621, "VERSION opennap 0.36");
    let basic = "FILENAME CONTAINS \"fire\" MAX_RESULTS 20 BITRATE \"AT LEAST\" 128 FREQ \"EQUAL TO\" 44100 LINESPEED \"AT LEAST\" 7 LOCAL";
    assert_eq!(bench.command(Command::Find(Ticket(1), all.clone())), [(200, basic.into())]);
    bench.events();
    // What A cannot exclude, we do.
    bench.hear(201, HIT);
    bench.hear(201, "\"C:\\f\\fire LIVE.mp3\" 0 5000000 128 44100 10 fire 16777343 5");
    bench.hear(201, "\"C:\\f\\fire big.mp3\" 0 7000000 128 44100 10 fire 16777343 5");
    bench.hear(201, "\"C:\\f\\fire short.mp3\" 0 5000000 128 44100 4 fire 16777343 5");
    assert_eq!(bench.events().len(), 1);

    let mut bench = Bench::online();
    bench.hear(621, "VERSION opennap-ng 0.50-beta2.poll.thread");
    let told = bench.command(Command::Find(Ticket(1), all));
    let full = "FILENAME CONTAINS \"fire\" FILENAME EXCLUDES \"live\" MAX_RESULTS 20 TYPE any BITRATE \"AT LEAST\" 128 FREQ \"EQUAL TO\" 44100 LINESPEED \"AT LEAST\" 7 SIZE \"AT BEST\" 6000000 DURATION \"AT LEAST\" 5 LOCAL";
    assert_eq!(told, [(200, full.into())]);
    let video = Search { kind: KindFilter::Only(FileKind::Video), ..search("x") };
    bench.hear(202, "");
    assert!(bench.command(Command::Find(Ticket(2), video))[0].1.ends_with("TYPE video"));
}

#[test]
fn a_refused_search_ends_too() {
    let mut bench = Bench::online();
    bench.command(Command::Find(Ticket(1), search("x")));
    bench.hear(404, "invalid search request");
    bench.hear(202, "");
    let events = bench.events();
    assert_eq!(
        events,
        [Event::Notice(directory(), text("invalid search request")), Event::Finished(Ticket(1))]
    );
    bench.command(Command::Find(Ticket(2), search(" ")));
    assert_eq!(bench.events(), [Event::Refused(Ticket(2), Refusal::EmptyQuery)]);
}

#[test]
fn a_search_nowhere_is_refused_and_one_on_a_lost_server_is_over() {
    let mut probe = Probe::new(Client::new(config()));
    probe.command(Command::Find(Ticket(1), search("x")));
    assert_eq!(probe.take_events(), [Event::Refused(Ticket(1), Refusal::NotJoined)]);
    let mut bench = Bench::online();
    bench.command(Command::Find(Ticket(1), search("x")));
    bench.command(Command::Find(Ticket(2), search("y")));
    bench.close(bench.server);
    let events = bench.events();
    assert_eq!(events[..2], [Event::Finished(Ticket(1)), Event::Finished(Ticket(2))]);
}

#[test]
fn a_cancelled_search_tells_no_more() {
    let mut bench = Bench::online();
    bench.command(Command::Find(Ticket(1), search("x")));
    bench.command(Command::Find(Ticket(2), search("y")));
    bench.command(Command::Cancel(Ticket(2)));
    bench.command(Command::Cancel(Ticket(1)));
    bench.hear(201, HIT);
    assert_eq!(bench.ask(202, ""), []);
    assert_eq!(bench.events(), [Event::Finished(Ticket(2)), Event::Finished(Ticket(1))]);
}

#[test]
fn content_is_searched_by_the_bare_digits() {
    let mut bench = Bench::online();
    let told = bench.command(Command::FindContent(Ticket(1), [0x62; 16], 129_148));
    assert_eq!(told, [(215, format!("{} 129148", "62".repeat(16)))]);
    bench.hear(216, &format!("anna 16777343 6701 \"C:\\M\\ibex.mp3\" {} 129148 5", "62".repeat(16)));
    bench.hear(217, "");
    let events = bench.events();
    let [Event::Found(Ticket(1), file), Event::Finished(Ticket(1))] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(file.root, Some([0x62; 16]));
}

#[test]
fn a_browse_lists_one_users_files() {
    let mut bench = Bench::online();
    let told = bench.command(Command::Browse(Ticket(1), directory(), b"alice".to_vec()));
    assert_eq!(told, [(211, "alice".into())]);
    bench.hear(212, "Alice \"C:\\MP3\\x.mp3\" 0 129148 128 44100 8");
    bench.hear(212, "mallory \"C:\\MP3\\y.mp3\" 0 129148 128 44100 8");
    bench.hear(213, "alice 16777343");
    let events = bench.events();
    assert!(
        matches!(&events[..], [Event::Listed(Ticket(1), file), Event::Finished(Ticket(1))] if file.size == 129_148)
    );
    // Nobody of that name: 210, then 213.
    bench.command(Command::Browse(Ticket(2), directory(), b"nobody".to_vec()));
    bench.hear(210, "nobody");
    bench.hear(213, "nobody");
    assert!(bench.events().contains(&Event::Finished(Ticket(2))));
}

#[test]
fn the_vocabulary_of_all_overlays_is_understood() {
    let mut probe = Probe::new(Client::new(config()));
    let item = Item { title: "a b.mp3".into(), size: 9, root: Some([7; 32]), ..Item::default() };
    probe.command(discovery::Command::Publish(Ticket(3), item).into());
    let outs = probe.command(discovery::Command::Join(vec![directory()]).into());
    let (stream, _) = called(&outs).unwrap();
    probe.stream(stream, StreamInput::Opened);
    let told = frames(&probe.stream(stream, StreamInput::Bytes(&frame(3, "x"))), stream);
    assert_eq!(told, [(100, format!("\"Throng\\a b.mp3\" {} 9 0 0 0", "07".repeat(16)))]);
    assert_eq!(probe.take_events()[0].discovery(), Some(discovery::Event::Joined));
    let outs = probe.command(discovery::Command::Withdraw(Ticket(3)).into());
    assert_eq!(frames(&outs, stream), [(102, "Throng\\a b.mp3".into())]);
    probe.command(discovery::Command::Leave.into());
    assert_eq!(probe.take_events().last().unwrap().discovery(), Some(discovery::Event::Left));
}
