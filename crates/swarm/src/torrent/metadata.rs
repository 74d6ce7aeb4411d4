//! The info dictionary from peers (BEP 9), checked against the magnet link's hash; and the dispatch of extensions.

use super::Torrent;
use super::connect::{DONT_HAVE_ID, EXCHANGE_ID, METADATA_ID};
use crate::Event;
use crate::peer::Peer;
use crate::shared::{Cx, Shared};
use crate::violation::Violation;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use throng_machine::{Instant, StreamId};
use throng_wire::ids::{InfoHashV1, InfoHashV2};
use throng_wire::peer::{HANDSHAKE_ID, METADATA_BLOCK, Message, MetadataMessage, decode_dont_have};

/// A block asked of a peer that does not answer is asked of another after this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Blocks under way at one peer.
const UNDER_WAY: usize = 4;

/// Metadata being fetched. Memory is claimed by blocks that came, not by a size somebody claims.
#[derive(Default, Debug)]
pub(super) struct MetadataFetch {
    size: u32,
    blocks: Vec<Option<Box<[u8]>>>,
    asked: Vec<(u32, StreamId, Instant)>,
    done: bool,
    /// Fetching starts over with another claimed size after a wrong hash; peers who took part are out.
    wrong: Vec<StreamId>,
    /// Peers who did not answer in time: asked again only when there is nobody else.
    late: Vec<StreamId>,
    senders: Vec<StreamId>,
}

impl MetadataFetch {
    pub(super) fn on_peer_gone(&mut self, stream: StreamId) {
        self.asked.retain(|(_, by, _)| *by != stream);
        self.late.retain(|late| *late != stream);
    }

    /// Whether this peer may be asked.
    fn trusts(&self, peer: &Peer) -> bool {
        let told = peer.told.metadata.is_some() && peer.told.metadata_size.is_some();
        told && peer.is_joined() && !self.wrong.contains(&peer.stream) && !self.late.contains(&peer.stream)
    }

    /// Puts requests aside that took too long, and gives up a size that nobody who may be asked claims.
    fn expire(&mut self, peers: &BTreeMap<StreamId, Box<Peer>>, now: Instant) {
        let (asked, late): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.asked).into_iter().partition(|(_, _, at)| now.since(*at) < PATIENCE);
        self.asked = asked;
        for (_, stream, _) in late {
            if !self.late.contains(&stream) {
                self.late.push(stream);
            }
        }
        if !peers.values().any(|peer| self.trusts(peer)) {
            self.late.clear();
        }
        let claimed = |peer: &Peer| peer.told.metadata_size == Some(self.size) && self.trusts(peer);
        if self.asked.is_empty() && !peers.values().any(|peer| claimed(peer)) {
            self.size = 0;
        }
    }

    fn begin(&mut self, size: u32) {
        *self = MetadataFetch {
            size,
            blocks: vec![None; size.div_ceil(METADATA_BLOCK) as usize],
            wrong: std::mem::take(&mut self.wrong),
            late: std::mem::take(&mut self.late),
            ..MetadataFetch::default()
        };
    }

    /// The next block nobody was asked for.
    fn next(&self) -> Option<u32> {
        let open = |index: &u32| {
            self.blocks[*index as usize].is_none() && !self.asked.iter().any(|(asked, ..)| asked == index)
        };
        (0..self.blocks.len() as u32).find(open)
    }
}

impl Torrent {
    pub(super) fn on_extended(
        &mut self,
        peer: &mut Peer,
        id: u8,
        payload: &[u8],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        match id {
            HANDSHAKE_ID => self.on_extended_handshake(peer, payload, shared, cx),
            METADATA_ID => self.on_metadata(peer, payload, cx),
            EXCHANGE_ID => self.on_exchange(peer, payload, shared, cx),
            DONT_HAVE_ID => self.on_dont_have(peer, payload, cx),
            _ => Ok(()),
        }
    }

    fn on_dont_have(&mut self, peer: &mut Peer, payload: &[u8], cx: &mut Cx<'_>) -> Result<(), Violation> {
        let piece = decode_dont_have(payload)?;
        if peer.pieces.remove(piece) {
            let count = &mut self.availability[piece as usize];
            *count = count.saturating_sub(1);
            peer.useful = peer.useful.saturating_sub(u32::from(self.wants(piece)));
            self.update_interest(peer, cx);
        }
        Ok(())
    }

    /// Asks a peer for metadata blocks if we lack them and it has them.
    pub(super) fn ask_metadata(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) {
        let (Some(id), Some(size)) = (peer.told.metadata, peer.told.metadata_size) else { return };
        let fetch = &mut self.metadata;
        if self.meta.is_some() || fetch.done || !fetch.trusts(peer) {
            return;
        }
        if fetch.size == 0 {
            fetch.begin(size);
        }
        while fetch.size == size
            && fetch.asked.iter().filter(|(_, by, _)| *by == peer.stream).count() < UNDER_WAY
            && let Some(piece) = fetch.next()
        {
            fetch.asked.push((piece, peer.stream, cx.now()));
            send_metadata(peer, id, &MetadataMessage::Request { piece }, cx);
        }
    }

    fn on_metadata(&mut self, peer: &mut Peer, payload: &[u8], cx: &mut Cx<'_>) -> Result<(), Violation> {
        match MetadataMessage::decode(payload)? {
            MetadataMessage::Request { piece } => self.serve_metadata(peer, piece, cx),
            MetadataMessage::Data { piece, total_size, data } => {
                self.on_metadata_block(peer, piece, total_size, data, cx);
            }
            MetadataMessage::Reject { .. } => {
                self.metadata.on_peer_gone(peer.stream);
                peer.told.metadata = None;
            }
            MetadataMessage::Unknown => {}
        }
        Ok(())
    }

    fn serve_metadata(&mut self, peer: &mut Peer, piece: u32, cx: &mut Cx<'_>) {
        let Some(id) = peer.told.metadata else { return };
        let block = self.meta.as_ref().and_then(|meta| {
            let info = meta.info.raw();
            let begin = (piece as usize).checked_mul(METADATA_BLOCK as usize)?;
            let end = info.len().min(begin.checked_add(METADATA_BLOCK as usize)?);
            Some((info.len() as u32, info.slice(begin.min(end)..end))).filter(|(_, block)| !block.is_empty())
        });
        // One slow reader must not make us hold the metadata many times over.
        match block.filter(|_| peer.unflushed < 1 << 20) {
            Some((total_size, data)) => {
                send_metadata(peer, id, &MetadataMessage::Data { piece, total_size, data: &data }, cx);
            }
            None => send_metadata(peer, id, &MetadataMessage::Reject { piece }, cx),
        }
    }

    fn on_metadata_block(&mut self, peer: &mut Peer, piece: u32, size: u32, data: &[u8], cx: &mut Cx<'_>) {
        let fetch = &mut self.metadata;
        // Late or not, it answers now.
        fetch.late.retain(|late| *late != peer.stream);
        let asked = fetch.asked.iter().position(|(asked, by, _)| (*asked, *by) == (piece, peer.stream));
        let Some(index) = asked.filter(|_| size == fetch.size && !fetch.done) else { return };
        fetch.asked.swap_remove(index);
        fetch.blocks[piece as usize] = Some(data.into());
        if !fetch.senders.contains(&peer.stream) {
            fetch.senders.push(peer.stream);
        }
        if fetch.blocks.iter().all(Option::is_some) {
            self.metadata_complete(cx);
        } else {
            self.ask_metadata(peer, cx);
        }
    }

    fn metadata_complete(&mut self, cx: &mut Cx<'_>) {
        let blocks = std::mem::take(&mut self.metadata.blocks);
        let info: Vec<u8> = blocks.into_iter().flatten().flat_map(Vec::from).collect();
        let right = match self.info_hash_v2 {
            Some(hash) => InfoHashV2::of(&info).0 == hash,
            None => self.info_hashes.contains(&InfoHashV1::of(&info).0),
        };
        if right {
            self.metadata.done = true;
            cx.emit(Event::Metadata(self.content, Bytes::from(info)));
        } else {
            // Ask only peers that had no part in it; with one sender that is the liar, with several it may be any.
            let senders = std::mem::take(&mut self.metadata.senders);
            self.metadata.wrong.extend(senders);
            self.metadata.wrong.truncate(1_000);
            self.metadata.size = 0;
        }
    }

    /// Asks others for blocks that are long under way.
    pub(super) fn retry_metadata(&mut self, cx: &mut Cx<'_>) {
        if self.meta.is_some() || self.metadata.done {
            return;
        }
        let mut peers = std::mem::take(&mut self.peers);
        self.metadata.expire(&peers, cx.now());
        for peer in peers.values_mut().filter(|peer| peer.is_joined()) {
            self.ask_metadata(peer, cx);
        }
        self.peers = peers;
    }

    /// The metadata is known: take it, apply what peers told before.
    pub(crate) fn set_metainfo(
        &mut self,
        meta: std::sync::Arc<throng_wire::metainfo::Metainfo>,
        have: &[u8],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if self.meta.is_some() {
            return;
        }
        self.adopt(meta, have);
        self.metadata = MetadataFetch { done: true, ..MetadataFetch::default() };
        let streams: Vec<StreamId> =
            self.peers.values().filter(|peer| peer.is_joined()).map(|peer| peer.stream).collect();
        for stream in streams {
            let Some(mut peer) = self.peers.remove(&stream) else { continue };
            if let Err(violation) = self.apply_early(&mut peer, cx) {
                self.punish(&mut peer, violation, shared, cx);
            }
            if peer.closing {
                self.forget(peer, shared, cx);
                continue;
            }
            for piece in self.have.iter() {
                peer.send(&Message::Have(piece), cx);
            }
            self.peers.insert(stream, peer);
        }
        self.ask_layers(cx);
        self.fill_all(shared, cx);
    }
}

fn send_metadata(peer: &mut Peer, id: u8, message: &MetadataMessage<'_>, cx: &mut Cx<'_>) {
    let mut payload = Vec::new();
    message.encode(&mut payload);
    peer.send(&Message::Extended { id, payload: &payload }, cx);
}
