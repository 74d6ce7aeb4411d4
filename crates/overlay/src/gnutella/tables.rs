//! Route tables as they are held (section 4.8): those of neighbours, and what a query is tested against them by.
//!
//! Most tables are nearly empty, so that a table is held as a list of its entries while that is a smaller form.

use throng_wire::gnutella::{QrpError, QrpMessage, QrpTable, Query, Reassembly, WordHash, hash_of};

/// Words of a query that are tested; more would only narrow it further.
const MOST_WORDS: usize = 16;
/// Hashes of a query that are tested.
const MOST_URNS: usize = 4;

/// A table in the smallest of three forms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Table {
    /// Very few entries, in groups of 65,536.
    Few(Sparse<u16>),
    /// Few entries, in groups of 256.
    Sparse(Sparse<u8>),
    /// A bit each.
    Dense(QrpTable),
}

/// Entries in groups: what tells each from the others of its group, and where each group begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sparse<L> {
    bits: u8,
    begins: Box<[u16]>,
    lows: Box<[L]>,
}

/// The lower bits of an entry.
pub(super) trait Low: Copy + Ord + Into<u32> {
    /// How many they are: entries of a group as a power of two.
    const BITS: u32;
    fn of(entry: u32) -> Self;
    /// Whether it is in a group, which ascends.
    fn is_in(self, group: &[Self]) -> bool;
}

impl Low for u8 {
    const BITS: u32 = 8;
    fn of(entry: u32) -> u8 {
        entry as u8
    }
    fn is_in(self, group: &[u8]) -> bool {
        group.contains(&self)
    }
}

impl Low for u16 {
    const BITS: u32 = 16;
    fn of(entry: u32) -> u16 {
        entry as u16
    }
    fn is_in(self, group: &[u16]) -> bool {
        group.binary_search(&self).is_ok()
    }
}

impl<L: Low> Sparse<L> {
    fn groups(entries: u32) -> usize {
        (entries >> L::BITS) as usize + 2
    }

    /// Bytes for a table of so many entries, of which so many are present.
    fn bytes(entries: u32, present: u32) -> u64 {
        (2 * Self::groups(entries) + size_of::<L>() * present as usize) as u64
    }

    fn new(table: &QrpTable) -> Sparse<L> {
        let mut begins = vec![0u16; Self::groups(table.entries())];
        let mut lows = Vec::with_capacity(table.count() as usize);
        for entry in table.present() {
            lows.push(L::of(entry));
            begins[(entry >> L::BITS) as usize + 1] = lows.len() as u16;
        }
        // A group without entries begins and ends where the one before ends.
        let mut last = 0;
        for begin in &mut begins {
            last = last.max(*begin);
            *begin = last;
        }
        Sparse { bits: table.bits() as u8, begins: begins.into(), lows: lows.into() }
    }

    fn group(&self, group: usize) -> &[L] {
        let at = |group: usize| self.begins.get(group).map_or(0, |begin| usize::from(*begin));
        self.lows.get(at(group)..at(group + 1)).unwrap_or_default()
    }

    fn contains(&self, word: WordHash) -> bool {
        let entry = word.entry(self.bits.into());
        L::of(entry).is_in(self.group((entry >> L::BITS) as usize))
    }

    /// Ascending.
    fn present(&self) -> impl Iterator<Item = u32> + '_ {
        let groups = (0..self.begins.len().saturating_sub(1)).map(|group| (group, self.group(group)));
        groups.flat_map(|(group, lows)| lows.iter().map(move |low| (group as u32) << L::BITS | (*low).into()))
    }

    fn merge_into(&self, into: &mut QrpTable) {
        let bits = u32::from(self.bits);
        if bits >= into.bits() {
            self.present().for_each(|entry| into.insert(word_of(entry, bits)));
        } else {
            into.merge(&self.dense());
        }
    }

    fn dense(&self) -> QrpTable {
        let bits = u32::from(self.bits);
        let mut table = QrpTable::new(bits);
        self.present().for_each(|entry| table.insert(word_of(entry, bits)));
        table
    }
}

impl Table {
    pub(super) fn new(table: &QrpTable) -> Table {
        let (entries, present) = (table.entries(), table.count());
        let sizes = (Sparse::<u16>::bytes(entries, present), Sparse::<u8>::bytes(entries, present));
        if present > u16::MAX.into() || sizes.0.min(sizes.1) >= u64::from(entries) / 8 {
            Table::Dense(table.clone())
        } else if sizes.0 <= sizes.1 {
            Table::Few(Sparse::new(table))
        } else {
            Table::Sparse(Sparse::new(table))
        }
    }

    pub(super) fn contains(&self, word: WordHash) -> bool {
        match self {
            Table::Few(few) => few.contains(word),
            Table::Sparse(sparse) => sparse.contains(word),
            Table::Dense(table) => table.contains(word),
        }
    }

    /// Its size as a power of two, if it is held as a list of at most so many entries.
    pub(super) fn bits_of_few(&self, most: usize) -> Option<u32> {
        let (bits, count) = match self {
            Table::Few(few) => (few.bits, few.lows.len()),
            Table::Sparse(sparse) => (sparse.bits, sparse.lows.len()),
            Table::Dense(_) => return None,
        };
        (count <= most).then_some(bits.into())
    }

    /// Each entry of a list, ascending; nothing of one that is none.
    pub(super) fn for_each_of_few(&self, each: impl FnMut(u32)) {
        match self {
            Table::Few(few) => few.present().for_each(each),
            Table::Sparse(sparse) => sparse.present().for_each(each),
            Table::Dense(_) => {}
        }
    }

    /// Adds its words to a table of any size.
    pub(super) fn merge_into(&self, into: &mut QrpTable) {
        match self {
            Table::Few(few) => few.merge_into(into),
            Table::Sparse(sparse) => sparse.merge_into(into),
            Table::Dense(table) => into.merge(table),
        }
    }

    /// The table with a bit for each entry.
    pub(super) fn dense(&self) -> QrpTable {
        match self {
            Table::Few(few) => few.dense(),
            Table::Sparse(sparse) => sparse.dense(),
            Table::Dense(table) => table.clone(),
        }
    }
}

/// A word whose entry in a table of 2^bits is this one.
fn word_of(entry: u32, bits: u32) -> WordHash {
    WordHash(if bits == 0 { 0 } else { entry << (32 - bits) })
}

/// A neighbour's table, and what has come of its next version.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) table: Option<Table>,
    under_way: Option<Box<Reassembly>>,
}

impl Received {
    /// Takes a message; true if the table is now another.
    pub(super) fn take(&mut self, message: QrpMessage<'_>) -> Result<bool, QrpError> {
        let table = &self.table;
        let mut reassembly = self.under_way.take().unwrap_or_else(|| {
            Box::new(table.as_ref().map(|table| Reassembly::resume(table.dense())).unwrap_or_default())
        });
        if !reassembly.take(message)? {
            self.under_way = Some(reassembly);
            return Ok(false);
        }
        self.table = reassembly.table().map(Table::new);
        if matches!(message, QrpMessage::Reset { .. }) {
            self.under_way = Some(reassembly);
        }
        Ok(true)
    }
}

/// What a query is tested by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted {
    words: Vec<WordHash>,
    urns: Vec<WordHash>,
}

impl Wanted {
    pub(super) fn of(query: &Query<'_>) -> Wanted {
        let words = query.words().map(|text| words(text).filter(|word| word.len() >= 3).take(MOST_WORDS));
        let words = words.map(|words| words.map(|word| hash_of(&word)).collect()).unwrap_or_default();
        let urns = query.extensions.urns().filter_map(|urn| urn.sha1()).take(MOST_URNS);
        Wanted { words, urns: urns.map(|sha1| urn_hash(&sha1)).collect() }
    }

    /// Whether something may be found where `contains` says which words there are: all of one or two words, two thirds
    /// of more; a hash that is there suffices, and one that is not keeps a search for it alone away.
    pub(super) fn may_match(&self, contains: impl Fn(WordHash) -> bool) -> bool {
        if self.urns.iter().any(|urn| contains(*urn)) {
            return true;
        }
        let mut may_lack = match self.words.len() {
            0 => return self.urns.is_empty(),
            1 | 2 => 0,
            tested => tested / 3,
        };
        for word in &self.words {
            if !contains(*word) {
                if may_lack == 0 {
                    return false;
                }
                may_lack -= 1;
            }
        }
        true
    }

    /// All that it is tested by; nothing if all match it.
    pub(super) fn hashes(&self) -> impl Iterator<Item = WordHash> + '_ {
        self.words.iter().chain(&self.urns).copied()
    }

    /// Whether there is nothing to be tested by.
    pub(super) fn is_open(&self) -> bool {
        self.words.is_empty() && self.urns.is_empty()
    }
}

/// The hash under which a file's SHA-1 stands in a table.
pub(super) fn urn_hash(sha1: &[u8; 20]) -> WordHash {
    hash_of(&throng_wire::gnutella::Urn::Sha1(*sha1).to_string())
}

/// The words of a text as route tables have them: runs of letters and digits in lower case.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use throng_wire::gnutella::{Extensions, QueryFlags, Urn, reset, table_patches};

    fn query<'a>(text: &'a str, extensions: &'a [u8]) -> Query<'a> {
        Query { flags: QueryFlags::VALID, text: text.as_bytes(), extensions: Extensions(extensions) }
    }

    fn send(received: &mut Received, payload: &[u8]) -> bool {
        received.take(QrpMessage::parse(payload).unwrap()).unwrap()
    }

    #[test]
    fn a_table_is_the_same_in_all_forms_and_can_be_changed_in_each() {
        let mut table = QrpTable::new(14);
        ["red", "green", "blue"].iter().for_each(|word| table.insert(hash_of(word)));
        let mut received = Received::default();
        let mut first = Vec::new();
        reset(&table).put(&mut first);
        assert!(send(&mut received, &first));
        table_patches(None, &table).iter().for_each(|patch| assert!(send(&mut received, patch)));
        assert!(matches!(received.table, Some(Table::Few(_))));
        let mut some = table.clone();
        (0..600).for_each(|number| some.insert(hash_of(&format!("some{number}"))));
        table_patches(Some(&table), &some).iter().for_each(|patch| _ = send(&mut received, patch));
        assert!(matches!(received.table, Some(Table::Sparse(_))));
        assert_eq!(received.table.as_ref().unwrap().dense(), some);
        table_patches(Some(&some), &table).iter().for_each(|patch| _ = send(&mut received, patch));
        let mut more = table.clone();
        (0..6_000).for_each(|number| more.insert(hash_of(&format!("word{number}"))));
        table_patches(Some(&table), &more).iter().for_each(|patch| _ = send(&mut received, patch));
        let held = received.table.as_ref().unwrap();
        assert!(matches!(held, Table::Dense(_)) && held.contains(hash_of("green")));
        assert_eq!(held.dense(), more);
        table_patches(Some(&more), &table).iter().for_each(|patch| _ = send(&mut received, patch));
        assert_eq!(received.table.as_ref().unwrap().dense(), table);
    }

    proptest! {
        #[test]
        fn all_forms_say_the_same(bits in 0..18u32, hashes in prop::collection::vec(any::<u32>(), 0..600)) {
            let mut table = QrpTable::new(bits);
            hashes.iter().for_each(|hash| table.insert(WordHash(*hash)));
            for sparse in [Table::Few(Sparse::new(&table)), Table::Sparse(Sparse::new(&table))] {
                prop_assert_eq!(&sparse.dense(), &table);
                for hash in hashes.iter().chain(&[0, u32::MAX, 1 << 31, 0x1234_5678]) {
                    let word = WordHash(*hash);
                    prop_assert_eq!(sparse.contains(word), table.contains(word));
                }
            }
        }
    }

    #[test]
    fn a_query_is_tested_as_the_note_says() {
        let mut table = QrpTable::new(16);
        ["red", "green", "mp3"].iter().for_each(|word| table.insert(hash_of(word)));
        let sha1 = |seed: u8| {
            [seed, 200, 3, seed ^ 77, 90, 5, 120, 7, 8, 30, 10, 11, 12, 70, 14, 15, 16, 60, 18, 19]
        };
        table.insert(urn_hash(&sha1(7)));
        let table = Table::new(&table);
        let may =
            |text: &str, urn: &str| Wanted::of(&query(text, urn.as_bytes())).may_match(|w| table.contains(w));
        assert!(may("Red GREEN", "") && may("red.green-mp3", ""));
        assert!(!may("red white", ""), "one of two");
        assert!(may("red green white", "") && !may("red black white", ""), "two thirds of three");
        assert!(may("a b", ""), "only short words: sent");
        let (ours, other) = (Urn::Sha1(sha1(7)).to_string(), Urn::Sha1(sha1(8)).to_string());
        assert!(may("\\", &ours) && !may("", &other));
    }
}
