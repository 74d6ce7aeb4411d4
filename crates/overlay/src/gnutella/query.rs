//! Queries that come on links: answered from our library, passed on as our role does.

use super::config::Role;
use super::machine::{Cx, Servent};
use super::send::fresh;
use super::tables::Wanted;
use super::violation::Violation;
use crate::flood::{Arrival, LinkId, Scope};
use std::time::Duration;
use throng_machine::{Endpoint, StreamId};
use throng_wire::gnutella::ggep::Writer;
use throng_wire::gnutella::{
    Guid, HEADER, Header, HitBuilder, HitFlags, Kind, Query, QueryFlags, QueryHit, RecordBuilder,
};

/// Four letters of our own.
pub(super) const VENDOR: [u8; 4] = *b"THRG";
/// Queries a link may send: a leaf's are its user's, an ultrapeer's those of its whole neighbourhood.
const LEAF_QUERIES: (u32, Duration) = (60, Duration::from_millis(500));
const OTHER_QUERIES: (u32, Duration) = (4_000, Duration::from_micros(500));
/// Payloads above this are dropped, as gtk-gnutella does.
const MOST_PAYLOAD: usize = 256;
/// Records of one hit message, and bytes after which another is begun.
const RECORDS: usize = 10;
const BYTES: usize = 2_048;
/// Push proxies named in a hit.
const PROXIES: usize = 4;

/// Words that say what kind of file is meant, and that half of all files have.
const KINDS: [&str; 40] = [
    "aac", "avi", "bmp", "doc", "epub", "exe", "flac", "flv", "gif", "htm", "html", "iso", "jpeg", "jpg",
    "m4a", "mkv", "mov", "mp3", "mp4", "mpeg", "mpg", "ogg", "opus", "pdf", "png", "rar", "the", "txt",
    "wav", "webm", "wma", "wmv", "zip", "7z", "gz", "tar", "and", "com", "www", "music",
];

/// Whether a query is one that nearly every file answers, or none at all.
pub(super) fn is_improper(query: &Query<'_>, length: usize) -> bool {
    // Flags of zero are the minimum speed that old servents and mldonkey send.
    if length > MOST_PAYLOAD {
        return true;
    }
    if query.extensions.urns().next().is_some() {
        return false;
    }
    let Some(text) = query.words() else { return true };
    let telling = |word: &String| word.chars().count() >= 3 || !word.is_ascii();
    !super::tables::words(text).any(|word| telling(&word) && !KINDS.contains(&word.as_str()))
}

impl Servent {
    pub(super) fn on_query(
        &mut self,
        stream: StreamId,
        header: &Header,
        payload: &[u8],
        query: &Query<'_>,
        cx: &mut Cx<'_>,
    ) {
        let now = cx.now();
        let Some(live) = self.live_mut(stream) else { return };
        let (burst, every) = if live.is_leaf() { LEAF_QUERIES } else { OTHER_QUERIES };
        if !live.queries.spend(burst, every, now) {
            self.fault(stream, Violation::QueryStorm, cx);
            return;
        }
        if is_improper(query, payload.len()) {
            self.fault(stream, Violation::ImproperQuery, cx);
            return;
        }
        let (is_leaf, is_congested) = (live.is_leaf(), live.queue.congested_since().is_some());
        let scope = Scope { ttl: header.ttl, hops: header.hops };
        let arrival = self.tables().queries.arrive(&header.guid.0, LinkId(stream.0), scope, now);
        match arrival {
            // Its hits could not reach it.
            Arrival::New(_) if is_congested => self.metrics.dropped += 1,
            Arrival::New(onward) => {
                self.answer(stream, header, query, cx);
                if is_leaf && self.config.dynamic {
                    self.search_for_leaf(stream, header, payload, query, cx);
                } else {
                    self.relay(stream, (header, onward), payload, query, cx);
                }
            }
            Arrival::Farther(Some(onward)) if !is_leaf => {
                self.relay_to_others(stream, (header, onward), payload, &Wanted::of(query), cx);
            }
            Arrival::Farther(_) | Arrival::Own => {}
            Arrival::Duplicate => self.metrics.duplicates += 1,
            Arrival::Repeated => {
                self.metrics.duplicates += 1;
                if self.live_mut(stream).is_some_and(|live| live.duplicates.repeat()) {
                    self.fault(stream, Violation::Repeated, cx);
                }
            }
            Arrival::TooFar => _ = self.fault(stream, Violation::TooFar, cx),
        }
    }

    /// Passes a query on: to leaves whose table it matches, and to all others as far as it may go.
    fn relay(
        &mut self,
        from: StreamId,
        (header, onward): (&Header, Option<Scope>),
        payload: &[u8],
        query: &Query<'_>,
        cx: &mut Cx<'_>,
    ) {
        if self.role == Role::Leaf {
            return;
        }
        let wanted = Wanted::of(query);
        self.relay_to_leaves(from, header, payload, &wanted, cx);
        if let Some(onward) = onward {
            self.relay_to_others(from, (header, onward), payload, &wanted, cx);
        }
    }

    /// To the leaves that may have something, and how many those are; the TTL does not matter for them.
    pub(super) fn relay_to_leaves(
        &mut self,
        from: StreamId,
        header: &Header,
        payload: &[u8],
        wanted: &Wanted,
        cx: &mut Cx<'_>,
    ) -> usize {
        let Some(ultrapeer) = self.ultrapeer.as_mut().filter(|up| up.leaves_may_match(wanted)) else {
            return 0;
        };
        let tables = self.links.iter().filter_map(|link| Some((link.stream, link.leaf_table()?)));
        let mut targets = ultrapeer.candidates(wanted, tables);
        let hops = header.hops.saturating_add(1);
        targets.retain(|stream| {
            let link = self.link(*stream).filter(|link| link.stream != from);
            link.is_some_and(|link| {
                link.leaf_table().is_some_and(|table| wanted.may_match(|word| table.contains(word)))
                    && link.live().is_some_and(|live| hops < live.most_hops)
            })
        });
        let relayed = Header { ttl: header.ttl.saturating_sub(1).max(1), hops, ..*header };
        self.send_all(&targets, relayed, payload, cx);
        targets.len()
    }

    /// To all that are no leaves; on the last hop only to ultrapeers whose table it matches.
    fn relay_to_others(
        &mut self,
        from: StreamId,
        (header, onward): (&Header, Scope),
        payload: &[u8],
        wanted: &Wanted,
        cx: &mut Cx<'_>,
    ) {
        let last = onward.ttl == 1;
        let targets: Vec<StreamId> = self
            .links
            .iter()
            .filter(|link| link.stream != from)
            .filter(|link| {
                link.live().is_some_and(|live| live.floods() && (!last || live.table_allows(wanted)))
            })
            .map(|link| link.stream)
            .collect();
        let relayed = Header { ttl: onward.ttl, hops: onward.hops, ..*header };
        self.send_all(&targets, relayed, payload, cx);
    }

    pub(super) fn send_all(&mut self, targets: &[StreamId], header: Header, payload: &[u8], cx: &mut Cx<'_>) {
        if targets.is_empty() {
            return;
        }
        let mut message = Vec::with_capacity(HEADER + payload.len());
        header.message(&mut message, |out| out.extend_from_slice(payload));
        for stream in targets {
            self.send(*stream, &message, cx);
        }
    }

    /// Answers a query that came on a link.
    fn answer(&mut self, stream: StreamId, header: &Header, query: &Query<'_>, cx: &mut Cx<'_>) {
        // Neither could call the other.
        if query.flags.has(QueryFlags::FIREWALLED) && self.seen_as.is_firewalled(cx.now()) {
            return;
        }
        let ttl = header.hops.saturating_add(3);
        for payload in self.hits(query, cx) {
            let answer = Header { guid: header.guid, kind: Kind::QueryHit, ttl, hops: 0, length: 0 };
            let mut message = Vec::with_capacity(HEADER + payload.len());
            answer.message(&mut message, |out| out.extend_from_slice(&payload));
            self.send(stream, &message, cx);
        }
    }

    /// The payloads of our hits to a query.
    pub(super) fn hits(&mut self, query: &Query<'_>, cx: &mut Cx<'_>) -> Vec<Vec<u8>> {
        let most = query.flags.most_hits().map_or(self.config.limits.hits, u32::from);
        let random = cx.rng().next_u64() as u32;
        let found = self.library.find(query, most.min(self.config.limits.hits), random);
        if found.is_empty() {
            return Vec::new();
        }
        self.metrics.answered += 1;
        let listen = self.listen();
        let records: Vec<_> = found.iter().filter_map(|at| self.library.record(*at, listen)).collect();
        self.pack(&records, query.flags.has(QueryFlags::BINARY_HASHES), cx)
    }

    /// Hit payloads with these records, each of a handful or some 2 KiB.
    pub(super) fn pack(&self, records: &[RecordBuilder], binary: bool, cx: &mut Cx<'_>) -> Vec<Vec<u8>> {
        let builder = self.hit_builder(cx);
        let mut payloads = Vec::new();
        for group in records.chunks(RECORDS) {
            let mut from = 0;
            while from < group.len() {
                let (mut size, mut to) = (0, from);
                while to < group.len() && (to == from || size < BYTES) {
                    size += 200 + group[to].name.len();
                    to += 1;
                }
                let mut payload = Vec::new();
                builder.put(&group[from..to], binary, &mut payload);
                payloads.push(payload);
                from = to;
            }
        }
        payloads
    }

    fn hit_builder(&self, cx: &Cx<'_>) -> HitBuilder {
        let mut ggep = Writer::default();
        ggep.put(b"BH", &[]);
        let proxies: Vec<_> = self.proxies().take(PROXIES).collect();
        let firewalled = self.seen_as.is_firewalled(cx.now());
        if firewalled && !proxies.is_empty() {
            ggep.put(b"PUSH", &throng_wire::gnutella::Pong::packed(proxies));
        }
        HitBuilder {
            address: self.address_or_unspecified(),
            speed: self.config.speed,
            vendor: VENDOR,
            flags: HitFlags {
                push: firewalled,
                busy: self.library.busy,
                uploaded: self.library.uploaded,
                measured: false,
            },
            ggep: ggep.finish(),
            servent: self.me.servent,
        }
    }

    /// All we share as whole hit messages, for those who browse us over HTTP (section 11.7).
    pub fn browse(&self, cx: &mut Cx<'_>) -> Vec<u8> {
        let listen = self.listen();
        let records: Vec<_> =
            self.library.indices().iter().filter_map(|at| self.library.record(*at, listen)).collect();
        let mut out = Vec::new();
        for payload in self.pack(&records, false, cx) {
            let header = Header { guid: Guid::default(), kind: Kind::QueryHit, ttl: 1, hops: 0, length: 0 };
            header.message(&mut out, |out| out.extend_from_slice(&payload));
        }
        out
    }

    /// A fresh id for a query of ours.
    pub(super) fn query_id(&self, cx: &mut Cx<'_>) -> Guid {
        fresh(cx)
    }
}

/// Where a hit says that its files are, and whether that can be called at all.
pub(super) fn place_of(hit: &QueryHit<'_>) -> (Endpoint, bool) {
    let at = Endpoint::v4(hit.address.ip().octets(), hit.address.port());
    (at, !hit.flags.push && at.is_dialable())
}
