//! HTTP between peers: heads, paths, header values, calls of uploaders, chunks.

use crate::input::Input;
use throng_wire::http::{
    Chunk, Chunks, ContentRange, MAX_HEAD, OldQueue, Opening, Queued, Reply, Request, Target,
    parse_available, parse_firewalled, parse_locations, parse_old_location, parse_tag, parse_thex_uri,
    write_available, write_firewalled, write_locations,
};

/// The first byte says what the rest is.
pub fn http(data: &[u8]) {
    let mut input = Input(data);
    match input.below(5) {
        0 => request(input.0),
        1 => reply(input.0),
        2 => opening(input.0),
        3 => values(&String::from_utf8_lossy(input.0)),
        _ => chunks(&mut input),
    }
}

/// What is read is written and read again as the same, and no prefix of it is whole.
fn request(bytes: &[u8]) {
    let Ok(Some((request, used))) = Request::parse(bytes) else { return };
    assert!(used <= bytes.len() && used <= 2 * MAX_HEAD);
    assert!(!matches!(Request::parse(&bytes[..used - 1]), Ok(Some(_))), "no prefix is a head");
    if let Ok(target) = Target::parse(&request.path) {
        let path = target.to_string();
        assert!(path.is_ascii() && !path.contains([' ', '\r', '\n']));
        assert_eq!(Target::parse(&path), Ok(target));
    }
    let mut again = Vec::new();
    request.encode(&mut again);
    if let Ok(Some((reread, length))) = Request::parse(&again) {
        assert_eq!(length, again.len(), "nothing is smuggled in");
        assert!(reread.headers.iter().count() <= request.headers.iter().count());
    }
}

fn reply(bytes: &[u8]) {
    let Ok(Some((reply, used))) = Reply::parse(bytes) else { return };
    assert!(used <= bytes.len() && (100..1_000).contains(&reply.code));
    if let Ok(Some(length)) = reply.content_length() {
        assert!(reply.headers.find("Content-Length").is_some_and(|value| value.trim().parse() == Ok(length)));
    }
    reply.headers.iter().for_each(|(_, value)| values(value));
    let mut again = Vec::new();
    reply.encode(&mut again);
    if let Ok(Some((reread, length))) = Reply::parse(&again) {
        assert_eq!((length, reread.code), (again.len(), reply.code));
    }
}

fn opening(bytes: &[u8]) {
    if let Ok(Some((opening, used))) = Opening::parse(bytes) {
        assert!(used <= bytes.len() && Opening::is_spoken(bytes) == Some(true));
        let mut again = Vec::new();
        opening.encode(&mut again);
        let reread = Opening::parse(&again).expect("what was written is read").expect("whole").0;
        assert_eq!(std::mem::discriminant(&reread), std::mem::discriminant(&opening));
    }
}

/// Values are bounded, and survive being written.
fn values(value: &str) {
    if let Some(range) = ContentRange::parse(value) {
        assert!(range.first <= range.last && range.total.is_none_or(|total| range.last < total));
        assert_eq!(ContentRange::parse(&range.to_string()), Some(range));
    }
    let parts = parse_available(value);
    assert!(parts.len() <= 128 && parts.iter().all(|part| part.start < part.end));
    assert_eq!(parse_available(&write_available(&parts)), parts);
    let locations = parse_locations(value);
    assert!(locations.len() <= 32);
    assert_eq!(parse_locations(&write_locations(&locations)), locations);
    let firewalled = parse_firewalled(value);
    assert!(firewalled.len() <= 32);
    assert_eq!(parse_firewalled(&write_firewalled(&firewalled)), firewalled);
    let queued = Queued::parse(value);
    assert_eq!(Queued::parse(&queued.to_string()), queued);
    let old = OldQueue::parse(value);
    assert!(old.is_none_or(|old| OldQueue::parse(&old.to_string()) == Some(old)));
    let _ = (parse_old_location(value), parse_tag(value), parse_thex_uri(value));
}

/// However it is cut, the same comes out.
fn chunks(input: &mut Input<'_>) {
    let whole = input.0;
    let read = |parts: Vec<&[u8]>| {
        let (mut chunks, mut out) = (Chunks::default(), Vec::new());
        for mut part in parts {
            loop {
                match chunks.next(&mut part) {
                    Ok(Chunk::Data(data)) => out.extend_from_slice(data),
                    Ok(Chunk::More) => break,
                    Ok(Chunk::End) => return Ok((out, true)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok((out, false))
    };
    let once = read(vec![whole]);
    let bytewise = read(whole.chunks(1).collect());
    match (once, bytewise) {
        (Ok(once), Ok(bytewise)) => assert_eq!(once, bytewise),
        (once, bytewise) => assert_eq!(once.is_err(), bytewise.is_err()),
    }
}
