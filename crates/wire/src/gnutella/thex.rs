//! Tiger trees as they are fetched: two DIME records, an XML description and the hashes level by level (section 11.5).

use super::tiger::{Hash, parents};
use std::fmt::Write as _;

/// Levels a tree may have below its root; 2^20 hashes are 24 MiB.
const MOST_DEPTH: u32 = 20;
/// Bytes of a DIME record's header.
const HEAD: usize = 12;
const VERSION: u8 = 0x08;
const FIRST: u8 = 0x04;
const LAST: u8 = 0x02;
const CHUNKED: u8 = 0x01;
const TREE_TYPE: &str = "http://open-content.net/spec/thex/breadthfirst";
const DOCTYPE: &str = "http://open-content.net/spec/thex/thex.dtd";
const DIGEST: &str = "http://open-content.net/spec/digest/tiger";

/// Why bytes are no tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ThexError {
    /// The records are cut off or malformed.
    #[error("the hash tree's envelope is malformed")]
    Envelope,
    /// It describes another file, digest or segment size, or is too deep.
    #[error("the hash tree is not of this file")]
    Description,
    /// Levels do not hash up to the root.
    #[error("the hash tree contradicts itself")]
    Hashes,
}

/// Writes the levels from the root down to the kept one; `id` is a UUID in text.
pub fn encode(size: u64, lowest: &[Hash], id: &str) -> Vec<u8> {
    let mut levels = vec![lowest.to_vec()];
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        levels.push(parents(level));
    }
    let depth = levels.len() - 1;
    let id = format!("uuid:{id}");
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n");
    // Writing to a String can't fail.
    let _ = write!(
        xml,
        "<!DOCTYPE hashtree SYSTEM \"{DOCTYPE}\">\r\n<hashtree>\r\n<file size=\"{size}\" segmentsize=\"1024\"/>\r\n\
         <digest algorithm=\"{DIGEST}\" outputsize=\"24\"/>\r\n\
         <serializedtree depth=\"{depth}\" type=\"{TREE_TYPE}\" uri=\"{id}\"/>\r\n</hashtree>\r\n"
    );
    let mut out = Vec::new();
    record(&mut out, [VERSION | FIRST, 0x10], ["", "text/xml"], xml.as_bytes());
    let hashes: Vec<u8> = levels.iter().rev().flatten().flatten().copied().collect();
    record(&mut out, [VERSION | LAST, 0x20], [&id, TREE_TYPE], &hashes);
    out
}

fn record(out: &mut Vec<u8>, flags: [u8; 2], [id, kind]: [&str; 2], data: &[u8]) {
    out.extend_from_slice(&flags);
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(id.len() as u16).to_be_bytes());
    out.extend_from_slice(&(kind.len() as u16).to_be_bytes());
    out.extend_from_slice(&(data.len() as u32).to_be_bytes());
    for part in [id.as_bytes(), kind.as_bytes(), data] {
        out.extend_from_slice(part);
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// One DIME record: flags, type, data.
struct Dime<'a> {
    flags: u8,
    kind: &'a [u8],
    data: &'a [u8],
}

fn take_record<'a>(bytes: &mut &'a [u8]) -> Result<Dime<'a>, ThexError> {
    let head: [u8; HEAD] = *bytes.first_chunk().ok_or(ThexError::Envelope)?;
    let short = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let data_length = u32::from_be_bytes([head[8], head[9], head[10], head[11]]) as usize;
    *bytes = &bytes[HEAD..];
    let mut part = |length: usize| -> Result<&'a [u8], ThexError> {
        let padded = length.checked_next_multiple_of(4).ok_or(ThexError::Envelope)?;
        let part = bytes.get(..length).ok_or(ThexError::Envelope)?;
        *bytes = bytes.get(padded..).unwrap_or_default();
        Ok(part)
    };
    part(short(2))?;
    part(short(4))?;
    let (kind, data) = (part(short(6))?, part(data_length)?);
    if head[0] & 0xf8 != VERSION || head[0] & CHUNKED != 0 {
        return Err(ThexError::Envelope);
    }
    Ok(Dime { flags: head[0], kind, data })
}

/// Reads a tree of a file of so many bytes with that root; gives the lowest level that came, checked up to the root,
/// and how many leaves each of its hashes covers as a power of two.
pub fn decode(mut bytes: &[u8], size: u64, root: &Hash) -> Result<(Vec<Hash>, u32), ThexError> {
    let (mut xml, mut data) = (None, None);
    for _ in 0..4 {
        let record = take_record(&mut bytes)?;
        match record.kind {
            b"text/xml" => xml = Some(record.data),
            kind if kind == TREE_TYPE.as_bytes() => data = Some(record.data),
            _ => {}
        }
        if record.flags & LAST != 0 {
            break;
        }
    }
    let (xml, data) = xml.zip(data).ok_or(ThexError::Envelope)?;
    let depth = described_depth(xml, size)?;
    let lowest = lowest_level(data, size, depth, root)?;
    Ok((lowest, super::tiger::height_of(size) - depth))
}

/// Checks the description and tells the depth.
fn described_depth(xml: &[u8], size: u64) -> Result<u32, ThexError> {
    let xml = std::str::from_utf8(xml).map_err(|_| ThexError::Description)?;
    let number = |name: &str| attribute(xml, name).and_then(|value| value.parse::<u64>().ok());
    let same = attribute(xml, "algorithm") == Some(DIGEST)
        && number(" size") == Some(size)
        && number("segmentsize") == Some(super::tiger::LEAF as u64);
    let depth = number("depth").and_then(|depth| u32::try_from(depth).ok());
    let most = super::tiger::height_of(size).min(MOST_DEPTH);
    depth.filter(|depth| same && *depth <= most).ok_or(ThexError::Description)
}

/// The value of the first attribute of that name.
fn attribute<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let rest = &xml[xml.find(&format!("{name}=\""))? + name.len() + 2..];
    rest.split_once('"').map(|(value, _)| value)
}

fn lowest_level(data: &[u8], size: u64, depth: u32, root: &Hash) -> Result<Vec<Hash>, ThexError> {
    let leaves = size.div_ceil(super::tiger::LEAF as u64).max(1);
    let height = super::tiger::height_of(size);
    let mut hashes = data.chunks_exact(24).filter_map(|hash| hash.first_chunk().copied());
    let mut above = vec![*root];
    for level in 0..=depth {
        let count = leaves.div_ceil(1 << (height - level));
        let hashes: Vec<Hash> = hashes.by_ref().take(count as usize).collect();
        let up = if level == 0 { hashes.clone() } else { parents(&hashes) };
        if hashes.len() as u64 != count || up != above {
            return Err(ThexError::Hashes);
        }
        above = hashes;
    }
    Ok(above)
}

#[cfg(test)]
mod tests {
    use super::super::tiger::{TreeHasher, depth_for, height_of, root};
    use super::*;
    use proptest::prelude::*;

    fn kept(bytes: &[u8], height: u32) -> Vec<Hash> {
        let mut hasher = TreeHasher::new(height);
        hasher.update(bytes);
        hasher.finish()
    }

    const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";

    #[test]
    fn the_id_and_types_have_the_lengths_seen() {
        let out = encode(10, &kept(b"0123456789", 0), ID);
        assert_eq!(out[..8], [0x0c, 0x10, 0, 0, 0, 0, 0, 8]);
        let second = out.windows(4).position(|four| four == [0x0a, 0x20, 0, 0]).unwrap();
        assert_eq!(out[second + 4..second + 8], [0, 41, 0, 46]);
    }

    #[test]
    fn a_tree_with_one_wrong_hash_or_of_another_file_is_refused() {
        let bytes: Vec<u8> = (0..300_000usize).map(|at| (at * 7 + (at >> 9)) as u8).collect();
        let size = bytes.len() as u64;
        let level = kept(&bytes, height_of(size) - depth_for(size));
        let (mut tree, top) = (encode(size, &level, ID), root(&level));
        assert_eq!(decode(&tree, size, &top).map(|(level, _)| level), Ok(level));
        assert_eq!(decode(&tree, size + 1, &top), Err(ThexError::Description));
        assert_eq!(decode(&tree, size, &[0; 24]), Err(ThexError::Hashes));
        let end = tree.len() - 1;
        tree[end] ^= 1;
        assert_eq!(decode(&tree, size, &top), Err(ThexError::Hashes));
        assert_eq!(decode(&tree[..end - 30], size, &top), Err(ThexError::Envelope));
    }

    proptest! {
        #[test]
        fn any_tree_survives(size in 0usize..60_000, depth in 0u32..7) {
            let bytes: Vec<u8> = (0..size).map(|at| (at * 13 + (at >> 8)) as u8).collect();
            let height = height_of(size as u64).saturating_sub(depth);
            let level = kept(&bytes, height);
            let tree = encode(size as u64, &level, ID);
            prop_assert_eq!(decode(&tree, size as u64, &root(&level)), Ok((level, height)));
        }

        #[test]
        fn any_bytes_are_refused_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&bytes, 1_000, &[0; 24]).is_err());
        }
    }
}
