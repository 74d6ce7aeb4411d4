//! Metadata for magnet links (BEP 9).

use super::*;
use throng_wire::peer::MetadataMessage;

fn magnet(meta: &Arc<Metainfo>) -> Bench {
    let mut torrent = add(meta, vec![]);
    torrent.metainfo = None;
    let mut probe = Probe::new(Swarm::new(Config::default(), 1));
    probe.command(Command::Add(Box::new(torrent)));
    Bench { probe, meta: meta.clone() }
}

fn payload(message: &MetadataMessage<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// A peer with the metadata joins; the blocks it is asked for.
fn holder(bench: &mut Bench, id: u8, size: u32) -> (StreamId, Vec<u32>) {
    let (stream, _) = bench.join(id);
    if bench.probe.machine.status(C, bench.probe.now).unwrap().pieces.0 == 0 {
        bench.say(stream, &Message::HaveAll);
    }
    let ids = ExtensionIds::default().with(Extension::Metadata, 5);
    let hello =
        extended(&ExtendedHandshake { ids, metadata_size: Some(size), ..ExtendedHandshake::default() });
    let asked = bench.say(stream, &Message::Extended { id: 0, payload: &hello });
    let blocks = asked.iter().filter_map(|message| match message {
        Message::Extended { id: 5, payload } => match MetadataMessage::decode(payload) {
            Ok(MetadataMessage::Request { piece }) => Some(piece),
            _ => None,
        },
        _ => None,
    });
    (stream, blocks.collect())
}

fn give(bench: &mut Bench, stream: StreamId, info: &[u8]) {
    let total_size = info.len() as u32;
    for (piece, data) in (0..).zip(info.chunks(BLOCK as usize)) {
        let data = payload(&MetadataMessage::Data { piece, total_size, data });
        bench.say(stream, &Message::Extended { id: 1, payload: &data });
    }
}

#[test]
fn the_info_dictionary_is_fetched_and_early_haves_count_afterwards() {
    let meta = metainfo(8);
    let mut bench = magnet(&meta);
    let info = meta.info.raw().clone();
    let (stream, asked) = holder(&mut bench, 1, info.len() as u32);
    assert_eq!(asked, [0]);
    give(&mut bench, stream, &info);
    let events = bench.probe.take_events();
    let got = events.iter().find_map(|event| match event {
        Event::Metadata(C, bytes) => Some(bytes.clone()),
        _ => None,
    });
    assert_eq!(got, Some(info));
    bench.say(stream, &Message::Unchoke);
    let outs = bench.probe.command(Command::SetMetainfo(C, meta, vec![]));
    assert!(said(&outs, stream).contains(&Message::Interested));
    assert_eq!(requests(&said(&outs, stream)).len(), 4);
}

#[test]
fn wrong_metadata_is_not_taken_and_an_honest_peer_is_asked_next() {
    let meta = metainfo(8);
    let mut bench = magnet(&meta);
    let info = meta.info.raw().clone();
    let (liar, _) = holder(&mut bench, 1, info.len() as u32);
    give(&mut bench, liar, &vec![b'x'; info.len()]);
    assert!(!bench.probe.take_events().iter().any(|event| matches!(event, Event::Metadata(..))));
    let (honest, asked) = holder(&mut bench, 2, info.len() as u32);
    assert_eq!(asked, [0]);
    give(&mut bench, honest, &info);
    assert!(bench.probe.take_events().iter().any(|event| matches!(event, Event::Metadata(..))));
}

#[test]
fn metadata_is_served_block_by_block_and_refused_beyond_its_end() {
    let mut bench = Bench::seed(Config::default());
    let (stream, _) = holder(&mut bench, 1, 100);
    let ask = |piece| payload(&MetadataMessage::Request { piece });
    let answer = bench.say(stream, &Message::Extended { id: 1, payload: &ask(0) });
    let Some(Message::Extended { id: 5, payload }) = answer.first() else { panic!("{answer:?}") };
    let Ok(MetadataMessage::Data { data, .. }) = MetadataMessage::decode(payload) else { panic!() };
    assert_eq!(data, &bench.meta.info.raw()[..]);
    let answer = bench.say(stream, &Message::Extended { id: 1, payload: &ask(u32::MAX) });
    let Some(Message::Extended { payload, .. }) = answer.first() else { panic!("{answer:?}") };
    assert_eq!(MetadataMessage::decode(payload), Ok(MetadataMessage::Reject { piece: u32::MAX }));
}
