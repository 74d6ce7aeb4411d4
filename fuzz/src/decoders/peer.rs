//! The peer wire protocol: handshake, messages in any splits, extension messages, names of clients.

use crate::input::Input;
use throng_wire::ids::PeerId;
use throng_wire::peer::client::{client_name as name_of, printable};
use throng_wire::peer::{
    ExtendedHandshake, HANDSHAKE_LEN, Handshake, Holepunch, Limits, Message, MetadataMessage,
    PIECE_HEADER_LEN, Pex, PexFlags, Progress, decode_dont_have, decode_frame, encode, encode_dont_have,
    encode_pex, parse_prefix, piece_header,
};

/// A stream of messages, cut where the input says: what comes out does not depend on the cuts.
pub fn frames(data: &[u8]) {
    let mut input = Input(data);
    let limits = match input.below(3) {
        0 => Limits::default(),
        1 => Limits { pieces: Some(u32::from(input.byte())), max_block: 64, max_extended: 256 },
        _ => Limits { pieces: Some(u32::MAX), max_block: u32::MAX, max_extended: u32::MAX },
    };
    let cuts = Input(input.run());
    let stream = input.0;
    let (whole, rest) = read_whole(stream, &limits);
    assert_eq!(read_in_parts(stream, cuts, &limits), (whole, rest));
}

/// Every message written anew, and whether the stream broke.
fn read_whole(mut stream: &[u8], limits: &Limits) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    loop {
        match decode_frame(stream, limits) {
            Ok(Some((message, consumed))) => {
                let before = out.len();
                encode(&message, &mut out);
                // What we have no name for is read past; only its id is known.
                if !matches!(message, Message::Unknown { .. }) {
                    assert_eq!(&out[before..], &stream[..consumed], "one form a message");
                }
                stream = &stream[consumed..];
            }
            Ok(None) => return (out, false),
            Err(_) => return (out, true),
        }
    }
}

/// The same through [`parse_prefix`], which never sees more than it asked for.
fn read_in_parts(stream: &[u8], mut cuts: Input<'_>, limits: &Limits) -> (Vec<u8>, bool) {
    let (mut out, mut at, mut end) = (Vec::new(), 0, 0);
    while at < stream.len() {
        let held = &stream[at..end];
        match parse_prefix(held, limits) {
            Err(_) => return (out, true),
            Ok(Progress::NeedMore(needs)) => {
                assert!(needs > held.len(), "it asks for more than it has");
                if end == stream.len() {
                    break;
                }
                end = (end + 1 + usize::from(cuts.byte())).min(at + needs).min(stream.len());
            }
            Ok(Progress::Message { message, consumed }) => {
                encode(&message, &mut out);
                at += consumed;
                end = end.max(at);
            }
            Ok(Progress::PieceHeader { piece, begin, len }) => {
                let data = at + PIECE_HEADER_LEN..(at + PIECE_HEADER_LEN).saturating_add(len as usize);
                let Some(data) = stream.get(data) else { break };
                out.extend_from_slice(&piece_header(piece, begin, len));
                out.extend_from_slice(data);
                at += PIECE_HEADER_LEN + data.len();
                end = end.max(at);
            }
        }
    }
    (out, false)
}

/// A handshake, read byte by byte and whole.
pub fn handshake(data: &[u8]) {
    let whole = Handshake::decode(data);
    for end in 0..data.len().min(HANDSHAKE_LEN + 2) {
        let (part, head) = (Handshake::decode(&data[..end]), Handshake::decode_head(&data[..end]));
        assert_eq!(part.is_err(), head.is_err());
        if part.is_err() {
            assert_eq!(part, whole, "once wrong, wrong");
        } else if end < HANDSHAKE_LEN {
            assert_eq!(part, Ok(None));
        }
    }
    if let Ok(Some(handshake)) = whole {
        assert_eq!(handshake.encode(), data[..HANDSHAKE_LEN]);
        let _ = name_of(&handshake.peer_id);
    }
}

/// Payloads of extension messages; the first byte says which.
pub fn extensions(data: &[u8]) {
    let Some((kind, payload)) = data.split_first() else { return };
    match kind % 5 {
        0 => extended_handshake(payload),
        1 => metadata(payload),
        2 => pex(payload),
        3 => holepunch(payload),
        _ => {
            if let Ok(piece) = decode_dont_have(payload) {
                assert_eq!(encode_dont_have(piece), payload);
            }
        }
    }
}

fn extended_handshake(payload: &[u8]) {
    let Ok(told) = ExtendedHandshake::decode(payload) else { return };
    let mut written = Vec::new();
    told.encode(&mut written);
    assert_eq!(ExtendedHandshake::decode(&written), Ok(told));
    told.client.into_iter().for_each(|name| check_name(&printable(name)));
}

fn metadata(payload: &[u8]) {
    let Ok(message) = MetadataMessage::decode(payload) else { return };
    let mut written = Vec::new();
    message.encode(&mut written);
    if message != MetadataMessage::Unknown {
        assert_eq!(MetadataMessage::decode(&written), Ok(message));
    }
}

fn pex(payload: &[u8]) {
    let Ok(pex) = Pex::decode(payload) else { return };
    let added: Vec<_> = pex.added().collect();
    let dropped: Vec<_> = pex.dropped().collect();
    let mut written = Vec::new();
    encode_pex(&added, &dropped, &mut written);
    let again = Pex::decode(&written).expect("what we write we read");
    // Mapped addresses move to the IPv4 list, where more than 50 do not fit.
    let count = |pex: &Pex<'_>| pex.added().filter(|(_, flags)| flags.contains(PexFlags::default())).count();
    assert!(count(&again) <= added.len() && again.dropped().count() <= dropped.len());
    let mut twice = Vec::new();
    encode_pex(&again.added().collect::<Vec<_>>(), &again.dropped().collect::<Vec<_>>(), &mut twice);
    assert_eq!(twice, written, "written twice, the same");
}

fn holepunch(payload: &[u8]) {
    let Ok(message) = Holepunch::decode(payload) else { return };
    let mut written = Vec::new();
    message.encode(&mut written);
    let again = Holepunch::decode(&written).expect("what we write we read");
    assert_eq!(again.kind, message.kind);
    assert_eq!((again.peer.ip(), again.peer.port()), (message.peer.ip().to_canonical(), message.peer.port()));
}

/// Names made of any peer id and any text are safe to print.
pub fn client_name(data: &[u8]) {
    check_name(&printable(data));
    let mut id = [0; 20];
    let length = data.len().min(20);
    id[..length].copy_from_slice(&data[..length]);
    let name = name_of(&PeerId(id));
    assert!(!name.is_empty());
    check_name(&name);
}

fn check_name(name: &str) {
    assert!(name.len() <= 1024 && !name.chars().any(char::is_control), "{name:?}");
}
