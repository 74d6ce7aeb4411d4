//! The slots of a finger table in base b = 2, 4, 8 or 16 (section 3.3).
//!
//! Slot (level i, digit j) covers the distances [j·bⁱ, (j+1)·bⁱ), j = 1..b-1. Every distance but zero lies in exactly
//! one slot, and slots in order are distances in order: the slot of a key is the finger to try first, the slots
//! below it come next. In base 2 slot i holds the lecture's finger i + 1.

use throng_wire::chord::RingId;

/// Bits of an identifier.
const BITS: u16 = throng_wire::chord::BITS as u16;

/// How many digits a level of the table has: hops are O(log_b N), fingers (b - 1) log_b N.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Base {
    /// The classical table.
    Two,
    /// A fifth fewer hops than base 2 for half as many fingers again: the default.
    #[default]
    Four,
    /// Between the two.
    Eight,
    /// Half the hops of base 2 for nearly four times the fingers: for long-lived nodes.
    Sixteen,
}

impl Base {
    /// Bits a digit has.
    pub(crate) const fn bits(self) -> u16 {
        match self {
            Base::Two => 1,
            Base::Four => 2,
            Base::Eight => 3,
            Base::Sixteen => 4,
        }
    }

    /// The base of a configuration: the power of two at or below it, 2 to 16.
    pub(crate) const fn of(base: u8) -> Base {
        match base {
            0..4 => Base::Two,
            4..8 => Base::Four,
            8..16 => Base::Eight,
            _ => Base::Sixteen,
        }
    }

    /// The slot a distance lies in; `None` for zero.
    pub(crate) fn slot(self, distance: RingId) -> Option<Slot> {
        let top = distance.log2()? as u16;
        let level = top / self.bits();
        Some(Slot::new(level, digit(distance, level * self.bits(), self.bits())))
    }

    /// The smallest distance of a slot.
    pub(crate) fn start(self, slot: Slot) -> RingId {
        RingId::MIN.add_digit(u32::from(slot.level()), u32::from(slot.digit()), u32::from(self.bits()))
    }

    /// The slot after this one in order of distance; `None` after the last.
    pub(crate) fn after(self, slot: Slot) -> Option<Slot> {
        let highest = (1u16 << self.bits()) - 1;
        let next = if slot.digit() < highest {
            Slot::new(slot.level(), slot.digit() + 1)
        } else {
            Slot::new(slot.level() + 1, 1)
        };
        (next <= self.last()).then_some(next)
    }

    /// The slot before this one in order of distance; `None` before the first.
    pub(crate) fn before(self, slot: Slot) -> Option<Slot> {
        match (slot.level(), slot.digit()) {
            (0, 1) => None,
            (level, 1) => Some(Slot::new(level - 1, (1 << self.bits()) - 1)),
            (level, digit) => Some(Slot::new(level, digit - 1)),
        }
    }

    /// The last slot, which ends where the ring does.
    pub(crate) fn last(self) -> Slot {
        let level = (BITS - 1) / self.bits();
        Slot::new(level, (1u16 << (BITS - level * self.bits())) - 1)
    }

    /// How many slots lie at or after this one.
    pub(crate) fn slots_from(self, slot: Slot) -> usize {
        let per_level = (1usize << self.bits()) - 1;
        let rank = |slot: Slot| usize::from(slot.level()) * per_level + usize::from(slot.digit());
        (rank(self.last()) + 1).saturating_sub(rank(slot))
    }
}

/// One slot: level and digit; ordered as the distances it covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Slot(u16);

impl Slot {
    /// The slot of the smallest distance.
    #[cfg(test)]
    pub(crate) const FIRST: Slot = Slot(1);

    const fn new(level: u16, digit: u16) -> Slot {
        Slot(level << 4 | digit)
    }

    /// The power of the base.
    pub(crate) const fn level(self) -> u16 {
        self.0 >> 4
    }

    /// How often that power, 1..b-1.
    pub(crate) const fn digit(self) -> u16 {
        self.0 & 15
    }
}

/// `width` bits from bit `low` upwards; bits above the top are zero.
fn digit(distance: RingId, low: u16, width: u16) -> u16 {
    (0..width).fold(0, |digit, bit| digit | bit_at(distance, low + bit) << bit)
}

fn bit_at(distance: RingId, bit: u16) -> u16 {
    if bit >= BITS {
        return 0;
    }
    u16::from(distance.0[19 - usize::from(bit / 8)] >> (bit % 8) & 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Base; 4] = [Base::Two, Base::Four, Base::Eight, Base::Sixteen];

    fn distance(low: u128) -> RingId {
        let mut out = [0; 20];
        out[4..].copy_from_slice(&low.to_be_bytes());
        RingId(out)
    }

    #[test]
    fn every_small_distance_lies_in_the_slot_that_covers_it() {
        for base in ALL {
            let b = 1u128 << base.bits();
            for d in 1..2_000u128 {
                let level = (0u32..).find(|i| b.pow(i + 1) > d).unwrap();
                let slot = base.slot(distance(d)).unwrap();
                assert_eq!(u32::from(slot.level()), level, "{base:?} {d}");
                assert_eq!(u128::from(slot.digit()), d / b.pow(level), "{base:?} {d}");
            }
            assert_eq!(base.slot(RingId::MIN), None);
        }
    }

    #[test]
    fn slots_cover_all_distances_in_order_without_gaps() {
        for base in ALL {
            let mut slot = Slot::FIRST;
            let mut seen = 1;
            assert_eq!(base.start(slot), distance(1));
            while let Some(next) = base.after(slot) {
                assert_eq!(base.before(next), Some(slot));
                assert!(next > slot && base.start(next) > base.start(slot));
                assert_eq!(base.slot(base.start(next)), Some(next));
                let before = base.start(next).minus(distance(1));
                assert_eq!(
                    base.slot(before),
                    Some(slot),
                    "{base:?}: the end of a slot is the next one's start"
                );
                slot = next;
                seen += 1;
            }
            assert_eq!(slot, base.last());
            assert_eq!(base.slot(RingId::MAX), Some(base.last()));
            assert_eq!(base.slots_from(Slot::FIRST), seen);
            assert_eq!(base.slots_from(base.last()), 1);
        }
    }

    #[test]
    fn base_two_has_the_lectures_hundred_and_sixty_fingers() {
        assert_eq!(Base::Two.slots_from(Slot::FIRST), 160);
        assert_eq!(Base::Two.start(Base::Two.last()), RingId::power(159));
    }
}
