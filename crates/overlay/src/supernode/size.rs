//! How many supernodes there are, as nearly as everyone knows: the smallest of their marks, gossiped.
//!
//! A mark is a hash of an address, as if drawn evenly from 64 bits. With the k smallest of n marks known, n is about
//! (k - 1) / (the k-th as a share of all numbers); with 64 the estimate is right within an eighth two times in three
//! (Bar-Yossef and others, 2002). Marks of those who went age and are forgotten.

use siphasher::sip::SipHasher13;
use std::collections::BTreeMap;
use std::hash::Hasher as _;
use std::net::SocketAddrV4;
use std::time::Duration;
use throng_machine::Instant;
use throng_wire::supernode::{MAX_SKETCH, Mark};

/// A mark not heard of for so long is forgotten; gossip brings each many times within.
const AGE: Duration = Duration::from_secs(600);
/// Keys of the hash: the same everywhere.
const SEED: [u64; 2] = [0x6d61_726b, 0x6f66_2061];

/// The marks known.
#[derive(Debug, Default)]
pub struct Crowd {
    /// When each was last said by its owner, as far as known.
    marks: BTreeMap<u64, Instant>,
}

/// A supernode's mark.
fn mark_of(address: SocketAddrV4) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(SEED[0], SEED[1]);
    hasher.write(&address.ip().octets());
    hasher.write_u16(address.port());
    hasher.finish()
}

impl Crowd {
    /// A supernode that is there now.
    pub fn see(&mut self, address: SocketAddrV4, now: Instant) {
        self.note(mark_of(address), now);
    }

    /// What another knows.
    pub fn hear(&mut self, mark: Mark, now: Instant) {
        let age = Duration::from_secs(mark.age.into());
        let since = now.since(Instant::EPOCH).saturating_sub(age);
        if age < AGE {
            self.note(mark.number, Instant::EPOCH + since);
        }
    }

    fn note(&mut self, number: u64, at: Instant) {
        let known = self.marks.entry(number).or_insert(at);
        *known = (*known).max(at);
        if self.marks.len() > MAX_SKETCH {
            self.marks.pop_last();
        }
    }

    /// Forgets those not heard of, and tells the others.
    pub fn tell(&mut self, now: Instant) -> impl Iterator<Item = Mark> {
        self.marks.retain(|_, at| now.since(*at) < AGE);
        self.marks
            .iter()
            .map(move |(number, at)| Mark { number: *number, age: now.since(*at).as_secs() as u16 })
    }

    /// How many supernodes there are, this one included.
    pub fn estimate(&self) -> u32 {
        let known = self.marks.len();
        match self.marks.last_key_value() {
            Some((largest, _)) if known >= MAX_SKETCH => {
                let share = (*largest as f64 + 1.0) / (u64::MAX as f64 + 1.0);
                ((known - 1) as f64 / share).min(1e7) as u32
            }
            _ => known.max(1) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(number: u32) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from(0x0a00_0000 + number), 1214)
    }

    #[test]
    fn few_are_counted_and_many_are_estimated_within_a_third() {
        for many in [1, 10, 60, 1_000, 10_000, 100_000] {
            let mut crowd = Crowd::default();
            (0..many).for_each(|number| crowd.see(address(number), Instant::EPOCH));
            let estimate = f64::from(crowd.estimate());
            let exact = f64::from(many);
            assert!((estimate / exact - 1.0).abs() < 0.34, "{estimate} for {many}");
            assert!(many > 60 || estimate == exact, "{estimate} for {many}");
        }
    }

    #[test]
    fn what_two_know_together_is_what_one_would_know_of_all() {
        let (mut one, mut other, mut both) = (Crowd::default(), Crowd::default(), Crowd::default());
        for number in 0..1_000 {
            if number % 2 == 0 { &mut one } else { &mut other }.see(address(number), Instant::EPOCH);
            both.see(address(number), Instant::EPOCH);
        }
        let marks: Vec<Mark> = other.tell(Instant::EPOCH).collect();
        marks.into_iter().for_each(|mark| one.hear(mark, Instant::EPOCH));
        assert_eq!(one.estimate(), both.estimate());
    }

    #[test]
    fn those_who_went_are_forgotten_even_if_others_still_speak_of_them() {
        let (mut one, mut other) = (Crowd::default(), Crowd::default());
        one.see(address(1), Instant::EPOCH);
        for minute in 0..30 {
            let now = Instant::EPOCH + Duration::from_secs(minute * 60);
            let marks: Vec<Mark> = one.tell(now).collect();
            marks.into_iter().for_each(|mark| other.hear(mark, now));
            std::mem::swap(&mut one, &mut other);
        }
        let end = Instant::EPOCH + Duration::from_secs(1_800);
        assert_eq!((one.tell(end).count(), other.tell(end).count()), (0, 0));
    }
}
