use proptest::prelude::*;

use super::*;

fn leaves(count: u32) -> Vec<Hash> {
    (0..count).map(|index| leaf(&index.to_be_bytes())).collect()
}

/// The definition, word by word: pad to a power of two with zeros, then hash pairs.
fn naive_root(mut row: Vec<Hash>) -> Hash {
    row.resize(row.len().next_power_of_two(), [0; 32]);
    while row.len() > 1 {
        row = row.chunks(2).map(|pair| parent(&pair[0], &pair[1])).collect();
    }
    row[0]
}

#[test]
fn a_file_of_one_block_has_its_hash_as_root() {
    let only = leaf(b"data");
    assert_eq!(root(&[only], 0), only);
    assert_eq!(height(1), 0);
    assert_eq!(height(u64::from(BLOCK_LEN) + 1), 1);
    assert_eq!(height(u64::MAX), MAX_HEIGHT);
}

#[test]
fn pads_are_roots_over_zero_hashes() {
    assert_eq!(pad(0), [0; 32]);
    assert_eq!(pad(3), naive_root(vec![[0; 32]; 8]));
}

#[test]
fn only_powers_of_two_from_16_kib_have_a_piece_level() {
    assert_eq!(piece_level(16 * 1024), Some(0));
    assert_eq!(piece_level(1 << 20), Some(6));
    assert_eq!(piece_level(8 * 1024), None);
    assert_eq!(piece_level(3 * 16 * 1024), None);
}

#[test]
fn the_piece_layer_has_the_same_root_as_the_leaves() {
    for count in [5u32, 8, 9, 16, 17, 100] {
        let leaves = leaves(count);
        let layer = piece_layer(&leaves, 2);
        assert_eq!(layer.len(), count.div_ceil(4) as usize);
        assert_eq!(root(&layer, 2), naive_root(leaves));
    }
}

#[test]
fn malformed_ranges_are_refused() {
    for (level, index, length, layers) in [
        (0, 0, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 3, 0),
        (0, 1, 2, 0),
        (0, 0, 16_384, 0),
        (51, 0, 2, 0),
        (0, 0, 2, 51),
    ] {
        assert_eq!(HashRange::new(level, index, length, layers), None, "{level} {index} {length} {layers}");
    }
    assert!(HashRange::new(50, u32::MAX - 3, 2, 50).is_some());
    assert_eq!(HashRange::to_root(0, 8, 2, 3), None, "behind the last of 8 leaves");
    assert_eq!(HashRange::to_root(0, 0, 16, 3), None, "wider than the tree");
}

#[test]
fn an_inner_node_does_not_pass_as_a_leaf() {
    let tree = Tree::new(&leaves(8), 0);
    let range = HashRange::to_root(1, 0, 2, 3).unwrap();
    let answer = tree.prove(range).unwrap();
    assert!(range.verify(&answer, &tree.root(), 3));
    let lie = HashRange::new(0, 0, 2, range.proof_layers()).unwrap();
    assert!(!lie.verify(&answer, &tree.root(), 3));
}

#[test]
fn a_proof_behind_the_end_of_the_file_is_not_given() {
    let tree = Tree::new(&leaves(9), 0);
    assert!(tree.prove(HashRange::to_root(0, 8, 8, 4).unwrap()).is_some());
    assert!(tree.prove(HashRange::to_root(0, 10, 2, 4).unwrap()).is_none());
}

#[test]
fn block_hashes_are_proved_from_the_piece_and_the_layer_above() {
    let leaves = leaves(23);
    let layer = Tree::new(&piece_layer(&leaves, 2), 2);
    let height = 5;
    for piece in 0..6u32 {
        let first = piece as usize * 4;
        let below = Tree::with_top(&leaves[first..leaves.len().min(first + 4)], 0, 2);
        for length in [2u32, 4] {
            let range = HashRange::to_root(0, piece * 4, length, height).unwrap();
            let answer = layer.prove_below(&below, piece, range).unwrap();
            assert!(range.verify(&answer, &layer.root(), height), "piece {piece} length {length}");
            assert_eq!(Some(answer), Tree::new(&leaves, 0).prove(range));
        }
        let wide = HashRange::to_root(0, 0, 8, height).unwrap();
        assert!(layer.prove_below(&below, piece, wide).is_none());
    }
}

proptest! {
    #[test]
    fn roots_follow_the_definition(count in 1u32..200) {
        let leaves = leaves(count);
        let expected = naive_root(leaves.clone());
        prop_assert_eq!(root(&leaves, 0), expected);
        prop_assert_eq!(Tree::new(&leaves, 0).root(), expected);
        prop_assert_eq!(root_at(&leaves, 0, 9), Tree::with_top(&leaves, 0, 9).root());
    }

    #[test]
    fn every_proof_verifies_and_no_damaged_one_does(count in 2u32..200, at in any::<u32>(), log in 1u32..5, bit in any::<usize>()) {
        let tree = Tree::new(&leaves(count), 0);
        let length = 1 << log.min(tree.top());
        let index = (at % count) / length * length;
        let range = HashRange::to_root(0, index, length, tree.top()).unwrap();
        let mut answer = tree.prove(range).unwrap();
        prop_assert!(range.verify(&answer, &tree.root(), tree.top()));
        let bit = bit % (answer.len() * 256);
        answer[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
        prop_assert!(!range.verify(&answer, &tree.root(), tree.top()));
        answer.pop();
        prop_assert!(!range.verify(&answer, &tree.root(), tree.top()));
    }

    #[test]
    fn arbitrary_ranges_never_panic(level in any::<u32>(), index in any::<u32>(), log in 0u32..32, layers in 0u32..60, piece in any::<u32>()) {
        let (tree, below) = (Tree::new(&leaves(7), 2), Tree::with_top(&leaves(3), 0, 2));
        for level in [level, level % 8] {
            if let Some(range) = HashRange::new(level, index >> log << log, 1 << log, layers) {
                let _ = (tree.prove(range), tree.prove_below(&below, piece, range), range.verify(&[], &tree.root(), 5));
                let _ = range.fold(&vec![[1; 32]; range.answer_len()]);
            }
        }
    }
}
