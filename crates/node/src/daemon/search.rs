//! Searches: every joined system at once, what they find merged into hits, each system on its own time.

mod proofs;

use super::common::{Common, unix_time};
use super::hits::{self, Hit, Hits, KeptHit};
use super::probe::Probes;
use super::report::{HitReport, SearchRequest, SearchStep, StandingHit};
use super::request::{Refused, Why};
use crate::text;
use proofs::PROBED;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use throng_overlay::discovery::{Command, Item, Query, Refusal, Source, Ticket};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::Instant;

/// Hits of a search unless said, and at most.
const LIMIT: u32 = 100;
const MOST: u32 = 5_000;
/// How long a search may take unless said: complete within two seconds, its last look included.
const TIME: Duration = Duration::from_millis(1_800);
/// Least and most that may be said.
const LEAST_TIME: Duration = Duration::from_secs(1);
const MOST_TIME: Duration = Duration::from_secs(600);
/// A transfer is in no hurry for more sources.
const TRANSFER_TIME: Duration = Duration::from_secs(10);
/// Systems are told of so much less time, so that their last word comes in it.
const MARGIN: Duration = Duration::from_millis(100);
/// A flood never says that it is over: so long nothing was heard, and all others are done.
const QUIET: Duration = Duration::from_millis(600);
/// A hit that no source has answered for yet is told after this all the same.
const HOLD: Duration = Duration::from_millis(500);
/// How long a search whose systems are done waits for signatures and probes.
const PROOFS: Duration = Duration::from_millis(1_500);
/// Searches at once.
const AT_ONCE: usize = 32;
/// Words of one search, and their length in all.
const MAX_WORDS: usize = 32;
const MAX_LENGTH: usize = 400;
/// What is kept in the home.
const KIND: &str = "hit";

/// All searches under way, and all hits.
pub(super) struct Searches {
    common: Rc<Common>,
    pub(super) hits: Hits,
    running: BTreeMap<Ticket, Search>,
    probes: Probes,
    /// Hits of standing searches, since they were last taken.
    standing: Vec<(String, StandingHit)>,
}

/// Whom a search is for.
pub(super) enum For {
    /// Somebody who reads its steps.
    Person(mpsc::Sender<SearchStep>),
    /// A transfer that wants more sources.
    Transfer(String),
    /// A standing search.
    Standing(String),
}

struct Search {
    words: Vec<String>,
    whom: For,
    limit: usize,
    pending: BTreeSet<&'static str>,
    begun: Instant,
    deadline: Instant,
    /// Somebody said how long: then a flood has all that time.
    patient: bool,
    /// When a system found something last.
    heard: Instant,
    /// When all systems were done.
    quiet: Option<Instant>,
    found: BTreeSet<String>,
    told: BTreeSet<String>,
    /// When the first hit was told.
    first: Option<Duration>,
    /// Hits that wait for a source to answer, since when, and whether they are published here.
    held: BTreeMap<String, (Instant, bool)>,
    /// Signatures and probes under way, by hit.
    proofs: BTreeMap<String, usize>,
    looked_up: BTreeSet<String>,
    /// Holders asked what their copy is.
    linked: u32,
}

/// What a system found for a transfer.
pub(super) struct ForTransfer {
    pub(super) transfer: String,
    pub(super) item: Item,
    pub(super) source: Source,
}

impl Searches {
    pub(super) fn new(common: Rc<Common>) -> Searches {
        let mut hits = Hits::default();
        for (_, value) in common.library.kept(KIND) {
            if let Ok(kept) = serde_json::from_slice::<KeptHit>(&value) {
                hits.restore(kept.back());
            }
        }
        Searches { common, hits, running: BTreeMap::new(), probes: Probes::default(), standing: Vec::new() }
    }

    /// Begins a search for a person.
    pub(super) fn begin(
        &mut self,
        request: SearchRequest,
        listener: mpsc::Sender<SearchStep>,
    ) -> Result<(), Refused> {
        self.check(&request.words, &request.systems)?;
        if self.running.len() >= AT_ONCE {
            return Err(Refused::new(Why::Busy, "too many searches at once; try again"));
        }
        let limit = request.limit.unwrap_or(LIMIT).clamp(1, MOST);
        let time =
            request.timeout_seconds.map(|seconds| Duration::from_secs(seconds).clamp(LEAST_TIME, MOST_TIME));
        self.start((request.words, request.systems), (limit, time), For::Person(listener));
        Ok(())
    }

    /// Whether there are words to search for, and systems to ask.
    pub(super) fn check(&self, words: &[String], systems: &[String]) -> Result<(), Refused> {
        let wrong = |reason: String| Err(Refused::new(Why::Wrong, reason));
        let length: usize = words.iter().map(String::len).sum();
        if words.len() > MAX_WORDS || length > MAX_LENGTH {
            return wrong(format!("at most {MAX_WORDS} words of {MAX_LENGTH} bytes in all"));
        }
        if !words.iter().any(|word| word.chars().any(char::is_alphanumeric)) {
            return wrong("there is no word to search for".into());
        }
        let can: Vec<_> = self.common.systems.iter().filter(|system| system.searches()).collect();
        if let Some(name) = systems.iter().find(|name| !can.iter().any(|system| system.name() == *name)) {
            let names = can.iter().map(|system| system.name()).collect::<Vec<_>>().join(", ");
            let named = text::line(name);
            return wrong(match names.as_str() {
                "" => {
                    "this node takes part in no system that can be searched; see: throng join --help".into()
                }
                names => format!("{named} is no system that this node can search; it has {names}"),
            });
        }
        if can.is_empty() {
            let reason = "this node takes part in no system that can be searched; see: throng join --help";
            return Err(Refused::new(Why::Conflict, reason));
        }
        Ok(())
    }

    /// Asks a standing search again; false if there is no room for it now.
    pub(super) fn begin_standing(&mut self, id: String, words: Vec<String>, systems: Vec<String>) {
        if self.running.len() < AT_ONCE {
            self.start((words, systems), (LIMIT, Some(TRANSFER_TIME)), For::Standing(id));
        }
    }

    /// Hits of standing searches that were not told yet.
    pub(super) fn take_standing(&mut self) -> Vec<(String, StandingHit)> {
        std::mem::take(&mut self.standing)
    }

    /// Looks for more sources of what a transfer fetches.
    pub(super) fn begin_for(&mut self, transfer: &str, title: &str) {
        let words: Vec<String> = title
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.chars().count() > 1)
            .map(str::to_owned)
            .take(6)
            .collect();
        let twice =
            self.running.values().any(|search| matches!(&search.whom, For::Transfer(id) if id == transfer));
        if !words.is_empty() && !twice && self.running.len() < AT_ONCE {
            self.start((words, Vec::new()), (LIMIT, Some(TRANSFER_TIME)), For::Transfer(transfer.to_owned()));
        }
    }

    fn start(
        &mut self,
        (words, systems): (Vec<String>, Vec<String>),
        (limit, time): (u32, Option<Duration>),
        whom: For,
    ) {
        let ticket = self.common.ticket();
        let (now, patient, time) = (Instant::now(), time.is_some(), time.unwrap_or(TIME));
        let query = Query { words: words.clone(), limit, timeout: time - MARGIN };
        let wanted = |name: &str| systems.is_empty() || systems.iter().any(|system| system == name);
        let joined = self.common.joined.borrow().clone();
        let able = self.common.systems.iter().filter(|system| system.searches() && wanted(system.name()));
        let (asked, not): (Vec<_>, Vec<_>) = able.partition(|system| joined.contains(system.name()));
        let search = Search {
            words,
            whom,
            limit: limit as usize,
            pending: asked.iter().map(|system| system.name()).collect(),
            begun: now,
            deadline: now + time,
            patient,
            heard: now,
            quiet: asked.is_empty().then_some(now),
            found: BTreeSet::new(),
            told: BTreeSet::new(),
            first: None,
            held: BTreeMap::new(),
            proofs: BTreeMap::new(),
            looked_up: BTreeSet::new(),
            linked: 0,
        };
        if let For::Person(listener) = &search.whom {
            let systems = search.pending.iter().map(|name| String::from(*name)).collect();
            say(listener, SearchStep::Asked { systems });
            for system in not {
                let trouble = Some("it has not let this node in yet".into());
                say(listener, SearchStep::SystemDone { system: system.name().to_owned(), trouble });
            }
        }
        self.running.insert(ticket, search);
        for system in asked {
            system.command(Command::Find(ticket, query.clone()));
        }
    }

    /// A system found something; `own` says whether it is published here.
    pub(super) fn on_found(
        &mut self,
        system: &'static str,
        (ticket, item, source): (Ticket, Item, Source),
        own: impl Fn(&Item) -> bool,
    ) -> Option<ForTransfer> {
        let search = self.running.get_mut(&ticket)?;
        if let For::Transfer(transfer) = &search.whom {
            return Some(ForTransfer { transfer: transfer.clone(), item, source });
        }
        search.heard = Instant::now();
        let mine = own(&item);
        let (id, new) = self.hits.absorb(system, item, source.clone(), unix_time());
        let full = search.found.len() >= search.limit && !search.found.contains(&id);
        let again = !new && search.found.contains(&id);
        let proved = self.hits.get(&id).is_none_or(|hit| hit.is_live() || hit.probed.len() >= PROBED);
        if full || again && proved {
            return None;
        }
        let first = search.found.insert(id.clone());
        if search.found.len() >= search.limit {
            search.quiet.get_or_insert(search.heard);
        }
        let asking = |(other, search): (&Ticket, &Search)| *other != ticket && search.found.contains(&id);
        if first && !self.running.iter().any(asking) {
            self.hits.forget_answers(&id);
        }
        self.prove(ticket, &id, &source);
        if !again {
            self.show(ticket, &id, mine);
        }
        None
    }

    /// Tells a hit once a source of it has answered, or nobody is asked any more; until then it is held a while.
    fn show(&mut self, ticket: Ticket, id: &str, own: bool) {
        let Some(search) = self.running.get_mut(&ticket) else { return };
        let is_live = self.hits.get(id).is_some_and(Hit::is_live);
        let is_asked = search.proofs.get(id).is_some_and(|open| *open > 0);
        if own || is_live || !is_asked || search.told.contains(id) {
            self.tell(ticket, id, own);
        } else {
            search.held.entry(id.to_owned()).or_insert_with(|| (Instant::now(), own));
        }
    }

    fn tell(&mut self, ticket: Ticket, id: &str, own: bool) {
        let Some(search) = self.running.get_mut(&ticket) else { return };
        search.held.remove(id);
        search.told.insert(id.to_owned());
        search.first.get_or_insert(search.begun.elapsed());
        let Some(hit) = self.hits.report(id, &search.words, own) else { return };
        match &search.whom {
            For::Person(listener) => say(listener, SearchStep::Hit { hit: Box::new(hit) }),
            For::Standing(search) if !own && (hit.live > 0 || hit.checked == 0) => {
                let HitReport { id, title, size, .. } = hit;
                let hit = StandingHit { id, title, size, found_at: unix_time() };
                self.standing.push((search.clone(), hit));
            }
            For::Standing(_) | For::Transfer(_) => {}
        }
    }

    /// Tells what has been held long enough, or all.
    fn tell_held(&mut self, ticket: Ticket, all: bool) {
        let Some(search) = self.running.get(&ticket) else { return };
        let due = search.held.iter().filter(|(_, (since, _))| all || since.elapsed() >= HOLD);
        let due: Vec<(String, bool)> = due.map(|(id, (_, own))| (id.clone(), *own)).collect();
        due.into_iter().for_each(|(id, own)| self.tell(ticket, &id, own));
    }

    /// A system has nothing more.
    pub(super) fn on_finished(&mut self, system: &'static str, ticket: Ticket, refusal: Option<Refusal>) {
        let Some(search) = self.running.get_mut(&ticket) else { return };
        if !search.pending.remove(system) {
            return;
        }
        if let For::Person(listener) = &search.whom {
            let trouble = refusal.map(|refusal| {
                match refusal {
                    Refusal::NotJoined => "it has not let this node in yet",
                    Refusal::Busy => "it is busy; try again",
                    Refusal::EmptyQuery => "it has no word to search for in this",
                    Refusal::MissingHash => "it names files by a hash that this one lacks",
                }
                .to_owned()
            });
            say(listener, SearchStep::SystemDone { system: system.to_owned(), trouble });
        }
        if search.pending.is_empty() {
            search.quiet = Some(Instant::now());
        }
    }

    /// Whether searches are under way that time may end.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.running.is_empty()
    }

    /// Ends searches that are over, or that nobody reads any more.
    pub(super) fn sweep(&mut self) {
        let now = Instant::now();
        let tickets: Vec<Ticket> = self.running.keys().copied().collect();
        for ticket in tickets {
            self.tell_held(ticket, false);
            self.end_floods(ticket);
            let Some(search) = self.running.get(&ticket) else { continue };
            let proved = search.proofs.values().all(|open| *open == 0);
            let done = search.quiet.is_some_and(|since| proved || now >= since + PROOFS);
            let gone = matches!(&search.whom, For::Person(listener) if listener.is_closed());
            if done || gone || now >= search.deadline {
                self.end(ticket);
            }
        }
    }

    /// Floods that are all that is left, and have been quiet, are over: they never say so.
    fn end_floods(&mut self, ticket: Ticket) {
        let Some(search) = self.running.get(&ticket) else { return };
        if search.patient || search.heard.elapsed() < QUIET {
            return;
        }
        let left = self.common.systems.iter().filter(|system| search.pending.contains(system.name()));
        let left: Vec<_> = left.cloned().collect();
        if left.iter().all(|system| !system.ends_searches()) {
            for system in left {
                system.command(Command::Cancel(ticket));
                self.on_finished(system.name(), ticket, None);
            }
        }
    }

    fn end(&mut self, ticket: Ticket) {
        self.tell_held(ticket, true);
        let Some(search) = self.running.remove(&ticket) else { return };
        for system in self.common.systems.iter().filter(|system| search.pending.contains(system.name())) {
            system.command(Command::Cancel(ticket));
        }
        for hit in search.found.iter().filter_map(|id| self.hits.get(id)) {
            if let Ok(value) = serde_json::to_vec(&KeptHit::of(hit)) {
                self.common.library.keep(KIND, &hit.id, &value, Duration::from_secs(hits::LIFE));
            }
        }
        if let For::Person(listener) = search.whom {
            let silent = search.pending.iter().map(|name| String::from(*name)).collect();
            let dead = search.found.iter().filter_map(|id| self.hits.get(id)).filter(|hit| hit.is_dead());
            let dead = dead.count();
            let done = SearchStep::Done {
                hits: search.found.len() - dead,
                dead,
                silent,
                first_ms: search.first.map(millis),
                took_ms: millis(search.begun.elapsed()),
            };
            spawn_local(async move { listener.send(done).await });
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Who reads too slowly misses what will be told again with the next change.
fn say(listener: &mpsc::Sender<SearchStep>, step: SearchStep) {
    let _ = listener.try_send(step);
}
