//! Pieces from the network to the disk, right and wrong, without a clock: tests wait for the workers.

use super::*;
use crate::storage::tests::torrent;
use crate::storage::{Class, Options, Storage};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use throng_machine::{ContentId, Extent};
use throng_swarm::BlockDigests;
use throng_wire::metainfo::{Format, Metainfo};

const CONTENT: ContentId = ContentId(7);
const FILES: [(&str, u64); 3] = [("a", 100_000), ("b", 30_000), ("c", 200_000)];

struct Bench {
    assembly: Assembly,
    storage: Arc<Storage>,
    data: Vec<u8>,
    wakes: Arc<AtomicU32>,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new(format: Format) -> Bench {
        let (metainfo, data) = torrent(format, 65_536, &FILES);
        Bench::with(metainfo, data, Options::default())
    }

    fn with(metainfo: Arc<Metainfo>, data: Vec<u8>, options: Options) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let storage = Arc::new(Storage::open(metainfo, dir.path(), options).unwrap());
        let wakes = Arc::new(AtomicU32::new(0));
        let count = wakes.clone();
        let wake = move || _ = count.fetch_add(1, Ordering::SeqCst);
        let mut assembly = Assembly::new(AssemblyOptions { workers: 2, budget: 1 << 20 }, wake).unwrap();
        assembly.add(CONTENT, storage.clone());
        Bench { assembly, storage, data, wakes, _dir: dir }
    }

    /// Places what peers would send of a piece: 16 KiB blocks, last one first, no padding.
    fn place(&mut self, piece: u32) {
        let range = self.storage.files().map().piece_range(piece);
        let starts: Vec<u64> = range.clone().step_by(16_384).collect();
        for &start in starts.iter().rev() {
            let end = (start + 16_384).min(range.end);
            let stored = self.storage.files().map().spans(start, end - start).next().unwrap().file.is_some();
            if stored {
                let bytes = self.data[start as usize..end as usize].to_vec();
                self.put(start, &bytes).unwrap();
            }
        }
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Misplaced> {
        self.assembly.place(Extent { content: CONTENT, offset, len: bytes.len() as u32 }, bytes)
    }

    fn complete(&mut self, piece: u32) -> Outcome {
        self.assembly.complete(CONTENT, piece).unwrap();
        self.assembly.wait();
        let completion = self.assembly.poll().unwrap();
        assert_eq!((completion.content, completion.piece), (CONTENT, piece));
        assert!(self.assembly.poll().is_none());
        completion.outcome
    }
}

#[test]
fn whole_pieces_are_verified_and_stored_in_every_format() {
    for format in [Format::V1, Format::V2, Format::Hybrid] {
        let mut bench = Bench::new(format);
        for piece in 0..bench.storage.piece_count() {
            bench.place(piece);
            assert!(matches!(bench.complete(piece), Outcome::Verified(None)), "{format:?} {piece}");
        }
        let mut stored = vec![1; bench.data.len()];
        bench.storage.read(0, &mut stored).unwrap();
        assert!(stored == bench.data);
        assert_eq!(bench.assembly.pool().status().used, 0);
        assert!(bench.wakes.load(Ordering::SeqCst) > 0);
    }
}

#[test]
fn a_wrong_block_is_refetched_alone_and_its_digest_differs() {
    for format in [Format::V1, Format::Hybrid] {
        let mut bench = Bench::new(format);
        bench.place(0);
        bench.put(20_000, &[0xee; 100]).unwrap();
        let Outcome::Rejected(wrong) = bench.complete(0) else { panic!("it is wrong") };
        assert!(!bench.storage.stored().contains(0));
        let good = bench.data[16_384..32_768].to_vec();
        bench.put(16_384, &good).unwrap();
        let Outcome::Verified(Some(right)) = bench.complete(0) else { panic!("digests were due") };
        let differ: Vec<bool> = match (wrong, right) {
            (BlockDigests::Short(a), BlockDigests::Short(b)) => {
                a.iter().zip(&b).map(|(a, b)| a != b).collect()
            }
            (BlockDigests::Leaves(a), BlockDigests::Leaves(b)) => {
                a.iter().zip(&b).map(|(a, b)| a != b).collect()
            }
            _ => panic!("digests of one kind"),
        };
        assert_eq!(differ, [false, true, false, false]);
        assert!(bench.storage.stored().contains(0));
    }
}

#[test]
fn digests_are_given_even_if_the_wrong_copy_was_dropped() {
    let mut bench = Bench::new(Format::V1);
    bench.place(1);
    bench.put(70_000, &[0xee; 100]).unwrap();
    assert!(matches!(bench.complete(1), Outcome::Rejected(_)));
    bench.assembly.drop_piece(CONTENT, 1);
    assert_eq!(bench.assembly.pool().status().used, 0);
    bench.place(1);
    assert!(matches!(bench.complete(1), Outcome::Verified(Some(_))));
}

#[test]
fn memory_used_before_does_not_show_through_padding() {
    let mut bench = Bench::new(Format::Hybrid);
    bench.put(0, &[0xff; 65_536]).unwrap();
    bench.assembly.drop_piece(CONTENT, 0);
    // The last piece of `a` ends in padding that nobody sends.
    bench.place(1);
    assert!(matches!(bench.complete(1), Outcome::Verified(None)));
}

#[test]
fn bytes_that_belong_nowhere_are_refused() {
    let mut bench = Bench::new(Format::V1);
    let total = bench.data.len() as u64;
    assert_eq!(bench.put(total, &[1]), Err(Misplaced));
    assert_eq!(bench.put(u64::MAX, &[1]), Err(Misplaced));
    assert_eq!(bench.put(65_535, &[1, 2]), Err(Misplaced), "across two pieces");
    let stranger = Extent { content: ContentId(8), offset: 0, len: 1 };
    assert_eq!(bench.assembly.place(stranger, &[1]), Err(Misplaced));
    assert_eq!(bench.assembly.complete(CONTENT, 99), Err(Misplaced));
    assert_eq!(bench.assembly.pool().status().used, 0);
}

#[test]
fn the_budget_is_seen_and_late_blocks_of_whole_pieces_take_no_memory() {
    let mut bench = Bench::new(Format::V1);
    assert!(!bench.assembly.is_full());
    bench.place(0);
    bench.complete(0);
    bench.place(0);
    assert_eq!(bench.assembly.pool().status().used, 0);
    bench.assembly.remove(CONTENT);
    assert_eq!(bench.put(0, &[1]), Err(Misplaced));
}

#[test]
fn a_piece_that_cannot_be_stored_is_reported_and_forgotten() {
    let (metainfo, data) = torrent(Format::V1, 65_536, &FILES);
    let mut bench = Bench::with(metainfo, data, Options { read_only: true, ..Options::default() });
    bench.place(0);
    let Outcome::Failed(error) = bench.complete(0) else { panic!("it cannot be written") };
    assert_eq!(error.class, Class::Denied);
    assert_eq!(bench.assembly.pool().status().used, 0);
}

#[test]
fn what_workers_finish_for_a_removed_content_is_not_reported() {
    let mut bench = Bench::new(Format::V1);
    bench.place(0);
    bench.assembly.complete(CONTENT, 0).unwrap();
    bench.assembly.remove(CONTENT);
    bench.assembly.wait();
    assert!(bench.assembly.poll().is_none());
    assert!(bench.storage.stored().contains(0), "but it is stored");
}
