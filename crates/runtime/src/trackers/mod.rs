//! Announcing to trackers over HTTP, HTTPS (BEP 3, 7, 23, 31) and UDP (BEP 15, 41), over both families where the
//! tracker has both. Every failure is one clause for people.

pub(crate) mod guard;
pub(crate) mod http;
mod response;
#[cfg(test)]
mod tests;
mod udp;
pub(crate) mod url;

use crate::clock::Clock;
use crate::entropy::SystemEntropy;
use crate::net::socket::{self, Source};
use http::{Family, HttpClient};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_swarm::{AnnounceEvent, AnnounceRequest, TrackerOutcome};
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::tracker::http::{AnnounceReply, Retry, announce_url};
use throng_wire::tracker::{AnnounceEvent as WireEvent, http as wire_http, udp as wire_udp};
use udp::{Connection, Exchange, Step, UdpAnswer};
use url::{Scheme, Url};

/// The interval where a tracker names none; BEP 15's usual one.
const DEFAULT_INTERVAL: u32 = 1800;
/// What is remembered of trackers (connection ids, tracker ids); one goes when it is full.
const REMEMBERED: usize = 1_000;
/// The longest wait a tracker may ask for; a day.
const MAX_WAIT: u32 = 86_400;

/// The client; clones share what is remembered of trackers. Lives on one thread.
#[derive(Clone)]
pub struct Trackers {
    http: HttpClient,
    source: Source,
    memory: Rc<RefCell<Memory>>,
    clock: Clock,
}

struct Memory {
    entropy: SystemEntropy,
    connections: BTreeMap<SocketAddr, Connection>,
    /// What a tracker wants to hear again, by its URL and the swarm.
    tracker_ids: BTreeMap<(String, [u8; 20]), Vec<u8>>,
}

/// One family's answer.
struct Answer {
    interval: u32,
    min_interval: Option<u32>,
    counts: Option<(u32, u32)>,
    peers: Vec<SocketAddr>,
}

/// Why there is none.
struct Failure {
    reason: String,
    retry: Option<Duration>,
}

impl From<String> for Failure {
    fn from(reason: String) -> Failure {
        Failure { reason, retry: None }
    }
}

impl Trackers {
    /// Announces leave from `source` and call themselves `user_agent`.
    pub fn new(source: Source, user_agent: &str) -> io::Result<Trackers> {
        let (connections, tracker_ids) = (BTreeMap::new(), BTreeMap::new());
        let memory = Memory { entropy: SystemEntropy::from_system()?, connections, tracker_ids };
        Ok(Trackers {
            http: HttpClient::new(source, user_agent.to_owned()),
            source,
            memory: Rc::new(RefCell::new(memory)),
            clock: Clock::start(),
        })
    }

    /// Announces over every family the tracker has and joins what came back; takes at most a minute and a half.
    pub async fn announce(&self, request: &AnnounceRequest) -> TrackerOutcome {
        let Some(url) = Url::parse(&request.url) else {
            return TrackerOutcome::Failed {
                reason: String::from("it is no tracker URL we know"),
                retry: None,
            };
        };
        let addresses = match http::resolve(&url).await {
            Ok(addresses) => addresses,
            Err(reason) => return TrackerOutcome::Failed { reason, retry: None },
        };
        let families: BTreeSet<bool> = addresses.iter().map(|at| Family::of(at.ip()) == Family::V4).collect();
        let mut outcome = match (families.contains(&true), families.contains(&false)) {
            (true, true) => {
                let (v4, v6) =
                    tokio::join!(self.over(&url, request, Family::V4), self.over(&url, request, Family::V6));
                outcome(v4, Some(v6))
            }
            (false, true) => outcome(self.over(&url, request, Family::V6).await, None),
            _ => outcome(self.over(&url, request, Family::V4).await, None),
        };
        // A tracker elsewhere must not make us call services of our own machine.
        if let TrackerOutcome::Answered { peers, .. } = &mut outcome
            && !addresses.iter().any(|at| at.ip().is_loopback())
        {
            peers.retain(|peer| !peer.ip().is_loopback());
        }
        outcome
    }

    async fn over(&self, url: &Url, request: &AnnounceRequest, family: Family) -> Result<Answer, Failure> {
        match url.scheme {
            Scheme::Udp => self.over_udp(url, request, family).await,
            Scheme::Http | Scheme::Https => self.over_http(request, family).await,
        }
    }

    async fn over_http(&self, request: &AnnounceRequest, family: Family) -> Result<Answer, Failure> {
        let key = (request.url.clone(), request.info_hash);
        let tracker_id = self.memory.borrow().tracker_ids.get(&key).cloned();
        let url = Url::parse(&announce_url(&request.url, &http_query(request, tracker_id)));
        let url = url.ok_or_else(|| String::from("it is no tracker URL we know"))?;
        let body = self.http.get(url, family).await?;
        match AnnounceReply::parse(&body).map_err(|error| error.to_string())? {
            AnnounceReply::Failure(failure) => {
                let retry = failure.retry.map(|retry| match retry {
                    Retry::Minutes(minutes) => Duration::from_secs(60 * u64::from(minutes)),
                    Retry::Never => throng_machine::FOREVER,
                });
                Err(Failure { reason: format!("it refused: {}", failure.reason), retry })
            }
            AnnounceReply::Peers(reply) => {
                if let Some(warning) = &reply.warning {
                    tracing::warn!(url = request.url, warning, "the tracker warns");
                }
                if let Some(id) = reply.tracker_id {
                    insert_bounded(&mut self.memory.borrow_mut().tracker_ids, key, id);
                }
                Ok(Answer {
                    interval: reply.interval.unwrap_or(DEFAULT_INTERVAL),
                    min_interval: reply.min_interval,
                    counts: reply.complete.zip(reply.incomplete),
                    peers: reply.peers,
                })
            }
        }
    }

    async fn over_udp(
        &self,
        url: &Url,
        request: &AnnounceRequest,
        family: Family,
    ) -> Result<Answer, Failure> {
        let addresses = http::resolve(url).await?;
        let at = addresses.into_iter().find(|at| Family::of(at.ip()) == family);
        let at = at.ok_or_else(|| String::from("it has no address of this family"))?;
        guard::may_contact(url, at.ip(), None)?;
        let answer = self.exchange(url, request, at).await?;
        Ok(Answer {
            interval: answer.interval,
            min_interval: None,
            counts: Some((answer.seeders, answer.leechers)),
            peers: answer.peers,
        })
    }

    async fn exchange(
        &self,
        url: &Url,
        request: &AnnounceRequest,
        at: SocketAddr,
    ) -> Result<UdpAnswer, String> {
        let failed = |error: io::Error| format!("cannot reach {at}: {error}");
        let socket = socket::datagrams(self.source.or_any(&at)).map_err(failed)?;
        socket.connect(at).await.map_err(failed)?;
        let mut options = Vec::new();
        // Without the option the tracker still answers; a target too long for it is left out.
        let _ = url.target != "/" && wire_udp::push_url_data(&url.target, &mut options);
        let known = self.memory.borrow().connections.get(&at).copied();
        let mut exchange = Exchange::new(udp_request(request), &options, at.is_ipv4(), known);
        let mut buffer = vec![0; 16 << 10];
        loop {
            let sent = exchange.transmit(self.clock.now(), &mut self.memory.borrow_mut().entropy);
            let (bytes, wait) = sent.ok_or("it did not answer")?;
            socket.send(&bytes).await.map_err(failed)?;
            let answered = tokio::time::timeout(wait, async {
                loop {
                    let count = socket.recv(&mut buffer).await.map_err(failed)?;
                    match exchange.receive(&buffer[..count], self.clock.now()) {
                        Step::Ignore => {}
                        step => return Ok::<_, String>(step),
                    }
                }
            });
            let step = match answered.await {
                Ok(step) => step?,
                Err(_) => continue,
            };
            if let Some(connection) = exchange.connection() {
                insert_bounded(&mut self.memory.borrow_mut().connections, at, connection);
            }
            match step {
                Step::Done(answer) => return Ok(answer),
                Step::Refused(reason) => return Err(format!("it refused: {reason}")),
                Step::Send | Step::Ignore => {}
            }
        }
    }
}

/// The file of at most `most` bytes that a person named by its http or https URL, over whichever family answers; else
/// one clause for people. Takes at most 40 seconds.
pub async fn download(url: &str, source: Source, user_agent: &str, most: usize) -> Result<Vec<u8>, String> {
    let url = Url::parse(url).filter(|url| url.scheme != Scheme::Udp).ok_or("it is no URL we know")?;
    let client = HttpClient::new(source, user_agent.to_owned()).for_named_files(most);
    let families: BTreeSet<bool> =
        http::resolve(&url).await?.iter().map(|at| Family::of(at.ip()) == Family::V4).collect();
    let mut failed = String::from("its name has no address");
    for is_v4 in families {
        match client.get(url.clone(), if is_v4 { Family::V4 } else { Family::V6 }).await {
            Ok(body) => return Ok(body),
            Err(reason) => failed = reason,
        }
    }
    Err(failed)
}

fn http_query(request: &AnnounceRequest, tracker_id: Option<Vec<u8>>) -> String {
    let mut query = String::new();
    let (info_hash, peer_id) = (InfoHash(request.info_hash), PeerId(request.peer_id));
    let base = wire_http::AnnounceRequest::new(info_hash, peer_id, request.port);
    wire_http::AnnounceRequest {
        uploaded: request.uploaded,
        downloaded: request.downloaded,
        left: request.left,
        event: wire_event(request.event),
        num_want: Some(request.numwant),
        key: Some(request.key),
        tracker_id: tracker_id.map(Into::into),
        ..base
    }
    .write_query(&mut query);
    query
}

fn udp_request(request: &AnnounceRequest) -> wire_udp::AnnounceRequest<'static> {
    wire_udp::AnnounceRequest {
        connection_id: 0,
        transaction_id: 0,
        info_hash: InfoHash(request.info_hash),
        peer_id: PeerId(request.peer_id),
        downloaded: request.downloaded,
        left: request.left,
        uploaded: request.uploaded,
        event: wire_event(request.event),
        ip: 0,
        key: request.key,
        num_want: Some(request.numwant),
        port: request.port,
        options: wire_udp::Options(&[]),
    }
}

fn wire_event(event: AnnounceEvent) -> WireEvent {
    match event {
        AnnounceEvent::None => WireEvent::None,
        AnnounceEvent::Started => WireEvent::Started,
        AnnounceEvent::Stopped => WireEvent::Stopped,
        AnnounceEvent::Completed => WireEvent::Completed,
    }
}

/// Joins what the families brought: one answer is enough.
fn outcome(first: Result<Answer, Failure>, second: Option<Result<Answer, Failure>>) -> TrackerOutcome {
    let (answer, other) = match (first, second) {
        (Ok(answer), Some(Ok(other))) => (answer, Some(other)),
        (Ok(answer), _) | (Err(_), Some(Ok(answer))) => (answer, None),
        (Err(Failure { reason, retry }), _) => return TrackerOutcome::Failed { reason, retry },
    };
    let interval = other.iter().fold(answer.interval, |interval, other| interval.min(other.interval));
    let counts = other.as_ref().and_then(|other| other.counts).max(answer.counts);
    let mut peers = answer.peers;
    peers.extend(other.into_iter().flat_map(|other| other.peers));
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds.min(MAX_WAIT)));
    TrackerOutcome::Answered {
        interval: seconds(interval),
        min_interval: answer.min_interval.map(seconds),
        peers: peers.into_iter().map(Endpoint::from).filter(Endpoint::is_dialable).collect(),
        counts,
    }
}

fn insert_bounded<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    if map.len() >= REMEMBERED {
        map.pop_first();
    }
    map.insert(key, value);
}

impl Source {
    /// The local address for datagrams towards `to`.
    fn or_any(&self, to: &SocketAddr) -> SocketAddr {
        let any = if to.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        self.towards(to).unwrap_or(SocketAddr::new(any, 0))
    }
}
