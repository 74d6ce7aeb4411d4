//! The captures, played to our supernode: what mldonkey sent then is sent again at every segmentation, and what the
//! test supernode answered then is what ours answers.
//!
//! Not compared: the load in the node list, which nobody knows how to count, and that the third node of the second
//! capture is an uploader written for the test, with another seed.

use super::*;
use data_encoding::HEXLOWER;

const SESSION: &str =
    include_str!("../../../../../wire/tests/captures/fasttrack/mldonkey-session-type40.txt");
const SEARCH: &str =
    include_str!("../../../../../wire/tests/captures/fasttrack/three-nodes-search-type40.txt");

/// One line: seconds, the node's name, whether the supernode sends, and the bytes; no bytes are a connect or close.
struct Line<'a> {
    at: u64,
    node: &'a str,
    from_supernode: bool,
    bytes: Option<Vec<u8>>,
    closes: bool,
}

fn lines(capture: &str) -> impl Iterator<Item = Line<'_>> {
    let data = capture.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    data.filter_map(|line| {
        let (head, comment) = line.split_once(" ; ")?;
        let mut words = head.split_whitespace();
        let (at, from, to, hex) = (words.next()?, words.next()?, words.nth(1)?, words.next()?);
        let from_supernode = from.starts_with("supernode");
        Some(Line {
            at: at.parse::<f64>().ok()? as u64,
            node: if from_supernode { to } else { from },
            from_supernode,
            bytes: HEXLOWER.decode(hex.as_bytes()).ok().filter(|bytes| !bytes.is_empty()),
            closes: comment.contains("close"),
        })
    })
}

/// One node of a capture as it is played.
struct Played {
    stream: StreamId,
    /// What the supernode sent then and sends now, enciphered.
    then: Vec<u8>,
    now: Vec<u8>,
    seed: u32,
}

/// Messages in clear, loads of node lists made zero.
fn clear(bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut channel = Channel::call(&ServerHello::parse(&bytes[..8]).unwrap());
    channel.receive(&bytes[8..]);
    channel.take_name().unwrap().unwrap();
    let input = channel.take_input();
    let (mut at, mut all) = (0, Vec::new());
    while let Some((frame, length)) = channel.split(&input[at..]).expect("in step") {
        at += length;
        let Frame::Message(kind, body) = frame else { continue };
        let mut body = body.to_vec();
        if kind == 0 {
            body.chunks_exact_mut(8).for_each(|entry| entry[7] = 0);
        }
        // Lists that come later than the first are told so that early nodes know enough others; the test supernode told one.
        if kind != 0 || all.is_empty() {
            all.push((kind, body));
        }
    }
    all
}

fn address_of(name: &str) -> Endpoint {
    let ip = match name.split(':').next().unwrap() {
        "mldonkey" | "fflaom" => [10, 77, 0, 2],
        _ => [10, 77, 0, 1],
    };
    Endpoint::v4(ip, name.split(':').nth(1).unwrap().parse().unwrap())
}

fn replay(capture: &str, port: u16, step: usize) -> BTreeMap<String, Played> {
    let address = Some(SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 1), port));
    // The nodes of a capture answer no ping that was not sent then.
    let member_silence = Duration::from_secs(86_400);
    let mut world = World::new(Config { address, port, member_silence, ..Config::default() });
    let mut left = Vec::new();
    let mut played: BTreeMap<String, Played> = BTreeMap::new();
    for line in lines(capture) {
        let now = world.probe.now.since(Instant::EPOCH).as_secs();
        world.advance(Duration::from_secs(line.at.saturating_sub(now)));
        let node = line.node.to_owned();
        match (line.bytes, line.from_supernode) {
            (None, _) if line.closes => {
                if let Some(played) = played.get(&node) {
                    left.push(played.stream);
                    world.stream(played.stream, StreamInput::Closed(StreamEnd::Finished));
                }
            }
            (None, _) => {
                let stream = world.accept(address_of(&node));
                played.insert(node, Played { stream, then: Vec::new(), now: Vec::new(), seed: 0 });
            }
            (Some(bytes), true) => played.get_mut(&node).unwrap().then.extend(bytes),
            (Some(bytes), false) => {
                let played = played.get_mut(&node).unwrap();
                if played.seed == 0 {
                    played.seed = ClientHello::parse(bytes.first_chunk().unwrap()).seed;
                }
                let stream = played.stream;
                bytes.chunks(step).for_each(|part| world.bytes(stream, part));
            }
        }
        for played in played.values_mut() {
            let bytes = world.raw(played.stream);
            played.now.extend(bytes);
        }
    }
    // One node's end is not in the capture.
    for played in played.values().filter(|played| !left.contains(&played.stream)) {
        world.stream(played.stream, StreamInput::Closed(StreamEnd::Finished));
    }
    assert_eq!(world.probe.machine.violations().total(), 0);
    assert_eq!(world.probe.machine.gauges().members, 0, "all have left");
    assert_eq!(world.probe.machine.gauges().files, 0, "so have their files");
    played
}

#[test]
fn mldonkeys_session_is_answered_as_it_was_at_every_segmentation() {
    for step in [1, 2, 3, 7, 1_000] {
        let all = replay(SESSION, 1_218, step);
        assert_eq!(all.len(), 1);
        for (name, played) in all {
            assert_eq!(played.now[..8], played.then[..8], "{name}: the hello");
            assert_eq!(clear(&played.now), clear(&played.then), "{name} in steps of {step}");
        }
    }
}

#[test]
fn words_a_hash_and_a_second_source_are_found_as_they_were() {
    for step in [1, 5, 1_000] {
        let all = replay(SEARCH, 1_216, step);
        assert_eq!(all.len(), 3);
        for (name, played) in all {
            assert_eq!(clear(&played.now), clear(&played.then), "{name} in steps of {step}");
        }
    }
}
