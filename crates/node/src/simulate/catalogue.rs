//! What is shared and looked for: titles of a catalogue, popular by Zipf's law.

use throng_machine::{Entropy, SplitMix64};

/// Words of a title.
const WORDS: usize = 3;
/// How much more popular the first is than the next: the exponent that measurements of Gnutella found, about.
const SKEW: f64 = 0.8;

/// Titles and how popular each is.
#[derive(Clone, Debug)]
pub struct Catalogue {
    titles: Vec<String>,
    /// Sums of the weights up to each title.
    sums: Vec<f64>,
}

impl Catalogue {
    /// So many titles of words from a vocabulary of a quarter as many.
    pub fn new(titles: u32, rng: &mut SplitMix64) -> Catalogue {
        let vocabulary = (titles / 4).max(64);
        let mut sum = 0.0;
        let sums = (1..=titles).map(|rank| {
            sum += f64::from(rank).powf(-SKEW);
            sum
        });
        let sums = sums.collect();
        Catalogue { titles: (0..titles).map(|number| title(number, vocabulary, rng)).collect(), sums }
    }

    /// A title by its popularity.
    pub fn draw(&self, rng: &mut SplitMix64) -> usize {
        let whole = self.sums.last().copied().unwrap_or(1.0);
        let share = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        self.sums.partition_point(|sum| *sum < share * whole).min(self.sums.len().saturating_sub(1))
    }

    /// The title of that number.
    pub fn title(&self, number: usize) -> &str {
        &self.titles[number]
    }
}

/// Words of which some are much used, and one that is the title's own.
fn title(number: u32, vocabulary: u32, rng: &mut SplitMix64) -> String {
    let mut words: Vec<String> = Vec::new();
    while words.len() < WORDS - 1 {
        let share = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let word = format!("word{}", f64::from(vocabulary).powf(share) as u32);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    format!("{} no{number}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popular_titles_are_drawn_more_often_and_all_are_different() {
        let mut rng = SplitMix64::new(1);
        let catalogue = Catalogue::new(1_000, &mut rng);
        let mut drawn = vec![0u32; 1_000];
        (0..100_000).for_each(|_| drawn[catalogue.draw(&mut rng)] += 1);
        assert!(
            drawn[0] > 5 * drawn[99] && drawn[99] > 2 * drawn[999],
            "{} {} {}",
            drawn[0],
            drawn[99],
            drawn[999]
        );
        let titles: std::collections::BTreeSet<_> =
            (0..1_000).map(|number| catalogue.title(number)).collect();
        assert_eq!(titles.len(), 1_000);
    }
}
