//! Who may fill how much of the store, and who makes room (4.5).
//!
//! Records are charged to their signer's account and to the network network they were put from. A share is refused at
//! its limit; a full store evicts from whoever presses most on his share, the record nearest its end first, so that a
//! flood pays for itself. `Pressure` compares an account's bytes with a publisher's limit and a network's with a
//! network's: with many accounts behind few addresses the addresses pay.

use super::id::Locator;
use crate::chord::lookup::AddressPrefix;
use std::collections::{BTreeMap, BinaryHeap};
use throng_machine::{Endpoint, Instant};
use throng_wire::chord::Limit;

/// What a record costs besides its bytes: index, accounts, disk row.
pub(crate) const OVERHEAD: u64 = 160;

/// Limits of one holder; the defaults are the specification's.
#[derive(Clone, PartialEq, Debug)]
pub struct Quotas {
    /// Bytes of all records with their overhead; 64 MiB.
    pub bytes: u64,
    /// Records; 200,000.
    pub records: u32,
    /// Percent of both that postings may take, so that 40 % stays for other kinds; 60.
    pub posting_percent: u8,
    /// Percent of both that one publisher may take; 2.
    pub publisher_percent: u8,
    /// Percent of the store up to which publishers and networks may go beyond their shares, as long as nobody else wants the
    /// room: whoever has most makes room first; 0, so that a share is a share. A small ring has few holders for all that
    /// one node publishes: the program says 75.
    pub spare_percent: u8,
    /// Percent of the bytes that one /24 (IPv6: /48) may take; 5. Private networks have no such limit: their hosts share
    /// a prefix; `None` lifts it everywhere.
    pub network_percent: Option<u8>,
    /// Providers of one item; 512.
    pub providers_per_key: u32,
    /// Writers of one name; 64.
    pub writers_per_name: u32,
    /// Postings of one shard; 4,096.
    pub postings_per_shard: u32,
    /// Postings of one publisher in one shard; 64.
    pub postings_per_publisher: u32,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas {
            bytes: 64 << 20,
            records: 200_000,
            posting_percent: 60,
            publisher_percent: 2,
            spare_percent: 0,
            network_percent: Some(5),
            providers_per_key: 512,
            writers_per_name: 64,
            postings_per_shard: 4_096,
            postings_per_publisher: 64,
        }
    }
}

impl Quotas {
    fn publisher_bytes(&self) -> u64 {
        (self.bytes / 100 * u64::from(self.publisher_percent)).max(1)
    }

    fn publisher_records(&self) -> u32 {
        (self.records / 100 * u32::from(self.publisher_percent)).max(1)
    }

    fn network_bytes(&self) -> Option<u64> {
        self.network_percent.map(|percent| (self.bytes / 100 * u64::from(percent)).max(1))
    }

    fn posting_bytes(&self) -> u64 {
        self.bytes / 100 * u64::from(self.posting_percent)
    }

    fn posting_records(&self) -> u32 {
        self.records / 100 * u32::from(self.posting_percent)
    }
}

/// The network a put came from: an IPv4 /24 or IPv6 /48. Zero is unknown: a private network, or copied from another
/// holder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Network(u64);

impl Network {
    /// Not known, and charged to nobody.
    pub(crate) const UNKNOWN: Network = Network(0);

    /// The network of an address.
    pub(crate) fn of(endpoint: Endpoint) -> Network {
        AddressPrefix::of(endpoint)
            .map_or(Network::UNKNOWN, |prefix| Network(prefix.narrow().saturating_add(1)))
    }
}

/// Who pays for a record: the first half of the signer's key.
pub(crate) type Account = [u8; 16];

/// What one record costs whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Charge {
    /// Its signer; `None` for immutable records, which nobody signs.
    pub account: Option<Account>,
    /// Where it came from.
    pub network: Network,
    /// Bytes with overhead.
    pub bytes: u64,
    /// Whether it counts among the postings.
    pub posting: bool,
}

#[derive(Clone, Copy, Default, Debug)]
struct Share {
    bytes: u64,
    records: u32,
}

impl Share {
    fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.records += 1;
    }

    fn remove(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.records = self.records.saturating_sub(1);
    }
}

/// A limit that a put met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Met {
    /// Which.
    pub limit: Limit,
    /// Seconds after which trying again may help.
    pub retry_after: u32,
}

impl Met {
    /// Room comes as records end: an hour is worth waiting.
    pub(crate) const fn of(limit: Limit) -> Met {
        Met { limit, retry_after: 3_600 }
    }
}

/// A limit in words a user can read.
pub(crate) const fn words(limit: Limit) -> &'static str {
    match limit {
        Limit::Store => "the holder's store is full",
        Limit::Kind => "the holder keeps no more of this kind",
        Limit::Key => "the key holds no more records",
        Limit::Publisher => "a publisher's share of the holder",
        Limit::Network => "a network's share of the holder",
        Limit::Rate => "puts a second from one address",
        Limit::Future => "the version lies in the holder's future",
        Limit::Expired => "it has expired",
        Limit::Signature => "the signature or hash is wrong",
        Limit::Source => "it announces another's address",
    }
}

/// The counters behind the limits.
#[derive(Clone, Default, Debug)]
pub(crate) struct Usage {
    all: Share,
    postings: Share,
    accounts: BTreeMap<Account, Share>,
    networks: BTreeMap<Network, Share>,
}

/// A record as eviction sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evictable {
    /// Which.
    pub id: Locator,
    /// When it ends.
    pub expires: Instant,
    /// Who pays for it.
    pub charge: Charge,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Payer {
    Account(Account),
    Network(Network),
    Nobody,
}

impl Usage {
    /// Bytes of all records, with overhead.
    pub(crate) fn bytes(&self) -> u64 {
        self.all.bytes
    }

    /// Publishers with a record here.
    pub(crate) fn publishers(&self) -> usize {
        self.accounts.len()
    }

    /// Bytes and records of one publisher.
    pub(crate) fn of_account(&self, account: &Account) -> (u64, u32) {
        self.accounts.get(account).map_or((0, 0), |share| (share.bytes, share.records))
    }

    /// Counts a record.
    pub(crate) fn add(&mut self, charge: &Charge) {
        self.all.add(charge.bytes);
        if charge.posting {
            self.postings.add(charge.bytes);
        }
        if let Some(account) = charge.account {
            self.accounts.entry(account).or_default().add(charge.bytes);
        }
        if charge.network != Network::UNKNOWN {
            self.networks.entry(charge.network).or_default().add(charge.bytes);
        }
    }

    /// Counts it no more.
    pub(crate) fn remove(&mut self, charge: &Charge) {
        self.all.remove(charge.bytes);
        if charge.posting {
            self.postings.remove(charge.bytes);
        }
        if let Some(account) = charge.account {
            release(&mut self.accounts, &account, charge.bytes);
        }
        release(&mut self.networks, &charge.network, charge.bytes);
    }

    /// Whether the payers of a record may take it, in place of one that they pay `freed` bytes for already.
    pub(crate) fn admit(&self, charge: &Charge, freed: Option<u64>, quotas: &Quotas) -> Result<(), Met> {
        let (more, one) = (charge.bytes.saturating_sub(freed.unwrap_or(0)), u32::from(freed.is_none()));
        if let Some(account) = charge.account {
            let (bytes, records) = self.of_account(&account);
            let over = bytes + more > quotas.publisher_bytes() || records + one > quotas.publisher_records();
            if over && !self.has_spare(charge, (more, one), quotas) {
                return Err(Met::of(Limit::Publisher));
            }
        }
        if let Some(limit) = quotas.network_bytes()
            && self.networks.get(&charge.network).is_some_and(|share| share.bytes + more > limit)
            && !self.has_spare(charge, (more, one), quotas)
        {
            return Err(Met::of(Limit::Network));
        }
        Ok(())
    }

    /// Whether there is room that is nobody's share for now.
    fn has_spare(&self, charge: &Charge, (more, one): (u64, u32), quotas: &Quotas) -> bool {
        let percent = quotas.spare_percent;
        let fits = |share: &Share, bytes: u64, records: u32| {
            share.bytes + more <= bytes / 100 * u64::from(percent)
                && share.records + one <= records / 100 * u32::from(percent)
        };
        percent > 0
            && fits(&self.all, quotas.bytes, quotas.records)
            && (!charge.posting || fits(&self.postings, quotas.posting_bytes(), quotas.posting_records()))
    }

    /// Whether anything must make room.
    pub(crate) fn is_over(&self, quotas: &Quotas) -> bool {
        self.all.bytes > quotas.bytes || self.all.records > quotas.records || self.postings_over(quotas)
    }

    fn postings_over(&self, quotas: &Quotas) -> bool {
        self.postings.bytes > quotas.posting_bytes() || self.postings.records > quotas.posting_records()
    }

    /// Chooses what to evict until 2 % of what was exceeded are free again; the counters are not changed.
    ///
    /// One pass over all records frees thousands of places, so that a flood costs little a record.
    pub(crate) fn victims(&self, records: impl Iterator<Item = Evictable>, quotas: &Quotas) -> Vec<Locator> {
        let all_over = self.all.bytes > quotas.bytes || self.all.records > quotas.records;
        let postings_only = !all_over && self.postings_over(quotas);
        let mut eviction = Eviction::new(self, quotas);
        for record in records.filter(|record| !postings_only || record.charge.posting) {
            eviction.offer(record);
        }
        eviction.run(postings_only)
    }
}

fn release<K: Ord>(shares: &mut BTreeMap<K, Share>, key: &K, bytes: u64) {
    if let Some(share) = shares.get_mut(key) {
        share.remove(bytes);
        if share.records == 0 {
            shares.remove(key);
        }
    }
}

/// One round of making room, on copies of the counters.
struct Eviction<'a> {
    quotas: &'a Quotas,
    all: Share,
    postings: Share,
    pressures: BTreeMap<Payer, (u64, Vec<usize>)>,
    records: Vec<Option<Evictable>>,
}

impl<'a> Eviction<'a> {
    fn new(usage: &Usage, quotas: &'a Quotas) -> Eviction<'a> {
        Eviction {
            quotas,
            all: usage.all,
            postings: usage.postings,
            pressures: BTreeMap::new(),
            records: Vec::new(),
        }
    }

    fn payers(record: &Evictable) -> [Payer; 2] {
        let account = record.charge.account.map_or(Payer::Nobody, Payer::Account);
        let network = record.charge.network;
        [account, if network == Network::UNKNOWN { Payer::Nobody } else { Payer::Network(network) }]
    }

    fn offer(&mut self, record: Evictable) {
        let index = self.records.len();
        let [first, second] = Eviction::payers(&record);
        for payer in [Some(first), Some(second).filter(|_| second != first)].into_iter().flatten() {
            let (bytes, of) = self.pressures.entry(payer).or_default();
            *bytes += record.charge.bytes;
            of.push(index);
        }
        self.records.push(Some(record));
    }

    /// How hard a payer presses on its share, in bytes of a publisher's.
    fn pressure(&self, payer: Payer, bytes: u64) -> u64 {
        match payer {
            Payer::Account(_) => bytes,
            Payer::Network(_) => match self.quotas.network_percent {
                Some(percent) => bytes * u64::from(self.quotas.publisher_percent) / u64::from(percent.max(1)),
                None => 0,
            },
            // What nobody signed presses like an account of its own for each twentieth of the store.
            Payer::Nobody => bytes / 20,
        }
    }

    fn is_done(&self, postings_only: bool) -> bool {
        let quotas = self.quotas;
        let fits = |share: Share, bytes: u64, records: u32| {
            share.bytes <= bytes - bytes / 50 && share.records <= records - records / 50
        };
        let postings = fits(self.postings, quotas.posting_bytes(), quotas.posting_records());
        if postings_only { postings } else { postings && fits(self.all, quotas.bytes, quotas.records) }
    }

    fn run(mut self, postings_only: bool) -> Vec<Locator> {
        let mut pressures = std::mem::take(&mut self.pressures);
        for (_, of) in pressures.values_mut() {
            // The earliest end last, to be popped first; the id decides ties so that equal stores evict alike.
            of.sort_by_key(|index| {
                std::cmp::Reverse(self.records[*index].map(|record| (record.expires, record.id)))
            });
        }
        let mut heap: BinaryHeap<(u64, Payer)> =
            pressures.iter().map(|(payer, (bytes, _))| (self.pressure(*payer, *bytes), *payer)).collect();
        let mut victims = Vec::new();
        while !self.is_done(postings_only) {
            let Some((claimed, payer)) = heap.pop() else { break };
            let Some((bytes, of)) = pressures.get_mut(&payer) else { continue };
            let actual = self.pressure(payer, *bytes);
            if actual < claimed {
                heap.push((actual, payer));
                continue;
            }
            let Some(index) = of.pop() else { continue };
            if let Some(record) = self.records[index].take() {
                victims.push(record.id);
                self.forget(&record, &mut pressures);
            }
            if let Some((bytes, _)) = pressures.get(&payer) {
                heap.push((self.pressure(payer, *bytes), payer));
            }
        }
        victims
    }

    fn forget(&mut self, record: &Evictable, pressures: &mut BTreeMap<Payer, (u64, Vec<usize>)>) {
        self.all.remove(record.charge.bytes);
        if record.charge.posting {
            self.postings.remove(record.charge.bytes);
        }
        let [first, second] = Eviction::payers(record);
        for payer in [Some(first), Some(second).filter(|_| second != first)].into_iter().flatten() {
            if let Some((bytes, _)) = pressures.get_mut(&payer) {
                *bytes = bytes.saturating_sub(record.charge.bytes);
            }
        }
    }
}
