//! Strangers' words made safe to show: names of files, clients and trackers may hold anything, terminal escapes too.

use std::fmt::Write as _;
use std::path::Path;

/// Bytes as text: what is no UTF-8 as `\xNN`, control and invisible characters as `\u{…}`.
pub(crate) fn bytes(raw: &[u8]) -> String {
    let mut shown = String::with_capacity(raw.len());
    for chunk in raw.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(&mut shown, c));
        // Writing to a String cannot fail.
        chunk.invalid().iter().for_each(|byte| _ = write!(shown, "\\x{byte:02x}"));
    }
    shown
}

/// Text with control and invisible characters as `\u{…}`; always one line.
pub(crate) fn line(text: &str) -> String {
    bytes(text.as_bytes())
}

/// A path of this machine.
pub(crate) fn path(path: &Path) -> String {
    bytes(path.as_os_str().as_encoded_bytes())
}

/// Raw components joined with slashes; a slash within a component is shown as `\x2f`.
pub(crate) fn components(parts: &[Vec<u8>]) -> String {
    let part = |part: &Vec<u8>| bytes(part).replace('/', "\\x2f");
    parts.iter().map(part).collect::<Vec<_>>().join("/")
}

fn push(shown: &mut String, c: char) {
    // Direction overrides and the like can make one name look like another.
    let hidden = matches!(c, '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if c.is_control() || hidden {
        shown.extend(c.escape_unicode());
    } else {
        shown.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_stranger_reaches_the_terminal_as_a_command() {
        assert_eq!(line("plain ünïcode 名"), "plain ünïcode 名");
        assert_eq!(line("a\x1b[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb\\u{a}c\\u{202e}d");
        assert_eq!(bytes(b"\xff\xfea"), "\\xff\\xfea");
        assert_eq!(components(&[b"a/b".to_vec(), b"c".to_vec()]), "a\\x2fb/c");
    }
}
