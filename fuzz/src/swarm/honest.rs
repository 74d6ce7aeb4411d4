//! The end of every run: everybody else leaves, and one honest seed completes each torrent.

use std::time::Duration;

use super::content::CONTENTS;
use super::peer;
use super::world::World;
use throng_machine::{ContentId, Endpoint, StreamEnd, StreamId};
use throng_swarm::Command;
use throng_wire::peer::Message;

/// Virtual seconds an honest seed may take, time-outs of those who left included.
const PATIENCE: u32 = 120;

/// Completes every torrent, then stops the machine and checks that nothing is left open.
pub fn finish(world: &mut World) {
    hang_up(world);
    world.command(Command::SetLimits { upload: None, download: None });
    let ids: Vec<ContentId> = world.stored.keys().copied().collect();
    for (index, id) in ids.into_iter().enumerate() {
        world.command(Command::StorageRecovered(id));
        world.command(Command::SetWanted(id, all(id)));
        world.command(Command::Run(id, true));
        complete(world, id, index as u8);
        hang_up(world);
    }
    world.advance(Duration::from_secs(300));
    world.command(Command::Shutdown);
    let open = world.links.values().filter(|link| link.state != super::State::Closed).count();
    assert_eq!(open, 0, "streams are left open");
    assert!(world.probe.machine.accepts(), "connections are counted that are gone");
}

fn all(id: ContentId) -> Vec<u8> {
    let pieces = CONTENTS[id.0 as usize].pieces();
    let mut bits = vec![0xff; pieces.div_ceil(8) as usize];
    if let Some(last) = bits.last_mut() {
        *last = 0xff_u8.wrapping_shl((8 - pieces % 8) % 8);
    }
    bits
}

fn hang_up(world: &mut World) {
    // Closing may make the machine dial others: those are refused too, until it has no more addresses.
    let streams: Vec<StreamId> = world.links.keys().copied().collect();
    for stream in streams {
        world.closed(stream, StreamEnd::Finished);
    }
}

fn refuse_dials(world: &mut World, but: StreamId) {
    let dialled: Vec<StreamId> = world
        .links
        .iter()
        .filter(|(_, link)| link.state == super::State::Dialling)
        .map(|(stream, _)| *stream)
        .collect();
    for stream in dialled.into_iter().filter(|stream| *stream != but) {
        world.closed(stream, StreamEnd::Refused);
    }
}

/// An honest seed connects and answers whatever it is asked until all is there.
fn complete(world: &mut World, id: ContentId, index: u8) {
    let known = &CONTENTS[id.0 as usize];
    let is_done = |world: &World| {
        let status = world.probe.machine.status(id, world.probe.now);
        status.is_none_or(|status| status.pieces.1 > 0 && status.pieces.0 == status.pieces.1)
    };
    let mut stream = None;
    for second in 0..PATIENCE {
        drain_application(world, id);
        if is_done(world) {
            break;
        }
        let live = stream.filter(|stream| world.is_open(*stream));
        let live = live.unwrap_or_else(|| greet(world, id, index, second));
        refuse_dials(world, live);
        serve(world, live, id);
        stream = Some(live);
        world.advance(Duration::from_secs(1));
    }
    if !is_done(world) {
        let status = world.probe.machine.status(id, world.probe.now);
        let peers = world.probe.machine.peers(id, world.probe.now);
        panic!("an honest seed cannot complete {id:?}: {status:?} {peers:?}");
    }
    let stored = &world.stored[&id];
    assert_eq!(stored.have.len() as u32, known.pieces(), "the machine counts pieces nobody verified");
}

fn greet(world: &mut World, id: ContentId, index: u8, second: u32) -> StreamId {
    let known = &CONTENTS[id.0 as usize];
    // Another address and name each time: one may have been shut out with a liar before.
    let stream = world.accept(Endpoint::v4([10, 1 + index, second as u8, 1], 6881));
    let name = 64 + index * 8 + (second % 8) as u8;
    world.bytes(stream, &peer::handshake(known, false, name, 0xff));
    world.bytes(stream, &peer::extended(Some(known.meta.info.raw().len() as u32), None, false));
    world.bytes(stream, &peer::frame(&Message::HaveAll));
    world.bytes(stream, &peer::frame(&Message::Unchoke));
    stream
}

fn serve(world: &mut World, stream: StreamId, id: ContentId) {
    let known = &CONTENTS[id.0 as usize];
    for _ in 0..200 {
        let Some(link) = world.links.get_mut(&stream).filter(|link| link.state == super::State::Open) else {
            return;
        };
        let answer = if let Some(piece) = link.outbound.metadata.pop() {
            peer::true_metadata(known, piece)
        } else if let Some(request) = link.outbound.hashes.pop() {
            peer::true_hashes(known, request)
        } else if let Some(block) = link.outbound.requests.pop() {
            let start = known.range(block.piece).start + block.begin as usize;
            let data = &known.data[start..start + block.length as usize];
            peer::frame(&Message::Piece { piece: block.piece, begin: block.begin, data })
        } else {
            break;
        };
        world.bytes(stream, &answer);
        world.flushed(stream, u32::MAX);
        drain_application(world, id);
    }
}

fn drain_application(world: &mut World, id: ContentId) {
    while world.stored.get(&id).is_some_and(|stored| !stored.complete.is_empty()) {
        world.verdict(id, false);
    }
}
