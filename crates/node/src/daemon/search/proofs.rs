//! Whether what a search found is there, what it is, and who signed it.

use super::super::common::{Common, Happening};
use super::super::{hits, record};
use super::{Search, Searches};
use std::time::Duration;
use throng_overlay::discovery::{Item, Source, Ticket};
use throng_overlay::publication::Verified;
use throng_wire::magnet::Magnet;
use tokio::task::spawn_local;

/// Sources of one hit that are asked whether they are there.
pub(super) const PROBED: usize = 3;
/// Holders that are asked what their copy is, in one search, and how long each may take.
const MOST_LINKED: u32 = 32;
const LINK_TIME: Duration = Duration::from_secs(5);

impl Searches {
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
    pub(super) fn prove(&mut self, ticket: Ticket, id: &str, source: &Source) {
        self.look_up(ticket, id);
        let (Some(search), Some(hit)) = (self.running.get_mut(&ticket), self.hits.get(id)) else { return };
        let mut begun = 0;
        if hit.probed.len() < PROBED
            && !hit.probed.contains_key(source)
            && self.probes.ask(&self.common, id, &hit.item, source)
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
    pub(in crate::daemon) fn on_linked(
        &mut self,
        id: &str,
        (source, live, link): (Source, Option<bool>, Option<&str>),
        own: impl Fn(&Item) -> bool,
    ) {
        if let Some(live) = live {
            self.hits.probed(id, source, live);
        }
        let told = link.and_then(|link| link.parse::<Magnet>().ok());
        let Some(told) = told else { return self.proved(id, live.is_some(), own) };
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
                search.held.remove(id);
                search.found.insert(into.clone());
                self.show(ticket, &into, mine);
            }
        }
    }

    /// What was signed of a hit.
    pub(in crate::daemon) fn on_signed(
        &mut self,
        id: &str,
        records: &[Verified],
        own: impl Fn(&Item) -> bool,
    ) {
        let new = self.hits.signed(id, records);
        self.proved(id, new, own);
    }

    /// Whether a source is there, if that could be found out.
    pub(in crate::daemon) fn on_probed(
        &mut self,
        id: &str,
        (source, live): (Source, Option<bool>),
        own: impl Fn(&Item) -> bool,
    ) {
        if let Some(live) = live {
            self.hits.probed(id, source, live);
        }
        self.proved(id, live.is_some(), own);
    }

    fn proved(&mut self, id: &str, new: bool, own: impl Fn(&Item) -> bool) {
        let mine = self.hits.get(id).is_some_and(|hit| own(&hit.item));
        let tickets: Vec<Ticket> = self.running.keys().copied().collect();
        for ticket in tickets {
            let Some(search) = self.running.get_mut(&ticket) else { continue };
            if let Some(open) = search.proofs.get_mut(id) {
                *open = open.saturating_sub(1);
                if new || search.held.contains_key(id) {
                    self.show(ticket, id, mine);
                }
            }
        }
    }
}

/// Asks the holder of a copy what it is; told as [`Happening::Linked`].
fn ask_link(common: &Common, hit: &str, source: &Source) {
    let system = common.systems.iter().find(|system| system.name() == source.system());
    let work = system.map(|system| (system.magnet(source), system.check(source)));
    let (teller, hit, source) = (common.teller(), hit.to_owned(), source.clone());
    spawn_local(async move {
        let (mut link, mut live) = (None, None);
        if let Some((magnet, check)) = work {
            // Who says what it has is there; others are asked only that.
            let both = async { tokio::join!(magnet, check) };
            (link, live) = tokio::time::timeout(LINK_TIME, both).await.unwrap_or_default();
        }
        let live = link.as_ref().map(|_| true).or(live);
        let link = link.map(|magnet| magnet.link);
        let _ = teller.send(Happening::Linked { hit, source, live, link });
    });
}
