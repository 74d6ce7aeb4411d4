//! The grammar of searches (section 5): reading what TekNap and others send, writing what A and G accept.
//!
//! Clauses come in any order, keywords in any case, texts, operators and numbers quoted or bare.

use super::fields::is_space;
use super::{Fields, NapsterError, Writer};

/// Results both servers give at most, and without `MAX_RESULTS`.
pub const MAX_RESULTS: u32 = 100;

/// What a file is, as far as servers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum FileKind {
    /// Everything shared by 100 and 870, whatever its name; the default.
    #[default]
    Mp3,
    /// Other sound.
    Audio,
    /// Moving pictures.
    Video,
    /// Programs.
    Application,
    /// Pictures.
    Image,
    /// Texts.
    Text,
}

impl FileKind {
    /// All kinds and their words.
    pub const WORDS: [(FileKind, &'static str); 6] = [
        (FileKind::Mp3, "mp3"),
        (FileKind::Audio, "audio"),
        (FileKind::Video, "video"),
        (FileKind::Application, "application"),
        (FileKind::Image, "image"),
        (FileKind::Text, "text"),
    ];

    /// The kind of that word, in any case.
    pub fn from_word(word: &[u8]) -> Option<FileKind> {
        let named = |(_, name): &&(FileKind, &str)| name.as_bytes().eq_ignore_ascii_case(word);
        FileKind::WORDS.iter().find(named).map(|(kind, _)| *kind)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        FileKind::WORDS.iter().find(|(kind, _)| *kind == self).map_or("mp3", |(_, word)| word)
    }
}

/// Which kinds a search wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindFilter {
    /// Only that one.
    Only(FileKind),
    /// Any (G).
    Any,
}

impl Default for KindFilter {
    fn default() -> Self {
        KindFilter::Only(FileKind::Mp3)
    }
}

/// A number's bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// `AT LEAST`.
    pub least: Option<u64>,
    /// `AT BEST`.
    pub best: Option<u64>,
}

impl Bounds {
    /// `EQUAL TO`.
    pub const fn exactly(value: u64) -> Bounds {
        Bounds { least: Some(value), best: Some(value) }
    }

    /// `AT LEAST`.
    pub const fn at_least(value: u64) -> Bounds {
        Bounds { least: Some(value), best: None }
    }

    /// `AT BEST`.
    pub const fn at_best(value: u64) -> Bounds {
        Bounds { least: None, best: Some(value) }
    }

    /// Whether a value lies within.
    pub fn allow(&self, value: u64) -> bool {
        self.least.is_none_or(|least| value >= least) && self.best.is_none_or(|best| value <= best)
    }

    /// Whether every value does.
    pub const fn is_open(&self) -> bool {
        self.least.is_none() && self.best.is_none()
    }
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query<'a> {
    /// `FILENAME CONTAINS`: all words of all texts must occur; see [`Query::terms`].
    pub contains: Vec<&'a [u8]>,
    /// `FILENAME EXCLUDES`: no word of these may occur (G).
    pub excludes: Vec<&'a [u8]>,
    /// `MAX_RESULTS`; use [`Query::limit`].
    pub max_results: Option<u32>,
    /// `TYPE`.
    pub kind: KindFilter,
    /// `BITRATE` in kbit/s.
    pub bitrate: Bounds,
    /// `FREQ` in Hz.
    pub frequency: Bounds,
    /// `LINESPEED`, a speed code.
    pub line_speed: Bounds,
    /// `SIZE` in bytes (G).
    pub size: Bounds,
    /// `DURATION` in seconds (G).
    pub duration: Bounds,
    /// `LOCAL` or `LOCAL_ONLY`: this server only.
    pub local_only: bool,
    /// `WMA-FILE`: only files whose md5 word is that (specification; A and G refuse it).
    pub wma_only: bool,
}

/// Why a search is refused; a 202 follows all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError<'a> {
    /// Not the grammar.
    #[error("invalid search request")]
    Invalid,
    /// `TYPE` with a word that is none.
    #[error("invalid type for search")]
    Kind(&'a [u8]),
    /// An operator that is none.
    #[error("invalid comparison for search")]
    Comparison(&'a [u8]),
    /// Nothing to look for; G says so, A sends only the 202.
    #[error("search failed: request contained no valid words")]
    NoWords,
}

impl QueryError<'_> {
    /// Appends the text both servers give in a 404.
    pub fn write_notice(&self, out: &mut Vec<u8>) {
        if let QueryError::Kind(word) | QueryError::Comparison(word) = self {
            out.extend_from_slice(word);
            out.extend_from_slice(b": ");
        }
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

/// A word of a search as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term<'a> {
    /// The word.
    pub word: &'a [u8],
    /// Whether it must not occur.
    pub excluded: bool,
}

impl<'a> Query<'a> {
    /// Reads the data of a 200 or the query of a 10015.
    pub fn parse(text: &'a [u8]) -> Result<Self, QueryError<'a>> {
        let mut query = Query::default();
        let mut fields = Fields::new(text);
        while let Some(keyword) = fields.next_field() {
            query.clause(keyword, &mut fields)?;
        }
        Ok(query)
    }

    fn clause(&mut self, keyword: &[u8], fields: &mut Fields<'a>) -> Result<(), QueryError<'a>> {
        match keyword.to_ascii_uppercase().as_slice() {
            b"FILENAME" => {
                let verb = fields.next_field().ok_or(QueryError::Invalid)?;
                let texts = match verb.to_ascii_uppercase().as_slice() {
                    b"CONTAINS" => &mut self.contains,
                    b"EXCLUDES" => &mut self.excludes,
                    _ => return Err(QueryError::Invalid),
                };
                texts.push(fields.next_field().ok_or(QueryError::Invalid)?);
            }
            b"MAX_RESULTS" => self.max_results = Some(fields.number().map_err(|_| QueryError::Invalid)?),
            b"TYPE" => {
                let word = fields.next_field().ok_or(QueryError::Invalid)?;
                self.kind = match FileKind::from_word(word) {
                    Some(kind) => KindFilter::Only(kind),
                    None if word.eq_ignore_ascii_case(b"any") => KindFilter::Any,
                    None => return Err(QueryError::Kind(word)),
                };
            }
            b"BITRATE" => compare(&mut self.bitrate, fields)?,
            b"FREQ" => compare(&mut self.frequency, fields)?,
            b"LINESPEED" => compare(&mut self.line_speed, fields)?,
            b"SIZE" => compare(&mut self.size, fields)?,
            b"DURATION" => compare(&mut self.duration, fields)?,
            b"LOCAL" | b"LOCAL_ONLY" => self.local_only = true,
            b"WMA-FILE" => self.wma_only = true,
            _ => return Err(QueryError::Invalid),
        }
        Ok(())
    }

    /// How many hits are wanted: 1 to 100, 100 if nothing (or 0) was said.
    pub fn limit(&self) -> u32 {
        self.max_results.filter(|max| *max > 0).map_or(MAX_RESULTS, |max| max.min(MAX_RESULTS))
    }

    /// All words between white space; one with `-` before it in `CONTAINS` is excluded (G).
    pub fn terms(&self) -> impl Iterator<Item = Term<'a>> + '_ {
        let wanted = self.contains.iter().flat_map(|text| words(text)).map(|word| match word {
            [b'-', word @ ..] if !word.is_empty() => Term { word, excluded: true },
            word => Term { word, excluded: false },
        });
        let unwanted = self.excludes.iter().flat_map(|text| words(text));
        wanted.chain(unwanted.map(|word| Term { word, excluded: true }))
    }

    /// Appends the query's text; `Unwritable` if a text holds a quote or a NUL, with nothing appended.
    ///
    /// Texts are trimmed: A takes separators at their end for an empty word and finds nothing (N11).
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), NapsterError> {
        let start = out.len();
        let mut writer = Writer::new(out);
        for (verb, texts) in [(&b"CONTAINS"[..], &self.contains), (b"EXCLUDES", &self.excludes)] {
            for text in texts {
                writer.word(b"FILENAME");
                writer.word(verb);
                writer.quoted(trim(text));
            }
        }
        if let Some(max) = self.max_results {
            writer.word(b"MAX_RESULTS");
            writer.number(max);
        }
        if self.kind != KindFilter::default() {
            writer.word(b"TYPE");
            writer.word(match self.kind {
                KindFilter::Only(kind) => kind.word().as_bytes(),
                KindFilter::Any => b"any",
            });
        }
        let numbers = [
            (&b"BITRATE"[..], self.bitrate),
            (b"FREQ", self.frequency),
            (b"LINESPEED", self.line_speed),
            (b"SIZE", self.size),
            (b"DURATION", self.duration),
        ];
        for (keyword, bounds) in numbers {
            write_bounds(&mut writer, keyword, bounds);
        }
        for (flag, word) in [(self.local_only, &b"LOCAL"[..]), (self.wma_only, b"WMA-FILE")] {
            if flag {
                writer.word(word);
            }
        }
        let written = writer.finish();
        if written.is_err() {
            out.truncate(start);
        }
        written
    }
}

fn write_bounds(writer: &mut Writer<'_>, keyword: &[u8], bounds: Bounds) {
    let clauses = if bounds.least == bounds.best {
        [(&b"EQUAL TO"[..], bounds.least), (b"", None)]
    } else {
        [(&b"AT LEAST"[..], bounds.least), (b"AT BEST", bounds.best)]
    };
    for (operator, value) in clauses {
        if let Some(value) = value {
            writer.word(keyword);
            writer.quoted(operator);
            writer.long(value);
        }
    }
}

/// Reads an operator, quoted or bare, and a number.
fn compare<'a>(bounds: &mut Bounds, fields: &mut Fields<'a>) -> Result<(), QueryError<'a>> {
    let operator = fields.next_field().ok_or(QueryError::Invalid)?;
    let mut upper = operator.to_ascii_uppercase();
    if matches!(upper.as_slice(), b"AT" | b"EQUAL") {
        let second = fields.next_field().ok_or(QueryError::Invalid)?;
        upper.push(b' ');
        upper.extend(second.to_ascii_uppercase());
    }
    let known = [&b"AT LEAST"[..], b"AT BEST", b"EQUAL TO"].iter().position(|known| *known == upper);
    let which = known.ok_or(QueryError::Comparison(operator))?;
    let value = fields.long().map_err(|_| QueryError::Invalid)?;
    match which {
        0 => bounds.least = Some(value),
        1 => bounds.best = Some(value),
        _ => *bounds = Bounds::exactly(value),
    }
    Ok(())
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| is_space(*byte)).filter(|word| !word.is_empty())
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}
