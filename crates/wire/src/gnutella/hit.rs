//! Hits (section 4.3): records of files, then who has them.

use super::ggep::{Block, Writer};
use super::number::{addresses, array, ip, short_number, take, text, u8, u16, u32};
use super::{Error, Extensions, Guid, Urn};
use std::net::SocketAddrV4;

/// What a servent says of itself; each bit is told only if the servent says it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HitFlags {
    /// It can't be connected to.
    pub push: bool,
    /// All upload slots are taken.
    pub busy: bool,
    /// It has uploaded something.
    pub uploaded: bool,
    /// Its speed is measured.
    pub measured: bool,
}

const PUSH: u8 = 0x01;
const BUSY: u8 = 0x04;
const UPLOADED: u8 = 0x08;
const MEASURED: u8 = 0x10;
const GGEP: u8 = 0x20;

/// Hits from one servent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueryHit<'a> {
    /// Where it serves.
    pub address: SocketAddrV4,
    /// kbit/s.
    pub speed: u32,
    /// How many records the message says it has.
    pub count: u8,
    records: &'a [u8],
    /// Four letters of its maker.
    pub vendor: [u8; 4],
    /// What it says of itself.
    pub flags: HitFlags,
    /// Its GGEP block: `BH`, `PUSH`, `SO` …
    pub ggep: Block<'a>,
    /// Its servent id.
    pub servent: Guid,
}

/// One file of a hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its number at the servent, for pushes and `/get/`.
    pub index: u32,
    /// Bytes.
    pub size: u64,
    /// Its name, as it came.
    pub name: &'a [u8],
    /// Hashes and GGEP.
    pub extensions: Extensions<'a>,
}

impl<'a> Record<'a> {
    fn take(bytes: &mut &'a [u8]) -> Result<Record<'a>, Error> {
        let (index, size) = (u32(bytes)?, u32(bytes)?);
        let (name, extensions) = (text(bytes)?, Extensions(text(bytes)?));
        let size = extensions.ggep().find(b"LF").and_then(|data| short_number(&data)).unwrap_or(size.into());
        Ok(Record { index, size, name, extensions })
    }

    /// Its SHA-1, by HUGE or GGEP.
    pub fn sha1(&self) -> Option<[u8; 20]> {
        let binary = || self.extensions.ggep().find(b"H").and_then(|data| data.get(1..21)?.try_into().ok());
        self.extensions.urns().find_map(|urn| urn.sha1()).or_else(binary)
    }

    /// The root of its tiger tree, by HUGE or GGEP.
    pub fn tiger_root(&self) -> Option<[u8; 24]> {
        let ggep = self.extensions.ggep();
        let binary = || {
            ggep.find(b"H")
                .filter(|data| data.first() == Some(&2))
                .and_then(|data| data.get(21..45)?.try_into().ok())
        };
        let named = || ggep.find(b"TT").and_then(|data| data.get(..24)?.try_into().ok());
        self.extensions.urns().find_map(|urn| urn.tiger_root()).or_else(binary).or_else(named)
    }

    /// Other sources, `ALT`; at most 15 are looked at.
    pub fn alternates(&self) -> Vec<SocketAddrV4> {
        self.extensions
            .ggep()
            .find(b"ALT")
            .map(|data| addresses(&data).take(15).collect())
            .unwrap_or_default()
    }
}

impl<'a> QueryHit<'a> {
    /// Reads a payload; the records are checked when they are walked.
    pub fn parse(payload: &'a [u8]) -> Result<QueryHit<'a>, Error> {
        let (body, servent) = payload.split_last_chunk().ok_or(Error::Truncated)?;
        let bytes = &mut &body[..];
        let (count, port) = (u8(bytes)?, u16(bytes)?);
        let address = SocketAddrV4::new(ip(bytes)?, port);
        let speed = u32(bytes)?;
        let start = *bytes;
        for _ in 0..count {
            Record::take(bytes)?;
        }
        let records = &start[..start.len() - bytes.len()];
        let (vendor, open) = trailer(bytes)?;
        let private = if open.first().is_some_and(|bits| bits & GGEP != 0)
            || bytes.first() == Some(&super::ggep::MAGIC)
        {
            find_block(bytes)
        } else {
            Block::default()
        };
        Ok(QueryHit {
            address,
            speed,
            count,
            records,
            vendor,
            flags: HitFlags::read(open),
            ggep: private,
            servent: Guid(*servent),
        })
    }

    /// The files.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let mut bytes = self.records;
        std::iter::from_fn(move || Record::take(&mut bytes).ok())
    }

    /// Its push proxies; at most 8 are looked at.
    pub fn push_proxies(&self) -> Vec<SocketAddrV4> {
        self.ggep.find(b"PUSH").map(|data| addresses(&data).take(8).collect()).unwrap_or_default()
    }
}

/// Vendor code and open data; a hit of the oldest servents has neither.
fn trailer<'a>(bytes: &mut &'a [u8]) -> Result<([u8; 4], &'a [u8]), Error> {
    if bytes.len() < 5 {
        return Ok(([0; 4], &[]));
    }
    let (vendor, size) = (array(bytes)?, u8(bytes)?);
    Ok((vendor, take(bytes, size.into())?))
}

/// The first block in private data, which may have other things before it.
fn find_block(bytes: &[u8]) -> Block<'_> {
    let starts = (0..bytes.len()).filter(|at| bytes[*at] == super::ggep::MAGIC).take(4);
    starts.filter_map(|at| Block::take(&bytes[at..])).map(|(block, _)| block).next().unwrap_or_default()
}

impl HitFlags {
    /// A flag counts as set when both bytes have its bit, whichever of them tells the value.
    fn read(open: &[u8]) -> HitFlags {
        let both = match open {
            [first, second, ..] => first & second,
            _ => 0,
        };
        let has = |bit| both & bit != 0;
        HitFlags { push: has(PUSH), busy: has(BUSY), uploaded: has(UPLOADED), measured: has(MEASURED) }
    }

    /// Two bytes: for push the second says that the first tells it, for all others the other way round.
    fn write(self, ggep: bool) -> [u8; 2] {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let values = bit(self.busy, BUSY)
            | bit(self.uploaded, UPLOADED)
            | bit(self.measured, MEASURED)
            | bit(ggep, GGEP);
        let known = BUSY | UPLOADED | MEASURED | bit(ggep, GGEP);
        [known | bit(self.push, PUSH), values | PUSH]
    }
}

/// Builds one record.
#[derive(Clone, Debug, Default)]
pub struct RecordBuilder {
    /// Its number at the servent.
    pub index: u32,
    /// Bytes.
    pub size: u64,
    /// Its name; zero bytes are left out.
    pub name: Vec<u8>,
    /// Its SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// The root of its tiger tree.
    pub tiger_root: Option<[u8; 24]>,
    /// Other sources.
    pub alternates: Vec<SocketAddrV4>,
    /// More GGEP: name and data.
    pub ggep: Vec<(&'static [u8], Vec<u8>)>,
}

impl RecordBuilder {
    /// Appends the record; hashes go into GGEP `H` if the querier reads it, else into a HUGE string and `TT`.
    fn put(&self, binary_hashes: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.small_size().to_le_bytes());
        out.extend(self.name.iter().filter(|byte| **byte != 0));
        out.push(0);
        let mut ggep = Writer::default();
        match (self.sha1, self.tiger_root) {
            (Some(sha1), root) if binary_hashes => {
                let kind = if root.is_some() { 2 } else { 1 };
                ggep.put_without_zeros(
                    b"H",
                    &[&[kind][..], &sha1, root.as_ref().map_or(&[], |root| &root[..])].concat(),
                );
            }
            (sha1, root) => {
                sha1.iter().for_each(|sha1| out.extend_from_slice(Urn::Sha1(*sha1).to_string().as_bytes()));
                if let Some(root) = root {
                    ggep.put_without_zeros(b"TT", &root);
                }
            }
        }
        self.put_rest(ggep, out);
    }

    /// The size field: all ones where `LF` tells the size.
    fn small_size(&self) -> u32 {
        if self.is_large() { u32::MAX } else { self.size as u32 }
    }

    fn is_large(&self) -> bool {
        self.size > u64::from(u32::MAX >> 1)
    }

    fn put_rest(&self, mut ggep: Writer, out: &mut Vec<u8>) {
        if self.is_large() {
            ggep.put_without_zeros(b"LF", &super::number::short_bytes(self.size));
        }
        if !self.alternates.is_empty() {
            ggep.put_without_zeros(b"ALT", &super::Pong::packed(self.alternates.iter().copied().take(15)));
        }
        for (id, data) in &self.ggep {
            ggep.put_without_zeros(id, data);
        }
        let ggep = ggep.finish();
        if !ggep.is_empty() && out.last() != Some(&0) {
            out.push(0x1c);
        }
        out.extend_from_slice(&ggep);
        out.push(0);
    }
}

/// Builds a hit.
#[derive(Clone, Debug)]
pub struct HitBuilder {
    /// Where we serve.
    pub address: SocketAddrV4,
    /// kbit/s.
    pub speed: u32,
    /// Four letters of our own.
    pub vendor: [u8; 4],
    /// What we say of ourselves.
    pub flags: HitFlags,
    /// Our GGEP block.
    pub ggep: Vec<u8>,
    /// Our servent id.
    pub servent: Guid,
}

impl HitBuilder {
    /// Appends a payload with at most 255 of the records.
    pub fn put(&self, records: &[RecordBuilder], binary_hashes: bool, out: &mut Vec<u8>) {
        let records = &records[..records.len().min(255)];
        out.push(records.len() as u8);
        out.extend_from_slice(&self.address.port().to_le_bytes());
        out.extend_from_slice(&self.address.ip().octets());
        out.extend_from_slice(&self.speed.to_le_bytes());
        records.iter().for_each(|record| record.put(binary_hashes, out));
        out.extend_from_slice(&self.vendor);
        out.push(2);
        out.extend_from_slice(&self.flags.write(!self.ggep.is_empty()));
        out.extend_from_slice(&self.ggep);
        out.extend_from_slice(&self.servent.0);
    }
}
