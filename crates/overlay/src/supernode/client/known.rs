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

/// After so many calls in vain an address is forgotten, if others are known.
const MOST_FAILURES: u8 = 4;

impl Known {
    /// Adds an address; when there are too many another goes, one that failed if there is one.
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
        let place = failed.unwrap_or(rng.below(self.0.len() as u32) as usize);
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

    pub(super) fn failed(&mut self, at: SocketAddrV4) {
        let is_last = self.0.len() == 1;
        if let Some(place) = self.0.iter().position(|entry| entry.at() == at) {
            self.0[place].failures = self.0[place].failures.saturating_add(1);
            if self.0[place].failures >= MOST_FAILURES && !is_last && self.0.len() > 4 {
                self.edit(|all| _ = all.swap_remove(place));
            }
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
