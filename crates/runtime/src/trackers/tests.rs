//! The client against small trackers on loopback.

use super::*;
use std::future::Future;
use throng_wire::tracker::udp::{AnnounceHeader, ConnectResponse, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn request(url: String) -> AnnounceRequest {
    AnnounceRequest {
        content: throng_machine::ContentId(0),
        request: 1,
        url,
        info_hash: [0xfe; 20],
        peer_id: *b"-TG0100-0123456789ab",
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event: AnnounceEvent::Started,
        numwant: 50,
        key: 7,
    }
}

/// Answers every connection with the next of `answers` and returns the requests it saw.
async fn serve(listener: TcpListener, answers: Vec<String>) -> Vec<String> {
    let mut seen = Vec::new();
    for answer in answers {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert_ne!(socket.read_buf(&mut head).await.unwrap(), 0);
        }
        seen.push(String::from_utf8(head).unwrap());
        // A client that has seen enough may be gone.
        let _ = socket.write_all(answer.as_bytes()).await;
    }
    seen
}

/// Announces to a tracker with those answers; `{at}` in them is the tracker's own address.
async fn announce(path: &str, answers: &[&str]) -> (TrackerOutcome, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let answers = answers.iter().map(|answer| answer.replace("{at}", &at)).collect();
    let trackers = Trackers::new(Source::default(), "throng/test").unwrap();
    let request = request(format!("http://{at}{path}"));
    tokio::join!(trackers.announce(&request), serve(listener, answers))
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn reason(outcome: TrackerOutcome) -> String {
    match outcome {
        TrackerOutcome::Failed { reason, .. } => reason,
        TrackerOutcome::Answered { .. } => panic!("answered"),
    }
}

#[test]
fn an_announce_brings_peers_and_intervals() {
    run(async {
        let body = "d8:completei4e10:incompletei5e8:intervali900e5:peers6:\x0a\0\0\x07\x1a\x0be";
        let (outcome, seen) = announce("/announce?passkey=x", &[&ok(body)]).await;
        let TrackerOutcome::Answered { interval, peers, counts, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((interval.as_secs(), counts), (900, Some((4, 5))));
        assert_eq!(peers, [Endpoint::v4([10, 0, 0, 7], 0x1a0b)]);
        let line = seen[0].lines().next().unwrap();
        assert!(line.starts_with("GET /announce?passkey=x&info_hash=%FE%FE"), "{line}");
        assert!(line.contains("event=started") && line.contains("left=3"), "{line}");
    });
}

#[test]
fn refusals_and_nonsense_are_told_in_words() {
    run(async {
        let said = |body: String| async move { reason(announce("/announce", &[&body]).await.0) };
        assert_eq!(said(ok("d14:failure reason9:go away.:e")).await, "it refused: go away.:");
        let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>";
        assert_eq!(said(page.into()).await, "it answered with a web page, not a tracker response");
        assert_eq!(said("HTTP/1.1 404 Not Found\r\n\r\n".into()).await, "it answered with HTTP status 404");
        let large = "HTTP/1.1 200 OK\r\nContent-Length: 60000000\r\n\r\n";
        assert_eq!(said(large.into()).await, "the answer is larger than 1024 KiB");
        assert_eq!(said("SSH-2.0-x\r\n".into()).await, "the answer is not HTTP");
        assert!(!said(ok("i5e")).await.is_empty());
    });
}

#[test]
fn redirects_are_followed_five_times() {
    run(async {
        let again = "HTTP/1.1 302 Found\r\nLocation: http://{at}/announce\r\nContent-Length: 0\r\n\r\n";
        let body = ok("d8:intervali900ee");
        let (outcome, _) = announce("/announce", &[again, again, again, again, again, &body]).await;
        assert!(matches!(outcome, TrackerOutcome::Answered { .. }), "{outcome:?}");
        let (outcome, _) = announce("/announce", &[again; 6]).await;
        assert_eq!(reason(outcome), "it redirects more than 5 times");
    });
}

#[test]
fn a_torrent_cannot_make_us_call_other_services_of_this_machine() {
    run(async {
        assert_eq!(reason(announce("/shutdown", &[]).await.0), "on this machine only /announce is asked");
        let aside = "HTTP/1.1 302 Found\r\nLocation: /shutdown\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(
            reason(announce("/announce", &[aside]).await.0),
            "on this machine only /announce is asked"
        );
    });
}

#[test]
fn a_udp_tracker_is_asked_once_for_a_connection_id() {
    run(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let tracker = async {
            let (mut buffer, mut connects, mut announces) = ([0; 2048], 0, 0);
            while announces < 2 {
                let (count, from) = socket.recv_from(&mut buffer).await.unwrap();
                let answer = match Request::parse(&buffer[..count]).unwrap() {
                    Request::Connect(request) => {
                        connects += 1;
                        let transaction_id = request.transaction_id;
                        ConnectResponse { transaction_id, connection_id: 99 }.encode().to_vec()
                    }
                    Request::Announce(request) => {
                        announces += 1;
                        assert_eq!(request.connection_id, 99);
                        assert_eq!(request.options.url_data().next(), Some(&b"/announce?k"[..]));
                        let transaction_id = request.transaction_id;
                        let header = AnnounceHeader { transaction_id, interval: 60, leechers: 1, seeders: 1 };
                        [&header.encode()[..], &[10, 0, 0, 7, 1, 2]].concat()
                    }
                    Request::Scrape(_) => panic!("not asked for"),
                };
                socket.send_to(&answer, from).await.unwrap();
            }
            connects
        };
        let trackers = Trackers::new(Source::default(), "throng/test").unwrap();
        let request = request(format!("udp://{at}/announce?k"));
        let both = async { (trackers.announce(&request).await, trackers.announce(&request).await) };
        let (connects, (first, second)) = tokio::join!(tracker, both);
        assert_eq!(connects, 1);
        for outcome in [first, second] {
            let TrackerOutcome::Answered { peers, .. } = outcome else { panic!("{outcome:?}") };
            assert_eq!(peers, [Endpoint::v4([10, 0, 0, 7], 0x102)]);
        }
    });
}
