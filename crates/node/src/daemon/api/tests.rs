//! The API over real connections, with a node of one scripted system behind it.

use super::*;
use crate::cli::ResourceArgs;
use crate::daemon::bittorrent::BitTorrent;
use crate::daemon::common::{Common, Happening};
use crate::daemon::node::{Ending, Inbox, Node, Parts};
use crate::daemon::report::SystemStatus;
use crate::daemon::system::{Database, LocalWork, News, System, Teller, Told};
use crate::output::{Level, Output};
use ed25519_dalek::SigningKey;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use throng_overlay::chord::{self, Failure, Put, Want};
use throng_overlay::discovery;
use throng_runtime::library::Library;
use throng_runtime::net::port::Port;
use throng_runtime::ring::{Got, Kept};
use throng_runtime::session::SessionConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

mod page;

/// How long anything may take; generous, since machines are shared.
const DEADLINE: Duration = Duration::from_secs(60);
const TOKEN: &str = "0123456789abcdef";

/// Keeps entries in memory; leaves when it is told to, unless it is stubborn.
struct Memory {
    entries: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
    teller: Teller,
    stubborn: bool,
}

impl System for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }
    fn status(&self) -> SystemStatus {
        SystemStatus::Unknown
    }
    fn command(&self, command: discovery::Command) {
        if command == discovery::Command::Leave && !self.stubborn {
            self.teller.tell(News::Discovery(discovery::Event::Left));
        }
    }
    fn database(&self) -> Option<&dyn Database> {
        Some(self)
    }
    fn close(&self) -> LocalWork<()> {
        Box::pin(async {})
    }
}

impl Database for Memory {
    fn put(&self, put: Put) -> LocalWork<Result<Kept, Failure>> {
        let result = match put {
            Put::Entry { name, .. } if name == b"full" => {
                Err(Failure::OverQuota { limit: "records a publisher", retry_after: 9 })
            }
            Put::Entry { name, value, .. } => {
                self.entries.borrow_mut().insert(name, value);
                Ok(Kept { copies: 3, of: 5, seq: 7, hash: [0; 32] })
            }
            _ => Err(Failure::NotJoined),
        };
        Box::pin(async { result })
    }
    fn get(&self, want: Want) -> LocalWork<Result<Got, Failure>> {
        let Want::Entry { name, .. } = want else { return Box::pin(async { Err(Failure::Busy) }) };
        let value =
            |bytes: &Vec<u8>| chord::Value { bytes: bytes.clone(), seq: 7, writer: [0xab; 32], source: None };
        let values = self.entries.borrow().get(&name).map(value).into_iter().collect();
        Box::pin(async { Ok(Got { values, hops: 2 }) })
    }
}

/// An answer as it came.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn error(&self) -> String {
        let error = self.json()["error"].as_str().unwrap().to_owned();
        assert!(!error.contains('\n') && !error.is_empty(), "{error}");
        error
    }
}

/// A node and its API.
struct Stage {
    at: SocketAddr,
    ending: oneshot::Receiver<Ending>,
    signal: oneshot::Sender<()>,
    server: Server,
}

/// A node with one system, a session that nobody reaches and a library in memory.
fn common(memory: Rc<Memory>, tell: mpsc::UnboundedSender<Happening>) -> Common {
    let (news, _) = mpsc::unbounded_channel();
    let port = Port::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let teller = Teller::new("bittorrent", news);
    let swarms = BitTorrent::start(SessionConfig::default(), &port, Vec::new(), teller).unwrap();
    let (told, _) = mpsc::unbounded_channel();
    let (library, _) = Library::open(None, Vec::new(), told).unwrap();
    Common::new(vec![memory], (swarms, library), SigningKey::from_bytes(&[7; 32]), tell)
}

impl Stage {
    fn new(stubborn: bool) -> Stage {
        let (requests, received) = mpsc::channel(16);
        let (tell, news) = mpsc::unbounded_channel::<Told>();
        let teller = Teller::new("memory", tell);
        let memory = Rc::new(Memory { entries: RefCell::default(), teller, stubborn });
        let (server, listener) = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        server.serve(listener, Shared::new(requests, TOKEN));
        let at = server.local_addr();
        let (tell, happenings) = mpsc::unbounded_channel();
        let parts = Parts {
            common: Rc::new(common(memory, tell)),
            api: at,
            key: "00".into(),
            incarnation: 5,
            patience: Duration::from_millis(50),
            output: Output::new(false, Level::Quiet),
            resources: (ResourceArgs::default(), std::env::temp_dir(), (None, None)),
        };
        let (end, ending) = oneshot::channel();
        let (signal, signalled) = oneshot::channel();
        tokio::task::spawn_local(async move {
            let signalled = async { _ = signalled.await };
            let inbox = Inbox { requests: received, news, happenings };
            end.send(Node::new(parts).run(inbox, signalled).await).unwrap();
        });
        Stage { at, ending, signal, server }
    }

    async fn send(&self, request: &str) -> Answer {
        let mut socket = TcpStream::connect(self.at).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// With the right Host and token; `more` are further header lines.
    async fn ask(&self, line: &str, more: &str, body: &str) -> Answer {
        let length = body.len();
        let at = self.at;
        self.send(&format!(
            "{line} HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{more}\r\n{body}"
        ))
        .await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(&format!("POST /api/v1/{path}"), "Content-Type: application/json\r\n", body).await
    }
}

fn run(stubborn: bool, test: impl AsyncFnOnce(Stage)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let test = async { tokio::time::timeout(DEADLINE, test(Stage::new(stubborn))).await };
    tokio::task::LocalSet::new().block_on(&runtime, test).expect("it takes too long");
}

#[test]
fn nobody_without_the_token_is_answered() {
    run(false, async |stage| {
        let at = stage.at;
        let with = |more: &str| {
            format!("GET /api/v1/status HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{more}\r\n")
        };
        for more in [
            "",
            "Authorization: Bearer wrong\r\n",
            "Authorization: Bearer \r\n",
            "Authorization: Basic 0123456789abcdef\r\n",
            "Authorization: 0123456789abcdef\r\n",
            "Authorization: Bearer 0123456789abcdef\r\nAuthorization: Bearer 0123456789abcdef\r\n",
        ] {
            let answer = stage.send(&with(more)).await;
            assert_eq!(answer.status, 401, "{more}");
            assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
            assert!(answer.error().contains("node.json"));
        }
        let answer = stage.send(&with("Authorization: bearer 0123456789abcdef\r\n")).await;
        assert_eq!((answer.status, answer.json()["incarnation"].as_u64()), (200, Some(5)));
        assert!(answer.head.contains("content-security-policy: default-src 'none'"), "{}", answer.head);
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    });
}

#[test]
fn a_page_of_another_origin_or_a_rebound_name_is_refused_even_with_the_token() {
    run(false, async |stage| {
        let at = stage.at;
        let with = |host: &str, more: &str| {
            format!(
                "GET /api/v1/status HTTP/1.1\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n{host}{more}\r\n"
            )
        };
        let own = format!("Host: {at}\r\n");
        let rebound = [
            with(&format!("Host: evil.example:{}\r\n", at.port()), ""),
            with(&format!("{own}Host: evil.example\r\n"), ""),
            with(&own, "Origin: http://evil.example\r\n"),
            with(&own, "Origin: null\r\n"),
            with(&own, &format!("Origin: https://{at}\r\n")),
            with(&own, &format!("Origin: http://localhost:{}\r\n", at.port())),
        ];
        for request in rebound {
            let answer = stage.send(&request).await;
            assert!(matches!(answer.status, 400 | 403), "{request}");
            assert!(!answer.body.contains("incarnation"), "{request}");
        }
        for request in [
            with(&own, &format!("Origin: http://{at}\r\n")),
            with(&format!("Host: localhost:{}\r\n", at.port()), ""),
        ] {
            assert_eq!(stage.send(&request).await.status, 200, "{request}");
        }
        assert_eq!(stage.send("GET /api/v1/status HTTP/1.0\r\n\r\n").await.status, 403);
    });
}

#[test]
fn values_go_in_and_come_out_whatever_their_bytes() {
    run(false, async |stage| {
        let put = stage.post("put", r#"{"key":{"text":"k"},"value":{"text":"päng\u0000"}}"#).await;
        assert_eq!((put.status, put.body.as_str()), (200, r#"{"copies":3,"of":5,"seq":7}"#));
        let got = stage.post("get", r#"{"key":{"text":"k"}}"#).await.json();
        assert_eq!(got["values"][0]["value"]["text"], "päng\0");
        assert_eq!(
            (got["values"][0]["writer"].as_str(), got["hops"].as_u64()),
            (Some("ab".repeat(32).as_str()), Some(2))
        );
        stage.post("put", r#"{"key":{"base64":"/w=="},"value":{"base64":"gIA="}}"#).await;
        let got = stage.post("get", r#"{"key":{"base64":"/w=="}}"#).await.json();
        assert_eq!(got["values"][0]["value"]["base64"], "gIA=");
    });
}

#[test]
fn what_makes_no_sense_gets_one_clear_line() {
    run(false, async |stage| {
        let json = "Content-Type: application/json\r\n";
        let long = format!(r#"{{"key":{{"text":"k"}},"value":{{"text":"{}"}}}}"#, "x".repeat(1_001));
        let longer = "x".repeat(200_000);
        let cases = [
            ("POST /api/v1/put", json, "", 400),
            ("POST /api/v1/put", json, "[]", 400),
            ("POST /api/v1/put", json, r#"{"key":7,"value":{"text":"v"}}"#, 400),
            ("POST /api/v1/put", json, r#"{"key":{"text":"k"},"value":{"text":"v"},"more":1}"#, 400),
            ("POST /api/v1/put", json, r#"{"key":{"text":""},"value":{"text":"v"}}"#, 400),
            ("POST /api/v1/put", json, r#"{"key":{"base64":"?"},"value":{"text":"v"}}"#, 400),
            ("POST /api/v1/put", json, &long, 413),
            ("POST /api/v1/put", json, &longer, 413),
            ("POST /api/v1/put", "Content-Type: text/plain\r\n", "{}", 415),
            ("POST /api/v1/put", "", "{}", 415),
            ("POST /api/v1/put", json, r#"{"key":{"text":"full"},"value":{"text":"v"}}"#, 429),
            ("POST /api/v1/put", json, r#"{"key":{"text":"k"}}"#, 409),
            ("POST /api/v1/get", json, r#"{"key":{"text":"nothing"}}"#, 404),
            ("POST /api/v1/get", json, r#"{"key":{"text":"k"},"writer":"12"}"#, 400),
            ("POST /api/v1/status", json, "", 405),
            ("GET /api/v1/put", "", "", 405),
            ("GET /api/v2/status", "", "", 404),
            ("GET /nothing", "", "", 404),
            ("POST /", "", "", 405),
        ];
        for (line, more, body, status) in cases {
            let answer = stage.ask(line, more, body).await;
            let shown: String = body.chars().take(80).collect();
            assert_eq!(answer.status, status, "{line} {shown} {}", answer.body);
            answer.error();
        }
        let quota = stage.post("put", cases[10].2).await.error();
        assert_eq!(quota, "refused by the ring: records a publisher; try again in 9 s");
    });
}

#[test]
fn leaving_tells_its_steps_and_then_the_node_ends() {
    run(false, async |stage| {
        let answer = stage.post("leave", "").await;
        assert!(answer.head.contains("application/x-ndjson"), "{}", answer.head);
        assert!(answer.body.contains(r#"{"event":"leaving","systems":["memory"]}"#), "{}", answer.body);
        assert!(answer.body.contains(r#"{"event":"left","system":"memory"}"#), "{}", answer.body);
        assert!(answer.body.contains(r#"{"event":"stopped","abandoned":[]}"#), "{}", answer.body);
        let ending = stage.ending.await.unwrap();
        assert!(!ending.interrupted && ending.abandoned.is_empty());
        stage.server.close(DEADLINE).await;
        assert!(TcpStream::connect(stage.at).await.is_err());
    });
}

#[test]
fn a_system_that_does_not_let_go_is_named_when_the_time_is_over() {
    run(true, async |stage| {
        stage.signal.send(()).unwrap();
        let ending = stage.ending.await.unwrap();
        assert!(ending.interrupted);
        assert_eq!(ending.abandoned, ["memory"]);
    });
}

#[test]
fn who_watches_sees_one_status_after_another() {
    run(false, async |stage| {
        let mut socket = TcpStream::connect(stage.at).await.unwrap();
        let at = stage.at;
        let head = format!(
            "GET /api/v1/status/watch HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while String::from_utf8_lossy(&seen).matches("incarnation").count() < 2 {
            assert!(socket.read_buf(&mut seen).await.unwrap() > 0);
        }
    });
}
