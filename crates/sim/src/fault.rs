//! What goes wrong on purpose: hosts stop and start, the network splits and heals, streams are cut.

use crate::config::micros;
use crate::queue::Event;
use crate::trace::Kind;
use crate::world::World;
use crate::{Departure, Profile, ProfileId};
use std::ops::Range;

/// Hosts by number.
pub type Hosts = Range<u32>;

/// Something that happens to hosts or to the network.
#[derive(Clone, PartialEq, Debug)]
pub enum Incident {
    /// Hosts start, for the first time or again; those that are up stay so.
    Start(Hosts),
    /// Hosts stop.
    Stop(Hosts, Departure),
    /// Hosts of different groups can't talk; hosts in no group form one of their own. Replaces an earlier partition.
    Partition(Vec<Hosts>),
    /// The partition is over.
    Heal,
    /// All streams of these hosts break at both ends.
    Cut(Hosts),
    /// Hosts get another profile: slow links, a failing disk, a NAT.
    Change(Hosts, ProfileId),
}

impl World {
    /// A host's network side starts; `false` if it was up.
    pub(crate) fn start(&mut self, host: u32) -> bool {
        if std::mem::replace(&mut self.hosts[host as usize].up, true) {
            return false;
        }
        self.trace.note(self.now, host, Kind::Start, 0);
        if let Some(churn) = self.kind(host).profile.churn {
            let slot = &mut self.hosts[host as usize];
            let stay = micros(churn.session.draw(&mut slot.rng));
            let life = slot.life;
            self.task_after(stay, crate::world::Task::Stop { host, life, departure: churn.departure });
        }
        true
    }

    /// A host's network side stops: its streams end, its queues are lost; `false` if it was not up.
    pub(crate) fn stop(&mut self, host: u32, departure: Departure) -> bool {
        let slot = &mut self.hosts[host as usize];
        if !std::mem::replace(&mut slot.up, false) {
            return false;
        }
        slot.life = slot.life.wrapping_add(1);
        slot.timer = None;
        self.trace.note(self.now, host, Kind::Stop, 0);
        for end in self.hosts[host as usize].nic.as_ref().map_or(Vec::new(), |nic| nic.ends()) {
            self.abandon(end, departure);
        }
        // Streams closed before but not yet drained.
        while let Some(end) = self.pop_ready(host) {
            if self.end(end).sending {
                self.tell_peer(end, departure);
            }
            self.drop_queue(end);
            self.release(end);
        }
        let current = self.hosts[host as usize].nic.take().map(|nic| nic.current);
        if let Some(chunk) = current.filter(|chunk| *chunk != crate::pool::NONE) {
            let end = self.chunks[chunk].end;
            if self.end(end).sending {
                self.tell_peer(end, departure);
            }
            self.drop_queue(end);
            self.free_chunk(chunk);
            self.release(end);
        }
        true
    }

    fn abandon(&mut self, end: u32, departure: Departure) {
        self.detach(end);
        self.tell_peer(end, departure);
        self.drop_queue(end);
        self.free_if_unused(end);
    }

    fn tell_peer(&mut self, end: u32, departure: Departure) {
        let peer = end ^ 1;
        if !self.end(peer).attached {
            return;
        }
        let soon = (self.now + self.conn(end).latency).max(self.end(end).last_arrival);
        match departure {
            Departure::Exit => self.notify(soon, peer, Event::Finished(peer)),
            Departure::Reset => self.notify(soon, peer, Event::Broken(peer)),
            Departure::Silent => {
                let late = soon.saturating_add(micros(self.network.silence));
                self.notify(late, peer, Event::Broken(peer));
            }
        }
    }

    /// Sets the groups that can't talk to each other; returns chunks that may now go on, in order.
    pub(crate) fn partition(&mut self, groups: &[Hosts]) -> Vec<u32> {
        self.groups.clear();
        if !groups.is_empty() {
            self.groups.resize(self.hosts.len(), 0);
            for (number, hosts) in (1u16..).zip(groups) {
                for host in self.existing(hosts) {
                    self.groups[host as usize] = number;
                }
            }
            self.doom_crossing();
        }
        self.unpark()
    }

    /// Breaks all streams of a host.
    pub(crate) fn cut(&mut self, host: u32) {
        for end in self.hosts[host as usize].nic.as_ref().map_or(Vec::new(), |nic| nic.ends()) {
            self.drop_queue(end);
            self.drop_queue(end ^ 1);
            self.break_both(end);
        }
    }

    pub(crate) fn existing(&self, hosts: &Hosts) -> Hosts {
        let count = self.hosts.len() as u32;
        hosts.start.min(count)..hosts.end.min(count)
    }

    pub(crate) fn change(&mut self, hosts: &Hosts, profile: ProfileId) {
        if usize::from(profile.0) < self.kinds.len() {
            for host in self.existing(hosts) {
                self.profiles[host as usize] = profile.0;
            }
        }
    }

    /// Whether the two ends of a connection can't reach each other now.
    pub(crate) fn is_split(&self, conn: u32) -> bool {
        let [one, other] = &self.conns[conn].ends;
        !self.can_talk(one.host, other.host)
    }
}

impl Profile {
    /// When the host comes back after leaving by churn.
    pub(crate) fn absence(&self) -> Option<crate::Lasting> {
        self.churn.and_then(|churn| churn.absence)
    }
}
