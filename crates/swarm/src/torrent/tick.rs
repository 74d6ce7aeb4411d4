//! Regular work: time-outs, snubbing, keep-alives, choking rounds, dialling. Once a second while there are peers.

use super::Torrent;
use super::choke::OPTIMISTIC_INTERVAL;
use super::exchange::EXCHANGE_INTERVAL;
use crate::peer::{Peer, Phase};
use crate::shared::{Cx, Shared};
use std::time::Duration;
use throng_machine::{Deadline, Instant, StreamId};
use throng_wire::peer::Message;

const TICK: Duration = Duration::from_secs(1);
/// Keep-alives go out before the peer's two minutes are over (BEP 3).
const KEEP_ALIVE: Duration = Duration::from_secs(100);

impl Torrent {
    /// When this torrent wants to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let mut deadline = Deadline::none();
        deadline.at(self.next_tick).at(self.announcer.deadline());
        deadline.earliest()
    }

    /// Starts or stops taking part.
    pub(crate) fn run(&mut self, running: bool, shared: &mut Shared, cx: &mut Cx<'_>) {
        if self.running == running {
            return;
        }
        self.running = running;
        if running {
            let now = cx.now();
            self.next_tick = Some(now);
            self.next_choke = now + shared.config.choke_interval;
            self.next_optimistic = now + OPTIMISTIC_INTERVAL;
            self.next_exchange = now + EXCHANGE_INTERVAL;
            self.announcer.start(now);
            self.ask_layers(cx);
            self.fill_sources(shared, cx);
        } else {
            self.next_tick = None;
            self.announcer.stop(cx.now());
            self.stop_sources(cx);
            let streams: Vec<StreamId> = self.peers.keys().copied().collect();
            for stream in streams {
                self.close_peer(stream, shared, cx);
            }
        }
        self.announce_due(shared, cx);
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        if self.next_tick.is_some_and(|at| at <= cx.now()) {
            self.tick(shared, cx);
        }
        self.announce_due(shared, cx);
    }

    fn tick(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.next_tick = Some(now + TICK);
        self.check_peers(shared, cx);
        self.check_sources(shared, cx);
        self.retry_metadata(cx);
        self.expire_hashes(shared, cx);
        self.retry_hashes(cx);
        self.give_up_leaves(shared, cx);
        if now >= self.next_choke {
            self.next_choke = now + shared.config.choke_interval;
            self.rechoke(shared, cx);
        }
        if now >= self.next_exchange {
            self.exchange_round(cx);
        }
        self.dial_more(shared, cx);
        self.fill_all(shared, cx);
        self.nap();
    }

    /// Without peers the clock need not run until one may be dialled.
    fn nap(&mut self) {
        if self.peers.is_empty() && !self.waits_for_sources() {
            let next = self.known.next_at();
            self.next_tick = next.map(|at| self.next_tick.map_or(at, |tick| at.max(tick)));
        }
    }

    /// Wakes the clock when a peer came.
    pub(crate) fn wake(&mut self, now: Instant) {
        if self.running {
            self.next_tick = Some(self.next_tick.map_or(now + TICK, |at| at.min(now + TICK)));
        }
    }

    fn check_peers(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let streams: Vec<StreamId> = self.peers.keys().copied().collect();
        for stream in streams {
            let Some(mut peer) = self.peers.remove(&stream) else { continue };
            self.check_peer(&mut peer, shared, cx);
            if peer.closing {
                self.forget(peer, shared, cx);
            } else {
                self.peers.insert(stream, peer);
            }
        }
    }

    fn check_peer(&mut self, peer: &mut Peer, shared: &Shared, cx: &mut Cx<'_>) {
        let (now, config) = (cx.now(), &shared.config);
        peer.chatter = 0;
        let silent = match peer.phase {
            Phase::Joined => now.since(peer.last_received) > config.idle_timeout,
            Phase::Connecting | Phase::Handshaking => now.since(peer.began) > config.handshake_timeout,
        };
        if silent {
            return peer.close(cx);
        }
        if peer.is_joined() && now.since(peer.last_sent) > KEEP_ALIVE {
            peer.send(&Message::KeepAlive, cx);
        }
        if peer.owes() && now.since(peer.last_block) > config.snub_timeout {
            self.snub(peer, cx);
        }
    }

    /// The peer owes blocks and sends none: others may send them.
    fn snub(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) {
        peer.snubbed = true;
        peer.last_block = cx.now();
        for request in &peer.sent.clone() {
            peer.send(&Message::Cancel(request.block), cx);
        }
        if let Some(arrival) = peer.arrival.as_mut().filter(|arrival| arrival.wanted) {
            arrival.wanted = false;
            let block = arrival.block;
            self.release_block(peer.stream, block);
        }
        self.release_requests(peer);
    }
}
