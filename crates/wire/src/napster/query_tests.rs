//! The search grammar: what TekNap sends, what both servers accept and refuse, and the round trip.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Query<'_> {
    Query::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn notice(text: &str) -> String {
    let mut out = Vec::new();
    Query::parse(text.as_bytes()).unwrap_err().write_notice(&mut out);
    String::from_utf8(out).unwrap()
}

fn terms(query: &Query<'_>) -> Vec<String> {
    let shown =
        |term: Term<'_>| format!("{}{}", if term.excluded { "-" } else { "" }, term.word.escape_ascii());
    query.terms().map(shown).collect()
}

#[test]
fn the_searches_of_teknap_are_read() {
    let query = parse("FILENAME CONTAINS \"zebra\" MAX_RESULTS 100 ");
    assert_eq!(
        (terms(&query), query.limit(), query.kind),
        (vec!["zebra".into()], 100, KindFilter::default())
    );
    let query = parse("FILENAME CONTAINS \"zebra\" MAX_RESULTS 100  BITRATE \"AT LEAST\" \"128\"");
    assert_eq!(query.bitrate, Bounds::at_least(128));
    let query = parse("FILENAME CONTAINS \"zebra\" MAX_RESULTS 5  FREQ \"AT LEAST\" \"44100\"");
    assert_eq!((query.frequency, query.limit()), (Bounds::at_least(44_100), 5));
    let query = parse("FILENAME CONTAINS \"a\" MAX_RESULTS 100 FILENAME EXCLUDES \"foo \" ");
    assert_eq!(terms(&query), ["a", "-foo"]);
    let query = parse("TYPE video FILENAME CONTAINS \"zebra\" MAX_RESULTS 5 ");
    assert_eq!(query.kind, KindFilter::Only(FileKind::Video));
    assert!(parse("FILENAME CONTAINS \"zebra\" MAX_RESULTS 5 LOCAL_ONLY ").local_only);
    assert_eq!(parse("LINESPEED \"AT BEST\" 5").line_speed, Bounds::at_best(5));
}

#[test]
fn clauses_come_in_any_order_and_case_quoted_or_bare() {
    let query = parse(
        "max_results \"7\" filename contains two FileName Contains \"one -three\" bitrate equal to 128",
    );
    assert_eq!(terms(&query), ["two", "one", "-three"]);
    assert_eq!((query.limit(), query.bitrate), (7, Bounds::exactly(128)));
    let query = parse(
        "SIZE \"AT LEAST\" 5000000000 SIZE \"AT BEST\" 6000000000 DURATION AT LEAST 60 LOCAL TYPE any WMA-FILE",
    );
    assert_eq!(query.size, Bounds { least: Some(5_000_000_000), best: Some(6_000_000_000) });
    assert!(
        query.size.allow(5_500_000_000)
            && !query.size.allow(4_999_999_999)
            && !query.size.allow(6_000_000_001)
    );
    assert!(query.local_only && query.wma_only && query.kind == KindFilter::Any);
}

#[test]
fn the_number_of_results_is_between_1_and_100() {
    for (text, limit) in [("", 100), ("MAX_RESULTS 0", 100), ("MAX_RESULTS 1", 1), ("MAX_RESULTS 4000", 100)]
    {
        assert_eq!(parse(text).limit(), limit, "{text}");
    }
}

#[test]
fn refusals_have_the_texts_of_the_servers() {
    for text in [
        "zebra",
        "FILENAME",
        "FILENAME CONTAINS",
        "FILENAME IS x",
        "MAX_RESULTS",
        "MAX_RESULTS x",
        "BITRATE",
        "TYPE",
    ] {
        assert_eq!(notice(text), "invalid search request", "{text}");
    }
    assert_eq!(notice("TYPE movie"), "movie: invalid type for search");
    assert_eq!(notice("BITRATE ABOVE 3"), "ABOVE: invalid comparison for search");
    assert_eq!(notice("BITRATE \"AT LEAST\""), "invalid search request");
    let mut out = Vec::new();
    QueryError::NoWords.write_notice(&mut out);
    assert_eq!(out, b"search failed: request contained no valid words");
}

#[test]
fn texts_are_trimmed_as_a_takes_their_end_for_an_empty_word() {
    let query = Query { contains: vec![b" caf  "], max_results: Some(100), ..Query::default() };
    let mut out = Vec::new();
    query.write(&mut out).unwrap();
    assert_eq!(out, b"FILENAME CONTAINS \"caf\" MAX_RESULTS 100");
    let query = Query { contains: vec![b"a\"b"], ..Query::default() };
    assert_eq!((query.write(&mut out), out.len()), (Err(NapsterError::Unwritable), 39));
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (any::<Option<u32>>(), any::<Option<u32>>())
        .prop_map(|(least, best)| Bounds { least: least.map(u64::from), best: best.map(u64::from) })
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-z0-9'é]([a-z -]{0,10}[a-z])?", 0..4)
}

proptest! {
    #[test]
    fn queries_round_trip(contains in texts(), excludes in texts(), max: Option<u32>, kind in 0usize..7, numbers in [bounds(), bounds(), bounds(), bounds(), bounds()], local: bool, wma: bool) {
        let [bitrate, frequency, line_speed, size, duration] = numbers;
        let query = Query {
            contains: contains.iter().map(|text| text.as_bytes()).collect(),
            excludes: excludes.iter().map(|text| text.as_bytes()).collect(),
            max_results: max,
            kind: FileKind::WORDS.get(kind).map_or(KindFilter::Any, |(kind, _)| KindFilter::Only(*kind)),
            bitrate, frequency, line_speed, size, duration,
            local_only: local,
            wma_only: wma,
        };
        let mut out = Vec::new();
        query.write(&mut out).unwrap();
        prop_assert_eq!(Query::parse(&out), Ok(query));
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(query) = Query::parse(&text) {
            _ = query.terms().count();
        }
    }
}
