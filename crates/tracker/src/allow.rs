//! The allow-list: which swarms a tracker serves, one info-hash a line.

use throng_wire::ids::{InfoHash, InfoHashV1, InfoHashV2};

/// A line that is no info-hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the allow-list is not an info-hash of 40 or 64 hexadecimal digits")]
pub struct AllowListError {
    /// Counted from 1.
    pub line: usize,
}

/// Info-hashes, sorted; 20 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(Vec<InfoHash>);

impl AllowList {
    /// Reads lines of 40 hexadecimal digits (v1) or 64 (v2, truncated); blank lines and `#` comments are skipped.
    pub fn parse(text: &str) -> Result<Self, AllowListError> {
        let mut hashes = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let word = line.split('#').next().unwrap_or_default().trim();
            if !word.is_empty() {
                hashes.push(parse_hash(word).ok_or(AllowListError { line: index + 1 })?);
            }
        }
        Ok(hashes.into_iter().collect())
    }

    /// Whether the swarm is on the list.
    pub fn contains(&self, hash: &InfoHash) -> bool {
        self.0.binary_search(hash).is_ok()
    }

    /// Number of swarms.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no swarm is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<InfoHash> for AllowList {
    fn from_iter<I: IntoIterator<Item = InfoHash>>(hashes: I) -> Self {
        let mut hashes: Vec<InfoHash> = hashes.into_iter().collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.shrink_to_fit();
        Self(hashes)
    }
}

fn parse_hash(word: &str) -> Option<InfoHash> {
    let v1 = || word.parse::<InfoHashV1>().ok().map(InfoHash::from);
    v1().or_else(|| word.parse::<InfoHashV2>().ok().map(InfoHash::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_hash_are_read_and_comments_skipped() {
        let text =
            format!("# ours\n\n{}  # a film\r\n{}\n{}", "aa".repeat(20), "BB".repeat(32), "aa".repeat(20));
        let list = AllowList::parse(&text).unwrap();
        assert_eq!(list.len(), 2);
        assert!(list.contains(&InfoHash([0xaa; 20])) && list.contains(&InfoHash([0xbb; 20])));
        assert!(!list.contains(&InfoHash([0; 20])));
        assert!(AllowList::parse("").unwrap().is_empty());
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(AllowList::parse("\n# x\nabc"), Err(AllowListError { line: 3 }));
        assert_eq!(AllowList::parse(&"g".repeat(40)), Err(AllowListError { line: 1 }));
    }
}
