//! Memory for pieces that are being received: chunks of one size, so that pieces of all lengths share them.
//!
//! The pool counts every byte that is out; its budget is observed by whoever fills buffers (the driver stops reading
//! from sockets), since a piece that was begun must be able to end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a chunk: whole blocks, small enough that a small piece wastes little, large enough that the pieces of a
/// write are few.
pub const CHUNK_LEN: usize = 64 * 1024;

/// What memory the pool has given away, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PoolStatus {
    /// In buffers now.
    pub used: usize,
    /// Kept to be used again.
    pub free: usize,
    /// The most that was in buffers at once.
    pub peak: usize,
    /// What should not be exceeded.
    pub budget: usize,
}

#[derive(Default, Debug)]
struct State {
    free: Vec<Box<[u8]>>,
    used: usize,
    peak: usize,
}

/// Chunks that are used again and again.
#[derive(Debug)]
pub struct ChunkPool {
    state: Mutex<State>,
    budget: usize,
}

impl ChunkPool {
    /// A pool that should not have more than `budget` bytes out, and keeps no more than that.
    pub fn new(budget: usize) -> Arc<ChunkPool> {
        Arc::new(ChunkPool { state: Mutex::default(), budget })
    }

    /// Memory in numbers.
    pub fn status(&self) -> PoolStatus {
        let state = self.lock();
        let bytes = |chunks| chunks * CHUNK_LEN;
        PoolStatus {
            used: bytes(state.used),
            free: bytes(state.free.len()),
            peak: bytes(state.peak),
            budget: self.budget,
        }
    }

    /// Whether the budget is used up: no more should be received for now.
    pub fn is_exhausted(&self) -> bool {
        self.lock().used * CHUNK_LEN >= self.budget
    }

    /// Gives the memory that is kept back to the system, after a time of rest.
    pub fn trim(&self) {
        let free = std::mem::take(&mut self.lock().free);
        drop(free);
    }

    fn take(&self) -> Box<[u8]> {
        let mut state = self.lock();
        state.used += 1;
        state.peak = state.peak.max(state.used);
        // The last one given back is the likeliest to be in the cache.
        let free = state.free.pop();
        drop(state);
        free.unwrap_or_else(|| vec![0; CHUNK_LEN].into_boxed_slice())
    }

    fn give_back(&self, chunks: impl Iterator<Item = Box<[u8]>>) {
        let mut state = self.lock();
        for chunk in chunks {
            state.used -= 1;
            if (state.used + state.free.len()) * CHUNK_LEN < self.budget {
                state.free.push(chunk);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of one piece while it is received; its chunks go back to the pool when it is dropped.
#[derive(Debug)]
pub struct PieceBuffer {
    chunks: Vec<Option<Box<[u8]>>>,
    len: usize,
    pool: Arc<ChunkPool>,
}

impl PieceBuffer {
    /// A buffer for `len` bytes that takes memory only where something is put.
    pub fn new(pool: &Arc<ChunkPool>, len: u32) -> PieceBuffer {
        let len = len as usize;
        PieceBuffer { chunks: (0..len.div_ceil(CHUNK_LEN)).map(|_| None).collect(), len, pool: pool.clone() }
    }

    /// Copies `bytes` to `begin`; `false` if they do not lie within the piece.
    pub fn put(&mut self, begin: usize, bytes: &[u8]) -> bool {
        if begin.checked_add(bytes.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        let (mut at, mut rest) = (begin, bytes);
        while !rest.is_empty() {
            let within = at % CHUNK_LEN;
            let (part, after) = rest.split_at(rest.len().min(CHUNK_LEN - within));
            let chunk = self.chunks[at / CHUNK_LEN].get_or_insert_with(|| self.pool.take());
            chunk[within..within + part.len()].copy_from_slice(part);
            (at, rest) = (at + part.len(), after);
        }
        true
    }

    /// Writes zeros, where padding lies.
    pub fn clear(&mut self, begin: usize, len: usize) {
        const ZEROS: [u8; 4096] = [0; 4096];
        let end = begin.saturating_add(len).min(self.len);
        let mut at = begin;
        while at < end {
            let part = &ZEROS[..(end - at).min(ZEROS.len())];
            self.put(at, part);
            at += part.len();
        }
    }

    /// Makes chunks for parts nothing was put in: what they hold is arbitrary.
    pub fn fill_holes(&mut self) {
        for chunk in &mut self.chunks {
            chunk.get_or_insert_with(|| self.pool.take());
        }
    }

    /// The bytes in order, as far as chunks exist.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().enumerate().filter_map(|(index, chunk)| {
            let len = (self.len - index * CHUNK_LEN).min(CHUNK_LEN);
            chunk.as_deref().map(|chunk| &chunk[..len])
        })
    }
}

impl Drop for PieceBuffer {
    fn drop(&mut self) {
        self.pool.give_back(self.chunks.drain(..).flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_may_come_in_any_order_and_take_memory_only_where_they_are() {
        let pool = ChunkPool::new(1 << 20);
        let mut buffer = PieceBuffer::new(&pool, 200_000);
        assert!(buffer.put(190_000, &[7; 10_000]));
        assert_eq!(pool.status().used, 2 * CHUNK_LEN);
        assert!(buffer.put(0, &[1; 190_000]));
        assert!(!buffer.put(199_999, &[0; 2]) && !buffer.put(usize::MAX, &[0]));
        buffer.clear(100_000, 5_000);
        let bytes: Vec<u8> = buffer.parts().flatten().copied().collect();
        let expected = [vec![1; 100_000], vec![0; 5_000], vec![1; 85_000], vec![7; 10_000]].concat();
        assert!(bytes == expected);
    }

    #[test]
    fn memory_is_used_again_and_never_kept_beyond_the_budget() {
        let pool = ChunkPool::new(2 * CHUNK_LEN);
        let fill = |buffer: &mut PieceBuffer| assert!(buffer.put(0, &[1; CHUNK_LEN]));
        let mut buffers: Vec<_> = (0..3).map(|_| PieceBuffer::new(&pool, CHUNK_LEN as u32)).collect();
        fill(&mut buffers[0]);
        assert!(!pool.is_exhausted());
        fill(&mut buffers[1]);
        assert!(pool.is_exhausted());
        fill(&mut buffers[2]);
        drop(buffers);
        let status = pool.status();
        assert_eq!((status.used, status.peak), (0, 3 * CHUNK_LEN));
        assert!(status.free <= 2 * CHUNK_LEN);
        pool.trim();
        assert_eq!(pool.status().free, 0);
    }
}
