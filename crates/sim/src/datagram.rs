//! Datagrams: lost, doubled, held back, filtered by NATs, or delivered.

use crate::config::{Nat, Network, chance, micros};
use crate::host::{endpoint, occupy};
use crate::nat::public_port;
use crate::payload::Message;
use crate::queue::Event;
use crate::world::World;
use throng_machine::{Endpoint, Entropy, Via};

/// A datagram under way; a cache line.
#[derive(Default, Debug)]
#[repr(align(64))]
pub(crate) struct Packet {
    pub message: Message,
    pub from: u32,
    pub to: u32,
    pub from_port: u16,
    pub to_port: u16,
    /// Whether it has waited its turn at the receiver's downlink.
    queued: bool,
}

impl Packet {
    pub(crate) fn source(&self) -> Endpoint {
        endpoint(self.from, self.from_port)
    }
}

impl World {
    pub(crate) fn send_datagram(&mut self, host: u32, via: Via, to: Endpoint, bytes: &[u8]) {
        let totals = &mut self.probe.totals;
        totals.datagrams_sent += 1;
        totals.datagram_bytes += bytes.len() as u64;
        let slot = &mut self.hosts[host as usize];
        slot.packets = slot.packets.wrapping_add(1);
        let packet = u64::from(slot.packets);
        self.probe.sent(host, bytes.len() as u64);
        let target = self.resolve(to).filter(|_| via == Via::Udp && bytes.len() <= self.network.mtu);
        let (Some(target), Some(wait)) = (target, self.leave_uplink(host, bytes.len() as u64)) else {
            self.probe.totals.datagrams_dropped += 1;
            return;
        };
        let from_port = self.translate(host, to);
        let delay = wait + self.latency(host, target);
        let copies = self.fate(host, target, packet);
        if copies.iter().all(Option::is_none) {
            self.probe.totals.datagrams_dropped += 1;
        }
        for extra in copies.into_iter().flatten() {
            let index = self.packets.insert(Packet {
                message: Message::new(bytes),
                from: host,
                to: target,
                from_port,
                to_port: to.port(),
                queued: false,
            });
            self.after(delay + extra, Event::Packet(index));
        }
    }

    /// How long (µs) until the bytes have left the uplink; `None` if its queue is full.
    fn leave_uplink(&mut self, host: u32, bytes: u64) -> Option<u64> {
        let rate = self.kind(host).profile.up;
        if rate.is_none() {
            return Some(0);
        }
        let (now, limit) = (self.now, micros(self.network.queue_limit));
        let nic = self.nic(host);
        if nic.up_free / 1_000 > now.saturating_add(limit) {
            return None;
        }
        Some(occupy(&mut nic.up_free, rate, now, bytes) - now)
    }

    /// The source port others see; the NAT takes note.
    fn translate(&mut self, host: u32, to: Endpoint) -> u16 {
        let (nat, port) = (self.kind(host).profile.nat, self.kind(host).profile.port);
        if nat != Nat::Open {
            let (now, timeout) = (self.now, micros(self.network.nat_timeout));
            self.nic(host).nat.get_or_insert_default().outbound(to, now, timeout);
        }
        public_port(nat, port, self.seed, host, to)
    }

    /// The extra delays of up to two copies.
    fn fate(&mut self, from: u32, to: u32, packet: u64) -> [Option<u64>; 2] {
        let access = [self.kind(from).profile.loss, self.kind(to).profile.loss];
        let Network { loss, duplicate, reorder, reorder_by, .. } = self.network;
        if loss + duplicate + reorder + access[0] + access[1] == 0.0 && self.jitter == 0 {
            return [Some(0), None];
        }
        let mut rng = self.draw(from, to, packet);
        if [loss, access[0], access[1]].into_iter().any(|share| chance(&mut rng, share)) {
            return [None, None];
        }
        let doubled = chance(&mut rng, duplicate);
        let mut delay = || {
            let held = if chance(&mut rng, reorder) { rng.next_u64() % (micros(reorder_by) + 1) } else { 0 };
            held + rng.next_u64() % (self.jitter + 1)
        };
        [Some(delay()), doubled.then(delay)]
    }

    /// A datagram is there: whether the machine gets it now, or later, or (`false`, freed) never.
    pub(crate) fn packet_arrives(&mut self, index: u32) -> bool {
        let Packet { from, to, queued, .. } = self.packets[index];
        let source = self.packets[index].source();
        let len = self.packets[index].message.bytes().len() as u64;
        let let_in = self.slot(to).up && self.can_talk(from, to) && self.lets_in(index, source);
        if let_in && (queued || self.kind(to).profile.down.is_none()) {
            return true;
        }
        let (now, rate) = (self.now, self.kind(to).profile.down);
        let limit = now.saturating_add(micros(self.network.queue_limit)).saturating_mul(1_000);
        if !let_in || self.nic(to).down_free > limit {
            self.probe.totals.datagrams_dropped += 1;
            self.packets.remove(index);
            return false;
        }
        let nic = self.nic(to);
        let waits = nic.down_free.div_ceil(1_000) >= now;
        let through = occupy(&mut nic.down_free, rate, now, len);
        if waits {
            self.packets[index].queued = true;
            self.queue.push(through, Event::Packet(index));
        }
        !waits
    }

    fn lets_in(&self, index: u32, source: Endpoint) -> bool {
        let Packet { to, to_port, .. } = self.packets[index];
        let profile = &self.kind(to).profile;
        if profile.nat == Nat::Open {
            return to_port == profile.port;
        }
        let timeout = micros(self.network.nat_timeout);
        let table = self.slot(to).nic.as_ref().and_then(|nic| nic.nat.as_ref());
        to_port == public_port(profile.nat, profile.port, self.seed, to, source)
            && table.is_some_and(|table| table.admits(profile.nat, source, self.now, timeout))
    }
}
