//! Bytes with a legend, round trips, and what is refused.

use super::*;
use crate::fasttrack::{
    Comparison, Hits, NodeList, PushRequest, Query as FastQuery, Realm, TagKind, Term, Terms,
};
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use std::net::{Ipv4Addr, SocketAddrV4};

fn at(last: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 1214)
}

fn hex(message: &Message<'_>) -> String {
    let mut out = Vec::new();
    assert!(message.put(&mut out));
    let (frame, length) = Frame::split(&out).expect("whole");
    assert_eq!(length, out.len());
    assert_eq!(Message::parse(frame).as_ref(), Ok(message));
    HEXLOWER.encode(&out)
}

#[test]
fn a_preamble_is_thirty_eight_bytes_and_read_as_written() {
    let preamble = Preamble {
        purpose: Purpose::Probe,
        port: 1214,
        instance: 0x0102_0304_0506_0708,
        nonce: 9,
        sees: Ipv4Addr::new(10, 0, 0, 7),
        standing: Standing { members: 100, slots: 150, links: 40, minutes: 60 },
    };
    let mut out = Vec::new();
    preamble.put(&mut out);
    // Magic, version, purpose, port; instance; nonce; what it sees; members, slots, links, minutes.
    assert_eq!(
        HEXLOWER.encode(&out),
        "b754534e0101\
         04be0102030405060708\
         0000000000000009\
         0a000007\
         0064009600280000003c"
            .replace(' ', "")
    );
    assert_eq!(out.len(), Preamble::LEN);
    assert_eq!(Preamble::parse(&out), Ok(preamble));
    for (place, value) in [(0, 0), (4, 2), (5, 3)] {
        let mut bad = out.clone();
        bad[place] = value;
        assert_eq!(Preamble::parse(&bad), Err(Error::Value), "byte {place}");
    }
    assert_eq!(Preamble::parse(&out[..Preamble::LEN - 1]), Err(Error::Truncated));
}

#[test]
fn messages_look_as_documented() {
    assert_eq!(
        hex(&Message::Standing(Standing { members: 1, slots: 2, links: 3, minutes: 4 })),
        "01000a00010002000300000004"
    );
    assert_eq!(hex(&Message::Known(NodeList(&[10, 0, 0, 1, 4, 0xbe, 0, 20]))), "0200080a00000104be0014");
    assert_eq!(hex(&Message::AskKnown), "030000");
    let mut into = Vec::new();
    let sketch = Sketch::write([Mark { number: 5, age: 6 }].into_iter(), &mut into);
    assert_eq!(hex(&Message::Sketch(sketch)), "04000a00000000000000050006");
    let part = DigestPart { log2: 10, at: 126, bytes: &[1, 2] };
    assert_eq!(hex(&Message::Digest(part)), "0500040a7e0102");
    let mut places = Vec::new();
    Toggles::put([3, 4, 300].into_iter(), &mut places);
    assert_eq!(hex(&Message::Toggles(Toggles::parse(&places))), "06000403008227");
    assert_eq!(hex(&Message::Bye(2)), "0a000102");
}

#[test]
fn queries_and_replies_carry_fasttracks_terms_and_hits() {
    let mut into = Vec::new();
    let term = Term { comparison: Comparison::Contains, field: TagKind::ANY, data: b"zebra" };
    let terms = FastQuery::write_terms(&[term], &mut into);
    let query =
        Query { guid: [7; 16], ttl: 2, hops: 1, fanout: 3, wanted: 32, realm: Realm::EVERYTHING, terms };
    // Guid, ttl, hops, fan-out, wanted, realm, one term.
    assert_eq!(
        hex(&Message::Query(query)),
        "07001f0707070707070707070707070707070702010300203f010500057a65627261"
    );
    let reply = Reply { guid: [7; 16], supernode: at(9), hits: Hits::written(1, b"anything") };
    assert_eq!(
        hex(&Message::Reply(reply)),
        "080020070707070707070707070707070707070a00000904be0001616e797468696e67"
    );
    let push = PushRequest { id: 1, from: at(1), target: at(2), supernode: at(3), user: b"bob" };
    assert_eq!(hex(&Message::Push(push)).len(), 2 * (3 + 4 + 18 + 3));
}

#[test]
fn lists_digests_and_places_beyond_their_limits_are_refused() {
    let parse = |kind, body: &[u8]| Message::parse(Frame { kind, body }).map(|_| ());
    assert_eq!(parse(2, &[0; (MAX_KNOWN + 1) * 8]), Err(Error::Length));
    assert_eq!(parse(4, &[0; (MAX_SKETCH + 1) * 10]), Err(Error::Length));
    assert_eq!(parse(5, &[9, 0]), Err(Error::Value), "a digest too small");
    assert_eq!(parse(5, &[22, 0]), Err(Error::Value), "a digest too large");
    assert_eq!(parse(5, &[10, 0x81, 0x00, 1]), Err(Error::Length), "a byte behind its end");
    assert_eq!(parse(7, &[0; 20]), Err(Error::Truncated));
    assert_eq!(parse(7, &[[0; 22].as_slice(), &[33]].concat()), Err(Error::Length), "too many terms");
    assert_eq!(parse(0x7f, &[]), Ok(()), "later kinds are passed over");
    let places: Vec<_> = Toggles::parse(&[0xff, 0xff, 0x7f, 1]).iter().collect();
    let last = (1 << MAX_DIGEST_LOG2) - 1;
    assert_eq!(places, [Ok(last), Err(Error::Value)], "a place behind the largest digest ends them");
}

#[test]
fn a_body_too_long_is_not_written() {
    let mut out = vec![1];
    assert!(!Frame::put(8, &mut out, |out| out.resize(MAX_BODY + 5, 0)));
    assert_eq!(out, [1]);
    assert_eq!(Frame::split(&[8, 0xff, 0xff, 0]), None, "more must come");
}

proptest! {
    #[test]
    fn toggles_survive(mut places in prop::collection::vec(0u32..1 << MAX_DIGEST_LOG2, 0..200)) {
        places.sort_unstable();
        places.dedup();
        let mut out = Vec::new();
        Toggles::put(places.iter().copied(), &mut out);
        let read: Result<Vec<u32>, Error> = Toggles::parse(&out).iter().collect();
        prop_assert_eq!(read, Ok(places));
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_what_is_read_is_written_again(kind: u8, body: Vec<u8>) {
        if let Ok(message) = Message::parse(Frame { kind, body: &body }) {
            let mut out = Vec::new();
            prop_assert!(message.put(&mut out));
            let (frame, _) = Frame::split(&out).expect("whole");
            let again = Message::parse(frame);
            prop_assert!(again.is_ok());
        }
    }

    #[test]
    fn terms_are_taken_and_put(bytes: Vec<u8>) {
        let mut rest = &bytes[..];
        if let Ok(terms) = Terms::take(&mut rest) {
            let mut out = Vec::new();
            terms.put(&mut out);
            prop_assert_eq!(&out[..], &bytes[..bytes.len() - rest.len()]);
        }
    }
}
