//! A running hash over everything delivered: two runs that agree did the same things in the same order.

use throng_machine::SplitMix64;

/// How many deliveries lie between two checkpoints.
const CHECKPOINT: u64 = 1 << 16;

/// What kind of thing was delivered.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Start,
    Stop,
    Timer,
    Command,
    Datagram,
    Accepted,
    Opened,
    Bytes,
    Blank,
    Corrupt,
    Flushed,
    Finished,
    Broken,
    Refused,
    Tick,
    Disk,
}

/// The hash so far, with checkpoints that narrow down where two runs parted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    hash: u64,
    deliveries: u64,
    checkpoints: Vec<(u64, u64)>,
}

impl Trace {
    pub(crate) const fn new() -> Trace {
        Trace { hash: 0, deliveries: 0, checkpoints: Vec::new() }
    }

    /// The hash of all deliveries so far.
    pub fn hash(&self) -> u64 {
        SplitMix64::mix(self.hash, self.deliveries)
    }

    /// How many things were delivered.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// The virtual time (µs) before which two runs surely parted; `None` if they are equal or parted at the end.
    pub fn parted_before(&self, other: &Trace) -> Option<u64> {
        let pairs = self.checkpoints.iter().zip(&other.checkpoints);
        pairs.filter(|(mine, theirs)| mine != theirs).map(|(mine, theirs)| mine.0.max(theirs.0)).next()
    }

    pub(crate) fn note(&mut self, time: u64, host: u32, kind: Kind, detail: u64) {
        self.word(time);
        self.word(u64::from(host) << 8 | kind as u64);
        self.word(detail);
        self.deliveries += 1;
        if self.deliveries.is_multiple_of(CHECKPOINT) {
            self.checkpoints.push((time, self.hash));
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last) ^ (rest.len() as u64) << 56);
    }

    fn word(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_time_and_content_all_matter() {
        let run = |notes: &[(u64, u32, &[u8])]| {
            let mut trace = Trace::new();
            for (time, host, bytes) in notes {
                trace.note(*time, *host, Kind::Bytes, bytes.len() as u64);
                trace.bytes(bytes);
            }
            trace.hash()
        };
        let base = run(&[(1, 2, b"abc"), (1, 3, b"abc")]);
        assert_eq!(base, run(&[(1, 2, b"abc"), (1, 3, b"abc")]));
        assert_ne!(base, run(&[(1, 3, b"abc"), (1, 2, b"abc")]));
        assert_ne!(base, run(&[(1, 2, b"abd"), (1, 3, b"abc")]));
        assert_ne!(base, run(&[(1, 2, b"abc"), (2, 3, b"abc")]));
    }

    #[test]
    fn a_checkpoint_tells_before_when_two_runs_parted() {
        let run = |odd: u64| {
            let mut trace = Trace::new();
            (0..3 * CHECKPOINT).for_each(|at| trace.note(at, u32::from(at == odd), Kind::Timer, 0));
            trace
        };
        assert_eq!(run(0).parted_before(&run(0)), None);
        assert_eq!(run(u64::MAX).parted_before(&run(CHECKPOINT + 9)), Some(2 * CHECKPOINT - 1));
    }
}
