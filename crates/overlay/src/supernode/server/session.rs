//! An ordinary node's session: welcome, who it is, pings, and everything it may say.

use super::super::channel::Channel;
use super::connections::{ConnId, Member, Ours as Known, Phase};
use super::{Cx, Event, Server};
use crate::flood::{Budget, Importance};
use crate::supernode::{Violation, v4};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use throng_wire::fasttrack::{Message, NETWORK_NAME, NodeInfo, NodeList, NodeListEntry, PushRequest};
use throng_wire::supernode::{OURS, Ours};

/// Entries of a node list; Kazaa sends 200.
const MAX_LIST: usize = 64;
/// A node that came early knows few others: it is told again after this, then after twice as long, and so on.
const FIRST_LIST: Duration = Duration::from_secs(15);
/// The longest wait between two lists; 30 min (Kazaa: 2 h).
const LISTS: Duration = Duration::from_secs(1_800);
/// Types of messages that only supernodes send: node lists, replies, statistics, forwarded searches.
const OF_SUPERNODES: [u16; 10] = [0x00, 0x01, 0x03, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x2c];

impl Server {
    /// The names were said: the node is told what it waits for, or, if there is no room, of others.
    pub(super) fn welcome(&mut self, conn: ConnId, channel: Channel, cx: &mut Cx<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let (from, stream) = (connection.from, connection.stream);
        let Some(at) = v4(from) else { return self.close(conn, cx) };
        connection.phase = Phase::Member(Box::new(Member {
            channel,
            user: Vec::new(),
            at: SocketAddrV4::new(*at.ip(), 0),
            bandwidth: 0,
            is_full: false,
            searches: BTreeMap::new(),
            search_budget: Budget::default(),
            message_budget: Budget::default(),
            pinged: false,
            list_due: (cx.now() + FIRST_LIST, FIRST_LIST),
            since: cx.now(),
            ours: None,
        }));
        self.timers.clear(super::Timer::Greeting(conn, stream));
        self.members += 1;
        self.metrics.joins += 1;
        let is_full = self.members > self.config.most_members;
        self.send_list(conn, !is_full, cx);
        if is_full {
            return self.close(conn, cx);
        }
        self.tell(conn, &Message::ExternalAddress(*at.ip()), cx);
        self.tell(conn, &Message::SendShares, cx);
        self.watch(conn, stream, cx);
    }

    /// 00: this supernode first, then others in another order for each node, so that not all go to the same.
    pub(super) fn send_list(&mut self, conn: ConnId, with_self: bool, cx: &mut Cx<'_>) {
        let load = u32::from(self.members) * 100 / u32::from(self.config.slots.max(1));
        let mut list = Vec::new();
        if with_self && let Some(address) = self.address {
            NodeList::put(NodeListEntry { address, minutes: 0, load: load.min(100) as u8 }, &mut list);
        }
        for (address, load) in self.others(MAX_LIST, cx) {
            NodeList::put(NodeListEntry { address, minutes: 1, load }, &mut list);
        }
        self.tell(conn, &Message::NodeList(NodeList(&list)), cx);
    }

    /// Tells those of others whose time has come.
    pub(super) fn send_lists(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let due = self.connections.members().filter(|(_, member)| member.list_due.0 <= now);
        let due: Vec<ConnId> = due.map(|(conn, _)| conn).collect();
        for conn in due {
            if let Some(member) = self.connections.member_mut(conn) {
                let wait = (member.list_due.1 * 2).min(LISTS);
                member.list_due = (now + wait, wait);
            }
            self.send_list(conn, true, cx);
        }
    }

    /// Other supernodes that have been reached, mixed, with their loads in hundredths; neighbours come before others no
    /// more than by chance, or the nodes of one supernode would know the same few.
    pub(super) fn others(&self, most: usize, cx: &mut Cx<'_>) -> Vec<(SocketAddrV4, u8)> {
        let mut all: BTreeMap<SocketAddrV4, u8> =
            self.links.proved().map(|(_, at, load)| (at, load)).collect();
        let reached = self.cache.lines(cx.now()).into_iter().filter(|line| line.proved && line.failures == 0);
        for at in reached.filter_map(|line| v4(line.at)).filter(|at| Some(*at) != self.address) {
            all.entry(at).or_insert(50);
        }
        let mut all: Vec<(SocketAddrV4, u8)> = all.into_iter().collect();
        for last in (1..all.len()).rev() {
            all.swap(last, cx.rng().below(last as u32 + 1) as usize);
        }
        all.truncate(most);
        all
    }

    pub(super) fn on_message(&mut self, conn: ConnId, message: &Message<'_>, cx: &mut Cx<'_>) {
        match message {
            Message::NodeInfo(info) => self.on_node_info(conn, info),
            Message::Share(share) => self.on_share(conn, share, cx),
            Message::Unshare(item) => self.on_unshare(conn, item, cx),
            Message::Push(body) => match PushRequest::parse(body) {
                Ok(push) => self.on_push(conn, &push, cx),
                Err(_) => self.punish(conn, Violation::Unreadable, cx),
            },
            Message::NetworkName(_) => self.tell(conn, &Message::NetworkName(NETWORK_NAME), cx),
            Message::Version(version) => self.tell(conn, &Message::Version(*version), cx),
            Message::Other { kind: OURS, body } => self.on_ours(conn, body, cx),
            other if other.kind() > 0xff || OF_SUPERNODES.contains(&other.kind()) => {
                if let Some(from) = self.connections.get(conn).map(|connection| connection.from) {
                    self.count(from, Violation::NotItsRole, cx);
                }
            }
            _ => {}
        }
    }

    /// Who a node is (02): others are told the address it comes from, never one that it names, with its port, unless it
    /// says that it has a private address behind the one we see.
    fn on_node_info(&mut self, conn: ConnId, info: &NodeInfo<'_>) {
        let Some(from) = self.connections.get(conn).and_then(|connection| v4(connection.from)) else {
            return;
        };
        let said = *info.address.ip();
        let is_itself = said == *from.ip() || said.is_unspecified() || !is_private(said);
        let port = if is_itself { info.address.port() } else { 0 };
        let Some(member) = self.connections.member_mut(conn) else { return };
        member.at = SocketAddrV4::new(*from.ip(), port);
        member.bandwidth = info.bandwidth;
        if NodeInfo::is_valid_user(info.user) {
            member.user = info.user.to_vec();
        }
    }

    fn on_ours(&mut self, conn: ConnId, body: &[u8], cx: &mut Cx<'_>) {
        // Of a later version: passed over as any unknown message.
        let Ok(Ours::Candidate(said)) = Ours::parse(body) else { return };
        let Some(member) = self.connections.member_mut(conn) else { return };
        let before = member.ours.filter(|before| before.said.instance == said.instance);
        let (kilobits, probed) = before.map_or((None, None), |before| (before.kilobits, before.probed));
        member.ours = Some(Known { said, kilobits, probed });
        self.consider(conn, cx);
    }

    pub(super) fn pong(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        self.write(conn, cx, |member, out| member.channel.put_pong(out));
    }

    /// Nothing was heard for a while, or not since the ping.
    pub(super) fn on_silence(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let patience = self.config.member_silence;
        let Some(connection) = self.connections.get(conn) else { return };
        let (heard, stream) = (connection.heard, connection.stream);
        let Some(member) = self.connections.member_mut(conn) else { return };
        if cx.now().since(heard) < patience {
            self.timers.set(super::Timer::Silence(conn, stream), heard + patience);
            return;
        }
        if member.pinged {
            return self.close(conn, cx);
        }
        member.pinged = true;
        self.write(conn, cx, |member, out| member.channel.put_ping(out));
        self.watch(conn, stream, cx);
    }

    /// An ordinary node left: so do its files and searches.
    pub(super) fn member_is_gone(&mut self, conn: ConnId, member: &Member, cx: &mut Cx<'_>) {
        self.members -= 1;
        for guid in member.searches.values() {
            self.drop_search(guid, cx);
        }
        self.withdraw_from_ring(conn.owner(), cx);
        self.catalogue.remove_owner(conn.owner());
    }

    /// Tells everybody where else to go, and closes.
    pub(super) fn close_all(&mut self, cx: &mut Cx<'_>) {
        self.send_all_away(cx);
        cx.emit(Event::Left);
    }

    pub(super) fn send_all_away(&mut self, cx: &mut Cx<'_>) {
        self.closing = true;
        let mut others = self.others(MAX_LIST, cx).into_iter().map(|(at, _)| at).cycle();
        let all: Vec<ConnId> = self.connections.all().collect();
        for conn in all {
            if let Some(member) = self.connections.member(conn) {
                match others.next().filter(|_| member.ours.is_some()) {
                    Some(to) => self.send_ours(conn, &Ours::Move(to), cx),
                    None => self.send_list(conn, false, cx),
                }
            }
            if let Some(link) = self.link_of(conn) {
                self.say_bye(link, Importance::CONTROL, cx);
            }
            self.close(conn, cx);
        }
    }
}

/// An address behind a router (RFC 1918, 6598, link-local) or of one machine.
fn is_private(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
}
