//! One path component.

use std::borrow::Cow;

/// Longest component, in bytes of UTF-8: what Linux and macOS take.
pub const MAX_NAME_LEN: usize = 255;

/// Longest extension kept when a name is shortened, dot included.
const MAX_EXTENSION: usize = 32;

/// A safe component made of `raw`, or `None` for those that name nothing: empty, `.` and `..`.
///
/// Bytes that are no UTF-8 are read as Latin-1. Separators, control characters, what Windows refuses and characters
/// that turn the direction of writing become `_`; trailing dots and spaces go; device names of Windows get a `_` in
/// front; names longer than [`MAX_NAME_LEN`] lose the end of their stem.
pub fn safe_name(raw: &[u8]) -> Option<String> {
    if matches!(raw, b"" | b"." | b"..") {
        return None;
    }
    let text = readable(raw);
    let replaced: String = text.chars().map(|c| if is_unsafe(c) { '_' } else { c }).collect();
    let mut name = shorten(replaced.trim_end_matches(['.', ' ']), MAX_NAME_LEN - 1);
    if name.is_empty() || is_device(&name) {
        name.insert(0, '_');
    }
    Some(name)
}

fn readable(raw: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(raw) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(raw.iter().map(|&byte| char::from(byte)).collect()),
    }
}

fn is_unsafe(c: char) -> bool {
    let refused = matches!(c, '/' | '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*');
    // Direction marks and overrides (`exe.txt` shown for `txt.exe`), line separators, byte order mark, noncharacters.
    let hidden = matches!(c, '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}');
    c.is_control() || refused || hidden
}

/// Windows takes these for devices in every folder, whatever follows the first dot.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_uppercase();
    let numbered = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")).is_some_and(|rest| {
        let mut digits = rest.chars();
        digits.next().is_some_and(|c| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³'))
            && digits.next().is_none()
    });
    numbered || matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
}

/// At most `most` bytes of `name`, taken from the end of its stem; empty only if nothing but dots and spaces is left.
pub(super) fn shorten(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let (stem, extension) = split_extension(name);
    let extension = if extension.len() < most { extension } else { "" };
    let mut cut = (most - extension.len()).min(stem.len());
    while !stem.is_char_boundary(cut) {
        cut -= 1;
    }
    let short = format!("{}{extension}", &stem[..cut]);
    short.trim_end_matches(['.', ' ']).to_owned()
}

/// Stem and extension (with its dot), where there is one that deserves the name.
pub(super) fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION => name.split_at(dot),
        _ => (name, ""),
    }
}
