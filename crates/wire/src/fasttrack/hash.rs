//! What names a file: FTHash, its 14-bit checksum, and the MD5 tree of kzhash.
//!
//! FTHash is weak: MD5 over the first 300 KiB, and a CRC over windows at doubling offsets; most of a big file is not
//! covered. A file known by it alone is unverified.

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use md5::{Digest, Md5};
use std::fmt;

/// Bytes of the part that MD5 covers, and of each window of the CRC.
const WINDOW: u64 = 307_200;
/// Where the first window of the CRC lies.
const FIRST_WINDOW: u64 = 1 << 20;
/// Bytes of a leaf of the MD5 tree.
const KZ_LEAF: usize = 32_768;

/// The hash FastTrack names a file by: MD5 of its head, then the small hash, little-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FtHash(pub [u8; 20]);

impl FtHash {
    /// The 14-bit checksum: CRC-16 with polynomial 1021, from zero, not reflected; it also serves as the file's id.
    pub fn checksum(&self) -> u16 {
        let step = |crc: u16, byte: &u8| {
            (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            })
        };
        self.0.iter().fold(0, step) & 0x3fff
    }

    /// The text of links and of `X-KazaaTag`: `=` and base64.
    pub fn text(&self) -> String {
        format!("={}", BASE64.encode(&self.0))
    }

    /// The 40 digits of a request's path.
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Reads 40 hexadecimal digits in any case.
    pub fn from_hex(text: &[u8]) -> Option<FtHash> {
        let bytes = (text.len() == 40).then(|| HEXLOWER_PERMISSIVE.decode(text).ok())??;
        Some(FtHash(bytes.try_into().ok()?))
    }

    /// Reads `=` and base64.
    pub fn from_text(text: &str) -> Option<FtHash> {
        let digits = text.strip_prefix('=').filter(|digits| digits.len() == 28)?;
        Some(FtHash(BASE64.decode(digits.as_bytes()).ok()?.try_into().ok()?))
    }
}

impl fmt::Debug for FtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// Hashes a file of known size from its first byte to its last.
#[derive(Clone, Debug)]
pub struct FtHasher {
    size: u64,
    at: u64,
    head: Md5,
    /// The CRC's register, without the usual inversions.
    register: u32,
    /// What the register is to see next, and whether it is the last window.
    window: Option<(u64, u64)>,
    /// Where the last whole window ended.
    covered: u64,
    /// Offset of the next window at a doubling offset.
    doubling: u64,
}

impl FtHasher {
    /// For a file of so many bytes.
    pub fn new(size: u64) -> FtHasher {
        let mut hasher = FtHasher {
            size,
            at: 0,
            head: Md5::new(),
            register: u32::MAX,
            window: None,
            covered: WINDOW,
            doubling: FIRST_WINDOW,
        };
        hasher.window = hasher.next_window();
        hasher
    }

    /// The window after those covered: at the next doubling offset while two fit behind it, then the file's end.
    fn next_window(&mut self) -> Option<(u64, u64)> {
        let start = self.doubling;
        if start.saturating_add(2 * WINDOW) <= self.size {
            self.doubling = start.saturating_mul(2);
            self.covered = start + WINDOW;
            return Some((start, start + WINDOW));
        }
        let rest = self.size.checked_sub(self.covered).filter(|rest| *rest > 0)?;
        self.covered = self.size;
        Some((self.size - rest.min(WINDOW), self.size))
    }

    /// Takes the next bytes of the file; bytes beyond its size are ignored.
    pub fn update(&mut self, bytes: &[u8]) {
        let begin = self.at;
        let end = begin.saturating_add(bytes.len() as u64).min(self.size);
        let part = |from: u64, to: u64| &bytes[(from - begin) as usize..(to - begin) as usize];
        if begin < WINDOW {
            self.head.update(part(begin, end.min(WINDOW)));
        }
        while let Some((from, to)) = self.window {
            let (from, until) = (from.max(begin), to.min(end));
            if from < until {
                self.register = crc(self.register, part(from, until));
            }
            if to > end {
                break;
            }
            self.window = self.next_window();
        }
        self.at = end;
    }

    /// The hash; meaningful once the whole file was taken.
    pub fn finish(self) -> FtHash {
        let mut hash = [0; 20];
        hash[..16].copy_from_slice(&self.head.finalize());
        hash[16..].copy_from_slice(&(self.register ^ self.size as u32).to_le_bytes());
        FtHash(hash)
    }
}

/// Runs the usual CRC-32 over bytes without inverting the register before and after.
fn crc(register: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(!register);
    hasher.update(bytes);
    !hasher.finalize()
}

/// The MD5 tree of `urn:kzhash:`: leaves of 32 KiB, a node without a neighbour is hashed alone.
#[derive(Clone, Debug, Default)]
pub struct KzHasher {
    leaf: Md5,
    filled: usize,
    /// At each height, the node that waits for its neighbour.
    waiting: Vec<Option<[u8; 16]>>,
    leaves: u64,
}

impl KzHasher {
    /// Takes the next bytes of the file.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(KZ_LEAF - self.filled));
            self.leaf.update(now);
            self.filled += now.len();
            if self.filled == KZ_LEAF {
                self.end_leaf();
            }
            bytes = later;
        }
    }

    fn end_leaf(&mut self) {
        let mut node: [u8; 16] = std::mem::take(&mut self.leaf).finalize().into();
        self.filled = 0;
        self.leaves += 1;
        for waiting in &mut self.waiting {
            match waiting.take() {
                Some(left) => node = join(&left, &node),
                None => {
                    *waiting = Some(node);
                    return;
                }
            }
        }
        self.waiting.push(Some(node));
    }

    /// The root.
    pub fn finish(mut self) -> [u8; 16] {
        if self.filled > 0 {
            self.end_leaf();
        }
        let (height, alone) = (self.waiting.len(), self.leaves == 1);
        let mut carried: Option<[u8; 16]> = None;
        for (level, waiting) in self.waiting.into_iter().enumerate() {
            carried = match (waiting, carried) {
                // The highest node is the root, unless something was carried up to its right.
                (Some(root), None) if level + 1 == height && !alone => return root,
                (Some(left), Some(right)) => Some(join(&left, &right)),
                (Some(node), None) | (None, Some(node)) => Some(Md5::digest(node).into()),
                (None, None) => None,
            };
        }
        carried.unwrap_or_else(|| Md5::digest(b"").into())
    }
}

fn join(left: &[u8; 16], right: &[u8; 16]) -> [u8; 16] {
    Md5::new().chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(size: usize) -> Vec<u8> {
        (0..size).map(|i| (31 * i + 7) as u8).collect()
    }

    fn b(size: usize) -> Vec<u8> {
        (0..size).map(|i| (31 * i + 7 + 17 * (i >> 8) + 101 * (i >> 16)) as u8).collect()
    }

    const HEAD_A: &str = "129af07e026e45cb35e992dec74026a9";
    const HEAD_B: &str = "630138aed8cad8fd4f7d6e8424605185";

    /// Generator, size, MD5 part, small hash, checksum, MD5 tree.
    type Row = (fn(usize) -> Vec<u8>, usize, &'static str, &'static str, u16, &'static str);

    #[rustfmt::skip]
    const TABLE: [Row; 26] = [
        (a, 0, "d41d8cd98f00b204e9800998ecf8427e", "ffffffff", 10881, "d41d8cd98f00b204e9800998ecf8427e"),
        (a, 1, "89e74e640b8c46257a29de0616794d5d", "feffffff", 16153, "7d93411f6cb34daa128cdb0ff859ea2c"),
        (a, 256, "fa38300ddda3160b19b8daa005c7cdb8", "fffeffff", 13050, "57d36753f62d322aecba58c400eccb62"),
        (a, 307199, "34dd3eb05a1269445380390d8a3a64b4", "0050fbff", 10724, "0239f8023ebdb42b317993653692b9d9"),
        (a, 307200, HEAD_A, "ff4ffbff", 7724, "ffd759c4f27d7f771784e1eac3246c6b"),
        (a, 307201, HEAD_A, "d0359db3", 2689, "fa7200dd8df4f80902e69a4161017ce9"),
        (a, 614400, HEAD_A, "ffa07728", 14147, "de67c4936ced642e8030262120269839"),
        (a, 1048576, HEAD_A, "ffc06e28", 5571, "ab3d5f929bee2c7dd6ea3e61f16639d9"),
        (a, 1048577, HEAD_A, "c75fd3c3", 3317, "bb426971b7346b3cb086bcbb90419e31"),
        (a, 1662977, HEAD_A, "de3ac6db", 15105, "bc415fe6af74a54762de061e70d0a025"),
        (a, 3145728, HEAD_A, "fa44555d", 14657, "3960881fdff190a32886b00406921288"),
        (b, 307201, HEAD_B, "6b38f7cc", 7632, "f9890d30df15032bf96981a2227facf9"),
        (b, 500000, HEAD_B, "a50b49b5", 615, "3f50679e593dfd6e8fa548f82e60d429"),
        (b, 614401, HEAD_B, "769fcef4", 4011, "6279d54614790d3cdeb410e23008cba9"),
        (b, 1048575, HEAD_B, "e533428b", 2968, "630024de97beff8f6995b70d41bb35f9"),
        (b, 1048576, HEAD_B, "265bb09c", 1631, "934ff03043454feabe7200a9c3692f8a"),
        (b, 1048577, HEAD_B, "59070f3a", 8308, "75eb1666bb2ffb1683b4149cd2c776ae"),
        (b, 1355776, HEAD_B, "a78b46e7", 16092, "8dda680fb493af024a7cc54d5bb453b2"),
        (b, 1662975, HEAD_B, "7af8dbe9", 8568, "a912edd5accf773be32fb84ae6e1aab1"),
        (b, 1662976, HEAD_B, "699b9dc7", 510, "dbda9fa3b64ac888546dba53f382e624"),
        (b, 1662977, HEAD_B, "6b90c4cb", 10700, "681b97b502e2fc5d126a2a71bf3feec7"),
        (b, 2097152, HEAD_B, "9def94f7", 7233, "99f3806054e8cf5b01296d9cd8c0326a"),
        (b, 2711552, HEAD_B, "4014828f", 2093, "e8f647bc4b15d23bb4ddc801ee2bb213"),
        (b, 2711553, HEAD_B, "af5940d5", 3164, "c97d2687865ff984f3df90b087601848"),
        (b, 3145728, HEAD_B, "b7d012d4", 3855, "34fb45a69d0e4103b70b99029975f5ec"),
        (b, 5000000, HEAD_B, "385bbfe2", 12485, "b5d79ab1fb68f64ddb73baa5c0498d22"),
    ];

    fn ft(bytes: &[u8], step: usize) -> FtHash {
        let mut hasher = FtHasher::new(bytes.len() as u64);
        bytes.chunks(step).for_each(|part| hasher.update(part));
        hasher.finish()
    }

    #[test]
    fn every_published_vector_comes_out_whatever_the_pieces() {
        for (generator, size, head, small, checksum, tree) in TABLE {
            let bytes = generator(size);
            for step in [16_384, 99_991, 1 << 30] {
                let hash = ft(&bytes, step);
                assert_eq!(hash.hex(), format!("{head}{small}"), "{size} in steps of {step}");
                assert_eq!(hash.checksum(), checksum, "{size}");
            }
            let mut hasher = KzHasher::default();
            bytes.chunks(10_007).for_each(|part| hasher.update(part));
            assert_eq!(HEXLOWER.encode(&hasher.finish()), tree, "{size}");
        }
    }

    #[test]
    fn hashes_are_read_as_they_are_written() {
        let hash = ft(&b(500_000), 4_096);
        assert_eq!(FtHash::from_hex(hash.hex().to_uppercase().as_bytes()), Some(hash));
        assert_eq!(FtHash::from_text(&hash.text()), Some(hash));
        assert_eq!(FtHash::from_hex(b"00"), None);
        assert_eq!(FtHash::from_text("=AAAA"), None);
    }
}
