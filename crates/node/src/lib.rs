//! What the program and its scenario tests share: the simulated systems.

pub mod simulate;
