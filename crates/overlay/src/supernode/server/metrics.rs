//! What a supernode counts.

/// Counters since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Metrics {
    /// Connections closed at once.
    pub refused: u64,
    /// Ordinary nodes that came.
    pub joins: u64,
    /// Files shared.
    pub shares: u64,
    /// Searches of ordinary nodes and of this one.
    pub searches: u64,
    /// Of them, those that went beyond neighbours whose digest fits.
    pub searches_far: u64,
    /// Of them, those that the ring was asked.
    pub searches_ring: u64,
    /// Hits sent to ordinary nodes.
    pub hits: u64,
    /// Queries of other supernodes answered or passed on.
    pub queries: u64,
    /// Queries sent, their own and others'.
    pub queries_sent: u64,
    /// Queries that had come before.
    pub duplicates: u64,
    /// Messages given up because a link was full.
    pub dropped: u64,
    /// Replies of other supernodes, for here or passed on.
    pub replies: u64,
    /// Messages that searches cost: heard of ordinary nodes, sent to them, and sent to other supernodes.
    pub search_messages: u64,
    /// Their bytes, frames included.
    pub search_bytes: u64,
    /// Pushes passed on.
    pub pushes: u64,
    /// Links made.
    pub links_made: u64,
    /// Calls back that reached who they should.
    pub proved: u64,
    /// Ordinary nodes asked to become supernodes.
    pub promotions: u64,
    /// Ordinary nodes sent elsewhere.
    pub moved: u64,
}

impl Metrics {
    /// Counts so many messages of searches, of so many bytes each.
    pub(super) fn spend(&mut self, messages: usize, bytes: usize) {
        self.search_messages += messages as u64;
        self.search_bytes += (messages * bytes) as u64;
    }
}

/// What there is now.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Gauges {
    /// Ordinary nodes.
    pub members: u32,
    /// Connections of all kinds.
    pub connections: u32,
    /// Links to other supernodes that are up.
    pub links: u32,
    /// Files of ordinary nodes and of this one.
    pub files: u32,
    /// Bytes of the catalogue.
    pub index_bytes: u64,
    /// Bytes of neighbours' digests.
    pub digest_bytes: u64,
    /// Searches under way.
    pub searches: u32,
    /// Supernodes in all, as estimated.
    pub supernodes: u32,
    /// Addresses of supernodes known.
    pub known: u32,
}
