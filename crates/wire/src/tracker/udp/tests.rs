//! Codecs as hex with a legend, round trips, and bytes from strangers.

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::ids::{InfoHash, PeerId};
use crate::tracker::{AnnounceEvent, ScrapeEntry};

fn unhex(lines: &[&str]) -> Vec<u8> {
    let digits: String = lines.concat().split_whitespace().collect();
    HEXLOWER.decode(digits.as_bytes()).unwrap()
}

fn announce(options: &[u8]) -> AnnounceRequest<'_> {
    AnnounceRequest {
        connection_id: 0x1122_3344_5566_7788,
        transaction_id: 0xa1b2_c3d4,
        info_hash: InfoHash([0xaa; 20]),
        peer_id: PeerId(*b"-TH0100-abcdefghijkl"),
        downloaded: 1,
        left: 2,
        uploaded: 3,
        event: AnnounceEvent::Started,
        ip: 0,
        key: 0xdead_beef,
        num_want: None,
        port: 6881,
        options: Options(options),
    }
}

#[test]
fn connect_has_the_documented_bytes_in_both_directions() {
    let request = unhex(&[
        "0000041727101980", // protocol id
        "00000000",         // action: connect
        "a1b2c3d4",         // transaction id
    ]);
    let message = ConnectRequest { transaction_id: 0xa1b2_c3d4 };
    assert_eq!(message.encode()[..], request);
    assert_eq!(Request::parse(&request), Ok(Request::Connect(message)));
    let response = unhex(&[
        "00000000",         // action: connect
        "a1b2c3d4",         // transaction id
        "1122334455667788", // connection id
    ]);
    let message = ConnectResponse { transaction_id: 0xa1b2_c3d4, connection_id: 0x1122_3344_5566_7788 };
    assert_eq!(message.encode()[..], response);
    assert_eq!(Response::parse(&response), Ok(Response::Connect(message)));
}

#[test]
fn an_announce_has_the_documented_bytes() {
    let request = unhex(&[
        "1122334455667788",                         // connection id
        "00000001",                                 // action: announce
        "a1b2c3d4",                                 // transaction id
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", // info-hash
        "2d5448303130302d6162636465666768696a6b6c", // peer id
        "0000000000000001",                         // downloaded
        "0000000000000002",                         // left
        "0000000000000003",                         // uploaded
        "00000002",                                 // event: started
        "00000000",                                 // ip: that of the packet
        "deadbeef",                                 // key
        "ffffffff",                                 // peers wanted: as the tracker likes
        "1ae1",                                     // port
        "02 07 2f616e6e3f613d",                     // option: URLData "/ann?a="
        "01",                                       // option: padding
        "02 01 31",                                 // option: URLData "1"
        "00",                                       // end of options
    ]);
    let message = announce(&request[ANNOUNCE_LEN..]);
    assert_eq!(Request::parse(&request), Ok(Request::Announce(message)));
    let mut out = Vec::new();
    message.encode(&mut out);
    assert_eq!(out, request);
    assert_eq!(message.options.url_data().collect::<Vec<_>>().concat(), b"/ann?a=1");
}

#[test]
fn an_announce_response_carries_peers_of_the_sockets_family() {
    let response = unhex(&[
        "00000001",     // action: announce
        "a1b2c3d4",     // transaction id
        "00000708",     // interval: 1800 s
        "00000002",     // leechers
        "00000001",     // seeders
        "c00002011ae1", // 192.0.2.1:6881
        "c63364070001", // 198.51.100.7:1
    ]);
    let Ok(Response::Announce(message)) = Response::parse(&response) else { panic!("not an announce") };
    assert_eq!((message.header.interval, message.header.leechers, message.header.seeders), (1800, 2, 1));
    let peers: Vec<String> = message.peers_v4().map(|peer| peer.to_string()).collect();
    assert_eq!(peers, ["192.0.2.1:6881", "198.51.100.7:1"]);
    assert_eq!(message.peers_v6().count(), 0);
    assert_eq!([&message.header.encode()[..], message.peers].concat(), response);
}

#[test]
fn scrape_and_error_have_the_documented_bytes() {
    let request = unhex(&["1122334455667788", "00000002", "a1b2c3d4", &"aa".repeat(20), &"bb".repeat(20)]);
    let message = ScrapeRequest {
        connection_id: 0x1122_3344_5566_7788,
        transaction_id: 0xa1b2_c3d4,
        info_hashes: &[[0xaa; 20], [0xbb; 20]],
    };
    assert_eq!(Request::parse(&request), Ok(Request::Scrape(message)));
    let (mut encoded, mut out) = (Vec::new(), Vec::new());
    message.encode(&mut encoded);
    assert_eq!(encoded, request);
    let entry = ScrapeEntry { seeders: 1, completed: 2, leechers: 3 };
    push_scrape_header(7, &mut out);
    push_scrape_entry(entry, &mut out);
    assert_eq!(out, unhex(&["00000002", "00000007", "00000001 00000002 00000003"]));
    let Ok(Response::Scrape(message)) = Response::parse(&out) else { panic!("not a scrape") };
    assert_eq!(message.iter().collect::<Vec<_>>(), [entry]);
    out.clear();
    push_error(7, "no", &mut out);
    assert_eq!(out, unhex(&["00000003", "00000007", "6e6f"]));
    assert_eq!(Response::parse(&out), Ok(Response::Error { transaction_id: 7, message: b"no" }));
}

#[test]
fn malformed_requests_are_refused_by_name() {
    let connect = ConnectRequest { transaction_id: 1 }.encode();
    assert_eq!(Request::parse(&connect[..15]), Err(RequestError::Short));
    assert_eq!(Request::parse(&[0; 16]), Err(RequestError::NotProtocol));
    let mut unknown = connect;
    unknown[11] = 9;
    assert_eq!(Request::parse(&unknown), Err(RequestError::UnknownAction));
    let mut long = Vec::new();
    announce(&[]).encode(&mut long);
    assert_eq!(Request::parse(&long[..97]), Err(RequestError::Short));
    let mut scrape = [0; 16 + 19];
    scrape[11] = 2;
    assert_eq!(Request::parse(&scrape), Err(RequestError::NoHashes));
    assert_eq!(Request::parse(&scrape[..16]), Err(RequestError::NoHashes));
}

#[test]
fn a_scrape_of_too_many_swarms_is_cut_to_what_a_packet_holds() {
    let mut request = vec![0; 16 + 20 * 200];
    request[11] = 2;
    let Ok(Request::Scrape(scrape)) = Request::parse(&request) else { panic!("not a scrape") };
    assert_eq!(scrape.info_hashes.len(), SCRAPE_MAX);
}

#[test]
fn a_negative_number_of_wanted_peers_leaves_it_to_the_tracker() {
    let mut request = Vec::new();
    AnnounceRequest { num_want: Some(50), ..announce(&[]) }.encode(&mut request);
    let num_want = |request: &[u8]| match Request::parse(request) {
        Ok(Request::Announce(announce)) => announce.num_want,
        other => panic!("{other:?}"),
    };
    assert_eq!(num_want(&request), Some(50));
    request[92..96].copy_from_slice(&(-7i32).to_be_bytes());
    assert_eq!(num_want(&request), None);
}

#[test]
fn long_url_data_is_split_and_joined_and_too_long_is_refused() {
    let path = format!("/announce?key={}", "k".repeat(600));
    let mut options = Vec::new();
    assert!(push_url_data(&path, &mut options));
    let pieces: Vec<&[u8]> = Options(&options).url_data().collect();
    assert_eq!(pieces.len(), 3);
    assert_eq!(pieces.concat(), path.as_bytes());
    options.clear();
    assert!(!push_url_data(&"k".repeat(OPTIONS_MAX), &mut options));
    assert!(options.is_empty());
}

#[test]
fn a_cut_option_ends_the_options() {
    assert_eq!(Options(&[2, 5, b'a']).count(), 0);
    assert_eq!(Options(&[9]).count(), 0);
    assert_eq!(Options(&[1, 1, 9, 0, 2, 1, b'a', 0, 2, 1, b'b']).count(), 2);
}

proptest! {
    #[test]
    fn every_announce_survives_a_round_trip(
        connection_id: u64, transaction_id: u32, hash: [u8; 20], id: [u8; 20], counts: [u64; 3],
        event in 0u32..4, ip: u32, key: u32, want in proptest::option::of(0u32..=0x7fff_ffff), port: u16,
    ) {
        let message = AnnounceRequest {
            connection_id, transaction_id, info_hash: InfoHash(hash), peer_id: PeerId(id),
            downloaded: counts[0], left: counts[1], uploaded: counts[2],
            event: AnnounceEvent::from_number(event), ip, key, num_want: want, port, options: Options(&[]),
        };
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        prop_assert_eq!(Request::parse(&bytes), Ok(Request::Announce(message)));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), action in 0u8..5) {
        if let Some(byte) = bytes.get_mut(11) { *byte = action; }
        if let Ok(Request::Announce(announce)) = Request::parse(&bytes) {
            announce.options.for_each(drop);
        }
        if bytes.len() >= 4 { bytes[..4].copy_from_slice(&[0, 0, 0, action]); }
        match Response::parse(&bytes) {
            Ok(Response::Announce(response)) => _ = (response.peers_v4().count(), response.peers_v6().count()),
            Ok(Response::Scrape(response)) => _ = response.iter().count(),
            _ => {}
        }
    }
}
