//! What a directory is told at its start: names, limits (section 10 of the note), other servers.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use throng_machine::Endpoint;

/// Settings of a directory; the defaults are those of the servers of the time unless said otherwise.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server's name, unique in its cluster; a word.
    pub name: String,
    /// What others are told of users who come from 127.x: the address that the server has for others (N15).
    pub loopback_as: Option<Ipv4Addr>,
    /// The port clients use, told to linked servers.
    pub port: u16,
    /// Seconds since 1970 at the driver's epoch.
    pub epoch_unix: u64,
    /// Lines of the message of the day, behind the two that name program and server.
    pub motd: Vec<String>,
    /// Only registered nicks may log in.
    pub registered_only: bool,
    /// Connections at once, clients and links.
    pub max_connections: u32,
    /// Connections from one address; 64, for those behind one router.
    pub max_per_address: u32,
    /// Files a user.
    pub max_files: u32,
    /// Files of one answer to a browse.
    pub max_browse: u32,
    /// Watched nicks a user.
    pub max_watched: usize,
    /// Ignored nicks a user.
    pub max_ignored: usize,
    /// Channels a user.
    pub max_channels: usize,
    /// Members a channel.
    pub max_members: usize,
    /// Channels in all; 4,096, as each costs memory.
    pub max_channels_in_all: usize,
    /// Searches of one user that wait for other servers; more stay here.
    pub max_pending_searches: u32,
    /// Searches a minute that a user may do for long, and at once after a pause. Generous beside G's two: an answer
    /// costs tens of microseconds.
    pub searches: Rate,
    /// Other messages a minute and at once; a user shares thousands of files in one run, one a message.
    pub messages: Rate,
    /// Registered nicks; a million, some hundred bytes each.
    pub max_accounts: usize,
    /// Failed passwords and registrations a minute from one address before it must wait.
    pub max_failures: u32,
    /// Passwords being checked at once; more logins are refused, as each costs the application some 50 ms.
    pub max_checks: u32,
    /// Steps a search may take; see `keyword_index::Query::work`.
    pub search_work: u32,
    /// From connection to login.
    pub login_timeout: Duration,
    /// From the first byte of a frame to its last.
    pub frame_timeout: Duration,
    /// How long other servers may take for a search.
    pub search_timeout: Duration,
    /// Between two unasked 214 to a user.
    pub stats_interval: Duration,
    /// Bytes waiting to be sent to a client before its next message is looked at; unasked bytes beyond close it.
    pub max_queue: u32,
    /// The same for a linked server, which has no other chance than to be quick.
    pub max_link_queue: u32,
    /// Other servers that may link here or are called.
    pub peers: Vec<Peer>,
    /// Longest time between two calls of a server that is not linked; the first are sooner.
    pub redial: Duration,
    /// Compression of links, 0 to 9; the lower of both sides is used.
    pub compression: u32,
}

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// For long.
    pub a_minute: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// Another server of the cluster. The links must form a tree.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// What we prove to it.
    pub send_password: String,
    /// What it proves to us.
    pub expect_password: String,
    /// Where it may come from; nobody is believed a name from elsewhere. Names are resolved by the application.
    pub addresses: Vec<IpAddr>,
    /// Where we call it, if we are the side that does.
    pub dial: Option<Endpoint>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            name: "directory".into(),
            loopback_as: None,
            port: 8888,
            epoch_unix: 0,
            motd: Vec::new(),
            registered_only: false,
            max_connections: 120_000,
            max_per_address: 64,
            max_files: 20_000,
            max_browse: 500,
            max_watched: 32,
            max_ignored: 32,
            max_channels: 5,
            max_members: 200,
            max_channels_in_all: 4_096,
            max_pending_searches: 3,
            searches: Rate { a_minute: 60, burst: 40 },
            messages: Rate { a_minute: 1_200, burst: 6_000 },
            max_accounts: 1_000_000,
            max_failures: 10,
            max_checks: 256,
            search_work: crate::keyword_index::DEFAULT_WORK,
            login_timeout: Duration::from_secs(60),
            frame_timeout: Duration::from_secs(120),
            search_timeout: Duration::from_secs(180),
            stats_interval: Duration::from_secs(60),
            max_queue: 102_400,
            max_link_queue: 1_048_576,
            peers: Vec::new(),
            redial: Duration::from_secs(30),
            compression: 1,
        }
    }
}
