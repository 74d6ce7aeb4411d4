//! What a directory counts.

use super::command::Violation;

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Connections accepted.
    pub connections: u64,
    /// Connections closed at once: banned, too many.
    pub connections_refused: u64,
    /// Users who came in.
    pub logins: u64,
    /// Users who did not.
    pub logins_refused: u64,
    /// Older sessions thrown out by the same user.
    pub ghosts: u64,
    /// Messages of clients.
    pub messages: u64,
    /// Files refused.
    pub shares_refused: u64,
    /// Searches (200).
    pub searches: u64,
    /// Searches refused because there were too many.
    pub searches_refused: u64,
    /// Searches that reached their cap of work.
    pub partial_searches: u64,
    /// Hits sent.
    pub hits: u64,
    /// Messages of linked servers.
    pub link_messages: u64,
    /// Searches of users of linked servers.
    pub link_searches: u64,
    /// Answers the protocol cannot express, not sent.
    pub unwritable: u64,
    /// By [`Violation`].
    pub violations: [u64; Violation::COUNT],
}

impl Metrics {
    /// How often a violation was seen.
    pub const fn count(&self, violation: Violation) -> u64 {
        self.violations[violation as usize]
    }
}

/// What there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Connections, links included.
    pub connections: u32,
    /// Users of the cluster.
    pub users: u32,
    /// Files of the cluster.
    pub files: u64,
    /// Their bytes.
    pub bytes_shared: u64,
    /// Files of users here.
    pub files_here: u32,
    /// Words and content keys in the index.
    pub words: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Channels somebody is in.
    pub channels: u64,
    /// Nicks somebody watches.
    pub watched: u64,
    /// Registered nicks.
    pub accounts: u64,
    /// Links that are up.
    pub links: u64,
    /// Searches that wait for other servers.
    pub pending_searches: u64,
    /// Passwords being checked.
    pub checks: u64,
}
