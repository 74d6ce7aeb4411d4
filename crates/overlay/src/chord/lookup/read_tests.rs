//! What a read asks of nodes that the reader knows from an answer only.

use super::super::node::Node;
use super::super::{Chord, Command, Want};
use super::hostile_tests::{Bench, config, found, sent};
use crate::discovery::Ticket;
use std::collections::BTreeMap;
use std::time::Duration;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, StreamEnd, StreamId, StreamInput};
use throng_wire::chord::{
    Contacts, Datagram, Found, Got, Header, List, Message, Neighbour, Padding, RecordId, Summary,
    immutable_key,
};

/// A read that has been answered with the owner and the four after it, none of which the reader has ever measured.
struct Read {
    bench: Bench,
    hash: [u8; 32],
    set: Vec<Node>,
    outs: Vec<Out>,
}

impl Read {
    fn begin() -> Read {
        let mut bench = Bench::new(256, config());
        let near: Vec<Node> = bench.others().into_iter().take(20).chain([bench.me]).collect();
        let set_of = |owner: &Node| -> Vec<Node> {
            let others = bench.others();
            let at = others.iter().position(|node| node == owner).expect("it is another");
            (0..5).map(|by| others[(at + by) % others.len()]).collect()
        };
        let known: Vec<Endpoint> = bench.probe.machine.acquaintances();
        let chosen = (0..=255).find_map(|byte| {
            let owner = *bench.ring.owner(immutable_key(&[byte; 32]))?;
            let set = (!near.contains(&owner)).then(|| set_of(&owner))?;
            (!set.iter().any(|node| near.contains(node) || known.contains(&node.endpoint)))
                .then_some(([byte; 32], set))
        });
        let (hash, set) = chosen.expect("most are far");
        let outs = bench.probe.command(Command::Get(Ticket(1), Want::Immutable(hash)));
        let (_, _, asked) = bench.first_look(&outs);
        let right = Neighbour { contact: set[0].contact(), claim: bench.claim(&set[0]) };
        let (list, replicas) = (bench.after(&set[0], 7), bench.after(&set[0], 4));
        let answer = Found { pass: 99, replicas: Contacts::new(&replicas), ..found(&asked, right, &list) };
        let outs = bench.send(&set[0], 3, asked.token, Message::Found(answer));
        Read { bench, hash, set, outs }
    }

    /// Whom the datagrams sent ask, with their headers, and whether they are padded.
    fn asked(&self) -> BTreeMap<Endpoint, (Header, bool)> {
        let all = sent(&self.outs).into_iter();
        all.filter_map(|(to, _, bytes)| {
            let datagram = Datagram::decode(&bytes).ok()?;
            let Message::Get(get) = datagram.message else { return None };
            Some((to, (datagram.header, get.padding != Padding::NONE)))
        })
        .collect()
    }

    /// One of the set says that it has the value, and that it is too large for a datagram.
    fn has_large(&mut self, node: Node, header: &Header) -> Vec<Out> {
        let summary =
            Summary { key: immutable_key(&self.hash), id: RecordId(self.hash), seq: 0, hash: [0; 16] };
        let (records, large) = (List::default(), [summary]);
        let claim = self.bench.claim(&node);
        let got = Got {
            claim,
            count: 1,
            load: 0,
            shard_bits: 0,
            cache: 0,
            next: None,
            records,
            large: (&large).into(),
        };
        self.bench.send(&node, header.txid, 5, Message::Got(got))
    }
}

fn opened(outs: &[Out]) -> Vec<(StreamId, Endpoint)> {
    let opens = outs.iter().filter_map(|out| match out {
        Out::Open(stream, to) => Some((*stream, *to)),
        _ => None,
    });
    opens.collect()
}

#[test]
fn three_strangers_are_asked_at_once_without_being_challenged() {
    let read = Read::begin();
    let asked = read.asked();
    let of_set: Vec<Endpoint> = read.set.iter().map(|node| node.endpoint).collect();
    assert_eq!(asked.len(), 3, "one would be enough, which of them is near is unknown");
    assert!(asked.keys().all(|to| of_set.contains(to)));
    let (header, padded) = asked[&of_set[0]];
    assert_eq!((header.token, padded), (99, false), "the owner gave its token with its answer");
    assert!(
        asked
            .iter()
            .filter(|(to, _)| **to != of_set[0])
            .all(|(_, (header, padded))| header.token == 0 && *padded)
    );
}

#[test]
fn a_large_value_comes_from_one_holder_and_from_another_if_that_fails() {
    let mut read = Read::begin();
    let asked = read.asked();
    let holders: Vec<Node> =
        read.set.iter().copied().filter(|node| asked.contains_key(&node.endpoint)).collect();
    let first = opened(&read.has_large(holders[0], &asked[&holders[0].endpoint].0));
    assert_eq!(first.iter().map(|(_, to)| *to).collect::<Vec<_>>(), [holders[0].endpoint]);
    for holder in &holders[1..] {
        let outs = read.has_large(*holder, &asked[&holder.endpoint].0);
        assert_eq!(opened(&outs), [], "it is on its way");
    }
    let probe: &mut Probe<Chord> = &mut read.bench.probe;
    read.outs = probe.advance(Duration::from_secs(1));
    assert_eq!(read.asked().len(), 0, "nobody is asked for what is on its way");
    let probe: &mut Probe<Chord> = &mut read.bench.probe;
    read.outs = probe.stream(first[0].0, StreamInput::Closed(StreamEnd::Refused));
    let again = read.asked();
    assert_eq!(again.len(), 1, "another is asked");
    assert!(!again.contains_key(&holders[0].endpoint));
}
