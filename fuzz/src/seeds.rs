//! The seed corpus, made by the encoders and by hand; `cargo run --example seeds` writes it to `corpus/`.

mod chord;
mod gnutella;
mod supernode;

use throng_wire::ids::{InfoHash, InfoHashV1, PeerId};
use throng_wire::merkle;
use throng_wire::metainfo::{Builder, FileHashes, Format, Hashes, Options, SourceFile};
use throng_wire::peer::{
    Block, ExtendedHandshake, Extension, ExtensionIds, Handshake, Holepunch, HolepunchKind, Message,
    MetadataMessage, PexFlags, Reserved, encode, encode_pex,
};
use throng_wire::tracker::http::{
    AnnounceBody, AnnounceRequest, Retry, push_failure, push_scrape, scrape_query,
};
use throng_wire::tracker::{AnnounceEvent, ScrapeEntry, udp};

/// One seed: target, file name, content.
pub type Seed = (&'static str, String, Vec<u8>);

/// Every seed.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target: &'static str, inputs: Vec<Vec<u8>>| {
        let numbered = inputs.into_iter().enumerate();
        seeds.extend(numbered.map(|(index, bytes)| (target, format!("seed-{index:02}"), bytes)));
    };
    add("bencode", bencode());
    let torrents = torrents();
    add("metainfo", torrents.iter().map(|(whole, _)| whole.clone()).collect());
    add("info", torrents.into_iter().map(|(_, info)| info).collect());
    add("magnet", magnets().into_iter().map(String::into_bytes).collect());
    add("paths", paths());
    add("frames", frames());
    add("handshake", vec![handshake().to_vec(), handshake()[..30].to_vec()]);
    add("extensions", extensions());
    add("hashes", hashes());
    add("tracker_http", tracker_http());
    add("tracker_udp", tracker_udp());
    let names =
        ["-qB4650-abcdefghijkl", "M7-10-5--abc", "A2-1-37-0-xyz", "S58B-----", "-ML2.7.2-kg", "\u{202e}µ"];
    add("client_name", names.iter().map(|name| name.as_bytes().to_vec()).collect());
    add("chord", chord::seeds());
    add("chord_machine", programs(0xc0d, 24, 400));
    add("swarm", programs(0x5eed, 24, 400));
    add("tracker", programs(0x7ac6, 8, 300));
    add("napster", napster());
    add("directory_client", programs(0x4a9, 24, 600));
    add("directory_server", programs(0xd1c7, 16, 1_500));
    add("http", http());
    add("transfer", programs(0x4777, 24, 600));
    add("gnutella", gnutella::seeds());
    add("gnutella_servent", programs(0x6e75, 24, 800));
    add("fasttrack", supernode::fasttrack());
    add("supernode", supernode::links());
    add("supernode_server", programs(0x5afe, 16, 1_500));
    add("supernode_client", programs(0x0fa5, 16, 900));
    add("publication", publications());
    add("plain_plan", programs(0x91a7, 16, 800));
    add("web_head", web_heads());
    seeds
}

/// A head of each kind, calls of uploaders, values of headers, a body in chunks.
fn http() -> Vec<Vec<u8>> {
    let texts: [(u8, &str); 12] = [
        (
            0,
            "GET /uri-res/N2R?urn:sha1:HUKJNK3CJK5KOAENCWVAMLOHXYDV2AMA HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n",
        ),
        (0, "GET /get/3/two words.mp3 HTTP/1.0\r\n\r\n"),
        (0, "GET /.hash=bffaf5d21f373443b7a3a7722bbbf2d715d92199 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
        (
            0,
            "GET /gnutella/push-proxy?ServerId=KT3TCAR5K2KILWCMZFFCJAUV7I&file=1 HTTP/1.1\r\nX-Node: 1.2.3.4:5\r\n\r\n",
        ),
        (1, "HTTP/1.1 206 P\r\nContent-Range: bytes 0-524287/3158073\r\nContent-Length: 524288\r\n\r\n"),
        (
            1,
            "HTTP/1.1 503 Busy\nRetry-After: 60\nX-Queued: position=3; ID=6983f7526311099bc2862896870aff47; ETA=9\n\n",
        ),
        (
            1,
            "HTTP/1.0 200 OK\r\nX-Alt: 1.2.3.4, 5.6.7.8:9\r\nX-Queue: position=2,pollMin=45,pollMax=120\r\n\r\n",
        ),
        (2, "GIV 0:ebb73102dcdecc7b66c5dc8512472af5/file\n\n"),
        (2, "QUEUE 6983f7526311099bc2862896870aff47 100.64.0.1:6346\r\n"),
        (2, "GIVE 4253679545\r\n"),
        (3, "ebb73102dcdecc7b66c5dc8512472af5;1.2.3.4:5;6.7.8.9:10"),
        (4, "5;x=y\r\nabcde\r\n0\r\nA: b\r\n\r\n"),
    ];
    texts.iter().map(|(kind, text)| [&[*kind][..], text.as_bytes()].concat()).collect()
}

/// A message of each family, searches, texts of peers, a list, a stream of a link.
fn napster() -> Vec<Vec<u8>> {
    use throng_wire::napster::{Deflater, Frame};
    let messages: [(u16, &str); 14] = [
        (2, "alice secret 6701 \"TekNap-1.3g\" 8 5201 0"),
        (100, "\"C:\\a b.mp3\" 0 129148 128 44100 8"),
        (870, "\"C:\\\" \"a b.mp3\" 0 129148 128 44100 8 \"c.mp3\" 0 1 2 3 4"),
        (10300, "\"C:\\v.mpg\" 7000000 0 video"),
        (201, "\"C:\\f\\x.mp3\" 0 -1294967296 128 44100 10 fire 16777343 5"),
        (204, "alice 16777343 6701 \"C:\\x\" 0 8"),
        (604, "alice \"User\" 64 \" \" \"Active\" 2 0 0 8 \"TekNap-1.3g\""),
        (607, "bob \"C:\\x\""),
        (751, "alice args"),
        (10010, "hubA.net.test B9E3EB2D26B6E251 1"),
        (10015, "anna AWIJITIO FILENAME CONTAINS \"ocelot \" MAX_RESULTS 100"),
        (10018, ":hubB anna \u{3}\0\u{d5}\0ben"),
        (211, ":anna ben 500"),
        (640, "ben 16777343 6702"),
    ];
    let mut stream = vec![0];
    let mut seeds = Vec::new();
    for (kind, data) in messages {
        Frame { kind, data: data.as_bytes() }.encode(&mut stream).expect("short");
        seeds.push([&[1][..], &kind.to_le_bytes(), data.as_bytes()].concat());
    }
    seeds.push(stream.clone());
    for query in [
        "FILENAME CONTAINS \"zebra\" MAX_RESULTS 100  BITRATE \"AT LEAST\" \"128\"",
        "type video size at best 5 FILENAME EXCLUDES \"foo \" LOCAL_ONLY",
    ] {
        seeds.push([&[2], query.as_bytes()].concat());
    }
    for text in [
        "GETbob \"a b\" 10",
        "SENDbob \"a b\" 337292",
        "SENDLIST\nalice\n",
        "GETLIST",
        "MAGNETb \"x\"",
        "12 magnet:?xt=a",
        "FILE NOT SHARED",
    ] {
        seeds.push([&[3], text.as_bytes()].concat());
    }
    seeds.push(b"\x04SENDLIST\nalice\n\"x\" 0 1 2 3 4\n\n".to_vec());
    let mut link = vec![5];
    Deflater::new(6).deflate(&stream, &mut link).expect("deflates");
    seeds.push(link);
    seeds
}

fn bencode() -> Vec<Vec<u8>> {
    let texts = [
        "d3:bar4:spam3:fooi42ee",
        "l4:spami-3ee",
        "i0e",
        "0:",
        "d1:ad1:bd1:cleeee",
        "d1:b0:1:a0:e",
        "i-0e",
        "le4:tail",
    ];
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.push([b"l".repeat(101), b"e".repeat(101)].concat());
    seeds
}

/// Torrents of each format, one file and several, with their info dictionaries.
fn torrents() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for format in [Format::V1, Format::V2, Format::Hybrid] {
        for lengths in [&[40_000][..], &[70_000, 0, 16_385]] {
            let path = |index: usize| vec![b"dir".to_vec(), format!("{index}.txt").into_bytes()];
            let file = |(index, length): (usize, &u64)| SourceFile {
                path: path(index),
                length: *length,
                ..SourceFile::default()
            };
            let options = Options {
                format,
                piece_length: Some(32 << 10),
                trackers: vec![vec!["http://t.example/announce".into()], vec!["udp://u.example:80".into()]],
                web_seeds: vec!["http://w.example/".into()],
                comment: Some("seed".into()),
                private: lengths.len() > 1,
                ..Options::default()
            };
            let files: Vec<SourceFile> = lengths.iter().enumerate().map(file).collect();
            let builder = match files.as_slice() {
                [only] => Builder::single_file(b"name.txt", only.clone(), options),
                _ => Builder::folder(b"name", files, options),
            }
            .expect("a good folder");
            let mut hashes = Hashes::default();
            let layout = builder.layout();
            if format.has_v1() {
                hashes.v1 = (0..layout.piece_count())
                    .flat_map(|piece| InfoHashV1::of(&piece.to_be_bytes()).0)
                    .collect();
            }
            for (index, file) in layout.files().iter().enumerate() {
                if format.has_v2() && file.length > 0 && !file.attributes.padding {
                    let leaves: Vec<_> = (0..merkle::block_count(file.length))
                        .map(|block| merkle::leaf(&block.to_be_bytes()))
                        .collect();
                    hashes.v2.insert(index, FileHashes::from_blocks(&leaves, 1));
                }
            }
            let torrent = builder.finish(hashes).expect("the hashes fit");
            all.push((torrent.encode(), torrent.info.raw().to_vec()));
        }
    }
    all
}

fn magnets() -> Vec<String> {
    let (v1, v2) = ("0123456789abcdef0123456789abcdef01234567", "ab".repeat(32));
    vec![
        format!(
            "magnet:?xt=urn:btih:{v1}&dn=a+b%20c&tr=http%3A%2F%2Ft%2Fannounce&x.pe=[2001:db8::1]:6881&so=0,2-4"
        ),
        format!("magnet:?xt=urn:btmh:1220{v2}&xl=12345&ws=http://w/&x.pe=host.example:1&x.pe=1.2.3.4:5"),
        format!("magnet:?xt.1=urn:btih:{v1}&amp;xt.2=urn:btmh:1220{v2}#end"),
        "magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH".into(),
        "magnet:?xt=urn:bitprint:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH.LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ"
            .into(),
    ]
}

/// Names as the target reads them: a length before each.
fn paths() -> Vec<Vec<u8>> {
    let file = |parts: &[&[u8]]| {
        let mut out = vec![parts.len() as u8];
        for part in parts {
            out.push(part.len() as u8);
            out.extend_from_slice(part);
            out.push(0);
        }
        out.push(0);
        out
    };
    let name: &[u8] = b"\0\x04root";
    vec![
        [name, &file(&[b"..", b"..", b"etc"]), &file(&[b"a", b"B"]), &file(&[b"A", b"b"])].concat(),
        [name, &file(&[b"con.txt"]), &file(&[b"x/y\0z"]), &file(&[b"\xff\xfe. "]), &file(&[b""])].concat(),
        [name, &file(&[b"a"]), &file(&[b"a", b"b"]), &file(&[b"a"]), &file(&["ß\u{202e}".as_bytes()])]
            .concat(),
    ]
}

fn write(messages: &[Message<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    messages.iter().for_each(|message| encode(message, &mut out));
    out
}

fn frames() -> Vec<Vec<u8>> {
    let block = Block { piece: 1, begin: 16_384, length: 16_384 };
    let short = [
        Message::KeepAlive,
        Message::Bitfield(&[0xff, 0x80]),
        Message::Unchoke,
        Message::Interested,
        Message::Request(block),
        Message::Piece { piece: 1, begin: 0, data: b"data" },
        Message::Cancel(block),
    ];
    let fast = [
        Message::HaveAll,
        Message::AllowedFast(3),
        Message::SuggestPiece(9),
        Message::RejectRequest(block),
        Message::Port(6881),
        Message::Extended { id: 0, payload: b"d1:mdee" },
        Message::Have(7),
    ];
    // Limits, cuts, stream.
    vec![
        [&b"\0\0"[..], &write(&short)].concat(),
        [&b"\x01\x03\x01\x02\x05"[..], &write(&fast)].concat(),
        [&b"\0\x01\x01"[..], b"\0\0\0\x35\x16", &[0; 52], b"\0\0\0\x01\x63"].concat(),
    ]
}

fn handshake() -> [u8; 68] {
    let reserved = Reserved::EXTENSION_PROTOCOL.with(Reserved::FAST).with(Reserved::V2_UPGRADE);
    Handshake { reserved, info_hash: InfoHash([0xab; 20]), peer_id: PeerId(*b"-qB4650-abcdefghijkl") }
        .encode()
}

fn extensions() -> Vec<Vec<u8>> {
    let mut told = vec![0];
    ExtendedHandshake {
        ids: ExtensionIds::default().with(Extension::Metadata, 3).with(Extension::Pex, 1),
        client: Some(b"client 1.0"),
        request_queue: Some(500),
        port: Some(6881),
        your_ip: Some([10, 0, 0, 1].into()),
        metadata_size: Some(31_235),
        upload_only: Some(true),
        ..ExtendedHandshake::default()
    }
    .encode(&mut told);
    let metadata = |message: MetadataMessage<'_>| {
        let mut out = vec![1];
        message.encode(&mut out);
        out
    };
    let mut pex = vec![2];
    let (a, b) =
        ("10.0.0.1:6881".parse().expect("an address"), "[2001:db8::1]:80".parse().expect("an address"));
    encode_pex(&[(a, PexFlags::REACHABLE), (b, PexFlags::UPLOAD_ONLY)], &[a], &mut pex);
    let mut punch = vec![3];
    Holepunch { kind: HolepunchKind::Connect, peer: a }.encode(&mut punch);
    vec![
        told,
        metadata(MetadataMessage::Request { piece: 0 }),
        metadata(MetadataMessage::Data { piece: 1, total_size: 16_388, data: b"rest" }),
        metadata(MetadataMessage::Reject { piece: 7 }),
        pex,
        punch,
        b"\x04\0\0\0\x07".to_vec(),
    ]
}

fn hashes() -> Vec<Vec<u8>> {
    vec![
        b"\0\x10\0\0\x02\0\0\x01\0\0\0\0".to_vec(),
        b"\0\xff\x02\x05\x02\x01\0\x08\x03\x02\0\x01\0\0".to_vec(),
        b"\x01\x2b\0\x0b\x01\x00\0\x10\x04\x01\x05\0\0\0".to_vec(),
    ]
}

fn tracker_http() -> Vec<Vec<u8>> {
    let mut request = AnnounceRequest::new(InfoHash([0xab; 20]), PeerId([b'x'; 20]), 6881);
    (request.event, request.num_want, request.key) = (AnnounceEvent::Started, Some(50), Some(7));
    request.ipv6 = Some("2001:db8::1".parse().expect("an address"));
    let mut query = String::from("\0/announce?");
    request.write_query(&mut query);
    let mut scrape = String::from("\0/scrape?");
    scrape_query(&[InfoHash([1; 20]), InfoHash([0xfe; 20])], &mut scrape);
    let mut body = vec![1];
    let peers = [10, 0, 0, 1, 0x1a, 0xe1];
    let external_ip = Some([192, 0, 2, 1].into());
    AnnounceBody {
        complete: 3,
        incomplete: 4,
        interval: 1800,
        min_interval: 300,
        external_ip,
        peers: &peers,
        peers6: &[1; 18],
    }
    .encode(&mut body);
    let mut failure = vec![1];
    push_failure("not here", Some(Retry::Minutes(5)), &mut failure);
    let mut counts = vec![2];
    push_scrape(
        &mut vec![(InfoHash([1; 20]), ScrapeEntry { seeders: 1, completed: 2, leechers: 3 })],
        &mut counts,
    );
    let dictionary =
        b"\x01d8:intervali900e5:peersld2:ip9:127.0.0.14:porti80eed2:ip3:::14:porti1eeee".to_vec();
    let url = b"\x03http://t.example:80/x/announce?key=1#f".to_vec();
    vec![query.into_bytes(), scrape.into_bytes(), body, failure, counts, dictionary, url]
}

fn tracker_udp() -> Vec<Vec<u8>> {
    let mut options = Vec::new();
    udp::push_url_data("/announce?key=1", &mut options);
    let mut announce = Vec::new();
    udp::AnnounceRequest {
        connection_id: 1,
        transaction_id: 2,
        info_hash: InfoHash([3; 20]),
        peer_id: PeerId([4; 20]),
        downloaded: 5,
        left: 6,
        uploaded: 7,
        event: AnnounceEvent::Completed,
        ip: 0,
        key: 8,
        num_want: None,
        port: 6881,
        options: udp::Options(&options),
    }
    .encode(&mut announce);
    let mut scrape = Vec::new();
    udp::ScrapeRequest { connection_id: 1, transaction_id: 2, info_hashes: &[[1; 20], [2; 20]] }
        .encode(&mut scrape);
    let header = udp::AnnounceHeader { transaction_id: 2, interval: 1800, leechers: 1, seeders: 1 };
    let mut counts = Vec::new();
    udp::push_scrape_header(2, &mut counts);
    udp::push_scrape_entry(ScrapeEntry { seeders: 1, completed: 2, leechers: 3 }, &mut counts);
    let mut error = Vec::new();
    udp::push_error(2, "no", &mut error);
    vec![
        udp::ConnectRequest { transaction_id: 1 }.encode().to_vec(),
        udp::ConnectResponse { transaction_id: 1, connection_id: 2 }.encode().to_vec(),
        announce,
        [&header.encode()[..], &[10, 0, 0, 1, 0, 80]].concat(),
        scrape,
        counts,
        error,
    ]
}

/// Operation lists for machines: bytes of a fixed generator, small values favoured, as most fields are choices.
fn programs(seed: u64, count: u64, length: usize) -> Vec<Vec<u8>> {
    use throng_machine::{Entropy as _, SplitMix64};
    let program = |index| {
        let mut rng = SplitMix64::new(SplitMix64::mix(seed, index));
        (0..length)
            .map(|_| if rng.below(3) > 0 { rng.below(24) as u8 } else { rng.below(256) as u8 })
            .collect()
    };
    (0..count).map(program).collect()
}

fn publications() -> Vec<Vec<u8>> {
    let item = throng_overlay::discovery::Item {
        title: "A Trip to the Moon".into(),
        size: 7,
        root: Some([1; 32]),
        info_hash: Some([2; 20]),
        ..Default::default()
    };
    let tags = vec!["film".into(), "1902".into()];
    let publication =
        throng_overlay::publication::Publication { item, tags, files: 1, sequence: 9, time: 10 };
    let signed = publication.sign(&ed25519_dalek::SigningKey::from_bytes(&[7; 32]));
    [vec![signed], programs(0x9b11, 8, 300)].concat()
}

fn web_heads() -> Vec<Vec<u8>> {
    let heads = [
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/100\r\nContent-Length: 5\r\n\r\nbytes",
        "HTTP/1.0 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://example.org/a\r\n\r\n",
        "HTTP/1.1 503 Busy\r\nRetry-After: 999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
        "HTTP/1.1 416 Range Not Satisfiable\r\n\r\n",
    ];
    heads.iter().map(|head| [&[0, 0, 0, 5], head.as_bytes()].concat()).collect()
}
