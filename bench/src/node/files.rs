//! A library such as people have: bands, albums, songs, with names of eight or nine words, none of them twice.

use std::fs;
use std::path::Path;

use anyhow::Result;
use throng_bench::users::Rng;

/// Syllables of which words are made.
const SYLLABLES: [&str; 20] = [
    "ba", "ro", "mi", "ten", "lu", "sar", "ke", "don", "vi", "pel", "qua", "nor", "fi", "gal", "hu", "jas",
    "cro", "wen", "dy", "zo",
];
/// Songs of an album.
const SONGS: u32 = 10;
/// Albums of a band.
const ALBUMS: u32 = 5;

/// One of some thousand words, by number.
fn word(number: u32) -> String {
    let digits = [number % 20, number / 20 % 20, number / 400 % 20];
    digits.iter().filter_map(|digit| SYLLABLES.get(*digit as usize)).copied().collect()
}

/// Writes the files, in a folder for each album; their names.
pub(super) fn make(library: &Path, count: u32, size: usize) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut random = Rng(1);
    for number in 0..count {
        let (album, band) = (number / SONGS, number / SONGS / ALBUMS);
        let of = |n: u32| word(n.wrapping_mul(2_654_435_761) >> 8);
        let name = format!(
            "{} {} - {} {} - {:02} - {} {} {}.ogg",
            of(band * 2),
            of(band * 2 + 1),
            of(5_000 + album * 2),
            of(5_001 + album * 2),
            number % SONGS + 1,
            of(50_000 + number * 3),
            of(50_001 + number * 3),
            of(50_002 + number * 3),
        );
        let folder = library.join(format!("{album:05}"));
        fs::create_dir_all(&folder)?;
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            bytes.extend_from_slice(&random.draw().to_le_bytes());
        }
        bytes.truncate(size);
        fs::write(folder.join(&name), bytes)?;
        names.push(name);
    }
    Ok(names)
}

/// Some of them, chosen by chance.
pub(super) fn choose(names: &[String], count: usize, salt: u64) -> Vec<String> {
    let mut random = Rng(salt);
    let mut pick = || names.get(random.draw() as usize % names.len().max(1)).cloned();
    (0..count).filter_map(|_| pick()).collect()
}

/// The words of a name but for its ending.
pub(super) fn words(name: &str) -> Vec<&str> {
    let stem = name.trim_end_matches(".ogg");
    stem.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() > 1).collect()
}
