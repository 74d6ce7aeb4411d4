//! Gnutella: all users flood, or some of them are ultrapeers for the others.

use super::stage::{LIMIT, PATIENCE, Stage, network};
use super::workload::Workload;
use crate::simulate::gnutella::graph::Shape;
use crate::simulate::gnutella::host::GnutellaHost;
use crate::simulate::gnutella::plan::{GnutellaPlan, Mode, Victims};
use crate::simulate::gnutella::run::World;
use crate::simulate::measure::Ledger;
use throng_overlay::discovery::{self, Query, Ticket};
use throng_overlay::gnutella::{Command, SharedFile};
use throng_sim::{HostId, Sim};

/// Share of the users that are ultrapeers, as the scenario's default.
const ULTRAPEERS: f64 = 0.03;

/// The system, its users not there yet.
pub(super) fn build(workload: &Workload, mode: Mode) -> World {
    let Workload { seed, queries, .. } = *workload;
    let plan = GnutellaPlan {
        nodes: workload.nodes(),
        mode,
        ultrapeers: ULTRAPEERS,
        shape: Shape::Regular,
        degree: None,
        files: 0,
        seed,
        queries,
        fail: 0.0,
        victims: Victims::Random,
    };
    World::on(plan, network())
}

impl Stage for World {
    type App = GnutellaHost;

    fn sim(&mut self) -> &mut Sim<GnutellaHost> {
        &mut self.sim
    }

    fn ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.ledger.borrow_mut())
    }

    fn host(&self, user: u32) -> HostId {
        HostId(user)
    }

    fn form(&mut self) -> Option<f64> {
        World::form(self)
    }

    fn publish(&mut self, user: u32, number: u32, (_, title): (usize, &str)) {
        let file = std::sync::Arc::new(SharedFile {
            name: title.to_owned(),
            size: 4 << 20,
            ..SharedFile::default()
        });
        self.sim.command(HostId(user), Command::Share(number, file));
    }

    fn target(&self, (_, title): (usize, &str)) -> Vec<u8> {
        title.as_bytes().to_vec()
    }

    fn find(&mut self, user: u32, ticket: Ticket, (_, title): (usize, &str)) {
        let words = title.split(' ').map(str::to_owned).collect();
        let query = Query { words, limit: LIMIT, timeout: PATIENCE };
        let find = discovery::Command::Find(ticket, query);
        self.sim.command(HostId(user), Command::Discovery(find));
    }
}
