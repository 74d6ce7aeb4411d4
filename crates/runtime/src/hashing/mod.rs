//! From received bytes to verified, stored pieces, off the network thread.
//!
//! [`Assembly`] belongs to the network thread. It copies each received byte once, into the buffer of its piece; a
//! complete piece moves to a [`Workers`] thread, which hashes it, compares, and writes it in one go while it is still
//! in the processor's cache. What came of it is picked up with [`Assembly::poll`].
//!
//! Buffers are made of equal chunks ([`ChunkPool`]) that are reused and never cleared: fresh memory costs a page fault
//! for every 4 KiB, as much as hashing a quarter of it.

mod assembly;
mod buffer;
mod digest;
#[cfg(test)]
mod tests;
mod workers;

pub use assembly::{Assembly, AssemblyOptions, Completion, Misplaced, Outcome};
pub use buffer::{CHUNK_LEN, ChunkPool, PieceBuffer, PoolStatus};
pub use digest::{Expected, Found, PieceHasher, block_digests};
pub use workers::Workers;
pub(crate) use workers::cores;
