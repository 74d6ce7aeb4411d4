//! One member of a calm ring of 64 among peers that lie, repeat, flood and reflect.

use super::super::bulk::{RoundTrips, StableRing};
use super::super::config::{Config, Host};
use super::super::node::Node;
use super::super::{Chord, Command, Event, LookupConfig, LookupMode, Violation};
use super::testkit::random_id;
use std::sync::Arc;
use std::time::Duration;
use throng_machine::probe::{Out, Probe};
use throng_machine::{Endpoint, Entropy, Instant, SplitMix64};
use throng_wire::chord::{
    Change, Claim, Contact, Contacts, Datagram, Events, Flags, Found, GetTable, Header, List, Look, LookAck,
    LookFlags, Message, Neighbour, Prefix, Purpose, RingId, TableDigest, TreeNode, Verdict, dist,
};

pub(super) struct Bench {
    pub(super) probe: Probe<Chord>,
    pub(super) ring: StableRing,
    pub(super) me: Node,
    /// Tokens that the member gave, by endpoint.
    tokens: Vec<(Endpoint, u64)>,
}

fn endpoint(number: u32) -> Endpoint {
    let [_, a, b, c] = (number + 1).to_be_bytes();
    Endpoint::v4([10, a, b, c], 4000)
}

pub(super) fn config() -> Config {
    Config { vnodes: 1, successors: Some(8), ..Config::default() }
}

/// What the member sent: to whom, and the message's kind and header.
pub(super) fn sent(outs: &[Out]) -> Vec<(Endpoint, u8, Vec<u8>)> {
    let sends = outs.iter().filter_map(|out| match out {
        Out::Send(to, bytes) => Some((*to, bytes[3], bytes.clone())),
        _ => None,
    });
    sends.collect()
}

fn kinds(outs: &[Out]) -> Vec<&'static str> {
    sent(outs)
        .iter()
        .map(|(_, _, bytes)| {
            Datagram::decode(bytes).map_or("undecodable", |datagram| datagram.message.name())
        })
        .collect()
}

impl Bench {
    pub(super) fn new(size: u32, config: Config) -> Bench {
        let config = Arc::new(config);
        let ring = StableRing::new(&config, (0..size).map(endpoint), 1)
            .measured(RoundTrips::Same(Duration::from_millis(40)));
        let machine = Chord::bulk(config, &Host::at(endpoint(0), 1), &ring, Instant::EPOCH);
        let me = machine.view(0).expect("it has a node").me;
        Bench { probe: Probe::new(machine), ring, me, tokens: Vec::new() }
    }

    pub(super) fn others(&self) -> Vec<Node> {
        let at = self.ring.nodes().iter().position(|node| *node == self.me).expect("it is a member");
        let nodes = self.ring.nodes();
        (1..nodes.len()).map(|by| nodes[(at + by) % nodes.len()]).collect()
    }

    pub(super) fn send(&mut self, from: &Node, txid: u64, token: u64, message: Message<'_>) -> Vec<Out> {
        let header = Header {
            net_id: 0,
            txid,
            source: from.vnode,
            destination: 0,
            flags: Flags::default(),
            incarnation: from.incarnation,
            token,
        };
        let mut bytes = Vec::new();
        Datagram { header, message }.encode(&mut bytes).expect("it has an encoding");
        self.probe.datagram(from.endpoint, &bytes)
    }

    /// Sends a request as one who has proved its address.
    fn ask(&mut self, from: &Node, txid: u64, message: Message<'_>) -> Vec<Out> {
        let known = self.tokens.iter().find(|(of, _)| *of == from.endpoint).map(|(_, token)| *token);
        let token = known.unwrap_or_else(|| {
            let outs = self.send(from, 1, 0, Message::Look(look(from, from.id, 1)));
            let (_, _, bytes) = sent(&outs).into_iter().next().expect("it is challenged");
            let token = Datagram::decode(&bytes).expect("it decodes").header.token;
            self.tokens.push((from.endpoint, token));
            token
        });
        self.send(from, txid, token, message)
    }

    fn violations(&self, violation: Violation) -> u32 {
        self.probe.machine.violations().of(violation)
    }

    /// Begins a lookup and returns its Look as the first hop gets it, with its transaction.
    fn begin(&mut self, key: RingId) -> (Endpoint, u64, Look) {
        let outs = self.probe.command(Command::Measure { number: 1, key, mode: LookupMode::Recursive });
        self.first_look(&outs)
    }

    pub(super) fn first_look(&self, outs: &[Out]) -> (Endpoint, u64, Look) {
        let looks = sent(outs).into_iter().filter_map(|(to, _, bytes)| {
            let datagram = Datagram::decode(&bytes).ok()?;
            let Message::Look(look) = datagram.message else { return None };
            Some((to, datagram.header.txid, look))
        });
        looks.into_iter().next().expect("a look is sent")
    }

    fn answered(&mut self) -> Option<Option<Node>> {
        let events = self.probe.take_events();
        events.into_iter().find_map(|event| match event {
            Event::Measured { measured, .. } => Some(measured.map(|measured| measured.owner)),
            _ => None,
        })
    }

    /// A key that the member neither owns nor finds in its list, and the place of its owner.
    fn far_key(&self) -> (RingId, Node) {
        let owner = self.others()[40];
        (owner.id.minus(RingId::power(3)), owner)
    }

    pub(super) fn claim(&self, node: &Node) -> Claim {
        let nodes = self.ring.nodes();
        let at = nodes.iter().position(|other| other == node).expect("it is a member");
        Claim::Active { low: nodes[(at + nodes.len() - 1) % nodes.len()].id, epoch: 1 }
    }

    pub(super) fn after(&self, node: &Node, count: usize) -> Vec<Contact> {
        let nodes = self.ring.nodes();
        let at = nodes.iter().position(|other| other == node).expect("it is a member");
        (1..=count).map(|by| nodes[(at + by) % nodes.len()].contact()).collect()
    }
}

fn look(initiator: &Node, key: RingId, lookup: u64) -> Look {
    Look {
        lookup,
        key,
        purpose: Purpose::Key,
        flags: LookFlags::default(),
        ttl: 20,
        back: 0,
        path: 1,
        timeouts: 0,
        initiator: initiator.contact(),
        token: 77,
        reply_via: None,
    }
}

pub(super) fn found<'a>(look: &Look, owner: Neighbour, list: &'a [Contact]) -> Found<'a> {
    let replicas = Contacts::default();
    let list = Contacts::new(list);
    Found {
        lookup: look.lookup,
        owner,
        prdc: None,
        path: 3,
        timeouts: 0,
        n_est: 64,
        initiator: None,
        pass: 0,
        replicas,
        list,
    }
}

#[test]
fn a_lookup_without_proof_of_its_source_is_challenged_with_less_than_it_took() {
    let mut bench = Bench::new(64, config());
    let stranger = bench.others()[20];
    let (key, _) = bench.far_key();
    let outs = bench.send(&stranger, 5, 0, Message::Look(look(&stranger, key, 9)));
    let answers = sent(&outs);
    assert_eq!(kinds(&outs), ["Challenge"]);
    assert!(answers[0].2.len() <= 87, "{}", answers[0].2.len());
    assert_eq!(bench.violations(Violation::Unproved), 1);
}

#[test]
fn a_lookup_is_acknowledged_and_passed_on_once_however_often_it_comes() {
    let mut bench = Bench::new(64, config());
    let from = bench.others()[20];
    let (key, _) = bench.far_key();
    let outs = bench.ask(&from, 5, Message::Look(look(&from, key, 9)));
    assert_eq!(kinds(&outs), ["LookAck", "Look"]);
    for txid in 6..30 {
        let outs = bench.ask(&from, txid, Message::Look(look(&from, key, 9)));
        assert_eq!(kinds(&outs), ["LookAck"]);
    }
    assert_eq!(bench.probe.machine.lookups().duplicates, 24);
}

#[test]
fn a_lookup_for_our_own_key_is_answered_straight_with_at_most_three_times_its_size() {
    let mut bench = Bench::new(64, config());
    let (from, victim) = (bench.others()[20], bench.others()[50]);
    let mut asked = 0;
    let mut outs = Vec::new();
    for lookup in 0..200 {
        let message = Look { flags: LookFlags::DIRECT, ..look(&victim, bench.me.id, lookup) };
        asked += 87;
        outs.extend(bench.ask(&from, lookup, Message::Look(message)));
    }
    let to_victim: Vec<usize> = sent(&outs)
        .iter()
        .filter(|(to, ..)| *to == victim.endpoint)
        .map(|(_, _, bytes)| bytes.len())
        .collect();
    assert!(to_victim.iter().all(|len| *len <= 3 * 87), "{to_victim:?}");
    assert_eq!(to_victim.len(), 50, "answers to third addresses are limited");
    assert!(to_victim.iter().sum::<usize>() <= asked * 3);
}

#[test]
fn a_lookup_out_of_hops_goes_no_further() {
    let mut bench = Bench::new(64, config());
    let from = bench.others()[20];
    let (key, _) = bench.far_key();
    let outs = bench.ask(&from, 5, Message::Look(Look { ttl: 0, ..look(&from, key, 9) }));
    assert_eq!(kinds(&outs), ["LookAck"]);
    assert_eq!(bench.probe.machine.lookups().dropped, 1);
    let outs = bench.ask(&from, 6, Message::Look(Look { ttl: 65, ..look(&from, key, 10) }));
    assert_eq!(kinds(&outs), [""; 0]);
    assert_eq!(bench.violations(Violation::Impossible), 1);
}

#[test]
fn a_hop_that_leads_away_from_the_key_is_refused() {
    let mut bench = Bench::new(64, config());
    let (from, initiator) = (bench.others()[20], bench.others()[9]);
    // Just after the sender's successor: we are farther from it, going round, than the sender is.
    let key = bench.others()[22].id;
    assert!(dist(from.id, key) < dist(bench.me.id, key));
    let outs = bench.ask(&from, 5, Message::Look(Look { path: 4, ..look(&initiator, key, 9) }));
    assert_eq!(kinds(&outs), [""; 0]);
    assert_eq!(bench.violations(Violation::Impossible), 1);
}

#[test]
fn one_source_cannot_take_all_the_room_for_lookups() {
    let lookup = LookupConfig { passing: 40, ..LookupConfig::default() };
    let mut bench = Bench::new(64, Config { lookup, ..config() });
    let (greedy, other) = (bench.others()[20], bench.others()[30]);
    let (mut rng, mut busy) = (SplitMix64::new(1), 0);
    for lookup in 100..200 {
        let outs = bench.ask(&greedy, lookup, Message::Look(look(&greedy, random_id(&mut rng), lookup)));
        busy += sent(&outs).iter().filter(|(_, _, bytes)| is_busy(bytes)).count();
    }
    assert!(busy > 50, "{busy}");
    let (key, _) = bench.far_key();
    let outs = bench.ask(&other, 5, Message::Look(look(&other, key, 9)));
    assert_eq!(kinds(&outs), ["LookAck", "Look"], "others are served");
}

fn is_busy(bytes: &[u8]) -> bool {
    let datagram = Datagram::decode(bytes).expect("ours decode");
    matches!(datagram.message, Message::LookAck(LookAck { verdict: Verdict::Busy, .. }))
}

#[test]
fn only_the_owner_itself_is_believed_and_only_with_the_secret_of_the_lookup() {
    let mut bench = Bench::new(64, config());
    let (key, owner) = bench.far_key();
    let (_, _, asked) = bench.begin(key);
    let neighbour = Neighbour { contact: owner.contact(), claim: bench.claim(&owner) };
    let list = bench.after(&owner, 7);
    let answer = found(&asked, neighbour, &list);
    let liar = bench.others()[33];
    bench.send(&owner, 3, asked.token ^ 1, Message::Found(answer));
    bench.send(&liar, 3, asked.token, Message::Found(answer));
    bench.send(&owner, 3, asked.token, Message::Found(Found { lookup: asked.lookup ^ 1, ..answer }));
    assert_eq!(bench.answered(), None);
    assert_eq!(bench.violations(Violation::Unasked), 3);
    bench.send(&owner, 3, asked.token, Message::Found(answer));
    assert_eq!(bench.answered(), Some(Some(owner)));
    bench.send(&owner, 3, asked.token, Message::Found(answer));
    assert_eq!(bench.answered(), None, "once");
}

#[test]
fn an_owner_that_does_not_claim_the_key_or_names_its_followers_out_of_order_is_not_believed() {
    let mut bench = Bench::new(64, config());
    let (key, owner) = bench.far_key();
    let (_, _, asked) = bench.begin(key);
    let mut list = bench.after(&owner, 7);
    let right = Neighbour { contact: owner.contact(), claim: bench.claim(&owner) };
    let above = Claim::Active { low: key, epoch: 1 };
    for claim in [Claim::Inactive, above] {
        let answer = found(&asked, Neighbour { claim, ..right }, &list);
        bench.send(&owner, 3, asked.token, Message::Found(answer));
    }
    list.swap(1, 4);
    bench.send(&owner, 3, asked.token, Message::Found(found(&asked, right, &list)));
    list[1] = owner.contact();
    bench.send(&owner, 3, asked.token, Message::Found(found(&asked, right, &list)));
    assert_eq!(bench.answered(), None);
    assert_eq!(bench.violations(Violation::Impossible), 4);
}

#[test]
fn an_answer_whose_followers_lie_too_far_apart_is_checked_along_other_paths_and_the_closest_owner_counts() {
    let mut bench = Bench::new(256, config());
    let (key, owner) = bench.far_key();
    let (_, _, asked) = bench.begin(key);
    // A colluder far behind the key claims it, and names only others of its kind.
    let others = bench.others();
    let colluders: Vec<Node> = (0..8).map(|at| others[60 + at * 15]).collect();
    let low = key.minus(RingId::power(100));
    let liar = Neighbour { contact: colluders[0].contact(), claim: Claim::Active { low, epoch: 1 } };
    let list: Vec<Contact> = colluders[1..].iter().map(Node::contact).collect();
    let outs = bench.send(&colluders[0], 3, asked.token, Message::Found(found(&asked, liar, &list)));
    assert_eq!(bench.answered(), None);
    let questions: Vec<(Endpoint, u64)> = sent(&outs)
        .iter()
        .filter_map(|(to, _, bytes)| {
            let datagram = Datagram::decode(bytes).ok()?;
            let Message::Look(look) = datagram.message else { return None };
            look.flags.has(LookFlags::ITERATIVE).then_some((*to, datagram.header.txid))
        })
        .collect();
    assert_eq!(questions.len(), 3, "three disjoint paths");
    let mut hosts: Vec<Endpoint> = questions.iter().map(|(to, _)| *to).collect();
    hosts.dedup();
    assert_eq!(hosts.len(), 3);
    // One path leads to the owner, the others are silent.
    let node =
        |endpoint: Endpoint| others.iter().find(|node| node.endpoint == endpoint).copied().expect("known");
    let next = [owner.contact()];
    let ack = LookAck { lookup: 0, verdict: Verdict::Next, next: Contacts::new(&next) };
    let outs = bench.send(&node(questions[1].0), questions[1].1, 0, Message::LookAck(ack));
    let (to, txid, _) = bench.first_look(&outs);
    assert_eq!(to, owner.endpoint);
    let right = Neighbour { contact: owner.contact(), claim: bench.claim(&owner) };
    let list = bench.after(&owner, 7);
    bench.send(&owner, txid, 0, Message::Found(found(&asked, right, &list)));
    assert_eq!(bench.answered(), None, "the other paths are waited for");
    bench.probe.advance(Duration::from_secs(8));
    assert_eq!(bench.answered(), Some(Some(owner)));
}

#[test]
fn an_answer_goes_back_through_the_first_hop_only_to_whoever_asked_it() {
    let mut bench = Bench::new(64, config());
    let (from, victim, owner) = (bench.others()[20], bench.others()[9], bench.others()[40]);
    let (key, _) = bench.far_key();
    let via = Some(bench.me.contact());
    bench.ask(&from, 5, Message::Look(Look { reply_via: via, ..look(&from, key, 9) }));
    let neighbour = Neighbour { contact: owner.contact(), claim: bench.claim(&owner) };
    let answer = found(&look(&from, key, 9), neighbour, &[]);
    let to_victim = Found { initiator: Some(victim.contact()), ..answer };
    assert_eq!(sent(&bench.send(&owner, 3, 77, Message::Found(to_victim))), []);
    let back = Found { initiator: Some(from.contact()), ..answer };
    let outs = bench.send(&owner, 3, 77, Message::Found(back));
    let answers = sent(&outs);
    assert_eq!((answers.len(), answers[0].0), (1, from.endpoint));
    assert_eq!(Datagram::decode(&answers[0].2).map(|datagram| datagram.header.token), Ok(77));
    assert_eq!(sent(&bench.send(&owner, 3, 77, Message::Found(back))), [], "once");
}

#[test]
fn an_owner_gives_its_token_only_where_nobody_stands_between() {
    let mut bench = Bench::new(64, config());
    let (from, hop, key) = (bench.others()[20], bench.others()[9], bench.me.id);
    let direct = |look: Look| Message::Look(Look { flags: LookFlags::DIRECT, ..look });
    let pass = |outs: &[Out], to: Endpoint| {
        let found = sent(outs).into_iter().find(|(at, kind, _)| *at == to && *kind == 0x22);
        let (_, _, bytes) = found.expect("the owner answers");
        match Datagram::decode(&bytes).expect("it decodes").message {
            Message::Found(found) => found.pass,
            _ => unreachable!("it is a Found"),
        }
    };
    let straight = bench.ask(&hop, 5, direct(look(&from, key, 9)));
    let given = pass(&straight, from.endpoint);
    let through = look(&from, key, 10);
    let through = bench.ask(&hop, 6, direct(Look { reply_via: Some(hop.contact()), ..through }));
    assert_eq!(pass(&through, hop.endpoint), 0, "the hop could ask in the initiator's name");
    let asked = Message::Look(look(&from, key, 11));
    let challenged = |outs: Vec<Out>| kinds(&outs).contains(&"Challenge");
    assert!(challenged(bench.send(&from, 7, 0, asked)));
    assert!(!challenged(bench.send(&from, 8, given, asked)));
    assert!(challenged(bench.send(&hop, 8, given, asked)), "it is good for the initiator's address");
}

#[test]
fn a_silent_first_hop_is_gone_round_within_its_round_trip_time_and_pinged() {
    let mut bench = Bench::new(64, config());
    let (key, _) = bench.far_key();
    let (first, _, asked) = bench.begin(key);
    let outs = bench.probe.advance(Duration::from_millis(60));
    let (second, _, again) = bench.first_look(&outs);
    assert_ne!(first, second);
    assert_eq!((again.lookup, again.timeouts), (asked.lookup, 1));
    assert!(kinds(&outs).contains(&"Ping"));
}

#[test]
fn a_lookup_nobody_answers_ends_after_sixteen_seconds_and_memory_is_bounded() {
    let lookup = LookupConfig { own: 20, ..LookupConfig::default() };
    let mut bench = Bench::new(64, Config { lookup, ..config() });
    let (key, _) = bench.far_key();
    for number in 0..50 {
        bench.probe.command(Command::Measure { number, key, mode: LookupMode::Recursive });
    }
    assert_eq!(bench.probe.machine.lookups().busy, 30);
    bench.probe.advance(Duration::from_secs(17));
    let unanswered = bench
        .probe
        .take_events()
        .iter()
        .filter(|event| matches!(event, Event::Measured { measured: None, .. }))
        .count();
    assert_eq!(unanswered, 50);
}

#[test]
fn whatever_proved_peers_send_memory_is_bounded_and_nothing_breaks() {
    let mut bench = Bench::new(64, config());
    let mut rng = SplitMix64::new(4);
    let others = bench.others();
    for round in 0..20_000u64 {
        let from = others[rng.below(20) as usize];
        let other = others[rng.below(63) as usize];
        let whose = [bench.me, from, other][rng.below(3) as usize];
        let message = Look {
            flags: [LookFlags::default(), LookFlags::DIRECT, LookFlags::ITERATIVE][rng.below(3) as usize],
            ttl: rng.below(70) as u8,
            back: rng.below(70) as u8,
            path: rng.below(256) as u8,
            reply_via: (rng.below(2) == 0).then(|| whose.contact()),
            ..look(&other, random_id(&mut rng), round % 700)
        };
        let change = Change { contact: whose.contact(), alive: rng.below(2) == 0, ttl: rng.below(256) as u8 };
        let part = TreeNode { prefix: Prefix::of(message.key, rng.below(41) as u8), count: 7, hash: [1; 16] };
        let claim = Claim::Active { low: random_id(&mut rng), epoch: 1 };
        let list = [whose.contact(), other.contact()];
        let answer = found(&message, Neighbour { contact: from.contact(), claim }, &list);
        match rng.below(6) {
            0 => bench.ask(&from, round, Message::Events(Events { changes: List::new(&[change; 40]) })),
            1 => bench.ask(&from, round, Message::TableDigest(TableDigest { nodes: List::new(&[part; 20]) })),
            2 => bench.ask(&from, round, Message::GetTable(GetTable { after: Some(message.key) })),
            3 => bench.send(&from, round, rng.next_u64(), Message::Found(answer)),
            _ => bench.ask(&from, round, Message::Look(message)),
        };
        if round % 16 == 0 {
            bench.probe.advance(Duration::from_millis(20));
        }
    }
    let (passing, seen) = bench.probe.machine.lookups_under_way();
    let limits = LookupConfig::default();
    assert!(
        passing <= usize::from(limits.passing) && seen <= usize::from(limits.remembered),
        "{passing} {seen}"
    );
    bench.probe.advance(Duration::from_secs(60));
    assert_eq!(bench.probe.machine.lookups_under_way().0, 0);
}
