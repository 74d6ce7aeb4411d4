//! Peer exchange (BEP 11): whom we met and lost, once a minute, never for private torrents.

use super::Torrent;
use crate::PeerSource;
use crate::peer::Peer;
use crate::shared::{Cx, Shared};
use crate::violation::Violation;
use std::net::SocketAddr;
use std::time::Duration;
use throng_machine::{Endpoint, StreamId};
use throng_wire::peer::{MAX_PEX_CONTACTS, Message, Pex, PexFlags, encode_pex};

/// BEP 11: no more than one message a minute.
pub(super) const EXCHANGE_INTERVAL: Duration = Duration::from_secs(60);

impl Torrent {
    pub(super) fn on_exchange(
        &mut self,
        peer: &mut Peer,
        payload: &[u8],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Violation> {
        if self.options.private {
            return Ok(());
        }
        let pex = Pex::decode(payload)?;
        let seed = |flags: PexFlags| flags.contains(PexFlags::UPLOAD_ONLY);
        let finished = self.is_finished();
        // A stranger's word must not make us call services of our own machine.
        let local = peer.address.ip().is_loopback();
        let addresses: Vec<Endpoint> = pex
            .added()
            .filter(|(address, flags)| !(finished && seed(*flags)) && (local || !address.ip().is_loopback()))
            .map(|(address, _)| address.into())
            .collect();
        self.add_peers(PeerSource::Exchange, &addresses, shared, cx);
        Ok(())
    }

    /// Tells a newcomer whom we know right away.
    pub(super) fn greet_exchange(&mut self, peer: &mut Peer, cx: &mut Cx<'_>) {
        if peer.exchanged || peer.told.exchange.is_none() || self.options.private {
            return;
        }
        peer.exchanged = true;
        let others = self.contacts();
        send(peer, &others, &[], cx);
    }

    /// The regular round: what changed since the last one.
    pub(super) fn exchange_round(&mut self, cx: &mut Cx<'_>) {
        self.next_exchange = cx.now() + EXCHANGE_INTERVAL;
        if self.options.private {
            return;
        }
        let contacts = self.contacts();
        let now: Vec<Endpoint> = contacts.iter().map(|(address, _)| Endpoint::from(*address)).collect();
        let added: Vec<(SocketAddr, PexFlags)> = contacts
            .into_iter()
            .filter(|(address, _)| self.exchanged.binary_search(&Endpoint::from(*address)).is_err())
            .collect();
        let gone = self.exchanged.iter().filter(|address| now.binary_search(address).is_err());
        let dropped: Vec<SocketAddr> = gone.map(Endpoint::socket_addr).take(MAX_PEX_CONTACTS).collect();
        self.exchanged = now;
        if added.is_empty() && dropped.is_empty() {
            return;
        }
        let streams: Vec<StreamId> = self.peers.keys().copied().collect();
        for stream in streams {
            self.with_peer(stream, |_, peer| {
                if peer.exchanged && peer.is_joined() {
                    send(peer, &added, &dropped, cx);
                }
            });
        }
    }

    /// Peers worth telling others of, in the order of their addresses.
    fn contacts(&self) -> Vec<(SocketAddr, PexFlags)> {
        let mut contacts: Vec<(Endpoint, PexFlags)> = self
            .peers
            .values()
            .filter(|peer| peer.is_joined())
            .filter_map(|peer| {
                let seed = if peer.is_seed() { PexFlags::UPLOAD_ONLY } else { PexFlags::default() };
                let reachable = if peer.incoming { PexFlags::default() } else { PexFlags::REACHABLE };
                Some((peer.dialable()?, seed.with(reachable)))
            })
            .collect();
        contacts.sort_unstable_by_key(|(address, _)| *address);
        contacts.into_iter().map(|(address, flags)| (address.socket_addr(), flags)).collect()
    }
}

fn send(peer: &mut Peer, added: &[(SocketAddr, PexFlags)], dropped: &[SocketAddr], cx: &mut Cx<'_>) {
    let Some(id) = peer.told.exchange else { return };
    let own = peer.dialable().map(|address| address.socket_addr());
    let added: Vec<_> =
        added.iter().copied().filter(|(address, _)| Some(*address) != own).take(MAX_PEX_CONTACTS).collect();
    if added.is_empty() && dropped.is_empty() {
        return;
    }
    let mut payload = Vec::new();
    encode_pex(&added, dropped, &mut payload);
    peer.send(&Message::Extended { id, payload: &payload }, cx);
}
