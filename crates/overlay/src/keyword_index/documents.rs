//! Documents and their owners: entries in blocks of sixteen, a block's all of one owner.
//!
//! A document's id is its block's number and its place in it, so that an owner's documents have neighbouring ids (which
//! posting lists keep as runs), their owner costs a sixteenth of a number each, and all of them go at once. A
//! fingerprint of two bytes a document finds an owner's document by its name.

use super::dictionary::push;
use super::entry::{self, Entry, Reader};
use super::pool::{LONGEST, Piece, Pool};
use super::{DocId, OwnerId};
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;

/// Documents a block.
const SLOTS: u32 = 16;

/// Blocks read at a time before they are removed.
const BATCH: usize = 512;

struct Block {
    owner: u32,
    piece: Piece,
    /// One bit a slot in use.
    live: u16,
}

/// What an owner has; 72 bytes, for owners that have something.
#[derive(Default)]
struct Owner {
    blocks: Vec<u32>,
    /// One a slot, in the order of `blocks`.
    prints: Vec<u16>,
    live: u32,
    speed: u32,
}

/// The entry written last, as the next one's name is told by its difference.
#[derive(Default)]
struct Last {
    block: u32,
    name: Vec<u8>,
}

/// How far an owner's documents are read.
#[derive(Default)]
pub(super) struct OwnerReader {
    at: usize,
    name: Vec<u8>,
}

/// Whether all documents between two of an owner are that owner's: those of one block or of neighbouring ones.
pub(super) const fn are_near(one: DocId, next: DocId) -> bool {
    next.0 / SLOTS - one.0 / SLOTS <= 1
}

/// All documents.
pub(super) struct Documents {
    blocks: Vec<Block>,
    free: Vec<u32>,
    owners: Vec<Option<Box<Owner>>>,
    last: Option<Last>,
    encoded: Vec<u8>,
    live: u32,
    seed: [u64; 2],
}

impl Documents {
    pub(super) fn new(seed: [u64; 2]) -> Documents {
        let (blocks, free, owners, encoded) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Documents { blocks, free, owners, last: None, encoded, live: 0, seed }
    }

    pub(super) const fn len(&self) -> u32 {
        self.live
    }

    /// One more than the largest id there may be.
    pub(super) fn end(&self) -> u32 {
        self.blocks.len() as u32 * SLOTS
    }

    /// How many documents an owner has.
    pub(super) fn count(&self, owner: OwnerId) -> u32 {
        self.owner(owner).map_or(0, |owner| owner.live)
    }

    /// An owner's line speed; zero unless set.
    pub(super) fn speed(&self, owner: OwnerId) -> u32 {
        self.owner(owner).map_or(0, |owner| owner.speed)
    }

    pub(super) fn set_speed(&mut self, owner: OwnerId, speed: u32) {
        self.owner_mut(owner).speed = speed;
    }

    /// Who has a document; `None` if there is no such document.
    pub(super) fn owner_of(&self, doc: DocId) -> Option<OwnerId> {
        let block = self.blocks.get((doc.0 / SLOTS) as usize)?;
        (block.live >> (doc.0 % SLOTS) & 1 == 1).then_some(OwnerId(block.owner))
    }

    /// Stores an entry; `None` when all ids are in use.
    pub(super) fn insert(&mut self, owner: OwnerId, entry: &Entry<'_>, pool: &mut Pool) -> Option<DocId> {
        let print = print(entry.name, self.seed);
        let doc = match self.append(owner, entry, pool) {
            Some(doc) => doc,
            None => match self.fill_gap(owner, entry, pool) {
                Some(doc) => doc,
                None => self.open_block(owner, entry, pool)?,
            },
        };
        let ordinal = self.ordinal(owner, doc);
        let owner = self.owner_mut(owner);
        if owner.prints.len() <= ordinal {
            owner.prints.reserve_exact((ordinal + 1 - owner.prints.len()).max(ordinal / 8));
            owner.prints.resize(ordinal + 1, 0);
        }
        owner.prints[ordinal] = print;
        owner.live += 1;
        self.live += 1;
        Some(doc)
    }

    /// Removes a document.
    pub(super) fn remove(&mut self, doc: DocId, pool: &mut Pool) {
        let Some(owner) = self.owner_of(doc) else { return };
        let number = doc.0 / SLOTS;
        self.rewrite(number, None, Some(doc.0 % SLOTS), pool);
        let block = &mut self.blocks[number as usize];
        block.live &= !(1 << (doc.0 % SLOTS));
        let empty = block.live == 0;
        self.live -= 1;
        let has = self.owner_mut(owner);
        has.live -= 1;
        if empty {
            let at = has.blocks.iter().position(|block| *block == number).expect("it is the owner's");
            has.blocks.remove(at);
            let (from, end) = (at * SLOTS as usize, has.prints.len());
            has.prints.drain(from.min(end)..(from + SLOTS as usize).min(end));
            self.release(number, pool);
        }
    }

    /// Shows some hundreds of an owner's documents; whether there are more.
    pub(super) fn read_owner(
        &self,
        owner: OwnerId,
        reader: &mut OwnerReader,
        pool: &Pool,
        show: &mut dyn FnMut(DocId, &Entry<'_>),
    ) -> bool {
        let blocks = self.owner(owner).map_or(&[][..], |owner| &owner.blocks);
        let end = blocks.len().min(reader.at + BATCH);
        for number in &blocks[reader.at.min(end)..end] {
            let block = &self.blocks[*number as usize];
            let mut entries = Reader::new(pool.bytes(block.piece), std::mem::take(&mut reader.name));
            for slot in (0..SLOTS).filter(|slot| block.live >> slot & 1 == 1) {
                show(DocId(number * SLOTS + slot), &entries.next());
            }
            reader.name = entries.into_name();
        }
        reader.at = end;
        end < blocks.len()
    }

    /// Forgets an owner and all it has.
    pub(super) fn remove_owner(&mut self, owner: OwnerId, pool: &mut Pool) -> u32 {
        let Some(gone) = self.owners.get_mut(owner.0 as usize).and_then(Option::take) else { return 0 };
        // The next owner takes them from the end: in this one's order.
        for number in gone.blocks.iter().rev() {
            self.release(*number, pool);
        }
        self.live -= gone.live;
        gone.live
    }

    /// An owner's document of that name, without regard to ASCII case.
    pub(super) fn find(&self, owner: OwnerId, name: &[u8], pool: &Pool) -> Option<DocId> {
        let owner = self.owner(owner)?;
        let wanted = print(name, self.seed);
        let mut buffer = Vec::new();
        for ordinal in positions(&owner.prints, wanted) {
            let doc = DocId(owner.blocks[ordinal / SLOTS as usize] * SLOTS + ordinal as u32 % SLOTS);
            let mut visit = Visit::new(self, pool, std::mem::take(&mut buffer));
            if visit.entry(doc).is_some_and(|entry| entry.name.eq_ignore_ascii_case(name)) {
                return Some(doc);
            }
            buffer = visit.into_buffer();
        }
        None
    }

    /// The documents of an owner, oldest first unless places of removed ones were filled.
    pub(super) fn of_owner(&self, owner: OwnerId) -> impl Iterator<Item = DocId> {
        let blocks = self.owner(owner).map_or(&[][..], |owner| &owner.blocks);
        blocks.iter().flat_map(|number| {
            let live = self.blocks[*number as usize].live;
            (0..SLOTS).filter(move |slot| live >> slot & 1 == 1).map(move |slot| DocId(number * SLOTS + slot))
        })
    }

    /// Bytes held beside the pool.
    pub(super) fn held(&self) -> usize {
        let owners = self.owners.iter().flatten().map(|owner| {
            size_of::<Owner>() + 16 + owner.blocks.capacity() * 4 + owner.prints.capacity() * 2 + 32
        });
        let tables = self.blocks.capacity() * size_of::<Block>() + self.free.capacity() * 4;
        tables + self.owners.capacity() * 8 + owners.sum::<usize>()
    }

    fn owner(&self, owner: OwnerId) -> Option<&Owner> {
        self.owners.get(owner.0 as usize)?.as_deref()
    }

    fn owner_mut(&mut self, owner: OwnerId) -> &mut Owner {
        let at = owner.0 as usize;
        if self.owners.len() <= at {
            self.owners.resize_with(at + 1, || None);
        }
        self.owners[at].get_or_insert_default()
    }

    /// The place of a document among its owner's slots; the last block is the likely one.
    fn ordinal(&self, owner: OwnerId, doc: DocId) -> usize {
        let blocks = self.owner(owner).map_or(&[][..], |owner| &owner.blocks);
        let at = blocks.iter().rposition(|block| *block == doc.0 / SLOTS).expect("the block is the owner's");
        at * SLOTS as usize + (doc.0 % SLOTS) as usize
    }

    /// Behind the owner's last entry, if its block has room.
    fn append(&mut self, owner: OwnerId, entry: &Entry<'_>, pool: &mut Pool) -> Option<DocId> {
        let number = *self.owner(owner)?.blocks.last()?;
        let slot = SLOTS - self.blocks[number as usize].live.leading_zeros();
        if slot == SLOTS {
            return None;
        }
        let name = self.last_name(number, pool);
        self.encoded.clear();
        entry::encode(entry, &name, &mut self.encoded);
        self.remember(number, name, entry);
        let block = &mut self.blocks[number as usize];
        let end = usize::from(block.piece.len);
        if end + self.encoded.len() > LONGEST {
            self.last = None;
            return None;
        }
        pool.splice(&mut block.piece, end..end, &self.encoded);
        block.live |= 1 << slot;
        Some(DocId(number * SLOTS + slot))
    }

    /// Into the place of a removed one, once half of the owner's places are empty.
    fn fill_gap(&mut self, owner: OwnerId, entry: &Entry<'_>, pool: &mut Pool) -> Option<DocId> {
        let has = self.owner(owner)?;
        if (has.live + SLOTS) as usize * 2 > has.blocks.len() * SLOTS as usize {
            return None;
        }
        let room = |number: &&u32| {
            let block = &self.blocks[**number as usize];
            block.live != u16::MAX && usize::from(block.piece.len) + entry.name.len() + 128 < LONGEST / 2
        };
        let number = *has.blocks.iter().find(room)?;
        let slot = self.blocks[number as usize].live.trailing_ones();
        self.rewrite(number, Some((slot, entry)), None, pool);
        self.blocks[number as usize].live |= 1 << slot;
        Some(DocId(number * SLOTS + slot))
    }

    fn open_block(&mut self, owner: OwnerId, entry: &Entry<'_>, pool: &mut Pool) -> Option<DocId> {
        self.encoded.clear();
        entry::encode(entry, &[], &mut self.encoded);
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.blocks.len() >= (u32::MAX / SLOTS / 2) as usize => return None,
            None => {
                push(&mut self.blocks, Block { owner: 0, piece: Piece::EMPTY, live: 0 });
                (self.blocks.len() - 1) as u32
            }
        };
        let piece = pool.store(&self.encoded);
        self.blocks[number as usize] = Block { owner: owner.0, piece, live: 1 };
        let name = self.last.take().map_or_else(Vec::new, |last| last.name);
        self.remember(number, name, entry);
        push(&mut self.owner_mut(owner).blocks, number);
        Some(DocId(number * SLOTS))
    }

    fn release(&mut self, number: u32, pool: &mut Pool) {
        let block = &mut self.blocks[number as usize];
        pool.release(std::mem::replace(&mut block.piece, Piece::EMPTY));
        block.live = 0;
        self.free.push(number);
        if self.last.as_ref().is_some_and(|last| last.block == number) {
            self.last = None;
        }
    }

    /// The name of a block's last entry.
    fn last_name(&mut self, number: u32, pool: &Pool) -> Vec<u8> {
        match self.last.take() {
            Some(last) if last.block == number => last.name,
            last => {
                let block = &self.blocks[number as usize];
                let mut reader =
                    Reader::new(pool.bytes(block.piece), last.map_or_else(Vec::new, |last| last.name));
                (0..block.live.count_ones()).for_each(|_| _ = reader.next());
                reader.into_name()
            }
        }
    }

    fn remember(&mut self, block: u32, mut name: Vec<u8>, entry: &Entry<'_>) {
        name.clear();
        name.extend_from_slice(entry.name);
        self.last = Some(Last { block, name });
    }

    /// Writes a block anew with an entry more or one less; `live` is the caller's to change.
    fn rewrite(&mut self, number: u32, add: Option<(u32, &Entry<'_>)>, skip: Option<u32>, pool: &mut Pool) {
        self.last = None;
        let block = &mut self.blocks[number as usize];
        let (mut out, mut before) = (Vec::new(), Vec::new());
        let mut reader = Reader::new(pool.bytes(block.piece), Vec::new());
        for slot in 0..SLOTS {
            if block.live >> slot & 1 == 1 {
                let entry = reader.next();
                if skip != Some(slot) {
                    entry::encode(&entry, &before, &mut out);
                    before.clear();
                    before.extend_from_slice(entry.name);
                }
            } else if let Some((_, entry)) = add.filter(|(at, _)| *at == slot) {
                entry::encode(entry, &before, &mut out);
                before.clear();
                before.extend_from_slice(entry.name);
            }
        }
        let end = usize::from(block.piece.len);
        pool.splice(&mut block.piece, 0..end, &out);
    }
}

/// A fingerprint of a name without its ASCII case.
fn print(name: &[u8], seed: [u64; 2]) -> u16 {
    let mut hasher = SipHasher13::new_with_keys(seed[0], seed[1]);
    for part in name.chunks(64) {
        let mut folded = [0; 64];
        let folded = &mut folded[..part.len()];
        folded.copy_from_slice(part);
        folded.make_ascii_lowercase();
        hasher.write(folded);
    }
    hasher.finish() as u16
}

/// Where a fingerprint is; mostly nowhere, so many are compared at once, as vector instructions do.
fn positions(prints: &[u16], wanted: u16) -> impl Iterator<Item = usize> {
    const MANY: usize = 64;
    let has = move |part: &[u16]| part.iter().fold(false, |any, print| any | (*print == wanted));
    prints.chunks(MANY).enumerate().filter(move |(_, part)| has(part)).flat_map(move |(number, part)| {
        let here = part.iter().enumerate().filter(move |(_, print)| **print == wanted);
        here.map(move |(at, _)| number * MANY + at)
    })
}

/// Reads entries, best in the order of their ids.
pub(super) struct Visit<'a> {
    documents: &'a Documents,
    pool: &'a Pool,
    reader: Reader<'a>,
    block: Option<u32>,
    /// The slot the reader stands at.
    next: u32,
    /// Entries read.
    pub(super) work: u32,
}

impl<'a> Visit<'a> {
    pub(super) fn new(documents: &'a Documents, pool: &'a Pool, buffer: Vec<u8>) -> Visit<'a> {
        Visit { documents, pool, reader: Reader::new(&[], buffer), block: None, next: 0, work: 0 }
    }

    /// The entry of a document.
    pub(super) fn entry(&mut self, doc: DocId) -> Option<Entry<'_>> {
        self.documents.owner_of(doc)?;
        let (number, slot) = (doc.0 / SLOTS, doc.0 % SLOTS);
        let block = &self.documents.blocks[number as usize];
        if self.block != Some(number) || slot < self.next {
            self.reader.restart(self.pool.bytes(block.piece));
            (self.block, self.next) = (Some(number), 0);
        }
        let skipped = u32::from(block.live) & ((1 << slot) - 1) & !((1 << self.next) - 1);
        for _ in 0..skipped.count_ones() {
            self.reader.next();
        }
        self.work += 1 + skipped.count_ones();
        self.next = slot + 1;
        Some(self.reader.next())
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.reader.into_name()
    }
}
