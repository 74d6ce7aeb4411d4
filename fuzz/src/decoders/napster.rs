//! The Napster codec: frames in any splits, messages of all directions, searches, the texts of peers.

use crate::input::Input;
use throng_wire::napster::peer::{
    ListLine, ListState, MAX_MAGNET, Opening, Parsed, parse_magnet_answer, parse_offset, parse_size,
};
use throng_wire::napster::{
    ClientMessage, Frame, Inflater, LinkMessage, MAX_DATA, NapsterError, Query, ServerMessage, relayed,
};

/// The first byte says what the rest is.
pub fn napster(data: &[u8]) {
    let mut input = Input(data);
    match input.below(6) {
        0 => stream(input.0),
        1 => {
            let kind = u16::from_le_bytes([input.byte(), input.byte()]);
            message(Frame { kind, data: &input.0[..input.0.len().min(MAX_DATA)] });
        }
        2 => query(input.0),
        3 => peer(input.0),
        4 => list(input.0),
        _ => inflate(input.0),
    }
}

/// A stream of frames: what comes out is written the same.
fn stream(mut bytes: &[u8]) {
    while let Ok(Some((frame, length))) = Frame::split(bytes, MAX_DATA) {
        let mut again = Vec::new();
        frame.encode(&mut again).expect("no longer than what was read");
        assert_eq!(again, bytes[..length]);
        assert_eq!(Frame::split(&bytes[..length - 1], MAX_DATA), Ok(None), "no prefix is a frame");
        message(frame);
        bytes = &bytes[length..];
    }
}

/// What is read and can be written is read again as the same.
fn message(frame: Frame<'_>) {
    fn check<'a, M: PartialEq + std::fmt::Debug>(
        read: Result<M, NapsterError>,
        write: impl Fn(&M, &mut Vec<u8>) -> Result<(), NapsterError>,
        reread: impl Fn(Frame<'a>) -> Result<M, NapsterError>,
        out: &'a mut Vec<u8>,
    ) {
        let Ok(message) = read else { return };
        if write(&message, out).is_err() {
            assert!(out.is_empty(), "nothing is left of what cannot be written");
            return;
        }
        let (frame, length) = Frame::split(out, MAX_DATA).expect("within the limit").expect("whole");
        assert_eq!(length, out.len());
        assert_eq!(reread(frame), Ok(message));
    }
    check(ClientMessage::decode(frame), ClientMessage::encode, ClientMessage::decode, &mut Vec::new());
    check(ServerMessage::decode(frame), ServerMessage::encode, ServerMessage::decode, &mut Vec::new());
    check(LinkMessage::decode(frame), LinkMessage::encode, LinkMessage::decode, &mut Vec::new());
    if let Ok(ClientMessage::ShareDirectory(share)) = ClientMessage::decode(frame) {
        let broken = share.files.iter().filter(Result::is_err).count();
        assert!(broken <= 1 && share.files.iter().count() <= MAX_DATA / 12 + 1);
    }
    if let Some((sender, inner)) = relayed(frame) {
        assert!(!sender.is_empty() && inner.data.len() < frame.data.len());
    }
}

fn query(text: &[u8]) {
    match Query::parse(text) {
        Ok(query) => {
            assert!((1..=100).contains(&query.limit()));
            assert!(query.terms().count() <= text.len());
            let mut again = Vec::new();
            if query.write(&mut again).is_ok() {
                let reread = Query::parse(&again).expect("what was written can be read");
                assert!(reread.terms().eq(query.terms()));
                assert_eq!(
                    (reread.bitrate, reread.size, reread.kind),
                    (query.bitrate, query.size, query.kind)
                );
            }
        }
        Err(error) => {
            let mut notice = Vec::new();
            error.write_notice(&mut notice);
            assert!(!notice.is_empty() && notice.len() <= text.len() + 64);
        }
    }
}

/// A text is whole at no earlier cut, and as long as what was there.
fn peer(text: &[u8]) {
    let whole = |length: usize| assert!(length <= text.len());
    if let Ok(Parsed::Complete(opening, length) | Parsed::Open(opening, length)) = Opening::parse(text) {
        whole(length);
        let mut again = Vec::new();
        if opening.encode(&mut again).is_ok()
            && let Ok(Parsed::Complete(reread, _) | Parsed::Open(reread, _)) = Opening::parse(&again)
        {
            // A nick LIST makes SENDLIST of SEND: nothing tells them apart.
            assert!(reread == opening || matches!(reread, Opening::SendList { .. } | Opening::GetList));
        }
    }
    for size in [None, Some(0), Some(12), Some(129_148), Some(u64::MAX)] {
        if let Ok(Parsed::Complete(_, length) | Parsed::Open(_, length)) = parse_size(text, size) {
            whole(length);
        }
        if let Ok(Parsed::Complete(_, length) | Parsed::Open(_, length)) =
            parse_offset(text, size.unwrap_or(7))
        {
            whole(length);
        }
    }
    if let Ok(Parsed::Complete(link, length)) = parse_magnet_answer(text) {
        whole(length);
        assert!(link.len() <= MAX_MAGNET);
    }
}

fn list(text: &[u8]) {
    let (mut state, mut at) = (ListState::default(), 0);
    while let Ok(Some((line, length))) = state.next_line(&text[at..]) {
        at += length;
        if line == ListLine::End {
            break;
        }
    }
    assert!(at <= text.len());
}

/// No more comes out than there is room for, whatever goes in.
fn inflate(mut bytes: &[u8]) {
    let mut inflater = Inflater::new();
    for _ in 0..64 {
        let mut out = Vec::new();
        match inflater.inflate(bytes, &mut out, 1_000) {
            Ok(taken) => {
                assert!(taken <= bytes.len() && out.len() <= 1_000);
                bytes = &bytes[taken..];
            }
            Err(_) => return,
        }
    }
}
