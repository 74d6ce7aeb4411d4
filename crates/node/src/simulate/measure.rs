//! What all scenarios measure alike: searches and what came of them, traffic, and what the run itself cost.

use super::memory;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use throng_machine::Instant;
use throng_overlay::discovery::Ticket;
use throng_sim::{App, HostId, Sim};

/// A search.
#[derive(Clone, Debug)]
struct Asked {
    /// What names the file that ought to be found, in the overlay's terms.
    target: Vec<u8>,
    at: Instant,
    found: Option<Instant>,
    hits: u32,
    stale: u32,
    is_over: bool,
}

/// Searches of one phase: all hosts write into it what they are told.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    asked: BTreeMap<u32, Asked>,
    tickets: u32,
    over: usize,
    /// Users who are not there any more: what they shared is no hit.
    dead: BTreeSet<u32>,
}

impl Ledger {
    /// A search begins; what names it from now on.
    pub fn ask(&mut self, target: impl Into<Vec<u8>>, at: Instant) -> Ticket {
        self.tickets += 1;
        let asked = Asked { target: target.into(), at, found: None, hits: 0, stale: 0, is_over: false };
        self.asked.insert(self.tickets, asked);
        Ticket(self.tickets)
    }

    /// A hit, and the user who has it, if he is known.
    pub fn hit(&mut self, ticket: Ticket, name: &[u8], user: Option<u32>, now: Instant) {
        let Some(asked) = self.asked.get_mut(&ticket.0) else { return };
        if user.is_some_and(|user| self.dead.contains(&user)) {
            asked.stale += 1;
            return;
        }
        asked.hits += 1;
        if name == asked.target {
            asked.found.get_or_insert(now);
        }
    }

    /// A search is over.
    pub fn end(&mut self, ticket: Ticket) {
        let Some(asked) = self.asked.get_mut(&ticket.0) else { return };
        self.over += usize::from(!std::mem::replace(&mut asked.is_over, true));
    }

    /// Whether all are over.
    pub fn are_over(&self) -> bool {
        self.over == self.asked.len()
    }

    /// A user dies.
    pub fn bury(&mut self, user: u32) {
        self.dead.insert(user);
    }

    /// Whether a user is dead.
    pub fn is_dead(&self, user: u32) -> bool {
        self.dead.contains(&user)
    }

    /// The answers to all that was asked since this was last called.
    pub fn take(&mut self) -> Answers {
        self.over = 0;
        let mut answers = Answers::default();
        for asked in std::mem::take(&mut self.asked).into_values() {
            answers.asked += 1;
            answers.hits += u64::from(asked.hits);
            answers.stale += u64::from(asked.stale);
            if let Some(found) = asked.found {
                answers.found += 1;
                answers.millis.push(found.since(asked.at).as_secs_f64() * 1e3);
            }
        }
        answers.millis.sort_by(f64::total_cmp);
        answers
    }
}

/// Answers of one phase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Asked.
    pub asked: u32,
    /// Searches that found what they looked for.
    pub found: u32,
    /// Hits in all.
    pub hits: u64,
    /// Hits beside these whose source is dead.
    pub stale: u64,
    /// Milliseconds until it came, ascending.
    pub millis: Vec<f64>,
}

impl Answers {
    /// The share of the searches that found what they looked for.
    pub fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from(self.asked.max(1))
    }

    /// Hits of a search.
    pub fn hits_each(&self) -> f64 {
        self.hits as f64 / f64::from(self.asked.max(1))
    }
}

/// What left all hosts so far: datagrams and pieces of streams, and their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Datagrams and pieces of streams.
    pub messages: f64,
    /// Bytes.
    pub bytes: f64,
}

impl Traffic {
    /// Up to now, of a network that counts its hosts.
    pub fn of<A: App>(sim: &Sim<A>) -> Traffic {
        let hosts = (0..sim.host_count()).map(|host| sim.probe().host(host));
        hosts.fold(Traffic::default(), |sum, host| Traffic {
            messages: sum.messages + f64::from(host.messages_sent),
            bytes: sum.bytes + host.sent as f64,
        })
    }

    /// What all hosts send in a second while nothing is asked, measured over that time.
    pub fn idle<A: App>(sim: &mut Sim<A>, time: Duration) -> Traffic {
        let before = Traffic::of(sim);
        sim.run_for(time);
        Traffic::of(sim).since(before).scaled(1.0 / time.as_secs_f64())
    }

    /// The difference.
    pub fn since(self, before: Traffic) -> Traffic {
        Traffic { messages: self.messages - before.messages, bytes: self.bytes - before.bytes }
    }

    /// Times a factor.
    pub fn scaled(self, factor: f64) -> Traffic {
        Traffic { messages: self.messages * factor, bytes: self.bytes * factor }
    }
}

/// Counts what something costs over what doing nothing does.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    idle: Traffic,
    begin: Traffic,
    from: Instant,
}

impl Meter {
    /// Begins now; `idle` is the traffic of a second.
    pub fn begin<A: App>(sim: &Sim<A>, idle: Traffic) -> Meter {
        Meter { idle, begin: Traffic::of(sim), from: sim.now() }
    }

    /// What each of so many things cost since; never less than nothing.
    pub fn each<A: App>(&self, sim: &Sim<A>, count: u32) -> Traffic {
        let seconds = sim.now().since(self.from).as_secs_f64();
        let spent = Traffic::of(sim).since(self.begin).since(self.idle.scaled(seconds));
        let spent = spent.scaled(1.0 / f64::from(count.max(1)));
        Traffic { messages: spent.messages.max(0.0), bytes: spent.bytes.max(0.0) }
    }
}

/// Messages sent and received by a host so far.
pub fn messages_of<A: App>(sim: &Sim<A>, host: HostId) -> u64 {
    let host = sim.probe().host(host.0);
    u64::from(host.messages_sent) + u64::from(host.messages_received)
}

/// What a run took, whatever it was about.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Most messages of a host, sent and received.
    pub busiest: u64,
    /// Growth of this program's memory a host.
    pub bytes_per_node: Option<u64>,
    /// Seconds of virtual time.
    pub seconds: f64,
    /// Events.
    pub events: u64,
    /// The trace's hash.
    pub trace: u64,
}

impl Run {
    /// At the end of a run; `before` is the memory of this program before the hosts were made.
    pub fn of<A: App>(sim: &Sim<A>, before: Option<u64>) -> Run {
        let hosts = sim.host_count();
        let grown = memory::peak_resident().zip(before).map(|(peak, before)| peak.saturating_sub(before));
        Run {
            busiest: (0..hosts).map(|host| messages_of(sim, HostId(host))).max().unwrap_or(0),
            bytes_per_node: grown.map(|bytes| bytes / u64::from(hosts.max(1))),
            seconds: seconds(sim),
            events: sim.probe().totals.events,
            trace: sim.trace().hash(),
        }
    }
}

/// Seconds since the start.
pub fn seconds<A: App>(sim: &Sim<A>) -> f64 {
    sim.now().since(Instant::EPOCH).as_secs_f64()
}

/// What came of the searches of a run, and of a failure if there was one.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Seconds until everybody was there and all could be found; `None` if that never was.
    pub formed: Option<f64>,
    /// Before any failure.
    pub answers: Answers,
    /// Messages a search.
    pub messages_per_query: f64,
    /// Bytes a search.
    pub bytes_per_query: f64,
    /// Hosts that died.
    pub killed: u32,
    /// Seconds from the failure until all was well again; `None` if it never was.
    pub healed: Option<f64>,
    /// Searches asked at the failure.
    pub at_once: Option<Answers>,
    /// Searches asked later.
    pub after: Option<Answers>,
    /// The run.
    pub run: Run,
}

impl Figures {
    /// What a search cost.
    pub fn charge(&mut self, each: Traffic) {
        (self.messages_per_query, self.bytes_per_query) = (each.messages, each.bytes);
    }
}

/// The mean; 0 of nothing.
pub fn mean<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    values.iter().map(|value| (*value).into()).sum::<f64>() / values.len().max(1) as f64
}

/// The value within which that share of ascending values lies; 0 of nothing.
pub fn quantile<T: Copy + Into<f64>>(values: &[T], share: f64) -> f64 {
    let index = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(index.min(values.len().saturating_sub(1))).map_or(0.0, |value| (*value).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<u8> = (1..=100).collect();
        assert_eq!((mean(&values), quantile(&values, 0.01), quantile(&values, 0.99)), (50.5, 1.0, 99.0));
        assert_eq!((mean::<u8>(&[]), quantile::<u8>(&[], 0.5)), (0.0, 0.0));
    }

    #[test]
    fn a_hit_of_the_dead_is_none_and_a_search_ends_once() {
        let (mut ledger, start) = (Ledger::default(), Instant::EPOCH);
        let [first, second] = ["moon", "sun"].map(|target| ledger.ask(target, start));
        ledger.bury(7);
        ledger.hit(first, b"moon", Some(7), start);
        ledger.hit(first, b"moonlight", Some(8), start);
        ledger.hit(second, b"sun", None, start + Duration::from_millis(30));
        ledger.end(first);
        ledger.end(first);
        assert!(!ledger.are_over());
        ledger.end(second);
        assert!(ledger.are_over());
        let answers = ledger.take();
        let expected = Answers { asked: 2, found: 1, hits: 2, stale: 1, millis: vec![30.0] };
        assert_eq!((&answers, answers.recall()), (&expected, 0.5));
        assert_eq!(ledger.take(), Answers::default());
    }
}
