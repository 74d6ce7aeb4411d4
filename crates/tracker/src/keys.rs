//! Secrets of one tracker process: strangers choose info-hashes, ports and addresses, so every hash is keyed.

use std::hash::Hasher as _;

use siphasher::sip::{SipHasher13, SipHasher24};
use throng_machine::Entropy;
use throng_wire::ids::InfoHash;

/// Drawn once from the driver's entropy.
#[derive(Clone)]
pub(crate) struct Keys {
    table: [u64; 2],
    connection: [u64; 2],
}

impl Keys {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        let mut draw = || [entropy.next_u64(), entropy.next_u64()];
        Self { table: draw(), connection: draw() }
    }

    /// For tables of torrents; SipHash-1-3 is enough where its value never leaves the process.
    pub(crate) fn hash_torrent(&self, hash: &InfoHash) -> u64 {
        self.hash_table(&hash.0)
    }

    /// For the index of one large swarm.
    pub(crate) fn hash_endpoint(&self, endpoint: &[u8]) -> u64 {
        self.hash_table(endpoint)
    }

    fn hash_table(&self, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.table[0], self.table[1]);
        hasher.write(bytes);
        hasher.finish()
    }

    /// For connection ids, which strangers see: SipHash-2-4.
    pub(crate) fn authenticate(&self, address: &[u8; 16], bucket: u64) -> u64 {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(address);
        bytes[16..].copy_from_slice(&bucket.to_le_bytes());
        let mut hasher = SipHasher24::new_with_keys(self.connection[0], self.connection[1]);
        hasher.write(&bytes);
        hasher.finish()
    }
}
