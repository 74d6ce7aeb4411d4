//! The event queue: a hierarchy of wheels, first by time, then first in first out.
//!
//! Simulated time never runs backwards, so an entry is filed by the highest digit (of 6 bits) in which its time
//! differs from the time last taken, and by the value of that digit. Taking the lowest such bucket apart files its
//! entries by lower digits: one waiting 4 s is moved three times. Entries of one time always share a bucket and keep
//! their order, so no sequence number is stored: an entry is 16 bytes. Buckets are lists of blocks from one pool, so
//! a full queue takes little more than its entries.

use crate::pool::NONE;

const BLOCK: usize = 31;
/// Bits a digit.
const DIGIT: u32 = 6;
const DIGITS: usize = 1 << DIGIT;
const LEVELS: usize = 11;
/// Later times are treated as this one: 146,000 years.
const LATEST: u64 = (1 << 62) - 1;

/// What is to happen, with the number of what it happens to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A host's deadline.
    Timer(u32),
    /// A host's uplink has sent its current chunk.
    Sent(u32),
    /// A datagram reaches its host.
    Packet(u32),
    /// A chunk reaches the receiver's downlink.
    Arrive(u32),
    /// A chunk has passed the receiver's downlink.
    Deliver(u32),
    /// A connection attempt reaches its target.
    Syn(u32),
    /// An end learns that it is connected.
    Opened(u32),
    /// An end learns that it is not.
    Refused(u32),
    /// An end learns that its stream broke.
    Broken(u32),
    /// An end learns that its stream ended in order.
    Finished(u32),
    /// A stream that crosses a partition has been silent too long.
    Doom(u32),
    /// An application's delayed command.
    Command(u32),
    /// Something rarer.
    Task(u32),
    /// A host starts.
    Start(u32),
}

#[derive(Clone, Copy)]
struct Entry {
    time: u64,
    event: Event,
}

#[derive(Clone, Copy)]
struct Block {
    len: u32,
    next: u32,
    entries: [Entry; BLOCK],
}

#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

/// Events by time, then by the order in which they were pushed.
pub(crate) struct Queue {
    last: u64,
    /// Levels with anything in them, and which of their buckets.
    levels: u32,
    occupied: [u64; LEVELS],
    /// How much of the first block of the lowest bucket has been taken.
    cursor: u32,
    len: usize,
    buckets: Box<[[List; DIGITS]; LEVELS]>,
    blocks: Vec<Block>,
    free: u32,
}

impl Queue {
    pub(crate) fn new() -> Queue {
        let empty = List { head: NONE, tail: NONE };
        Queue {
            last: 0,
            levels: 0,
            occupied: [0; LEVELS],
            cursor: 0,
            len: 0,
            buckets: Box::new([[empty; DIGITS]; LEVELS]),
            blocks: Vec::new(),
            free: NONE,
        }
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds an event; a time before the last one taken counts as that time.
    pub(crate) fn push(&mut self, time: u64, event: Event) {
        self.len += 1;
        self.place(Entry { time: time.clamp(self.last, LATEST), event });
    }

    /// Takes the first event, unless it lies after `until`.
    pub(crate) fn pop(&mut self, until: u64) -> Option<(u64, Event)> {
        while self.levels != 0 {
            let level = self.levels.trailing_zeros();
            let digit = self.occupied[level as usize].trailing_zeros();
            let shift = level * DIGIT;
            let higher = self.last.checked_shr(shift + DIGIT).map_or(0, |high| high << (shift + DIGIT));
            let begin = higher | u64::from(digit) << shift;
            if begin > until {
                return None;
            }
            if level == 0 {
                self.last = begin;
                return Some((begin, self.take(digit as usize)));
            }
            // Only when something is taken may `last` move on: what is pushed next may lie before what waits.
            let head = self.buckets[level as usize][digit as usize].head;
            if until - begin < (1 << shift) - 1 && self.earliest(head) > until {
                return None;
            }
            self.last = begin;
            self.spread(level as usize, digit as usize);
        }
        None
    }

    /// Takes the first entry of a bucket of the lowest level, where all have one time.
    fn take(&mut self, digit: usize) -> Event {
        let head = self.buckets[0][digit].head;
        let block = &self.blocks[head as usize];
        let event = block.entries[self.cursor as usize].event;
        self.len -= 1;
        self.cursor += 1;
        if self.cursor == block.len {
            self.cursor = 0;
            self.buckets[0][digit].head = self.recycle(head);
            if self.buckets[0][digit].head == NONE {
                self.vacate(0, digit);
            }
        }
        event
    }

    fn vacate(&mut self, level: usize, digit: usize) {
        self.occupied[level] &= !(1 << digit);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    fn place(&mut self, entry: Entry) {
        // The lowest bit makes equal times differ in the lowest digit, where they belong.
        let level = ((entry.time ^ self.last) | 1).ilog2() / DIGIT;
        let digit = (entry.time >> (level * DIGIT)) as usize % DIGITS;
        let level = level as usize;
        let List { head, tail } = self.buckets[level][digit];
        if head != NONE && self.blocks[tail as usize].len < BLOCK as u32 {
            let block = &mut self.blocks[tail as usize];
            block.entries[block.len as usize] = entry;
            block.len += 1;
            return;
        }
        let fresh = self.fresh(entry);
        if head == NONE {
            self.occupied[level] |= 1 << digit;
            self.levels |= 1 << level;
            self.buckets[level][digit].head = fresh;
        } else {
            self.blocks[tail as usize].next = fresh;
        }
        self.buckets[level][digit].tail = fresh;
    }

    /// Files the entries of a bucket by lower digits.
    fn spread(&mut self, level: usize, digit: usize) {
        let mut block = std::mem::replace(&mut self.buckets[level][digit].head, NONE);
        self.vacate(level, digit);
        while block != NONE {
            for index in 0..self.blocks[block as usize].len as usize {
                self.place(self.blocks[block as usize].entries[index]);
            }
            block = self.recycle(block);
        }
    }

    fn earliest(&self, mut block: u32) -> u64 {
        let mut first = u64::MAX;
        while block != NONE {
            let Block { len, next, entries } = &self.blocks[block as usize];
            first = entries[..*len as usize].iter().fold(first, |first, entry| first.min(entry.time));
            block = *next;
        }
        first
    }

    fn fresh(&mut self, entry: Entry) -> u32 {
        if self.free == NONE {
            self.blocks.push(Block { len: 1, next: NONE, entries: [entry; BLOCK] });
            return self.blocks.len() as u32 - 1;
        }
        let index = self.free;
        let reused = &mut self.blocks[index as usize];
        self.free = reused.next;
        (reused.len, reused.next, reused.entries[0]) = (1, NONE, entry);
        index
    }

    /// Gives a block back and returns the one after it.
    fn recycle(&mut self, block: u32) -> u32 {
        std::mem::replace(&mut self.blocks[block as usize].next, std::mem::replace(&mut self.free, block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::{Entropy, SplitMix64};

    #[test]
    fn an_entry_takes_sixteen_bytes() {
        assert_eq!(size_of::<Entry>(), 16);
        assert_eq!(size_of::<Block>(), 504);
    }

    #[test]
    fn events_come_by_time_and_then_in_the_order_they_were_pushed() {
        let (mut queue, mut rng) = (Queue::new(), SplitMix64::new(7));
        let (mut model, mut now, mut seq) = (std::collections::BTreeSet::new(), 0, 0u32);
        for _ in 0..200_000 {
            if rng.below(2) == 0 || model.is_empty() {
                let bits = rng.below(40);
                let time = now + (rng.next_u64() & ((1 << bits) - 1));
                queue.push(time, Event::Timer(seq));
                model.insert((time, seq));
                seq += 1;
            } else {
                let (time, seq) = model.pop_first().unwrap();
                assert_eq!(queue.pop(u64::MAX), Some((time, Event::Timer(seq))));
                now = time;
            }
            assert_eq!(queue.len(), model.len());
        }
    }

    #[test]
    fn stopping_anywhere_changes_nothing() {
        let (mut queue, mut rng) = (Queue::new(), SplitMix64::new(8));
        let (mut model, mut now) = (std::collections::BTreeSet::new(), 0);
        for seq in 0..20_000 {
            let time = now + (rng.next_u64() & 0xf_ffff);
            queue.push(time, Event::Timer(seq));
            model.insert((time, seq));
            let until = now + u64::from(rng.below(100));
            while let Some((time, event)) = queue.pop(until) {
                let (expected, seq) = model.pop_first().unwrap();
                assert_eq!((time, event), (expected, Event::Timer(seq)));
            }
            assert!(model.first().is_none_or(|(time, _)| *time > until));
            now = until;
        }
    }

    #[test]
    fn looking_no_further_than_a_limit_leaves_room_before_what_waits() {
        let mut queue = Queue::new();
        queue.push(100, Event::Timer(1));
        assert_eq!(queue.pop(50), None);
        queue.push(60, Event::Timer(2));
        queue.push(u64::MAX, Event::Timer(3));
        assert_eq!(queue.pop(u64::MAX), Some((60, Event::Timer(2))));
        assert_eq!(queue.pop(u64::MAX), Some((100, Event::Timer(1))));
        assert_eq!(queue.pop(u64::MAX), Some((LATEST, Event::Timer(3))));
        assert_eq!(queue.pop(u64::MAX), None);
    }
}
