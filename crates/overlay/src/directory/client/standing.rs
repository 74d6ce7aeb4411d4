//! What the application may look at: sessions, and who knows of a file.

use throng_machine::{ContentId, Endpoint};

use super::machine::Client;

/// One directory as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Which one.
    pub server: Endpoint,
    /// Whether we are logged in.
    pub online: bool,
    /// Our nick there, or the one that is tried next.
    pub nick: Vec<u8>,
    /// Files it was told of in this session.
    pub told: u32,
    /// Files it is still to be told of.
    pub untold: u32,
    /// Attempts in a row that failed.
    pub failures: u32,
}

impl Client {
    /// Every directory joined, by address.
    pub fn sessions(&self) -> impl Iterator<Item = Session> + '_ {
        self.servers.iter().map(|(at, server)| Session {
            server: *at,
            online: server.is_online(),
            nick: server.nick.clone(),
            told: server.told,
            untold: u32::try_from(server.pending.len()).unwrap_or(u32::MAX),
            failures: server.failures,
        })
    }

    /// How many directories were told of a file, and how many there are; they do not answer.
    pub fn told(&self, content: ContentId) -> (u32, u32) {
        let shared = self.shares.by_content(content).is_some();
        let told = self.servers.values().filter(|server| {
            let known = !server.pending.contains(&content) && !server.refused.contains(&content);
            shared && server.is_online() && known
        });
        (told.count() as u32, self.servers.len() as u32)
    }

    /// Whether a file of that name, case ignored, is shared already.
    pub fn is_shared(&self, name: &[u8]) -> bool {
        self.shares.by_name(name).is_some()
    }

    /// Downloads under way or waiting.
    pub fn downloads(&self) -> usize {
        self.downloads.len()
    }
}
