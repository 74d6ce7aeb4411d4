//! The Gnutella codec: handshakes, streams of messages, route tables, hash trees.

use crate::input::Input;
use throng_wire::gnutella::ggep::{Block as Ggep, from_cobs, to_cobs};
use throng_wire::gnutella::{
    Block, Extensions, Header, Message, QrpMessage, Reassembly, Urn, frame, parse_range, table_patches,
};

/// The first byte says what the rest is.
pub fn gnutella(data: &[u8]) {
    let mut input = Input(data);
    match input.below(6) {
        0 => handshake(input.0),
        1 => stream(input.0),
        2 => tables(&mut input),
        3 => extensions(input.0),
        4 => {
            let _ = parse_range(&String::from_utf8_lossy(input.0));
            let _ = Urn::parse(input.0);
        }
        _ => assert_eq!(from_cobs(&to_cobs(input.0)).as_deref(), Some(input.0)),
    }
}

/// What is read is written so that it reads the same.
fn handshake(bytes: &[u8]) {
    let Ok(Some((block, used))) = Block::parse(bytes) else { return };
    assert!(used <= bytes.len());
    if let Ok(Some((again, _))) = Block::parse(block.encode().as_bytes()) {
        assert_eq!(again.line, block.line);
    }
}

fn stream(mut bytes: &[u8]) {
    while let Ok(Some((header, payload, used))) = frame(bytes) {
        assert_eq!(header.encode(), bytes[..header.encode().len()]);
        assert_eq!(frame(&bytes[..used - 1]), Ok(None), "no prefix is a message");
        message(&header, payload);
        bytes = &bytes[used..];
    }
}

fn message(header: &Header, payload: &[u8]) {
    let Ok(message) = Message::parse(header, payload) else { return };
    let mut out = Vec::new();
    match message {
        Message::Pong(pong) => pong.put(&mut out),
        Message::Query(query) => query.put(&mut out),
        Message::Push(push) => push.put(&mut out),
        Message::Vendor(vendor) => vendor.put(&mut out),
        Message::QueryHit(hit) => {
            assert!(hit.records().count() <= usize::from(hit.count));
            hit.records().for_each(|record| _ = (record.sha1(), record.tiger_root(), record.alternates()));
            return;
        }
        _ => return,
    }
    assert_eq!(Message::parse(header, &out), Ok(message));
}

/// Messages of a table: what it becomes can be sent on and is then the same.
fn tables(input: &mut Input<'_>) {
    let mut reassembly = Reassembly::default();
    while !input.is_empty() {
        let payload = input.run();
        let taken = QrpMessage::parse(payload).and_then(|message| reassembly.take(message));
        if taken.is_err() {
            return;
        }
    }
    let Some(table) = reassembly.table().filter(|table| (3..=14).contains(&table.bits())) else { return };
    let mut reset = Vec::new();
    throng_wire::gnutella::reset(table).put(&mut reset);
    let mut again = Reassembly::default();
    for payload in std::iter::once(reset).chain(table_patches(None, table)) {
        again.take(QrpMessage::parse(&payload).expect("ours")).expect("ours");
    }
    assert_eq!(again.table(), Some(table));
}

fn extensions(bytes: &[u8]) {
    let area = Extensions(bytes);
    assert!(area.iter().count() <= 64);
    area.ggep().iter().for_each(|extension| assert!(extension.id.len() <= 15 && !extension.id.is_empty()));
    if let Some((block, rest)) = Ggep::take(bytes) {
        assert_eq!(block.bytes().len() + rest.len(), bytes.len());
    }
}
