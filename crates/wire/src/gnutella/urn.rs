//! HUGE strings, and the extension areas of queries and hit records where they stand beside GGEP (section 4.4).

use super::ggep::{Block, MAGIC};
use data_encoding::BASE32_NOPAD;

/// Separates extensions.
const SEPARATOR: u8 = 0x1c;
/// Extensions looked at in one area.
const MOST: usize = 64;

/// A file by its hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Urn {
    /// `urn:sha1:`
    Sha1([u8; 20]),
    /// `urn:bitprint:`, SHA-1 and root of the tiger tree.
    Bitprint([u8; 20], [u8; 24]),
    /// `urn:ttroot:`, root of the tiger tree.
    TigerRoot([u8; 24]),
}

impl Urn {
    /// Reads one, prefix and digits in any case.
    pub fn parse(text: &[u8]) -> Option<Urn> {
        if let Some(digits) = strip(text, b"urn:sha1:") {
            return from_base32(digits).map(Urn::Sha1);
        }
        if let Some(digits) = strip(text, b"urn:bitprint:") {
            let (sha1, root) = digits.split_at_checked(32)?;
            return Some(Urn::Bitprint(from_base32(sha1)?, from_base32(root.strip_prefix(b".")?)?));
        }
        strip(text, b"urn:ttroot:").and_then(from_base32).map(Urn::TigerRoot)
    }

    /// The SHA-1, if it tells one.
    pub fn sha1(&self) -> Option<[u8; 20]> {
        match self {
            Urn::Sha1(sha1) | Urn::Bitprint(sha1, _) => Some(*sha1),
            Urn::TigerRoot(_) => None,
        }
    }

    /// The root of the tiger tree, if it tells one.
    pub fn tiger_root(&self) -> Option<[u8; 24]> {
        match self {
            Urn::Sha1(_) => None,
            Urn::Bitprint(_, root) | Urn::TigerRoot(root) => Some(*root),
        }
    }
}

impl std::fmt::Display for Urn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Urn::Sha1(sha1) => write!(f, "urn:sha1:{}", base32(sha1)),
            Urn::Bitprint(sha1, root) => write!(f, "urn:bitprint:{}.{}", base32(sha1), base32(root)),
            Urn::TigerRoot(root) => write!(f, "urn:ttroot:{}", base32(root)),
        }
    }
}

fn strip<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

/// Bytes as base32 without padding.
pub fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes)
}

/// Reads base32 of so many bytes, in any case; unused low bits may be set, as the programs let them.
pub fn from_base32<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != (N * 8).div_ceil(5) {
        return None;
    }
    let mut bits = (0u32, 0u32);
    let mut bytes = Vec::with_capacity(N);
    for digit in text {
        let value = match digit.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            number @ b'2'..=b'7' => number - b'2' + 26,
            _ => return None,
        };
        bits = (bits.0 << 5 | u32::from(value), bits.1 + 5);
        if bits.1 >= 8 {
            bits.1 -= 8;
            bytes.push((bits.0 >> bits.1) as u8);
            bits.0 &= (1 << bits.1) - 1;
        }
    }
    bytes.try_into().ok()
}

/// One part of an extension area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extension<'a> {
    /// A GGEP block.
    Ggep(Block<'a>),
    /// A hash.
    Urn(Urn),
    /// Something else: a bare `urn:`, old metadata.
    Text(&'a [u8]),
}

/// An extension area: parts between separators, a GGEP block may follow one directly.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extensions<'a>(pub &'a [u8]);

impl<'a> Extensions<'a> {
    /// The parts in order.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || next(&mut rest)).take(MOST)
    }

    /// The GGEP block, or an empty one.
    pub fn ggep(&self) -> Block<'a> {
        let block =
            self.iter().find_map(|part| if let Extension::Ggep(block) = part { Some(block) } else { None });
        block.unwrap_or_default()
    }

    /// The hashes.
    pub fn urns(&self) -> impl Iterator<Item = Urn> + use<'a> {
        self.iter().filter_map(|part| if let Extension::Urn(urn) = part { Some(urn) } else { None })
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<Extension<'a>> {
    while let Some(tail) = rest.strip_prefix(&[SEPARATOR]).or_else(|| rest.strip_prefix(&[0])) {
        *rest = tail;
    }
    if rest.first() == Some(&MAGIC)
        && let Some((block, tail)) = Block::take(rest)
    {
        *rest = tail;
        return Some(Extension::Ggep(block));
    }
    let end = rest.iter().position(|byte| matches!(*byte, SEPARATOR | 0)).unwrap_or(rest.len());
    let (part, tail) = rest.split_at(end);
    *rest = tail;
    if part.is_empty() {
        return None;
    }
    Some(Urn::parse(part).map_or(Extension::Text(part), Extension::Urn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_note() {
        assert_eq!(base32(&[0x0f, 0xf5]), "B72Q");
        assert_eq!(from_base32(b"b72q"), Some([0x0f, 0xf5]));
        let text = b"3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ";
        let sha1: [u8; 20] = from_base32(text).unwrap();
        assert_eq!(base32(&sha1).as_bytes(), text);
        assert_eq!(from_base32::<20>(b"3I42"), None);
        assert_eq!(from_base32::<2>(b"B1!8"), None);
    }

    #[test]
    fn urns_of_any_case_are_read_and_written() {
        let sha1 = "urn:sha1:EYWYFIFESKRK5VT3LD26D6VI5AVIPJ3Z";
        assert_eq!(Urn::parse(sha1.to_lowercase().as_bytes()).unwrap().to_string(), sha1);
        let print = "urn:bitprint:EYWYFIFESKRK5VT3LD26D6VI5AVIPJ3Z.LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ";
        let urn = Urn::parse(print.as_bytes()).unwrap();
        assert_eq!(
            (urn.to_string().as_str(), urn.sha1().is_some(), urn.tiger_root().is_some()),
            (print, true, true)
        );
        for broken in ["urn:", "urn:sha1:", "urn:sha1:AAAA", "urn:bitprint:A.B", "urn:md5:AAAA"] {
            assert_eq!(Urn::parse(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn parts_of_an_area_are_told_apart() {
        let urn = b"urn:sha1:EYWYFIFESKRK5VT3LD26D6VI5AVIPJ3Z";
        let area = [&urn[..], &[SEPARATOR, 0xc3, 0x82, b'P', b'R', 0x40, SEPARATOR], b"old words"].concat();
        let parts: Vec<_> = Extensions(&area).iter().collect();
        assert!(matches!(
            parts[..],
            [Extension::Urn(Urn::Sha1(_)), Extension::Ggep(_), Extension::Text(b"old words")]
        ));
        assert!(Extensions(&area).ggep().find(b"PR").is_some());
        assert_eq!(Extensions(&area).urns().count(), 1);
        assert_eq!(Extensions(&[SEPARATOR, 0xc3, 0x00]).iter().count(), 1, "a broken block is text");
    }
}
