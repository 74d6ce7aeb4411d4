//! What the node is asked.

use super::Node;
use super::leaving::tell;
use crate::daemon::database;
use crate::daemon::report::LeaveStep;
use crate::daemon::request::{Refused, Request, Why};
use crate::daemon::system::System;
use crate::text;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use throng_runtime::session::{Session, TorrentHandle};
use tokio::time::Instant;

/// Who asks for a torrent waits so long for it to be opened.
const OPENING: Duration = Duration::from_secs(10);

impl Node {
    pub(super) fn on_request(&mut self, request: Request) {
        // Those who asked may have gone.
        match request {
            Request::Status(reply) => _ = reply.send(Ok(self.status())),
            Request::Put(put, reply) => database::put(self.store(), put, reply),
            Request::Get(get, reply) => database::get(self.store(), get, reply),
            Request::Publish(request, listener, reply) => {
                _ = reply.send(self.able().and_then(|()| self.shelf.publish(request, listener)));
            }
            Request::Withdraw(request, reply) => _ = reply.send(self.shelf.withdraw(&request.id)),
            Request::Library(page, reply) => _ = reply.send(self.shelf.library(&page)),
            Request::Search(request, listener, reply) => {
                _ = reply.send(self.active().and_then(|()| self.searches.begin(request, listener)));
            }
            Request::Stand(request, reply) => {
                let checked = self.searches.check(&request.words, &request.systems);
                _ = reply.send(checked.and_then(|()| self.standing.add(request)));
            }
            Request::Standing(reply) => _ = reply.send(Ok(self.standing.report())),
            Request::EndStanding(id, reply) => _ = reply.send(self.standing.remove(&id)),
            Request::Fetch(request, reply) => {
                let (hits, shelf) = (&self.searches.hits, &self.shelf);
                let answer = self.able().and_then(|()| {
                    let own = |item: &_| shelf.path_of(item).map(Path::to_owned);
                    self.transfers.fetch(request, |id| hits.find(id), own)
                });
                _ = reply.send(answer);
            }
            Request::Transfers(page, reply) => _ = reply.send(self.transfers.reports(&page)),
            Request::Changes(since, reply) => _ = reply.send(Ok(self.transfers.changes(since))),
            Request::Transfer(id, reply) => _ = reply.send(self.transfers.report(&id)),
            Request::Act(id, act, reply) => {
                let done = self.transfers.act(&id, act);
                if let Ok(Some(removed)) = &done {
                    self.shelf.take_back(removed);
                }
                _ = reply.send(done.map(|_| ()));
            }
            Request::Deleting(files, reply) => {
                let withdrawn = self.shelf.withdraw_deleted(&files);
                withdrawn.iter().map(|title| text::line(title)).for_each(|title| {
                    self.notice(format!("{title} is not published any more: its files were deleted"));
                });
                _ = reply.send(Ok(withdrawn));
            }
            Request::Torrent(id, reply) => {
                self.askers.push((Instant::now() + OPENING, id, reply));
                self.answer_askers();
            }
            Request::SetLimits((upload, download), reply) => {
                self.resources.set((upload, download));
                self.parts.common.bittorrent.session().set_limits(upload, download);
                _ = reply.send(Ok(()));
            }
            Request::Leave(listener) => {
                self.leave(false);
                if let Some(leaving) = &mut self.leaving {
                    let systems = leaving.waiting.iter().map(|name| String::from(*name)).collect();
                    tell(&listener, LeaveStep::Leaving { systems });
                    leaving.listeners.push(listener);
                }
            }
        }
    }

    fn torrent(&mut self, id: &str) -> Result<(Session, TorrentHandle), Refused> {
        let found = self.transfers.torrent(id).or_else(|refused| match self.shelf.torrent(id) {
            Some(open) => open.ok_or(Refused::new(Why::Busy, "it is being opened; try again")),
            None => Err(refused),
        })?;
        Ok((self.parts.common.bittorrent.session().clone(), found))
    }

    /// Answers those who ask for torrents that are open, or will not be soon.
    pub(super) fn answer_askers(&mut self) {
        for (until, id, reply) in std::mem::take(&mut self.askers) {
            match self.torrent(&id) {
                Err(refused) if refused.why == Why::Busy && Instant::now() < until => {
                    self.askers.push((until, id, reply));
                }
                // Who asked may have gone.
                answer => _ = reply.send(answer),
            }
        }
    }

    fn active(&self) -> Result<(), Refused> {
        match &self.leaving {
            Some(_) => Err(Refused::new(Why::Conflict, "the node is leaving")),
            None => Ok(()),
        }
    }

    /// Whether something new may be begun.
    fn able(&self) -> Result<(), Refused> {
        self.active().and_then(|()| self.resources.allow())
    }

    fn store(&self) -> Result<Rc<dyn System>, &'static str> {
        if self.leaving.is_some() {
            return Err("the node is leaving");
        }
        let store = self.parts.common.systems.iter().find(|system| system.database().is_some());
        store.cloned().ok_or("this node is in no ring; start it with: throng join --chord")
    }
}
