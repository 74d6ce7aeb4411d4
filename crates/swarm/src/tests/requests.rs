//! Asking for blocks and placing them.

use super::*;
use std::time::Duration;
use throng_machine::Extent;

#[test]
fn an_unchoke_brings_requests_for_whole_blocks_of_as_few_pieces_as_possible() {
    let mut bench = Bench::leech(8);
    let (_, blocks) = bench.unchoked_seed(1);
    assert_eq!(blocks.len(), 4);
    let pieces: std::collections::BTreeSet<u32> = blocks.iter().map(|block| block.piece).collect();
    assert_eq!(pieces.len(), 2);
    let last = metainfo(8).info.layout().piece_len(throng_wire::ids::PieceIndex(7));
    for block in blocks {
        let short = block.piece == 7 && block.begin == BLOCK;
        assert_eq!(block.length, if short { last - BLOCK } else { BLOCK });
    }
}

#[test]
fn data_cut_at_any_byte_is_placed_where_it_belongs() {
    for cut in [1, 12, 13, 14, 5_000, BLOCK as usize + 12] {
        let mut bench = Bench::leech(8);
        let (stream, blocks) = bench.unchoked_seed(1);
        let block = blocks[0];
        let mut bytes = peer::piece_header(block.piece, block.begin, block.length).to_vec();
        bytes.resize(13 + block.length as usize, 1);
        let mut placed = 0u32;
        for part in [&bytes[..cut], &bytes[cut..]] {
            for out in bench.bytes(stream, part) {
                if let Out::Place(Extent { content, offset, len }, at) = out {
                    assert_eq!(content, C);
                    assert_eq!(
                        offset,
                        u64::from(block.piece) * u64::from(2 * BLOCK) + u64::from(block.begin + placed)
                    );
                    assert!(at as usize + len as usize <= part.len());
                    assert!(part[at as usize..at as usize + len as usize].iter().all(|byte| *byte == 1));
                    placed += len;
                }
            }
        }
        assert_eq!(placed, block.length, "cut at {cut}");
    }
}

#[test]
fn a_complete_piece_is_told_once_and_shared_when_verified() {
    let mut bench = Bench::leech(8);
    let (seed, blocks) = bench.unchoked_seed(1);
    let (other, _) = bench.join(2);
    let of_piece: Vec<Block> =
        blocks.iter().copied().filter(|block| block.piece == blocks[0].piece).collect();
    for block in &of_piece {
        bench.deliver(seed, *block);
    }
    let complete = bench.probe.take_events();
    let told = complete
        .iter()
        .filter(|event| matches!(event, Event::PieceComplete(C, piece) if *piece == of_piece[0].piece));
    assert_eq!(told.count(), 1);
    let outs = bench.probe.command(Command::PieceVerified(C, of_piece[0].piece, None));
    assert!(said(&outs, other).contains(&Message::Have(of_piece[0].piece)));
    assert!(!said(&outs, seed).contains(&Message::Have(of_piece[0].piece)), "a seed need not know");
}

#[test]
fn blocks_of_a_peer_that_leaves_or_chokes_are_asked_of_another() {
    let mut bench = Bench::leech(1);
    let (first, blocks) = bench.unchoked_seed(1);
    assert_eq!(blocks.len(), 2);
    let (second, _) = bench.unchoked_seed(2);
    let outs = bench.probe.stream(first, StreamInput::Closed(throng_machine::StreamEnd::Broken));
    let mut again = requests(&said(&outs, second));
    again.sort_unstable();
    // One of them was asked for twice already, as endgame.
    assert!(!again.is_empty() && again.iter().all(|block| blocks.contains(block)), "{again:?}");
}

#[test]
fn the_endgame_asks_twice_and_cancels_what_came() {
    let mut bench = Bench::leech(1);
    let (first, blocks) = bench.unchoked_seed(1);
    let (second, doubled) = bench.unchoked_seed(2);
    assert_eq!(doubled.len(), 1);
    assert!(blocks.contains(&doubled[0]));
    let outs = bench.deliver(first, doubled[0]);
    assert!(said(&outs, second).contains(&Message::Cancel(doubled[0])));
}

#[test]
fn a_snubbing_peer_loses_its_requests_to_others() {
    let mut bench = Bench::leech(1);
    let (first, blocks) = bench.unchoked_seed(1);
    bench.probe.advance(Duration::from_secs(15));
    let (second, _) = bench.unchoked_seed(2);
    bench.say(second, &Message::Choke);
    let outs = bench.probe.advance(Duration::from_secs(10));
    assert!(said(&outs, first).contains(&Message::Cancel(blocks[0])));
}

#[test]
fn when_the_storage_fails_requests_stop_and_begun_pieces_are_fetched_again_later() {
    let mut bench = Bench::leech(8);
    let (stream, blocks) = bench.unchoked_seed(1);
    bench.deliver(stream, blocks[0]);
    let outs = bench.probe.command(Command::StorageFailed(C));
    assert!(said(&outs, stream).iter().all(|message| matches!(message, Message::Cancel(_))));
    let events = bench.probe.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::DropPiece(..))));
    assert!(requests(&bench.say(stream, &Message::Unchoke)).is_empty());
    let outs = bench.probe.command(Command::StorageRecovered(C));
    assert!(requests(&said(&outs, stream)).contains(&blocks[0]), "what was dropped is asked for again");
}

#[test]
fn unwanted_pieces_are_not_asked_for_and_the_rest_finishes() {
    let mut bench = Bench::leech(8);
    bench.probe.command(Command::SetWanted(C, vec![0b0010_0000]));
    let (stream, blocks) = bench.unchoked_seed(1);
    assert!(blocks.iter().all(|block| block.piece == 2) && blocks.len() == 2);
    for block in blocks {
        bench.deliver(stream, block);
    }
    bench.probe.command(Command::PieceVerified(C, 2, None));
    assert!(bench.probe.take_events().iter().any(|event| matches!(event, Event::Finished(C))));
}

#[test]
fn a_download_limit_holds_over_all_peers() {
    let config = Config { download_limit: Some(64 << 10), ..Config::default() };
    let mut bench = Bench::with(config, 200, vec![]);
    let mut waiting: Vec<(StreamId, Block)> = Vec::new();
    let mut streams = Vec::new();
    for id in 1..4 {
        let (stream, blocks) = bench.unchoked_seed(id);
        waiting.extend(blocks.into_iter().map(|block| (stream, block)));
        streams.push(stream);
    }
    let mut delivered = 0u64;
    for _ in 0..100 {
        let mut outs = Vec::new();
        for (stream, block) in std::mem::take(&mut waiting) {
            delivered += u64::from(block.length);
            outs.extend(bench.deliver(stream, block));
        }
        outs.extend(bench.probe.advance(Duration::from_millis(100)));
        for stream in &streams {
            waiting.extend(requests(&said(&outs, *stream)).into_iter().map(|block| (*stream, block)));
        }
    }
    // Ten seconds at 64 KiB/s, and the burst of two blocks.
    assert!((600 << 10..760 << 10).contains(&delivered), "{delivered}");
}

#[test]
fn padding_of_a_hybrid_torrent_is_not_asked_for() {
    let meta = hybrid();
    let mut probe = Probe::new(Swarm::new(Config::default(), 1));
    probe.command(Command::Add(Box::new(add(&meta, vec![]))));
    let mut bench = Bench { probe, meta };
    let (_, mut blocks) = bench.unchoked_seed(1);
    blocks.sort_unstable();
    let lengths: Vec<(u32, u32)> = blocks.iter().map(|block| (block.piece, block.length)).collect();
    assert_eq!(lengths, [(0, 100), (1, BLOCK), (1, 1)]);
}
