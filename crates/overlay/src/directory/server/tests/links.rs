//! Linked servers, ours with each other: searches, talk, deaths, circles, collisions.

use super::*;

pub(super) const NAMES: [&str; 4] = ["hubA.net.test", "hubB.net.test", "hubC.net.test", "hubD.net.test"];

pub(super) fn address(server: usize) -> [u8; 4] {
    [10, 99, 0, server as u8 + 1]
}

fn peer(of: usize, dial: bool) -> Peer {
    Peer {
        name: NAMES[of].into(),
        send_password: "pw".into(),
        expect_password: "pw".into(),
        addresses: vec![IpAddr::from(address(of))],
        dial: dial.then(|| Endpoint::v4(address(of), 8888)),
    }
}

/// Servers with wires between them.
struct Net {
    worlds: Vec<World>,
    wires: Vec<[(usize, StreamId); 2]>,
    /// One that can neither call nor be called.
    dead: Option<usize>,
}

impl Net {
    /// Servers that call each other along these edges; the first of an edge calls.
    fn new(servers: usize, edges: &[(usize, usize)]) -> Net {
        let world = |own: usize| {
            let callee = edges.iter().filter(|edge| edge.0 == own).map(|edge| peer(edge.1, true));
            let caller = edges.iter().filter(|edge| edge.1 == own).map(|edge| peer(edge.0, false));
            let peers = callee.chain(caller).collect();
            World::new(Config { name: NAMES[own].into(), peers, ..config() })
        };
        let mut net = Net { worlds: (0..servers).map(world).collect(), wires: Vec::new(), dead: None };
        for (own, world) in net.worlds.iter_mut().enumerate() {
            // Each server's entropy is its own.
            (0..own).for_each(|_| _ = world.probe.call(|_, cx| _ = cx.rng().next_u64()));
            world.advance(Duration::ZERO);
        }
        net.settle();
        // Servers whose name sorts behind the caller's are called a little later.
        net.pass(5);
        net
    }

    /// Seconds at all servers.
    fn pass(&mut self, seconds: usize) {
        for _ in 0..seconds {
            for own in 0..self.worlds.len() {
                self.worlds[own].advance(Duration::from_secs(1));
            }
            self.settle();
        }
    }

    /// Ends of links that are up.
    fn ends(&self) -> u64 {
        self.worlds.iter().map(|world| world.probe.machine.gauges().links).sum()
    }

    /// Connects what was called and carries bytes until there are none.
    fn settle(&mut self) {
        loop {
            self.connect();
            let mut moved = false;
            for wire in self.wires.clone() {
                for (from, to) in [(wire[0], wire[1]), (wire[1], wire[0])] {
                    let bytes = self.worlds[from.0].raw(from.1);
                    if !bytes.is_empty() {
                        self.worlds[to.0].bytes(to.1, &bytes);
                        moved = true;
                    }
                    if self.worlds[from.0].closed.contains(&from.1) {
                        self.worlds[to.0].stream(to.1, StreamInput::Closed(StreamEnd::Finished));
                        self.wires.retain(|other| *other != wire);
                        moved = true;
                    }
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn connect(&mut self) {
        for own in 0..self.worlds.len() {
            for (stream, to) in std::mem::take(&mut self.worlds[own].opened) {
                let other =
                    (0..self.worlds.len()).find(|other| Endpoint::v4(address(*other), 8888) == to).unwrap();
                if [own, other].map(Some).contains(&self.dead) {
                    self.worlds[own].stream(stream, StreamInput::Closed(StreamEnd::Refused));
                    continue;
                }
                let theirs = self.worlds[other].connect(address(own));
                self.wires.push([(own, stream), (other, theirs)]);
                self.worlds[own].stream(stream, StreamInput::Opened);
            }
        }
    }

    fn user(&mut self, server: usize, nick: &str, port: u16) -> (usize, StreamId) {
        let number = 10 + self.worlds[server].inbox.len() as u8;
        let stream = self.worlds[server].user_from(nick, port, [10, server as u8, 0, number]);
        self.settle();
        (server, stream)
    }

    fn send(&mut self, who: (usize, StreamId), kind: u16, data: impl AsRef<[u8]>) {
        self.worlds[who.0].send(who.1, kind, data);
        self.settle();
    }

    fn seen(&mut self, who: (usize, StreamId)) -> Vec<Seen> {
        self.worlds[who.0].seen(who.1).into_iter().filter(|seen| seen.0 != 214).collect()
    }

    fn ask(&mut self, who: (usize, StreamId), kind: u16, data: impl AsRef<[u8]>) -> Vec<Seen> {
        self.seen(who);
        self.send(who, kind, data);
        self.seen(who)
    }

    fn users(&self) -> Vec<u32> {
        self.worlds.iter().map(|world| world.probe.machine.gauges().users).collect()
    }

    /// A link is cut, as a dead server's is.
    fn cut(&mut self, one: usize, other: usize) {
        let joins = |wire: &&[(usize, StreamId); 2]| {
            let ends = [wire[0].0, wire[1].0];
            ends.contains(&one) && ends.contains(&other)
        };
        let wire = *self.wires.iter().find(joins).expect("they are linked");
        self.wires.retain(|other| *other != wire);
        for (server, stream) in wire {
            self.worlds[server].stream(stream, StreamInput::Closed(StreamEnd::Broken));
        }
        self.settle();
    }
}

#[test]
fn a_search_goes_round_the_tree_and_a_download_across_it() {
    let mut net = Net::new(4, &[(0, 1), (1, 2), (3, 1)]);
    let anna = net.user(0, "anna", 6_701);
    let ben = net.user(2, "ben", 6_702);
    let fire = net.user(3, "fire", 0);
    assert_eq!(net.users(), [3, 3, 3, 3]);
    net.send(ben, 100, "\"C:\\B\\Remote Ocelot Song.mp3\" 0 5000000 128 44100 180");
    net.send(fire, 100, "\"C:\\F\\Fire Ocelot Song.mp3\" 0 5000000 128 44100 180");
    net.send(ben, 214, "");
    net.send(fire, 214, "");
    net.seen(anna);
    assert_eq!(net.worlds[0].ask(anna.1, 214, ""), [is(214, "3 2 0")], "totals are told");
    let zeros = "00000000000000000000000000000000";
    let mut seen = net.ask(anna, 200, "FILENAME CONTAINS \"ocelot\"");
    assert_eq!(seen.pop(), Some(is(202, "")), "when all have answered");
    seen.sort();
    // 10.2.0.10 and 10.3.0.10.
    let song = |nick: &str, folder: &str, ip: u32| {
        is(201, &format!("\"C:\\{folder} Ocelot Song.mp3\" {zeros} 5000000 128 44100 180 {nick} {ip} 5"))
    };
    let (ben_ip, fire_ip) = (u32::from_le_bytes([10, 2, 0, 11]), u32::from_le_bytes([10, 3, 0, 11]));
    assert_eq!(seen, [song("ben", "B\\Remote", ben_ip), song("fire", "F\\Fire", fire_ip)]);
    // The reachable one is asked, and answers across.
    net.send(anna, 203, "ben \"C:\\B\\Remote Ocelot Song.mp3\"");
    assert_eq!(net.seen(ben), [is(607, "anna \"C:\\B\\Remote Ocelot Song.mp3\" 5")]);
    net.send(ben, 608, "anna \"C:\\B\\Remote Ocelot Song.mp3\"");
    let ready = is(204, &format!("ben {ben_ip} 6702 \"C:\\B\\Remote Ocelot Song.mp3\" {zeros} 5"));
    assert_eq!(net.seen(anna), [ready]);
    // The firewalled one pushes to anna's own address.
    let ready = is(204, &format!("fire {fire_ip} 0 \"C:\\F\\Fire Ocelot Song.mp3\" {zeros} 5"));
    assert_eq!(net.ask(anna, 203, "fire \"C:\\F\\Fire Ocelot Song.mp3\""), [ready]);
    net.send(anna, 500, "fire \"C:\\F\\Fire Ocelot Song.mp3\"");
    assert_eq!(net.seen(fire), [is(607, "anna \"C:\\F\\Fire Ocelot Song.mp3\" 5")]);
    let anna_ip = u32::from_le_bytes([10, 0, 0, 11]);
    let order = is(501, &format!("anna {anna_ip} 6701 \"C:\\F\\Fire Ocelot Song.mp3\" {zeros} 5"));
    assert_eq!(net.ask(fire, 608, "anna \"C:\\F\\Fire Ocelot Song.mp3\""), [order]);
    let gone = is(206, "ben \"C:\\nope.mp3\"");
    assert_eq!(net.ask(anna, 203, "ben \"C:\\nope.mp3\""), [gone]);
    net.send(ben, 619, "anna \"C:\\B\\Remote Ocelot Song.mp3\" 0");
    assert_eq!(net.seen(anna), [is(620, "ben \"C:\\B\\Remote Ocelot Song.mp3\" 5000000 0")]);
}

#[test]
fn people_talk_list_and_watch_across_servers() {
    let mut net = Net::new(3, &[(0, 1), (1, 2)]);
    let (anna, ben) = (net.user(0, "anna", 1), net.user(2, "ben", 2));
    net.send(ben, 100, "\"C:\\Song.mp3\" 0 5 128 44100 9");
    assert_eq!(net.ask(anna, 207, "zoe"), [is(301, "zoe")]);
    let zoe = net.user(2, "zoe", 3);
    assert_eq!(net.seen(anna), [is(209, "zoe 5")]);
    net.send(zoe, 205, "anna hello there");
    net.send(zoe, 751, "anna  some args");
    assert_eq!(net.seen(anna), [is(205, "zoe hello there"), is(751, "zoe  some args")]);
    net.seen(zoe);
    net.send(anna, 752, "zoe  some args");
    assert_eq!(net.seen(zoe), [is(752, "anna  some args")]);
    let list = net.ask(anna, 211, "ben");
    assert_eq!(list[0].1, "ben \"C:\\Song.mp3\" 00000000000000000000000000000000 5 128 44100 9");
    assert_eq!(list[1].0, 213);
    net.send(zoe, 700, "9");
    net.send(zoe, 218, "");
    assert_eq!(net.ask(anna, 600, "zoe"), [is(601, "zoe 9")]);
    net.send(anna, 400, "#test");
    net.seen(anna);
    net.send(zoe, 400, "#test");
    assert_eq!(net.seen(anna), [is(406, "#test zoe 0 9")]);
    let channel = " \" #test \" \"Active\" 0 1 0 9 \"net 0.1\"";
    assert_eq!(net.ask(anna, 603, "zoe"), [is(604, &format!("zoe \"User\" 0{channel}"))]);
    net.send(zoe, 402, "#test hi");
    assert_eq!(net.seen(anna), [is(403, "#test zoe hi")]);
    net.send(anna, 640, "ben");
    assert_eq!(net.seen(ben).last(), Some(&is(640, "anna")));
    net.send(ben, 641, "anna");
    assert_eq!(net.seen(anna)[0].0, 641);
    net.worlds[2].leave(zoe.1);
    net.settle();
    assert_eq!(net.seen(anna), [is(407, "#test zoe 0 9"), is(210, "zoe")]);
    assert_eq!(net.users(), [2, 2, 2]);
}

#[test]
fn a_dead_directory_loses_its_own_users_only_and_is_called_again() {
    let mut net = Net::new(3, &[(0, 1), (1, 2)]);
    let (anna, ben, zoe) = (net.user(0, "anna", 1), net.user(1, "ben", 2), net.user(2, "zoe", 3));
    for who in [ben, zoe] {
        net.send(who, 100, "\"C:\\Ocelot.mp3\" 0 5 128 44100 9");
    }
    assert_eq!(net.ask(anna, 200, "FILENAME CONTAINS ocelot").len(), 3);
    net.cut(1, 2);
    assert_eq!(net.users(), [2, 2, 1]);
    assert_eq!(net.ask(anna, 200, "FILENAME CONTAINS ocelot").len(), 2, "ben's is found all the same");
    assert!(net.worlds[1].told.iter().any(|event| matches!(event, Event::Unlinked { .. })));
    // Redialled after a while, and everybody is back.
    net.worlds[1].advance(Duration::from_secs(60));
    net.settle();
    assert_eq!(net.users(), [3, 3, 3]);
    assert_eq!(net.ask(anna, 200, "FILENAME CONTAINS ocelot").len(), 3);
}

#[test]
fn a_search_ends_when_a_neighbour_dies_or_says_nothing_for_three_minutes() {
    let mut net = Net::new(2, &[(0, 1)]);
    let anna = net.user(0, "anna", 1);
    // The other server's answers are not carried.
    let send = |net: &mut Net, data: &str| {
        net.worlds[0].send(anna.1, 200, data);
        net.seen(anna)
    };
    assert_eq!(send(&mut net, "FILENAME CONTAINS ocelot"), []);
    assert_eq!(send(&mut net, "FILENAME CONTAINS ocelot LOCAL"), [is(202, "")]);
    assert_eq!(send(&mut net, "FILENAME CONTAINS ocelot"), []);
    assert_eq!(send(&mut net, "FILENAME CONTAINS ocelot"), []);
    assert_eq!(send(&mut net, "FILENAME CONTAINS ocelot"), [is(202, "")], "a fourth is answered here");
    net.worlds[0].advance(Duration::from_secs(180));
    assert_eq!(net.seen(anna), [is(202, ""), is(202, ""), is(202, "")]);
    assert_eq!(send(&mut net, "FILENAME CONTAINS ocelot"), []);
    net.cut(0, 1);
    assert_eq!(net.seen(anna), [is(202, "")]);
    assert_eq!(net.worlds[0].probe.machine.gauges().pending_searches, 0);
}

#[test]
fn what_others_do_not_understand_is_applied_to_their_hits() {
    let mut net = Net::new(2, &[(0, 1)]);
    let (anna, ben) = (net.user(0, "anna", 1), net.user(1, "ben", 2));
    for (name, size, seconds) in [("one ocelot", 5, 9), ("two ocelot", 50, 90), ("three ocelot", 500, 900)] {
        net.send(ben, 100, format!("\"{name}\" 0 {size} 128 44100 {seconds}"));
    }
    for (clause, hits) in [
        ("FILENAME EXCLUDES one", 2),
        ("SIZE \"AT LEAST\" 50", 2),
        ("DURATION \"AT BEST\" 9", 1),
        ("MAX_RESULTS 2", 2),
        ("BITRATE \"AT LEAST\" 129", 0),
    ] {
        assert_eq!(
            net.ask(anna, 200, format!("FILENAME CONTAINS ocelot {clause}")).len(),
            hits + 1,
            "{clause}"
        );
    }
}

#[test]
fn a_second_way_to_the_same_cluster_is_refused() {
    // A circle of three: one of its links is not made.
    let mut net = Net::new(3, &[(0, 1), (1, 2), (2, 0)]);
    for _ in 0..200 {
        assert!(net.ends() < 6, "never all three");
        net.pass(1);
    }
    assert_eq!(net.ends(), 4, "two links have four ends");
    net.user(0, "anna", 1);
    net.user(1, "ben", 1);
    net.user(2, "zoe", 1);
    assert_eq!(net.users(), [3, 3, 3]);
}

#[test]
fn four_servers_that_all_name_each_other_are_one_tree_within_seconds_and_again_without_the_first() {
    let pairs = |count: usize| (0..count).flat_map(move |one| (0..count).map(move |other| (one, other)));
    let edges: Vec<(usize, usize)> = pairs(4).filter(|(one, other)| one != other).collect();
    let mut net = Net::new(4, &edges);
    assert_eq!(net.ends(), 6, "three links");
    let nicks = ["anna", "ben", "zoe", "kim"];
    nicks.iter().enumerate().for_each(|(server, nick)| _ = net.user(server, nick, 1));
    assert_eq!(net.users(), [4, 4, 4, 4]);
    // The one all are linked with dies; the wires to it are dead from now on.
    (1..4).for_each(|other| net.cut(0, other));
    net.dead = Some(0);
    net.pass(10);
    assert_eq!(net.users()[1..], [3, 3, 3], "found again within ten seconds");
    assert_eq!(net.ends(), 4);
    // It comes back.
    net.dead = None;
    net.pass(70);
    assert_eq!((net.ends(), net.users()), (6, vec![4, 4, 4, 4]));
}

#[test]
fn two_servers_that_call_each_other_at_once_are_linked_once() {
    let net = Net::new(2, &[(0, 1), (1, 0)]);
    let links: Vec<u64> = net.worlds.iter().map(|world| world.probe.machine.gauges().links).collect();
    assert_eq!(links, [1, 1]);
}

#[test]
fn of_two_users_of_one_nick_the_later_goes() {
    let mut net = Net::new(2, &[(0, 1)]);
    net.cut(0, 1);
    let old = net.user(0, "anna", 1);
    net.worlds[1].advance(Duration::from_secs(9));
    let late = net.user(1, "Anna", 1);
    net.worlds[0].advance(Duration::from_secs(60));
    net.settle();
    assert_eq!(net.users(), [1, 1]);
    assert!(net.worlds[1].is_closed(late.1) && !net.worlds[0].is_closed(old.1));
    let thief = net.worlds[1].connect([10, 0, 0, 9]);
    assert_eq!(net.worlds[1].ask(thief, 2, "ANNA pw 1 \"c\" 5"), [is(0, "ANNA is already active")]);
}

#[test]
fn an_operator_throws_out_a_user_of_another_server() {
    let mut net = Net::new(3, &[(0, 1), (1, 2)]);
    let operator = (0, net.worlds[0].operator("op", Level::Elite));
    net.settle();
    let zoe = net.user(2, "zoe", 1);
    net.send(operator, 610, "zoe \"bad songs\"");
    assert_eq!(net.seen(zoe)[0], is(404, "You have been killed by op: bad songs"));
    assert_eq!(net.users(), [1, 1, 1]);
    let lines = net.ask(operator, 10_112, "");
    assert_eq!(lines.len(), 3);
    assert!(lines[0].1.starts_with("hubA.net.test 8888 hubB.net.test "), "{lines:?}");
    net.send(operator, 10_101, "hubB.net.test");
    assert_eq!(net.worlds[0].probe.machine.gauges().links, 0);
    assert_eq!(net.ask(operator, 10_100, "hubX")[0], is(404, "hubX is not a server that can be linked"));
    net.send(operator, 10_100, "hubB.net.test 8888");
    assert_eq!(net.worlds[0].probe.machine.gauges().links, 1);
}

#[test]
fn a_cluster_tells_new_servers_of_each_other() {
    let mut net = Net::new(4, &[(0, 1), (1, 2), (2, 3)]);
    let operator = (3, net.worlds[3].operator("op", Level::Admin));
    let lines = net.ask(operator, 10_112, "");
    let hops: Vec<String> = lines
        .iter()
        .filter(|line| !line.1.is_empty())
        .map(|line| line.1.split(' ').nth(4).unwrap().into())
        .collect();
    assert_eq!(hops, ["1", "2", "3"], "{lines:?}");
    net.cut(0, 1);
    assert_eq!(net.ask(operator, 10_112, "").len(), 3);
}
