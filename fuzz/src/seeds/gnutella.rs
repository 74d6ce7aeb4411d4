//! One seed a face of the Gnutella codec.

use throng_wire::gnutella::ggep::Writer;
use throng_wire::gnutella::{
    Block, Guid, Handshake, Header, HitBuilder, HitFlags, Kind, QrpTable, RecordBuilder, hash_of, reset,
    table_patches,
};

/// Seeds of every face of the target.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let with = |face: u8, bytes: &[u8]| [&[face], bytes].concat();
    let mut hello = Block::new(Handshake::Connect);
    hello.headers.push("X-Ultrapeer", "True").push("X-Try", "10.0.0.1:6346");
    let mut ggep = Writer::default();
    ggep.put(b"SCP", &[1]).put(b"QK", &[1, 2, 3]);
    vec![
        with(0, hello.encode().as_bytes()),
        with(0, Block::status(503, "Full").encode().as_bytes()),
        with(1, &messages()),
        with(2, &table()),
        with(3, &ggep.finish()),
        with(3, b"urn:sha1:EYWYFIFESKRK5VT3LD26D6VI5AVIPJ3Z\x1c\xc3\x82PR\x40"),
        with(4, b"bytes=0-99,200-"),
        with(5, &[1, 0, 2, 0, 0, 3]),
    ]
}

fn messages() -> Vec<u8> {
    let mut out = Vec::new();
    let header = |kind| Header { guid: Guid([9; 16]), kind, ttl: 3, hops: 1, length: 0 };
    header(Kind::Ping).message(&mut out, |_| {});
    header(Kind::Query).message(&mut out, |out| out.extend_from_slice(b"\x88\x00brontosaurus\0"));
    let builder = HitBuilder {
        address: std::net::SocketAddrV4::new([10, 0, 0, 1].into(), 6_346),
        speed: 100,
        vendor: *b"TEST",
        flags: HitFlags::default(),
        ggep: Vec::new(),
        servent: Guid([7; 16]),
    };
    let record = RecordBuilder { size: 9, name: b"a name".to_vec(), sha1: Some([3; 20]), ..RecordBuilder::default() };
    header(Kind::QueryHit).message(&mut out, |out| builder.put(&[record], true, out));
    header(Kind::Push).message(&mut out, |out| out.extend_from_slice(&[5; 26]));
    header(Kind::Bye).message(&mut out, |out| out.extend_from_slice(b"\xc8\x00bye\r\n\r\n\0"));
    header(Kind::Vendor).message(&mut out, |out| out.extend_from_slice(b"BEAR\x07\0\x01\0\xca\x18"));
    out
}

/// A reset and patches, each behind its length.
fn table() -> Vec<u8> {
    let mut table = QrpTable::new(6);
    ["red", "green"].iter().for_each(|word| table.insert(hash_of(word)));
    let mut first = Vec::new();
    reset(&table).put(&mut first);
    let all = std::iter::once(first).chain(table_patches(None, &table));
    all.flat_map(|payload| [vec![payload.len() as u8], payload].concat()).collect()
}
