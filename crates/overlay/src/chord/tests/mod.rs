//! The proof side of the ring (`docs/protocols/chord.md`, sections 2.4 and 7): the invariant after every event.

mod bugs;
mod explore;
mod founders;
mod lecture;
mod model;

mod net;

mod random;
mod rows;
mod run;
mod schedule;

mod support;
mod world;

use std::hash::{DefaultHasher, Hash, Hasher};

/// A hash wide enough that two of a hundred million states hardly ever share it.
fn fingerprint128(state: &impl Hash) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        state.hash(&mut hasher);
        hasher.finish()
    };
    u128::from(half(1)) << 64 | u128::from(half(2))
}
