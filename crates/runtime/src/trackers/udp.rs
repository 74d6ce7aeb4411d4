//! One announce to one UDP tracker address (BEP 15, 41) as a small machine without I/O.
//!
//! Retransmissions begin at 3 s rather than BEP 15's 15 s and double, for a person waits: 3, 6, 12 and 24 s. A
//! connection id is used for a minute. Answers with another transaction id are dropped; the socket is connected, so
//! answers from other addresses never arrive.

use std::net::SocketAddr;
use std::time::Duration;
use throng_machine::{Entropy, Instant};
use throng_wire::tracker::http::TEXT_MAX;
use throng_wire::tracker::udp::{AnnounceRequest, AnnounceResponse, ConnectRequest, Options, Response};

/// How long a connection id is used (BEP 15).
pub(super) const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// The wait after the first transmission.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// Transmissions without an answer before we give up.
const TRIES: u32 = 4;

/// A connection id and when it was granted.
pub(super) type Connection = (u64, Instant);

/// What an answer meant.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Not for us: go on waiting.
    Ignore,
    /// Send the next request.
    Send,
    /// The announce is answered.
    Done(UdpAnswer),
    /// The tracker refused, in its words.
    Refused(String),
}

/// Peers and counts.
#[derive(Debug, PartialEq)]
pub(super) struct UdpAnswer {
    pub(super) interval: u32,
    pub(super) seeders: u32,
    pub(super) leechers: u32,
    pub(super) peers: Vec<SocketAddr>,
}

/// One announce under way.
pub(super) struct Exchange<'a> {
    request: AnnounceRequest<'a>,
    options: &'a [u8],
    is_v4: bool,
    connection: Option<Connection>,
    /// Whether the connection id is older than this exchange; then a refusal may only mean that it expired.
    from_cache: bool,
    transaction: u32,
    tries: u32,
}

impl<'a> Exchange<'a> {
    /// An announce over the family of the tracker's address, with a connection id where we have one.
    pub(super) fn new(
        request: AnnounceRequest<'a>,
        options: &'a [u8],
        is_v4: bool,
        connection: Option<Connection>,
    ) -> Exchange<'a> {
        let from_cache = connection.is_some();
        Exchange { request, options, is_v4, connection, from_cache, transaction: 0, tries: 0 }
    }

    /// The connection id to keep for later announces.
    pub(super) fn connection(&self) -> Option<Connection> {
        self.connection
    }

    /// The next datagram and how long to wait for its answer; `None` once it is time to give up.
    pub(super) fn transmit(&mut self, now: Instant, rng: &mut dyn Entropy) -> Option<(Vec<u8>, Duration)> {
        if self.tries == TRIES {
            return None;
        }
        let wait = FIRST_WAIT * (1 << self.tries);
        self.tries += 1;
        self.transaction = rng.next_u64() as u32;
        self.connection = self.connection.filter(|(_, granted)| now.since(*granted) < CONNECTION_LIFE);
        let mut bytes = Vec::with_capacity(128);
        match self.connection {
            None => bytes.extend(ConnectRequest { transaction_id: self.transaction }.encode()),
            Some((connection_id, _)) => {
                let (transaction_id, options) = (self.transaction, Options(self.options));
                AnnounceRequest { connection_id, transaction_id, options, ..self.request }.encode(&mut bytes);
            }
        }
        Some((bytes, wait))
    }

    /// Takes a datagram from the tracker's address.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Step {
        let Ok(response) = Response::parse(bytes) else { return Step::Ignore };
        if response.transaction_id() != self.transaction {
            return Step::Ignore;
        }
        match response {
            Response::Connect(granted) if self.connection.is_none() => {
                self.connection = Some((granted.connection_id, now));
                self.from_cache = false;
                self.tries = 0;
                Step::Send
            }
            Response::Announce(answer) if self.connection.is_some() => Step::Done(self.answer(&answer)),
            Response::Error { .. } if self.from_cache => {
                self.from_cache = false;
                self.connection = None;
                self.tries = 0;
                Step::Send
            }
            Response::Error { message, .. } => {
                let text = String::from_utf8_lossy(&message[..message.len().min(TEXT_MAX)]);
                Step::Refused(text.chars().filter(|c| !c.is_control()).collect())
            }
            _ => Step::Ignore,
        }
    }

    fn answer(&self, response: &AnnounceResponse<'_>) -> UdpAnswer {
        let peers = if self.is_v4 {
            response.peers_v4().map(SocketAddr::from).collect()
        } else {
            response.peers_v6().map(SocketAddr::from).collect()
        };
        let header = response.header;
        UdpAnswer { interval: header.interval, seeders: header.seeders, leechers: header.leechers, peers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_machine::SplitMix64;
    use throng_wire::ids::{InfoHash, PeerId};
    use throng_wire::tracker::AnnounceEvent;
    use throng_wire::tracker::udp::{AnnounceHeader, ConnectResponse, Request, push_error};

    fn exchange(connection: Option<Connection>) -> Exchange<'static> {
        let request = AnnounceRequest {
            connection_id: 0,
            transaction_id: 0,
            info_hash: InfoHash([1; 20]),
            peer_id: PeerId([2; 20]),
            downloaded: 0,
            left: 9,
            uploaded: 0,
            event: AnnounceEvent::Started,
            ip: 0,
            key: 5,
            num_want: None,
            port: 6881,
            options: Options(&[]),
        };
        Exchange::new(request, &[], true, connection)
    }

    fn announce(transaction_id: u32) -> Vec<u8> {
        let mut bytes =
            AnnounceHeader { transaction_id, interval: 1800, leechers: 1, seeders: 2 }.encode().to_vec();
        bytes.extend([10, 0, 0, 7, 0x1a, 0xe1]);
        bytes
    }

    #[test]
    fn a_connection_id_is_fetched_then_used() {
        let (mut rng, mut exchange, now) = (SplitMix64::new(1), exchange(None), Instant::EPOCH);
        let (sent, wait) = exchange.transmit(now, &mut rng).unwrap();
        assert_eq!(wait, FIRST_WAIT);
        let Ok(Request::Connect(connect)) = Request::parse(&sent) else { panic!("not a connect") };
        let transaction_id = connect.transaction_id;
        let foreign = ConnectResponse { transaction_id: transaction_id ^ 1, connection_id: 7 };
        assert_eq!(exchange.receive(&foreign.encode(), now), Step::Ignore);
        let granted = ConnectResponse { transaction_id, connection_id: 77 };
        assert_eq!(exchange.receive(&granted.encode(), now), Step::Send);
        let (sent, _) = exchange.transmit(now, &mut rng).unwrap();
        let Ok(Request::Announce(request)) = Request::parse(&sent) else { panic!("not an announce") };
        assert_eq!((request.connection_id, request.left, request.port), (77, 9, 6881));
        let Step::Done(answer) = exchange.receive(&announce(request.transaction_id), now) else { panic!() };
        assert_eq!(answer.peers, vec![SocketAddr::from(([10, 0, 0, 7], 6881))]);
        assert_eq!((answer.interval, answer.seeders, answer.leechers), (1800, 2, 1));
    }

    #[test]
    fn silence_is_met_with_growing_patience_and_then_an_end() {
        let (mut rng, mut exchange) = (SplitMix64::new(1), exchange(None));
        let waits: Vec<_> = std::iter::from_fn(|| exchange.transmit(Instant::EPOCH, &mut rng))
            .map(|(_, wait)| wait.as_secs())
            .collect();
        assert_eq!(waits, [3, 6, 12, 24]);
    }

    #[test]
    fn a_connection_id_of_a_minute_ago_is_not_used() {
        let (mut rng, mut exchange) = (SplitMix64::new(1), exchange(Some((7, Instant::EPOCH))));
        let (sent, _) = exchange.transmit(Instant::EPOCH + CONNECTION_LIFE, &mut rng).unwrap();
        assert!(matches!(Request::parse(&sent), Ok(Request::Connect(_))));
    }

    #[test]
    fn a_refusal_of_a_kept_connection_id_asks_for_a_new_one_first() {
        let (mut rng, mut exchange, now) =
            (SplitMix64::new(1), exchange(Some((7, Instant::EPOCH))), Instant::EPOCH);
        exchange.transmit(now, &mut rng).unwrap();
        let refuse = |transaction| {
            let mut bytes = Vec::new();
            push_error(transaction, "not\nhere", &mut bytes);
            bytes
        };
        assert_eq!(exchange.receive(&refuse(exchange.transaction), now), Step::Send);
        let (sent, _) = exchange.transmit(now, &mut rng).unwrap();
        assert!(matches!(Request::parse(&sent), Ok(Request::Connect(_))));
        assert_eq!(exchange.receive(&refuse(exchange.transaction), now), Step::Refused("nothere".into()));
    }
}
