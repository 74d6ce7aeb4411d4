//! `throng simulate directory`: servers and their users, the shipping machines of both.

pub mod host;
pub mod machine;
pub mod run;
