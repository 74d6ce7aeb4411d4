//! `torrent create`, `show` and `verify` belong together: what one makes, the others understand.

use crate::program::{Place, noise};
use std::fs;

fn content(place: &Place) {
    place.write("folder/big.bin", &noise(300_000, 1));
    place.write("folder/sub/small.txt", b"hello");
    place.write("folder/sub/empty", b"");
    place.write("single.iso", &noise(100_000, 2));
}

#[test]
fn what_create_makes_show_shows_and_verify_verifies_in_every_format() {
    let place = Place::new();
    content(&place);
    for format in ["v1", "v2", "hybrid"] {
        for (path, files) in [("folder", 3), ("single.iso", 1)] {
            let torrent = format!("{path}-{format}.torrent");
            let more =
                ["--format", format, "--tracker", "http://t.example/announce", "--comment", "c", "--private"];
            let magnet = place.publish(path, &torrent, &more);
            let shown = place.run(&["--json", "torrent", "show", &torrent]).objects().remove(0);
            assert_eq!(shown["magnet"], magnet.as_str());
            assert_eq!(shown["format"], format);
            assert_eq!(shown["name"], path);
            assert_eq!(shown["private"], true);
            assert_eq!(shown["comment"], "c");
            assert_eq!(shown["trackers"][0][0], "http://t.example/announce");
            let own =
                shown["files"].as_array().unwrap().iter().filter(|file| file["padding"] == false).count();
            assert_eq!(own, files);
            assert_eq!(shown["info_hash_v1"].is_null(), format == "v2");
            assert_eq!(shown["info_hash_v2"].is_null(), format == "v1");
            let text = place.run(&["torrent", "show", &torrent]).stdout;
            for word in [path, format, "http://t.example/announce", magnet.as_str()] {
                assert!(text.contains(word), "{word} is not in {text}");
            }
            assert_eq!(place.run(&["torrent", "verify", &torrent, "."]).code, 0);
        }
        // The torrent's own folder may be named too.
        assert_eq!(place.run(&["torrent", "verify", &format!("folder-{format}.torrent"), "folder"]).code, 0);
    }
}

#[test]
fn verify_names_what_is_missing_too_short_and_wrong() {
    let place = Place::new();
    content(&place);
    place.publish("folder", "t.torrent", &[]);
    let mut bytes = fs::read(place.path("folder/big.bin")).unwrap();
    bytes[40_000] ^= 1;
    fs::write(place.path("folder/big.bin"), &bytes).unwrap();
    fs::write(place.path("folder/sub/small.txt"), b"hell").unwrap();
    fs::remove_file(place.path("folder/sub/empty")).unwrap();
    let done = place.run(&["torrent", "verify", "t.torrent", "."]);
    assert_eq!(done.code, 1);
    for line in ["wrong data: ", "big.bin (piece 2)", "too short: ", "small.txt (4 bytes of 5)", "missing: "]
    {
        assert!(done.stdout.contains(line), "{line:?} is not in {done:?}");
    }
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
    let wrong = place.run(&["--json", "torrent", "verify", "t.torrent", "."]).objects();
    assert_eq!(wrong.iter().filter(|object| object["event"] == "wrong").count(), 3);
    assert!(wrong.iter().any(|object| object["event"] == "verified" && object["ok"] == false));
    assert_eq!(wrong.last().unwrap()["event"], "error");
}

#[test]
fn a_torrent_written_into_its_own_folder_is_not_part_of_itself() {
    let place = Place::new();
    content(&place);
    let first = place.publish("folder", "folder/t.torrent", &[]);
    let second = place.publish("folder", "folder/t.torrent", &[]);
    assert_eq!(first, second);
    assert_eq!(place.run(&["torrent", "verify", "folder/t.torrent", "."]).code, 0);
    assert_eq!(place.names("folder"), ["big.bin", "sub", "t.torrent"]);
}

#[test]
fn magnet_links_are_shown_in_parts() {
    let place = Place::new();
    let link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a%1b%5bname&tr=udp%3A%2F%2Ft%3A1&so=0,2-4";
    let done = place.run(&["torrent", "show", link]);
    assert_eq!(done.code, 0);
    for word in ["0123456789abcdef0123456789abcdef01234567", "a\\u{1b}[name", "udp://t:1", "0,2-4"] {
        assert!(done.stdout.contains(word), "{word:?} is not in {done:?}");
    }
}

#[test]
fn odd_file_names_are_published_shown_and_found_again() {
    let place = Place::new();
    for name in ["odd/what?", "odd/new\nline", "odd/con", "odd/dot.", "odd/ünï 名", "odd/\u{202e}gpj.exe"]
    {
        place.write(name, name.as_bytes());
    }
    place.publish("odd", "odd.torrent", &[]);
    let shown = place.run(&["torrent", "show", "odd.torrent"]).stdout;
    assert!(shown.contains("new\\u{a}line  (saved as new_line)"), "{shown}");
    assert!(shown.contains("ünï 名\n") && !shown.contains('\u{202e}'), "{shown}");
    assert_eq!(place.run(&["torrent", "verify", "odd.torrent", "."]).code, 0);
}
