//! Limits of section 10: what is too much, too many and too slow.

use super::*;

#[test]
fn a_frame_of_2048_bytes_is_heard_and_one_of_2049_is_the_end() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    world.send(anna, 205, format!("ben {}", "m".repeat(2_044)));
    assert_eq!(world.seen(ben).len(), 1);
    // The header alone tells: nothing of the data is waited for.
    world.bytes(anna, &[0x01, 0x08, 0xcd, 0x00]);
    assert!(world.is_closed(anna));
    assert_eq!(world.violations(Violation::FrameTooLong), 1);
}

#[test]
fn twenty_thousand_files_are_enough_for_a_user_who_shares_a_million() {
    let mut world = World::new(Config { messages: Rate { a_minute: 60, burst: 2_000_000 }, ..config() });
    let anna = world.user("anna", 1);
    for number in 0..100_000 {
        let run = (0..10).map(|at| format!(" \"{number} {at}.mp3\" 0 5 128 44100 9")).collect::<String>();
        world.send(anna, 870, format!("\"C:\\d\"{run}"));
        if number % 1_000 == 999 {
            let seen = world.seen(anna);
            assert!(
                seen.iter().all(|seen| *seen == is(404, "You may only share 20000 files")),
                "{:?}",
                seen[0]
            );
        }
    }
    assert_eq!(world.probe.machine.gauges().files_here, 20_000);
}

#[test]
fn no_login_in_a_minute_is_the_end_even_a_byte_a_minute() {
    let mut world = World::new(config());
    let (silent, slow) = (world.connect([10, 0, 0, 1]), world.connect([10, 0, 0, 2]));
    world.bytes(slow, b"\x20");
    world.advance(Duration::from_secs(59));
    assert!(!world.is_closed(silent));
    world.advance(Duration::from_secs(1));
    assert!(world.is_closed(silent) && world.is_closed(slow));
    assert_eq!(world.violations(Violation::LoginTooSlow), 2);
    assert_eq!(world.probe.machine.poll_timeout(), None, "nothing is left to wait for");
}

#[test]
fn half_a_frame_is_waited_for_two_minutes_and_silence_for_ever() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    for byte in [0x20, 0, 200, 0] {
        world.bytes(anna, &[byte]);
        world.advance(Duration::from_secs(60));
    }
    assert!(world.is_closed(anna));
    world.advance(Duration::from_secs(86_400));
    assert!(!world.is_closed(ben));
    assert_eq!(world.violations(Violation::FrameTooSlow), 1);
}

#[test]
fn a_thousand_searches_a_second_get_forty_answers_and_a_minute_to_think() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    world.send(anna, 100, "\"C:\\zebra.mp3\" 0 5 128 44100 9");
    for _ in 0..1_000 {
        world.send(ben, 200, "FILENAME CONTAINS zebra");
    }
    let seen = world.seen(ben);
    assert_eq!(seen.iter().filter(|seen| seen.0 == 201).count(), 40);
    assert_eq!(seen.iter().filter(|seen| seen.0 == 202).count(), 1_000, "each ends all the same");
    let refusal = "search failed: Your client is thrashing the server, please wait a minute.";
    assert_eq!(seen.last().map(|last| last.0), Some(202));
    assert_eq!(seen[seen.len() - 2], is(404, refusal));
    world.advance(Duration::from_secs(10));
    world.seen(ben);
    for _ in 0..100 {
        world.send(ben, 200, "FILENAME CONTAINS zebra");
    }
    assert_eq!(world.seen(ben).iter().filter(|seen| seen.0 == 201).count(), 10, "one a second");
}

#[test]
fn a_search_of_one_letter_is_a_word_and_one_of_a_hundred_words_finds_nothing() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    let long: String = (0..29).map(|number| format!("w{number} ")).collect();
    world.send(anna, 100, format!("\"{long}x\" 0 5 128 44100 9"));
    assert_eq!(world.ask(ben, 200, "FILENAME CONTAINS x").len(), 2);
    assert_eq!(world.ask(ben, 200, format!("FILENAME CONTAINS \"{long} x\"")).len(), 2);
    let hundred: String = (0..100).map(|number| format!("w{} ", number % 29)).collect();
    let refusal = is(404, "search failed: request contained no valid words");
    assert_eq!(world.ask(ben, 200, format!("FILENAME CONTAINS \"{hundred}\"")), [refusal, is(202, "")]);
}

#[test]
fn a_search_has_its_cap_of_work() {
    let mut world = World::new(Config { search_work: 50, ..config() });
    let (anna, fire) = (world.user("anna", 1), world.user("gate", 0));
    world.send(anna, 703, "0");
    for number in 0..500 {
        world.send(anna, 100, format!("\"C:\\zebra {number}.mp3\" 0 5 128 44100 9"));
    }
    // None of them could be fetched, and that is found out only so far.
    assert_eq!(world.ask(fire, 200, "FILENAME CONTAINS zebra"), [is(202, "")]);
    assert_eq!(world.probe.machine.metrics().partial_searches, 1);
}

#[test]
fn lists_of_nicks_are_short() {
    let mut world = World::new(config());
    let anna = world.user("anna", 1);
    for number in 0..32 {
        assert_eq!(world.ask(anna, 207, format!("u{number}"))[0].0, 301);
        assert_eq!(world.ask(anna, 322, format!("u{number}"))[0].0, 322);
    }
    assert_eq!(world.ask(anna, 207, "more"), [is(302, "more")]);
    assert_eq!(world.ask(anna, 322, "more"), [is(404, "You may only ignore 32 users")]);
}

#[test]
fn connections_of_an_address_and_in_all_are_counted() {
    let mut world = World::new(Config { max_per_address: 2, max_connections: 3, ..config() });
    let first = world.connect([10, 0, 0, 1]);
    let (_, third) = (world.connect([10, 0, 0, 1]), world.connect([10, 0, 0, 1]));
    assert!(world.is_closed(third));
    assert_eq!(world.violations(Violation::TooManyFromAddress), 1);
    world.connect([10, 0, 0, 2]);
    let fourth = world.connect([10, 0, 0, 3]);
    assert!(world.is_closed(fourth), "the server is full");
    world.leave(first);
    let again = world.connect([10, 0, 0, 1]);
    assert!(!world.is_closed(again));
}

#[test]
fn guessing_passwords_and_registering_has_a_limit_an_address_and_a_minute() {
    let mut world = World::new(config());
    world.operator("dave", Level::User);
    let guess = |world: &mut World, from: [u8; 4], password: &str| {
        let stream = world.connect(from);
        world.ask(stream, 2, format!("dave {password} 1 \"c\" 5"))
    };
    for _ in 0..10 {
        assert_eq!(guess(&mut world, [10, 0, 0, 9], "x"), [is(0, "Invalid Password")]);
    }
    assert_eq!(guess(&mut world, [10, 0, 0, 9], "pw"), [is(0, "Connecting too fast")]);
    assert_eq!(guess(&mut world, [10, 0, 0, 8], "x"), [is(0, "Invalid Password")], "others may");
    world.advance(Duration::from_secs(60));
    assert_eq!(guess(&mut world, [10, 0, 0, 9], "x"), [is(0, "Invalid Password")]);
    for number in 0..9 {
        let stream = world.connect([10, 0, 0, 9]);
        assert_eq!(world.ask(stream, 6, format!("reg{number} p 1 \"c\" 5 e"))[0].0, 3);
    }
    let stream = world.connect([10, 0, 0, 9]);
    assert_eq!(world.ask(stream, 6, "reg10 p 1 \"c\" 5 e"), [is(0, "Connecting too fast")]);
}

#[test]
fn only_so_many_passwords_are_checked_at_once() {
    let mut world = World::new(Config { max_checks: 1, ..config() });
    world.operator("dave", Level::User);
    world.answers = false;
    let first = world.connect([10, 0, 0, 8]);
    world.send(first, 2, "dave x 1 \"c\" 5");
    let second = world.connect([10, 0, 0, 9]);
    assert_eq!(
        world.ask(second, 2, "dave x 1 \"c\" 5"),
        [is(0, "The server is busy, try again in a minute")]
    );
    world.leave(first);
    assert_eq!(world.probe.machine.gauges().checks, 0, "who leaves waits no more");
    let third = world.connect([10, 0, 0, 9]);
    assert_eq!(world.ask(third, 2, "dave x 1 \"c\" 5"), []);
}
