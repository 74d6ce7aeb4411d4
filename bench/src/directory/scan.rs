//! A plain scan beside the server: every file that is shared is held against every query that will be checked.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use anyhow::{Result, ensure};
use throng_bench::napster::User;
use throng_bench::users::{Catalogue, Rng};

/// Most hits of an answer.
const MOST: u32 = 100;

struct Query {
    text: String,
    words: BTreeSet<String>,
    matches: usize,
}

/// Queries and how many of the files seen so far each should find.
pub(super) struct Scan {
    queries: Vec<Query>,
    /// Queries by one of their words.
    by_word: HashMap<String, Vec<usize>>,
    /// Hashes of all names, so that a name nobody shared is noticed at any size.
    names: HashSet<u64>,
}

impl Scan {
    /// Draws the queries.
    pub(super) fn new(catalogue: &Catalogue, queries: u32) -> Scan {
        let mut rng = Rng(11);
        let mut scan = Scan { queries: Vec::new(), by_word: HashMap::new(), names: HashSet::new() };
        for number in 0..queries as usize {
            let text = catalogue.query(&mut rng);
            let words = words_of(&text);
            if let Some(word) = words.first() {
                scan.by_word.entry(word.clone()).or_default().push(number);
            }
            scan.queries.push(Query { text, words, matches: 0 });
        }
        scan
    }

    /// Sees a file that is shared.
    pub(super) fn add(&mut self, name: &str) {
        let words = words_of(name);
        for word in &words {
            for number in self.by_word.get(word).map_or(&[][..], Vec::as_slice) {
                let query = &mut self.queries[*number];
                query.matches += usize::from(query.words.is_subset(&words));
            }
        }
        self.names.insert(hash(name));
    }

    /// Asks the server all of them; how many were asked.
    pub(super) fn check(&self, searcher: &mut User) -> Result<usize> {
        for Query { text, words, matches } in &self.queries {
            let hits = searcher.find(text, MOST)?;
            ensure!(hits.len() == (*matches).min(MOST as usize), "{text:?}: {} of {matches}", hits.len());
            let good = |hit: &String| words.is_subset(&words_of(hit)) && self.names.contains(&hash(hit));
            ensure!(hits.iter().all(good), "{text:?}: a hit that does not match");
        }
        Ok(self.queries.len())
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

fn words_of(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '\''));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}
