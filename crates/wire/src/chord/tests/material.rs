//! What messages are made of, at random or fixed, and one of each kind made of it.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::SocketAddr;

#[derive(Clone, Debug)]
pub(super) struct Material {
    pub(super) contacts: Vec<Contact>,
    pub(super) neighbours: Vec<Neighbour>,
    pub(super) rows: Vec<Row>,
    pub(super) nodes: Vec<TreeNode>,
    pub(super) ids: Vec<RingId>,
    pub(super) numbers: [u64; 4],
    pub(super) flag: bool,
    pub(super) text: Vec<u8>,
    pub(super) key: [u8; 32],
    pub(super) signature: [u8; 64],
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let v4 =
        (1u8..224, any::<[u8; 3]>(), 1u16..).prop_map(|(a, [b, c, d], port)| ([a, b, c, d], port).into());
    let v6 = (any::<[u16; 7]>(), 1u16..)
        .prop_map(|([b, c, d, e, f, g, h], port)| SocketAddr::from(([0x2001, b, c, d, e, f, g, h], port)));
    prop_oneof![v4, v6]
}

fn contact() -> impl Strategy<Value = Contact> {
    (address(), 0..MAX_VNODES, any::<u32>()).prop_map(|(address, vnode, at)| Contact::new(address, vnode, at))
}

fn id() -> impl Strategy<Value = RingId> {
    any::<[u8; 20]>().prop_map(RingId)
}

fn claim() -> impl Strategy<Value = Claim> {
    proptest::option::of((id(), any::<u32>()))
        .prop_map(|active| active.map_or(Claim::Inactive, |(low, epoch)| Claim::Active { low, epoch }))
}

fn row() -> impl Strategy<Value = Row> {
    (contact(), proptest::sample::select(Status::ALL)).prop_map(|(contact, status)| Row { contact, status })
}

fn node() -> impl Strategy<Value = TreeNode> {
    (id(), 0..=Prefix::MAX_LEVEL, any::<u32>(), any::<TreeHash>())
        .prop_map(|(key, level, count, hash)| TreeNode { prefix: Prefix::of(key, level), count, hash })
}

pub(super) fn material() -> impl Strategy<Value = Material> {
    let neighbour = (contact(), claim()).prop_map(|(contact, claim)| Neighbour { contact, claim });
    let lists = (vec(contact(), 1..16), vec(neighbour, 1..8), vec(row(), 0..16), vec(node(), 0..16));
    let values = (vec(id(), 1..8), any::<[u64; 4]>(), any::<bool>(), vec(any::<u8>(), 1..60));
    (lists, values, any::<[u8; 32]>(), vec(any::<u8>(), 64)).prop_map(|(lists, values, key, signature)| {
        let (contacts, neighbours, rows, nodes) = lists;
        let (ids, numbers, flag, text) = values;
        let signature = signature.try_into().unwrap();
        Material { contacts, neighbours, rows, nodes, ids, numbers, flag, text, key, signature }
    })
}

impl Material {
    pub(super) fn id(&self, at: usize) -> RingId {
        self.ids[at % self.ids.len()]
    }

    pub(super) fn contact(&self, at: usize) -> Contact {
        self.contacts[at % self.contacts.len()]
    }

    pub(super) fn claim(&self, at: usize) -> Claim {
        self.neighbours[at % self.neighbours.len()].claim
    }

    pub(super) fn record_id(&self, at: usize) -> RecordId {
        RecordId(self.key.map(|byte| byte.wrapping_add(at as u8)))
    }

    fn maybe<T>(&self, value: T) -> Option<T> {
        self.flag.then_some(value)
    }

    pub(super) fn view(&self) -> View<'_> {
        let [n, ..] = self.numbers;
        View {
            prdc: self.maybe(self.contact(1)),
            claim: self.claim(0),
            mode: Mode::ALL[n as usize % Mode::ALL.len()],
            mode_epoch: n as u32,
            r: n as u8,
            n_est: n,
            plist: (&self.neighbours).into(),
            skip: 3,
            total: 3 + self.contacts.len() as u8,
            list: (&self.contacts).into(),
        }
    }

    /// One of each kind of signed record and an immutable one.
    pub(super) fn records(&self, provider: &'_ [u8], posting: &'_ [u8]) -> Vec<(Vec<u8>, RecordId)> {
        let word = Term::new("wörd").unwrap();
        let terms = self.maybe(word).and_then(|word| Terms::pair(Term::new("abc").unwrap(), word));
        let subjects = [
            (Subject::Mutable { salt: &self.text }, self.text.as_slice()),
            (Subject::Entry { name: &self.text }, &self.text),
            (Subject::Provider { content: &self.key }, provider),
            (
                Subject::Posting {
                    terms: terms.unwrap_or(Terms::one(word)),
                    content: &self.key,
                    shard_bits: (self.numbers[0] % 9) as u8,
                },
                posting,
            ),
        ];
        let immutable = Record::Immutable(&self.text);
        let signed = subjects.into_iter().flat_map(|(subject, value)| {
            [Some(value), None].map(|value| {
                Record::Signed(Signed {
                    subject,
                    writer: &self.key,
                    seq: self.numbers[1],
                    ttl: 1 + (self.numbers[2] % u64::from(MAX_TTL)) as u32,
                    value,
                    signature: &self.signature,
                })
            })
        });
        std::iter::once(immutable).chain(signed).map(|record| (written(&record), record.id())).collect()
    }

    pub(super) fn provider(&self) -> Vec<u8> {
        let addresses: Vec<SocketAddr> =
            self.contacts.iter().take(4).map(|contact| contact.address).collect();
        let mut out = Vec::new();
        Provider {
            flags: ProviderFlags(self.numbers[0] as u8),
            addresses: (&addresses).into(),
            info_hash: self.maybe([7; 20]),
        }
        .encode(&mut out)
        .unwrap();
        out
    }

    pub(super) fn posting(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Posting {
            title: "The Wörd",
            tags: if self.flag { "abc\nmovie" } else { "" },
            size: self.numbers[3],
            medium: self.numbers[0] as u8,
            hashes: Hashes {
                info_hash: self.maybe([7; 20]),
                info_hash_v2: self.maybe([9; 32]),
                sha1: self.maybe([8; 20]),
                tiger: self.maybe([10; 24]),
                ft_hash: self.maybe([11; 20]),
            },
            source: if self.flag { v4(9).address } else { v6(9).address },
        }
        .encode(&mut out)
        .unwrap();
        out
    }
}

pub(super) fn written(record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out).unwrap();
    out
}
