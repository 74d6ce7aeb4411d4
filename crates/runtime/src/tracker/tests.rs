//! The server on loopback, over both faces.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::tracker::AnnounceEvent;
use throng_wire::tracker::http::{AnnounceReply, AnnounceRequest};
use throng_wire::tracker::udp::{self, ConnectRequest, Options, Response};

use super::*;

fn loopback() -> TrackerConfig {
    TrackerConfig { listen: "127.0.0.1:0".parse().unwrap(), ..TrackerConfig::default() }
}

fn announce_target(port: u16) -> String {
    let mut target = String::from("/announce?");
    AnnounceRequest::new(InfoHash([7; 20]), PeerId([1; 20]), port).write_query(&mut target);
    target
}

/// Sends text and reads to the end of the connection.
fn talk(to: SocketAddr, text: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn body(response: &[u8]) -> &[u8] {
    let at = response.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    &response[at + 4..]
}

fn exchange(socket: &std::net::UdpSocket, request: &[u8]) -> Vec<u8> {
    socket.send(request).unwrap();
    let mut answer = vec![0; 2_000];
    let len = socket.recv(&mut answer).unwrap();
    answer.truncate(len);
    answer
}

fn announce_udp(to: SocketAddr, port: u16) -> Vec<SocketAddr> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.connect(to).unwrap();
    let answer = exchange(&socket, &ConnectRequest { transaction_id: 1 }.encode());
    let Ok(Response::Connect(granted)) = Response::parse(&answer) else { panic!("no connection id") };
    let request = udp::AnnounceRequest {
        connection_id: granted.connection_id,
        transaction_id: 2,
        info_hash: InfoHash([7; 20]),
        peer_id: PeerId([2; 20]),
        downloaded: 0,
        left: 1,
        uploaded: 0,
        event: AnnounceEvent::Started,
        ip: 0,
        key: 0,
        num_want: None,
        port,
        options: Options(&[]),
    };
    let mut datagram = Vec::new();
    request.encode(&mut datagram);
    let answer = exchange(&socket, &datagram);
    let Ok(Response::Announce(response)) = Response::parse(&answer) else { panic!("{answer:?}") };
    response.peers_v4().map(SocketAddr::from).collect()
}

#[test]
fn both_faces_answer_on_one_port_from_one_store() {
    let server = TrackerServer::start(loopback()).unwrap();
    let to = server.local_addr();
    assert!(announce_udp(to, 1_001).is_empty());
    let close = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    let answer = talk(to, &close(&announce_target(1_002)));
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    let Ok(AnnounceReply::Peers(reply)) = AnnounceReply::parse(body(&answer)) else { panic!("no peers") };
    assert_eq!(reply.peers, ["127.0.0.1:1001".parse().unwrap()]);
    let mut peers = announce_udp(to, 1_003);
    peers.sort();
    assert_eq!(peers, ["127.0.0.1:1001".parse().unwrap(), "127.0.0.1:1002".parse().unwrap()]);
    let metrics = talk(to, &close("/metrics"));
    let text = String::from_utf8(metrics).unwrap();
    assert!(text.contains("throng_tracker_peers{family=\"ipv4\"} 3\n"), "{text}");
    assert!(talk(to, &close("/other")).starts_with(b"HTTP/1.1 404 "));
    server.stop();
    assert!(TcpStream::connect(to).is_err());
}

#[test]
fn a_connection_carries_many_requests_also_at_once() {
    let server = TrackerServer::start(loopback()).unwrap();
    let keep = |port| format!("GET {} HTTP/1.1\r\nHost: t\r\n\r\n", announce_target(port));
    let text = format!("{}{}GET / HTTP/1.0\r\n\r\n", keep(1), keep(2));
    let answer = String::from_utf8_lossy(&talk(server.local_addr(), &text)).into_owned();
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(answer.matches("HTTP/1.1 404").count(), 1);
    assert_eq!(server.metrics().http_announces, 2);
}

#[test]
fn bad_requests_are_answered_and_slow_ones_dropped() {
    let server = TrackerServer::start(loopback()).unwrap();
    assert!(talk(server.local_addr(), "POST / HTTP/1.1\r\n\r\n").starts_with(b"HTTP/1.1 405 "));
    assert!(talk(server.local_addr(), "\x13BitTorrent protocol").starts_with(b"HTTP/1.1 400 "));
    let long = format!("GET /{}", "a".repeat(message::HEAD_MAX - 5));
    assert!(talk(server.local_addr(), &long).starts_with(b"HTTP/1.1 431 "));
    let impatient = TrackerConfig { request_timeout: Duration::from_millis(50), ..loopback() };
    let server = TrackerServer::start(impatient).unwrap();
    assert!(talk(server.local_addr(), "GET /announce").is_empty());
}

#[test]
fn one_address_holds_only_its_share_of_connections() {
    let server =
        TrackerServer::start(TrackerConfig { max_connections_per_address: 1, ..loopback() }).unwrap();
    let mut first = TcpStream::connect(server.local_addr()).unwrap();
    let request = "GET / HTTP/1.1\r\n\r\n";
    first.write_all(request.as_bytes()).unwrap();
    assert_ne!(first.read(&mut [0; 10]).unwrap(), 0);
    let mut second = TcpStream::connect(server.local_addr()).unwrap();
    assert!(matches!(second.read(&mut [0; 10]), Ok(0) | Err(_)));
}

#[test]
fn addresses_that_cannot_be_used_are_named_in_one_line() {
    let server = TrackerServer::start(loopback()).unwrap();
    let fail = |listen: SocketAddr| {
        let config = TrackerConfig { listen, ..TrackerConfig::default() };
        TrackerServer::start(config).err().expect("must not start").to_string()
    };
    let taken = server.local_addr();
    assert_eq!(fail(taken), format!("cannot listen on TCP {taken}: the port is in use"));
    let foreign = "192.0.2.1:0".parse().unwrap();
    assert_eq!(fail(foreign), "cannot listen on TCP 192.0.2.1:0: this machine does not have that address");
}

#[test]
fn the_allow_list_is_checked_at_the_start_and_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("allow");
    let start = || TrackerServer::start(TrackerConfig { allow: Some(path.clone()), ..loopback() });
    let missing = start().err().expect("must not start").to_string();
    assert!(missing.starts_with("cannot use allow-list ") && !missing.contains('\n'), "{missing}");
    std::fs::write(&path, "nonsense\n").unwrap();
    assert!(start().err().expect("must not start").to_string().contains("line 1 of the allow-list"));
    std::fs::write(&path, "07".repeat(20)).unwrap();
    let server = start().unwrap();
    assert!(announce_udp(server.local_addr(), 1).is_empty());
    assert_eq!(server.metrics().allowed, Some(1));

    let (mut watched, list) = allow::Watched::open(path.clone()).unwrap();
    assert_eq!(list.len(), 1);
    assert!(watched.poll().is_none());
    std::fs::write(&path, format!("{}\n{}\n", "07".repeat(20), "08".repeat(32))).unwrap();
    assert_eq!(watched.poll().map(|list| list.len()), Some(2));
    std::fs::write(&path, "broken").unwrap();
    assert!(watched.poll().is_none() && watched.poll().is_none());
    std::fs::remove_file(&path).unwrap();
    assert!(watched.poll().is_none());
}

#[test]
fn all_interfaces_of_both_families_are_served() {
    let config = TrackerConfig { listen: "[::]:0".parse().unwrap(), ..TrackerConfig::default() };
    let server = TrackerServer::start(config).unwrap();
    let v4 = SocketAddr::from(([127, 0, 0, 1], server.local_addr().port()));
    assert!(announce_udp(v4, 1).is_empty());
    assert_eq!(announce_udp(v4, 2), ["127.0.0.1:1".parse().unwrap()]);
    assert_eq!(server.metrics().v4.peers, 2);
}
