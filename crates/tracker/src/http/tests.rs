//! The face as clients see it.

use throng_machine::SplitMix64;
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::tracker::http::{AnnounceReply, AnnounceResponse, Failure, ScrapeReply, scrape_query};

use super::*;
use crate::{AllowList, Config};

const SWARM: InfoHash = InfoHash([0xaa; 20]);

fn tracker() -> Tracker {
    Tracker::new(Config::default(), &mut SplitMix64::new(1), Instant::EPOCH)
}

fn get(tracker: &mut Tracker, from: &str, target: &str) -> (HttpStatus, Vec<u8>) {
    let from = from.parse::<std::net::SocketAddr>().unwrap().into();
    let mut out = Vec::new();
    let status =
        tracker.handle_get(from, target.as_bytes(), Instant::EPOCH, &mut SplitMix64::new(2), &mut out);
    (status, out)
}

fn announce(tracker: &mut Tracker, from: &str, fill: impl FnOnce(&mut AnnounceRequest<'_>)) -> AnnounceReply {
    let mut request = AnnounceRequest::new(SWARM, PeerId([1; 20]), 6881);
    fill(&mut request);
    let mut target = String::from("/announce?");
    request.write_query(&mut target);
    let (status, body) = get(tracker, from, &target);
    assert_eq!(status, HttpStatus::Ok);
    AnnounceReply::parse(&body).unwrap()
}

fn peers(reply: AnnounceReply) -> AnnounceResponse {
    match reply {
        AnnounceReply::Peers(response) => response,
        AnnounceReply::Failure(failure) => panic!("{failure:?}"),
    }
}

fn refusal(body: &[u8]) -> Failure {
    match AnnounceReply::parse(body) {
        Ok(AnnounceReply::Failure(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_gets_peers_of_both_families_and_its_own_address() {
    let mut tracker = tracker();
    announce(&mut tracker, "192.0.2.1:999", |_| {});
    announce(&mut tracker, "[2001:db8::1]:999", |_| {});
    let reply = peers(announce(&mut tracker, "192.0.2.2:999", |request| request.port = 7));
    let listed: Vec<String> = reply.peers.iter().map(|peer| peer.to_string()).collect();
    assert_eq!(listed, ["192.0.2.1:6881", "[2001:db8::1]:6881"]);
    assert_eq!((reply.complete, reply.incomplete, reply.interval), (Some(0), Some(3), Some(1800)));
    assert_eq!(reply.external_ip, Some("192.0.2.2".parse().unwrap()));
    let reply = peers(announce(&mut tracker, "[2001:db8::2]:999", |request| request.num_want = Some(1)));
    assert_eq!(reply.peers.len(), 2);
}

#[test]
fn a_claimed_address_is_ignored() {
    let mut tracker = tracker();
    announce(&mut tracker, "192.0.2.1:999", |request| request.ipv4 = Some("198.51.100.1".parse().unwrap()));
    let reply = peers(announce(&mut tracker, "192.0.2.2:1", |_| {}));
    assert_eq!(reply.peers, ["192.0.2.1:6881".parse().unwrap()]);
}

#[test]
fn both_faces_share_one_store() {
    let mut tracker = tracker();
    announce(&mut tracker, "192.0.2.1:999", |request| request.left = 0);
    let counts = tracker.swarms.scrape(&SWARM, &tracker.keys);
    assert_eq!((counts.seeders, counts.leechers), (1, 0));
}

#[test]
fn who_stops_is_forgotten() {
    let mut tracker = tracker();
    announce(&mut tracker, "192.0.2.1:999", |_| {});
    let stop = |request: &mut AnnounceRequest<'_>| request.event = AnnounceEvent::Stopped;
    assert_eq!(peers(announce(&mut tracker, "192.0.2.1:998", stop)).incomplete, Some(0));
}

#[test]
fn scrapes_name_the_swarms_asked_for_and_never_all() {
    let mut tracker = tracker();
    announce(&mut tracker, "192.0.2.1:999", |_| {});
    let mut target = String::from("/scrape?");
    scrape_query(&[SWARM, InfoHash([0; 20])], &mut target);
    let (_, body) = get(&mut tracker, "192.0.2.2:1", &target);
    let Ok(ScrapeReply::Files(response)) = ScrapeReply::parse(&body) else { panic!("no files") };
    let files: Vec<_> = response.files.iter().map(|(hash, entry)| (hash.0[0], entry.leechers)).collect();
    assert_eq!(files, [(0, 0), (0xaa, 1)]);
    assert_eq!(refusal(&get(&mut tracker, "192.0.2.2:1", "/scrape").1).reason, "scrape without info_hash");
    let many = format!("/scrape?{}", format!("&info_hash={}", "a".repeat(20)).repeat(500));
    assert!(get(&mut tracker, "192.0.2.2:1", &many).1.len() < 200);
}

#[test]
fn refusals_say_why_and_other_paths_are_not_ours() {
    let mut tracker = tracker();
    assert_eq!(
        refusal(&get(&mut tracker, "192.0.2.1:1", "/announce").1).reason,
        "missing parameter info_hash"
    );
    let (_, body) = get(&mut tracker, "192.0.2.1:1", "/scrape?info_hash=x");
    assert_eq!(refusal(&body).reason, "invalid parameter info_hash");
    assert_eq!(get(&mut tracker, "192.0.2.1:1", "/").0, HttpStatus::NotFound);
    assert_eq!(get(&mut tracker, "192.0.2.1:1", "").0, HttpStatus::NotFound);
    tracker.set_allow_list(Some(AllowList::default()));
    let AnnounceReply::Failure(failure) = announce(&mut tracker, "192.0.2.1:999", |_| {}) else {
        panic!("served")
    };
    assert_eq!(failure.retry, Some(Retry::Never));
    assert_eq!(tracker.metrics().http_failures, 3);
}
