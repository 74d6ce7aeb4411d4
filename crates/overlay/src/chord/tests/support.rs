//! Machines of the ring as the tests place, start and look at them.

use super::net::{Flying, Net};
use super::schedule::Schedule;
use crate::chord::core::Life;
use crate::chord::invariant::{Answer, Member, Peer, Phase, RingSnapshot, between};
use crate::chord::maintenance::Call;
use crate::chord::rpc::Purpose;
use crate::chord::{Chord, Command, Config, Host, Node, OneHop, PendingRead, Start, View};
use std::sync::Arc;
use throng_machine::Endpoint;
use throng_wire::chord::{Claim, Datagram, IdRule, Message, Mode, RingId};

/// Peers as invariants see them.
pub(super) fn peer(node: &Node) -> Peer<RingId> {
    Peer { id: node.id, incarnation: node.incarnation }
}

fn peers(nodes: &[Node]) -> Vec<Peer<RingId>> {
    nodes.iter().map(peer).collect()
}

/// A ring of one virtual node a host with lists of `r`, without the table of all members.
pub(super) fn config(r: u8) -> Config {
    let one_hop = OneHop { on: 0, off: 0 };
    Config { successors: Some(r), vnodes: 1, one_hop, ..Config::default() }
}

/// The id of the host at an endpoint.
pub(super) fn id_of(at: Endpoint) -> RingId {
    RingId::of(at.socket_addr(), 0)
}

/// The first endpoint whose id begins with this hexadecimal digit: sixteen positions, as the lecture draws them.
pub(super) fn place(digit: u8) -> Endpoint {
    let mut ports = (4_000..).map(|port| Endpoint::v4([127, 0, 0, 1], port));
    ports.find(|at| id_of(*at).nibble(0) == digit).expect("one port in sixteen has it")
}

/// That many endpoints in the order of their ids, spread over the ring.
pub(super) fn places(count: u16) -> Vec<Endpoint> {
    let mut all: Vec<_> = (0..count).map(|at| Endpoint::v4([127, 0, 0, 1], 5_000 + at)).collect();
    all.sort_by_key(|at| id_of(*at));
    all
}

/// What the invariants know of a machine; one that is leaving counts as gone from the moment it was told to.
pub(super) fn member_of(machine: &Chord) -> Option<Member<RingId>> {
    (machine.core().life == Life::Running).then(|| machine.view(0)).flatten().map(|view| member(&view))
}

/// What the invariants know of one node.
fn member(view: &View) -> Member<RingId> {
    let phase = match view.mode {
        Mode::Solo => Phase::Solo,
        Mode::Small => Phase::Small,
        // A detached node is frozen in its place.
        Mode::Ring | Mode::Detached => Phase::Ring,
        _ => Phase::Joining,
    };
    let low = match view.claim {
        Claim::Active { low, .. } => Some(low),
        Claim::Inactive => None,
    };
    Member {
        me: peer(&view.me),
        phase,
        r: usize::from(view.most),
        list: peers(&view.list),
        prdc: view.prdc.as_ref().map(peer),
        active: low.is_some(),
        low,
    }
}

/// The ring as it is, with the answers among `flying` that would still be applied.
pub(super) fn snapshot<'a>(
    net: &Net<Chord>,
    flying: impl Iterator<Item = &'a Flying>,
) -> RingSnapshot<RingId> {
    let members = net.nodes.values().filter_map(|node| member_of(&node.machine));
    RingSnapshot::new(members, flying.filter_map(|datagram| answer(net, datagram)).collect())
}

/// What an answer under way would do, if it would still do anything.
fn answer(net: &Net<Chord>, flying: &Flying) -> Option<Answer<RingId>> {
    let datagram = Datagram::decode(&flying.bytes).ok()?;
    let view = match datagram.message {
        Message::State(state) => state.view?,
        Message::JoinOk(answer) => answer.view,
        _ => return None,
    };
    let asker = &net.nodes.get(&flying.to)?.machine;
    if asker.core().life != Life::Running {
        return None;
    }
    let pending = asker.core().rpc.find(datagram.header.txid)?;
    let before = asker.view(0)?;
    let me = before.me.id;
    let head = before.list.first();
    let accepted = match (pending.purpose, before.op) {
        (Purpose::Ring(Call::Join), _) => true,
        (Purpose::Ring(Call::Head), PendingRead::AwaitHead(h)) => head == Some(&h),
        (Purpose::Ring(Call::Candidate), PendingRead::AwaitCand(_, c)) => {
            head.is_some_and(|head| between(&me, &c.id, &head.id))
        }
        _ => false,
    };
    let from = Node::new(IdRule::Open, flying.from, 0, datagram.header.incarnation).filter(|_| accepted)?;
    let after = net.imagine(flying)?.view(0)?;
    let list = view.list.iter().filter_map(|contact| Node::of(IdRule::Open, &contact));
    let list = list.map(|node| peer(&node)).collect();
    Some(Answer { from: peer(&from), list, to: peer(&before.me), result: peers(&after.list) })
}

/// A machine that is of no ring yet.
pub(super) fn machine(config: &Arc<Config>, at: Endpoint, incarnation: u32) -> Chord {
    Chord::new(Arc::clone(config), &Host::at(at, incarnation))
}

/// A node comes up and starts or joins.
pub(super) fn join(
    schedule: &mut Schedule<Chord>,
    config: &Arc<Config>,
    (at, incarnation): (Endpoint, u32),
    contacts: Vec<Endpoint>,
) {
    schedule.add(at, machine(config, at, incarnation));
    let start = if contacts.is_empty() { Start::New } else { Start::Join(contacts) };
    schedule.command(at, Command::Start(start));
}

/// A snapshot in one line a member: mode, list, predecessor and lower bound, by the first digits of their ids.
pub(super) fn tell(snapshot: &RingSnapshot<RingId>) -> String {
    let short = |id: &RingId| id.to_string()[..4].to_owned();
    let name = |peer: &Peer<RingId>| format!("{}.{}", short(&peer.id), peer.incarnation);
    let names = |list: &[Peer<RingId>]| list.iter().map(name).collect::<Vec<_>>().join(" ");
    let mut lines = Vec::new();
    for Member { me, phase, r, list, prdc, low, .. } in snapshot.members() {
        let (prdc, low) = (prdc.as_ref().map(name), low.as_ref().map(short));
        lines.push(format!("  {} {phase:?} r={r} [{}] prdc {prdc:?} low {low:?}", name(me), names(list)));
    }
    for answer in snapshot.answers() {
        let (from, to) = (name(&answer.from), name(&answer.to));
        lines.push(format!("  {from} -> {to}: [{}] makes [{}]", names(&answer.list), names(&answer.result)));
    }
    format!("\n{}", lines.join("\n"))
}
