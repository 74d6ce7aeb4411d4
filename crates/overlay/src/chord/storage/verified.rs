//! Signatures checked lately: an item's postings, under each of its words, have one in common, and a holder that is given
//! thousands of items at once has several words of each. Those of records that came together are checked together, which
//! costs a third.
//!
//! Made with the first records that come by stream: a host that is given few needs none.

use super::validity::{self, Invalid};
use ed25519_zebra::batch::Verifier;
use ed25519_zebra::{Signature, VerificationKeyBytes};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest as _, Sha256};
use std::convert::Infallible;
use throng_machine::Entropy;
use throng_wire::chord::{Held, Record, Signed, Subject};

/// Signatures remembered; 20 bytes each. Between two words of one item come words of all others that are given with it, and a
/// place that two items share serves neither: a library of ten thousand needs several times as many.
const PLACES: usize = 65_536;

/// What was signed, by whom and how, in short.
type Mark = [u8; 20];

/// Each mark has one place, and the last one there stays.
#[derive(Clone, Default, Debug)]
pub(crate) struct Verified {
    marks: Box<[Mark]>,
    /// Those that came together last, and hold.
    together: Vec<Mark>,
}

impl Verified {
    /// From now on signatures are remembered.
    pub(crate) fn begin(&mut self) {
        if self.marks.is_empty() {
            self.marks = vec![[0; 20]; PLACES].into();
        }
    }

    /// Forgets all, and gives back the room.
    pub(crate) fn end(&mut self) {
        *self = Verified::default();
    }

    /// Checks the signatures of records that came together: if all hold, [`Verified::check`] need not do it again. If one
    /// does not it is not known which, and each is checked by itself.
    pub(crate) fn check_together<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Held<'a>>,
        rng: &mut dyn Entropy,
    ) {
        self.together.clear();
        if self.marks.is_empty() {
            return;
        }
        let (mut verifier, mut marks, mut sound) = (Verifier::new(), Vec::new(), None);
        for held in records {
            let Record::Signed(signed) = held.record else { continue };
            if sound != Some(signed.writer) && validity::is_weak(signed.writer) {
                continue;
            }
            sound = Some(signed.writer);
            let mark = mark(&signed);
            if !self.has(&mark) && !marks.contains(&mark) {
                let key = VerificationKeyBytes::from(*signed.writer);
                let signature = Signature::from_bytes(signed.signature);
                verifier.queue((key, signature, &signed.signed_bytes()));
                marks.push(mark);
            }
        }
        if marks.len() > 1 && verifier.verify(Random(rng)).is_ok() {
            self.together = marks;
        }
    }

    /// Checks a record, as [`validity::check`]; its signature only if that was not done lately.
    pub(crate) fn check(&mut self, record: &Record<'_>) -> Result<(), Invalid> {
        let Record::Signed(signed) = record else { return Ok(()) };
        if self.marks.is_empty() {
            return validity::check(record);
        }
        let mark = mark(signed);
        if self.has(&mark) {
            validity::check_sense(record)?;
        } else {
            validity::check(record)?;
        }
        // Only an item's postings have one signature in common.
        if matches!(signed.subject, Subject::Posting { .. })
            && let Some(slot) = self.marks.get_mut(place(&mark))
        {
            *slot = mark;
        }
        Ok(())
    }

    fn has(&self, mark: &Mark) -> bool {
        self.marks.get(place(mark)) == Some(mark) || self.together.contains(mark)
    }
}

fn mark(signed: &Signed<'_>) -> Mark {
    let hash = Sha256::new().chain_update(signed.writer).chain_update(signed.signature);
    let hash: [u8; 32] = hash.chain_update(signed.signed_bytes()).finalize().into();
    let [mark @ .., _, _, _, _, _, _, _, _, _, _, _, _] = hash;
    mark
}

fn place(mark: &Mark) -> usize {
    let [high, low, ..] = *mark;
    usize::from(u16::from_be_bytes([high, low])) % PLACES
}

/// What nobody else can foresee: of whom could, a batch of signatures would hold of which none does.
struct Random<'a>(&'a mut dyn Entropy);

impl TryRng for Random<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.next_u64() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Random<'_> {}

#[cfg(test)]
mod tests {
    use super::super::sign::{Draft, Signer};
    use super::*;
    use throng_machine::SplitMix64;
    use throng_wire::chord::{Hashes, Posting, Term, Terms};

    #[test]
    fn what_was_checked_under_one_word_holds_under_another_of_the_title_only() {
        let mut value = Vec::new();
        let source = ([192, 0, 2, 1], 4_000).into();
        let posting =
            Posting { title: "Blue Moon", tags: "", size: 1, medium: 0, hashes: Hashes::default(), source };
        posting.encode(&mut value).unwrap();
        let under = |word| {
            let terms = Terms::one(Term::new(word).unwrap());
            Subject::Posting { terms, content: &[1; 32], shard_bits: 0 }
        };
        let draft = Draft { subject: under("blue"), seq: 3, ttl: 60, value: Some(&value) };
        let body = Signer::new(&[7; 32]).sign(&draft).unwrap();
        let Record::Signed(blue) = Record::decode(&body).unwrap() else { unreachable!() };
        let mut verified = Verified::default();
        verified.begin();
        for _ in 0..2 {
            let check = |verified: &mut Verified, signed| verified.check(&Record::Signed(signed));
            assert_eq!(check(&mut verified, blue), Ok(()));
            assert_eq!(check(&mut verified, Signed { subject: under("moon"), ..blue }), Ok(()));
            let sun = Signed { subject: under("sun"), ..blue };
            assert_eq!(check(&mut verified, sun), Err(Invalid::Terms));
            let gone = Signed { value: None, ..blue };
            assert_eq!(check(&mut verified, gone), Err(Invalid::Signature));
            let other = [9; 32];
            assert_eq!(check(&mut verified, Signed { writer: &other, ..blue }), Err(Invalid::Signature));
        }
    }

    fn values(writer: &Signer, count: u64) -> Vec<Box<[u8]>> {
        let draft = |seq| Draft { subject: Subject::Mutable { salt: b"x" }, seq, ttl: 60, value: Some(b"y") };
        (1..=count).map(|seq| writer.sign(&draft(seq)).unwrap()).collect()
    }

    fn held(bodies: &[Box<[u8]>]) -> Vec<Held<'_>> {
        bodies.iter().map(|body| Held { remaining: 60, record: Record::decode(body).unwrap() }).collect()
    }

    #[test]
    fn of_records_that_came_together_those_with_a_wrong_signature_are_refused() {
        let writers = [Signer::new(&[7; 32]), Signer::new(&[8; 32])];
        let mut bodies = [values(&writers[0], 20), values(&writers[1], 3)].concat();
        let mut verified = Verified::default();
        verified.begin();
        verified.check_together(held(&bodies).iter(), &mut SplitMix64::new(1));
        assert_eq!(verified.together.len(), 23);
        for wrong in [0, 11, 22] {
            let last = bodies[wrong].len() - 1;
            bodies[wrong][last] ^= 1;
            let records = held(&bodies);
            verified.check_together(records.iter(), &mut SplitMix64::new(1));
            let refused = records.iter().filter(|held| verified.check(&held.record).is_err());
            assert_eq!(refused.count(), 1, "{wrong}");
            bodies[wrong][last] ^= 1;
        }
    }

    #[test]
    fn keys_of_small_order_sign_nothing_in_company_either() {
        let (mut key, mut signature) = ([0; 32], [0; 64]);
        (key[0], signature[0]) = (1, 1);
        let forged = |seq| {
            let (subject, value) = (Subject::Mutable { salt: b"x" }, Some(&b"y"[..]));
            Record::Signed(Signed { subject, writer: &key, seq, ttl: 60, value, signature: &signature })
        };
        let records: Vec<Held<'_>> = (1..=8).map(|seq| Held { remaining: 60, record: forged(seq) }).collect();
        let mut verified = Verified::default();
        verified.begin();
        verified.check_together(records.iter(), &mut SplitMix64::new(1));
        assert!(records.iter().all(|held| verified.check(&held.record) == Err(Invalid::Signature)));
    }
}
