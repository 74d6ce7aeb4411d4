//! Who owns what, by the hosts' own claims, kept up at every event: the judge of answers while nodes come and go.
//!
//! Of two that claim a key the nearer to it owns it: an Active node's own id beats its successor's older claim (2.9 O3).
//! So a key has one owner or none at any moment, whatever others believe.

use std::collections::{BTreeMap, BTreeSet};
use throng_overlay::chord::Chord;
use throng_wire::chord::{RingId, own};

/// What a host claims: the ids of its virtual nodes that own something, with the lower ends.
pub type Claimed = Vec<(RingId, RingId)>;

/// Reads it off a machine.
pub fn claimed(machine: &Chord) -> impl Iterator<Item = (RingId, RingId)> {
    (0..machine.vnode_count()).filter_map(|at| Some((machine.node(at)?.id, machine.claim(at)?.low()?)))
}

/// A question that is not answered yet.
#[derive(Clone, Debug)]
struct Question {
    key: RingId,
    /// Who owned the key at some moment since it was asked.
    owners: BTreeSet<u32>,
}

/// All claims, and the questions under way.
#[derive(Clone, Default, Debug)]
pub struct Claims {
    active: BTreeMap<RingId, (u32, RingId)>,
    open: BTreeMap<u32, Question>,
    wrong: BTreeSet<u32>,
}

impl Claims {
    /// A host claims other ranges from now on.
    pub fn change(&mut self, host: u32, before: &Claimed, after: &Claimed) {
        for (id, _) in before {
            self.active.remove(id);
        }
        self.active.extend(after.iter().map(|(id, low)| (*id, (host, *low))));
        let mut open = std::mem::take(&mut self.open);
        for question in open.values_mut() {
            question.owners.extend(self.owner(question.key));
        }
        self.open = open;
    }

    /// The host that owns a key now: the first at or after it that owns anything, if its claim reaches so far.
    pub fn owner(&self, key: RingId) -> Option<u32> {
        let mut from = self.active.range(key..).chain(self.active.range(..key));
        from.next().filter(|(id, (_, low))| own(*low, key, **id)).map(|(_, (host, _))| *host)
    }

    /// A question is asked now.
    pub fn ask(&mut self, number: u32, key: RingId) {
        let owners = self.owner(key).into_iter().collect();
        self.open.insert(number, Question { key, owners });
    }

    /// It is answered now: `named` is said to own the key, by no answer nobody.
    pub fn answer(&mut self, number: u32, named: Option<Option<u32>>) {
        let Some(question) = self.open.remove(&number) else { return };
        let owned = |host: Option<u32>| host.is_some_and(|host| question.owners.contains(&host));
        if named.is_some_and(|named| !owned(named)) {
            self.wrong.insert(number);
        }
    }

    /// Whether the answer to a question named a host that did not own the key at any moment since it was asked.
    pub fn is_wrong(&self, number: u32) -> bool {
        self.wrong.contains(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(first: u8) -> RingId {
        let mut id = RingId::MIN;
        id.0[0] = first;
        id
    }

    /// Hosts 1, 2 and 3 stand at 100, 200 and 250 and own what lies before them.
    fn ring() -> Claims {
        let mut claims = Claims::default();
        claims.change(1, &vec![], &vec![(id(100), id(250))]);
        claims.change(2, &vec![], &vec![(id(200), id(100))]);
        claims.change(3, &vec![], &vec![(id(250), id(200))]);
        claims
    }

    fn wrong(mut claims: Claims, named: u32) -> bool {
        claims.answer(7, Some(Some(named)));
        claims.is_wrong(7)
    }

    #[test]
    fn only_the_owner_of_the_key_is_a_right_answer() {
        let mut claims = ring();
        claims.ask(7, id(150));
        assert_eq!([1, 2, 3].map(|named| wrong(claims.clone(), named)), [true, false, true]);
        claims.ask(7, id(251));
        assert_eq!([1, 2, 3].map(|named| wrong(claims.clone(), named)), [false, true, true]);
    }

    #[test]
    fn who_owned_it_for_a_moment_since_the_question_is_right_and_who_owned_it_before_is_not() {
        let mut claims = ring();
        // Host 4 joins at 170 and is given (100, 170]; then it dies, and host 2 takes over.
        let (whole, rest) = (vec![(id(200), id(100))], vec![(id(200), id(170))]);
        let joined = vec![(id(170), id(100))];
        claims.ask(6, id(150));
        claims.change(2, &whole, &rest);
        claims.change(4, &vec![], &joined);
        claims.ask(7, id(150));
        assert!(wrong(claims.clone(), 2), "it had given the key away before it was asked for");
        claims.change(4, &joined, &vec![]);
        assert!(wrong(claims.clone(), 2), "nobody owns it yet");
        claims.change(2, &rest, &whole);
        assert_eq!([2, 4].map(|named| wrong(claims.clone(), named)), [false, false]);
        claims.answer(6, Some(Some(2)));
        assert!(!claims.is_wrong(6));
    }

    #[test]
    fn of_two_that_claim_a_key_only_the_nearer_owns_it() {
        let mut claims = ring();
        // Host 3 has taken host 2 for dead.
        claims.change(3, &vec![(id(250), id(200))], &vec![(id(250), id(100))]);
        claims.ask(7, id(150));
        assert_eq!([2, 3].map(|named| wrong(claims.clone(), named)), [false, true]);
        claims.change(2, &vec![(id(200), id(100))], &vec![]);
        assert!(!wrong(claims.clone(), 3), "it was dead after all");
    }

    #[test]
    fn no_answer_is_not_a_wrong_one_and_a_stranger_is() {
        let mut claims = ring();
        claims.ask(7, id(150));
        claims.ask(8, id(150));
        claims.answer(7, None);
        claims.answer(8, Some(None));
        assert_eq!((claims.is_wrong(7), claims.is_wrong(8)), (false, true));
    }
}
