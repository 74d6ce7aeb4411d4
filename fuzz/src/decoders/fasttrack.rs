//! The codecs of ordinary nodes and supernodes: messages of both, framing in any splits, links between supernodes.

use crate::input::Input;
use throng_wire::fasttrack::{
    Cipher, Frame, Framing, FtHasher, KzHasher, Message, PushOrder, PushRequest, Tags,
};
use throng_wire::supernode;

/// The first byte says what the rest is.
pub fn fasttrack(data: &[u8]) {
    let mut input = Input(data);
    match input.below(4) {
        0 => message(u16::from(input.byte()), input.0),
        1 => stream(input.u32(), input.0),
        2 => hashes(input.0),
        _ => pushes(input.0),
    }
}

/// What is read is written so that it is read as the same.
fn message(kind: u16, body: &[u8]) {
    let Ok(message) = Message::parse(kind, body) else { return };
    let mut out = Vec::new();
    message.put(&mut out);
    let again = Message::parse(message.kind(), &out);
    assert_eq!(again, Ok(message));
    let tags = match message {
        Message::Share(share) => share.item.tags,
        Message::Unshare(item) => item.tags,
        Message::Search(query) => {
            assert_eq!(query.terms.iter().count(), query.terms.len());
            Tags::default()
        }
        Message::Reply(reply) => {
            reply.hits.iter().for_each(|hit| {
                if let Ok(hit) = hit {
                    let mut bytes = Vec::new();
                    hit.put(b"KaZaA", &mut bytes);
                }
            });
            Tags::default()
        }
        _ => Tags::default(),
    };
    assert_eq!(tags.iter().count(), tags.len());
    assert_eq!(Tags::parse(&tags.to_bytes()), Ok(tags));
}

/// A deciphered stream: frames that come out are written the same.
fn stream(seed: u32, bytes: &[u8]) {
    let mut deciphered = bytes.to_vec();
    Cipher::new(seed).apply(&mut deciphered);
    let (mut reader, mut writer, mut at) = (Framing::default(), Framing::default(), 0);
    while let Ok(Some((frame, length))) = reader.decode(&deciphered[at..]) {
        if let Frame::Message(kind, body) = frame {
            let mut out = Vec::new();
            assert!(writer.encode(kind, body, &mut out));
            assert_eq!(out, deciphered[at..at + length]);
            message(kind, body);
        }
        at += length;
    }
}

/// Hashes do not depend on how the bytes came.
fn hashes(bytes: &[u8]) {
    let (mut whole, mut parts) = (FtHasher::new(bytes.len() as u64), FtHasher::new(bytes.len() as u64));
    let (mut tree, mut leaves) = (KzHasher::default(), KzHasher::default());
    whole.update(bytes);
    tree.update(bytes);
    for part in bytes.chunks(7) {
        parts.update(part);
        leaves.update(part);
    }
    assert_eq!(whole.finish(), parts.finish());
    assert_eq!(tree.finish(), leaves.finish());
}

fn pushes(body: &[u8]) {
    if let Ok(push) = PushRequest::parse(body) {
        let mut out = Vec::new();
        push.put(&mut out);
        assert_eq!(out, body);
    }
    if let Ok(order) = PushOrder::parse(body) {
        let mut out = Vec::new();
        order.put(&mut out);
        assert_eq!(out, body[..10]);
    }
}

/// Frames between supernodes, and what ours say to their nodes.
pub fn supernode(data: &[u8]) {
    if let Ok(preamble) = supernode::Preamble::parse(data) {
        let mut out = Vec::new();
        preamble.put(&mut out);
        assert_eq!(supernode::Preamble::parse(&out), Ok(preamble));
    }
    if let Ok(ours) = supernode::Ours::parse(data) {
        let mut out = Vec::new();
        ours.put(&mut out);
        assert_eq!(supernode::Ours::parse(&out), Ok(ours));
    }
    let mut bytes = data;
    while let Some((frame, length)) = supernode::Frame::split(bytes) {
        assert!(supernode::Frame::split(&bytes[..length - 1]).is_none(), "no prefix is a frame");
        if let Ok(message) = supernode::Message::parse(frame) {
            let mut out = Vec::new();
            assert!(message.put(&mut out), "no longer than what was read");
            let (again, _) = supernode::Frame::split(&out).expect("whole");
            let again = supernode::Message::parse(again).expect("readable");
            // Places that are none end a list of toggles.
            if !matches!(message, supernode::Message::Toggles(_)) {
                assert_eq!(again, message);
            }
        }
        bytes = &bytes[length..];
    }
}
