//! A list that is empty nearly always: it takes one word while it is, which counts where there are a million of them.

use std::ops::{Deref, DerefMut};

/// What is there when there is something.
#[derive(Debug)]
struct Items<T>(Vec<T>);

/// The list; read and changed in place as a slice.
#[derive(Debug)]
pub(super) struct Seldom<T>(Option<Box<Items<T>>>);

impl<T> Default for Seldom<T> {
    fn default() -> Seldom<T> {
        Seldom(None)
    }
}

impl<T> Deref for Seldom<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |all| &all.0)
    }
}

impl<T> DerefMut for Seldom<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_mut().map_or(&mut [], |all| &mut all.0)
    }
}

impl<T> Seldom<T> {
    /// Appends.
    pub(super) fn push(&mut self, one: T) {
        self.0.get_or_insert_with(|| Box::new(Items(Vec::with_capacity(1)))).0.push(one);
    }

    /// Takes out the one at that place, of which there must be one; another takes its place.
    pub(super) fn swap_remove(&mut self, place: usize) -> T {
        let all = self.0.as_mut().expect("there is something at every place");
        let one = all.0.swap_remove(place);
        if all.0.is_empty() {
            self.0 = None;
        }
        one
    }

    /// Keeps those that `keeps` likes.
    pub(super) fn retain(&mut self, keeps: impl FnMut(&T) -> bool) {
        let Some(all) = &mut self.0 else { return };
        all.0.retain(keeps);
        if all.0.is_empty() {
            self.0 = None;
        }
    }

    /// Takes all out.
    pub(super) fn take(&mut self) -> Vec<T> {
        self.0.take().map_or_else(Vec::new, |all| all.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_one_takes_a_word_and_what_was_put_in_comes_out() {
        assert_eq!(size_of::<Seldom<[u64; 9]>>(), size_of::<usize>());
        let mut list = Seldom::default();
        assert!(list.is_empty() && list.iter().next().is_none() && list.take().is_empty());
        (1..=4).for_each(|number| list.push(number));
        list[0] = 7;
        assert_eq!(list.swap_remove(1), 2);
        list.retain(|number| *number != 4);
        assert_eq!(*list, [7, 3]);
        list.retain(|_| false);
        list.push(5);
        assert_eq!((list.take(), list.len()), (vec![5], 0));
    }
}
