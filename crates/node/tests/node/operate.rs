//! What those who run a node need: its file of options, the service manager, metrics, the doctor, completions and pages.

use crate::peers::{join, start};
use crate::program::{Done, Place};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;

/// What a request is answered with.
pub(crate) fn raw(api: &str, request: &str) -> String {
    let mut socket = TcpStream::connect(api).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_node_does_what_its_file_says_and_the_command_line_wins() {
    let place = Place::new();
    place.run(&["config", "init"]);
    let written = std::fs::read_to_string(place.path("home/config.toml")).unwrap();
    assert!(written.contains("#chord-places = 8"), "{written}");
    place.run(&["config", "init"]).assert_refused(1, &["config.toml", "--force"]);
    // As written it changes nothing: a node must still be told what to join.
    place.run(&["join"]).assert_refused(2, &["--chord new"]);
    let options = written.replace("#chord-places = 8", "chord-places = 2")
        + "chord = [\"new\"]\nlisten = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\n";
    place.write("home/config.toml", options.as_bytes());
    let mut node = place.start("home", &["join", "--chord-places", "1"]);
    node.event("joined");
    let status = Done::of(place.command("home", &["--json", "status"]).output().unwrap()).objects().remove(0);
    assert_eq!(status["systems"][0]["nodes"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_name() {
    let place = Place::new();
    for (content, words) in [
        ("chord = [\"new\"]\nnothing = 3\n", "no option nothing"),
        ("chord = [\"new\"\n", "line 1"),
        ("chord = [\"nowhere\"]\n", "HOST:PORT"),
        ("chord-places = 99\nchord = [\"new\"]\n", "99"),
    ] {
        place.write("home/config.toml", content.as_bytes());
        place.run(&["join"]).assert_refused(2, &["config.toml", words]);
    }
    place.run(&["join", "--config", "nowhere.toml"]).assert_refused(1, &["nowhere.toml"]);
}

#[test]
fn the_service_manager_is_told_when_the_node_is_ready_and_when_it_ends() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    let mut command =
        place.command("home", &["join", "--chord", "new", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    let mut child = command.env("NOTIFY_SOCKET", place.path("notify")).spawn().unwrap();
    let mut heard = [0; 200];
    let told = |heard: &[u8]| String::from_utf8(heard.to_vec()).unwrap();
    let length = socket.recv(&mut heard).unwrap();
    assert!(told(&heard[..length]).starts_with("READY=1\n"));
    // Ready means that it answers.
    assert_eq!(Done::of(place.command("home", &["status"]).output().unwrap()).code, 0);
    assert_eq!(Done::of(place.command("home", &["leave"]).output().unwrap()).code, 0);
    let length = socket.recv(&mut heard).unwrap();
    assert!(told(&heard[..length]).starts_with("STOPPING=1\n"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn programs_with_a_kept_token_read_the_figures() {
    let place = Place::new();
    let node =
        start(&place, "a", &["--chord", "new", "--listen", "127.0.0.1:0", "--api-token-file", "token"]);
    let token = std::fs::read_to_string(place.path("token")).unwrap();
    let api = &node.api;
    let ask = |token: &str| {
        raw(
            api,
            &format!(
                "GET /metrics HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
            ),
        )
    };
    let answer = ask(token.trim());
    assert!(
        answer.contains("text/plain; version=0.0.4")
            && answer.contains("throng_system_joined{system=\"chord\"}"),
        "{answer}"
    );
    assert!(ask("wrong").starts_with("HTTP/1.1 401"));
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    let without = place.run(&["doctor"]);
    assert_eq!(without.code, 1);
    assert!(without.stdout.contains("!! no node is running on this home"), "{without:?}");
    let node = join(&place, "a", "new");
    let with = node.run(&["doctor"]);
    // On loopback it cannot be reached by others.
    assert_eq!(with.code, 1);
    assert!(
        with.stdout.contains("ok chord: joined") && with.stdout.contains("this machine alone"),
        "{with:?}"
    );
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&["completions", shell]);
        assert!(script.code == 0 && script.stdout.contains("leave-timeout"), "{shell}");
    }
    assert_eq!(place.run(&["man", "man"]).code, 0);
    let pages = place.names("man");
    for page in ["throng.1", "throng-join.1", "throng-torrent-create.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    let join = std::fs::read_to_string(place.path("man/throng-join.1")).unwrap();
    assert!(join.contains("leave\\-timeout") && join.contains("Example"), "{join}");
}

#[test]
fn nothing_new_is_begun_while_the_machine_is_short_of_what_was_to_be_kept() {
    let place = Place::new();
    let own = ["--chord", "new", "--listen", "127.0.0.1:0", "--keep-free", "900000TiB"];
    let mut node = start(&place, "home", &own);
    let told = node.running.event_with("notice", |step| step["notice"].as_str().is_some());
    assert!(told["notice"].as_str().unwrap().contains("downloads are held"), "{told}");
    let path = place.write("file", b"some bytes");
    node.run(&["publish", path.to_str().unwrap()]).assert_refused(1, &["kept free"]);
    node.run(&["join", "--schedule", "8-9=1/1"]).assert_refused(2, &["FROM-TO=UPLOAD/DOWNLOAD"]);
}
