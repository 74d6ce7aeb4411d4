//! What the torrents of one machine share: limits, counts, bans.

use crate::{Config, Event};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use throng_machine::{ContentId, Context, Endpoint, Instant, StreamId, TokenBucket};

pub(crate) type Cx<'a> = Context<'a, Event>;

/// Addresses shut out are remembered up to this many; the oldest is let in again.
const MAX_BANS: usize = 4_096;

/// Shared by all torrents of a machine.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) upload: TokenBucket,
    pub(crate) download: TokenBucket,
    /// Peers with blocks to send, served in turn while the upload bucket is open.
    pub(crate) ring: VecDeque<(ContentId, StreamId)>,
    /// Torrents with peers waiting for download tokens.
    pub(crate) thirsty: BTreeSet<ContentId>,
    /// Bytes of pieces begun.
    pub(crate) partial_bytes: u64,
    pub(crate) half_open: usize,
    pub(crate) connections: usize,
    per_address: BTreeMap<IpAddr, u32>,
    banned: BTreeSet<IpAddr>,
    banned_order: VecDeque<IpAddr>,
    banned_ids: BTreeSet<[u8; 20]>,
    /// Streams that torrents are done with since the last call.
    pub(crate) closed: Vec<StreamId>,
    pub(crate) key: u32,
    pub(crate) next_request: u32,
}

impl Shared {
    pub(crate) fn new(config: Config, key: u32) -> Shared {
        Shared {
            upload: TokenBucket::new(config.upload_limit, Instant::EPOCH),
            download: TokenBucket::new(config.download_limit, Instant::EPOCH),
            config,
            ring: VecDeque::new(),
            thirsty: BTreeSet::new(),
            partial_bytes: 0,
            half_open: 0,
            connections: 0,
            per_address: BTreeMap::new(),
            banned: BTreeSet::new(),
            banned_order: VecDeque::new(),
            banned_ids: BTreeSet::new(),
            closed: Vec::new(),
            key,
            next_request: 0,
        }
    }

    /// Whether one more connection with this address fits the limits; loopback is one machine's own affair.
    pub(crate) fn has_room_for(&self, ip: IpAddr) -> bool {
        let of_address = self.per_address.get(&ip).copied().unwrap_or(0) as usize;
        self.connections < self.config.max_connections
            && (ip.is_loopback() || of_address < self.config.max_per_address)
            && !self.banned.contains(&ip)
    }

    pub(crate) fn connected(&mut self, ip: IpAddr) {
        self.connections += 1;
        *self.per_address.entry(ip).or_default() += 1;
    }

    pub(crate) fn disconnected(&mut self, ip: IpAddr) {
        self.connections = self.connections.saturating_sub(1);
        if let Some(count) = self.per_address.get_mut(&ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_address.remove(&ip);
            }
        }
    }

    /// Shuts a peer out: by address, or by its id on loopback, where all share one address.
    pub(crate) fn ban(&mut self, address: Endpoint, id: [u8; 20]) {
        if self.banned_order.len() >= MAX_BANS
            && let Some(oldest) = self.banned_order.pop_front()
        {
            self.banned.remove(&oldest);
        }
        if !address.ip().is_loopback() {
            if self.banned.insert(address.ip()) {
                self.banned_order.push_back(address.ip());
            }
        // Before its handshake a peer has no id.
        } else if id != [0; 20] && self.banned_ids.len() < MAX_BANS {
            self.banned_ids.insert(id);
        }
    }

    pub(crate) fn is_banned(&self, address: Endpoint, id: &[u8; 20]) -> bool {
        self.banned.contains(&address.ip()) || self.banned_ids.contains(id)
    }

    /// A number for the next announce.
    pub(crate) fn request(&mut self) -> u32 {
        self.next_request = self.next_request.wrapping_add(1);
        self.next_request
    }
}
