//! What makes room at a key that holds as many records as it may (4.6): fair retention.
//!
//! What belongs to another shard by now goes first. Then the record to go is of the publisher with most records at this key, or of the network, if that has more; then of
//! the content with most copies here; then the one that ends first. So neither one key, nor one address with a
//! thousand keys, nor one file published a thousand times can push out what is rare.

use super::id::Locator;
use super::quota::{Account, Network};
use std::collections::BTreeMap;
use throng_machine::Instant;

/// A record at a full key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rival {
    /// Which.
    pub id: Locator,
    /// Its publisher.
    pub account: Option<Account>,
    /// Where it came from.
    pub network: Network,
    /// What it is about; equal for copies of one publication.
    pub content: u64,
    /// When it ends.
    pub expires: Instant,
    /// It belongs to another shard by now.
    pub foreign: bool,
}

/// The record that must go, of all that would be at the key, the new one included.
pub(crate) fn victim(rivals: &[Rival], by_network: bool) -> Option<Locator> {
    let mut accounts = BTreeMap::<Option<Account>, u32>::new();
    let mut networks = BTreeMap::<Network, u32>::new();
    let mut contents = BTreeMap::<u64, u32>::new();
    for rival in rivals {
        *accounts.entry(rival.account).or_default() += 1;
        *contents.entry(rival.content).or_default() += 1;
        if by_network && rival.network != Network::UNKNOWN {
            *networks.entry(rival.network).or_default() += 1;
        }
    }
    let count = |rival: &Rival| {
        let account = accounts.get(&rival.account).copied().unwrap_or(0);
        account.max(networks.get(&rival.network).copied().unwrap_or(0))
    };
    let copies = |rival: &Rival| contents.get(&rival.content).copied().unwrap_or(0);
    let worst = rivals.iter().max_by_key(|rival| {
        (
            rival.foreign,
            count(rival),
            copies(rival),
            std::cmp::Reverse(rival.expires),
            std::cmp::Reverse(rival.id),
        )
    });
    worst.map(|rival| rival.id)
}
