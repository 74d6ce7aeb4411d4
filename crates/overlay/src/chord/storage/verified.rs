//! Signatures checked lately: an item's postings, under each of its words, have one in common, and a holder that is given
//! thousands of items at once has several words of each.
//!
//! Made with the first records that come by stream: a host that is given few needs none.

use super::validity::{self, Invalid};
use sha2::{Digest as _, Sha256};
use throng_wire::chord::Record;

/// Signatures remembered; 20 bytes each.
const PLACES: usize = 16_384;

/// What was signed, by whom and how, in short.
type Mark = [u8; 20];

/// Each mark has one place, and the last one there stays.
#[derive(Clone, Default, Debug)]
pub(crate) struct Verified {
    marks: Box<[Mark]>,
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
        self.marks = Box::default();
    }

    /// Checks a record, as [`validity::check`]; its signature only if that was not done lately.
    pub(crate) fn check(&mut self, record: &Record<'_>) -> Result<(), Invalid> {
        let Record::Signed(signed) = record else { return Ok(()) };
        if self.marks.is_empty() {
            return validity::check(record);
        }
        let hash = Sha256::new().chain_update(signed.writer).chain_update(signed.signature);
        let hash: [u8; 32] = hash.chain_update(signed.signed_bytes()).finalize().into();
        let [mark @ .., _, _, _, _, _, _, _, _, _, _, high, low] = hash;
        let place = usize::from(u16::from_be_bytes([high, low])) % PLACES;
        if self.marks.get(place) == Some(&mark) {
            return validity::check_sense(record);
        }
        validity::check(record)?;
        if let Some(slot) = self.marks.get_mut(place) {
            *slot = mark;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign::{Draft, Signer};
    use super::*;
    use throng_wire::chord::{Hashes, Posting, Signed, Subject, Term, Terms};

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
}
