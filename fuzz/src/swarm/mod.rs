//! The swarm machine under a list of operations, then under an honest seed.
//!
//! Whatever peers, storage, trackers and time did before, at the end an honest seed must be able to complete every
//! torrent: that finds state that is stuck, not only panics.

mod content;
mod honest;
mod peer;
mod wire;
mod world;

use std::time::Duration;

use crate::input::Input;
use content::CONTENTS;
use throng_machine::{ContentId, Endpoint, StreamEnd, StreamId};
use throng_swarm::{AddTorrent, Command, PeerSource, SourceId, TorrentOptions, TrackerOutcome};
use world::{State, Stored, World};

/// The most operations of one input.
const MAX_STEPS: usize = 300;
/// Streams looked at: the latest.
const RECENT: usize = 6;

/// Runs the operations in `data`.
pub fn swarm(data: &[u8]) {
    let mut input = Input(data);
    let mut world = World::new();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        step(&mut world, &mut input);
    }
    honest::finish(&mut world);
}

/// One of a dozen addresses, loopback and an undialable one among them.
fn address(input: &mut Input<'_>) -> Endpoint {
    match input.below(12) {
        0 => Endpoint::v4([127, 0, 0, 1], 1000 + u16::from(input.byte())),
        1 => Endpoint::v4([10, 0, 0, 1], 0),
        2 => Endpoint::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), 6881),
        index => Endpoint::v4([10, 0, 0, index as u8], 6881),
    }
}

fn content_id(input: &mut Input<'_>) -> ContentId {
    ContentId(input.below(CONTENTS.len()) as u32)
}

/// One of the latest streams that is not closed.
fn stream(world: &World, input: &mut Input<'_>) -> Option<StreamId> {
    let live = world.links.iter().rev().filter(|(_, link)| link.state != State::Closed);
    let live: Vec<StreamId> = live.map(|(stream, _)| *stream).take(RECENT).collect();
    live.get(input.below(live.len())).copied()
}

fn step(world: &mut World, input: &mut Input<'_>) {
    match input.below(24) {
        0 | 1 => add(world, input),
        2 if input.one_in(2) => doze(world, input),
        2 => remove(world, content_id(input)),
        3 => _ = world.accept(address(input)),
        4..9 => talk(world, input),
        9..12 => answer(world, input),
        12 => {
            let (content, doubt) = (content_id(input), input.one_in(6));
            world.verdict(content, doubt);
        }
        13 => storage(world, input),
        14 => world.advance(Duration::from_millis(u64::from(input.u16()))),
        15 => world.advance(Duration::from_secs(u64::from(input.byte()))),
        16 => lifecycle(world, input),
        17 => limits(world, input),
        18 => announced(world, input),
        19 if input.one_in(3) => world.spurious(),
        19 => source(world, input),
        20 => world.answer_leaves(content_id(input)),
        21 => {
            if let Some(stream) = stream(world, input) {
                world.flushed(stream, u32::from(input.u16()) * 4);
            }
        }
        22 => {
            let peers = (0..input.below(6)).map(|_| address(input)).collect();
            let source = [PeerSource::Manual, PeerSource::Exchange, PeerSource::Overlay][input.below(3)];
            world.command(Command::AddPeers(content_id(input), source, peers));
        }
        _ => {
            if let Some(stream) = stream(world, input) {
                world.closed(
                    stream,
                    [StreamEnd::Finished, StreamEnd::Broken, StreamEnd::Refused][input.below(3)],
                );
            }
        }
    }
}

fn add(world: &mut World, input: &mut Input<'_>) {
    let (id, mode, flags) = (content_id(input), input.below(4), input.byte());
    let known = &CONTENTS[id.0 as usize];
    let info = &known.meta.info;
    let mut have = vec![0; known.pieces().div_ceil(8) as usize];
    let mut stored = Stored { data: vec![0; known.data.len()], ..Stored::default() };
    for piece in 0..known.pieces() {
        if mode == 1 || (mode == 2 && piece % 2 == 0) {
            have[piece as usize / 8] |= 0x80 >> (piece % 8);
            stored.data[known.range(piece)].copy_from_slice(&known.data[known.range(piece)]);
            stored.have.insert(piece);
        }
    }
    if mode != 3 && flags & 1 == 0 {
        stored.layers.extend(known.meta.layers.iter().map(|(root, _)| *root));
    }
    let add = AddTorrent {
        content: id,
        info_hashes: info.swarms().map(|swarm| swarm.0).collect(),
        info_hash_v2: info.hash_v2().map(|hash| hash.0),
        metainfo: (mode != 3).then(|| if flags & 1 == 0 { known.meta.clone() } else { known.bare() }),
        have,
        trackers: if flags & 2 == 0 { vec![] } else { vec![vec!["a".into(), "b".into()], vec!["c".into()]] },
        options: TorrentOptions {
            paused: flags & 4 != 0,
            super_seed: flags & 8 != 0,
            private: flags & 16 != 0,
            upload_only: false,
        },
    };
    world.stored.entry(id).or_insert(stored);
    world.command(Command::Add(Box::new(add)));
}

fn remove(world: &mut World, id: ContentId) {
    world.command(Command::Remove(id));
    world.fetches.retain(|(of, _), _| *of != id);
    world.stored.remove(&id);
}

/// A torrent falls asleep, is only listened for, or is forgotten.
fn doze(world: &mut World, input: &mut Input<'_>) {
    let id = content_id(input);
    let swarms = CONTENTS[id.0 as usize].meta.info.swarms().map(|swarm| swarm.0).collect();
    match input.below(4) {
        0 => world.command(Command::Forget(swarms)),
        1 => world.command(Command::Await(swarms)),
        _ if world.probe.machine.is_idle(id) => {
            world.command(Command::Sleep(id));
            assert!(!world.probe.machine.is_idle(id), "it does not sleep");
            world.stored.remove(&id);
        }
        _ => world.command(Command::Sleep(id)),
    }
}

/// Something of a source outside BitTorrent: it comes, sends, ends, goes.
fn source(world: &mut World, input: &mut Input<'_>) {
    let busy: Vec<(ContentId, SourceId)> = world.fetches.keys().copied().collect();
    let chosen = busy.get(input.below(busy.len().max(1))).copied();
    match (input.below(8), chosen) {
        (0 | 1, _) | (_, None) => {
            let id = content_id(input);
            let source = SourceId(world.next_source);
            world.next_source += 1;
            let first = u32::from(input.byte() % 4);
            world.command(Command::AddSource(id, source, first..u32::MAX));
        }
        (2..6, Some(key)) => {
            let lie = input.one_in(5);
            world.source_data(key, 1 + u64::from(input.u16()) * 4, lie);
        }
        (6, Some((id, source))) => {
            world.fetches.remove(&(id, source));
            let ready = input.one_in(2);
            world.command(match ready {
                true => Command::SourceReady(id, source),
                false => Command::SourceFailed(id, source),
            });
        }
        (_, Some((id, source))) => {
            world.fetches.remove(&(id, source));
            world.command(Command::RemoveSource(id, source));
        }
    }
}

/// A peer says something: its handshake first, then messages, or bytes of any kind.
fn talk(world: &mut World, input: &mut Input<'_>) {
    let Some(stream) = stream(world, input) else { return };
    world.opened(stream);
    let Some(link) = world.links.get(&stream).filter(|link| link.state == State::Open) else { return };
    let known = peer::content(input.below(CONTENTS.len()));
    let bytes = if !link.inbound.has_greeted() && !input.one_in(16) {
        let (second, id, bits) = (input.one_in(4), input.byte() % 6, !input.byte());
        peer::handshake(known, second, id, bits).to_vec()
    } else if input.one_in(10) || !link.inbound.is_between() {
        input.run().to_vec()
    } else {
        peer::message(known, input)
    };
    for part in input.split(&bytes) {
        world.bytes(stream, part);
    }
}

/// A peer answers what the machine asked it for.
fn answer(world: &mut World, input: &mut Input<'_>) {
    let Some(stream) = stream(world, input) else { return };
    let known = peer::content(input.below(CONTENTS.len()));
    if !world.links[&stream].inbound.is_between() {
        return;
    }
    if input.one_in(3) {
        peer::answer_other(world, stream, known, input);
    } else {
        peer::answer_block(world, stream, known, input);
    }
}

fn storage(world: &mut World, input: &mut Input<'_>) {
    let id = content_id(input);
    match input.below(4) {
        0 => world.command(Command::StorageFailed(id)),
        1 => world.command(Command::StorageRecovered(id)),
        _ => {
            let Some(stored) = world.stored.get_mut(&id) else { return };
            let Some(piece) = stored.have.iter().copied().nth(input.below(stored.have.len())) else { return };
            stored.have.remove(&piece);
            stored.leaves_wanted.retain(|wanted| *wanted != piece);
            world.command(Command::PieceLost(id, piece));
        }
    }
}

fn lifecycle(world: &mut World, input: &mut Input<'_>) {
    let id = content_id(input);
    match input.below(4) {
        0 => world.command(Command::Run(id, false)),
        1 | 2 => world.command(Command::Run(id, true)),
        _ => {
            let bits = input.bytes(CONTENTS[id.0 as usize].pieces().div_ceil(8) as usize).to_vec();
            world.command(Command::SetWanted(id, bits));
        }
    }
}

fn limits(world: &mut World, input: &mut Input<'_>) {
    let mut rate = || match input.below(4) {
        0 | 1 => None,
        2 => Some(0),
        _ => Some(1 + u64::from(input.u16()) * 16),
    };
    let (upload, download) = (rate(), rate());
    world.command(Command::SetLimits { upload, download });
}

fn announced(world: &mut World, input: &mut Input<'_>) {
    let id = content_id(input);
    let Some(stored) = world.stored.get_mut(&id).filter(|stored| !stored.announces.is_empty()) else {
        return;
    };
    let request = stored.announces.remove(0);
    let seconds = |input: &mut Input<'_>| Duration::from_secs(u64::from(input.u16()));
    let outcome = if input.one_in(3) {
        let retry = input.one_in(2).then(|| seconds(input));
        TrackerOutcome::Failed { reason: "down".into(), retry }
    } else {
        TrackerOutcome::Answered {
            interval: seconds(input),
            min_interval: input.one_in(2).then(|| seconds(input)),
            peers: (0..input.below(10)).map(|_| address(input)).collect(),
            counts: None,
        }
    };
    world.command(Command::Announced(id, request, outcome));
}
