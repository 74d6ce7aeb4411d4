//! The captures replayed: every recorded message is read, tables come out as noted, trees hash up to their roots.

use super::*;
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use std::net::{Ipv4Addr, SocketAddrV4};

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../tests/captures/gnutella/", $name, ".txt"))
    };
}

/// Bytes and comment of each data line.
fn lines(capture: &str) -> impl Iterator<Item = (Vec<u8>, &str)> {
    capture.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (head, comment) = line.split_once(" ; ")?;
        let hex = head.split_whitespace().last()?;
        Some((HEXLOWER.decode(hex.as_bytes()).ok()?, comment))
    })
}

/// Lines that are exactly one message.
fn messages(capture: &str) -> impl Iterator<Item = (Header, Vec<u8>, &str)> {
    lines(capture).filter_map(|(bytes, comment)| {
        let (header, payload, used) = frame(&bytes).ok()??;
        let known = !matches!(header.kind, Kind::Other(_)) && header.hops < 8 && used == bytes.len();
        known.then(|| (header, payload.to_vec(), comment))
    })
}

#[test]
fn every_recorded_message_is_read_and_written_the_same() {
    let captures = [
        capture!("leaf-link-plain"),
        capture!("ultrapeer-link-plain"),
        capture!("third-party-leaf"),
        capture!("third-party-ultrapeer-and-keepalive"),
        capture!("oob-udp"),
        capture!("push-giv"),
    ];
    let mut count = 0;
    for (header, payload, comment) in captures.into_iter().flat_map(messages) {
        let message = Message::parse(&header, &payload).unwrap_or_else(|error| panic!("{error}: {comment}"));
        let mut again = Vec::new();
        match &message {
            Message::Ping(ping) => again.extend_from_slice(ping.ggep.bytes()),
            Message::Pong(pong) => pong.put(&mut again),
            Message::Push(push) => push.put(&mut again),
            Message::Query(query) => query.put(&mut again),
            Message::Vendor(vendor) => vendor.put(&mut again),
            Message::Qrp(qrp) => qrp.unwrap().put(&mut again),
            Message::Bye(_) | Message::QueryHit(_) | Message::Other(_) => again.clone_from(&payload),
        }
        assert_eq!(again, payload, "{comment}");
        count += 1;
    }
    assert!(count > 120, "{count} messages");
}

#[test]
fn the_two_hits_of_the_note_tell_what_it_says() {
    let hits = [
        "01ca18644200036400000007000000\
         64ae0a00776f6d6261745f687567655f74756e652e6f67670075726e3a736861313a4559575946494645534b524b355654334c4432364436564935415649504a335a00\
         534f4d45021c00637f3e3bad97d40c4436f691237dbaa6",
        "01ca18644000011000000003000000\
         3930300062726f6e746f7361757275735f73616d706c655f736f6e672e6d703300\
         c341486e0a023d1496ab624abaa7248d15aa062dc7be075d018069e1fcf13139de1742d46f47eaabe83c033bf8d6c5b45dde\
         82435444e654036b0047544b47022c21c38547544b475653010102030065e3bd800000000e0705a331000316313102933aec6a7a5718ee43a8416f",
    ];
    let payloads = hits.map(|hit| HEXLOWER.decode(hit.as_bytes()).unwrap());
    let huge = QueryHit::parse(&payloads[0]).unwrap();
    assert_eq!((huge.count, huge.speed, &huge.vendor), (1, 100, b"SOME"));
    assert_eq!(huge.address, SocketAddrV4::new(Ipv4Addr::new(100, 66, 0, 3), 6346));
    assert_eq!(huge.flags, HitFlags::default());
    let record = huge.records().next().unwrap();
    assert_eq!((record.index, record.size, record.name), (7, 700_004, &b"wombat_huge_tune.ogg"[..]));
    assert_eq!(base32(&record.sha1().unwrap()), "EYWYFIFESKRK5VT3LD26D6VI5AVIPJ3Z");
    let binary = QueryHit::parse(&payloads[1]).unwrap();
    assert_eq!((&binary.vendor, binary.flags.push), (b"GTKG", false));
    assert!(binary.ggep.find(b"GTKGV").is_some_and(|data| data.len() == 19));
    let record = binary.records().next().unwrap();
    assert_eq!(record.size, 3_158_073);
    assert_eq!(HEXLOWER.encode(&record.sha1().unwrap()), "3d1496ab624abaa7008d15aa062dc7be075d0180");
    let root = record.tiger_root().unwrap();
    assert_eq!(HEXLOWER.encode(&root), "69e1fcf13139de1742d46f47eaabe83c033bf8d6c5b45dde");
}

#[test]
fn recorded_tables_decode_to_the_words_noted() {
    let words = ["wombat", "huge", "tune", "ogg"];
    let mut seen = 0;
    let mut reassembly = Reassembly::default();
    for (_, payload, comment) in messages(capture!("qrp-reset-patch")) {
        let message = QrpMessage::parse(&payload).unwrap();
        assert_eq!(reassembly.take(message), Ok(true), "{comment}");
        let table = reassembly.table().unwrap();
        seen += usize::from(words.iter().all(|word| table.contains(hash_of(word))));
    }
    assert!(seen > 0, "no table had all of {words:?}");
}

#[test]
fn the_recorded_tree_hashes_up_to_its_root() {
    let body: Vec<u8> = lines(capture!("thex-body")).flat_map(|(bytes, _)| bytes).collect();
    assert_eq!(body.len(), 1_168);
    let root = HEXLOWER.decode(b"69e1fcf13139de1742d46f47eaabe83c033bf8d6c5b45dde").unwrap();
    let root: [u8; 24] = root.try_into().unwrap();
    let (level, height) = thex::decode(&body, 3_158_073, &root).unwrap();
    assert_eq!((level.len(), height), (13, 8));
    let again = thex::encode(3_158_073, &level, "f1fce169-3931-17de-d442-abea476f3ce8");
    assert_eq!(thex::decode(&again, 3_158_073, &root), Ok((level, height)));
}

#[test]
fn a_recorded_zlib_stream_inflates_message_by_message() {
    let stream: Vec<Vec<u8>> = lines(capture!("deflate-stream")).map(|(bytes, _)| bytes).skip(1).collect();
    let mut inflater = flate2::Decompress::new(true);
    let mut kinds = Vec::new();
    for piece in stream {
        let mut out = Vec::with_capacity(4_096);
        inflater.decompress_vec(&piece, &mut out, flate2::FlushDecompress::Sync).unwrap();
        let (header, payload, used) = frame(&out).unwrap().unwrap();
        assert_eq!(used, out.len());
        Message::parse(&header, payload).unwrap();
        kinds.push(header.kind);
    }
    assert_eq!(kinds, [Kind::Qrp, Kind::Qrp, Kind::QueryHit]);
}

#[test]
fn recorded_hellos_are_read() {
    let mut hellos = 0;
    for (bytes, comment) in
        lines(capture!("handshake-matrix")).filter(|(bytes, _)| bytes.starts_with(b"GNUTELLA"))
    {
        // Of the replies only the status line was kept.
        let whole = if bytes.ends_with(b"\n\n") || bytes.ends_with(b"\r\n\r\n") {
            bytes
        } else {
            [&bytes[..], b"\r\n\r\n"].concat()
        };
        let (block, used) =
            Block::parse(&whole).unwrap_or_else(|error| panic!("{error}: {comment}")).unwrap();
        assert!(used <= whole.len());
        hellos += usize::from(block.line == Handshake::Connect);
    }
    assert!(hellos >= 23, "{hellos}");
}

#[test]
fn messages_cut_anywhere_are_refused_or_shorter() {
    for (header, payload, _) in messages(capture!("leaf-link-plain")) {
        for end in 0..payload.len() {
            let _ = Message::parse(&header, &payload[..end]);
        }
    }
    let hit =
        messages(capture!("leaf-link-plain")).find(|(header, ..)| header.kind == Kind::QueryHit).unwrap().1;
    assert!((0..28).all(|end| QueryHit::parse(&hit[..end]).is_err()));
}

fn records() -> impl Strategy<Value = Vec<RecordBuilder>> {
    let address =
        (any::<u32>(), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(Ipv4Addr::from(ip), port));
    let record = (
        (any::<u32>(), any::<u64>(), "[a-z ]{1,40}"),
        (any::<Option<[u8; 20]>>(), any::<Option<[u8; 24]>>()),
        prop::collection::vec(address, 0..4),
        prop::collection::vec(any::<u8>(), 0..90),
    );
    let build = |((index, size, name), (sha1, tiger_root), alternates, extra)| RecordBuilder {
        index,
        size,
        name: String::into_bytes(name),
        sha1,
        tiger_root,
        alternates,
        ggep: vec![(&b"THR"[..], extra)],
    };
    prop::collection::vec(record.prop_map(build), 0..8)
}

proptest! {
    #[test]
    fn hits_survive(records in records(), binary: bool, flags: [bool; 4], servent: [u8; 16], proxy: u16) {
        let [push, busy, uploaded, measured] = flags;
        let proxies = [SocketAddrV4::new(Ipv4Addr::new(100, 64, 0, 1), proxy)];
        let mut ggep = ggep::Writer::default();
        ggep.put(b"PUSH", &Pong::packed(proxies));
        let builder = HitBuilder {
            address: SocketAddrV4::new(Ipv4Addr::new(100, 65, 0, 2), 6346),
            speed: 1_000,
            vendor: *b"THRG",
            flags: HitFlags { push, busy, uploaded, measured },
            ggep: ggep.finish(),
            servent: Guid(servent),
        };
        let mut payload = Vec::new();
        builder.put(&records, binary, &mut payload);
        let hit = QueryHit::parse(&payload).unwrap();
        prop_assert_eq!((hit.flags, hit.servent, hit.push_proxies()), (builder.flags, builder.servent, proxies.to_vec()));
        let read: Vec<_> = hit.records().collect();
        prop_assert_eq!(read.len(), records.len());
        for (read, wrote) in read.iter().zip(&records) {
            prop_assert_eq!((read.index, read.size, read.name), (wrote.index, wrote.size, &wrote.name[..]));
            let root = wrote.tiger_root.filter(|_| wrote.sha1.is_some() || !binary).or(read.tiger_root());
            prop_assert_eq!((read.sha1(), read.tiger_root()), (wrote.sha1, root));
            prop_assert_eq!(read.alternates(), wrote.alternates.clone());
            let extra = read.extensions.ggep().find(b"THR").map(|data| data.into_owned());
            prop_assert_eq!(extra, Some(wrote.ggep[0].1.clone()));
        }
    }

    #[test]
    fn any_payload_is_read_or_refused(kind in 0u8..=255, payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let header = Header { guid: Guid([1; 16]), kind: Kind::from_code(kind), ttl: 1, hops: 0, length: 0 };
        if let Ok(Message::QueryHit(hit)) = Message::parse(&header, &payload) {
            hit.records().for_each(|record| drop((record.sha1(), record.tiger_root(), record.alternates())));
        }
        if let Ok(Message::Query(query)) = Message::parse(&header, &payload) {
            let _ = (query.words(), query.extensions.urns().count());
        }
    }
}
