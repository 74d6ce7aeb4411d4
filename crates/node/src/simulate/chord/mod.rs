//! `throng simulate chord`: the ring of the note's section 6, each row measured beside the published figure.

pub mod balance;
pub mod churn;
pub mod failure;
pub mod hops;
pub mod host;
pub mod merge;
pub mod run;
pub mod summary;
pub mod world;
