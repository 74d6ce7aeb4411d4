//! A file crosses real sockets between two clients that a tiny directory brings together.

use super::*;
use crate::net::{Driver, NetConfig, Sockets};
use std::net::SocketAddr;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_overlay::directory::client::{Config, Download, DownloadId, SharedFile};
use throng_wire::napster::{ClientMessage, Contact, Frame, LoginAck, MAX_DATA, ServerMessage, UploadRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::{LocalSet, spawn_local};

type Users = std::rc::Rc<tokio::sync::Mutex<BTreeMap<Vec<u8>, (OwnedWriteHalf, u16)>>>;

/// Passes 203, 607, 608 and 204 on.
async fn serve(stream: tokio::net::TcpStream, users: Users) {
    let (mut read, write) = stream.into_split();
    let (mut write, mut nick, mut held) = (Some(write), Vec::new(), Vec::new());
    while read.read_buf(&mut held).await.is_ok_and(|count| count > 0) {
        while let Ok(Some((frame, length))) = Frame::split(&held, MAX_DATA) {
            let mut users = users.lock().await;
            let (to, answer) = match ClientMessage::decode(frame) {
                Ok(ClientMessage::Login(login)) => {
                    nick = login.nick.to_vec();
                    users.insert(nick.clone(), (write.take().expect("one login"), login.port as u16));
                    let ack = LoginAck { email: b"a@b", zlib_level: None };
                    (nick.clone(), encoded(ServerMessage::LoginAck(ack)))
                }
                Ok(ClientMessage::Request(file)) => {
                    let request = UploadRequest { nick: &nick, name: file.name, speed: None };
                    (file.nick.to_vec(), encoded(ServerMessage::UploadRequest(request)))
                }
                Ok(ClientMessage::AcceptUpload(file)) => {
                    let port = users.get(&nick).map_or(0, |user| user.1);
                    let ip = [127, 0, 0, 1].into();
                    let contact = Contact { nick: &nick, ip, port, name: file.name, md5: b"0", speed: None };
                    (file.nick.to_vec(), encoded(ServerMessage::DownloadReady(contact)))
                }
                _ => (Vec::new(), Vec::new()),
            };
            if let Some((user, _)) = users.get_mut(&to) {
                user.write_all(&answer).await.expect("the client is there");
            }
            drop(users);
            held.drain(..length);
        }
    }
}

fn encoded(message: ServerMessage<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out).expect("writable");
    out
}

/// A client that listens.
fn start(nick: &str) -> Driver<Files> {
    let config = NetConfig { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..NetConfig::default() };
    let sockets = Sockets::bind(&config).expect("a port");
    let data_port = sockets.local_addr().expect("listens").port();
    let machine = Client::new(Config { nick: nick.into(), data_port, ..Config::default() });
    Driver::start(machine, Files::default(), sockets, config).expect("entropy")
}

/// Events until one is found.
async fn until(driver: &Driver<Files>, wanted: impl Fn(&Event) -> bool) {
    let told = driver.look(|_, app| app.told());
    let found = async {
        loop {
            while let Some(event) = driver.with_app(|app, _| app.next_event()) {
                if wanted(&event) {
                    return;
                }
            }
            told.notified().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.expect("the event comes");
}

#[test]
fn a_file_crosses_real_sockets() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = Endpoint::from(listener.local_addr().expect("bound"));
        let users = Users::default();
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn_local(serve(stream, users.clone()));
            }
        });
        let data: Vec<u8> = (0..3_000_000u32).map(|at| ((at * 7) ^ (at >> 9)) as u8).collect();
        let song = tempfile::tempfile().expect("a file");
        song.write_all_at(&data, 0).expect("room");
        let copy = tempfile::tempfile().expect("a file");
        let (alice, bob) = (start("alice"), start("bob"));
        let (from, to) = (ContentId(1), ContentId(2));
        alice.with_app(|app, _| app.open(from, song));
        bob.with_app(|app, _| app.open(to, copy.try_clone().expect("a descriptor")));
        let file = SharedFile::new(from, "d/song.mp3", data.len() as u64);
        let name = file.name.clone();
        alice.command(Command::Share(file));
        for client in [&alice, &bob] {
            client.command(Command::Join(vec![at]));
            until(client, |event| matches!(event, Event::LoggedIn(..))).await;
        }
        let (id, size) = (DownloadId(1), Some(data.len() as u64));
        let nick = b"alice".to_vec();
        let download = Download {
            id,
            server: at,
            nick,
            name,
            size,
            root: None,
            content: to,
            resume: None,
            part: None,
            magnet: false,
        };
        bob.command(Command::Download(Box::new(download)));
        until(&bob, |event| *event == Event::Downloaded(id)).await;
        until(&alice, |event| matches!(event, Event::Uploaded(..))).await;
        let mut placed = vec![0; data.len()];
        copy.read_exact_at(&mut placed, 0).expect("all is there");
        assert!(placed == data);
        assert!(bob.with_app(|app, _| app.close(to)).is_none());
    });
}
