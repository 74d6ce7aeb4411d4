//! The HTTP face (BEP 3, 7, 23, 48): the target of a GET in, a bencoded body out.

use std::time::Duration;

use throng_machine::{Endpoint, Entropy, Instant};
use throng_wire::tracker::http::{
    AnnounceBody, AnnounceRequest, Retry, push_failure, push_scrape, scrape_hashes, split_target,
};
use throng_wire::tracker::{AnnounceEvent, V4_LEN, V6_LEN};

use crate::record::Tick;
use crate::swarms::Announce;
use crate::tracker::Tracker;

/// How an HTTP server is to answer; a refusal is `Ok` too, because clients read the body only then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpStatus {
    /// 200, the body is bencode.
    Ok,
    /// 404, no body: the path is not ours.
    NotFound,
}

impl Tracker {
    /// Answers `GET target` by appending the body to `out`; `from` is the TCP peer, whose handshake proved it.
    pub fn handle_get(
        &mut self,
        from: Endpoint,
        target: &[u8],
        now: Instant,
        rng: &mut dyn Entropy,
        out: &mut Vec<u8>,
    ) -> HttpStatus {
        match split_target(target) {
            (b"/announce", query) => self.on_http_announce(from, query, now, rng, out),
            (b"/scrape", query) => self.on_http_scrape(query, out),
            _ => return HttpStatus::NotFound,
        }
        HttpStatus::Ok
    }

    fn on_http_announce(
        &mut self,
        from: Endpoint,
        query: &[u8],
        now: Instant,
        rng: &mut dyn Entropy,
        out: &mut Vec<u8>,
    ) {
        let request = match AnnounceRequest::parse(query) {
            Ok(request) => request,
            Err(error) => return self.fail(&error.to_string(), None, out),
        };
        if !self.is_allowed(&request.info_hash) {
            self.metrics.not_allowed += 1;
            return self.fail("info-hash not allowed on this tracker", Some(Retry::Never), out);
        }
        let announce = Announce {
            hash: &request.info_hash,
            peer: from.with_port(request.port),
            seed: request.left == 0,
            event: request.event,
            now: Tick::of(now),
        };
        let want =
            request.num_want.unwrap_or(self.config.default_num_want).min(self.config.max_num_want_http);
        self.answer(&announce, want as usize, rng, out);
    }

    fn answer(&mut self, announce: &Announce<'_>, want: usize, rng: &mut dyn Entropy, out: &mut Vec<u8>) {
        let (mut own, mut other) = (Vec::new(), Vec::new());
        let (swarms, mut cx) = self.store(rng);
        let counts = swarms.announce(announce, want, &mut cx, &mut own);
        if announce.event != AnnounceEvent::Stopped {
            swarms.others(announce, want, &mut cx, &mut other);
        }
        let (peers, peers6) = if announce.peer.ip().is_ipv4() { (&own, &other) } else { (&other, &own) };
        let seconds = |span: Duration| span.as_secs().try_into().unwrap_or(u32::MAX);
        let body = AnnounceBody {
            complete: counts.seeders,
            incomplete: counts.leechers,
            interval: seconds(self.config.interval),
            min_interval: seconds(self.config.min_interval),
            external_ip: Some(announce.peer.ip()),
            peers,
            peers6,
        };
        body.encode(out);
        self.metrics.http_announces += 1;
        self.metrics.peers_sent += (peers.len() / V4_LEN + peers6.len() / V6_LEN) as u64;
    }

    fn on_http_scrape(&mut self, query: &[u8], out: &mut Vec<u8>) {
        let max = self.config.max_scrape_http;
        let hashes: Result<Vec<_>, _> = scrape_hashes(query).take(max).collect();
        match hashes {
            Err(error) => self.fail(&error.to_string(), None, out),
            Ok(hashes) if hashes.is_empty() => self.fail("scrape without info_hash", None, out),
            Ok(hashes) => {
                let mut files =
                    hashes.into_iter().map(|hash| (hash, self.swarms.scrape(&hash, &self.keys))).collect();
                push_scrape(&mut files, out);
                self.metrics.http_scrapes += 1;
            }
        }
    }

    fn fail(&mut self, reason: &str, retry: Option<Retry>, out: &mut Vec<u8>) {
        self.metrics.http_failures += 1;
        push_failure(reason, retry, out);
    }
}

#[cfg(test)]
mod tests;
