//! The programs that know only Transmission's interface: `transmission-remote` itself is the test.
//!
//! Skipped where it is not installed, unless `CI=true` or `THRONG_INTEROP=required` is set: then that fails.

use crate::peers::{Peer, join};
use crate::program::{Done, Place, noise};
use std::process::Command;

/// Whether `transmission-remote` is there.
fn installed() -> bool {
    let word = std::env::var("THRONG_INTEROP").unwrap_or_default();
    let there = Command::new("transmission-remote").arg("--version").output().is_ok();
    if there && word != "off" {
        return true;
    }
    let required =
        word == "required" || word != "off" && std::env::var("CI").is_ok_and(|word| word == "true");
    assert!(!required, "missing: transmission-remote");
    eprintln!("skipped: transmission-remote is not installed, or THRONG_INTEROP=off");
    false
}

/// The remote control of one node.
struct Remote<'a> {
    place: &'a Place,
    api: String,
    token: String,
}

impl Remote<'_> {
    fn of<'a>(place: &'a Place, home: &str, node: &Peer<'_>) -> Remote<'a> {
        let address = std::fs::read(place.path(&format!("{home}/node.json"))).unwrap();
        let address: serde_json::Value = serde_json::from_slice(&address).unwrap();
        Remote { place, api: node.api.clone(), token: address["token"].as_str().unwrap().to_owned() }
    }

    fn run_as(&self, auth: &str, arguments: &[&str]) -> Done {
        let mut command = Command::new("transmission-remote");
        // Nothing but the node on loopback is asked, and no proxy is between.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.place.path(""));
        command.current_dir(self.place.path("")).arg(&self.api).args(["-n", auth]).args(arguments);
        Done::of(command.output().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> String {
        let done = self.run_as(&format!("anyone:{}", self.token), arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        done.stdout + &done.stderr
    }

    /// What the node says is published.
    fn library(&self) -> String {
        let (api, token) = (&self.api, &self.token);
        let head = format!("GET /api/v1/library?limit=10 HTTP/1.1\r\nHost: {api}\r\nConnection: close");
        crate::operate::raw(api, &format!("{head}\r\nAuthorization: Bearer {token}\r\n\r\n"))
    }

    /// Asks until the answer has a text; the node works meanwhile.
    fn until(&self, arguments: &[&str], wanted: &str) -> String {
        self.wait(arguments, wanted, true)
    }

    fn wait(&self, arguments: &[&str], wanted: &str, there: bool) -> String {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(90);
        loop {
            let said = self.run(arguments);
            if said.contains(wanted) == there {
                return said;
            }
            assert!(std::time::Instant::now() < end, "{wanted}: never {there} in\n{said}");
        }
    }
}

#[test]
fn transmission_remote_adds_lists_stops_starts_verifies_limits_and_removes() {
    if !installed() {
        return;
    }
    let place = Place::new();
    let data = noise(3_000_000, 7);
    place.write("seed/film.bin", &data);
    place.publish("seed/film.bin", "film.torrent", &[]);
    let (_seed, peer) = place.seed("film.torrent", "seed", &[]);
    let node = join(&place, "a", "new");
    let remote = Remote::of(&place, "a", &node);
    assert!(remote.run(&["-l"]).contains("Sum:"));
    let folder = place.path("got");
    // Said of the session, which is how some versions mean it.
    assert!(remote.run(&["--start-paused"]).contains("success"));
    let added = remote.run(&["-a", "film.torrent", "-w", folder.to_str().unwrap()]);
    assert!(remote.run(&["--no-start-paused"]).contains("success"));
    assert!(added.contains("success"), "{added}");
    let listed = remote.until(&["-l"], "Stopped");
    assert!(listed.contains("film.bin"), "{listed}");
    let link = remote.run(&["-t", "1", "-i"]);
    assert!(link.contains("film.bin") && link.contains("Hash: "), "{link}");
    // The seed is nobody's find: it is named in a link, to the same torrent.
    let magnet = place.run(&["torrent", "show", "film.torrent"]).stdout;
    let magnet = magnet.split_whitespace().find(|word| word.starts_with("magnet:")).unwrap();
    remote.run(&["-t", "1", "-r"]);
    remote.wait(&["-l"], "film.bin", false);
    let added = remote.run(&["-a", &format!("{magnet}&x.pe={peer}"), "-w", folder.to_str().unwrap()]);
    assert!(added.contains("success"), "{added}");
    let done = remote.until(&["-l"], "100%");
    assert!(done.contains("film.bin"), "{done}");
    assert!(std::fs::read(folder.join("film.bin")).unwrap() == data);
    let files = remote.run(&["-t", "2", "-f"]);
    assert!(files.contains("100%") && files.contains("film.bin"), "{files}");
    assert!(remote.run(&["-t", "2", "-v"]).contains("success"));
    assert!(remote.run(&["-t", "2", "-S"]).contains("success"));
    remote.until(&["-l"], "Stopped");
    assert!(remote.run(&["-t", "all", "-s"]).contains("success"));
    assert!(remote.run(&["-d", "500", "-u", "50"]).contains("success"));
    let session = remote.run(&["-si"]);
    assert!(session.contains("500 kB/s"), "{session}");
    assert!(remote.run(&["-st"]).contains("CURRENT SESSION"));
    // The files go too, if that is asked for, and with them what was published of them.
    let library = || remote.library();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(90);
    while !library().contains("film.bin") {
        assert!(std::time::Instant::now() < end, "never published: {}", library());
    }
    assert!(remote.run(&["-t", "2", "-rad"]).contains("success"));
    remote.wait(&["-l"], "film.bin", false);
    assert!(!folder.join("film.bin").exists());
    assert!(!library().contains("film.bin"), "{}", library());
    let told = node.status()["notices"].to_string();
    assert!(told.contains("film.bin is not published any more"), "{told}");
}

#[test]
fn a_wrong_password_and_what_is_not_known_are_refused() {
    if !installed() {
        return;
    }
    let place = Place::new();
    let node = join(&place, "a", "new");
    let remote = Remote::of(&place, "a", &node);
    let wrong = remote.run_as("anyone:wrong", &["-l"]);
    assert!(wrong.code != 0 || wrong.stderr.contains("401"), "{wrong:?}");
    assert!(!wrong.stdout.contains("Sum:"), "{wrong:?}");
    let refused = remote.run_as(&format!("anyone:{}", remote.token), &["-a", "magnet:?xt=urn:nothing"]);
    assert!(!(refused.stdout.clone() + &refused.stderr).contains("success"), "{refused:?}");
    // By the token in its own header there is the dance with the session id too.
    let told = crate::operate::raw(
        &node.api,
        &format!(
            "POST /transmission/rpc HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Length: 2\r\n\r\n{{}}",
            node.api, remote.token
        ),
    );
    assert!(
        told.starts_with("HTTP/1.1 409") && told.to_ascii_lowercase().contains("x-transmission-session-id: "),
        "{told}"
    );
}
