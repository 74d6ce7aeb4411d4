//! Sources outside BitTorrent: long runs that peers are not asked for, and the same justice.

use super::*;
use crate::BlockDigests;
use std::time::Duration;
use throng_machine::Extent;

const S: SourceId = SourceId(1);
const T: SourceId = SourceId(2);
const PIECE: u64 = 2 * BLOCK as u64;

impl Bench {
    fn add_source(&mut self, source: SourceId) -> Option<(u64, u64)> {
        self.probe.command(Command::AddSource(C, source, 0..u32::MAX));
        self.asked(source)
    }

    /// The run a source was asked for since the last look.
    fn asked(&mut self, source: SourceId) -> Option<(u64, u64)> {
        let events = self.probe.take_events();
        events.iter().rev().find_map(|event| match event {
            Event::Fetch { source: of, offset, len, .. } if *of == source => Some((*offset, *len)),
            _ => None,
        })
    }

    /// Where a source was told to end since the last look.
    fn told_less(&mut self, source: SourceId) -> Option<u64> {
        let events = self.probe.take_events();
        events.iter().rev().find_map(|event| match event {
            Event::FetchLess { source: of, end, .. } if *of == source => Some(*end),
            _ => None,
        })
    }

    fn feed(&mut self, source: SourceId, len: u64) -> Vec<Out> {
        self.probe.call(|swarm, cx| swarm.source_data((C, source), len as u32, cx))
    }

    fn complete(&mut self) -> Vec<u32> {
        let events = self.probe.take_events();
        events
            .into_iter()
            .filter_map(|event| match event {
                Event::PieceComplete(_, piece) => Some(piece),
                _ => None,
            })
            .collect()
    }
}

fn places(outs: &[Out]) -> Vec<(u64, u32, u32)> {
    outs.iter()
        .filter_map(|out| match out {
            Out::Place(Extent { offset, len, .. }, at) => Some((*offset, *len, *at)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_source_is_asked_for_a_long_run_and_peers_for_the_rest() {
    let mut bench = Bench::leech(64);
    assert_eq!(bench.add_source(S), Some((0, 32 * PIECE)), "a mebibyte before anything is measured");
    let (_, asked) = bench.unchoked_seed(1);
    assert!(!asked.is_empty() && asked.iter().all(|block| block.piece >= 32), "{asked:?}");
}

#[test]
fn what_a_source_sends_is_placed_however_it_is_cut_and_completes_pieces() {
    let mut bench = Bench::leech(2);
    assert_eq!(bench.add_source(S), Some((0, 2 * PIECE - 100)));
    let first = bench.feed(S, 20_000);
    let block = u64::from(BLOCK);
    assert_eq!(places(&first), [(0, BLOCK, 0), (block, 20_000 - BLOCK, BLOCK)]);
    assert_eq!(bench.complete(), [0u32; 0]);
    let second = bench.feed(S, 2 * PIECE - 100 - 20_000);
    assert_eq!(places(&second).iter().map(|(_, len, _)| u64::from(*len)).sum::<u64>(), 2 * PIECE - 20_100);
    assert_eq!(bench.complete(), [0, 1]);
}

#[test]
fn a_source_that_fails_gives_back_what_it_has_not_sent_and_keeps_what_it_has() {
    let mut bench = Bench::leech(2);
    bench.add_source(S);
    bench.feed(S, u64::from(BLOCK) + 7);
    bench.probe.command(Command::SourceFailed(C, S));
    assert_eq!(bench.asked(S), None, "it is asked when it is ready again");
    let (peer, mut asked) = bench.unchoked_seed(1);
    asked.sort_unstable();
    assert_eq!(
        asked.iter().map(|block| (block.piece, block.begin)).collect::<Vec<_>>(),
        [(0, BLOCK), (1, 0), (1, BLOCK)]
    );
    for block in asked {
        bench.deliver(peer, block);
    }
    assert_eq!(bench.complete(), [0, 1]);
}

#[test]
fn a_piece_that_peers_left_half_done_is_finished_by_a_source_from_where_it_is_open() {
    let mut bench = Bench::leech(1);
    let (peer, mut asked) = bench.unchoked_seed(1);
    asked.sort_unstable();
    bench.deliver(peer, asked[0]);
    bench.probe.stream(peer, StreamInput::Closed(throng_machine::StreamEnd::Broken));
    let (offset, len) = bench.add_source(S).unwrap();
    assert_eq!((offset, len), (u64::from(BLOCK), PIECE - 100 - u64::from(BLOCK)));
    bench.feed(S, len);
    assert_eq!(bench.complete(), [0]);
}

#[test]
fn a_source_that_sends_a_wrong_piece_is_named_and_asked_nothing_more() {
    let mut bench = Bench::leech(2);
    bench.add_source(S);
    bench.feed(S, 2 * PIECE - 100);
    bench.complete();
    bench.probe.command(Command::SourceReady(C, S));
    bench.probe.command(Command::PieceRejected(C, 0, BlockDigests::Short([1, 2].into())));
    let events = bench.probe.take_events();
    let named = |event: &Event| matches!(event, Event::SourceShutOut { source, .. } if *source == S);
    assert_eq!(events.iter().filter(|event| named(event)).count(), 1);
    assert!(!events.iter().any(|event| matches!(event, Event::Fetch { .. })));
    assert!(bench.add_source(T).is_some(), "another source is asked for it");
}

#[test]
fn of_a_source_and_a_peer_only_the_one_whose_block_differs_is_shut_out() {
    let mut bench = Bench::leech(1);
    let (honest, mut asked) = bench.unchoked_seed(1);
    asked.sort_unstable();
    bench.deliver(honest, asked[0]);
    bench.probe.command(Command::AddSource(C, S, 0..1));
    let (offset, len) = bench.asked(S).unwrap();
    assert_eq!(offset, u64::from(BLOCK), "what the peer is slow with");
    bench.feed(S, len);
    assert_eq!(bench.complete(), [0]);
    bench.probe.command(Command::PieceRejected(C, 0, BlockDigests::Short([10, 66].into())));
    assert_eq!(bench.bans(), []);
    bench.probe.command(Command::PieceVerified(C, 0, Some(BlockDigests::Short([10, 11].into()))));
    let events = bench.probe.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::SourceShutOut { source: S, .. })), "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, Event::Banned { .. })));
}

#[test]
fn a_peer_with_nothing_left_takes_the_end_of_a_run_and_its_source_is_told() {
    let mut bench = Bench::leech(8);
    bench.add_source(S);
    bench.feed(S, 100);
    let (_, asked) = bench.unchoked_seed(1);
    assert!(asked.iter().any(|block| block.piece == 7), "{asked:?}");
    let least = asked.iter().map(|block| block.piece).min().unwrap();
    assert_eq!(bench.told_less(S), Some(u64::from(least) * PIECE));
}

#[test]
fn an_idle_source_takes_over_half_of_what_a_slower_one_has_not_begun() {
    let mut bench = Bench::leech(9);
    bench.add_source(S);
    bench.feed(S, 100);
    bench.probe.now = bench.probe.now + Duration::from_secs(5);
    bench.probe.command(Command::AddSource(C, T, 0..u32::MAX));
    let events = bench.probe.take_events();
    let run = events.iter().find_map(|event| match event {
        Event::Fetch { source: T, offset, len, .. } => Some((*offset, *len)),
        _ => None,
    });
    assert_eq!(run, Some((5 * PIECE, 4 * PIECE - 100)));
    let less = |event: &Event| matches!(event, Event::FetchLess { source: S, end, .. } if *end == 5 * PIECE);
    assert!(events.iter().any(less), "{events:?}");
}

#[test]
fn of_two_sources_the_faster_is_asked_for_more() {
    let mut bench = Bench::leech(8_192);
    let runs = [(S, 6u64), (T, 1)].map(|(source, mebibytes)| {
        let (_, mut left) = bench.add_source(source).unwrap();
        for _ in 0..10 {
            bench.probe.now = bench.probe.now + Duration::from_secs(1);
            let mut rest = mebibytes << 20;
            while rest > 0 {
                let now = rest.min(left);
                bench.feed(source, now);
                (rest, left) = (rest - now, left - now);
                if left == 0 {
                    bench.probe.command(Command::SourceReady(C, source));
                    left = bench.asked(source).unwrap().1;
                }
            }
        }
        bench.probe.command(Command::SourceReady(C, source));
        bench.asked(source).unwrap().1
    });
    assert!(runs[0] > 2 * runs[1], "{runs:?}");
}

#[test]
fn a_silent_source_holds_nothing_up() {
    let mut bench = Bench::leech(2);
    bench.add_source(S);
    bench.feed(S, 100);
    bench.probe.advance(Duration::from_secs(22));
    assert_eq!(bench.told_less(S), Some(100));
    let (_, asked) = bench.unchoked_seed(1);
    assert_eq!(asked.len(), 4);
}

#[test]
fn sources_are_asked_for_nothing_that_is_not_wanted_or_while_the_storage_fails() {
    let mut bench = Bench::leech(64);
    bench.probe.command(Command::SetWanted(C, vec![0, 0xff, 0, 0, 0, 0, 0, 0]));
    assert_eq!(bench.add_source(S), Some((8 * PIECE, 8 * PIECE)));
    bench.feed(S, 5);
    bench.probe.command(Command::StorageFailed(C));
    assert_eq!(bench.told_less(S), Some(8 * PIECE + 5));
    bench.probe.command(Command::SourceReady(C, S));
    assert_eq!(bench.asked(S), None);
    bench.probe.command(Command::StorageRecovered(C));
    assert_eq!(bench.asked(S), Some((8 * PIECE, 8 * PIECE)));
}

#[test]
fn the_download_limit_holds_for_sources_too() {
    let config = Config { download_limit: Some(1 << 20), ..Config::default() };
    let mut bench = Bench::with(config, 256, vec![]);
    let (_, len) = bench.add_source(S).unwrap();
    bench.feed(S, len);
    assert!(bench.probe.machine.download_opens_at().is_some_and(|at| at > bench.probe.now));
    bench.probe.command(Command::SourceReady(C, S));
    assert_eq!(bench.asked(S), None, "the limit is used up");
    bench.probe.advance(Duration::from_secs(2));
    assert!(bench.asked(S).is_some());
}
