//! `throng simulate chord`: the ring of the note's section 6, each row measured beside the published figure.

pub mod balance;
pub mod churn;
pub mod claims;
pub mod distance;
pub mod failure;
pub mod hops;
pub mod host;
pub mod loss;
pub mod merge;
pub mod million;
pub mod returns;
pub mod run;
pub mod sessions;
pub mod summary;
pub mod traffic;
pub mod words;
pub mod world;
