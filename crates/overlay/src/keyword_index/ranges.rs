//! Sets of document ids as bytes: runs of neighbours, each told from where the one before ended.
//!
//! A range is a varint `gap << 1 | many`, and if `many` a varint of its length less two. The first gap is the first
//! id; later gaps count from the smallest id a separate range could begin at, the last one's end plus two. A single
//! document costs one to four bytes, a thousand neighbours (one user's files in one folder) as much as three.
//! Edits look at the ranges they touch and the one behind, and replace just their bytes.

use std::ops::Range;

/// Documents `start..=end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Run {
    pub(super) const fn count(self) -> u32 {
        self.end - self.start + 1
    }

    fn overlap(self, other: Run) -> u32 {
        (self.end.min(other.end) + 1).saturating_sub(self.start.max(other.start))
    }
}

/// Walks the runs of an encoded set, which only this module writes.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The smallest start the next run may have.
    base: u64,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Walk<'a> {
        Walk { bytes, at: 0, base: 0 }
    }

    #[inline]
    fn varint(&mut self) -> u64 {
        let first = self.bytes[self.at];
        self.at += 1;
        if first < 0x80 {
            return u64::from(first);
        }
        let (mut value, mut shift) = (u64::from(first & 0x7f), 7);
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Run;

    #[inline]
    fn next(&mut self) -> Option<Run> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let token = self.varint();
        let start = self.base + (token >> 1);
        let end = if token & 1 == 0 { start } else { start + 1 + self.varint() };
        self.base = end + 2;
        Some(Run { start: start as u32, end: end as u32 })
    }
}

/// What to replace in an encoded set: these bytes by those.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) cut: Range<usize>,
    with: [u8; 40],
    len: usize,
    /// The smallest start the next run may have, while `with` is being written.
    base: u64,
    /// By how many documents the set grew or shrank.
    pub(super) changed: u32,
}

impl Edit {
    fn new(from: &Walk<'_>) -> Edit {
        Edit::at(from.at, from.base)
    }

    const fn at(offset: usize, base: u64) -> Edit {
        Edit { cut: offset..offset, with: [0; 40], len: 0, base, changed: 0 }
    }

    /// The bytes to put in place of `cut`.
    pub(super) fn with(&self) -> &[u8] {
        &self.with[..self.len]
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.with[self.len] = value as u8 | 0x80;
            self.len += 1;
            value >>= 7;
        }
        self.with[self.len] = value as u8;
        self.len += 1;
    }

    fn push(&mut self, run: Run) {
        let many = run.end > run.start;
        self.varint((u64::from(run.start) - self.base) << 1 | u64::from(many));
        if many {
            self.varint(u64::from(run.end - run.start - 1));
        }
        self.base = u64::from(run.end) + 2;
    }

    /// Writes the run behind the edit anew, if there is one, and ends the cut.
    fn finish(mut self, behind: Option<Run>, walk: &Walk<'_>, before_behind: usize) -> Edit {
        self.cut.end = before_behind;
        if let Some(run) = behind {
            self.push(run);
            self.cut.end = walk.at;
        }
        self
    }
}

/// The last run of an encoded set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tail {
    run: Run,
    /// The smallest start it could have had, which its gap is counted from.
    base: u32,
    /// Bytes it takes.
    len: u8,
}

impl Tail {
    /// The last run of a set that is not empty.
    pub(super) fn of(bytes: &[u8]) -> Tail {
        let mut walk = Walk::new(bytes);
        let mut tail = Tail { run: Run { start: 0, end: 0 }, base: 0, len: 0 };
        loop {
            let (at, base) = (walk.at, walk.base as u32);
            let Some(run) = walk.next() else { return tail };
            tail = Tail { run, base, len: (walk.at - at) as u8 };
        }
    }

    /// Begins a set with a run.
    pub(super) fn begin(run: Run) -> (Edit, Tail) {
        let mut edit = Edit::at(0, 0);
        edit.push(run);
        let len = edit.len as u8;
        (edit, Tail { run, base: 0, len })
    }

    /// Adds documents behind all others to a set of `length` bytes; `None` if they are not behind.
    pub(super) fn append(&mut self, length: usize, new: Run) -> Option<Edit> {
        let begins_at = u64::from(self.run.end) + 1;
        let (edit, run, base) = if u64::from(new.start) > begins_at {
            (Edit::at(length, begins_at + 1), new, begins_at + 1)
        } else if u64::from(new.start) == begins_at {
            let mut edit = Edit::at(length - usize::from(self.len), self.base.into());
            edit.cut.end = length;
            (edit, Run { end: new.end, ..self.run }, self.base.into())
        } else {
            return None;
        };
        let mut edit = edit;
        edit.push(run);
        edit.changed = new.count();
        *self = Tail { run, base: base as u32, len: edit.len as u8 };
        Some(edit)
    }
}

/// Adds `new`; `None` if all of it is there.
pub(super) fn insert(bytes: &[u8], new: Run) -> Option<Edit> {
    let mut walk = Walk::new(bytes);
    loop {
        let before = walk.clone();
        let Some(run) = walk.next() else {
            let mut edit = Edit::new(&before);
            edit.push(new);
            edit.changed = new.count();
            return Some(edit.finish(None, &walk, before.at));
        };
        if u64::from(run.end) + 1 < u64::from(new.start) {
            continue;
        }
        if run.start <= new.start && new.end <= run.end {
            return None;
        }
        let mut edit = Edit::new(&before);
        let (mut whole, mut behind, mut end) = (new, Some(run), before.at);
        edit.changed = new.count();
        // All that it overlaps or touches becomes one.
        while let Some(run) = behind.filter(|run| u64::from(run.start) <= u64::from(new.end) + 1) {
            whole = Run { start: whole.start.min(run.start), end: whole.end.max(run.end) };
            edit.changed -= run.overlap(new);
            end = walk.at;
            behind = walk.next();
        }
        edit.push(whole);
        return Some(edit.finish(behind, &walk, end));
    }
}

/// Removes `lo..=hi`; `None` if nothing of it is there.
pub(super) fn remove(bytes: &[u8], lo: u32, hi: u32) -> Option<Edit> {
    let mut walk = Walk::new(bytes);
    loop {
        let before = walk.clone();
        let run = walk.next()?;
        if run.end < lo {
            continue;
        }
        if run.start > hi {
            return None;
        }
        let mut edit = Edit::new(&before);
        let mut current = Some(run);
        let mut end = before.at;
        while let Some(run) = current.filter(|run| run.start <= hi) {
            let (from, to) = (run.start.max(lo), run.end.min(hi));
            edit.changed += to - from + 1;
            if run.start < lo {
                edit.push(Run { start: run.start, end: lo - 1 });
            }
            if run.end > hi {
                edit.push(Run { start: hi + 1, end: run.end });
            }
            end = walk.at;
            current = walk.next();
        }
        return Some(edit.finish(current, &walk, end));
    }
}

/// Where to cut a set in two of about the same length: the offset, and the run there with its encoding as a first one.
pub(super) fn halve(bytes: &[u8]) -> Option<(usize, Edit)> {
    let mut walk = Walk::new(bytes);
    while walk.at < bytes.len() / 2 {
        walk.next()?;
    }
    let at = walk.at;
    let mut first = Edit::new(&Walk::new(bytes));
    first.push(walk.next()?);
    first.cut = at..walk.at;
    Some((at, first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
        bytes.splice(edit.cut.clone(), edit.with().iter().copied());
    }

    fn one(doc: u32) -> Run {
        Run { start: doc, end: doc }
    }

    fn docs(bytes: &[u8]) -> Vec<u32> {
        Walk::new(bytes).flat_map(|run| run.start..=run.end).collect()
    }

    #[test]
    fn neighbours_cost_three_bytes_and_a_lone_document_its_distance() {
        let mut bytes = Vec::new();
        for doc in 300..1_300 {
            let edit = insert(&bytes, one(doc)).unwrap();
            apply(&mut bytes, &edit);
        }
        // 300 << 1 | 1 = 601 = d9 04; 1000 - 2 = 998 = e6 07.
        assert_eq!(bytes, [0xd9, 0x04, 0xe6, 0x07]);
        let edit = insert(&bytes, one(1_310)).unwrap();
        apply(&mut bytes, &edit);
        // The next run could begin at 1301; 1310 is nine behind: 9 << 1.
        assert_eq!(bytes[4..], [0x12]);
    }

    #[test]
    fn the_largest_ids_fit() {
        let mut bytes = Vec::new();
        for doc in [u32::MAX - 1, 0, u32::MAX - 3] {
            let edit = insert(&bytes, one(doc)).unwrap();
            apply(&mut bytes, &edit);
        }
        assert_eq!(docs(&bytes), [0, u32::MAX - 3, u32::MAX - 1]);
    }

    proptest! {
        #[test]
        fn edits_do_what_a_set_does(ops in prop::collection::vec((0..4u8, 0..200u32, 0..20u32), 1..200)) {
            let (mut bytes, mut set) = (Vec::new(), BTreeSet::new());
            for (op, doc, width) in ops {
                if op > 0 {
                    let end = if op == 1 { doc + width } else { doc };
                    let edit = insert(&bytes, Run { start: doc, end });
                    let before = set.len();
                    set.extend(doc..=end);
                    prop_assert_eq!(edit.as_ref().map_or(0, |edit| edit.changed as usize), set.len() - before);
                    edit.iter().for_each(|edit| apply(&mut bytes, edit));
                } else {
                    let edit = remove(&bytes, doc, doc + width);
                    let before = set.len();
                    set.retain(|other| !(doc..=doc + width).contains(other));
                    prop_assert_eq!(edit.as_ref().map_or(0, |edit| edit.changed as usize), before - set.len());
                    edit.iter().for_each(|edit| apply(&mut bytes, edit));
                }
                prop_assert_eq!(docs(&bytes), set.iter().copied().collect::<Vec<_>>());
                // Runs are as few as they can be.
                let runs: Vec<Run> = Walk::new(&bytes).collect();
                prop_assert!(runs.windows(2).all(|pair| pair[0].end + 1 < pair[1].start));
            }
        }

        #[test]
        fn halves_together_are_the_whole(set in prop::collection::btree_set(0..5_000u32, 2..300)) {
            let mut bytes = Vec::new();
            for doc in &set {
                let edit = insert(&bytes, one(*doc)).unwrap();
                apply(&mut bytes, &edit);
            }
            if let Some((at, first)) = halve(&bytes) {
                let mut second = bytes.split_off(at);
                second.splice(..first.cut.end - at, first.with().iter().copied());
                let mut all = docs(&bytes);
                prop_assert!(!all.is_empty() && !second.is_empty());
                all.extend(docs(&second));
                prop_assert_eq!(all, set.iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
