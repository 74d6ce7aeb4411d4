//! The ring: all users are members, and hold each other's words.

use super::stage::{LIMIT, PATIENCE, Stage, network};
use super::workload::Workload;
use crate::simulate::chord::host::RingHost;
use crate::simulate::chord::world::World;
use crate::simulate::measure::Ledger;
use std::collections::BTreeSet;
use std::time::Duration;
use throng_machine::SplitMix64;
use throng_overlay::chord::{Config, OneHop};
use throng_overlay::discovery::{Item, Query, Ticket};
use throng_sim::{HostId, Sim};

/// Tickets of publications, apart from those of searches.
const PUBLICATIONS: u32 = 1 << 30;

/// A ring with its users.
pub(super) struct Ring {
    world: World,
    nodes: u32,
}

/// The system, its users not there yet.
pub(super) fn build(workload: &Workload) -> Ring {
    // As in the papers: one virtual node a host, and no table of all members.
    let config = Config { vnodes: 1, one_hop: OneHop { on: 0, off: 0 }, ..Config::default() };
    Ring { world: World::new(workload.seed, config, network()), nodes: workload.nodes() }
}

fn root(title: usize) -> [u8; 32] {
    let mut root = [0; 32];
    throng_machine::Entropy::fill(&mut SplitMix64::new(title as u64), &mut root);
    root
}

impl Stage for Ring {
    type App = RingHost;

    fn sim(&mut self) -> &mut Sim<RingHost> {
        &mut self.world.sim
    }

    fn ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.world.book.borrow_mut().ledger)
    }

    fn host(&self, user: u32) -> HostId {
        HostId(user)
    }

    /// The ring is computed: that rings grow by joins is measured elsewhere, and takes long.
    fn form(&mut self) -> Option<f64> {
        self.world.bulk(self.nodes, Some(Duration::from_millis(65)), &BTreeSet::new());
        Some(0.0)
    }

    fn publish(&mut self, user: u32, number: u32, (place, title): (usize, &str)) {
        let item =
            Item { title: title.to_owned(), size: 4 << 20, root: Some(root(place)), ..Item::default() };
        self.world.publish(user, PUBLICATIONS + number, item);
    }

    fn target(&self, (place, _): (usize, &str)) -> Vec<u8> {
        root(place).to_vec()
    }

    fn find(&mut self, user: u32, ticket: Ticket, (_, title): (usize, &str)) {
        let words = title.split(' ').map(str::to_owned).collect();
        self.world.find(user, ticket.0, Query { words, limit: LIMIT, timeout: PATIENCE });
    }
}
