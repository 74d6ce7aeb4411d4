//! Long lists in parts: the newest first, and of each part the place where the next begins, which stays true while things
//! come and go.

use super::report::PageRequest;
use super::request::{Refused, Why};
use std::cmp::Reverse;

/// Items of a part unless it is said, and at most.
const USUAL: usize = 1_000;
const MOST: usize = 10_000;

/// A part of a list, and where the next begins if there is more.
pub(super) type Part<T> = (Vec<T>, Option<String>);

/// The part that is asked for of all, each with its time and its id.
pub(super) fn part<'a, T>(
    all: impl Iterator<Item = (u64, &'a str, T)>,
    request: &PageRequest,
) -> Result<Part<T>, Refused> {
    let after = request.after.as_deref().map(place).transpose()?;
    let key = |(time, id, _): &(u64, &'a str, T)| (Reverse(*time), *id);
    let mut rest: Vec<_> = all.filter(|it| after.is_none_or(|after| key(it) > after)).collect();
    let count = request.limit.unwrap_or(USUAL).clamp(1, MOST);
    let more = rest.len() > count;
    if more {
        rest.select_nth_unstable_by_key(count, key);
        rest.truncate(count);
    }
    rest.sort_unstable_by_key(key);
    let next = rest.last().filter(|_| more).map(|(time, id, _)| format!("{time}-{id}"));
    Ok((rest.into_iter().map(|(_, _, item)| item).collect(), next))
}

fn place(text: &str) -> Result<(Reverse<u64>, &str), Refused> {
    let place = text.split_once('-').and_then(|(time, id)| Some((Reverse(time.parse().ok()?), id)));
    place.ok_or_else(|| Refused::new(Why::Wrong, "after is no place that an answer named as its next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(all: &[(u64, &str)], after: Option<&str>, limit: Option<usize>) -> Part<String> {
        let request = PageRequest { after: after.map(str::to_owned), limit };
        part(all.iter().map(|(time, id)| (*time, *id, (*id).to_owned())), &request).unwrap()
    }

    #[test]
    fn parts_one_after_another_are_the_whole_list_the_newest_first() {
        let all = [(5, "b"), (9, "c"), (5, "a"), (1, "e"), (5, "d")];
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (items, next) = asked(&all, after.as_deref(), Some(2));
            assert!(items.len() <= 2);
            found.extend(items);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, ["c", "a", "b", "d", "e"]);
        assert_eq!(asked(&all, None, None), (found, None));
    }

    #[test]
    fn a_place_stays_true_when_what_it_names_is_gone() {
        let (_, next) = asked(&[(5, "a"), (5, "b"), (4, "c")], None, Some(2));
        assert_eq!(asked(&[(5, "a"), (4, "c"), (6, "new")], next.as_deref(), Some(2)).0, ["c"]);
    }

    #[test]
    fn no_part_is_longer_than_is_good_for_the_node_and_a_wrong_place_is_refused() {
        let names: Vec<String> = (0..MOST + 5).map(|number| number.to_string()).collect();
        let all: Vec<_> = names.iter().map(|name| (1, name.as_str())).collect();
        let (items, next) = asked(&all, None, Some(usize::MAX));
        assert_eq!((items.len(), asked(&all, next.as_deref(), Some(0)).0.len()), (MOST, 1));
        for wrong in ["", "7", "x-y", "-1-a"] {
            let request = PageRequest { after: Some(wrong.into()), limit: None };
            assert!(part([(1, "a", ())].into_iter(), &request).is_err(), "{wrong}");
        }
    }
}
