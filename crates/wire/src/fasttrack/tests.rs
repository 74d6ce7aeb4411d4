//! The captures replayed: every byte deciphers to what was noted, reads as a message and is written the same again.

use super::*;
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

const CAPTURES: [&str; 2] = [
    include_str!("../../tests/captures/fasttrack/mldonkey-session-type40.txt"),
    include_str!("../../tests/captures/fasttrack/three-nodes-search-type40.txt"),
];

/// One line: who sends, the bytes, and the same deciphered if they were enciphered.
struct Line<'a> {
    connection: &'a str,
    from_supernode: bool,
    bytes: Vec<u8>,
    clear: Option<Vec<u8>>,
}

fn lines(capture: &str) -> impl Iterator<Item = Line<'_>> {
    let data = capture.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    data.filter_map(|line| {
        let (head, comment) = line.split_once(" ; ")?;
        let mut words = head.split_whitespace().skip(1);
        let (from, to, hex) = (words.next()?, words.nth(1)?, words.next()?);
        let from_supernode = from.starts_with("supernode");
        let clear = comment.strip_prefix("clear ").and_then(|rest| rest.split_whitespace().next());
        let decode = |hex: &str| HEXLOWER.decode(hex.as_bytes()).ok();
        Some(Line {
            connection: if from_supernode { to } else { from },
            from_supernode,
            bytes: decode(hex)?,
            clear: clear.and_then(decode),
        })
    })
}

/// Both directions of a connection.
#[derive(Default)]
struct Session {
    seed: u32,
    ciphers: Option<[Cipher; 2]>,
    named: [bool; 2],
    readers: [Framing; 2],
    writers: [Framing; 2],
}

impl Session {
    fn hello(&mut self, line: &Line<'_>) {
        if line.from_supernode {
            let hello = ServerHello::parse(&line.bytes).unwrap();
            assert_eq!(hello, ServerHello::ours());
            self.ciphers = Some([Cipher::new(self.seed ^ hello.seed), Cipher::new(hello.seed)]);
        } else {
            self.seed = ClientHello::parse(line.bytes[..].try_into().unwrap()).seed;
        }
    }

    fn take(&mut self, line: &Line<'_>) -> Option<Vec<u8>> {
        let side = usize::from(line.from_supernode);
        let Some(ciphers) = &mut self.ciphers else {
            self.hello(line);
            return None;
        };
        let mut bytes = line.bytes.clone();
        ciphers[side].apply(&mut bytes);
        assert_eq!(Some(&bytes), line.clear.as_ref(), "{} deciphers as noted", line.connection);
        if !std::mem::replace(&mut self.named[side], true) {
            assert_eq!(bytes, b"KaZaA\0");
            return None;
        }
        let (frame, used) = self.readers[side].decode(&bytes).unwrap().unwrap();
        assert_eq!(used, bytes.len());
        let Frame::Message(kind, body) = frame else { return None };
        let message = Message::parse(kind, body).unwrap();
        let (mut again, mut framed) = (Vec::new(), Vec::new());
        message.put(&mut again);
        assert!(self.writers[side].encode(message.kind(), &again, &mut framed));
        assert_eq!(framed, bytes, "{message:?} is written as it was read");
        Some(framed)
    }
}

#[test]
fn every_recorded_byte_is_understood_and_written_the_same() {
    let mut messages = 0;
    for capture in CAPTURES {
        let mut sessions: BTreeMap<&str, Session> = BTreeMap::new();
        for line in lines(capture) {
            messages += usize::from(sessions.entry(line.connection).or_default().take(&line).is_some());
        }
    }
    assert!(messages > 30, "{messages} messages");
}

#[test]
fn a_stream_cut_anywhere_waits_and_a_message_cut_anywhere_is_refused_or_short() {
    let body = HEXLOWER.decode(b"000100200000013f0105000a736f6e67207a65627261").unwrap();
    let mut framed = Vec::new();
    assert!(Framing::default().encode(6, &body, &mut framed));
    for end in 0..framed.len() {
        assert_eq!(Framing::default().decode(&framed[..end]), Ok(None), "{end}");
    }
    for end in 0..body.len() {
        assert!(Message::parse(6, &body[..end]).is_err(), "{end}");
    }
    let Ok(Message::Search(query)) = Message::parse(6, &body) else { panic!("it is a search") };
    assert_eq!((query.max_results, query.id, query.realm), (32, 0, Realm::EVERYTHING));
    let terms: Vec<_> = query.terms.iter().collect();
    assert_eq!(terms.len(), 1);
    assert_eq!((terms[0].comparison, terms[0].field), (Comparison::Contains, TagKind::ANY));
    assert_eq!(terms[0].data, b"song zebra");
}

#[test]
fn counts_that_lie_are_refused() {
    // A share with a hash, id 0, size 0 and 127 tags of which none follows.
    let mut share = vec![0; 24];
    share.extend_from_slice(&[0, 0, 0x7f]);
    assert_eq!(Message::parse(0x22, &share), Err(Error::Length));
    // A tag of 2^63 bytes.
    share.truncate(26);
    share.extend_from_slice(&[1, 2, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]);
    assert_eq!(Message::parse(0x22, &share), Err(Error::Length));
    // 255 terms.
    assert_eq!(Message::parse(6, &[0, 1, 0, 32, 0, 0, 1, 0x3f, 255]), Err(Error::Length));
    // A reply that says 65,535 hits and has none: told once, then it ends.
    let reply = [10, 0, 0, 1, 4, 192, 0, 7, 0xff, 0xff];
    let Ok(Message::Reply(reply)) = Message::parse(7, &reply) else { panic!("it is a reply") };
    assert_eq!(reply.hits.iter().collect::<Vec<_>>(), [Err(Error::Truncated)]);
}

#[test]
fn an_unknown_type_and_flags_are_kept_as_they_are() {
    let body = [1, 2, 3];
    assert_eq!(Message::parse(0xc022, &body), Ok(Message::Other { kind: 0xc022, body: &body }));
}

#[test]
fn realms_of_every_program_choose_the_same_media() {
    for realm in [0x21, 0xa1, 0x01] {
        assert!(Realm(realm).includes(Media::Audio) && !Realm(realm).includes(Media::Video));
        assert!(Realm(realm).includes(Media::Unknown));
    }
    assert!(Realm::EVERYTHING.includes(Media::Software) && Realm(0xbf).includes(Media::Image));
}

fn address() -> impl Strategy<Value = SocketAddrV4> {
    (any::<u32>(), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(Ipv4Addr::from(ip), port))
}

proptest! {
    #[test]
    fn hits_survive(
        at in address(), supernode in address(), id: u16, hash: [u8; 20], size: u64, bandwidth: u8,
        user in prop::option::of("[a-zA-Z0-9]{1,31}"),
        texts in prop::collection::vec((0u64..200, prop::collection::vec(any::<u8>(), 0..90)), 0..20),
    ) {
        let mut writer = TagsWriter::default();
        texts.iter().for_each(|(kind, data)| { writer.text(TagKind(*kind), data); });
        let item = Item { hash: FtHash(hash), file_id: FtHash(hash).checksum().into(), size, tags: writer.tags() };
        let hit = Hit { at, bandwidth, user: user.as_ref().map(|user| user.as_bytes()), item };
        let (mut hits, mut body) = (Vec::new(), Vec::new());
        hit.put(NETWORK_NAME, &mut hits);
        hit.put(NETWORK_NAME, &mut hits);
        Message::Reply(Reply { supernode, id, hits: Hits::written(2, &hits) }).put(&mut body);
        let Ok(Message::Reply(read)) = Message::parse(7, &body) else { panic!("it is a reply") };
        prop_assert_eq!((read.supernode, read.id), (supernode, id));
        let read: Vec<_> = read.hits.iter().collect();
        prop_assert_eq!(&read, &vec![Ok(hit), Ok(hit)]);
        let kept = item.tags.to_bytes();
        prop_assert_eq!(Tags::parse(&kept), Ok(item.tags));
    }

    #[test]
    fn any_bytes_are_a_message_or_refused(kind in 0u16..0x30, body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::parse(kind, &body) {
            let mut again = Vec::new();
            message.put(&mut again);
            let mut third = Vec::new();
            Message::parse(kind, &again).expect("what was written is read").put(&mut third);
            prop_assert_eq!(again, third);
        }
        let _ = PushRequest::parse(&body);
        let _ = PushOrder::parse(&body);
    }
}
