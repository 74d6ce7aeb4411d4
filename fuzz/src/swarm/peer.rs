//! What peers say, truly or not.

use super::content::{CONTENTS, Content};
use super::world::World;
use crate::input::Input;
use throng_machine::StreamId;
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::merkle::HashRange;
use throng_wire::peer::{
    Block, ExtendedHandshake, Extension, ExtensionIds, Handshake, HashRequest, Hashes, METADATA_BLOCK,
    Message, MetadataMessage, PexFlags, Reserved, encode, encode_pex,
};

/// The extension numbers every peer here tells.
fn ids() -> ExtensionIds {
    ExtensionIds::default()
        .with(Extension::Metadata, 11)
        .with(Extension::Pex, 12)
        .with(Extension::DontHave, 13)
        .with(Extension::Holepunch, 14)
}

/// A handshake for a swarm of this content, `bits` choosing the extensions.
pub fn handshake(content: &Content, second: bool, id: u8, bits: u8) -> [u8; 68] {
    let swarms: Vec<InfoHash> = content.meta.info.swarms().collect();
    let mut reserved = Reserved::default();
    for (bit, flag) in [
        (1, Reserved::EXTENSION_PROTOCOL),
        (2, Reserved::FAST),
        (4, Reserved::V2_UPGRADE),
        (8, Reserved::DHT),
    ] {
        if bits & bit != 0 {
            reserved = reserved.with(flag);
        }
    }
    let info_hash = swarms[usize::from(second) % swarms.len()];
    Handshake { reserved, info_hash, peer_id: PeerId([id; 20]) }.encode()
}

/// The extension handshake of a peer that has the metadata, or says a wrong size.
pub fn extended(size: Option<u32>, port: Option<u16>, upload_only: bool) -> Vec<u8> {
    let told = ExtendedHandshake {
        ids: ids(),
        client: Some(b"fuzz"),
        request_queue: Some(10),
        metadata_size: size,
        port,
        upload_only: upload_only.then_some(true),
        ..ExtendedHandshake::default()
    };
    let mut payload = Vec::new();
    told.encode(&mut payload);
    frame(&Message::Extended { id: 0, payload: &payload })
}

pub fn frame(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(message, &mut out);
    out
}

/// A message whose fields are near what is meant, with arbitrary ones among them.
pub fn message(content: &Content, input: &mut Input<'_>) -> Vec<u8> {
    let pieces = content.pieces();
    let piece = |input: &mut Input<'_>| match input.byte() {
        255 => input.u32(),
        byte => u32::from(byte) % (pieces + 1),
    };
    let block = |input: &mut Input<'_>, piece: u32| match input.below(4) {
        0 => Block { piece, begin: input.u32(), length: input.u32() },
        _ => Block {
            piece,
            begin: u32::from(input.byte() % 4) << 14,
            length: 1 + u32::from(input.byte()) * 64,
        },
    };
    match input.below(19) {
        0 => frame(&Message::KeepAlive),
        1 => frame(&Message::Choke),
        2 => frame(&Message::Unchoke),
        3 => frame(&Message::Interested),
        4 => frame(&Message::NotInterested),
        5 => frame(&Message::Have(piece(input))),
        6 => {
            let mut bits = input.bytes(pieces.div_ceil(8) as usize).to_vec();
            bits.resize(pieces.div_ceil(8) as usize + usize::from(input.one_in(16)), 0);
            let spare = (8 - pieces % 8) % 8;
            if let Some(last) = bits.last_mut().filter(|_| !input.one_in(16)) {
                *last &= 0xff_u8.wrapping_shl(spare);
            }
            frame(&Message::Bitfield(&bits))
        }
        7 => {
            let piece = piece(input);
            frame(&Message::Request(block(input, piece)))
        }
        8 => {
            let piece = piece(input);
            frame(&Message::Cancel(block(input, piece)))
        }
        9 => frame(&Message::HaveAll),
        10 => frame(&Message::HaveNone),
        11 => frame(&Message::SuggestPiece(piece(input))),
        12 => frame(&Message::AllowedFast(piece(input))),
        13 => {
            let piece = piece(input);
            let (begin, data) = (u32::from(input.byte()) << 6, input.run());
            frame(&Message::Piece { piece, begin, data })
        }
        14 => hash_request(content, input),
        15 => {
            let size = match input.below(3) {
                0 => None,
                1 => Some(content.meta.info.raw().len() as u32),
                _ => Some(u32::from(input.u16())),
            };
            extended(size, Some(input.u16()), input.one_in(8))
        }
        16 => {
            let mut payload = Vec::new();
            let peers: Vec<_> = (0..input.below(20))
                .map(|_| (super::address(input).socket_addr(), PexFlags(input.byte())))
                .collect();
            encode_pex(&peers, &[], &mut payload);
            frame(&Message::Extended { id: 2, payload: &payload })
        }
        17 => {
            let mut payload = Vec::new();
            match input.below(3) {
                0 => MetadataMessage::Request { piece: input.byte().into() }.encode(&mut payload),
                1 => MetadataMessage::Reject { piece: input.byte().into() }.encode(&mut payload),
                _ => payload.extend_from_slice(input.run()),
            }
            frame(&Message::Extended { id: 1, payload: &payload })
        }
        _ => {
            let piece = piece(input);
            frame(&Message::Extended { id: 3, payload: &piece.to_be_bytes() })
        }
    }
}

fn hash_request(content: &Content, input: &mut Input<'_>) -> Vec<u8> {
    let files = content.meta.info.layout().files();
    let root = files[input.below(files.len())].pieces_root.unwrap_or([3; 32]);
    let length = 1 << input.below(5);
    let index = u32::from(input.byte() % 8) * length;
    let (base_layer, proof_layers) = (u32::from(input.byte() % 5), u32::from(input.byte() % 8));
    frame(&Message::HashRequest(HashRequest { pieces_root: root, base_layer, index, length, proof_layers }))
}

/// Answers one of the machine's block requests: truly, with a wrong byte, by a reject, or as blank bytes.
pub fn answer_block(world: &mut World, stream: StreamId, content: &Content, input: &mut Input<'_>) {
    let Some(link) = world.links.get_mut(&stream) else { return };
    let which = input.below(link.outbound.requests.len());
    let Some(block) = link.outbound.requests.get(which).copied() else { return };
    link.outbound.requests.remove(which);
    let start = content.range(block.piece.min(content.pieces() - 1)).start + block.begin as usize;
    let Some(data) = content.data.get(start..start + block.length as usize) else { return };
    let mut bytes = frame(&Message::Piece { piece: block.piece, begin: block.begin, data });
    match input.below(8) {
        0 => bytes = frame(&Message::RejectRequest(block)),
        1 => *bytes.last_mut().expect("a block has data") ^= 1,
        2 => {
            world.bytes(stream, &bytes[..13]);
            let half = block.length / 2;
            world.blank(stream, half);
            return world.blank(stream, block.length - half);
        }
        3 => bytes.truncate(13 + usize::from(input.u16()) % data.len()),
        _ => {}
    }
    for part in input.split(&bytes) {
        world.bytes(stream, part);
    }
}

/// The true answer to a hash request.
pub fn true_hashes(content: &Content, request: HashRequest) -> Vec<u8> {
    let range = HashRange::new(request.base_layer, request.index, request.length, request.proof_layers);
    let hashes = content.tree(&request.pieces_root).and_then(|tree| tree.prove(range?));
    match hashes {
        Some(hashes) => frame(&Message::Hashes(Hashes { request, hashes: &hashes })),
        None => frame(&Message::HashReject(request)),
    }
}

/// The true answer to a request for metadata.
pub fn true_metadata(content: &Content, piece: u32) -> Vec<u8> {
    let info = content.meta.info.raw();
    let begin = piece as usize * METADATA_BLOCK as usize;
    let data = &info[begin.min(info.len())..info.len().min(begin + METADATA_BLOCK as usize)];
    let mut payload = Vec::new();
    MetadataMessage::Data { piece, total_size: info.len() as u32, data }.encode(&mut payload);
    frame(&Message::Extended { id: 1, payload: &payload })
}

/// Answers a request for hashes or metadata: truly, wrongly, or by a reject.
pub fn answer_other(world: &mut World, stream: StreamId, content: &Content, input: &mut Input<'_>) {
    let Some(link) = world.links.get_mut(&stream) else { return };
    let mut bytes = if let Some(request) = link.outbound.hashes.pop() {
        if input.one_in(4) { frame(&Message::HashReject(request)) } else { true_hashes(content, request) }
    } else if let Some(piece) = link.outbound.metadata.pop() {
        true_metadata(content, piece)
    } else {
        return;
    };
    if input.one_in(4) {
        *bytes.last_mut().expect("a message has bytes") ^= 1;
    }
    for part in input.split(&bytes) {
        world.bytes(stream, part);
    }
}

/// The content a stream's peer talks about.
pub fn content(kind: usize) -> &'static Content {
    &CONTENTS[kind % CONTENTS.len()]
}
