//! Whole networks in the simulator: both roles, links, roles that change, deaths, transfers.

mod network;
mod ratio;
mod scenarios;
mod transfers;
