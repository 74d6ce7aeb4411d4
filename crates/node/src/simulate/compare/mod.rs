//! `throng simulate compare`: the lecture's discussion, measured. One population with one library asks the same
//! questions of every system, and dies in the same order.

mod bittorrent;
mod chord;
mod directory;
pub mod figures;
mod gnutella;
mod stage;
mod supernode;
#[cfg(test)]
mod tests;
pub mod workload;

use super::gnutella::plan::Mode;
use figures::Compared;
use workload::Workload;

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum System {
    /// Napster: one directory.
    Directory,
    /// Gnutella of 2000: everybody floods.
    Flood,
    /// Gnutella since: ultrapeers, route tables, dynamic queries.
    Dynamic,
    /// FastTrack.
    Supernode,
    /// The ring.
    Chord,
    /// A tracker, for those who know the info-hash.
    BitTorrent,
}

impl System {
    /// All, in the order in which they came into the world.
    pub const ALL: [System; 6] = [
        System::Directory,
        System::Flood,
        System::Dynamic,
        System::Supernode,
        System::Chord,
        System::BitTorrent,
    ];

    /// What it is called in tables and figures.
    pub fn name(self) -> &'static str {
        match self {
            System::Directory => "directory",
            System::Flood => "gnutella flood",
            System::Dynamic => "gnutella dynamic",
            System::Supernode => "supernode",
            System::Chord => "chord",
            System::BitTorrent => "bittorrent",
        }
    }

    /// Whether files can be found by words; if not, searches are for an info-hash that is known already.
    pub fn searches(self) -> bool {
        self != System::BitTorrent
    }

    /// Studies it.
    pub fn study(self, workload: &Workload, told: &mut dyn FnMut(&str)) -> Compared {
        match self {
            System::Directory => stage::study(workload, || directory::build(workload), told),
            System::Flood => stage::study(workload, || gnutella::build(workload, Mode::Flood), told),
            System::Dynamic => stage::study(workload, || gnutella::build(workload, Mode::Dynamic), told),
            System::Supernode => stage::study(workload, || supernode::build(workload), told),
            System::Chord => stage::study(workload, || chord::build(workload), told),
            System::BitTorrent => stage::study(workload, || bittorrent::build(workload), told),
        }
    }
}
