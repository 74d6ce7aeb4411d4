//! Hashes of v2 torrents between peers (BEP 52): piece layers a magnet link lacks, and the leaf hashes that name the
//! wrong block of a bad piece.

use super::Torrent;
use crate::peer::Peer;
use crate::shared::{Cx, Shared};
use crate::violation::Violation;
use crate::{BlockDigests, Event};
use std::sync::Arc;
use std::time::Duration;
use throng_machine::{Instant, StreamId};
use throng_wire::ids::PieceIndex;
use throng_wire::merkle::{self, Hash, HashRange, Tree};
use throng_wire::peer::{HashRequest, Hashes, Message};

/// Hashes of a layer asked for at once: what BEP 52 wants every peer to answer.
const CHUNK: u32 = 512;
/// A request not answered by then goes to another peer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Requests under way.
const UNDER_WAY: usize = 8;
/// Peers waiting for leaf hashes that the application computes.
const MAX_WAITING: usize = 16;

/// What is fetched and owed.
#[derive(Default, Debug)]
pub(super) struct HashFetch {
    /// Layers not complete: file, chunks that are here.
    layers: Vec<Layer>,
    /// Leaf hashes wanted: the piece and its blocks' digests as they came.
    leaves: Vec<(u32, Box<[Hash]>)>,
    asked: Vec<(HashRequest, StreamId, Instant)>,
    /// Who waits for leaves of which of our pieces.
    waiting: Vec<(u32, StreamId, HashRequest)>,
    /// The tree over the layer asked for last, so that a chain of requests hashes it once.
    tree: Option<(Hash, Box<Tree>)>,
}

#[derive(Debug)]
struct Layer {
    root: Hash,
    length: u64,
    chunks: Vec<Option<Box<[Hash]>>>,
}

impl HashFetch {
    /// Whether pieces cannot be verified before more hashes are here.
    pub(super) fn lacks_layers(&self) -> bool {
        !self.layers.is_empty()
    }

    /// What was asked of a peer that is gone may be asked of another at once.
    pub(super) fn on_peer_gone(&mut self, stream: StreamId) {
        self.asked.retain(|(_, by, _)| *by != stream);
        self.waiting.retain(|(_, by, _)| *by != stream);
    }

    /// A bad piece was given up: leaves that come for it now would blame the senders of its next copy.
    pub(super) fn forget_leaves(&mut self, piece: u32) {
        self.leaves.retain(|(wanted, _)| *wanted != piece);
    }
}

impl Torrent {
    fn piece_level(&self) -> Option<u32> {
        merkle::piece_level(self.meta.as_ref()?.info.layout().piece_length())
    }

    /// Finds the layers the metadata came without and asks for them; v1 hashes make them unnecessary.
    pub(super) fn ask_layers(&mut self, cx: &mut Cx<'_>) {
        let Some(meta) = self.meta.clone().filter(|meta| meta.info.v1_pieces().is_none()) else { return };
        let layout = meta.info.layout();
        for index in meta.layers.missing(layout) {
            let file = &layout.files()[index];
            let Some(root) = file.pieces_root else { continue };
            if self.hashes.layers.iter().any(|layer| layer.root == root) {
                continue;
            }
            let hashes = file.length.div_ceil(u64::from(layout.piece_length()));
            let chunks = vec![None; hashes.div_ceil(u64::from(CHUNK)) as usize];
            self.hashes.layers.push(Layer { root, length: file.length, chunks });
        }
        self.retry_hashes(cx);
    }

    /// Asks for what is wanted and not under way.
    pub(super) fn retry_hashes(&mut self, cx: &mut Cx<'_>) {
        for request in self.wanted_hashes() {
            if self.hashes.asked.len() >= UNDER_WAY {
                break;
            }
            if self.hashes.asked.iter().any(|(asked, ..)| *asked == request) {
                continue;
            }
            let Some(stream) = self.whom_to_ask(&request, cx) else { return };
            self.hashes.asked.push((request, stream, cx.now()));
            self.with_peer(stream, |_, peer| peer.send(&Message::HashRequest(request), cx));
        }
    }

    /// Any peer that has hashes, but not one that would testify about its own blocks if others can.
    fn whom_to_ask(&self, request: &HashRequest, cx: &mut Cx<'_>) -> Option<StreamId> {
        let disputed =
            self.hashes.leaves.iter().find(|(piece, _)| self.leaf_request(*piece) == Some(*request));
        let disputed = disputed.and_then(|(piece, _)| self.partials.get(piece));
        let senders: Vec<StreamId> =
            disputed.map(|partial| partial.senders().flatten().collect()).unwrap_or_default();
        let able = self.peers.values().filter(|peer| peer.is_joined() && peer.v2).map(|peer| peer.stream);
        let (partial, impartial): (Vec<_>, Vec<_>) = able.partition(|stream| senders.contains(stream));
        let from = if impartial.is_empty() { partial } else { impartial };
        from.get(cx.rng().below(from.len() as u32) as usize).copied()
    }

    /// Requests not answered in time go to another peer; proofs that do not come are done without.
    pub(super) fn expire_hashes(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let now = cx.now();
        let (late, asked): (Vec<_>, Vec<_>) = std::mem::take(&mut self.hashes.asked)
            .into_iter()
            .partition(|(_, _, at)| now.since(*at) >= PATIENCE);
        self.hashes.asked = asked;
        for (request, ..) in late {
            let wanted =
                self.hashes.leaves.iter().position(|(piece, _)| self.leaf_request(*piece) == Some(request));
            if let Some((piece, leaves)) = wanted.map(|place| self.hashes.leaves.swap_remove(place)) {
                self.refetch_unproved(piece, &leaves, shared, cx);
            }
        }
    }

    fn wanted_hashes(&self) -> Vec<HashRequest> {
        let Some(level) = self.piece_level() else { return Vec::new() };
        let layers = self.hashes.layers.iter().flat_map(|layer| {
            let open = (0..layer.chunks.len()).filter(|chunk| layer.chunks[*chunk].is_none());
            open.filter_map(move |chunk| layer_request(layer, level, chunk as u32)).take(UNDER_WAY)
        });
        let leaves = self.hashes.leaves.iter().filter_map(|(piece, _)| self.leaf_request(*piece));
        leaves.chain(layers).collect()
    }

    /// The request for all leaves of one piece, proved up to its file's root.
    fn leaf_request(&self, piece: u32) -> Option<HashRequest> {
        let layout = self.meta.as_ref()?.info.layout();
        let file_index = layout.piece_file(PieceIndex(piece))?;
        let file = &layout.files()[file_index];
        let blocks = (layout.piece_length() / crate::rate::BLOCK)
            .min(u32::try_from(merkle::block_count(file.length)).unwrap_or(u32::MAX).next_power_of_two());
        let index = (piece - layout.piece_range(file_index).start).checked_mul(blocks)?;
        request(file.pieces_root?, HashRange::to_root(0, index, blocks, merkle::height(file.length))?)
    }

    /// A v2 piece is wrong: asks for its leaf hashes; false if nobody can be asked.
    pub(super) fn ask_leaves(&mut self, piece: u32, leaves: Box<[Hash]>, cx: &mut Cx<'_>) -> bool {
        let possible =
            self.leaf_request(piece).is_some() && self.peers.values().any(|peer| peer.is_joined() && peer.v2);
        if possible && self.hashes.leaves.len() < 64 {
            self.hashes.leaves.push((piece, leaves));
            self.retry_hashes(cx);
            return true;
        }
        false
    }

    pub(super) fn on_hashes(
        &mut self,
        peer: &mut Peer,
        hashes: &Hashes<'_>,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        let asked =
            self.hashes.asked.iter().position(|(r, by, _)| (*r, *by) == (hashes.request, peer.stream));
        let Some(index) = asked else { return Ok(()) };
        self.hashes.asked.swap_remove(index);
        let HashRequest { pieces_root: root, base_layer, index, length, proof_layers } = hashes.request;
        let height = self.height_of(&root);
        let proved = HashRange::new(base_layer, index, length, proof_layers)
            .zip(height)
            .is_some_and(|(range, height)| range.verify(hashes.hashes, &root, height));
        if !proved {
            return Err(Violation::Extension);
        }
        // The peer in hand is not in the map: were it the liar, it must be found all the same.
        self.blame.remember(peer);
        let (base, _) = hashes.parts();
        // With pieces of one block the piece layer is the leaves; leaves alone are never asked for then.
        if self.piece_level() == Some(base_layer) {
            self.on_layer_chunk(&root, index / CHUNK, base, shared, cx);
        } else {
            self.on_leaves(&root, hashes.request, base, shared, cx);
        }
        Ok(())
    }

    fn height_of(&self, root: &Hash) -> Option<u32> {
        let files = self.meta.as_ref()?.info.layout().files();
        files
            .iter()
            .find(|file| file.pieces_root.as_ref() == Some(root))
            .map(|file| merkle::height(file.length))
    }

    fn on_layer_chunk(
        &mut self,
        root: &Hash,
        chunk: u32,
        hashes: &[Hash],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let Some(place) = self.hashes.layers.iter().position(|layer| layer.root == *root) else { return };
        let layer = &mut self.hashes.layers[place];
        if let Some(slot) = layer.chunks.get_mut(chunk as usize) {
            *slot = Some(hashes.into());
        }
        if layer.chunks.iter().all(Option::is_some)
            && let Some(meta) = &mut self.meta
        {
            let layer = self.hashes.layers.swap_remove(place);
            let piece_length = u64::from(meta.info.layout().piece_length());
            let mut whole: Vec<Hash> = layer.chunks.into_iter().flatten().flat_map(Vec::from).collect();
            whole.truncate(layer.length.div_ceil(piece_length) as usize);
            let changed = Arc::make_mut(meta);
            if changed
                .layers
                .insert(layer.root, layer.length, changed.info.layout(), whole.as_flattened())
                .is_ok()
            {
                cx.emit(Event::PieceLayer(self.content, layer.root, whole));
            }
        }
        self.retry_hashes(cx);
        self.fill_all(shared, cx);
    }

    /// The true leaves of a bad piece: the blocks that differ are fetched again, their senders shut out.
    fn on_leaves(
        &mut self,
        _root: &Hash,
        answered: HashRequest,
        right: &[Hash],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let wanted =
            self.hashes.leaves.iter().position(|(piece, _)| self.leaf_request(*piece) == Some(answered));
        let Some(place) = wanted else { return };
        let (piece, came) = self.hashes.leaves.swap_remove(place);
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        let mut liars: Vec<StreamId> = Vec::new();
        let senders: Vec<Option<StreamId>> = partial.senders().collect();
        for (index, (came, right)) in came.iter().zip(right).enumerate() {
            if came != right {
                partial.reset(index as u32);
                liars.extend(senders.get(index).copied().flatten());
            }
        }
        liars.sort_unstable();
        liars.dedup();
        if liars.is_empty() {
            // Every block is right and the piece is not: our own copy was damaged; fetch all of it again.
            self.drop_partial(piece, shared);
            cx.emit(Event::DropPiece(self.content, piece));
        }
        for liar in liars {
            self.shut_out(liar, shared, cx);
        }
        self.fill_all(shared, cx);
    }

    pub(super) fn on_hash_reject(
        &mut self,
        peer: &mut Peer,
        request: HashRequest,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        let asked = self.hashes.asked.iter().position(|(r, by, _)| (*r, *by) == (request, peer.stream));
        let Some(index) = asked else { return Ok(()) };
        self.hashes.asked.swap_remove(index);
        self.blame.remember(peer);
        // A peer that serves no hashes is not asked again; without leaves the whole piece is fetched again.
        peer.v2 = false;
        let refused =
            self.hashes.leaves.iter().position(|(piece, _)| self.leaf_request(*piece) == Some(request));
        if let Some((piece, leaves)) = refused.map(|place| self.hashes.leaves.swap_remove(place))
            && !self.ask_leaves(piece, leaves.clone(), cx)
        {
            self.refetch_unproved(piece, &leaves, shared, cx);
        }
        Ok(())
    }

    /// The last peer that could prove leaves is gone: bad pieces do not wait for another.
    pub(super) fn give_up_leaves(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        if self.peers.values().any(|peer| peer.is_joined() && peer.v2) {
            return;
        }
        for (piece, leaves) in std::mem::take(&mut self.hashes.leaves) {
            self.refetch_unproved(piece, &leaves, shared, cx);
        }
    }

    /// Nobody proves leaves: compare copies as for v1.
    pub(super) fn refetch_unproved(
        &mut self,
        piece: u32,
        leaves: &[Hash],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let Some(partial) = self.partials.get(&piece) else { return };
        let senders: Vec<StreamId> = partial.senders().flatten().collect();
        self.refetch(piece, &short(leaves), &senders, shared, cx);
    }

    /// A peer asks for hashes.
    pub(super) fn on_hash_request(
        &mut self,
        peer: &mut Peer,
        request: HashRequest,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        request.validate()?;
        if peer.unflushed > 1 << 20 {
            peer.send(&Message::HashReject(request), cx);
            return Ok(());
        }
        if request.base_layer == 0
            && let Some(piece) = self.piece_of_leaves(&request)
            && self.have.has(piece)
            && self.hashes.waiting.len() < MAX_WAITING
        {
            if !self.hashes.waiting.iter().any(|(wanted, ..)| *wanted == piece) {
                cx.emit(Event::LeafHashesWanted(self.content, piece));
            }
            self.hashes.waiting.push((piece, peer.stream, request));
            return Ok(());
        }
        match self.layer_answer(&request) {
            Some(hashes) => peer.send(&Message::Hashes(Hashes { request, hashes: &hashes }), cx),
            None => peer.send(&Message::HashReject(request), cx),
        }
        Ok(())
    }

    fn piece_of_leaves(&self, request: &HashRequest) -> Option<u32> {
        let layout = self.meta.as_ref()?.info.layout();
        let file = layout.files().iter().position(|file| file.pieces_root == Some(request.pieces_root))?;
        let range = layout.piece_range(file);
        let blocks = layout.piece_length() / crate::rate::BLOCK;
        let inside = request.index / blocks;
        let fits = request.length <= blocks && inside < range.len() as u32;
        fits.then(|| range.start + inside)
    }

    /// The layer tree of a file: built once for a chain of requests.
    fn tree_of(&mut self, root: &Hash) -> Option<&Tree> {
        if self.hashes.tree.as_ref().is_none_or(|(of, _)| of != root) {
            let layer = self.meta.as_ref()?.layers.layer(root)?;
            let tree = Tree::new(layer, self.piece_level()?);
            self.hashes.tree = Some((*root, Box::new(tree)));
        }
        self.hashes.tree.as_ref().map(|(_, tree)| &**tree)
    }

    fn layer_answer(&mut self, request: &HashRequest) -> Option<Vec<Hash>> {
        let HashRequest { base_layer, index, length, proof_layers, .. } = *request;
        let range = HashRange::new(base_layer, index, length, proof_layers)?;
        self.tree_of(&request.pieces_root)?.prove(range)
    }

    /// The application computed leaves of one of our pieces: answer who waits.
    pub(crate) fn leaf_hashes(&mut self, piece: u32, leaves: &[Hash], cx: &mut Cx<'_>) {
        let (mine, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.hashes.waiting).into_iter().partition(|(wanted, ..)| *wanted == piece);
        self.hashes.waiting = rest;
        for (_, stream, request) in mine {
            let answer = self.leaf_answer(piece, leaves, &request);
            self.with_peer(stream, |_, peer| match &answer {
                Some(hashes) => peer.send(&Message::Hashes(Hashes { request, hashes }), cx),
                None => peer.send(&Message::HashReject(request), cx),
            });
        }
    }

    fn leaf_answer(&mut self, piece: u32, leaves: &[Hash], request: &HashRequest) -> Option<Vec<Hash>> {
        let layout = self.meta.as_ref()?.info.layout();
        let file_index = layout.piece_file(PieceIndex(piece))?;
        let inside = piece - layout.piece_range(file_index).start;
        let length = layout.files()[file_index].length;
        let range = HashRange::new(0, request.index, request.length, request.proof_layers)?;
        if length <= u64::from(layout.piece_length()) {
            return Tree::with_top(leaves, 0, merkle::height(length)).prove(range);
        }
        let piece_tree = Tree::with_top(leaves, 0, self.piece_level()?);
        self.tree_of(&request.pieces_root)?.prove_below(&piece_tree, inside, range)
    }
}

fn layer_request(layer: &Layer, level: u32, chunk: u32) -> Option<HashRequest> {
    let height = merkle::height(layer.length);
    // A layer of less than a chunk is as wide as its tree.
    let width = 1u32.checked_shl(height.checked_sub(level)?)?.min(CHUNK);
    request(layer.root, HashRange::to_root(level, chunk.checked_mul(CHUNK)?, width, height)?)
}

fn request(root: Hash, range: HashRange) -> Option<HashRequest> {
    Some(HashRequest {
        pieces_root: root,
        base_layer: range.level(),
        index: range.index(),
        length: range.length(),
        proof_layers: range.proof_layers(),
    })
}

fn short(leaves: &[Hash]) -> Box<[u64]> {
    leaves.iter().map(|leaf| u64::from_be_bytes(leaf.first_chunk().copied().unwrap_or_default())).collect()
}

/// The digests of a piece in the form that copies are compared in.
pub(super) fn comparable(digests: &BlockDigests) -> Box<[u64]> {
    match digests {
        BlockDigests::Short(digests) => digests.clone(),
        BlockDigests::Leaves(leaves) => short(leaves),
    }
}
