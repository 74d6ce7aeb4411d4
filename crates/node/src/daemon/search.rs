//! Searches: every joined system at once, what they find merged into hits, each system on its own time.

use super::common::{Common, Happening, unix_time};
use super::hits::{self, Hits, KeptHit};
use super::probe::Probes;
use super::record;
use super::report::{SearchRequest, SearchStep};
use super::request::{Refused, Why};
use crate::text;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use throng_overlay::discovery::{Command, Item, Query, Refusal, Source, Ticket};
use throng_overlay::publication::Verified;
use throng_wire::magnet::Magnet;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::Instant;

/// Hits of a search unless said, and at most.
const LIMIT: u32 = 100;
const MOST: u32 = 5_000;
/// How long a search may take unless said, and at most.
const TIME: Duration = Duration::from_secs(10);
const MOST_TIME: Duration = Duration::from_secs(600);
/// What systems may take beyond that before they are given up.
const GRACE: Duration = Duration::from_secs(1);
/// How long a search whose systems are done waits for signatures and probes.
const PROOFS: Duration = Duration::from_millis(1_500);
/// Searches at once.
const AT_ONCE: usize = 32;
/// Words of one search, and their length in all.
const MAX_WORDS: usize = 32;
const MAX_LENGTH: usize = 400;
/// Sources of one hit that are asked whether they are there.
const PROBED: usize = 3;
/// Holders that are asked what their copy is, in one search, and how long each may take.
const MOST_LINKED: u32 = 32;
const LINK_TIME: Duration = Duration::from_secs(5);
/// What is kept in the home.
const KIND: &str = "hit";

/// All searches under way, and all hits.
pub(super) struct Searches {
    common: Rc<Common>,
    pub(super) hits: Hits,
    running: BTreeMap<Ticket, Search>,
    probes: Probes,
}

/// Whom a search is for.
pub(super) enum For {
    /// Somebody who reads its steps.
    Person(mpsc::Sender<SearchStep>),
    /// A transfer that wants more sources.
    Transfer(String),
}

struct Search {
    words: Vec<String>,
    whom: For,
    limit: usize,
    pending: BTreeSet<&'static str>,
    deadline: Instant,
    /// When all systems were done.
    quiet: Option<Instant>,
    found: BTreeSet<String>,
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
        Searches { common, hits, running: BTreeMap::new(), probes: Probes::default() }
    }

    /// Begins a search for a person.
    pub(super) fn begin(
        &mut self,
        request: SearchRequest,
        listener: mpsc::Sender<SearchStep>,
    ) -> Result<(), Refused> {
        let wrong = |reason: String| Err(Refused::new(Why::Wrong, reason));
        let length: usize = request.words.iter().map(String::len).sum();
        if request.words.len() > MAX_WORDS || length > MAX_LENGTH {
            return wrong(format!("at most {MAX_WORDS} words of {MAX_LENGTH} bytes in all"));
        }
        if !request.words.iter().any(|word| word.chars().any(char::is_alphanumeric)) {
            return wrong("there is no word to search for".into());
        }
        if self.running.len() >= AT_ONCE {
            return Err(Refused::new(Why::Busy, "too many searches at once; try again"));
        }
        let can: Vec<_> = self.common.systems.iter().filter(|system| system.searches()).collect();
        if let Some(name) =
            request.systems.iter().find(|name| !can.iter().any(|system| system.name() == *name))
        {
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
        let limit = request.limit.unwrap_or(LIMIT).clamp(1, MOST);
        let time = request.timeout_seconds.map_or(TIME, Duration::from_secs).clamp(GRACE, MOST_TIME);
        self.start((request.words, request.systems), (limit, time), For::Person(listener));
        Ok(())
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
            self.start((words, Vec::new()), (LIMIT, TIME), For::Transfer(transfer.to_owned()));
        }
    }

    fn start(
        &mut self,
        (words, systems): (Vec<String>, Vec<String>),
        (limit, time): (u32, Duration),
        whom: For,
    ) {
        let ticket = self.common.ticket();
        let query = Query { words: words.clone(), limit, timeout: time };
        let wanted = |name: &str| systems.is_empty() || systems.iter().any(|system| system == name);
        let joined = self.common.joined.borrow().clone();
        let able = self.common.systems.iter().filter(|system| system.searches() && wanted(system.name()));
        let (asked, not): (Vec<_>, Vec<_>) = able.partition(|system| joined.contains(system.name()));
        let search = Search {
            words,
            whom,
            limit: limit as usize,
            pending: asked.iter().map(|system| system.name()).collect(),
            deadline: Instant::now() + time + GRACE,
            quiet: asked.is_empty().then(Instant::now),
            found: BTreeSet::new(),
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
        let mine = own(&item);
        let (id, new) = self.hits.absorb(system, item, source.clone(), unix_time());
        let full = search.found.len() >= search.limit && !search.found.contains(&id);
        if full || !new && search.found.contains(&id) {
            return None;
        }
        search.found.insert(id.clone());
        self.prove(ticket, &id, &source);
        self.tell(ticket, &id, mine);
        None
    }

    /// Looks for its signature, once. The first system to name it may not know its swarm, under which signatures are
    /// kept.
    fn look_up(&mut self, ticket: Ticket, id: &str) {
        let (Some(search), Some(hit)) = (self.running.get_mut(&ticket), self.hits.get(id)) else { return };
        if !search.looked_up.contains(id) && record::look_up(&self.common, id, &hit.item) {
            search.looked_up.insert(id.to_owned());
            *search.proofs.entry(id.to_owned()).or_default() += 1;
        }
    }

    /// Looks for its signature, and asks a few of its sources whether they are there.
    fn prove(&mut self, ticket: Ticket, id: &str, source: &Source) {
        self.look_up(ticket, id);
        let (Some(search), Some(hit)) = (self.running.get_mut(&ticket), self.hits.get(id)) else { return };
        let mut begun = 0;
        if hit.probed.len() < PROBED
            && !hit.probed.contains_key(source)
            && let Some(info_hash) = hit.item.info_hash
            && self.probes.ask(&self.common, id, source, info_hash)
        {
            begun += 1;
        }
        if !hits::is_provable(&hit.item) && search.linked < MOST_LINKED {
            search.linked += 1;
            ask_link(&self.common, id, source);
            begun += 1;
        }
        *search.proofs.entry(id.to_owned()).or_default() += begun;
    }

    /// What a holder says its copy is: perhaps it is a hit that is known already.
    pub(super) fn on_linked(&mut self, id: &str, link: Option<&str>, own: impl Fn(&Item) -> bool) {
        let told = link.and_then(|link| link.parse::<Magnet>().ok());
        let Some(told) = told else { return self.proved(id, false, own) };
        let peers = hits::peers_of(&told).filter(|at| self.common.bittorrent.may_call(*at));
        let peers: Vec<Source> = peers.map(|at| Source::Swarm(at.into())).collect();
        let into = self.hits.learned(id, hits::item_of(&told));
        self.hits.add_sources(into.as_deref().unwrap_or(id), peers);
        let tickets: Vec<Ticket> = self.running.keys().copied().collect();
        let now = into.as_deref().unwrap_or(id);
        let found = |search: &Search| search.found.contains(id) || search.found.contains(now);
        for ticket in &tickets {
            if self.running.get(ticket).is_some_and(found) {
                self.look_up(*ticket, now);
            }
        }
        self.proved(id, into.is_none(), &own);
        let Some(into) = into else { return };
        let mine = self.hits.get(&into).is_some_and(|hit| own(&hit.item));
        for ticket in tickets {
            let Some(search) = self.running.get_mut(&ticket) else { continue };
            if search.found.remove(id) {
                search.found.insert(into.clone());
                self.tell(ticket, &into, mine);
            }
        }
    }

    fn tell(&self, ticket: Ticket, id: &str, own: bool) {
        let Some(search) = self.running.get(&ticket) else { return };
        let For::Person(listener) = &search.whom else { return };
        if let Some(hit) = self.hits.report(id, &search.words, own) {
            say(listener, SearchStep::Hit { hit: Box::new(hit) });
        }
    }

    /// What was signed of a hit.
    pub(super) fn on_signed(&mut self, id: &str, records: &[Verified], own: impl Fn(&Item) -> bool) {
        let new = self.hits.signed(id, records);
        self.proved(id, new, own);
    }

    /// Whether a source is there.
    pub(super) fn on_probed(
        &mut self,
        id: &str,
        (source, live): (Source, bool),
        own: impl Fn(&Item) -> bool,
    ) {
        self.hits.probed(id, source, live);
        self.proved(id, true, own);
    }

    fn proved(&mut self, id: &str, new: bool, own: impl Fn(&Item) -> bool) {
        let mine = self.hits.get(id).is_some_and(|hit| own(&hit.item));
        let tickets: Vec<Ticket> = self.running.keys().copied().collect();
        for ticket in tickets {
            let Some(search) = self.running.get_mut(&ticket) else { continue };
            if let Some(open) = search.proofs.get_mut(id) {
                *open = open.saturating_sub(1);
                if new {
                    self.tell(ticket, id, mine);
                }
            }
        }
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
            let Some(search) = self.running.get(&ticket) else { continue };
            let proved = search.proofs.values().all(|open| *open == 0);
            let done = search.quiet.is_some_and(|since| proved || now >= since + PROOFS);
            let gone = matches!(&search.whom, For::Person(listener) if listener.is_closed());
            if done || gone || now >= search.deadline {
                self.end(ticket);
            }
        }
    }

    fn end(&mut self, ticket: Ticket) {
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
            let done = SearchStep::Done { hits: search.found.len(), silent };
            spawn_local(async move { listener.send(done).await });
        }
    }
}

/// Asks the holder of a copy what it is; told as [`Happening::Linked`].
fn ask_link(common: &Common, hit: &str, source: &Source) {
    let system = common.systems.iter().find(|system| system.name() == source.system());
    let (work, teller, hit) = (system.map(|system| system.magnet(source)), common.teller(), hit.to_owned());
    spawn_local(async move {
        let link = match work {
            Some(work) => tokio::time::timeout(LINK_TIME, work).await.ok().flatten(),
            None => None,
        };
        let _ = teller.send(Happening::Linked { hit, link: link.map(|magnet| magnet.link) });
    });
}

/// Who reads too slowly misses what will be told again with the next change.
fn say(listener: &mpsc::Sender<SearchStep>, step: SearchStep) {
    let _ = listener.try_send(step);
}
