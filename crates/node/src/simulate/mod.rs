//! `throng simulate`: the shipping machines in the simulator.

pub mod swarm;
pub mod swarm_host;
