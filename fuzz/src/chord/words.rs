//! What messages are made of: a few nodes, keys and records, so that what is said fits together now and then.

use super::world::{World, home};
use crate::input::Input;
use ed25519_dalek::{Signer as _, SigningKey};
use throng_machine::Endpoint;
use throng_wire::chord::*;

/// Peers there are.
const PEERS: usize = 10;

/// One of the peers.
pub(super) fn peer(input: &mut Input<'_>) -> Endpoint {
    peer_at(input.below(PEERS))
}

fn peer_at(index: usize) -> Endpoint {
    match index {
        0..8 => Endpoint::v4([10, index as u8, 0, 1], 4000),
        index => Endpoint::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, index as u16].into(), 4000),
    }
}

/// Whose records are good.
fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// The public half.
pub(super) fn writer() -> [u8; 32] {
    key().verifying_key().to_bytes()
}

/// A position near one of the nodes, or anywhere.
pub(super) fn small_id(input: &mut Input<'_>) -> RingId {
    let near = RingId::of(peer_at(input.below(PEERS)).socket_addr(), 0);
    match input.below(6) {
        0 => near.add_pow(0),
        1 => near.minus(RingId::power(0)),
        2 => RingId([input.byte(); 20]),
        3 => RingId::of(home().socket_addr(), input.byte() % 2),
        _ => near,
    }
}

/// The header of what a peer says.
pub(super) fn header(input: &mut Input<'_>, token: u64) -> Header {
    let unusual = input.one_in(8);
    Header {
        net_id: u32::from(unusual && input.one_in(4)),
        txid: u64::from(input.byte()) + 1,
        source: if unusual { input.byte() % MAX_VNODES } else { 0 },
        destination: if unusual { input.byte() % 4 } else { 0 },
        flags: if unusual { Flags(u16::from(input.byte() % 4)) } else { Flags(0) },
        incarnation: if unusual { u32::from(input.byte() % 4) } else { 1 },
        token,
    }
}

pub(super) struct Words {
    pub(super) contacts: Vec<Contact>,
    pub(super) neighbours: Vec<Neighbour>,
    pub(super) rows: Vec<Row>,
    pub(super) changes: Vec<Change>,
    pub(super) nodes: Vec<TreeNode>,
    pub(super) ids: Vec<RecordId>,
    pub(super) summaries: Vec<Summary>,
    pub(super) results: Vec<PutResult>,
    pub(super) records: Vec<Vec<u8>>,
    pub(super) keys: [RingId; 3],
    pub(super) claim: Claim,
    pub(super) number: u64,
    pub(super) flag: bool,
    /// Seconds since 1970 as the machine has it.
    clock: u64,
}

impl Words {
    pub(super) fn new(world: &World, input: &mut Input<'_>) -> Words {
        let mut contacts: Vec<Contact> = (0..1 + input.below(6)).map(|_| contact(input)).collect();
        if input.one_in(2) {
            // As honest lists are: in ring order from somewhere.
            let from = small_id(input);
            contacts.sort_by_key(|contact| dist(from, RingId::of(contact.address, contact.vnode)));
        }
        let mut words = Words {
            neighbours: contacts.iter().map(|it| Neighbour { contact: *it, claim: claim(input) }).collect(),
            rows: contacts.iter().map(|it| Row { contact: *it, status: pick(Status::ALL, input) }).collect(),
            changes: Vec::new(),
            nodes: (0..input.below(4)).map(|_| node(input)).collect(),
            ids: Vec::new(),
            summaries: Vec::new(),
            results: (0..1 + input.below(3)).map(|_| result(input)).collect(),
            records: Vec::new(),
            keys: [small_id(input), small_id(input), small_id(input)],
            claim: claim(input),
            number: u64::from(input.byte()),
            flag: input.one_in(2),
            clock: world.clock(),
            contacts,
        };
        let (alive, ttl) = (!input.one_in(3), input.byte() % 20);
        words.changes = words.contacts.iter().map(|it| Change { contact: *it, alive, ttl }).collect();
        words.records = (0..input.below(3)).map(|_| words.record(input)).collect();
        let summary = |held: Held<'_>| Summary {
            key: held.record.ring_key(),
            id: held.record.id(),
            seq: held.record.seq(),
            hash: [0; 16],
        };
        words.summaries = words.held().into_iter().map(summary).collect();
        words.ids = words.summaries.iter().map(|summary| summary.id).collect();
        words
    }

    pub(super) fn maybe<T>(&self, value: T) -> Option<T> {
        self.flag.then_some(value)
    }

    pub(super) fn held(&self) -> Vec<Held<'_>> {
        let remaining = if self.flag { u32::MAX } else { self.number as u32 };
        self.records
            .iter()
            .filter_map(|bytes| Record::decode(bytes).ok())
            .map(|record| Held { remaining, record })
            .collect()
    }

    /// A record, mostly with a good signature.
    pub(super) fn record(&self, input: &mut Input<'_>) -> Vec<u8> {
        let (kind, name, text) = (input.below(8), [b'a' + input.byte() % 4; 3], [input.byte(); 40]);
        let content = [input.byte() % 4; 32];
        let mut value = text.to_vec();
        let term = Term::new(["alpha", "beta"][input.below(2)]).expect("a word");
        let subject = match kind {
            0 | 1 => Subject::Entry { name: &name },
            2 => Subject::Mutable { salt: &name },
            3 | 4 => {
                value.clear();
                let addresses = [peer(input).socket_addr()];
                let provider = Provider {
                    flags: ProviderFlags(input.byte() % 4),
                    addresses: (&addresses).into(),
                    info_hash: None,
                };
                provider.encode(&mut value).expect("it fits");
                Subject::Provider { content: &content }
            }
            5 | 6 => {
                value.clear();
                let title = ["Alpha beta", "beta GAMMA"][input.below(2)];
                let sha1 = input.one_in(2).then_some([3; 20]);
                let hashes = Hashes { sha1, ..Hashes::default() };
                let source = peer(input).socket_addr();
                let posting = Posting { title, tags: "x", size: 9, medium: 0, hashes, source };
                posting.encode(&mut value).expect("it fits");
                Subject::Posting { terms: Terms::one(term), content: &content, shard_bits: input.byte() % 9 }
            }
            _ => return written(Record::Immutable(&text[..input.below(40)])),
        };
        let seq = match kind {
            0..3 => u64::from(input.byte()),
            _ => self.clock.saturating_add(u64::from(input.u16())).saturating_sub(1_000),
        };
        let value = (!input.one_in(6)).then_some(value.as_slice());
        let (writer, ttl) = (writer(), 1 + input.u32() % MAX_TTL);
        let unsigned = Signed { subject, writer: &writer, seq, ttl, value, signature: &[0; 64] };
        let mut signature = key().sign(&unsigned.signed_bytes()).to_bytes();
        if input.one_in(8) {
            signature[0] ^= 1;
        }
        written(Record::Signed(Signed { signature: &signature, ..unsigned }))
    }
}

fn written(record: Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out).expect("it fits");
    out
}

pub(super) fn pick<T: Copy>(all: &[T], input: &mut Input<'_>) -> T {
    all[input.below(all.len())]
}

fn contact(input: &mut Input<'_>) -> Contact {
    let address = if input.one_in(12) { home() } else { peer(input) }.socket_addr();
    let (vnode, incarnation) = if input.one_in(6) { (input.byte() % 3, input.byte() % 4) } else { (0, 1) };
    Contact::new(address, vnode, u32::from(incarnation))
}

fn claim(input: &mut Input<'_>) -> Claim {
    if input.one_in(3) {
        return Claim::Inactive;
    }
    Claim::Active { low: small_id(input), epoch: u32::from(input.byte()) }
}

fn node(input: &mut Input<'_>) -> TreeNode {
    let level = [0, 1, 2, 40][input.below(4)];
    TreeNode {
        prefix: Prefix::of(small_id(input), level),
        count: u32::from(input.byte()),
        hash: [input.byte() % 2; 16],
    }
}

fn result(input: &mut Input<'_>) -> PutResult {
    let outcome = match input.below(8) {
        0 => Outcome::Conflict { seq: u64::from(input.byte()) },
        1 => Outcome::Refused { limit: pick(Limit::ALL, input), retry_after: u32::from(input.byte()) },
        2 => Outcome::NeedBody,
        3 => Outcome::NotMine,
        _ => Outcome::Stored { copies: input.byte() % 8, of: input.byte() % 8, durable: input.one_in(2) },
    };
    PutResult { outcome, count: input.u32(), shard_bits: input.byte() % 12 }
}
