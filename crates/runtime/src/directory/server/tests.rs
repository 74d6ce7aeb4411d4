//! The server on loopback, by frames: accounts outlive it, bans hold, the port is free at once.

use super::*;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::Instant;
use throng_overlay::directory::server::{Banned, Level};

/// How long an answer may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn config(store: Option<PathBuf>) -> DirectoryConfig {
    DirectoryConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        store,
        store_poll: Duration::from_millis(20),
        ..DirectoryConfig::default()
    }
}

/// A client that knows frames and nothing else.
struct Raw(TcpStream);

impl Raw {
    fn to(server: &DirectoryServer) -> Raw {
        let socket = TcpStream::connect(server.local_addr()).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Raw(socket)
    }

    fn send(&mut self, kind: u16, data: &str) {
        let mut frame = (data.len() as u16).to_le_bytes().to_vec();
        frame.extend_from_slice(&kind.to_le_bytes());
        frame.extend_from_slice(data.as_bytes());
        self.0.write_all(&frame).unwrap();
    }

    /// The next frame, or `None` at the end.
    fn frame(&mut self) -> Option<(u16, String)> {
        let mut header = [0; 4];
        match self.0.read_exact(&mut header) {
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                return None;
            }
            read => read.unwrap(),
        }
        let mut data = vec![0; usize::from(u16::from_le_bytes([header[0], header[1]]))];
        self.0.read_exact(&mut data).unwrap();
        Some((u16::from_le_bytes([header[2], header[3]]), String::from_utf8(data).unwrap()))
    }

    /// Reads until that kind comes; its data.
    fn until(&mut self, kind: u16) -> String {
        loop {
            let (found, data) = self.frame().expect("the server closed the connection");
            if found == kind {
                return data;
            }
        }
    }

    /// Everything until the server closes.
    fn rest(&mut self) -> Vec<(u16, String)> {
        std::iter::from_fn(|| self.frame()).collect()
    }
}

fn login(server: &DirectoryServer, kind: u16, nick: &str, password: &str) -> Raw {
    let mut raw = Raw::to(server);
    raw.send(kind, &format!("{nick} {password} 6699 \"test\" 5 {nick}@example"));
    raw
}

#[test]
fn a_registered_nick_needs_its_password_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.sqlite");
    let server = DirectoryServer::start(config(Some(path.clone()))).unwrap();
    assert_eq!(login(&server, 6, "Dave", "davepw").until(3), "Dave@example");
    // At once: the hash may still be in the making.
    assert_eq!(login(&server, 2, "dave", "wrong").rest(), [(0, "Invalid Password".into())]);
    server.stop("bye", None);
    let server = DirectoryServer::start(config(Some(path))).unwrap();
    assert_eq!(login(&server, 2, "dave", "wrong").rest(), [(0, "Invalid Password".into())]);
    assert_eq!(login(&server, 2, "DAVE", "davepw").until(3), "Dave@example");
    assert_eq!(login(&server, 2, "eve", "anything").until(3), "anon@directory");
}

#[test]
fn a_changed_password_is_the_only_one() {
    let server = DirectoryServer::start(config(None)).unwrap();
    let mut dave = login(&server, 6, "dave", "old");
    dave.until(214);
    dave.send(701, "new");
    dave.until(404);
    drop(dave);
    assert_eq!(login(&server, 2, "dave", "old").rest(), [(0, "Invalid Password".into())]);
    login(&server, 2, "dave", "new").until(3);
}

#[test]
fn what_another_process_changes_in_the_store_holds_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.sqlite");
    let server = DirectoryServer::start(config(Some(path.clone()))).unwrap();
    let mut dave = login(&server, 6, "dave", "davepw");
    dave.until(214);
    let mut eve = login(&server, 2, "eve", "x");
    eve.until(214);
    let other = Store::open(&path).unwrap();
    let begin = Instant::now();
    while !other.set_level(b"Dave", Level::Admin).unwrap() {
        assert!(begin.elapsed() < DEADLINE, "the account is not stored");
        std::thread::sleep(Duration::from_millis(5));
    }
    other.ban(&Banned::Nick(b"eve".to_vec()), b"spam").unwrap();
    assert!(eve.rest().iter().any(|(kind, text)| *kind == 404 && text.contains("spam")));
    assert!(login(&server, 2, "eve", "x").rest().iter().any(|(kind, _)| *kind == 0));
    dave.send(603, "dave");
    assert!(dave.until(604).starts_with("dave \"Admin\""));
    assert!(other.unban(&Banned::Nick(b"eve".to_vec())).unwrap());
    while login(&server, 2, "eve", "x").frame().is_some_and(|(kind, _)| kind == 0) {
        assert!(begin.elapsed() < DEADLINE, "the ban is not taken back");
    }
}

#[test]
fn a_ban_of_an_address_outlives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.sqlite");
    Store::open(&path).unwrap().ban(&Banned::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)), b"").unwrap();
    let server = DirectoryServer::start(config(Some(path))).unwrap();
    assert_eq!(Raw::to(&server).rest(), []);
}

#[test]
fn a_stop_tells_everybody_and_the_next_server_has_the_port_within_a_second() {
    let server = DirectoryServer::start(config(None)).unwrap();
    let at = server.local_addr();
    let mut dave = login(&server, 2, "dave", "x");
    dave.until(214);
    let begin = Instant::now();
    server.stop("back soon", Some(("other.example".into(), 8888)));
    let next = DirectoryServer::start(DirectoryConfig { listen: at, ..config(None) }).unwrap();
    let took = begin.elapsed();
    assert_eq!(next.local_addr(), at);
    assert!(took < Duration::from_secs(1), "{took:?}");
    let said = dave.rest();
    assert!(said.contains(&(821, "other.example 8888".into())), "{said:?}");
    assert!(said.iter().any(|(kind, text)| *kind == 404 && text.contains("back soon")), "{said:?}");
    login(&next, 2, "dave", "x").until(3);
}

#[test]
fn an_address_that_is_in_use_is_said_in_one_line() {
    let server = DirectoryServer::start(config(None)).unwrap();
    let error = DirectoryServer::start(DirectoryConfig { listen: server.local_addr(), ..config(None) });
    let text = error.err().unwrap().to_string();
    assert!(text.starts_with("cannot listen on 127.0.0.1:") && !text.contains('\n'), "{text}");
}
