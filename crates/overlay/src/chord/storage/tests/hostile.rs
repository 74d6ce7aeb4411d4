//! What strangers may send (section 5, rows 8 to 15): a node alone, which owns everything, and datagrams made by hand.

use crate::chord::storage::sign::{Draft, Signer};
use crate::chord::{Chord, Command, Config, Event, Host, PersistId, Start, Violation};
use std::sync::Arc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_machine::probe::{Out, Probe};
use throng_wire::chord::{
    self as wire, Digest, Flags, Get, Got, Header, Held, KindSet, Limit, Message, Outcome, Padding, Prefix,
    Provider, ProviderFlags, Pull, Put, PutAck, PutFlags, Record, RingId, Selector, Subject, TreeNode,
    entry_key,
};

struct Bench {
    probe: Probe<Chord>,
    token: u64,
}

const HOME: [u8; 4] = [10, 0, 0, 1];

fn stranger(n: u8) -> Endpoint {
    Endpoint::v4([8, 8, n, 1], 4_000)
}

impl Bench {
    fn new(config: Config) -> Bench {
        let host = Host { clock: 1_700_000_000, ..Host::at(Endpoint::v4(HOME, 6_881), 1) };
        let mut probe = Probe::new(Chord::new(Arc::new(config), &host));
        probe.command(Command::Start(Start::New));
        probe.advance(Duration::from_secs(1));
        Bench { probe, token: 0 }
    }

    /// Sends a message and returns the bytes that come back to the sender, after the disk has answered.
    fn send(&mut self, from: Endpoint, message: &Message<'_>) -> Vec<Vec<u8>> {
        let header = Header {
            net_id: 0,
            txid: 77,
            source: 0,
            destination: 0,
            flags: Flags::default(),
            incarnation: 1,
            token: self.token,
        };
        let mut bytes = Vec::new();
        wire::Datagram { header, message: *message }.encode(&mut bytes).unwrap();
        let mut outs = self.probe.datagram(from, &bytes);
        for event in self.probe.take_events() {
            if let Event::Persist(PersistId(id), _) = event {
                outs.extend(self.probe.command(Command::Persisted(PersistId(id), true)));
            }
        }
        let back = outs.into_iter().filter_map(|out| match out {
            Out::Send(to, bytes) if to == from => Some(bytes),
            Out::Send(to, _) => {
                assert_eq!(to, from, "nobody else is sent anything");
                None
            }
            _ => None,
        });
        back.collect()
    }

    /// Asks until the address is proved.
    fn prove(&mut self, from: Endpoint) {
        self.token = 0;
        let get = get(RingId::MIN);
        for bytes in self.send(from, &Message::Get(get)) {
            self.token = wire::Datagram::decode(&bytes).unwrap().header.token;
        }
        assert_ne!(self.token, 0);
    }

    fn put(&mut self, from: Endpoint, bodies: &[Box<[u8]>]) -> Vec<Outcome> {
        let records: Vec<Held<'_>> = bodies
            .iter()
            .map(|body| Held { remaining: 600, record: Record::decode(body).unwrap() })
            .collect();
        let put = Put { flags: PutFlags::default(), cas: None, records: (&records).into() };
        let answers = self.send(from, &Message::Put(put));
        let Some(answer) = answers.first() else { return Vec::new() };
        match wire::Datagram::decode(answer).unwrap().message {
            Message::PutAck(PutAck { results, .. }) => results.iter().map(|result| result.outcome).collect(),
            _ => Vec::new(),
        }
    }
}

fn get(key: RingId) -> Get<'static> {
    Get { key, kinds: KindSet::ALL, selector: Selector::All, limit: 50, cursor: 0, padding: Padding::NONE }
}

fn entry(who: u8, name: &str, value: &[u8], seq: u64) -> Box<[u8]> {
    let subject = Subject::Entry { name: name.as_bytes() };
    Signer::new(&[who; 32]).sign(&Draft { subject, seq, ttl: 3_600, value: Some(value) }).unwrap()
}

const NOW: u64 = 1_700_000_000_000;

#[test]
fn nothing_changes_before_an_address_is_proved_and_no_answer_to_it_is_three_times_as_long() {
    let mut bench = Bench::new(Config::default());
    let body = entry(1, "name", &[7; 900], NOW);
    assert_eq!(bench.put(stranger(1), std::slice::from_ref(&body)), []);
    assert_eq!(bench.probe.machine.store().records, 0);
    bench.prove(stranger(2));
    assert!(matches!(bench.put(stranger(2), &[body])[..], [Outcome::Stored { copies: 1, of: 1, .. }]));
    bench.token = 0;
    let answers = bench.send(stranger(3), &Message::Get(get(entry_key(b"name"))));
    let bytes: usize = answers.iter().map(Vec::len).sum();
    assert!(bytes <= 3 * 70, "{bytes} bytes to an address that proved nothing");
    let padded = Get { padding: Padding::of(Padding::MOST), ..get(entry_key(b"name")) };
    let answers = bench.send(stranger(3), &Message::Get(padded));
    let (bytes, got) = (answers[0].len(), wire::Datagram::decode(&answers[0]).unwrap().message);
    assert!(matches!(got, Message::Got(got) if got.records.len() == 1), "{got:?}");
    assert!(answers.len() == 1 && bytes <= 3 * (70 + usize::from(Padding::MOST)), "{bytes} bytes");
}

#[test]
fn a_token_is_good_for_its_address_only() {
    let mut bench = Bench::new(Config::default());
    bench.prove(stranger(1));
    assert_eq!(bench.put(stranger(2), &[entry(1, "name", b"value", NOW)]), []);
    assert_eq!(bench.probe.machine.store().records, 0);
}

#[test]
fn what_is_forged_old_late_or_somebody_elses_is_refused_and_counted() {
    let config = Config { id_rule: throng_wire::chord::IdRule::Prefix, ..Config::default() };
    let mut bench = Bench::new(config);
    bench.prove(stranger(1));
    let mut forged = entry(1, "name", b"value", NOW);
    let last = forged.len() - 66;
    forged[last] ^= 1;
    let refused = |limit| Outcome::Refused { limit, retry_after: 0 };
    assert_eq!(bench.put(stranger(1), &[forged]), [refused(Limit::Signature)]);
    assert_eq!(bench.probe.machine.violations().of(Violation::BadRecord), 1);
    assert_eq!(bench.put(stranger(1), &[entry(1, "name", b"v", NOW + 3_600_000)]), [refused(Limit::Future)]);
    bench.put(stranger(1), &[entry(1, "name", b"new", NOW)]);
    let old = bench.put(stranger(1), &[entry(1, "name", b"old", NOW - 5)]);
    assert_eq!(old, [Outcome::Conflict { seq: NOW }]);
    // A provider record that names a victim's address.
    let mut value = Vec::new();
    let victim = [Endpoint::v4([9, 9, 9, 9], 80).socket_addr()];
    let provider =
        Provider { flags: ProviderFlags::COMPLETE, addresses: (&victim[..]).into(), info_hash: None };
    provider.encode(&mut value).unwrap();
    let subject = Subject::Provider { content: &[3; 32] };
    let draft = Draft { subject, seq: NOW / 1_000, ttl: 3_600, value: Some(&value) };
    let body = Signer::new(&[1; 32]).sign(&draft).unwrap();
    assert_eq!(bench.put(stranger(1), &[body]), [refused(Limit::Source)]);
    assert_eq!(bench.probe.machine.store().records, 1);
}

#[test]
fn one_address_may_put_a_hundred_at_once_and_then_twenty_a_second() {
    let mut bench = Bench::new(Config::default());
    bench.prove(stranger(1));
    let mut stored = 0;
    for n in 0..300 {
        let outcome = bench.put(stranger(1), &[entry(1, &n.to_string(), b"value", NOW)]);
        stored += usize::from(matches!(outcome[..], [Outcome::Stored { .. }]));
    }
    assert_eq!(stored, 100);
    bench.probe.advance(Duration::from_secs(1));
    let outcome = bench.put(stranger(1), &[entry(1, "later", b"value", NOW)]);
    assert!(matches!(outcome[..], [Outcome::Stored { .. }]));
}

#[test]
fn a_flood_at_one_key_is_told_to_go_elsewhere_and_other_keys_are_served() {
    let mut bench = Bench::new(Config::default());
    bench.prove(stranger(1));
    bench.put(stranger(1), &[entry(1, "hot", b"value", NOW), entry(1, "cold", b"value", NOW)]);
    let is_got = |answers: &[Vec<u8>]| {
        answers.iter().any(|bytes| match wire::Datagram::decode(bytes).unwrap().message {
            Message::Got(Got { count, .. }) => count == 1,
            _ => false,
        })
    };
    let mut served = 0;
    for source in 0..50u8 {
        bench.prove(stranger(source));
        for _ in 0..100 {
            let answers = bench.send(stranger(source), &Message::Get(get(entry_key(b"hot"))));
            served += usize::from(is_got(&answers));
        }
    }
    assert!(served <= 201, "{served} of 5,000 in one second");
    bench.prove(stranger(99));
    assert!(is_got(&bench.send(stranger(99), &Message::Get(get(entry_key(b"cold"))))));
}

#[test]
fn a_hot_answer_may_be_kept_by_its_readers() {
    let mut bench = Bench::new(Config::default());
    bench.prove(stranger(1));
    bench.put(stranger(1), &[entry(1, "hot", b"value", NOW)]);
    let mut caches = Vec::new();
    for _ in 0..20 {
        for bytes in bench.send(stranger(1), &Message::Get(get(entry_key(b"hot")))) {
            if let Message::Got(got) = wire::Datagram::decode(&bytes).unwrap().message {
                caches.push(got.cache);
            }
        }
    }
    assert_eq!((caches.first(), caches.last()), (Some(&0), Some(&60)));
}

#[test]
fn comparisons_by_strangers_are_rare_and_their_answers_fit_a_datagram() {
    let mut bench = Bench::new(Config::default());
    for who in 0..40 {
        bench.prove(stranger(who));
        for n in 0..30 {
            bench.put(stranger(who), &[entry(who, &format!("{who} {n}"), b"value", NOW)]);
        }
    }
    assert_eq!(bench.probe.machine.store().records, 1_200);
    bench.prove(stranger(200));
    let node = TreeNode { prefix: Prefix::ROOT, count: 0, hash: [0; 16] };
    let nodes = [node; 8];
    let digest = Digest { low: RingId::MIN, high: RingId::MIN, skip: 0, nodes: (&nodes[..]).into() };
    let mut told = 0;
    for _ in 0..200 {
        for bytes in bench.send(stranger(200), &Message::Digest(digest)) {
            assert!(bytes.len() <= wire::MAX_DATAGRAM);
            told +=
                usize::from(matches!(wire::Datagram::decode(&bytes).unwrap().message, Message::DigestAck(_)));
        }
    }
    assert!((1..=25).contains(&told), "{told}");
    let pull = Pull { low: RingId::MIN, high: RingId::MIN, after: None, ids: Default::default() };
    bench.send(stranger(200), &Message::Pull(pull));
}

#[test]
fn only_the_owner_of_a_word_says_what_lies_at_other_shards() {
    let mut bench = Bench::new(Config::default());
    bench.prove(stranger(1));
    let terms = wire::Terms::one(wire::Term::new("word").unwrap());
    let subject = Subject::Posting { terms, content: &[1; 32], shard_bits: 0 };
    let (title, source) = ("a word", stranger(1).socket_addr());
    let posting = wire::Posting { title, tags: "", size: 1, medium: 0, hashes: Default::default(), source };
    let mut value = Vec::new();
    posting.encode(&mut value).unwrap();
    let draft = Draft { subject, seq: NOW / 1_000, ttl: 3_600, value: Some(&value) };
    let body = Signer::new(&[1; 32]).sign(&draft).unwrap();
    assert!(matches!(bench.put(stranger(1), std::slice::from_ref(&body))[..], [Outcome::Stored { .. }]));
    let records = [Held { remaining: 600, record: Record::decode(&body).unwrap() }];
    let claim = wire::Claim::Active { low: RingId::MIN, epoch: 9 };
    let moved = wire::Replicate { claim, flags: PutFlags::MOVED, records: (&records).into() };
    let answers = bench.send(stranger(1), &Message::Replicate(moved));
    let told = wire::Datagram::decode(&answers[0]).unwrap().message;
    assert!(
        matches!(told, Message::PutAck(ack) if ack.results.iter().all(|r| r.outcome == Outcome::NotMine))
    );
    assert_eq!(bench.probe.machine.store().records, 1);
}

#[test]
fn what_is_on_the_disk_comes_back_and_what_has_rotted_does_not() {
    let mut bench = Bench::new(Config::default());
    let good = entry(1, "good", b"value", NOW);
    let mut rotten = entry(1, "rotten", b"value", NOW);
    let at = rotten.len() - 66;
    rotten[at] ^= 4;
    bench.probe.command(Command::Restore { record: good.to_vec(), remaining: 60 });
    bench.probe.command(Command::Restore { record: rotten.to_vec(), remaining: 60 });
    bench.probe.command(Command::Restore { record: vec![1, 2, 3], remaining: 60 });
    assert_eq!(bench.probe.machine.store().records, 1);
    assert!(bench.probe.take_events().iter().all(|event| !matches!(event, Event::Persist(..))));
    bench.probe.advance(Duration::from_secs(61));
    assert_eq!(bench.probe.machine.store().records, 0, "it has no more life than it had");
}
