//! Napster: all users at one directory, which is a host of its own.

use super::stage::{LIMIT, PATIENCE, Stage, network};
use super::workload::Workload;
use crate::simulate::directory::host::DirectoryHost;
use crate::simulate::directory::machine::Command;
use crate::simulate::directory::run::{DirectoryPlan, World};
use crate::simulate::measure::Ledger;
use throng_machine::ContentId;
use throng_overlay::directory::client::{self, Search, SharedFile};
use throng_overlay::discovery::Ticket;
use throng_sim::{HostId, Sim};

/// Directories.
const SERVERS: u32 = 1;

/// The system, its users not there yet.
pub(super) fn build(workload: &Workload) -> World {
    let Workload { seed, queries, .. } = *workload;
    let plan =
        DirectoryPlan { nodes: workload.nodes(), servers: SERVERS, files: 0, seed, queries, fail: 0.0 };
    World::on(plan, network())
}

fn name(title: &str) -> String {
    format!("{title}.mp3")
}

impl Stage for World {
    type App = DirectoryHost;

    fn sim(&mut self) -> &mut Sim<DirectoryHost> {
        &mut self.sim
    }

    fn ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.book.borrow_mut().ledger)
    }

    fn host(&self, user: u32) -> HostId {
        HostId(SERVERS + user)
    }

    fn form(&mut self) -> Option<f64> {
        self.until_logged_in()
    }

    fn publish(&mut self, user: u32, number: u32, (_, title): (usize, &str)) {
        let file = SharedFile::new(ContentId(number), &name(title), 4 << 20);
        self.sim.command(HostId(SERVERS + user), Command::Client(client::Command::Share(file)));
    }

    fn target(&self, (_, title): (usize, &str)) -> Vec<u8> {
        format!("Throng\\{}", name(title)).into_bytes()
    }

    fn find(&mut self, user: u32, ticket: Ticket, (_, title): (usize, &str)) {
        let words = title.split(' ').map(str::to_owned).collect();
        let search = Search { limit: LIMIT, timeout: PATIENCE, ..Search::for_words(words) };
        let find = client::Command::Find(ticket, search);
        self.sim.command(HostId(SERVERS + user), Command::Client(find));
    }
}
