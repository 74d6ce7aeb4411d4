//! UDP host caches (section 10): servents that are asked for others by datagram, where the application names some.
//!
//! Both sides are ours: whoever asks us is told of servents too. A question is as long as its answer is wanted to be,
//! filled up with an extension that means nothing, since nobody whose address is not proved gets more than he sent.

use super::machine::{Cx, Servent};
use super::send::fresh;
use std::time::Duration;
use throng_machine::{Endpoint, Instant, Via};
use throng_wire::gnutella::ggep::Writer;
use throng_wire::gnutella::{Guid, HEADER, Header, Kind, Pong};

/// Addresses told in one answer, as the note has it.
pub(super) const TOLD: usize = 30;
/// Host caches kept.
const MOST_CACHES: usize = 64;
/// Host caches asked at a time.
const ASKED: usize = 3;
/// They are asked no oftener than this.
const AGAIN: Duration = Duration::from_secs(60);
/// A host cache has so long to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Fills a question up; nobody reads it.
const FILLING: &[u8] = b"PAD";
/// Bytes of a question: those of a pong with [`TOLD`] addresses and what an ultrapeer says of itself.
const LENGTH: usize = HEADER + 14 + 1 + (1 + 3 + 2 + 6 * TOLD) + (1 + 2 + 1 + 3);

/// What is known of host caches.
#[derive(Default, Debug)]
pub(super) struct Bootstrap {
    caches: Vec<Endpoint>,
    /// The first to be asked next.
    next: usize,
    /// When they may be asked again.
    again: Option<Instant>,
    /// Questions that are open.
    asked: Vec<(Guid, Endpoint, Instant)>,
}

impl Servent {
    /// The application names host caches; no others are ever asked.
    pub(super) fn use_host_caches(&mut self, caches: Vec<Endpoint>, cx: &mut Cx<'_>) {
        let mut caches: Vec<Endpoint> = caches.into_iter().filter(|at| at.is_dialable()).collect();
        caches.truncate(MOST_CACHES);
        self.bootstrap = (!caches.is_empty()).then(|| Box::new(Bootstrap { caches, ..Bootstrap::default() }));
        self.look_for_links(cx);
    }

    /// Nobody is left to be called: asks host caches for others, the next ones each time.
    pub(super) fn ask_host_caches(&mut self, cx: &mut Cx<'_>) {
        let (now, wants_ultrapeers) = (cx.now(), self.role == super::Role::Ultrapeer);
        let Some(bootstrap) = &mut self.bootstrap else { return };
        if bootstrap.again.is_none_or(|again| again <= now) {
            bootstrap.again = Some(now + AGAIN);
            bootstrap.asked.retain(|(.., at)| now - *at <= PATIENCE);
            for _ in 0..ASKED.min(bootstrap.caches.len()) {
                let to = bootstrap.caches[bootstrap.next % bootstrap.caches.len()];
                bootstrap.next = (bootstrap.next + 1) % bootstrap.caches.len();
                let guid = fresh(cx);
                bootstrap.asked.push((guid, to, now));
                self.metrics.datagrams[1] += 1;
                cx.send(Via::Udp, to, |out| out.extend_from_slice(&question(guid, wants_ultrapeers)));
            }
        }
        let again = bootstrap.again.unwrap_or(now);
        self.wake_by(again);
    }

    /// A pong by datagram: of a host cache that was asked, or nobody's.
    pub(super) fn on_pong_datagram(
        &mut self,
        from: Endpoint,
        header: &Header,
        pong: &Pong<'_>,
        cx: &mut Cx<'_>,
    ) {
        let now = cx.now();
        let asked = self.bootstrap.as_mut().and_then(|bootstrap| {
            let is = |open: &(Guid, Endpoint, Instant)| open.0 == header.guid && open.1 == from;
            let at = bootstrap.asked.iter().position(is)?;
            Some(bootstrap.asked.swap_remove(at))
        });
        if asked.is_none_or(|(.., at)| now - at > PATIENCE) {
            return;
        }
        let itself = pong.ultrapeer().map(|_| pong.address);
        for at in pong.more().into_iter().take(TOLD).chain(itself) {
            self.add_host(from, at, now);
        }
        self.look_for_links(cx);
    }
}

/// A ping that asks for addresses, as long as the answer may be.
fn question(guid: Guid, wants_ultrapeers: bool) -> Vec<u8> {
    let put = |filling: usize| {
        let mut ggep = Writer::default();
        ggep.put(b"SCP", &[u8::from(wants_ultrapeers)]);
        ggep.put(FILLING, &vec![0; filling]);
        let mut message = Vec::with_capacity(LENGTH);
        let header = Header { guid, kind: Kind::Ping, ttl: 1, hops: 0, length: 0 };
        header.message(&mut message, |out| out.extend_from_slice(&ggep.finish()));
        message
    };
    // Lengths below and above 64 are written differently; the filling is above.
    let bare = put(64).len() - 64;
    put(LENGTH.saturating_sub(bare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_wire::gnutella::{Message, frame};

    #[test]
    fn a_question_is_as_long_as_the_longest_answer_and_can_be_read() {
        let message = question(Guid([7; 16]), true);
        assert_eq!(message.len(), LENGTH);
        let (header, payload, _) = frame(&message).unwrap().unwrap();
        let Ok(Message::Ping(ping)) = Message::parse(&header, payload) else { panic!("no ping") };
        assert_eq!(ping.wants_addresses(), Some(1));
    }
}
