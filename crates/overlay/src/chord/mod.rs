//! The ring: Chord with the corrected maintenance protocol, a replicated store, providers and keyword postings.
//!
//! One machine a host ([`Chord`]); it runs one or more virtual nodes over one UDP and TCP port. What the application
//! asks and is told is in [`Command`] and [`Event`]; the protocol is in `docs/protocols/chord.md`.
//!
//! `machine` receives and dispatches; `core` is what all share (`send`, `rpc`, `proof`, `guard`, `vnode`, `list`,
//! `node`); the ring itself is `detector`, `join`, `stabilise`, `rectify`, `leave`, `ownership`, `small`, `merge`, `mend`;
//! `lookup` finds owners, `storage` keeps records. Parts tell each other by `notice`, never by calling back.

mod admit;
mod answers;
mod bulk;
mod clock;
mod collapse;
mod command;
mod config;
mod core;
mod detached;
mod detector;
mod event;
mod founders;
mod grant;
mod guard;
mod hearing;
pub mod invariant;
mod join;
mod leave;
mod list;
mod lookup;
mod machine;
mod maintenance;
mod meeting;
mod mend;
mod merge;
mod node;
mod notice;
mod outside;
mod ownership;
mod packed;
mod passive;
mod places;
mod proof;
mod publish;
mod rectify;
mod report;
mod rpc;
mod rumour;
mod send;
#[cfg(test)]
mod sentences;
mod size;
mod small;
mod small_join;
mod small_rounds;
mod small_rows;
mod stabilise;
mod state;
mod storage;
mod suspicion;
#[cfg(test)]
mod tests;
mod view;
mod violation;
mod vnode;

pub use bulk::{RoundTrips, StableRing};
pub use command::{Command, PersistId, Put, Start, Want};
pub use config::{Config, Host, Limits, OneHop, Timers};
pub use event::{Change, Event, Failure, Value};
pub use list::SuccessorList;
pub use lookup::{FingerConfig, LookupConfig, LookupCounts, LookupMode, Measured, Snapshots};
pub use machine::Chord;
pub use node::{Entry, Health, Node, Rtt, Stamp};
pub use publish::content_id;
pub use storage::{Counters, Quotas, StoreStatus, Storing};
pub use view::{FingerRow, NeighbourStatus, NodeStatus, PendingRead, Status, View};
pub use violation::{Violation, Violations};

use throng_machine::Instant;

/// What every handler is given.
type Context<'a> = throng_machine::Context<'a, Event>;
