//! Small numbers for transfers, as this interface names them: given once, in the order in which transfers were first
//! seen, never used again while the node runs. Whoever names a transfer that was seen is answered without a look at all.

use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// Transfers that are gone are told of for so long, in seconds: programs ask oftener.
const LATELY: i64 = 120;
/// So many of them at most.
const MOST_GONE: usize = 10_000;

/// Numbers for transfers' ids.
#[derive(Default, Debug)]
pub(super) struct Ids {
    numbers: BTreeMap<String, i64>,
    ids: BTreeMap<i64, String>,
    /// Ids by info-hash, where there is one.
    hashes: BTreeMap<String, String>,
    last: i64,
    /// Numbers of those that are gone, and since when.
    gone: VecDeque<(i64, i64)>,
}

/// Which transfers a request is about.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// Every one.
    All,
    /// Those that changed lately; their number is not bounded by the request.
    Recent,
    /// Those with these numbers or hashes.
    These(Vec<Name>),
}

/// One transfer as a request names it.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Name {
    /// By its number.
    Number(i64),
    /// By its info-hash in hex, or by the node's own id.
    Hash(String),
}

impl Ids {
    /// Whether none was seen yet.
    pub(super) fn is_empty(&self) -> bool {
        self.last == 0
    }

    /// The number of a transfer; `hash` is its info-hash in hex, or its id again.
    pub(super) fn number(&mut self, id: &str, hash: &str) -> i64 {
        if hash != id && !self.hashes.contains_key(hash) {
            self.hashes.insert(hash.to_owned(), id.to_owned());
        }
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        self.last += 1;
        self.numbers.insert(id.to_owned(), self.last);
        self.ids.insert(self.last, id.to_owned());
        self.last
    }

    /// The number and id of the transfer that a name means, if it was seen.
    pub(super) fn seen(&self, name: &Name) -> Option<(i64, String)> {
        let id = match name {
            Name::Number(number) => self.ids.get(number)?,
            Name::Hash(hash) => self.hashes.get(hash).unwrap_or(hash),
        };
        Some((*self.numbers.get(id)?, id.clone()))
    }

    /// Forgets transfers that are gone; `living` says which are not. `now` in seconds since 1970.
    pub(super) fn keep(&mut self, living: impl Fn(&str) -> bool, now: i64) {
        let gone: Vec<i64> =
            self.numbers.extract_if(.., |id, _| !living(id)).map(|(_, number)| number).collect();
        for number in gone {
            self.ids.remove(&number);
            self.is_gone(number, now);
        }
        self.hashes.retain(|_, id| self.numbers.contains_key(id));
        while self.gone.front().is_some_and(|(_, since)| now - since > LATELY) {
            self.gone.pop_front();
        }
    }

    /// A transfer was removed: if it is added again it has another number.
    pub(super) fn forget(&mut self, id: &str, hash: &str, now: i64) {
        if let Some(number) = self.numbers.remove(id) {
            self.ids.remove(&number);
            self.hashes.remove(hash);
            self.is_gone(number, now);
        }
    }

    fn is_gone(&mut self, number: i64, now: i64) {
        self.gone.push_back((number, now));
        if self.gone.len() > MOST_GONE {
            self.gone.pop_front();
        }
    }

    /// Numbers of transfers that are gone since a short time.
    pub(super) fn gone_lately(&self, now: i64) -> Vec<i64> {
        self.gone.iter().filter(|(_, since)| now - since <= LATELY).map(|(number, _)| *number).collect()
    }
}

impl Wanted {
    /// `ids` of a request: a number, a hash, a list of them, `recently-active`, or nothing for all.
    pub(super) fn of(ids: &Value) -> Result<Wanted, String> {
        let name = |it: &Value| match it {
            Value::Number(number) => number.as_i64().map(Name::Number),
            Value::String(hash) => Some(Name::Hash(hash.to_ascii_lowercase())),
            _ => None,
        };
        match ids {
            Value::Null => Ok(Wanted::All),
            Value::String(word) if word == "recently-active" || word == "recently_active" => {
                Ok(Wanted::Recent)
            }
            Value::Array(many) => {
                let names: Option<Vec<_>> = many.iter().map(name).collect();
                names.map(Wanted::These).ok_or_else(|| "ids are numbers and hashes".to_owned())
            }
            one => match name(one) {
                Some(name) => Ok(Wanted::These(vec![name])),
                None => Err("ids are numbers and hashes".to_owned()),
            },
        }
    }

    /// Whether a transfer is meant; `hashes` are those it is known by, in hex.
    pub(super) fn is(&self, number: i64, hashes: &[&str]) -> bool {
        match self {
            Wanted::All | Wanted::Recent => true,
            Wanted::These(names) => names.iter().any(|name| match name {
                Name::Number(it) => *it == number,
                Name::Hash(it) => hashes.contains(&it.as_str()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_stays_a_transfers_own() {
        let mut ids = Ids::default();
        assert_eq!((ids.number("b", "b0"), ids.number("a", "a0"), ids.number("b", "b0")), (1, 2, 1));
        let hash = |hash: &str| Name::Hash(hash.into());
        let b = Some((1, "b".to_owned()));
        assert_eq!(
            (ids.seen(&Name::Number(1)), ids.seen(&hash("b")), ids.seen(&hash("b0"))),
            (b.clone(), b.clone(), b)
        );
        ids.keep(|id| id == "a", 1_000);
        assert_eq!(
            (ids.seen(&Name::Number(1)), ids.seen(&hash("b")), ids.seen(&hash("b0"))),
            (None, None, None)
        );
        assert_eq!((ids.number("a", "a0"), ids.number("b", "b0")), (2, 3));
        assert_eq!((ids.gone_lately(1_001), ids.gone_lately(2_000)), (vec![1], vec![]));
        ids.forget("a", "a0", 1_000);
        assert_eq!((ids.seen(&Name::Number(2)), ids.number("a", "a0")), (None, 4));
    }

    #[test]
    fn transfers_are_named_in_all_ways_of_the_interface() {
        let these = |ids| Wanted::of(&ids).unwrap();
        assert!(these(Value::Null).is(7, &[]));
        assert_eq!(these(json!("recently-active")), Wanted::Recent);
        assert!(these(json!(7)).is(7, &[]) && !these(json!(7)).is(8, &[]));
        assert!(these(json!([1, "ABCD"])).is(9, &["abcd"]) && !these(json!([1, "abcd"])).is(9, &["ef"]));
        for wrong in [json!({}), json!([null]), json!(true), json!(1.5)] {
            assert!(Wanted::of(&wrong).is_err(), "{wrong}");
        }
    }
}
