//! Trackers that misbehave: the person is told once, and the fetch goes on.

use crate::program::{Place, noise};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

/// Answers every request with these bytes, and then `body` again and again as long as the other side takes it.
fn tracker(head: &'static str, body: Option<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/announce", listener.local_addr().unwrap());
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(head.as_bytes());
            while body.as_ref().is_some_and(|body| stream.write_all(body).is_ok()) {}
        }
    });
    url
}

fn told(url: &str) -> String {
    let place = Place::new();
    place.write("file", &noise(50_000, 1));
    place.publish("file", "t.torrent", &["--tracker", url]);
    let mut fetch = place.start("home", &["fetch", "t.torrent", "-o", "out", "--listen", "127.0.0.1:0"]);
    let reason = fetch.event("tracker_error")["reason"].as_str().unwrap().to_owned();
    fetch.signal(Signal::TERM);
    assert_eq!(fetch.wait(), 130);
    reason
}

#[test]
fn a_web_page_instead_of_an_answer_is_named() {
    let reason =
        told(&tracker("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", None));
    assert!(reason.contains("web page"), "{reason}");
}

#[test]
fn redirects_for_ever_end() {
    let reason =
        told(&tracker("HTTP/1.1 302 Found\r\nLocation: /announce\r\nContent-Length: 0\r\n\r\n", None));
    assert!(reason.contains("redirects"), "{reason}");
}

#[test]
fn ten_million_peers_are_cut_short() {
    // As many as it likes: the answer has no end.
    let reason =
        told(&tracker("HTTP/1.1 200 OK\r\n\r\nd8:intervali60e5:peers60000000:", Some(vec![1; 60_000])));
    assert!(reason.contains("larger than"), "{reason}");
}

#[test]
fn a_tracker_that_is_not_there_is_named() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let reason = told(&format!("http://{gone}/announce"));
    assert!(reason.contains("cannot connect"), "{reason}");
}

#[test]
fn a_tracker_that_never_answers_is_given_up() {
    // Connections wait in the listener's queue for ever.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let reason = told(&format!("http://{}/announce", silent.local_addr().unwrap()));
    assert!(reason.contains("did not answer"), "{reason}");
}
