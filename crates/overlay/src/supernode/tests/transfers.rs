//! Files between ordinary nodes: found, and fetched directly or by a push through both supernodes.

use super::network::PORT;
use crate::discovery::{Item, Query, Ticket};
use crate::http::{self, Beside, Both, FetchId, Identity, PushBy, SourceId, Transfer};
use crate::supernode::{Command, Config, Event, FoundFile, Node, Role, endpoint, v4};
use std::time::Duration;
use throng_machine::{ContentId, Endpoint, SplitMix64};
use throng_sim::{App, HostId, HostIo, Network, Placed, Profile, ProfileId, Sim};
use throng_wire::gnutella::Guid;
use throng_wire::http::Target;

const SIZE: u64 = 1 << 20;

struct Peer {
    both: Beside<Node>,
    found: Vec<FoundFile>,
    placed: u64,
}

impl App for Peer {
    type Machine = Beside<Node>;

    fn machine(&mut self) -> &mut Beside<Node> {
        &mut self.both
    }

    fn on_event(&mut self, event: Both<Event, http::Event>, _: &mut HostIo<'_, Self>) {
        if let Both::Overlay(Event::Found(_, file)) = event {
            self.found.push(*file);
        }
    }

    fn on_place(&mut self, placed: Placed<'_>, _: &mut HostIo<'_, Self>) {
        assert!(!placed.corrupt);
        self.placed += u64::from(placed.extent.len);
    }
}

fn peer(number: u32, role: Role, port: u16) -> Peer {
    let at = Endpoint::v4((0x0a00_0001 + number).to_be_bytes(), PORT);
    let address = v4(at).filter(|_| role == Role::Super);
    let user = format!("user{number}");
    let config = Config { role, user: user.clone().into(), port, address, ..Config::default() };
    let node = Node::new(config, &mut SplitMix64::new(number.into()), throng_machine::Instant::EPOCH);
    let identity =
        Identity { servent: Guid([0; 16]), agent: "test".into(), user, address: None, supernode: None };
    Peer { both: Beside::new(node, Transfer::new(http::Config::new(identity))), found: Vec::new(), placed: 0 }
}

/// Two supernodes with a node each; the first node fetches what the second shares.
fn fetched(port: u16) -> (bool, u64) {
    let mut sim = Sim::new(11, Network::default());
    sim.add_profile(Profile { port: PORT, ..Profile::default() });
    for (number, role, port) in
        [(0, Role::Super, PORT), (1, Role::Super, PORT), (2, Role::Ordinary, PORT), (3, Role::Ordinary, port)]
    {
        sim.add(peer(number, role, port), ProfileId(1));
    }
    let mut tell = |host: u32, command| sim.command(HostId(host), Both::Overlay(command));
    let at = |host: u32| Endpoint::v4((0x0a00_0001 + host).to_be_bytes(), PORT);
    tell(0, Command::Join(Vec::new()));
    tell(1, Command::Join(vec![at(0)]));
    tell(2, Command::Join(vec![at(0)]));
    tell(3, Command::Join(vec![at(1)]));
    let item = Item { title: "zebra.mp3".into(), size: SIZE, ft_hash: Some([9; 20]), ..Item::default() };
    tell(3, Command::Publish(Ticket(1), item, None));
    let shared = http::Shared {
        content: ContentId(3),
        index: 1,
        name: "zebra.mp3".into(),
        size: SIZE,
        sha1: None,
        tiger: None,
        ft_hash: Some([9; 20]),
        magnet: None,
        available: None,
    };
    sim.command(HostId(3), Both::Files(http::Command::Share(Box::new(shared))));
    sim.run_for(Duration::from_secs(10));
    let query = Query { words: vec!["zebra".into()], limit: 5, timeout: Duration::from_secs(10) };
    sim.command(HostId(2), Both::Overlay(Command::Find(Ticket(1), query)));
    sim.run_for(Duration::from_secs(10));
    let hit = sim.app(HostId(2)).found[0].clone();
    let by =
        PushBy::Number { at: endpoint(hit.at), supernode: endpoint(hit.supernode), user: hit.user.clone() };
    let from = http::Source {
        address: Some(endpoint(hit.at)).filter(|_| !hit.is_firewalled()),
        push: Some(by),
        target: Target::FtHash([9; 20]),
        size: Some(SIZE),
        sha1: None,
    };
    let fetch =
        http::Fetch { id: FetchId(1), source: SourceId(1), from, range: 0..SIZE, content: ContentId(7) };
    sim.command(HostId(2), Both::Files(http::Command::Fetch(Box::new(fetch))));
    sim.run_for(Duration::from_secs(30));
    (hit.is_firewalled(), sim.app(HostId(2)).placed)
}

#[test]
fn a_file_is_fetched_by_its_hash_directly() {
    assert_eq!(fetched(PORT), (false, SIZE));
}

#[test]
fn a_file_of_one_who_cannot_be_called_comes_by_a_push_through_both_supernodes() {
    assert_eq!(fetched(0), (true, SIZE));
}
