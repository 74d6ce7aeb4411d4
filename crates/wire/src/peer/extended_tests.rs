//! The extension handshake as bytes, its tolerance and its limits.

use proptest::prelude::*;

use super::*;

fn encoded(handshake: &ExtendedHandshake<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    handshake.encode(&mut out);
    out
}

#[test]
fn a_handshake_is_a_sorted_dictionary() {
    let handshake = ExtendedHandshake {
        ids: ExtensionIds::default().with(Extension::Metadata, 2).with(Extension::Pex, 1),
        client: Some(b"Throng 0.1"),
        request_queue: Some(250),
        port: Some(6881),
        your_ip: Some(Ipv4Addr::new(97, 98, 99, 100).into()),
        ipv4: Some(Ipv4Addr::new(98, 98, 98, 98)),
        ipv6: Some(Ipv6Addr::from([b'c'; 16])),
        metadata_size: Some(31235),
        upload_only: Some(true),
        complete_ago: Some(5),
    };
    let expected = b"d12:complete_agoi5e4:ipv44:bbbb4:ipv616:cccccccccccccccc\
        1:md11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei31235e1:pi6881e4:reqqi250e\
        11:upload_onlyi1e1:v10:Throng 0.16:yourip4:abcde";
    assert_eq!(encoded(&handshake), expected);
    assert_eq!(ExtendedHandshake::decode(expected), Ok(handshake));
}

#[test]
fn the_example_of_bep_10_is_read() {
    let handshake =
        ExtendedHandshake::decode(b"d1:md11:LT_metadatai1e6:ut_pexi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e")
            .unwrap();
    assert_eq!(handshake.ids, ExtensionIds::default().with(Extension::Pex, 2));
    assert_eq!((handshake.port, handshake.client), (Some(6881), Some("µTorrent 1.2".as_bytes())));
}

#[test]
fn an_empty_dictionary_says_nothing_and_trailing_bytes_are_ignored() {
    assert_eq!(ExtendedHandshake::decode(b"de"), Ok(ExtendedHandshake::default()));
    assert_eq!(ExtendedHandshake::decode(b"deXX"), Ok(ExtendedHandshake::default()));
}

#[test]
fn fields_of_the_wrong_type_or_range_count_as_missing() {
    for payload in [
        &b"d1:mi5ee"[..],
        b"d1:md6:ut_pex1:1ee",
        b"d1:md6:ut_pexi256ee1:pi0ee",
        b"d1:md6:ut_pexi-1ee1:pi65536ee",
        b"d4:ipv43:abce",
        b"d4:ipv64:abcde",
        b"d13:metadata_sizei0ee",
        b"d13:metadata_sizei31457281ee",
        b"d13:metadata_sizei-5ee",
        b"d4:reqqi0ee",
        b"d11:upload_only1:1e",
        b"d1:vi5ee",
        b"d6:yourip5:abcdee",
        b"d12:complete_agoi-1ee",
    ] {
        let text = String::from_utf8_lossy(payload);
        assert_eq!(ExtendedHandshake::decode(payload), Ok(ExtendedHandshake::default()), "{text}");
    }
}

#[test]
fn numbers_too_large_to_mean_anything_saturate() {
    let handshake = ExtendedHandshake::decode(b"d12:complete_agoi99999999999e4:reqqi99999999999ee").unwrap();
    assert_eq!(handshake.request_queue, Some(u32::MAX));
    assert_eq!(handshake.complete_ago, Some(u32::MAX));
}

#[test]
fn a_long_client_name_is_cut() {
    let mut payload = b"d1:v5000:".to_vec();
    payload.extend([b'a'; 5000]);
    payload.push(b'e');
    assert_eq!(ExtendedHandshake::decode(&payload).unwrap().client.unwrap().len(), MAX_CLIENT);
}

#[test]
fn what_is_no_dictionary_or_over_the_limits_is_refused() {
    let many = [&b"d1:al"[..], &b"i0e".repeat(DICTIONARY.tokens), b"ee"].concat();
    let deep = [&b"d1:a"[..], &b"l".repeat(100_000), &b"e".repeat(100_000), b"e"].concat();
    let mut huge = b"de".to_vec();
    huge.resize(DICTIONARY.bytes + 1, 0);
    for payload in [&b""[..], b"le", b"i1e", b"d", b"d1:v", &many, &deep, &huge] {
        assert_eq!(ExtendedHandshake::decode(payload), Err(PeerWireError::BadDictionary));
    }
}

#[test]
fn a_later_handshake_adds_and_switches_off() {
    let mut ids = ExtensionIds::default().with(Extension::Metadata, 2).with(Extension::Pex, 1);
    ids.update(&ExtensionIds::default().with(Extension::Pex, 0).with(Extension::DontHave, 7));
    assert_eq!(ids.id(Extension::Metadata), Some(2));
    assert_eq!(ids.id(Extension::Pex), None);
    assert_eq!(ids.id(Extension::DontHave), Some(7));
    assert_eq!(ids.id(Extension::Holepunch), None);
    assert_eq!(ids.extension(7), Some(Extension::DontHave));
    assert_eq!(ids.extension(0), None);
}

proptest! {
    #[test]
    fn handshakes_round_trip(
        ids: [Option<u8>; Extension::ALL.len()],
        client in prop::option::of(prop::collection::vec(any::<u8>(), 0..=MAX_CLIENT)),
        request_queue in prop::option::of(1..=u32::MAX),
        port in prop::option::of(1..=u16::MAX),
        addresses: (Option<IpAddr>, Option<Ipv4Addr>, Option<Ipv6Addr>),
        metadata_size in prop::option::of(1..=MAX_METADATA),
        upload_only: Option<bool>,
        complete_ago: Option<u32>,
    ) {
        let (your_ip, ipv4, ipv6) = addresses;
        let client = client.as_deref();
        let handshake = ExtendedHandshake {
            ids: ExtensionIds(ids), client, request_queue, port, your_ip, ipv4, ipv6, metadata_size, upload_only,
            complete_ago,
        };
        let payload = encoded(&handshake);
        prop_assert_eq!(ExtendedHandshake::decode(&payload), Ok(handshake));
    }

    #[test]
    fn any_bytes_are_read_without_panic(payload: Vec<u8>) {
        let _ = ExtendedHandshake::decode(&payload);
    }
}
