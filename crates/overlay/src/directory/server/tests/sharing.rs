//! Files offered, taken back, found and listed: each rule by name.

use super::*;

fn share(world: &mut World, who: StreamId, name: &str) -> Vec<Seen> {
    world.ask(who, 100, format!("\"{name}\" 0 5000 128 44100 10"))
}

fn names(seen: &[Seen]) -> Vec<&str> {
    let hits = seen.iter().filter(|(kind, _)| *kind == 201);
    let mut names: Vec<&str> = hits.map(|(_, text)| text.split('"').nth(1).unwrap()).collect();
    names.sort_unstable();
    names
}

fn find(world: &mut World, who: StreamId, query: &str) -> Vec<String> {
    let seen = world.ask(who, 200, query);
    assert_eq!(seen.last().unwrap(), &is(202, ""), "a search always ends");
    names(&seen).into_iter().map(str::to_owned).collect()
}

#[test]
fn names_that_cannot_be_expressed_are_refused() {
    let mut world = World::new(config());
    let anna = world.user("anna", 1);
    assert_eq!(share(&mut world, anna, "C:\\zebra.mp3"), []);
    assert_eq!(share(&mut world, anna, "c:\\ZEBRA.mp3"), [is(404, "duplicate file")]);
    assert_eq!(share(&mut world, anna, &"n".repeat(256)), []);
    assert_eq!(share(&mut world, anna, &"n".repeat(257)), [is(404, "filename too long")]);
    for name in ["C:\\a\"b.mp3", "a\"", "C:\\x\"y\"z"] {
        let refused = world.ask(anna, 100, format!("{name} 0 5000 128 44100 10"));
        assert_eq!(refused, [is(404, "invalid filename")], "{name}");
    }
    let broken = world.ask(anna, 100, "\"line\r\nend.mp3\" 0 5000 128 44100 10");
    assert_eq!(broken, [is(404, "invalid filename")]);
    assert_eq!(world.ask(anna, 100, "\"\" 0 5000 128 44100 10"), [is(404, "invalid filename")]);
    assert_eq!(world.ask(anna, 100, "\"five.mp3\" 0 5000 128 44100"), [is(404, "parameters are unparsable")]);
    assert_eq!(world.probe.machine.gauges().files_here, 2);
}

#[test]
fn sizes_of_nothing_and_of_more_than_four_gibibytes_are_what_they_are() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    for (name, size) in [("zero zebra", 0_u64), ("four zebra", 1 << 32), ("huge zebra", u64::MAX)] {
        assert_eq!(world.ask(anna, 100, format!("\"{name}\" 0 {size} 128 44100 10")), []);
    }
    let found = find(&mut world, ben, "FILENAME CONTAINS zebra SIZE \"AT LEAST\" 4294967296");
    assert_eq!(found, ["four zebra", "huge zebra"]);
    assert_eq!(find(&mut world, ben, "FILENAME CONTAINS zebra SIZE \"EQUAL TO\" 0"), ["zero zebra"]);
    // 870 takes no empty files.
    let run = "\"C:\\d\" \"no zebra\" 0 0 128 44100 10 \"one zebra\" 0 1 128 44100 10";
    assert_eq!(world.ask(anna, 870, run), [is(404, "invalid size")]);
    assert_eq!(find(&mut world, ben, "FILENAME CONTAINS one"), ["C:\\d\\one zebra"]);
    world.ask(anna, 110, "");
    assert_eq!(world.ask(ben, 214, ""), [is(214, "2 0 0")], "what was added is taken away");
}

#[test]
fn a_directory_is_joined_and_its_bad_files_are_told_one_by_one() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    let run = "\"C:\\d\" \"a zebra\" x 1 128 44100 10 \"a ZEBRA\" x 1 128 44100 10 \"half";
    assert_eq!(world.ask(anna, 870, run), [is(404, "Duplicate file"), is(404, "parameters are unparsable")]);
    let long = format!("\"{}\" \"b zebra\" x 1 128 44100 10", "d".repeat(254));
    assert_eq!(world.ask(anna, 870, long), [is(404, "filename too long")]);
    assert_eq!(find(&mut world, ben, "FILENAME CONTAINS zebra"), ["C:\\d\\a zebra"]);
}

#[test]
fn types_other_than_mp3_are_shared_and_found_by_their_type() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    for kind in ["audio", "video", "application", "image", "text"] {
        assert_eq!(world.ask(anna, 10_300, format!("\"{kind} zebra\" 5 0 {kind}")), []);
        assert_eq!(
            find(&mut world, ben, &format!("TYPE {kind} FILENAME CONTAINS zebra")),
            [format!("{kind} zebra")]
        );
    }
    assert_eq!(world.ask(anna, 10_300, "\"x\" 5 0 smell"), [is(404, "smell: invalid type")]);
    assert_eq!(find(&mut world, ben, "FILENAME CONTAINS zebra"), [""; 0]);
    assert_eq!(find(&mut world, ben, "FILENAME CONTAINS zebra TYPE any").len(), 5);
    let refused = world.ask(ben, 200, "FILENAME CONTAINS zebra TYPE smell");
    assert_eq!(refused, [is(404, "smell: invalid type for search"), is(202, "")]);
}

#[test]
fn every_clause_of_the_grammar_selects() {
    let mut world = World::new(config());
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    for (name, size, rates) in [("low zebra", 100, "64 22050 30"), ("high zebra", 900, "192 44100 300")] {
        world.send(anna, 100, format!("\"{name}\" 0 {size} {rates}"));
    }
    let both = ["high zebra", "low zebra"];
    for (clause, expected) in [
        ("BITRATE \"AT LEAST\" 128", &both[..1]),
        ("BITRATE \"AT BEST\" \"64\"", &both[1..]),
        ("BITRATE EQUAL TO 192", &both[..1]),
        ("FREQ AT LEAST 44100", &both[..1]),
        ("FREQ \"EQUAL TO\" 24000", &both[1..]),
        ("SIZE AT BEST 100", &both[1..]),
        ("DURATION AT LEAST 31", &both[..1]),
        ("LINESPEED \"EQUAL TO\" 5", &both[..]),
        ("LINESPEED \"AT LEAST\" 6", &both[..0]),
        ("FILENAME EXCLUDES low", &both[..1]),
        ("FILENAME CONTAINS -high", &both[1..]),
        ("LOCAL", &both[..]),
        ("LOCAL_ONLY", &both[..]),
        ("MAX_RESULTS 0", &both[..]),
        ("max_results 1000000", &both[..]),
    ] {
        assert_eq!(
            find(&mut world, ben, &format!("FILENAME CONTAINS \"zebra \" {clause}")),
            expected,
            "{clause}"
        );
    }
    assert_eq!(find(&mut world, ben, "MAX_RESULTS 1 FILENAME CONTAINS zebra").len(), 1);
    // A user's new speed is what counts.
    world.send(anna, 700, "9");
    assert_eq!(find(&mut world, ben, "FILENAME CONTAINS zebra LINESPEED \"AT LEAST\" 9"), both);
    for (query, reason) in [
        ("GARBAGE zebra", "invalid search request"),
        ("FILENAME CONTAINS", "invalid search request"),
        ("FILENAME CONTAINS zebra WMA-FILE", "invalid search request"),
        ("FILENAME CONTAINS zebra BITRATE ABOUT 5", "ABOUT: invalid comparison for search"),
        ("FILENAME CONTAINS zebra BITRATE \"AT LEAST\" five", "invalid search request"),
        ("FILENAME CONTAINS \"- .\"", "search failed: request contained no valid words"),
        ("", "search failed: request contained no valid words"),
    ] {
        assert_eq!(world.ask(ben, 200, query), [is(404, reason), is(202, "")], "{query}");
    }
}

#[test]
fn own_files_and_those_nobody_could_fetch_are_not_found() {
    let mut world = World::new(config());
    let (fire, gate, ben) = (world.user("fire", 0), world.user("gate", 0), world.user("ben", 1));
    share(&mut world, fire, "C:\\f\\okapi.mp3");
    assert_eq!(find(&mut world, ben, "FILENAME CONTAINS okapi"), ["C:\\f\\okapi.mp3"]);
    assert_eq!(find(&mut world, gate, "FILENAME CONTAINS okapi"), [""; 0]);
    assert_eq!(find(&mut world, fire, "FILENAME CONTAINS okapi"), [""; 0]);
    world.send(gate, 703, "6699");
    assert_eq!(find(&mut world, gate, "FILENAME CONTAINS okapi"), ["C:\\f\\okapi.mp3"]);
    world.leave(fire);
    assert_eq!(find(&mut world, ben, "FILENAME CONTAINS okapi"), [""; 0]);
    assert_eq!(world.probe.machine.gauges().words, 0);
}

#[test]
fn all_who_have_a_popular_file_have_their_turn() {
    let mut world = World::new(config());
    for number in 0..40 {
        let who = world.user(&format!("u{number}"), 1);
        share(&mut world, who, "C:\\hit single.mp3");
    }
    let ben = world.user("ben", 1);
    let mut owners = std::collections::BTreeSet::new();
    for _ in 0..30 {
        let seen = world.ask(ben, 200, "FILENAME CONTAINS single MAX_RESULTS 3");
        let hits: Vec<String> = seen
            .iter()
            .filter(|hit| hit.0 == 201)
            .map(|hit| hit.1.split(' ').nth(7).unwrap().into())
            .collect();
        assert_eq!(hits.len(), 3);
        owners.extend(hits);
    }
    assert!(owners.len() > 30, "{owners:?}");
}

#[test]
fn content_is_found_by_its_digits_and_size_alone() {
    let mut world = World::new(config());
    let (anna, fire) = (world.user("anna", 6_701), world.user("fire", 0));
    let (ben, gate) = (world.user("ben", 1), world.user("gate", 0));
    let md5 = "62837DA508c5b15b6465453833176ef4";
    let low = md5.to_ascii_lowercase();
    world.send(anna, 100, format!("\"a.mp3\" {md5}-129148 129148 128 44100 8"));
    world.send(anna, 100, format!("\"b.mp3\" {md5} 5 128 44100 8"));
    world.send(fire, 100, format!("\"c.mp3\" {md5} 129148 128 44100 8"));
    let a = is(216, &format!("anna 65546 6701 \"a.mp3\" {low} 129148 5"));
    let c = is(216, &format!("fire 16842762 0 \"c.mp3\" {low} 129148 5"));
    let end = is(217, "");
    assert_eq!(world.ask(ben, 215, format!("{low} 129148")), [a.clone(), c.clone(), end.clone()]);
    assert_eq!(world.ask(gate, 215, format!("{low} 129148")), [a.clone(), end.clone()]);
    assert_eq!(world.ask(anna, 215, format!("{low} 129148")), [c, end.clone()]);
    for nothing in ["00 5", "NOMD5COMPUTED 5", "00000000000000000000000000000000 5"] {
        assert_eq!(world.ask(ben, 215, nothing), std::slice::from_ref(&end));
    }
}

#[test]
fn a_list_has_its_limit_and_says_who_is_not_there() {
    let mut world = World::new(Config { max_browse: 3, ..config() });
    let (anna, ben) = (world.user("anna", 1), world.user("ben", 1));
    for number in 0..9 {
        share(&mut world, anna, &format!("C:\\{}\\{number} zebra.mp3", number / 2));
    }
    let list = world.ask(ben, 211, "ANNA");
    assert_eq!(list.len(), 4);
    assert_eq!(list[0].1, "anna \"C:\\0\\0 zebra.mp3\" 00000000000000000000000000000000 5000 128 44100 10");
    assert_eq!(list[3], is(213, "anna 65546"), "{list:?}");
    assert_eq!(world.ask(ben, 211, "anna 2").len(), 3);
    assert_eq!(world.ask(ben, 211, "zoe"), [is(210, "zoe"), is(213, "zoe")]);
    let grouped = world.ask(ben, 10_301, "anna");
    let kinds: Vec<u16> = grouped.iter().map(|seen| seen.0).collect();
    assert_eq!(kinds, [10_302, 10_302, 10_301], "by directory: {grouped:?}");
    assert_eq!(world.ask(ben, 102, "C:\\nothing.mp3"), [is(404, "Not sharing that file")]);
    assert_eq!(world.ask(anna, 102, "c:\\0\\0 ZEBRA.mp3"), []);
    assert_eq!(world.ask(anna, 110, ""), [is(110, "8")]);
    assert_eq!(world.ask(ben, 211, "anna"), [is(213, "anna 0")]);
}
