//! The ring: datagrams, records and frames of its stream.

use throng_wire::chord::{
    Datagram, Flags, Frame, Header, MAX_DATAGRAM, MAX_FRAME, Message, Nudge, Posting, Provider, Record,
    Signed, Subject,
};

/// First byte: what to read the rest as. What is understood has one encoding only: it becomes the same bytes again.
pub fn chord(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 4 {
        0 => datagram(rest),
        1 => payload(rest),
        2 => record(rest),
        _ => frames(rest),
    }
}

fn datagram(bytes: &[u8]) {
    let Ok(datagram) = Datagram::decode(bytes) else { return };
    assert!(bytes.len() <= MAX_DATAGRAM);
    let mut again = Vec::new();
    datagram.encode(&mut again).expect("what we read we write");
    assert_eq!(again, bytes, "{}", datagram.message.name());
    // Lists are walked: none ends early.
    assert_eq!(Datagram::decode(&again), Ok(datagram));
    match datagram.message {
        Message::Put(put) => put.records.iter().for_each(|held| kept(held.record)),
        Message::Got(got) => assert_eq!(got.records.iter().count(), got.records.len()),
        Message::Digest(digest) => {
            for node in digest.nodes {
                assert!(node.prefix.covers(node.prefix.first()) && node.prefix.covers(node.prefix.last()));
            }
        }
        _ => {}
    }
}

/// The first byte is the message's kind; magic and the rest of the header are right, so that the fuzzer need not find
/// them.
fn payload(bytes: &[u8]) {
    let Some((kind, payload)) = bytes.split_first() else { return };
    let header = Header {
        net_id: 1,
        txid: 2,
        source: 3,
        destination: 4,
        flags: Flags::LEAF,
        incarnation: 5,
        token: 6,
    };
    let mut whole = Vec::new();
    Datagram { header, message: Nudge {}.into() }.encode(&mut whole).expect("a header alone fits");
    whole[3] = *kind;
    whole.extend_from_slice(payload);
    datagram(&whole);
}

fn record(bytes: &[u8]) {
    let Ok(record) = Record::decode(bytes) else { return };
    let mut again = Vec::new();
    record.encode(&mut again).expect("what we read we write");
    assert_eq!(again, bytes);
    kept(record);
}

/// What a store does with a record.
fn kept(record: Record<'_>) {
    let _ = (record.ring_key(), record.order());
    let Record::Signed(signed) = record else { return };
    let tombstone = Record::Signed(Signed { value: None, ..signed });
    assert_eq!((tombstone.id(), tombstone.ring_key()), (record.id(), record.ring_key()));
    assert_eq!(
        signed.signed_bytes() == Signed { value: None, ..signed }.signed_bytes(),
        record.is_tombstone()
    );
    let Some(value) = signed.value else { return };
    let mut again = Vec::new();
    match signed.subject {
        Subject::Provider { .. } => {
            let provider = Provider::decode(value).expect("checked with the record");
            provider.encode(&mut again).expect("what we read we write");
        }
        Subject::Posting { .. } => {
            let posting = Posting::decode(value).expect("checked with the record");
            assert!(posting.tags().count() <= 12);
            posting.encode(&mut again).expect("what we read we write");
        }
        Subject::Mutable { .. } | Subject::Entry { .. } => return,
    }
    assert_eq!(again, value);
}

fn frames(mut stream: &[u8]) {
    while let Ok(Some((frame, taken))) = Frame::decode(stream) {
        assert!((5..=4 + MAX_FRAME).contains(&taken));
        let mut again = Vec::new();
        frame.encode(&mut again).expect("what we read we write");
        assert_eq!(again, stream[..taken]);
        assert_eq!(Frame::decode(&stream[..taken - 1]), Ok(None), "a frame that is not whole is waited for");
        stream = &stream[taken..];
    }
}
