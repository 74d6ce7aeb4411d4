//! Frames: snapshots, pieces of them, and what is refused.

use super::material::{Material, material};
use super::*;
use proptest::prelude::*;

const HELLO: Hello = Hello {
    net_id: 0x0102_0304,
    source: 3,
    destination: 5,
    incarnation: 0x2122_2324,
    port: 0x1ae1,
    token: 0x3132_3334_3536_3738,
};

fn frame(frame: Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out).unwrap();
    out
}

#[test]
fn a_hello_carries_the_token_and_the_port_it_was_given_to() {
    let expected = hex("00000018 length
01 kind
c352 magic
01 version
01020304 net id
03 source
05 destination
21222324 incarnation
1ae1 port
3132333435363738 token");
    assert_eq!(frame(Frame::Hello(HELLO)), expected);
    assert!(expected.starts_with(&STREAM_START));
    assert_eq!(Frame::decode(&expected), Ok(Some((Frame::Hello(HELLO), expected.len()))));
}

#[test]
fn a_put_and_its_acknowledgement_share_a_number() {
    let record = Record::Immutable(b"abc");
    let held = Held { remaining: 60, record };
    let put = Frame::Put(FramePut { number: 9, flags: PutFlags::DURABLE, cas: None, held });
    let expected = "00000013 length\n03 kind\n00000009 number\n01 flags\n00 no cas\n0000003c remaining
00 kind of record\n00000003 bytes\n616263 value";
    assert_eq!(frame(put), hex(expected));
    let outcome = Outcome::Stored { copies: 3, of: 5, durable: true };
    let ack = FrameAck { number: 9, result: PutResult { outcome, count: 1, shard_bits: 0 }, stored: None };
    let expected =
        "0000000f length\n05 kind\n00000009 number\n00030501 stored\n00000001 count\n00 shards\n00 none";
    assert_eq!(frame(Frame::Ack(ack)), hex(expected));
}

#[test]
fn the_largest_value_fits_a_frame() {
    let value = vec![7; MAX_IMMUTABLE];
    let held = Held { remaining: 60, record: Record::Immutable(&value) };
    let copy = FrameCopy { number: 1, claim: ACTIVE, flags: PutFlags::LOCAL, held };
    for frame_of in [Frame::Record(held), Frame::Copy(copy)] {
        let bytes = frame(frame_of);
        assert_eq!(Frame::decode(&bytes), Ok(Some((frame_of, bytes.len()))));
        // All that does not fit a datagram fits a frame, and nothing larger than that is waited for.
        assert_eq!(Frame::decode(&bytes[..bytes.len() - 1]), Ok(None));
    }
    assert_eq!(Frame::decode(&(MAX_FRAME as u32 + 1).to_be_bytes()), Err(Error::TooLarge));
    assert_eq!(Frame::decode(&(MAX_FRAME as u32).to_be_bytes()), Ok(None));
}

#[test]
fn other_streams_and_frames_are_refused() {
    let change = |at: usize, to: u8| {
        let mut bytes = frame(Frame::Hello(HELLO));
        bytes[at] = to;
        Frame::decode(&bytes).map(drop)
    };
    assert_eq!(change(4, 0x0a), Err(Error::Kind(0x0a)));
    assert_eq!(change(5, 0), Err(Error::Magic));
    assert_eq!(change(7, 2), Err(Error::Version(2)));
    assert_eq!(change(12, 64), Err(Error::Vnode(64)));
    assert_eq!(Frame::decode(b"\x16\x03\x01\x02\0"), Err(Error::TooLarge), "TLS");
    assert_eq!(Frame::decode(b"GET / HTTP"), Err(Error::TooLarge));
    assert_eq!(Frame::decode(&[0; 4]), Err(Error::Truncated), "no kind");
    let no_port = Frame::Hello(Hello { port: 0, ..HELLO });
    let mut out = vec![1];
    assert_eq!((no_port.encode(&mut out), out), (Err(Error::Address), vec![1]));
    let mut bytes = frame(Frame::Hello(HELLO));
    bytes[18..20].fill(0);
    assert_eq!(Frame::decode(&bytes), Err(Error::Address));
}

fn frames(m: &Material, mut check: impl FnMut(Frame<'_>)) {
    let records = m.records(&m.provider(), &m.posting());
    check(Frame::Hello(HELLO));
    check(Frame::Ready(Ready { incarnation: 1, claim: m.claim(0) }));
    for (bytes, id) in &records {
        let held = Held { remaining: m.numbers[0] as u32, record: Record::decode(bytes).unwrap() };
        let cursor = Cursor { key: m.id(0), id: *id };
        check(Frame::Put(FramePut {
            number: 1,
            flags: PutFlags::DURABLE,
            cas: m.flag.then_some(m.numbers[1]),
            held,
        }));
        check(Frame::Copy(FrameCopy { number: 1, claim: m.claim(0), flags: PutFlags::LOCAL, held }));
        let result = PutResult { outcome: Outcome::NeedBody, count: 3, shard_bits: 1 };
        check(Frame::Ack(FrameAck { number: 1, result, stored: m.flag.then_some(held) }));
        check(Frame::Record(held));
        let ids = (std::slice::from_ref(id)).into();
        check(Frame::Pull(Pull { low: m.id(0), high: m.id(1), after: m.flag.then_some(cursor), ids }));
        check(Frame::End(End { records: 7, next: m.flag.then_some(cursor) }));
    }
    ByeReason::ALL.iter().for_each(|reason| check(Frame::Bye(Bye { reason: *reason })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_frame_is_itself_again_and_waits_while_it_is_cut(m in material()) {
        frames(&m, |sent| {
            let bytes = frame(sent);
            assert_eq!(Frame::decode(&bytes), Ok(Some((sent, bytes.len()))));
            // Whole or not: within a shorter frame nothing is read past its end.
            for len in 0..bytes.len() {
                assert_eq!(Frame::decode(&bytes[..len]), Ok(None));
                if len > 4 {
                    let mut short = bytes[..len].to_vec();
                    short[..4].copy_from_slice(&(len as u32 - 4).to_be_bytes());
                    assert!(Frame::decode(&short).is_err());
                }
            }
            let two = [&bytes[..], &bytes[..]].concat();
            assert_eq!(Frame::decode(&two), Ok(Some((sent, bytes.len()))));
        });
    }
}
