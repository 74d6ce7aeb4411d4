//! Supernodes that are known: a handful of addresses, seven bytes each, drawn at random from what supernodes tell, so
//! that not all of a dead supernode's nodes run to the same next one.

use std::net::SocketAddrV4;
use throng_machine::Entropy;

/// One of them; without padding, as a million simulated nodes know two dozen each.
#[derive(Clone, Copy, Debug)]
struct Entry {
    ip: [u8; 4],
    port: [u8; 2],
    /// Calls in a row that came to nothing.
    failures: u8,
}

impl Entry {
    fn new(at: SocketAddrV4) -> Entry {
        Entry { ip: at.ip().octets(), port: at.port().to_be_bytes(), failures: 0 }
    }

    fn at(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip.into(), u16::from_be_bytes(self.port))
    }
}

/// The addresses.
#[derive(Debug, Default)]
pub(super) struct Known(Box<[Entry]>);

impl Known {
    /// Adds an address; when there are too many another goes, one that failed if there is one, else one of the second
    /// half: what one supernode tells never takes the place of all that others told before, as all that it knows may
    /// die with it.
    pub(super) fn add(&mut self, at: SocketAddrV4, most: usize, rng: &mut dyn Entropy) {
        if self.0.iter().any(|entry| entry.at() == at) || at.port() == 0 {
            return;
        }
        let entry = Entry::new(at);
        if self.0.len() < most {
            return self.edit(|all| {
                all.reserve_exact(1);
                all.push(entry);
            });
        }
        let failed = self.0.iter().position(|entry| entry.failures > 0);
        let kept = self.0.len() / 2;
        let place = failed.unwrap_or(kept + rng.below((self.0.len() - kept) as u32) as usize);
        if let Some(old) = self.0.get_mut(place) {
            *old = entry;
        }
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Vec<Entry>)) {
        let mut all = std::mem::take(&mut self.0).into_vec();
        edit(&mut all);
        self.0 = all.into_boxed_slice();
    }

    /// Puts many in, each with the same chance to stay.
    pub(super) fn add_all(
        &mut self,
        told: impl Iterator<Item = SocketAddrV4>,
        most: usize,
        rng: &mut dyn Entropy,
    ) {
        for at in told {
            self.add(at, most, rng);
        }
    }

    /// One that failed least, at random, but those that are being called.
    pub(super) fn draw(
        &self,
        calling: impl Fn(SocketAddrV4) -> bool,
        rng: &mut dyn Entropy,
    ) -> Option<SocketAddrV4> {
        let free = || self.0.iter().filter(|entry| !calling(entry.at()));
        let least = free().map(|entry| entry.failures).min()?;
        let best = || free().filter(|entry| entry.failures == least);
        best().nth(rng.below(best().count() as u32) as usize).map(|entry| entry.at())
    }

    /// A call came to nothing. The address stays until a new one needs its place: a supernode that is crowded after
    /// many have died fails as a dead one does, and who forgets both may be left with the dead.
    pub(super) fn failed(&mut self, at: SocketAddrV4) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.at() == at) {
            entry.failures = entry.failures.saturating_add(1);
        }
    }

    pub(super) fn succeeded(&mut self, at: SocketAddrV4) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.at() == at) {
            entry.failures = 0;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SocketAddrV4> {
        self.0.iter().map(|entry| entry.at())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::SplitMix64;

    #[test]
    fn what_one_supernode_tells_leaves_half_of_what_was_known_before() {
        let mut rng = SplitMix64::new(2);
        let mut known = Known::default();
        let at = |net: u8, host: u8| SocketAddrV4::new([10, 0, net, host].into(), 1214);
        known.add_all((1..=24).map(|host| at(1, host)), 24, &mut rng);
        for _ in 0..10 {
            known.add_all((1..=64).map(|host| at(2, host)), 24, &mut rng);
        }
        let old = |known: &Known| known.iter().filter(|at| at.ip().octets()[2] == 1).count();
        assert_eq!((known.iter().count(), old(&known)), (24, 12));
        // Unless they are dead.
        (1..=24).for_each(|host| known.failed(at(1, host)));
        known.add_all((65..=128).map(|host| at(2, host)), 24, &mut rng);
        assert_eq!((known.iter().count(), old(&known)), (24, 0));
    }

    #[test]
    fn who_finds_all_crowded_for_a_while_still_knows_the_living() {
        let mut rng = SplitMix64::new(1);
        let mut known = Known::default();
        let at = |host: u8| SocketAddrV4::new([10, 0, 0, host].into(), 1214);
        known.add_all((1..=24).map(at), 24, &mut rng);
        // Each is called ten times in vain, the dead and the crowded alike.
        for _ in 0..240 {
            let next = known.draw(|_| false, &mut rng).unwrap();
            known.failed(next);
        }
        assert_eq!(known.iter().count(), 24);
        let mut drawn = std::collections::BTreeSet::new();
        while let Some(next) = known.draw(|at| drawn.contains(&at), &mut rng) {
            drawn.insert(next);
        }
        assert_eq!(drawn.len(), 24, "all are called again");
        known.succeeded(at(7));
        known.add(at(99), 24, &mut rng);
        assert!(known.iter().any(|known| known == at(7)), "a new one takes the place of one that failed");
    }
}
