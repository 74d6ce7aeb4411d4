//! The UDP face (BEP 15): one datagram in, at most one out, nothing kept but swarms.

use throng_machine::{Endpoint, Entropy, Instant};
use throng_wire::tracker::udp::{
    ANNOUNCE_HEAD_LEN, AnnounceHeader, AnnounceRequest, ConnectResponse, Header, Request, RequestError,
    ScrapeRequest, push_error, push_scrape_entry, push_scrape_header,
};
use throng_wire::tracker::{V4_LEN, V6_LEN};

use crate::connection_id;
use crate::record::Tick;
use crate::swarms::Announce;
use crate::tracker::Tracker;

impl Tracker {
    /// Answers a datagram by appending to `out`; appends nothing where silence is the answer.
    ///
    /// Before the sender's address is proved it gets a connect response, which is as large as the request, or
    /// nothing: not even an error, which would make the tracker a mirror for forged packets.
    pub fn handle_datagram(
        &mut self,
        from: Endpoint,
        datagram: &[u8],
        now: Instant,
        rng: &mut dyn Entropy,
        out: &mut Vec<u8>,
    ) {
        if from.port() == 0 {
            self.metrics.udp_malformed += 1;
            return;
        }
        match Request::parse(datagram) {
            Ok(Request::Connect(connect)) => {
                let connection_id = connection_id::grant(&self.keys, from, now);
                let transaction_id = connect.transaction_id;
                out.extend_from_slice(&ConnectResponse { transaction_id, connection_id }.encode());
                self.metrics.udp_connects += 1;
            }
            Ok(Request::Announce(announce)) => {
                if self.is_proved(from, announce.connection_id, now) {
                    self.on_announce(from, &announce, now, rng, out);
                }
            }
            Ok(Request::Scrape(scrape)) => {
                if self.is_proved(from, scrape.connection_id, now) {
                    self.on_scrape(&scrape, out);
                }
            }
            Err(error) => self.on_malformed(from, datagram, error, now, out),
        }
    }

    fn is_proved(&mut self, from: Endpoint, id: u64, now: Instant) -> bool {
        let valid = connection_id::is_valid(&self.keys, from, id, now);
        self.metrics.udp_unproved += u64::from(!valid);
        valid
    }

    fn on_announce(
        &mut self,
        from: Endpoint,
        request: &AnnounceRequest<'_>,
        now: Instant,
        rng: &mut dyn Entropy,
        out: &mut Vec<u8>,
    ) {
        if request.port == 0 {
            return self.refuse(request.transaction_id, "port is 0", out);
        }
        if !self.is_allowed(&request.info_hash) {
            self.metrics.not_allowed += 1;
            return self.refuse(request.transaction_id, "info-hash not allowed on this tracker", out);
        }
        let (max, len) = match from.ip().is_ipv4() {
            true => (self.config.max_num_want_udp_v4, V4_LEN),
            false => (self.config.max_num_want_udp_v6, V6_LEN),
        };
        let want = request.num_want.unwrap_or(self.config.default_num_want).min(max) as usize;
        let announce = Announce {
            hash: &request.info_hash,
            peer: from.with_port(request.port),
            seed: request.left == 0,
            event: request.event,
            now: Tick::of(now),
        };
        let interval = self.config.interval.as_secs().try_into().unwrap_or(u32::MAX);
        let start = out.len();
        out.resize(start + ANNOUNCE_HEAD_LEN, 0);
        let (swarms, mut cx) = self.store(rng);
        let counts = swarms.announce(&announce, want, &mut cx, out);
        let header = AnnounceHeader {
            transaction_id: request.transaction_id,
            interval,
            leechers: counts.leechers,
            seeders: counts.seeders,
        };
        out[start..start + ANNOUNCE_HEAD_LEN].copy_from_slice(&header.encode());
        self.metrics.udp_announces += 1;
        self.metrics.peers_sent += ((out.len() - start - ANNOUNCE_HEAD_LEN) / len) as u64;
    }

    fn on_scrape(&mut self, request: &ScrapeRequest<'_>, out: &mut Vec<u8>) {
        push_scrape_header(request.transaction_id, out);
        for hash in request.info_hashes {
            // A swarm that is not allowed looks like an empty one: the answer has a place for every hash.
            push_scrape_entry(self.swarms.scrape(&(*hash).into(), &self.keys), out);
        }
        self.metrics.udp_scrapes += 1;
    }

    /// What is no request is answered only if its sender is proved, so that he learns what is wrong with it.
    fn on_malformed(
        &mut self,
        from: Endpoint,
        datagram: &[u8],
        error: RequestError,
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        match Header::parse(datagram) {
            Ok(header) if connection_id::is_valid(&self.keys, from, header.connection_id, now) => {
                self.refuse(header.transaction_id, reason(error), out);
            }
            _ => self.metrics.udp_malformed += 1,
        }
    }

    fn refuse(&mut self, transaction_id: u32, reason: &str, out: &mut Vec<u8>) {
        self.metrics.udp_errors += 1;
        push_error(transaction_id, reason, out);
    }
}

fn reason(error: RequestError) -> &'static str {
    match error {
        RequestError::Short => "request is too short",
        RequestError::NotProtocol => "not a connect request",
        RequestError::UnknownAction => "unknown action",
        RequestError::NoHashes => "scrape without whole info-hashes",
    }
}

#[cfg(test)]
mod tests;
