//! The other side of a comparison (2.10): what differs here is told, records are given, nothing is changed.
//!
//! An answer is one datagram: as many parts of the question as fit, from the first; a leaf may take several.

use super::Store;
use super::digest::{self, LEAF};
use super::serve::{INLINE, held};
use crate::chord::core::{Core, Received};
use crate::chord::{Context, Instant};
use throng_wire::chord::{
    Digest, DigestAck, MAX_PAYLOAD, Message, Prefix, Pull, PullAck, RingId, Summary, TreeNode,
};

/// Bytes of an answer that are not records.
const OVERHEAD: usize = 48;
/// Records looked at for one pull at most: of a part that is a leaf there are few.
const MOST_SCANNED: usize = 4_096;

impl Store {
    /// A neighbour compares: what differs here is told, nothing is changed.
    pub(crate) fn on_digest(
        &mut self,
        core: &mut Core,
        from: &Received,
        digest: &Digest<'_>,
        cx: &mut Context<'_>,
    ) {
        if !core.is_proved(cx, from) || !self.admits_comparison(core, from, cx) {
            return;
        }
        let range = (digest.low, digest.high);
        let mut answer = Answer::default();
        for (index, theirs) in digest.nodes.iter().enumerate() {
            let skip = if index == 0 { usize::from(digest.skip) } else { 0 };
            if !answer.add(&self.records, range, (&theirs, skip), cx.now()) {
                break;
            }
        }
        let Answer { nodes, records, answered, skip, .. } = answer;
        let ack = DigestAck {
            low: range.0,
            high: range.1,
            nodes: (&nodes).into(),
            records: (&records).into(),
            answered,
            skip,
        };
        core.reply(cx, from, &Message::DigestAck(ack));
    }

    /// A neighbour asks for records of a range.
    pub(crate) fn on_pull(
        &mut self,
        core: &mut Core,
        from: &Received,
        pull: &Pull<'_>,
        cx: &mut Context<'_>,
    ) {
        if !core.is_proved(cx, from) || !self.admits_comparison(core, from, cx) {
            return;
        }
        let wanted = pull.ids.to_vec();
        let now = cx.now();
        let all = self.records.range(pull.low, pull.high, now).take(MOST_SCANNED);
        let (mut small, mut large, mut room) = (Vec::new(), Vec::new(), MAX_PAYLOAD - OVERHEAD);
        for (id, stored) in all.filter(|(id, _)| wanted.iter().any(|wanted| id.is_of(wanted))) {
            if stored.body.len() > INLINE {
                if room > 80 {
                    room -= 80;
                    large.extend(super::serve::summary(&(id, stored)));
                }
            } else if stored.body.len() + 4 <= room {
                room -= stored.body.len() + 4;
                small.extend(held(stored, now));
            }
        }
        let ack = PullAck { records: (&small).into(), large: (&large).into(), next: None };
        core.reply(cx, from, &Message::PullAck(ack));
    }

    /// Comparisons cost us work: neighbours may ask often, strangers seldom.
    fn admits_comparison(&mut self, core: &mut Core, from: &Received, cx: &mut Context<'_>) -> bool {
        let host = from.from.endpoint;
        if core.endpoint == Some(host) || super::placement::is_neighbour(core, host) {
            return true;
        }
        let admitted = self.puts.admit(host, 4, core.config.storing.puts, cx.now());
        if !admitted {
            core.reply(cx, from, &Message::Busy(throng_wire::chord::Busy { retry_after: 10 }));
        }
        admitted
    }
}

/// What an answer to a `Digest` has gathered so far.
#[derive(Default)]
struct Answer {
    nodes: Vec<TreeNode>,
    records: Vec<Summary>,
    answered: u8,
    skip: u16,
    room: Option<usize>,
}

impl Answer {
    /// Adds what differs in one part; false when the message is full.
    fn add(
        &mut self,
        records: &super::records::Records,
        range: (RingId, RingId),
        (theirs, skip): (&TreeNode, usize),
        now: Instant,
    ) -> bool {
        let room = self.room.get_or_insert(MAX_PAYLOAD - 80);
        let headers = digest::headers(records, range, theirs.prefix, now);
        let level = theirs.prefix.level();
        let ours = digest::summary(&headers, level);
        if (ours.count, ours.hash) == (theirs.count, theirs.hash) {
            self.answered += 1;
            return true;
        }
        if headers.is_empty() {
            let Some(left) = room.checked_sub(41) else { return false };
            *room = left;
            self.nodes.push(TreeNode { prefix: theirs.prefix, count: 0, hash: [0; 16] });
            self.answered += 1;
            return true;
        }
        if headers.len() <= LEAF || level >= Prefix::MAX_LEVEL {
            return self.add_leaf(records, &headers[skip.min(headers.len())..], skip, now);
        }
        let children = (0u8..).zip(digest::children(&headers, level));
        let nodes: Vec<TreeNode> = children
            .filter_map(|(digit, child)| {
                let prefix = theirs.prefix.child(digit)?;
                Some(TreeNode { prefix, count: child.count, hash: child.hash })
            })
            .collect();
        let size = nodes.len() * (21 + usize::from(level) / 2 + 2);
        let Some(left) = room.checked_sub(size).filter(|_| self.nodes.len() + nodes.len() <= 64) else {
            return false;
        };
        *room = left;
        self.nodes.extend(nodes);
        self.answered += 1;
        true
    }

    fn add_leaf(
        &mut self,
        records: &super::records::Records,
        headers: &[digest::Header],
        skipped: usize,
        now: Instant,
    ) -> bool {
        let room = self.room.get_or_insert(0);
        for (index, (id, _)) in headers.iter().enumerate() {
            let fits = *room >= 76 && self.records.len() < 16;
            if !fits {
                // Said only once something of it was: or the next question would be the same.
                let given = skipped + index;
                if index > 0 {
                    self.skip = u16::try_from(given).unwrap_or(u16::MAX);
                }
                return false;
            }
            let Some(summary) = records.find(id, now).and_then(|stored| super::serve::summary(&(id, stored)))
            else {
                continue;
            };
            *room -= 76;
            self.records.push(summary);
        }
        self.answered += 1;
        true
    }
}
