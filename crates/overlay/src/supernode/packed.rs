//! A file's tags, kept small: what our own nodes say of a file is mostly digits and the words of magnet links.
//!
//! Any bytes come back exactly as they were. Runs of hexadecimal digits take half, of base 32 five eighths, known words
//! one byte, the file's name (which the index has) two; everything else a byte more for each run of up to 128.

use data_encoding::{BASE32, HEXLOWER};

/// What links are made of, longer ones before what they begin with.
const WORDS: [&[u8]; 10] = [
    b"magnet:?xt=urn:btmh:1220",
    b"magnet:?xt=urn:btih:",
    b"&xt=urn:btmh:1220",
    b"&xt=urn:btih:",
    b"&xt=urn:tree:tiger:",
    b"&xt=urn:sha1:",
    b"&x.pe=",
    b"&x.root=",
    b"&xl=",
    b"magnet:?",
];

/// Literal bytes of one run; their number less one is what stands before them.
const LITERALS: usize = 128;
/// The word of that number.
const WORD: u8 = 0x80;
/// Followed by a number and so many bytes: hexadecimal digits.
const HEX: u8 = 0xa0;
/// The same in base 32, groups of five bytes.
const BASE: u8 = 0xa1;
/// The name.
const NAME: u8 = 0xa2;

/// Digits in a row that are worth it.
const WORTH: usize = 16;
/// Bytes that one run of digits packs at most, whole groups of five.
const RUN: usize = 250;

/// The bytes, shorter; `name` has to be told again to read them.
pub(super) fn pack(bytes: &[u8], name: &[u8]) -> Vec<u8> {
    let (mut out, mut literal, mut at) = (Vec::new(), 0, 0);
    let mut short = Vec::new();
    while at < bytes.len() {
        match shorten(&bytes[at..], name, &mut short) {
            Some(length) => {
                put_literals(&bytes[literal..at], &mut out);
                out.append(&mut short);
                at += length;
                literal = at;
            }
            None => at += 1,
        }
    }
    put_literals(&bytes[literal..], &mut out);
    out
}

/// The bytes as they were; `None` if nothing was packed to this.
pub(super) fn unpack(mut packed: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(packed.len() * 3);
    while let Some((first, rest)) = packed.split_first() {
        packed = match *first {
            NAME => {
                out.extend_from_slice(name);
                rest
            }
            HEX | BASE => {
                let (count, rest) = rest.split_first()?;
                let (digits, rest) = rest.split_at_checked((*count).into())?;
                let encoding = if *first == HEX { &HEXLOWER } else { &BASE32 };
                out.extend_from_slice(encoding.encode(digits).as_bytes());
                rest
            }
            word if word >= WORD => {
                out.extend_from_slice(WORDS.get(usize::from(word - WORD))?);
                rest
            }
            count => {
                let (literal, rest) = rest.split_at_checked(usize::from(count) + 1)?;
                out.extend_from_slice(literal);
                rest
            }
        };
    }
    Some(out)
}

/// Writes the beginning of `bytes` if it can be shorter; how much of them that is.
fn shorten(bytes: &[u8], name: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    if name.len() > 2 && bytes.starts_with(name) {
        out.push(NAME);
        return Some(name.len());
    }
    if let Some((number, word)) = (0..).zip(WORDS).find(|(_, word)| bytes.starts_with(word)) {
        out.push(WORD + number);
        return Some(word.len());
    }
    let run = |most, is: fn(&u8) -> bool| bytes.iter().take(most).take_while(|byte| is(byte)).count();
    let hex = run(RUN * 2, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) / 2 * 2;
    let base = run(RUN / 5 * 8, |byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')) / 8 * 8;
    let (code, length, encoding) = if hex >= base { (HEX, hex, &HEXLOWER) } else { (BASE, base, &BASE32) };
    let digits = encoding.decode(&bytes[..length]).ok().filter(|_| length >= WORTH)?;
    out.extend([code, digits.len() as u8]);
    out.extend_from_slice(&digits);
    Some(length)
}

fn put_literals(bytes: &[u8], out: &mut Vec<u8>) {
    for part in bytes.chunks(LITERALS) {
        out.push((part.len() - 1) as u8);
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_our_nodes_say_of_a_file_takes_half() {
        let hex = "0123456789abcdef".repeat(4);
        let link = format!(
            "magnet:?xt=urn:btmh:1220{hex}&xt=urn:sha1:{}&xt=urn:tree:tiger:{}&xl=5000000&x.pe=10.0.0.1:7117&x.root={hex}",
            "QGZ7".repeat(8),
            "ABCDEF7".repeat(6)
        );
        let packed = pack(link.as_bytes(), b"zebra song.mp3");
        assert_eq!(packed[..3], [0x80, HEX, 32]);
        assert!(packed.len() * 9 < link.len() * 5, "{} of {}", packed.len(), link.len());
        assert_eq!(unpack(&packed, b"zebra song.mp3").unwrap(), link.as_bytes());
    }

    #[test]
    fn what_nothing_packs_to_is_refused() {
        for bad in [&[5, 1][..], &[HEX], &[BASE, 2, 1], &[WORD + 10], &[0xff]] {
            assert_eq!(unpack(bad, b""), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_as_they_were(
            parts in prop::collection::vec((0..6u8, prop::collection::vec(any::<u8>(), 0..300)), 0..12),
            name in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut bytes = Vec::new();
            for (kind, part) in parts {
                match kind {
                    0 => bytes.extend(HEXLOWER.encode(&part).bytes()),
                    1 => bytes.extend(BASE32.encode(&part).bytes()),
                    2 => bytes.extend(WORDS[part.len() % WORDS.len()]),
                    3 => bytes.extend(&name),
                    _ => bytes.extend(part),
                }
            }
            prop_assert_eq!(unpack(&pack(&bytes, &name), &name), Some(bytes));
        }
    }
}
