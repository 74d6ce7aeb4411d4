//! Whatever is wrong with what it is given, the program says so in one line, with the right exit code, and leaves
//! nothing half-written.

use crate::program::{Place, noise};
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;

/// A v1 torrent of files with these raw entries.
fn torrent(files: &str, pieces: usize) -> Vec<u8> {
    let hashes = "h".repeat(20 * pieces);
    let info = format!("d5:filesl{files}e4:name1:n12:piece lengthi16384e6:pieces{}:{hashes}e", hashes.len());
    format!("d4:info{info}e").into_bytes()
}

#[test]
fn what_is_no_torrent_is_refused_by_every_command() {
    let place = Place::new();
    place.write("content/file", &noise(50_000, 1));
    place.publish("content", "good.torrent", &[]);
    let good = fs::read(place.path("good.torrent")).unwrap();
    let overflow =
        torrent("d6:lengthi9223372036854775807e4:pathl1:aeed6:lengthi9223372036854775807e4:pathl1:bee", 1);
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("text", b"hello".to_vec(), "not a torrent"),
        ("empty", Vec::new(), "empty"),
        ("page", b"<html>not found</html>".to_vec(), "a web page"),
        ("truncated", good[..good.len() / 2].to_vec(), "truncated"),
        ("nested", b"l".repeat(100_000), "nested too deep"),
        ("overflow", overflow, "damaged"),
        ("pieces", torrent("d6:lengthi40000e4:pathl1:aee", 2), "do not match the total length"),
        ("list", b"le".to_vec(), "not a torrent"),
    ];
    for (name, bytes, words) in &cases {
        place.write(name, bytes);
        let commands: [&[&str]; 4] = [
            &["torrent", "show", name],
            &["torrent", "verify", name, "content"],
            &["seed", name, "content", "--listen", "127.0.0.1:0"],
            &["fetch", name, "-o", "out", "--listen", "127.0.0.1:0"],
        ];
        for command in commands {
            place.run(command).assert_refused(1, &[name, words]);
        }
        assert!(!place.path("out").exists(), "{name}: a folder was made for nothing");
    }
}

#[test]
fn ten_million_empty_files_are_refused_before_they_cost_anything() {
    let place = Place::new();
    let mut file = std::io::BufWriter::new(fs::File::create(place.path("many.torrent")).unwrap());
    file.write_all(b"d4:infod5:filesl").unwrap();
    let thousand = b"d6:lengthi0e4:pathl1:aee".repeat(1_000);
    (0..10_000).for_each(|_| file.write_all(&thousand).unwrap());
    file.write_all(b"e4:name1:n12:piece lengthi16384e6:pieces0:ee").unwrap();
    drop(file);
    place
        .run(&["torrent", "show", "many.torrent"])
        .assert_refused(1, &["many.torrent", "larger than 128 MiB"]);
    place.write("fewer.torrent", &torrent(&"d6:lengthi0e4:pathl1:aee".repeat(600_000), 0));
    place.run(&["torrent", "show", "fewer.torrent"]).assert_refused(1, &["fewer.torrent", "too many"]);
}

#[test]
fn a_name_that_climbs_and_two_files_at_one_path_become_safe_ones() {
    let place = Place::new();
    let entry = |path: &str| format!("d6:lengthi1e4:pathl{path}ee");
    let files = [entry("2:..2:..6:escape"), entry("1:a"), entry("1:a"), entry("1:A")].concat();
    place.write("odd.torrent", &torrent(&files, 1));
    let shown = place.run(&["--json", "torrent", "show", "odd.torrent"]).objects().remove(0);
    let saved: Vec<&str> =
        shown["files"].as_array().unwrap().iter().map(|f| f["saved_as"].as_str().unwrap()).collect();
    assert_eq!(saved, ["n/escape", "n/a", "n/a (2)", "n/A (3)"]);
    // Nothing outside the folder is even looked at.
    place.write("escape", b"x");
    fs::create_dir(place.path("dir")).unwrap();
    let done = place.run(&["torrent", "verify", "odd.torrent", "dir"]);
    assert_eq!(done.code, 1);
    assert!(done.stdout.contains("missing: ") && done.stdout.contains("n/escape"), "{done:?}");
}

#[test]
fn data_with_the_wrong_hash_is_neither_right_nor_served() {
    let place = Place::new();
    place.write("content/file", &noise(50_000, 1));
    place.publish("content", "t.torrent", &[]);
    place.write("content/file", &noise(50_000, 2));
    let done = place.run(&["torrent", "verify", "t.torrent", "."]);
    assert_eq!((done.code, done.stdout.contains("wrong data: ")), (1, true), "{done:?}");
    let done = place.run(&["-q", "--json", "seed", "t.torrent", ".", "--listen", "127.0.0.1:0"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("check the folder") && done.stderr.lines().count() == 1, "{done:?}");
}

#[test]
fn addresses_that_cannot_be_had_are_named() {
    let place = Place::new();
    place.write("content/file", &noise(50_000, 1));
    place.publish("content", "t.torrent", &[]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    // 192.0.2.0/24 is for documentation: no machine has it.
    for (address, words) in [(taken.as_str(), "in use"), ("192.0.2.1:0", "does not have that address")] {
        let commands: [&[&str]; 3] =
            [&["seed", "t.torrent", "."], &["fetch", "t.torrent", "-o", "out"], &["tracker"]];
        for command in commands {
            let done = place.run(&[command, &["--listen", address]].concat());
            done.assert_refused(1, &[words, address.rsplit_once(':').unwrap().0]);
        }
    }
}

#[test]
fn folders_that_are_missing_or_read_only_are_named() {
    let place = Place::new();
    place.write("content/file", &noise(50_000, 1));
    place.publish("content", "t.torrent", &[]);
    let here = ["--listen", "127.0.0.1:0"];
    let run = |arguments: &[&str]| place.run(&[arguments, &here].concat());
    run(&["fetch", "t.torrent", "-o", "content/file"]).assert_refused(1, &["content/file", "-o"]);
    // Read-only even for root.
    run(&["fetch", "t.torrent", "-o", "/proc/throng"]).assert_refused(1, &["/proc/throng", "-o"]);
    run(&["seed", "t.torrent", "nowhere"]).assert_refused(1, &["nowhere"]);
    place.run(&["torrent", "verify", "t.torrent", "nowhere"]).assert_refused(1, &["nowhere"]);
    place.run(&["torrent", "create", "nowhere", "-o", "x.torrent"]).assert_refused(1, &["nowhere"]);
    place.run(&["torrent", "create", "content", "-o", "nowhere/x"]).assert_refused(1, &["nowhere/x"]);
    place.run(&["torrent", "create", "content", "-o", "content"]).assert_refused(1, &["folder"]);
    place.run(&["torrent", "create", "content", "-o", "/dev/null"]).assert_refused(1, &["/dev/null"]);
    fs::create_dir(place.path("hollow")).unwrap();
    place.run(&["torrent", "create", "hollow", "-o", "x.torrent"]).assert_refused(1, &["no files"]);
    place.run(&["torrent", "show", "nowhere"]).assert_refused(1, &["nowhere"]);
    place.run(&["tracker", "--listen", "127.0.0.1:0", "--allow", "nowhere"]).assert_refused(1, &["nowhere"]);
    assert_eq!(place.names("."), ["content", "hollow", "t.torrent"]);
}

#[test]
fn wrong_usage_is_one_line_and_exit_code_2() {
    let place = Place::new();
    let cases: [(&[&str], &str); 9] = [
        (&["fetch"], "SOURCE"),
        (&["fetch", "x", "--peer", "nonsense"], "HOST:PORT"),
        (&["fetch", "x", "--upload-limit", "fast"], "bytes a second"),
        (&["fetch", "x", "--only", "[a"], "--only"),
        (&["torrent", "create", "x"], "--output"),
        (&["torrent", "create", "x", "-o", "y", "--piece-length", "20KiB"], "power of two"),
        (&["torrent", "create", "x", "-o", "y", "--tracker", "t.example"], "http://"),
        (&["tracker", "--listen", "6969"], "IP:PORT"),
        (&["sed"], "seed"),
    ];
    for (arguments, words) in cases {
        place.run(arguments).assert_refused(2, &[words]);
    }
    place.run(&["fetch", "magnet:?xt=urn:btih:zz"]).assert_refused(1, &["magnet link"]);
    place.run(&["fetch", "magnet:?dn=x"]).assert_refused(1, &["no known hash"]);
}
