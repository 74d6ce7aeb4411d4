//! From a title to the words it is indexed and found by (`docs/protocols/chord.md`, 4.6).
//!
//! NFKC, case-folded, split at whatever is neither a letter, a digit nor a mark that belongs to one; 2 to 40
//! characters; stop-words dropped; each word once, in the order of the title. Publisher, holder and searcher run the
//! same code: a word that two of them saw differently could not be found.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Words a title is indexed by at most.
pub(crate) const TERMS_MAX: usize = 12;

/// Characters in the shortest word worth a place in the index, and in the longest.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=40;

/// Words that say nothing about a file, sorted.
const STOP_WORDS: [&str; 24] = [
    "an", "and", "as", "at", "by", "das", "de", "der", "des", "die", "el", "et", "for", "from", "in", "is",
    "la", "le", "of", "on", "or", "the", "to", "with",
];

/// All words of a text, stop-words left out, each once, in order.
pub(crate) fn words(text: &str) -> Vec<String> {
    if text.is_ascii() { plain_words(text) } else { any_words(text) }
}

/// The same of plain letters, which neither NFKC nor folding makes more or fewer of.
fn plain_words(text: &str) -> Vec<String> {
    let mut found = Vec::<String>::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        keep(word.to_ascii_lowercase(), &mut found);
    }
    found
}

fn any_words(text: &str) -> Vec<String> {
    let mut found = Vec::<String>::new();
    let mut word = String::new();
    for c in text.nfkc().flat_map(fold).nfkc().chain(Some(' ')) {
        if c.is_alphanumeric() || (is_combining_mark(c) && !word.is_empty()) {
            word.push(c);
        } else if !word.is_empty() {
            keep(std::mem::take(&mut word), &mut found);
        }
    }
    found
}

/// Whether a text has a word, as [`words`] gives it: a holder asks that of every posting it is given.
pub(crate) fn contains(text: &str, word: &str) -> bool {
    if !text.is_ascii() {
        return any_words(text).iter().any(|other| other == word);
    }
    let mut all = text.split(|c: char| !c.is_ascii_alphanumeric());
    is_kept(word)
        && !word.bytes().any(|c| c.is_ascii_uppercase())
        && all.any(|other| other.eq_ignore_ascii_case(word))
}

/// The words a title is published under: the first [`TERMS_MAX`].
pub(crate) fn index_terms(title: &str) -> Vec<String> {
    let mut terms = words(title);
    terms.truncate(TERMS_MAX);
    terms
}

/// Full case folding but for a handful of letters: up, then down, letter by letter (ß becomes ss, ς becomes σ).
fn fold(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase)
}

fn keep(word: String, found: &mut Vec<String>) {
    if is_kept(&word) && !found.contains(&word) {
        found.push(word);
    }
}

fn is_kept(word: &str) -> bool {
    LENGTHS.contains(&word.chars().count()) && STOP_WORDS.binary_search(&word).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_cut_at_whatever_is_no_letter_or_digit() {
        assert_eq!(words("Night.of-the_Living (1968) [x264]"), ["night", "living", "1968", "x264"]);
    }

    proptest::proptest! {
        #[test]
        fn plain_text_has_the_words_that_it_has_among_others(text in "[ -~\\t\\n]{0,80}") {
            proptest::prop_assert_eq!(plain_words(&text), any_words(&text));
        }

        #[test]
        fn a_text_contains_its_words_and_no_others(text in "([A-Za-zÉß]{1,3}[ .]){0,8}", other in "[a-zA-Zéß]{0,3}") {
            let all = words(&text);
            proptest::prop_assert!(all.iter().all(|word| contains(&text, word)));
            proptest::prop_assert_eq!(contains(&text, &other), all.contains(&other));
        }
    }

    #[test]
    fn the_stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn words_that_look_the_same_are_the_same() {
        assert_eq!(words("STRASSE ﬁlm Ⅷ"), words("straße film viii"));
        assert_eq!(words("ΟΔΟΣ"), words("οδος"));
        assert_eq!(words("e\u{301}tude"), words("ÉTUDE"));
        assert_eq!(words("ｆｕｌｌ width"), ["full", "width"]);
    }

    #[test]
    fn a_mark_belongs_to_its_letter() {
        assert_eq!(words("हिन्दी गाना"), ["हिन्दी", "गाना"]);
    }

    #[test]
    fn short_long_common_and_repeated_words_are_left_out() {
        let long = "x".repeat(41);
        assert_eq!(words(&format!("a the blue Blue {long} moon")), ["blue", "moon"]);
        assert_eq!(words(" ... "), Vec::<String>::new());
    }

    #[test]
    fn a_title_gives_at_most_twelve_terms() {
        let title = (0..20).map(|n| format!("word{n} ")).collect::<String>();
        assert_eq!(index_terms(&title).len(), TERMS_MAX);
    }
}
