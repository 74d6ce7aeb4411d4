//! What a word is: how names and queries are cut and folded.
//!
//! Words are runs of letters and digits with apostrophes inside ("don't"), in lower case and without accents, so that
//! "Café", "CAFE" and "cafe" with a combining accent are one. A text that is not UTF-8 is taken as Windows-1252, each
//! text on its own. Ideographs and kana, written without spaces, are words one by one. As OpenNap does, the last
//! [`MAX_WORDS`] words of a name count; a word is told by its first [`MAX_WORD`] bytes.

use std::ops::Range;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// Words of one text that count: the last ones.
pub const MAX_WORDS: usize = 30;

/// Bytes of a word that count, in UTF-8 after folding.
pub const MAX_WORD: usize = 48;

/// The words of a text, folded; kept to be filled again.
#[derive(Clone, Default, Debug)]
pub struct Words {
    text: Vec<u8>,
    words: Vec<Word>,
    /// Where the word being read begins, and the end of its last letter.
    open: Option<(u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    /// Where it lies in `text`.
    start: u32,
    end: u32,
    /// Where it ended in its source, if that was ASCII.
    source_end: u32,
}

/// What an ASCII byte is: itself in lower case if a letter or digit, an apostrophe, or zero, which parts words.
const FOLD: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        let ascii = byte as u8;
        if ascii.is_ascii_alphanumeric() || ascii == b'\'' {
            table[byte] = ascii.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

impl Words {
    /// No words.
    pub const EMPTY: Words = Words { text: Vec::new(), words: Vec::new(), open: None };

    /// No words.
    pub fn new() -> Words {
        Words::default()
    }

    /// The words of a text.
    pub fn of(text: &[u8]) -> Words {
        let mut words = Words::new();
        words.add(text);
        words
    }

    /// Forgets all words but keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.words.clear();
    }

    /// Adds the words of a text; only the last [`MAX_WORDS`] of all are kept.
    pub fn add(&mut self, text: &[u8]) {
        if text.is_ascii() {
            self.add_ascii(text);
        } else if let Ok(text) = std::str::from_utf8(text) {
            text.chars().for_each(|char| self.char(char));
        } else {
            text.iter().for_each(|byte| self.char(windows_1252(*byte)));
        }
        self.close();
        let surplus = self.words.len().saturating_sub(MAX_WORDS);
        self.words.drain(..surplus);
    }

    /// How many there are, repetitions included.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words in order, folded, in UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.words.iter().map(|word| &self.text[word.start as usize..word.end as usize])
    }

    /// Where the words ended in their source if that was ASCII, or behind all ends.
    pub(super) fn ends(&self) -> impl Iterator<Item = u32> {
        self.words.iter().map(|word| word.source_end)
    }

    /// The same as byte by byte, but most names are ASCII.
    fn add_ascii(&mut self, text: &[u8]) {
        let fold = |at: usize| FOLD[usize::from(text[at])];
        let mut at = 0;
        while at < text.len() {
            if matches!(fold(at), 0 | b'\'') {
                at += 1;
                continue;
            }
            let (from, mut to) = (at, at);
            while at < text.len() && fold(at) != 0 {
                at += 1;
                if text[at - 1] != b'\'' {
                    to = at;
                }
            }
            let start = self.text.len() as u32;
            self.text.extend(text[from..to.min(from + MAX_WORD)].iter().map(|byte| FOLD[usize::from(*byte)]));
            self.words.push(Word { start, end: self.text.len() as u32, source_end: to as u32 });
        }
    }

    #[inline]
    fn ascii(&mut self, byte: u8) {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => self.letter(&[byte]),
            b'A'..=b'Z' => self.letter(&[byte | 0x20]),
            b'\'' => self.apostrophe(),
            _ => self.close(),
        }
    }

    fn char(&mut self, char: char) {
        if char.is_ascii() {
            return self.ascii(char as u8);
        }
        if char == '\u{2019}' {
            return self.apostrophe();
        }
        decompose_compatible(char, |part| {
            part.to_lowercase().filter(|lower| !is_accent(*lower)).for_each(|lower| self.folded(lower));
        });
    }

    fn folded(&mut self, char: char) {
        if let Some(plain) = without_stroke(char) {
            return plain.bytes().for_each(|byte| self.letter(&[byte]));
        }
        if char.is_ascii() {
            return self.ascii(char as u8);
        }
        if !char.is_alphanumeric() && !is_combining_mark(char) {
            return self.close();
        }
        let alone = stands_alone(char);
        if alone {
            self.close();
        }
        self.letter(char.encode_utf8(&mut [0; 4]).as_bytes());
        if alone {
            self.close();
        }
    }

    #[inline]
    fn letter(&mut self, utf8: &[u8]) {
        let end = self.text.len() as u32;
        let (start, _) = self.open.unwrap_or((end, end));
        self.text.extend_from_slice(utf8);
        self.open = Some((start, self.text.len() as u32));
    }

    /// Belongs to a word if letters follow.
    fn apostrophe(&mut self) {
        if self.open.is_some() {
            self.text.push(b'\'');
        }
    }

    #[inline]
    fn close(&mut self) {
        if let Some((start, end)) = self.open.take() {
            let end = cut(&self.text, start as usize..end as usize) as u32;
            self.words.push(Word { start, end, source_end: u32::MAX });
        }
    }
}

/// Where a word ends that may be too long: at a character's border.
#[inline]
fn cut(text: &[u8], word: Range<usize>) -> usize {
    if word.len() <= MAX_WORD {
        return word.end;
    }
    let mut end = word.start + MAX_WORD;
    while text[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    end
}

/// Letters whose stroke or ligature is no decomposition in Unicode's tables; in lower case.
const fn without_stroke(char: char) -> Option<&'static str> {
    Some(match char {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ł' => "l",
        'þ' => "th",
        'ŧ' => "t",
        'ς' => "σ",
        _ => return None,
    })
}

/// Marks that people leave out when they search; vowel signs of Indic scripts and Thai are no such marks.
const fn is_accent(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{3099}'..='\u{309a}' | '\u{fe20}'..='\u{fe2f}')
}

/// Scripts written without spaces: each character is a word.
const fn stands_alone(char: char) -> bool {
    matches!(char, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The letters of Windows-1252; where it has none but Latin-1 a control character, that.
const fn windows_1252(byte: u8) -> char {
    match byte {
        0x8a => 'Š',
        0x8c => 'Œ',
        0x8e => 'Ž',
        0x92 => '\u{2019}',
        0x9a => 'š',
        0x9c => 'œ',
        0x9e => 'ž',
        0x9f => 'Ÿ',
        _ => byte as char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[u8]) -> Vec<String> {
        Words::of(text).iter().map(|word| String::from_utf8(word.to_vec()).unwrap()).collect()
    }

    #[test]
    fn letters_and_digits_are_words_and_apostrophes_join_them() {
        assert_eq!(
            words(br"C:\k\Kinkajou_rate11-don't.mp3"),
            ["c", "k", "kinkajou", "rate11", "don't", "mp3"]
        );
        assert_eq!(words(b"'quoted' rock 'n' roll' ' ''"), ["quoted", "rock", "n", "roll"]);
        assert_eq!(words("don’t".as_bytes()), words(b"don't"));
        assert!(words(b"-- .. ()").is_empty());
    }

    #[test]
    fn case_and_accents_do_not_matter_in_either_encoding() {
        for same in [&b"CAFE"[..], "Café".as_bytes(), b"caf\xe9", "CAFE\u{301}".as_bytes(), b"CAF\xc9"] {
            assert_eq!(words(same), ["cafe"], "{same:?}");
        }
        assert_eq!(
            words("Straße Øresund Ærø Łódź İstanbul ΣΊΣΥΦΟΣ".as_bytes()),
            ["strasse", "oresund", "aero", "lodz", "istanbul", "σισυφοσ"]
        );
        assert_eq!(words(b"\x8akoda Bj\xf6rk \x9cuvre"), ["skoda", "bjork", "oeuvre"]);
        assert_eq!(words("ﬁre Ｔｏｋｙｏ ½".as_bytes()), ["fire", "tokyo", "1", "2"]);
    }

    #[test]
    fn ascii_is_cut_as_other_text_is() {
        let texts = [r"C:\My Music\don't ''stop'' rock'n'roll-2 (live).mp3", "'", "a''b", "''", "x'", "'x"];
        for text in texts.map(str::to_owned).into_iter().chain([format!("{} b", "n".repeat(90))]) {
            let mut other = Words::new();
            text.bytes().for_each(|byte| other.ascii(byte));
            other.close();
            let other: Vec<&[u8]> = other.iter().collect();
            assert_eq!(Words::of(text.as_bytes()).iter().collect::<Vec<_>>(), other);
        }
    }

    #[test]
    fn ideographs_are_words_one_by_one_and_other_scripts_by_spaces() {
        assert_eq!(words("東京 Живая вода 한국".as_bytes()).len(), 5);
        assert_eq!(
            words("한국".as_bytes()),
            words("\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}".as_bytes())
        );
        assert_ne!(words("हिन्दी".as_bytes()), words("हनद".as_bytes()));
        assert_eq!(words("東京tokyo".as_bytes()), ["東", "京", "tokyo"]);
    }

    #[test]
    fn the_last_thirty_words_count_and_the_first_bytes_of_a_long_one() {
        let many: String = (0..40).map(|number| format!("w{number} ")).collect();
        assert_eq!(words(many.as_bytes())[0], "w10");
        assert_eq!(words(many.as_bytes()).len(), MAX_WORDS);
        assert_eq!(words(&[b'n'; 300]), ["n".repeat(MAX_WORD)]);
        let wide = "ж".repeat(40) + "я";
        assert_eq!(words(wide.as_bytes()), ["ж".repeat(24)]);
        let odd = "a".to_string() + &"ж".repeat(40);
        assert_eq!(words(odd.as_bytes()), ["a".to_string() + &"ж".repeat(23)]);
    }

    #[test]
    fn bytes_that_are_no_text_are_no_danger() {
        for byte in 0..=255_u8 {
            words(&[byte; 70]);
            words(&[b'a', byte, b'b', 0xff]);
        }
    }
}
