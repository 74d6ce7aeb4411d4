//! Slots reused with their memory, so that steady traffic allocates nothing.

use std::ops::{Index, IndexMut};

/// No slot, no stream, no chunk.
pub(crate) const NONE: u32 = u32::MAX;

/// Numbered slots; a freed one keeps its value's buffers for the next user, last freed first used.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

impl<T: Default> Pool<T> {
    pub(crate) const fn new() -> Pool<T> {
        Pool { items: Vec::new(), free: Vec::new() }
    }

    /// A slot to be filled in.
    pub(crate) fn claim(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.items.push(T::default());
            self.items.len() as u32 - 1
        })
    }

    /// A slot holding `value`.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let index = self.claim();
        self[index] = value;
        index
    }

    /// Empties a slot and makes it free.
    pub(crate) fn remove(&mut self, index: u32) -> T {
        self.free.push(index);
        std::mem::take(&mut self[index])
    }

    /// Makes a slot free; its value stays for reuse.
    pub(crate) fn release(&mut self, index: u32) {
        self.free.push(index);
    }

    /// One past the highest slot ever used.
    pub(crate) fn end(&self) -> u32 {
        self.items.len() as u32
    }

    /// How many slots are in use.
    pub(crate) fn used(&self) -> usize {
        self.items.len() - self.free.len()
    }
}

impl<T> Index<u32> for Pool<T> {
    type Output = T;
    fn index(&self, index: u32) -> &T {
        &self.items[index as usize]
    }
}

impl<T> IndexMut<u32> for Pool<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.items[index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_slot_is_used_again_with_its_buffer() {
        let mut pool: Pool<Vec<u8>> = Pool::new();
        let first = pool.claim();
        pool[first].reserve(100);
        pool.release(first);
        assert_eq!(pool.used(), 0);
        assert_eq!(pool.claim(), first);
        assert!(pool[first].capacity() >= 100);
        assert_eq!(pool.insert(vec![1]), 1);
        assert_eq!(pool.remove(1), [1]);
    }
}
