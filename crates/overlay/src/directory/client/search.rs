//! Searching and browsing: one question at a time on each server, as answers carry no ids (4.3, section 5).

use std::net::Ipv4Addr;

use throng_machine::{Endpoint, Instant};
use throng_wire::napster::{
    Browse, BrowseItem, ClientMessage, Hit, KindFilter, MAX_DATA, Query, ResumeHit, ResumeSearch, Speed, Text,
};

use super::command::Search;
use super::event::{Event, UserFile};
use super::machine::{Client, Cx, Timer};
use super::server::{Asked, Dialect, What};
use super::session::{MAX_UNASKED, contains};
use super::shares::{md5_word, root_of_md5};
use super::violation::Violation;
use crate::discovery::{Refusal, Ticket};

/// How long the end of a search given up is waited for: what linked servers have (section 9).
const OWED: std::time::Duration = std::time::Duration::from_secs(180);

impl Client {
    pub(super) fn find(&mut self, ticket: Ticket, search: &Search, cx: &mut Cx<'_>) {
        if search.words.iter().all(|word| word.trim().is_empty()) {
            return cx.emit(Event::Refused(ticket, Refusal::EmptyQuery));
        }
        let until = cx.now() + search.timeout.min(self.config.search_timeout);
        self.ask_all(ticket, search.limit, until, cx, |dialect| query_for(search, dialect));
    }

    pub(super) fn find_content(&mut self, ticket: Ticket, root: &[u8; 16], size: u64, cx: &mut Cx<'_>) {
        let until = cx.now() + self.config.search_timeout;
        let md5 = md5_word(root);
        self.ask_all(ticket, u32::MAX, until, cx, |_| Some(What::Content { md5: md5.clone(), size }));
    }

    pub(super) fn browse(&mut self, ticket: Ticket, at: Endpoint, nick: Vec<u8>, cx: &mut Cx<'_>) {
        let until = cx.now() + self.config.search_timeout;
        let limit = self.config.max_listed;
        let asked = Asked { ticket, what: What::Browse { nick }, hits: 0, limit, until: Some(until) };
        self.begin(ticket, vec![(at, asked)], cx);
    }

    /// Puts a question to every server we are logged in at, worded for each.
    fn ask_all(
        &mut self,
        ticket: Ticket,
        limit: u32,
        until: Instant,
        cx: &mut Cx<'_>,
        what: impl Fn(Dialect) -> Option<What>,
    ) {
        let limit = limit.min(self.config.max_hits);
        let online = self.servers.iter().filter(|(_, server)| server.is_online());
        let questions = online.filter_map(|(at, server)| {
            let what = what(server.dialect)?;
            Some((*at, Asked { ticket, what, hits: 0, limit, until: Some(until) }))
        });
        let questions: Vec<_> = questions.collect();
        self.begin(ticket, questions, cx);
    }

    fn begin(&mut self, ticket: Ticket, questions: Vec<(Endpoint, Asked)>, cx: &mut Cx<'_>) {
        if self.finds.contains_key(&ticket) || self.browses.contains_key(&ticket) {
            return cx.emit(Event::Refused(ticket, Refusal::Busy));
        }
        let (mut open, mut busy) = (0, false);
        let mut idle = Vec::new();
        for (at, asked) in questions {
            let Some(server) = self.servers.get_mut(&at).filter(|server| server.is_online()) else {
                continue;
            };
            if server.asked.len() >= self.config.max_searches {
                busy = true;
                continue;
            }
            if server.asked.is_empty() {
                idle.push(at);
            }
            server.asked.push_back(asked);
            open += 1;
        }
        if open == 0 {
            let refusal = if busy { Refusal::Busy } else { Refusal::NotJoined };
            return cx.emit(Event::Refused(ticket, refusal));
        }
        self.finds.insert(ticket, open);
        idle.into_iter().for_each(|at| self.ask_next(at, cx));
    }

    /// Sends the question at the head, dropping those whose time is over.
    fn ask_next(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        self.timers.clear(Timer::Search(at));
        loop {
            let Some(server) = self.servers.get(&at) else { return };
            let Some(asked) = server.asked.front().cloned() else { return };
            let sent = match &asked.what {
                What::Search { text, .. } => self.tell(at, &ClientMessage::Search(Text { text }), cx),
                What::Content { md5, size } => {
                    let search = ResumeSearch { md5: md5.as_bytes(), size: *size };
                    self.tell(at, &ClientMessage::ResumeSearch(search), cx)
                }
                What::Browse { nick } => {
                    self.tell(at, &ClientMessage::Browse(Browse { nick, max: None }), cx)
                }
            };
            if sent && asked.until.is_some_and(|until| until > cx.now()) {
                return self.timers.set(Timer::Search(at), asked.until.unwrap_or(cx.now()));
            }
            self.pop_asked(at, cx);
        }
    }

    /// Takes the question at the head away: it is over on this server.
    fn pop_asked(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        if let Some(asked) = self.servers.get_mut(&at).and_then(|server| server.asked.pop_front()) {
            self.one_over(asked.ticket, cx);
        }
    }

    fn one_over(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        let Some(open) = self.finds.get_mut(&ticket) else { return };
        *open -= 1;
        if *open == 0 {
            self.finds.remove(&ticket);
            cx.emit(Event::Finished(ticket));
        }
    }

    /// The session is over: so is all that was asked.
    pub(super) fn end_searches(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        for asked in std::mem::take(&mut server.asked) {
            self.one_over(asked.ticket, cx);
        }
    }

    pub(super) fn cancel(&mut self, ticket: Ticket, cx: &mut Cx<'_>) {
        self.cancel_direct_browse(ticket, cx);
        if self.finds.remove(&ticket).is_none() {
            return;
        }
        for at in self.servers.keys().copied().collect::<Vec<_>>() {
            let Some(server) = self.servers.get_mut(&at) else { continue };
            let under_way = server.asked.front().is_some_and(|asked| asked.ticket == ticket);
            // What is under way stays until its end: its hits have nobody to go to.
            let mut first = under_way;
            server.asked.retain(|asked| std::mem::take(&mut first) || asked.ticket != ticket);
        }
        cx.emit(Event::Finished(ticket));
    }

    pub(super) fn on_search_due(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get_mut(&at) else { return };
        if server.asked.front().is_some_and(|asked| matches!(asked.what, What::Search { .. })) {
            server.owed += 1;
            server.owed_until = cx.now() + OWED;
        }
        self.pop_asked(at, cx);
        self.ask_next(at, cx);
    }

    /// Counts an answer for the question at the head; `None` if nobody asked, or it has had enough.
    fn counted(&mut self, at: Endpoint, cx: &mut Cx<'_>, fits: impl Fn(&What) -> bool) -> Option<Asked> {
        let server = self.servers.get_mut(&at)?;
        let max = self.config.max_listed.max(self.config.max_hits);
        if let Some(asked) = server.asked.front_mut().filter(|asked| fits(&asked.what))
            && asked.hits < max
        {
            asked.hits += 1;
            let asked = asked.clone();
            let wanted = asked.hits <= asked.limit && self.finds.contains_key(&asked.ticket);
            return wanted.then_some(asked);
        }
        server.unasked += 1;
        if server.unasked > MAX_UNASKED {
            self.on_server_violation(at, Violation::Unasked, cx);
        }
        None
    }

    fn is_owed(&self, at: Endpoint, cx: &Cx<'_>) -> bool {
        self.servers.get(&at).is_some_and(|server| server.owed > 0 && cx.now() < server.owed_until)
    }

    pub(super) fn on_hit(&mut self, at: Endpoint, hit: &Hit<'_>, cx: &mut Cx<'_>) {
        if self.is_owed(at, cx) {
            return;
        }
        let Some(asked) = self.counted(at, cx, |what| matches!(what, What::Search { .. })) else { return };
        let What::Search { unwanted, size, duration, .. } = &asked.what else { return };
        let excluded = unwanted.iter().any(|word| contains(hit.name, word));
        if excluded || !size.allow(hit.size) || !duration.allow(u64::from(hit.duration)) {
            return;
        }
        let file = UserFile {
            server: at,
            nick: hit.nick.to_vec(),
            name: hit.name.to_vec(),
            size: hit.size,
            root: root_of_md5(hit.md5),
            bitrate: hit.bitrate,
            frequency: hit.frequency,
            duration: hit.duration,
            speed: hit.speed,
            address: hit.ip,
        };
        cx.emit(Event::Found(asked.ticket, Box::new(file)));
    }

    pub(super) fn on_search_end(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let owed = self.is_owed(at, cx);
        let Some(server) = self.servers.get_mut(&at) else { return };
        server.owed = if owed { server.owed - 1 } else { 0 };
        if !owed && server.asked.front().is_some_and(|asked| matches!(asked.what, What::Search { .. })) {
            self.pop_asked(at, cx);
            self.ask_next(at, cx);
        }
    }

    pub(super) fn on_resume_hit(&mut self, at: Endpoint, hit: &ResumeHit<'_>, cx: &mut Cx<'_>) {
        let Some(asked) = self.counted(at, cx, |what| matches!(what, What::Content { .. })) else { return };
        let file = UserFile {
            server: at,
            nick: hit.nick.to_vec(),
            name: hit.name.to_vec(),
            size: hit.size,
            root: root_of_md5(hit.md5),
            bitrate: 0,
            frequency: 0,
            duration: 0,
            speed: hit.speed,
            address: hit.ip,
        };
        cx.emit(Event::Found(asked.ticket, Box::new(file)));
    }

    pub(super) fn on_resume_end(&mut self, at: Endpoint, cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get(&at) else { return };
        if server.asked.front().is_some_and(|asked| matches!(asked.what, What::Content { .. })) {
            self.pop_asked(at, cx);
            self.ask_next(at, cx);
        }
    }

    pub(super) fn on_browse_item(&mut self, at: Endpoint, item: &BrowseItem<'_>, cx: &mut Cx<'_>) {
        let fits =
            |what: &What| matches!(what, What::Browse { nick } if nick.eq_ignore_ascii_case(item.nick));
        let Some(asked) = self.counted(at, cx, fits) else { return };
        let file = UserFile {
            server: at,
            nick: item.nick.to_vec(),
            name: item.name.to_vec(),
            size: item.size,
            root: root_of_md5(item.md5),
            bitrate: item.bitrate,
            frequency: item.frequency,
            duration: item.duration,
            speed: Speed::UNKNOWN,
            address: Ipv4Addr::UNSPECIFIED,
        };
        cx.emit(Event::Listed(asked.ticket, Box::new(file)));
    }

    pub(super) fn on_browse_end(&mut self, at: Endpoint, nick: &[u8], cx: &mut Cx<'_>) {
        let Some(server) = self.servers.get(&at) else { return };
        let ours =
            |what: &What| matches!(what, What::Browse { nick: asked } if asked.eq_ignore_ascii_case(nick));
        if server.asked.front().is_some_and(|asked| ours(&asked.what)) {
            self.pop_asked(at, cx);
            self.ask_next(at, cx);
        }
    }
}

/// The text of a 200 in a server's dialect; `None` if it cannot be expressed.
fn query_for(search: &Search, dialect: Dialect) -> Option<What> {
    let full = dialect == Dialect::Full;
    let contains = search.words.join(" ");
    let unwanted: Vec<Vec<u8>> =
        search.excludes.iter().map(|word| word.to_lowercase().into_bytes()).collect();
    let excludes = if full { search.excludes.iter().map(String::as_bytes).collect() } else { Vec::new() };
    let mut query = Query {
        contains: vec![contains.as_bytes()],
        excludes,
        max_results: Some(search.limit.clamp(1, 100)),
        kind: search.kind,
        bitrate: search.bitrate,
        frequency: search.frequency,
        line_speed: search.line_speed,
        size: search.size,
        duration: search.duration,
        local_only: search.local_only,
        wma_only: false,
    };
    if !full {
        // A answers 404 to these (N11).
        (query.size, query.duration) = Default::default();
        if query.kind == KindFilter::Any {
            query.kind = KindFilter::default();
        }
    }
    let mut text = Vec::new();
    query.write(&mut text).ok().filter(|()| text.len() <= MAX_DATA)?;
    Some(What::Search { text, unwanted, size: search.size, duration: search.duration })
}
