//! Names for file data, so that machines decide about bytes they never hold.

/// A driver's handle for one piece of content (a torrent, a file); chosen by the application.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ContentId(pub u32);

/// A run of bytes within a content, counted from its beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Which content.
    pub content: ContentId,
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub len: u32,
}
