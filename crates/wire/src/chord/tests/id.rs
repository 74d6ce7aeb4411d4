//! Positions: test vectors of chord.md 1.3 and the lecture, every triple of a 6-bit ring, numbers digit by digit.

use super::*;
use proptest::prelude::*;
use std::net::SocketAddr;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The position `value` of a ring of 64.
fn six_bits(value: u8) -> RingId {
    let mut id = [0; 20];
    id[0] = value << 2;
    RingId(id)
}

/// Whether walking clockwise from `a` one meets `x` before `b`, both excluded at the start.
fn walked(a: u8, x: u8, b: u8) -> bool {
    let mut at = (a + 1) % 64;
    while at != b {
        if at == x {
            return true;
        }
        if at == a {
            return false;
        }
        at = (at + 1) % 64;
    }
    false
}

#[test]
fn between_own_and_distance_agree_with_walking_round_a_ring_of_64() {
    for (a, x, b) in (0..64).flat_map(|a| (0..64).flat_map(move |x| (0..64).map(move |b| (a, x, b)))) {
        let [ida, idx, idb] = [a, x, b].map(six_bits);
        assert_eq!(btw(ida, idx, idb), walked(a, x, b), "btw {a} {x} {b}");
        assert_eq!(own(ida, idx, idb), x == b || walked(a, x, b), "own {a} {x} {b}");
        assert_eq!(dist(ida, idx), six_bits((x + 64 - a) % 64), "dist {a} {x}");
    }
}

#[test]
fn ids_are_the_hash_of_address_port_and_index() {
    for (addr, vnode, id) in [
        ("127.0.0.1:4000", 0, "9ca3bcc08e8ebb841d693ed96919d4e50567671e"),
        ("127.0.0.1:4000", 1, "ba28c4fb86d0ac1aab3b995b407744f1892d8d96"),
        ("192.0.2.7:51413", 3, "47c454f9e00c65a0dfbff7c747f31f4770e0a58a"),
        ("[2001:db8::1]:4000", 0, "d5e58ac6cb7cfff62167ddda80d2999f5fa023fe"),
        ("[::ffff:127.0.0.1]:4000", 0, "9ca3bcc08e8ebb841d693ed96919d4e50567671e"),
    ] {
        assert_eq!(RingId::of(address(addr), vnode).to_string(), id);
        assert_eq!(IdRule::Open.id(address(addr), vnode).unwrap().to_string(), id);
    }
}

#[test]
fn no_rule_gives_an_id_to_an_index_out_of_range() {
    let addr = address("192.0.2.7:51413");
    assert!(IdRule::Open.id(addr, 63).is_some() && IdRule::Open.id(addr, 64).is_none());
    assert!(IdRule::Prefix.id(addr, 7).is_some() && IdRule::Prefix.id(addr, 8).is_none());
}

#[test]
fn under_the_prefix_rule_neither_port_nor_masked_bits_choose_an_id() {
    let id = |text: &str| IdRule::Prefix.id(address(text), 3).unwrap();
    // SHA-1("p", 00 00 02 07 with the mask 03 0f 3f ff, 03)
    assert_eq!(id("192.0.2.7:51413"), RingId::hash(&[b'p', 0, 0, 2, 7, 3]));
    assert_eq!(id("192.0.2.7:1"), id("192.0.2.7:51413"));
    assert_eq!(id("196.16.66.7:1"), id("192.0.2.7:1"));
    assert_ne!(id("192.0.2.8:1"), id("192.0.2.7:1"));
    // The upper 64 bits 20 01 0d b8 ff ff ff ff with the mask 01 03 07 0f 1f 3f 7f ff
    let expected = RingId::hash(&[b'p', 0, 1, 5, 8, 0x1f, 0x3f, 0x7f, 0xff, 3]);
    assert_eq!(id("[2001:db8:ffff:ffff::1]:1"), expected);
    assert_eq!(id("[2001:db8:ffff:ffff::2]:9"), expected);
}

/// The lecture's ring of 16: nodes 3, 8, 10 and 14; then 6 joins and 10 leaves.
#[test]
fn the_lectures_ring_of_sixteen_places_keys_as_drawn() {
    let place = |value: u8| {
        let mut id = [0; 20];
        id[0] = value << 4;
        RingId(id)
    };
    let owner = |nodes: &[u8], key: u8| {
        let before = |at: usize| nodes[(at + nodes.len() - 1) % nodes.len()];
        let owners: Vec<u8> = (0..nodes.len())
            .filter(|at| own(place(before(*at)), place(key), place(nodes[*at])))
            .map(|at| nodes[at])
            .collect();
        assert_eq!(owners.len(), 1, "one owner of {key}");
        owners[0]
    };
    let all = |nodes: &[u8]| (0..16).map(|key| owner(nodes, key)).collect::<Vec<u8>>();
    assert_eq!(all(&[3, 8, 10, 14]), [3, 3, 3, 3, 8, 8, 8, 8, 8, 10, 10, 14, 14, 14, 14, 3]);
    assert_eq!(all(&[3, 6, 8, 10, 14]), [3, 3, 3, 3, 6, 6, 6, 8, 8, 10, 10, 14, 14, 14, 14, 3]);
    assert_eq!(all(&[3, 6, 8, 14]), [3, 3, 3, 3, 6, 6, 6, 8, 8, 14, 14, 14, 14, 14, 14, 3]);
}

#[test]
fn a_third_of_the_ring_three_times_is_the_ring_but_one() {
    let third = RingId::THIRD;
    assert_eq!(third.plus(third).plus(third), RingId::MAX);
}

#[test]
fn powers_are_single_bits_and_end_at_the_ring() {
    for power in 0..BITS {
        let id = RingId::power(power);
        assert_eq!(id.0.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        assert_eq!(id.log2(), Some(power));
        assert_eq!(id.fraction(), 2f64.powi(power as i32 - 160));
    }
    assert_eq!((RingId::power(160), RingId::MIN.log2()), (RingId::MIN, None));
    assert_eq!(filled(3).add_pow(200), filled(3));
}

#[test]
fn a_ring_of_a_thousand_is_estimated_from_a_hundredth() {
    let span = RingId::power(160 - 10);
    assert_eq!(ring_size(1, span), 1024.0);
    assert_eq!(ring_size(16, span), 16384.0);
    assert_eq!(ring_size(1, RingId::MIN), f64::INFINITY);
}

#[test]
fn nibbles_are_the_digits_as_written() {
    let id = RingId::of(address("127.0.0.1:4000"), 0);
    let digits: String = (0..40).map(|level| format!("{:x}", id.nibble(level))).collect();
    assert_eq!(digits, id.to_string());
}

/// Adds as one does on paper, byte by byte from the right.
fn on_paper(a: RingId, b: RingId) -> RingId {
    let (mut sum, mut carry) = ([0; 20], 0);
    for at in (0..20).rev() {
        let digit = u16::from(a.0[at]) + u16::from(b.0[at]) + carry;
        sum[at] = digit as u8;
        carry = digit >> 8;
    }
    RingId(sum)
}

fn id() -> impl Strategy<Value = RingId> {
    let extreme = prop_oneof![Just(0u8), Just(0xff), any::<u8>()];
    prop_oneof![
        any::<[u8; 20]>().prop_map(RingId),
        proptest::collection::vec(extreme, 20).prop_map(|bytes| RingId(bytes.try_into().unwrap())),
    ]
}

proptest! {
    #[test]
    fn sums_are_those_of_addition_on_paper(a in id(), b in id()) {
        prop_assert_eq!(a.plus(b), on_paper(a, b));
        prop_assert_eq!(a.plus(b).minus(b), a);
        prop_assert_eq!(dist(b, a).plus(b), a);
    }

    #[test]
    fn order_is_that_of_the_bytes(a in id(), b in id()) {
        prop_assert_eq!(a.cmp(&b), a.0.cmp(&b.0));
    }

    #[test]
    fn a_finger_starts_its_digit_times_its_span_away(a in id(), level in 0u32..80, digit in 0u32..16, bits in 1u32..5) {
        let mut start = a;
        for _ in 0..digit {
            start = start.add_pow(level * bits);
        }
        prop_assert_eq!(a.add_digit(level, digit, bits), start);
    }

    #[test]
    fn a_share_of_the_ring_is_a_distance(share in 0.0f64..1.0) {
        prop_assert!((RingId::of_fraction(share).fraction() - share).abs() < 1e-12);
        prop_assert_eq!(RingId::of_fraction(-share), RingId::MIN);
        prop_assert!(RingId::of_fraction(1.0 + share).fraction() >= 1.0 - 1e-12);
    }

    #[test]
    fn fractions_keep_the_order(a in id(), b in id()) {
        prop_assert!((0.0..=1.0).contains(&a.fraction()));
        prop_assert!(a > b || a.fraction() <= b.fraction());
    }
}
