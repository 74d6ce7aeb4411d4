//! The API of a real node: nothing without its token, nothing for pages of other origins.

use crate::peers::join;
use crate::program::Place;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

fn status_line(api: &str, head: &str) -> String {
    let mut socket = TcpStream::connect(api).unwrap();
    write!(socket, "GET /api/v1/status HTTP/1.1\r\nConnection: close\r\n{head}\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn only_the_holder_of_the_token_on_this_machine_is_answered() {
    let place = Place::new();
    let node = join(&place, "a", "new");
    let address: serde_json::Value =
        serde_json::from_slice(&std::fs::read(place.path("a/node.json")).unwrap()).unwrap();
    assert_eq!(address["api"].as_str(), Some(node.api.as_str()));
    let token = address["token"].as_str().unwrap();
    assert_eq!(token.len(), 64);
    let (host, right) = (format!("Host: {}\r\n", node.api), format!("Authorization: Bearer {token}\r\n"));
    let wrong = format!("Authorization: Bearer {}\r\n", "0".repeat(64));
    assert!(status_line(&node.api, &format!("{host}{right}")).contains("200"));
    assert!(status_line(&node.api, &host).contains("401"));
    assert!(status_line(&node.api, &format!("{host}{wrong}")).contains("401"));
    assert!(status_line(&node.api, &format!("Host: rebound.example\r\n{right}")).contains("403"));
    assert!(status_line(&node.api, &format!("{host}{right}Origin: http://page.example\r\n")).contains("403"));
    assert!(status_line(&node.api, &right).contains("400") || status_line(&node.api, &right).contains("403"));
}

#[test]
fn a_token_is_of_one_start_only() {
    let place = Place::new();
    let token = || std::fs::read(place.path("a/node.json")).unwrap();
    let node = join(&place, "a", "new");
    let first = token();
    node.leave();
    assert!(!place.path("a/node.json").exists());
    let _again = join(&place, "a", "new");
    assert_ne!(token(), first);
}
