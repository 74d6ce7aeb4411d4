//! One user's copy of a file, as a search told of it.

use std::fmt;
use throng_machine::{ContentId, Endpoint};
use throng_overlay::directory::client::{Download, DownloadId, Part};

/// Whose copy, and under which name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copy {
    /// Through which directory.
    pub server: Endpoint,
    /// The user.
    pub nick: Vec<u8>,
    /// The full name there.
    pub name: Vec<u8>,
    /// Bytes, as the hit said.
    pub size: u64,
}

impl Copy {
    /// The download of a part; the number names it, and where its bytes go.
    pub(super) fn part(&self, number: u32, part: Part, magnet: bool) -> Download {
        Download {
            id: DownloadId(number),
            server: self.server,
            nick: self.nick.clone(),
            name: self.name.clone(),
            // Servers keep 32 bits: a size beyond is not one to compare with.
            size: (self.size > 0).then_some(self.size),
            root: None,
            content: ContentId(number),
            resume: None,
            part: Some(part),
            magnet,
        }
    }
}

impl fmt::Display for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the directory {}", String::from_utf8_lossy(&self.nick), self.server.socket_addr())
    }
}
