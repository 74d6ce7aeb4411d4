//! How many ultrapeers there are, as far as can be seen from here.
//!
//! Ultrapeers of ours tell each other whom they are linked with (`THRG`/2). The lists of an ultrapeer's neighbours are a
//! sample of the network, and how often two of them name the same one says how large it is: nobody is met twice in a
//! crowd, everybody in a village. A search ends when it has reached a network of that size several times over, instead
//! of flooding the same ultrapeers again with a larger TTL. The well linked are met more often than others; that is
//! corrected by the number of links they aim for (Katzir, Liberty and Somekh, 2011).
//!
//! Neighbours that lie can shorten searches; the lists of half of them are needed for any estimate.

use super::config::Role;
use super::link::{Link, Supports};
use super::machine::{Cx, Servent};
use super::send::vendor;
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::StreamId;
use throng_wire::gnutella::{Guid, VendorKind};

/// Neighbours named in a list.
const MOST: usize = 64;
/// Bytes of one: address, port (little-endian), links it aims for.
const ITEM: usize = 7;
/// A list is told again no sooner.
const GATHER: Duration = Duration::from_secs(10);
/// Fewer lists, or fewer names in all of them, say nothing.
const LEAST_LISTS: usize = 3;
const LEAST_NAMES: usize = 24;

/// One that a neighbour named: a hash of its address, and in the lowest byte its links. A hash of 24 bits makes one false
/// pair of thirty among a thousand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Named(u32);

impl Named {
    fn new(at: SocketAddrV4, links: u8) -> Named {
        let number = u64::from(u32::from(*at.ip())) << 16 | u64::from(at.port());
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        Named((hash as u32) << 8 | u32::from(links.max(1)))
    }

    fn hash(self) -> u32 {
        self.0 >> 8
    }

    fn links(self) -> f64 {
        f64::from(self.0 & 0xff)
    }
}

/// Reads a list.
pub(super) fn read(data: &[u8]) -> Box<[Named]> {
    let items = data.as_chunks::<ITEM>().0.iter().take(MOST);
    items
        .map(|[a, b, c, d, p, q, links]| {
            let at = SocketAddrV4::new([*a, *b, *c, *d].into(), u16::from_le_bytes([*p, *q]));
            Named::new(at, *links)
        })
        .collect()
}

/// How many there are of those that so many lists name; more rather than fewer. `None` if nobody can say.
pub(super) fn estimate(lists: &[&[Named]], own: Option<SocketAddrV4>) -> Option<u32> {
    let own = own.map(|at| Named::new(at, 1).hash());
    let is_other = |named: &&Named| Some(named.hash()) != own;
    let mut all: Vec<Named> = lists.iter().flat_map(|list| list.iter()).filter(is_other).copied().collect();
    if lists.len() < LEAST_LISTS || all.len() < LEAST_NAMES {
        return None;
    }
    all.sort_unstable();
    let square = |count: usize| (count * count) as f64;
    let within: f64 = lists.iter().map(|list| square(list.iter().filter(is_other).count())).sum();
    let pairs = (square(all.len()) - within) / 2.0;
    let same: usize =
        all.chunk_by(|a, b| a.hash() == b.hash()).map(|same| same.len() * (same.len() - 1) / 2).sum();
    let (links, shares) =
        all.iter().fold((0.0, 0.0), |(a, b), named| (a + named.links(), b + 1.0 / named.links()));
    let bias = links * shares / square(all.len());
    // So few pairs as may well have been by chance: two deviations.
    let likely = same as f64 - 2.0 * (same as f64).sqrt();
    (likely >= 1.0).then(|| ((pairs * bias / likely) as u32).max(lists.len() as u32 + 1))
}

impl Servent {
    /// Who our neighbours are has changed: those of them who want to know are told in a while.
    pub(super) fn neighbours_changed(&mut self, cx: &Cx<'_>) {
        let due = cx.now() + GATHER;
        let Some(ultrapeer) = &mut self.ultrapeer else { return };
        ultrapeer.tell_around.get_or_insert(due);
        ultrapeer.crowd = None;
        self.wake_by(due);
    }

    pub(super) fn tick_around(&mut self, cx: &mut Cx<'_>) {
        let Some(ultrapeer) = &mut self.ultrapeer else { return };
        match ultrapeer.tell_around {
            Some(due) if due <= cx.now() => ultrapeer.tell_around = None,
            Some(due) => return self.wake_by(due),
            None => return,
        }
        let up =
            |link: &Link| link.live().filter(|live| live.is_ultrapeer()).map(|live| live.greeting.degree);
        let neighbours = self.links.iter().filter_map(|link| Some((link.address(), up(link)?)));
        let mut data = Vec::new();
        for (at, degree) in neighbours.take(MOST) {
            if let std::net::SocketAddr::V4(at) = at.socket_addr() {
                data.extend_from_slice(&at.ip().octets());
                data.extend_from_slice(&at.port().to_le_bytes());
                data.push(degree);
            }
        }
        let message = vendor(VendorKind::NEIGHBOURS, Guid::default(), &data);
        for stream in self.streams(|live| live.is_ultrapeer() && live.supports.has(Supports::NEIGHBOURS)) {
            self.send(stream, &message, cx);
        }
    }

    /// A neighbour says whom it is linked with.
    pub(super) fn on_neighbours(&mut self, stream: StreamId, data: &[u8]) {
        let Some(live) = self.live_mut(stream).filter(|live| live.is_ultrapeer()) else { return };
        live.rare_mut().around = Some(read(data));
        if let Some(ultrapeer) = &mut self.ultrapeer {
            ultrapeer.crowd = None;
        }
    }

    /// How many ultrapeers there are, if that can be told.
    pub(super) fn crowd(&mut self) -> Option<u32> {
        if let Some(known) = self.ultrapeer.as_ref()?.crowd {
            return known;
        }
        let lists: Vec<&[Named]> =
            self.links.iter().filter_map(|link| link.live()?.rare()?.around.as_deref()).collect();
        let enough = lists.len() * 2 >= self.count(Role::Ultrapeer);
        let crowd = estimate(&lists, self.listen()).filter(|_| enough);
        self.ultrapeer.as_mut()?.crowd = Some(crowd);
        crowd
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::{Entropy as _, SplitMix64};

    fn at(number: u32) -> SocketAddrV4 {
        SocketAddrV4::new((0x6500_0000 + number).into(), 6_346)
    }

    /// What so many neighbours tell of a network of so many, all linked at random with so many each.
    fn sample(crowd: u32, links: u32, seed: u64) -> Option<u32> {
        let mut rng = SplitMix64::new(seed);
        let mut list =
            || (0..links).map(|_| Named::new(at(rng.below(crowd)), links as u8)).collect::<Vec<_>>();
        let lists: Vec<_> = (0..links).map(|_| list()).collect();
        let lists: Vec<&[Named]> = lists.iter().map(|list| &list[..]).collect();
        estimate(&lists, None)
    }

    #[test]
    fn the_size_of_a_network_is_told_from_those_named_twice_rather_too_large() {
        for (crowd, most) in [(100, 1.5), (1_000, 1.7), (10_000, 2.2)] {
            for seed in 0..20 {
                let said = sample(crowd, 32, seed).map_or(f64::INFINITY, f64::from) / f64::from(crowd);
                assert!(said > 0.8 && said < most, "{said} of {crowd}");
            }
        }
        assert!(sample(10_000_000, 32, 1).is_none(), "nobody is met twice");
        assert!(sample(10, 2, 1).is_none(), "too few were heard");
    }

    #[test]
    fn the_well_linked_are_met_more_often_and_do_not_make_the_network_small() {
        let mut rng = SplitMix64::new(3);
        // A tenth has ten times as many links as the others, and is met ten times as often.
        let mut one = || match rng.below(19) {
            0..9 => Named::new(at(100 + rng.below(900)), 10),
            _ => Named::new(at(rng.below(100)), 100),
        };
        let lists: Vec<Vec<Named>> = (0..32).map(|_| (0..32).map(|_| one()).collect()).collect();
        let lists: Vec<&[Named]> = lists.iter().map(|list| &list[..]).collect();
        let said = estimate(&lists, None).unwrap();
        assert!((700..1_700).contains(&said), "{said} of 1,000");
    }

    #[test]
    fn lists_are_read_as_far_as_they_go_and_ourselves_are_not_counted() {
        assert_eq!(read(&[1, 2, 3]).len(), 0);
        assert_eq!(read(&[7; 7 * 200]).len(), MOST);
        let data = [101, 0, 0, 5, 0xca, 0x18, 32];
        assert_eq!(read(&data)[0], Named::new(at(5), 32));
        let list: Vec<Named> = (0..32).map(|number| Named::new(at(number), 32)).collect();
        let others: Vec<Vec<Named>> = (1..20u32)
            .map(|group| {
                (0..32)
                    .map(|number| Named::new(at(if number == 0 { 7 } else { group * 100 + number }), 32))
                    .collect()
            })
            .collect();
        let mut lists: Vec<&[Named]> = others.iter().map(|list| &list[..]).collect();
        lists.push(&list);
        assert!(estimate(&lists, Some(at(7))).is_none() && estimate(&lists, None).is_some());
    }
}
