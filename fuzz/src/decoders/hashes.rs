//! Hash requests and merkle proofs (BEP 52).

use crate::input::Input;
use throng_wire::merkle::{self, Accumulator, Hash, HashRange, Tree, hashes_in};
use throng_wire::peer::{HashRequest, Hashes, Limits, Message, decode_frame, encode};

/// Trees of a few leaves, ranges of any kind: every proof given holds, and none holds once a byte of it is changed.
pub fn hashes(data: &[u8]) {
    let mut input = Input(data);
    let count = 1 + usize::from(input.u16()) % 300;
    let leaves: Vec<Hash> = (0..count).map(|leaf| merkle::leaf(&leaf.to_be_bytes())).collect();
    let base = input.below(4) as u32;
    let tree = Tree::with_top(&leaves, base, base + input.below(12) as u32);
    let mut accumulator = Accumulator::new(base);
    leaves.iter().for_each(|leaf| accumulator.push(*leaf));
    assert_eq!(accumulator.root_at(tree.top()), tree.root());
    while !input.is_empty() {
        let (level, index) = (base + input.below(14) as u32, u32::from(input.u16()));
        let length = 1u32 << input.below(15);
        let fields = match input.below(4) {
            0 => (input.u32(), input.u32(), input.u32(), input.u32()),
            1 => (level, index, length, input.below(52) as u32),
            _ => (level, index & !(length - 1), length, tree.top().saturating_sub(level + 1)),
        };
        check(&tree, fields, &mut input);
    }
}

fn check(
    tree: &Tree,
    (base_layer, index, length, proof_layers): (u32, u32, u32, u32),
    input: &mut Input<'_>,
) {
    let request = HashRequest { pieces_root: tree.root(), base_layer, index, length, proof_layers };
    let range = HashRange::new(base_layer, index, length, proof_layers);
    if request.validate().is_err() {
        assert!(request.uncles().is_err());
    } else if let Some(range) = range {
        assert_eq!(request.uncles(), Ok(range.uncle_count()), "both count alike");
        assert_eq!(range.uncles().count(), range.uncle_count() as usize);
    }
    let answer = range.and_then(|range| Some((range, tree.prove(range)?)));
    let Some((range, mut answer)) = answer else { return };
    assert_eq!(answer.len(), range.answer_len());
    let whole = range.reaches() == (tree.top(), 0);
    assert_eq!(range.verify(&answer, &tree.root(), tree.top()), whole);
    if request.validate().is_ok() {
        let mut frame = Vec::new();
        let message = Message::Hashes(Hashes { request, hashes: &answer });
        encode(&message, &mut frame);
        assert_eq!(decode_frame(&frame, &Limits::default()), Ok(Some((message, frame.len()))));
        assert_eq!(hashes_in(&frame[53..]), Some(&answer[..]));
    }
    let (at, bit) = (usize::from(input.u16()) % answer.len(), input.byte());
    answer[at][usize::from(bit) % 32] ^= 1 << (bit >> 5);
    assert!(!range.verify(&answer, &tree.root(), tree.top()), "a changed proof holds");
}
