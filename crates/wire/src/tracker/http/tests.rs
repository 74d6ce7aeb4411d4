//! Query strings and bodies as text, round trips, and bodies from strangers.

use proptest::prelude::*;

use super::*;
use crate::ids::{InfoHash, PeerId};
use crate::tracker::{AnnounceEvent, ScrapeEntry, encode_v4, encode_v6};

const HASH: InfoHash =
    InfoHash(*b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a");
/// The same as clients write it (example of the field's documentation).
const HASH_QUERY: &str = "%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A";

fn announce() -> AnnounceRequest<'static> {
    AnnounceRequest {
        left: 100,
        event: AnnounceEvent::Started,
        num_want: Some(50),
        key: Some(0xab),
        tracker_id: Some(b"t/1".as_slice().into()),
        ipv6: Some("2001:db8::1".parse().unwrap()),
        ..AnnounceRequest::new(HASH, PeerId(*b"-TH0100-abcdefghijkl"), 6881)
    }
}

fn query(request: &AnnounceRequest<'_>) -> String {
    let mut out = String::new();
    request.write_query(&mut out);
    out
}

#[test]
fn an_announce_is_written_as_trackers_expect_it() {
    let expected = format!(
        "info_hash={HASH_QUERY}&peer_id=-TH0100-abcdefghijkl&port=6881&uploaded=0&downloaded=0&left=100\
         &compact=1&no_peer_id=1&event=started&numwant=50&key=000000AB&ipv6=2001%3Adb8%3A%3A1&trackerid=t%2F1"
    );
    assert_eq!(query(&announce()), expected);
    assert_eq!(AnnounceRequest::parse(expected.as_bytes()), Ok(announce()));
}

#[test]
fn a_query_without_its_parts_is_refused_by_name() {
    let parse = |query: &str| AnnounceRequest::parse(query.as_bytes()).map(|_| ());
    let hash = format!("info_hash={HASH_QUERY}");
    let id = "peer_id=-TH0100-abcdefghijkl";
    assert_eq!(parse(""), Err(QueryError::Missing("info_hash")));
    assert_eq!(parse(&hash), Err(QueryError::Missing("peer_id")));
    assert_eq!(parse(&format!("{hash}&{id}")), Err(QueryError::Missing("port")));
    assert_eq!(parse(&format!("{hash}&{id}&port=0")), Err(QueryError::Invalid("port")));
    assert_eq!(parse(&format!("{hash}&{id}&port=65536")), Err(QueryError::Invalid("port")));
    assert_eq!(parse(&format!("{hash}&{id}&port=1&left=-5")), Err(QueryError::Invalid("left")));
    assert_eq!(parse(&format!("{hash}0&{id}&port=1")), Err(QueryError::Invalid("info_hash")));
    assert_eq!(parse(&format!("info_hash=%zz&{id}&port=1")), Err(QueryError::Invalid("info_hash")));
    assert_eq!(parse(&format!("&&=&{hash}&{id}&port=1&unknown&x=y=z")), Ok(()));
}

#[test]
fn numbers_saturate_and_wishes_that_make_no_sense_are_ignored() {
    let text = format!(
        "info_hash={HASH_QUERY}&peer_id=-TH0100-abcdefghijkl&port=1&left=99999999999999999999999&numwant=-1\
         &key=+1&event=paused&ipv4=10.0.0.1%3A80&ipv6=nonsense"
    );
    let request = AnnounceRequest::parse(text.as_bytes()).unwrap();
    assert_eq!((request.left, request.num_want, request.key), (u64::MAX, None, None));
    assert_eq!((request.event, request.ipv6), (AnnounceEvent::None, None));
    assert_eq!(request.ipv4, Some("10.0.0.1".parse().unwrap()));
}

#[test]
fn a_plus_is_a_space() {
    let text = format!("info_hash={}&peer_id={}&port=1", "+".repeat(20), "%2b".repeat(20));
    let request = AnnounceRequest::parse(text.as_bytes()).unwrap();
    assert_eq!((request.info_hash.0, request.peer_id.0), ([b' '; 20], [b'+'; 20]));
}

#[test]
fn urls_are_joined_and_turned_into_scrapes() {
    assert_eq!(announce_url("http://t/announce", "a=1"), "http://t/announce?a=1");
    assert_eq!(announce_url("http://t/announce?pass=x", "a=1"), "http://t/announce?pass=x&a=1");
    assert_eq!(announce_url("http://t/announce?#f", "a=1"), "http://t/announce?a=1");
    assert_eq!(scrape_url("http://t/x/announce.php?a=/b"), Some("http://t/x/scrape.php?a=/b".into()));
    assert_eq!(scrape_url("http://t/a"), None);
    assert_eq!(scrape_url("announce"), None);
    assert_eq!(split_target(b"/announce?a=1?2"), (&b"/announce"[..], &b"a=1?2"[..]));
    assert_eq!(split_target(b"/stats"), (&b"/stats"[..], &b""[..]));
}

#[test]
fn our_tracker_writes_the_canonical_compact_body() {
    let mut out = b"kept".to_vec();
    let body = AnnounceBody {
        complete: 1,
        incomplete: 2,
        interval: 1800,
        min_interval: 900,
        external_ip: Some("192.0.2.9".parse().unwrap()),
        peers: &encode_v4("65.66.67.68:17734".parse().unwrap()),
        peers6: &encode_v6("[2001:db8::1]:6881".parse().unwrap()),
    };
    body.encode(&mut out);
    let expected = [
        &b"keptd8:completei1e11:external ip4:\xc0\0\x02\x0910:incompletei2e8:intervali1800e"[..],
        &b"12:min intervali900e5:peers6:ABCDEF"[..],
        &b"6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1e"[..],
    ];
    assert_eq!(out, expected.concat());
    let Ok(AnnounceReply::Peers(reply)) = AnnounceReply::parse(&out[4..]) else { panic!("no peers") };
    assert_eq!(reply.peers, ["65.66.67.68:17734".parse().unwrap(), "[2001:db8::1]:6881".parse().unwrap()]);
    assert_eq!((reply.interval, reply.min_interval), (Some(1800), Some(900)));
    assert_eq!((reply.complete, reply.incomplete), (Some(1), Some(2)));
    assert_eq!(reply.external_ip, Some("192.0.2.9".parse().unwrap()));
}

#[test]
fn dictionary_peers_of_either_family_are_read_and_host_names_skipped() {
    let body = b"d8:intervali5e5:peersld2:ip9:127.0.0.14:porti1eed2:ip3:::14:porti2eed2:ip4:host4:porti3ee\
        d2:ip9:127.0.0.14:porti0eed2:ip9:127.0.0.14:porti65536eei7eee";
    let Ok(AnnounceReply::Peers(reply)) = AnnounceReply::parse(body) else { panic!("no peers") };
    assert_eq!(reply.peers, ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]);
}

#[test]
fn a_refusal_is_read_with_its_retry_and_without_control_characters() {
    let mut out = Vec::new();
    push_failure("not\x1b[2J allowed", Some(Retry::Never), &mut out);
    let failure = Failure { reason: "not [2J allowed".into(), retry: Some(Retry::Never) };
    assert_eq!(AnnounceReply::parse(&out), Ok(AnnounceReply::Failure(failure)));
    let failure = Failure { reason: "later".into(), retry: Some(Retry::Minutes(5)) };
    out.clear();
    push_failure("later", failure.retry, &mut out);
    assert_eq!(out, b"d14:failure reason5:later8:retry ini5ee");
    assert_eq!(ScrapeReply::parse(&out), Ok(ScrapeReply::Failure(failure.clone())));
    assert_eq!(
        AnnounceReply::parse(b"d14:failure reason5:later8:retry in1:5e"),
        Ok(AnnounceReply::Failure(failure))
    );
}

#[test]
fn bodies_that_are_no_replies_are_refused_by_name() {
    assert_eq!(AnnounceReply::parse(b"<html>moved</html>"), Err(ReplyError::NotBencode));
    assert_eq!(AnnounceReply::parse(b"le"), Err(ReplyError::NotReply));
    assert_eq!(AnnounceReply::parse(b"de"), Err(ReplyError::NotReply));
    assert_eq!(AnnounceReply::parse("l".repeat(100_000).as_bytes()), Err(ReplyError::NotBencode));
    let ten_million = [&b"d5:peers60000000:"[..], &vec![1; 60_000_000], b"e"].concat();
    assert_eq!(AnnounceReply::parse(&ten_million), Err(ReplyError::TooLarge));
    assert_eq!(ScrapeReply::parse(b"d5:filesi1ee"), Err(ReplyError::NotReply));
}

#[test]
fn of_too_many_peers_the_first_are_taken() {
    let peers = [1u8; 6 * 10_000];
    let listed = "d2:ip9:127.0.0.14:porti1ee".repeat(10_000);
    let compact = [b"d5:peers60000:", &peers[..], b"6:peers6l", listed.as_bytes(), b"ee"].concat();
    let Ok(AnnounceReply::Peers(reply)) = AnnounceReply::parse(&compact) else { panic!("no peers") };
    assert_eq!(reply.peers.len(), 2 * PEERS_MAX);
}

#[test]
fn scrapes_survive_a_round_trip_sorted_and_without_doubles() {
    let (low, high) = (InfoHash([1; 20]), InfoHash([2; 20]));
    let mut query = String::new();
    scrape_query(&[high, low, high], &mut query);
    let hashes: Vec<InfoHash> = scrape_hashes(query.as_bytes()).collect::<Result<_, _>>().unwrap();
    assert_eq!(hashes, [high, low, high]);
    let entry = ScrapeEntry { seeders: 1, completed: 2, leechers: 3 };
    let mut body = Vec::new();
    push_scrape(&mut hashes.iter().map(|hash| (*hash, entry)).collect(), &mut body);
    assert!(body.starts_with(b"d5:filesd20:\x01\x01"));
    let reply = ScrapeReply::Files(ScrapeResponse { files: vec![(low, entry), (high, entry)] });
    assert_eq!(ScrapeReply::parse(&body), Ok(reply));
    assert!(scrape_hashes(b"info_hash=short").any(|hash| hash.is_err()));
}

proptest! {
    #[test]
    fn every_announce_survives_a_round_trip(
        hash: [u8; 20], id: [u8; 20], port in 1u16.., counts: [u64; 3], event in 0u32..4,
        num_want: Option<u32>, key: Option<u32>, tracker_id: Option<Vec<u8>>, ipv4: Option<[u8; 4]>,
    ) {
        let request = AnnounceRequest {
            uploaded: counts[0], downloaded: counts[1], left: counts[2],
            event: AnnounceEvent::from_number(event), num_want, key,
            tracker_id: tracker_id.map(Into::into), ipv4: ipv4.map(Into::into),
            ..AnnounceRequest::new(InfoHash(hash), PeerId(id), port)
        };
        let text = query(&request);
        prop_assert_eq!(AnnounceRequest::parse(text.as_bytes()), Ok(request));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = AnnounceRequest::parse(&bytes);
        scrape_hashes(&bytes).for_each(drop);
        let _ = AnnounceReply::parse(&bytes);
        let _ = ScrapeReply::parse(&[b"d5:files", &bytes[..], b"e"].concat());
    }
}
