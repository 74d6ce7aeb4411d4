//! What we share: names as they go over the wire, found again by content or, case ignored, by name.

use std::collections::BTreeMap;

use throng_machine::ContentId;
use throng_wire::napster::{FileKind, Share, ShareTyped};

/// The longest name servers keep (N8).
const MAX_NAME: usize = 255;

/// The directory put before names that have none: G finds no file without one (N11).
const DIRECTORY: &str = "Throng\\";

/// A file the application lets be found and fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedFile {
    /// Where its bytes are.
    pub content: ContentId,
    /// The full name on the wire; [`SharedFile::new`] makes one that can be written.
    pub name: Vec<u8>,
    /// Bytes.
    pub size: u64,
    /// The first half of its pieces root, the md5 word of section 12.
    pub root: Option<[u8; 16]>,
    /// What it is; all but `Mp3` are found only by searches for their type.
    pub kind: FileKind,
    /// kbit/s.
    pub bitrate: u32,
    /// Hz.
    pub frequency: u32,
    /// Seconds.
    pub duration: u32,
}

impl SharedFile {
    /// A file of type mp3 (which is what searches find by default), named so that servers take it: `/` as `\`, no
    /// quotes or control characters, at most 255 bytes with the extension kept, and a directory before it.
    pub fn new(content: ContentId, title: &str, size: u64) -> SharedFile {
        let clean: String = title
            .chars()
            .map(|letter| match letter {
                '/' => '\\',
                '"' => '\'',
                letter if letter.is_control() => '_',
                letter => letter,
            })
            .collect();
        let clean = clean.trim_matches(|letter: char| letter == ' ');
        let whole = if clean.contains('\\') { clean.to_owned() } else { format!("{DIRECTORY}{clean}") };
        let name = shortened(&whole).into_bytes();
        let kind = FileKind::Mp3;
        SharedFile { content, name, size, root: None, kind, bitrate: 0, frequency: 0, duration: 0 }
    }

    /// The md5 word; `0` where no root is known.
    pub(super) fn md5(&self) -> String {
        self.root.map_or_else(|| String::from("0"), |root| md5_word(&root))
    }

    /// As a 100 or a line of a list.
    pub(super) fn as_share<'a>(&'a self, name: &'a [u8], md5: &'a str) -> Share<'a> {
        let SharedFile { size, bitrate, frequency, duration, .. } = *self;
        Share { name, md5: md5.as_bytes(), size, bitrate, frequency, duration }
    }

    /// As a 10300.
    pub(super) fn as_typed<'a>(&'a self, md5: &'a str) -> ShareTyped<'a> {
        let kind = self.kind.word().as_bytes();
        ShareTyped { name: &self.name, size: self.size, md5: md5.as_bytes(), kind }
    }

    /// Directory with its separator, and base name.
    pub(super) fn split(&self) -> (&[u8], &[u8]) {
        let at = self.name.iter().rposition(|byte| *byte == b'\\').map_or(0, |at| at + 1);
        self.name.split_at(at)
    }
}

/// The first 32 hexadecimal digits of a pieces root (section 12).
pub fn md5_word(root: &[u8; 16]) -> String {
    root.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Reads an md5 word that may be the beginning of a root: 32 hexadecimal digits, not all zero (N10).
pub fn root_of_md5(word: &[u8]) -> Option<[u8; 16]> {
    let mut root = [0; 16];
    if word.len() != 32 {
        return None;
    }
    for (byte, pair) in root.iter_mut().zip(word.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    (root != [0; 16]).then_some(root)
}

/// Cut to [`MAX_NAME`] bytes at a character's border, the extension kept.
fn shortened(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let dot = name.rfind('.').filter(|dot| name.len() - dot <= 16 && !name[*dot..].contains('\\'));
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let mut end = MAX_NAME - extension.len();
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", &stem[..end])
}

/// All shared files.
#[derive(Default, Debug)]
pub(super) struct Shares {
    files: BTreeMap<ContentId, SharedFile>,
    by_name: BTreeMap<Vec<u8>, ContentId>,
}

impl Shares {
    /// Adds a file; false if its name (case ignored) or content is shared already, or the name cannot be written.
    pub(super) fn add(&mut self, file: SharedFile) -> bool {
        let key = file.name.to_ascii_lowercase();
        let writable = !file.name.is_empty()
            && file.name.len() <= MAX_NAME
            && !file.name.iter().any(|byte| matches!(byte, b'"' | 0 | b'\r' | b'\n'));
        if !writable || self.by_name.contains_key(&key) || self.files.contains_key(&file.content) {
            return false;
        }
        self.by_name.insert(key, file.content);
        self.files.insert(file.content, file);
        true
    }

    pub(super) fn remove(&mut self, content: ContentId) -> Option<SharedFile> {
        let file = self.files.remove(&content)?;
        self.by_name.remove(&file.name.to_ascii_lowercase());
        Some(file)
    }

    pub(super) fn by_content(&self, content: ContentId) -> Option<&SharedFile> {
        self.files.get(&content)
    }

    /// The file of that name, case ignored as servers pass on the asker's spelling (N13).
    pub(super) fn by_name(&self, name: &[u8]) -> Option<&SharedFile> {
        self.files.get(self.by_name.get(&name.to_ascii_lowercase())?)
    }

    pub(super) fn contents(&self) -> impl Iterator<Item = ContentId> + '_ {
        self.files.keys().copied()
    }

    /// The next file after `content`, or the first.
    pub(super) fn after(&self, content: Option<ContentId>) -> Option<&SharedFile> {
        match content {
            None => self.files.values().next(),
            Some(ContentId(at)) => {
                self.files.range(ContentId(at.checked_add(1)?)..).next().map(|(_, file)| file)
            }
        }
    }
}
