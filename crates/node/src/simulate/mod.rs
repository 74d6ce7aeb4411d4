//! `throng simulate`: the shipping machines in the simulator, and what is told of a run.

pub mod catalogue;
pub mod chord;
pub mod compare;
pub mod directory;
pub mod figures;
pub mod gnutella;
pub mod measure;
pub mod memory;
pub mod page;
pub mod plot;
pub mod supernode;
pub mod swarm;
pub mod swarm_host;
pub mod table;
