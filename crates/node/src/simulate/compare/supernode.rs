//! FastTrack: every hundredth user is a supernode for others.

use super::stage::{LIMIT, PATIENCE, Stage, network};
use super::workload::Workload;
use crate::simulate::measure::Ledger;
use crate::simulate::supernode::host::{NodeHost, hash_of};
use crate::simulate::supernode::run::{SupernodePlan, World};
use throng_overlay::discovery::{Item, Query, Ticket};
use throng_overlay::supernode::Command;
use throng_sim::{HostId, Sim};

/// Users a supernode.
const RATIO: u32 = 100;

/// The system, its users not there yet. Supernodes are users too: the first of them.
pub(super) fn build(workload: &Workload) -> World {
    let Workload { seed, queries, .. } = *workload;
    let supernodes = workload.nodes().div_ceil(RATIO).clamp(1, workload.nodes() - 1);
    let nodes = workload.nodes() - supernodes;
    World::on(SupernodePlan { nodes, supernodes, files: 0, seed, queries, fail: 0.0 }, network())
}

impl Stage for World {
    type App = NodeHost;

    fn sim(&mut self) -> &mut Sim<NodeHost> {
        &mut self.sim
    }

    fn ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.book.borrow_mut().ledger)
    }

    fn host(&self, user: u32) -> HostId {
        HostId(user)
    }

    fn form(&mut self) -> Option<f64> {
        World::form(self)
    }

    fn publish(&mut self, user: u32, number: u32, (_, title): (usize, &str)) {
        let ft_hash = Some(hash_of(title));
        let item = Item { title: title.to_owned(), size: 4 << 20, ft_hash, ..Item::default() };
        self.sim.command(HostId(user), Command::Publish(Ticket(number), item, None));
    }

    fn target(&self, (_, title): (usize, &str)) -> Vec<u8> {
        hash_of(title).to_vec()
    }

    fn find(&mut self, user: u32, ticket: Ticket, (_, title): (usize, &str)) {
        let words = title.split(' ').map(str::to_owned).collect();
        let query = Query { words, limit: LIMIT, timeout: PATIENCE };
        self.sim.command(HostId(user), Command::Find(ticket, query));
    }
}
