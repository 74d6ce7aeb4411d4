//! The records a host holds, in ring order (4.1, 4.2, 4.5).
//!
//! Every record in here has been verified. Invariants: at most one version of a record, the largest heard of; the
//! counters of `Usage` are those of the records present; a record is neither read nor copied after its end; what
//! was larger once is not replaced by something smaller for a day, even if it is gone.

use super::crowds::Crowds;
use super::expiry::Clock;
use super::id::{Locator, Version};
use super::quota::{Account, Charge, Evictable, Met, Network, OVERHEAD, Quotas, Usage};
use super::shard::{self, Rival};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::chord::{Kind, Limit, RingId};

/// A version that is gone is remembered for this, so that it is not rolled back; 24 h.
const REMEMBERED: Duration = Duration::from_secs(86_400);
/// Up to this part of what a shard may hold one publisher may have as much of it as comes: more than the eighth at which
/// its word is spread.
const ROOMY: u64 = 4;
/// Sweeps lie at least this far apart.
const SWEEP: Duration = Duration::from_secs(30);
/// Versions remembered at most; the one forgotten first is the one remembered longest.
const REMEMBERED_MAX: usize = 65_536;
/// A sequence number that is a time may lie this far ahead of ours; 15 min.
pub(crate) const FUTURE: u64 = 900;

/// A verified record that might be stored.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Names it.
    pub id: Locator,
    /// Its version.
    pub version: Version,
    /// Who pays.
    pub account: Option<Account>,
    /// Where it was put from; unknown if another holder copied it to us.
    pub network: Network,
    /// What a posting is about.
    pub content: u64,
    /// Which of 256 shards that belongs to.
    pub shard: u8,
    /// Seconds its signer gives it.
    pub ttl: u32,
    /// Seconds it has left, as the sender counts; the TTL for a fresh put.
    pub remaining: u32,
    /// Whether it only says that the record was taken back.
    pub tombstone: bool,
    /// As it travels.
    pub body: Box<[u8]>,
}

/// A record held.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// As it travels.
    pub body: Box<[u8]>,
    /// Its version.
    pub version: Version,
    /// When it ends, on our clock.
    pub expires: Instant,
    /// What a posting is about.
    pub content: u64,
    /// Which of 256 shards that belongs to.
    pub shard: u8,
    /// Whether it only says that the record was taken back.
    pub tombstone: bool,
    account: Option<Account>,
    network: Network,
}

impl Stored {
    /// Seconds until it ends, rounded up.
    pub(crate) fn remaining(&self, now: Instant) -> u32 {
        u32::try_from(self.expires.since(now).as_micros().div_ceil(1_000_000)).unwrap_or(u32::MAX)
    }

    fn charge(&self, kind: Kind) -> Charge {
        let bytes = self.body.len() as u64 + OVERHEAD;
        Charge { account: self.account, network: self.network, bytes, posting: kind == Kind::Posting }
    }
}

/// What became of a candidate that is (now) held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// It is new, or newer than what was held.
    Written,
    /// The same version was held: its life begins anew.
    Refreshed,
}

/// Why a candidate is not held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// A larger version is held (read it by the same id), or was within a day.
    Older {
        /// That version's sequence number.
        seq: u64,
    },
    /// The writer expected another version than the one held.
    Cas {
        /// The sequence number held; 0 if nothing is.
        seq: u64,
    },
    /// Its sequence number is a time more than 15 minutes ahead.
    Future,
    /// It has no life left.
    Expired,
    /// A limit of this holder.
    Limit(Met),
}

/// Counts worth showing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Records written.
    pub written: u64,
    /// Lives renewed.
    pub refreshed: u64,
    /// Refused for an older version or another than expected.
    pub outdated: u64,
    /// Two values signed by one key under one number.
    pub equivocations: u64,
    /// Refused for a limit.
    pub over_limit: u64,
    /// Evicted to make room.
    pub evicted: u64,
    /// Ended.
    pub expired: u64,
}

/// The store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    held: BTreeMap<Locator, Box<Stored>>,
    crowds: Crowds,
    usage: Usage,
    gone: BTreeMap<Locator, (Version, Instant)>,
    /// No record ends before this.
    next_end: Option<Instant>,
    /// What changed since it was last asked, for the disk.
    changed: Vec<Locator>,
    /// Of words whose shard 0 lies here and that have more: how many, as a power of two.
    bits: BTreeMap<RingId, u8>,
    /// What has been counted.
    pub counters: Counters,
}

impl Records {
    /// Records held, those not yet swept included.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is held or remembered, and nothing ever was.
    pub(crate) fn is_blank(&self) -> bool {
        self.held.is_empty()
            && self.gone.is_empty()
            && self.bits.is_empty()
            && self.counters == Counters::default()
    }

    /// Who pays how much.
    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// A record, a tombstone too, if it has life left.
    pub(crate) fn find(&self, id: &Locator, now: Instant) -> Option<&Stored> {
        self.held.get(id).map(Box::as_ref).filter(|stored| stored.expires > now)
    }

    /// All living records at a ring position, tombstones included.
    pub(crate) fn at(&self, key: RingId, now: Instant) -> impl Iterator<Item = (&Locator, &Stored)> {
        self.span(Bound::Included(Locator::first(key)), Bound::Included(Locator::last(key)), now)
    }

    /// All living records in `(low, high]`, clockwise from `low`; the whole ring if they are equal.
    pub(crate) fn range(
        &self,
        low: RingId,
        high: RingId,
        now: Instant,
    ) -> impl Iterator<Item = (&Locator, &Stored)> {
        let (after, until) = (Bound::Excluded(Locator::last(low)), Bound::Included(Locator::last(high)));
        let (first, second) = if low < high {
            ((after, until), None)
        } else {
            ((after, Bound::Unbounded), Some((Bound::Unbounded, until)))
        };
        let wrapped = second.map(|(from, to)| self.span(from, to, now)).into_iter().flatten();
        self.span(first.0, first.1, now).chain(wrapped)
    }

    /// All living records from one key to another, both included, without passing the top of the ring.
    pub(crate) fn between(
        &self,
        first: RingId,
        last: RingId,
        now: Instant,
    ) -> impl Iterator<Item = (&Locator, &Stored)> {
        self.span(Bound::Included(Locator::first(first)), Bound::Included(Locator::last(last)), now)
    }

    fn span(
        &self,
        from: Bound<Locator>,
        to: Bound<Locator>,
        now: Instant,
    ) -> impl Iterator<Item = (&Locator, &Stored)> {
        let all = self.held.range((from, to)).map(|(id, stored)| (id, stored.as_ref()));
        all.filter(move |(_, stored)| stored.expires > now)
    }

    /// Takes a candidate, or says why not; may evict others. `unix` is the time in seconds since 1970, `cas` the
    /// sequence number the writer expects to replace.
    pub(crate) fn offer(
        &mut self,
        candidate: Candidate,
        cas: Option<u64>,
        clock: Clock,
        quotas: &Quotas,
    ) -> Result<Kept, Refused> {
        let outcome = self.try_offer(candidate, cas, clock, quotas);
        let counters = &mut self.counters;
        let counter = match outcome {
            Ok(Kept::Written) => &mut counters.written,
            Ok(Kept::Refreshed) => &mut counters.refreshed,
            Err(Refused::Limit(_)) => &mut counters.over_limit,
            Err(_) => &mut counters.outdated,
        };
        *counter += 1;
        outcome
    }

    fn try_offer(
        &mut self,
        candidate: Candidate,
        cas: Option<u64>,
        clock: Clock,
        quotas: &Quotas,
    ) -> Result<Kept, Refused> {
        let expires = clock.expiry(&candidate)?;
        let held = self.find(&candidate.id, clock.now).map(|stored| stored.version);
        self.check_order(&candidate, held, cas)?;
        if held == Some(candidate.version) {
            return Ok(self.renew(&candidate.id, expires));
        }
        self.admit(&candidate, expires, quotas)?;
        let id = candidate.id;
        self.insert(candidate, expires);
        self.make_room(quotas, clock.now);
        if self.held.contains_key(&id) {
            Ok(Kept::Written)
        } else {
            Err(Refused::Limit(Met::of(Limit::Store)))
        }
    }

    fn check_order(
        &mut self,
        candidate: &Candidate,
        held: Option<Version>,
        cas: Option<u64>,
    ) -> Result<(), Refused> {
        let known = held.max(self.gone.get(&candidate.id).map(|(version, _)| *version));
        if let Some(known) = known
            && known.seq == candidate.version.seq
            && known.hash != candidate.version.hash
        {
            self.counters.equivocations += 1;
        }
        if let Some(expected) = cas
            && held.map_or(0, |held| held.seq) != expected
            && held != Some(candidate.version)
        {
            return Err(Refused::Cas { seq: held.map_or(0, |held| held.seq) });
        }
        match known.filter(|known| *known > candidate.version) {
            Some(known) => Err(Refused::Older { seq: known.seq }),
            None => Ok(()),
        }
    }

    fn renew(&mut self, id: &Locator, expires: Instant) -> Kept {
        if let Some(stored) = self.held.get_mut(id)
            && stored.expires < expires
        {
            stored.expires = expires;
            self.changed.push(*id);
        }
        Kept::Refreshed
    }

    /// Applies the limits of publisher, network and key; at a full key the least deserving goes, perhaps the new one.
    fn admit(&mut self, candidate: &Candidate, expires: Instant, quotas: &Quotas) -> Result<(), Refused> {
        let kind = candidate.id.kind();
        let bytes = candidate.body.len() as u64 + OVERHEAD;
        let (account, network) = (candidate.account, candidate.network);
        let charge = Charge { account, network, bytes, posting: kind == Kind::Posting };
        let old = self.held.get(&candidate.id).map(|stored| stored.charge(kind).bytes);
        self.usage.admit(&charge, old, quotas).map_err(Refused::Limit)?;
        if old.is_some() {
            return Ok(());
        }
        let most = match kind {
            Kind::Immutable | Kind::Mutable => return Ok(()),
            Kind::Provider => quotas.providers_per_key,
            Kind::Entry => quotas.writers_per_name,
            Kind::Posting => quotas.postings_per_shard,
        };
        self.retain_fairly(candidate, expires, most, quotas)
    }

    fn retain_fairly(
        &mut self,
        candidate: &Candidate,
        expires: Instant,
        most: u32,
        quotas: &Quotas,
    ) -> Result<(), Refused> {
        let (id, key) = (candidate.id, candidate.id.key);
        let is_posting = id.kind() == Kind::Posting;
        // Where there is room a large share may have it; whoever has most makes room when others come.
        if is_posting && u64::from(self.postings_at(key)) * ROOMY < u64::from(most) {
            return Ok(());
        }
        let bounds = Locator::first_of(key, id.kind())..=Locator::last_of(key, id.kind());
        let mut rivals: Vec<Rival> = Vec::new();
        let mask = self.bits.get(&key).map_or(0, |bits| ((1u16 << bits) - 1) as u8);
        for (other, stored) in self.held.range(bounds) {
            let Stored { account, network, content, expires, .. } = **stored;
            let foreign = stored.shard & mask != 0;
            rivals.push(Rival { id: *other, account, network, content, expires, foreign });
        }
        let own = rivals.iter().filter(|rival| rival.account == candidate.account).count();
        if is_posting && own >= quotas.postings_per_publisher as usize {
            return Err(Refused::Limit(Met::of(Limit::Publisher)));
        }
        if rivals.len() < most as usize {
            return Ok(());
        }
        let (account, network, content) = (candidate.account, candidate.network, candidate.content);
        let foreign = candidate.shard & mask != 0;
        rivals.push(Rival { id, account, network, content, expires, foreign });
        match shard::victim(&rivals, quotas.network_percent.is_some()) {
            Some(victim) if victim != id => {
                self.counters.evicted += 1;
                self.remove(&victim);
                Ok(())
            }
            _ => Err(Refused::Limit(Met::of(Limit::Key))),
        }
    }

    fn insert(&mut self, candidate: Candidate, expires: Instant) {
        let Candidate { id, version, account, network, content, shard, tombstone, body, .. } = candidate;
        let stored = Box::new(Stored { body, version, expires, content, shard, tombstone, account, network });
        self.usage.add(&stored.charge(id.kind()));
        match self.held.insert(id, stored) {
            Some(old) => self.usage.remove(&old.charge(id.kind())),
            None => self.crowds.added(&self.held, &id),
        }
        self.next_end = Some(self.next_end.map_or(expires, |end| end.min(expires)));
        self.changed.push(id);
    }

    fn make_room(&mut self, quotas: &Quotas, now: Instant) {
        if !self.usage.is_over(quotas) {
            return;
        }
        self.sweep(now);
        if !self.usage.is_over(quotas) {
            return;
        }
        let records = self.held.iter().map(|(id, stored)| Evictable {
            id: *id,
            expires: stored.expires,
            charge: stored.charge(id.kind()),
        });
        let victims = self.usage.victims(records, quotas);
        self.counters.evicted += victims.len() as u64;
        for victim in victims {
            self.remove(&victim);
        }
    }

    /// Forgets a record without remembering its version: it was copied to where it belongs, or made room.
    pub(crate) fn remove(&mut self, id: &Locator) -> bool {
        let Some(stored) = self.held.remove(id) else { return false };
        self.usage.remove(&stored.charge(id.kind()));
        self.crowds.removed(id);
        self.changed.push(*id);
        true
    }

    /// When [`Records::sweep`] has something to do.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.next_end
    }

    /// Forgets what has ended, remembers its versions for a day, forgets those remembered longer.
    pub(crate) fn sweep(&mut self, now: Instant) {
        if self.next_end.is_none_or(|end| end > now) {
            return;
        }
        let ended: Vec<(Locator, Version)> = self
            .held
            .iter()
            .filter(|(_, stored)| stored.expires <= now)
            .map(|(id, stored)| (*id, stored.version))
            .collect();
        self.counters.expired += ended.len() as u64;
        for (id, version) in ended {
            self.remove(&id);
            if id.kind() != Kind::Immutable {
                self.gone.insert(id, (version, now + REMEMBERED));
            }
        }
        self.gone.retain(|_, (_, until)| *until > now);
        self.forget_oldest();
        let ends = self.held.values().map(|stored| stored.expires);
        // Sweeping looks at every record: not for each of them, since none is read after its end.
        let next = ends.chain(self.gone.values().map(|(_, until)| *until)).min();
        self.next_end = next.map(|end| end.max(now + SWEEP));
    }

    fn forget_oldest(&mut self) {
        let Some(excess) = self.gone.len().checked_sub(REMEMBERED_MAX).filter(|excess| *excess > 0) else {
            return;
        };
        let mut untils: Vec<(Instant, Locator)> =
            self.gone.iter().map(|(id, (_, until))| (*until, *id)).collect();
        untils.sort_unstable();
        for (_, id) in &untils[..excess] {
            self.gone.remove(id);
        }
    }

    /// Takes the ids of what was written, renewed or removed since the last call, each once.
    pub(crate) fn take_changed(&mut self) -> Vec<Locator> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// A record came from the disk: it need not be written if it was kept, and must be removed if not.
    pub(crate) fn on_disk(&mut self, id: &Locator, kept: bool) {
        self.changed.retain(|changed| changed != id);
        if !kept {
            self.changed.push(*id);
        }
    }

    /// A word whose shard 0 lies here is spread over 2^`bits` shards.
    pub(crate) fn spread(&mut self, key: RingId, bits: u8) {
        if bits == 0 {
            self.bits.remove(&key);
        } else {
            self.bits.insert(key, bits);
        }
    }

    /// How many postings a key holds, for the decision on its shards.
    pub(crate) fn postings_at(&self, key: RingId) -> u32 {
        self.crowds.count(&self.held, key)
    }
}
