//! The store, rule by rule.

mod digests;
mod hostile;
mod limits;
mod size;
mod validity;
mod versions;

use super::expiry::Clock;
use super::id::{Locator, Version};
use super::quota::{Network, Quotas};
use super::records::{Candidate, Kept, Records, Refused};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::{Kind, RecordId, RingId};

/// Seconds since 1970 at the driver's epoch.
const EPOCH: u64 = 1_700_000_000;

fn clock(seconds: u64) -> Clock {
    Clock { now: Instant::EPOCH + Duration::from_secs(seconds), unix: EPOCH + seconds }
}

fn key(n: u64) -> RingId {
    RingId::hash(&n.to_be_bytes())
}

/// A record of `kind` at `at` by publisher `who`, version `seq`, with a day to live.
fn candidate(kind: Kind, at: RingId, who: u8, seq: u64) -> Candidate {
    let body: Box<[u8]> = format!("{kind:?} of {who} number {seq}").into_bytes().into();
    let who_matters = !matches!(kind, Kind::Immutable | Kind::Mutable);
    Candidate {
        id: Locator::new(at, kind, id_of(&[who][..usize::from(who_matters)])),
        version: Version::of(seq, &body),
        account: Some([who; 16]),
        network: Network::UNKNOWN,
        content: u64::from(who),
        shard: 0,
        ttl: 86_400,
        remaining: 86_400,
        tombstone: false,
        body,
    }
}

fn mutable(n: u64, who: u8, seq: u64) -> Candidate {
    candidate(Kind::Mutable, key(n), who, seq)
}

fn from(candidate: Candidate, from: [u8; 3]) -> Candidate {
    let [a, b, c] = from;
    Candidate { network: Network::of(Endpoint::v4([a, b, c, 1], 1)), ..candidate }
}

fn offer(records: &mut Records, candidate: Candidate, at: u64) -> Result<Kept, Refused> {
    records.offer(candidate, None, clock(at), &Quotas::default())
}

fn id_of(parts: &[u8]) -> RecordId {
    RecordId(Sha256::digest(parts).into())
}
