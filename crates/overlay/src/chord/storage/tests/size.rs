//! What a store weighs: a million hosts share a simulator, and one holder keeps 200,000 records.

use super::*;
use crate::chord::storage::records::Stored;
use crate::chord::storage::{Storage, Store};

#[test]
fn a_host_without_records_has_next_to_nothing() {
    assert!(size_of::<Storage>() <= 16);
    assert!(size_of::<Store>() <= 1_400, "{} bytes", size_of::<Store>());
}

#[test]
fn a_record_costs_little_more_than_its_bytes() {
    // Its place in the index and the pointer to it, on average two thirds of a tree's node being used.
    let index = (size_of::<Locator>() + size_of::<Box<Stored>>()) * 3 / 2;
    let cost = index + size_of::<Stored>();
    assert!(cost as u64 <= super::super::quota::OVERHEAD, "{cost} bytes");
}
