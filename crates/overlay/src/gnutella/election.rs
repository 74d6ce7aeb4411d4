//! Whether a servent is a leaf or an ultrapeer, where that is left to it (`RoleChoice::Elected`).
//!
//! A leaf becomes an ultrapeer once it has shown all of: that others can call it, that it stays, that its line carries
//! more than a leaf needs, that none of its links stands; and only while the network wants ultrapeers: those it knows
//! have hardly room for leaves. It steps down when nobody can call it any more, its links stand, or it has no leaves,
//! and then waits twice as long as before, so that no servent goes back and forth.

use super::command::Event;
use super::config::Role;
use super::guards::CALLED_BACK;
use super::link::{Link, Supports};
use super::machine::{Cx, Servent};
use std::time::Duration;
use throng_machine::{Endpoint, Instant, StreamId};
use throng_wire::gnutella::{ByeCode, Guid, UltrapeerSlots, VendorKind};

/// Ultrapeers whose room for leaves is remembered.
const MOST_ROOMS: usize = 16;
/// What was heard of room is believed for so long.
const BELIEVED: Duration = Duration::from_secs(600);
/// More ultrapeers are wanted where those that are known have room for so many leaves each at most: an eighth of 200.
const HARDLY_ROOM: u32 = 25;
/// Links that stand for so long show that the line is too narrow; after 30 s what waits there is given up.
const STANDS: Duration = Duration::from_secs(20);
/// An ultrapeer that nobody has called for so long asks whether it can be called.
const UNCALLED: Duration = Duration::from_secs(1_800);
/// The waiting time doubles at most so often.
const DOUBLINGS: u32 = 5;
/// It is thought over at least this often.
const THOUGHT_OVER: Duration = Duration::from_secs(5);

/// What an elected servent knows of itself and of the network.
#[derive(Default, Debug)]
pub(super) struct Election {
    /// Upload shown, in kbit/s.
    capacity: u32,
    /// Room for leaves as ultrapeers tell it, the newest last.
    rooms: Vec<(Endpoint, u8, Instant)>,
    /// When an ultrapeer last refused us because it was full.
    refused: Option<Instant>,
    /// How often we stepped down.
    resigned: u32,
}

impl Election {
    /// The application has measured what the line carries upwards.
    pub(super) fn measured(&mut self, kilobits: u32) {
        self.capacity = kilobits;
    }

    /// An ultrapeer says how much room it has.
    pub(super) fn heard(&mut self, from: Endpoint, slots: UltrapeerSlots, now: Instant) {
        self.rooms.retain(|(known, ..)| *known != from);
        if self.rooms.len() >= MOST_ROOMS {
            self.rooms.remove(0);
        }
        self.rooms.push((from, slots.leaves, now));
    }

    /// An ultrapeer had no room for us.
    pub(super) fn refused(&mut self, now: Instant) {
        self.refused = Some(now);
    }

    /// Whether ultrapeers are wanted.
    fn is_needed(&self, now: Instant) -> bool {
        if self.refused.is_some_and(|at| now - at <= BELIEVED) {
            return true;
        }
        let fresh = self.rooms.iter().filter(|(.., at)| now - *at <= BELIEVED);
        let (count, room) =
            fresh.fold((0, 0), |(count, room), (_, leaves, _)| (count + 1, room + u32::from(*leaves)));
        count > 0 && room <= HARDLY_ROOM * count
    }

    /// How long a leaf has to stay before it may be elected.
    fn wait(&self, first: Duration) -> Duration {
        first * (1 << self.resigned.min(DOUBLINGS))
    }
}

impl Servent {
    /// Whether the role is one that we were given and keep.
    pub(super) fn is_elected(&self) -> bool {
        self.election.is_some()
    }

    /// Whether another role would be better.
    pub(super) fn tick_role(&mut self, cx: &mut Cx<'_>) {
        if !self.is_elected() || !self.joined {
            return;
        }
        let now = cx.now();
        let better = match self.role {
            Role::Leaf => self.is_fit(now).then_some(Role::Ultrapeer),
            Role::Ultrapeer => self.is_unfit(now, cx).then_some(Role::Leaf),
            Role::Plain => None,
        };
        self.wake_by(now + THOUGHT_OVER);
        let Some(role) = better else { return };
        if let Some(election) = &mut self.election {
            election.resigned += u32::from(role == Role::Leaf);
            (election.refused, election.rooms) = (None, Vec::new());
        }
        self.become_role(role, cx);
    }

    /// Whether most of our links have stood for so long.
    fn stands(&self, long: Duration, now: Instant) -> bool {
        let up = self.links.iter().filter_map(Link::live);
        let (all, standing) = up.fold((0, 0), |(all, standing), live| {
            let stands = live.queue.congested_since().is_some_and(|since| now - since >= long);
            (all + 1, standing + u32::from(stands))
        });
        standing * 2 > all
    }

    /// Whether a leaf should be an ultrapeer.
    fn is_fit(&self, now: Instant) -> bool {
        let Some(election) = &self.election else { return false };
        let stayed = now >= self.role_since + election.wait(self.config.timing.election);
        let called = self.seen_as.is_reached() && !self.seen_as.is_firewalled(now);
        let carries = election.capacity >= self.config.least_capacity && !self.stands(Duration::ZERO, now);
        stayed && called && carries && election.is_needed(now)
    }

    /// Whether an ultrapeer should be a leaf. One that is not called for long asks to be.
    fn is_unfit(&mut self, now: Instant, cx: &mut Cx<'_>) -> bool {
        let has_leaf = self.count(Role::Leaf) > 0;
        let (role_since, no_leaves) = (self.role_since, self.config.timing.no_leaves);
        let Some(ultrapeer) = &mut self.ultrapeer else { return false };
        if has_leaf {
            ultrapeer.leaf_seen = Some(now);
        }
        let idle = now - ultrapeer.leaf_seen.unwrap_or(role_since) >= no_leaves;
        if self.seen_as.is_quiet(UNCALLED, now) {
            self.ask_to_be_called(cx);
        }
        idle || self.stands(STANDS, now) || self.seen_as.is_firewalled(now)
    }

    /// Asks somebody who can to call us back: if nobody does we cannot be called.
    fn ask_to_be_called(&mut self, cx: &mut Cx<'_>) {
        let able = self.streams(|live| live.supports.has(Supports::CONNECT_BACK));
        let Some(stream) = able.get(cx.rng().below(able.len().max(1) as u32) as usize).copied() else {
            return;
        };
        self.seen_as.asked_again(cx.now());
        let port = self.me.listen.port().to_le_bytes();
        self.send_vendor(stream, (VendorKind::CONNECT_BACK, Guid::default()), &port, cx);
        self.wake_by(cx.now() + CALLED_BACK + Duration::from_secs(1));
    }

    /// Takes another role: links were made for the old one.
    pub(super) fn become_role(&mut self, role: Role, cx: &mut Cx<'_>) {
        if role == self.role {
            return;
        }
        let all: Vec<StreamId> = self.links.iter().map(|link| link.stream).collect();
        // Nobody is called before all are told.
        let joining = std::mem::replace(&mut self.joining, false);
        for stream in all {
            match self.live(stream) {
                Some(_) => self.end(stream, ByeCode::ROLE_CHANGE, "Changing role", cx),
                None => self.drop_shaking(stream, None, cx),
            }
        }
        self.joining = joining;
        (self.role, self.role_since, self.tables) = (role, cx.now(), None);
        self.ultrapeer = (role == Role::Ultrapeer).then(Box::default);
        self.forget_table();
        cx.emit(Event::RoleChanged(role));
        self.look_for_links(cx);
    }
}
