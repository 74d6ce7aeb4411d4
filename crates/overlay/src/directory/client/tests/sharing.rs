//! Telling what is shared.

use super::*;
use throng_wire::napster::FileKind;

fn file(content: u32, title: &str, size: u64) -> SharedFile {
    SharedFile::new(ContentId(content), title, size)
}

#[test]
fn names_are_made_so_that_servers_take_and_find_them() {
    let named = |title: &str| String::from_utf8(file(1, title, 1).name).unwrap();
    assert_eq!(named("a/b c.mp3"), "a\\b c.mp3");
    // G finds no file without a directory (N11).
    assert_eq!(named("song.mp3"), "Throng\\song.mp3");
    assert_eq!(named("say \"hi\"\n.mp3"), "Throng\\say 'hi'_.mp3");
    let long = named(&format!("{}.flac", "ä".repeat(300)));
    assert!(long.len() <= 255 && long.ends_with(".flac") && long.starts_with("Throng\\ä"));
}

#[test]
fn the_md5_word_is_the_beginning_of_the_root() {
    let root = [0x0f; 16];
    assert_eq!(md5_word(&root), "0f".repeat(16));
    assert_eq!(root_of_md5("0F".repeat(16).as_bytes()), Some(root));
    for word in ["0".repeat(32), "0f".repeat(15), "NOMD5COMPUTED".into(), "0f".repeat(17), "g".repeat(32)] {
        assert_eq!(root_of_md5(word.as_bytes()), None, "{word}");
    }
}

#[test]
fn a_file_alone_is_told_by_100_and_other_kinds_by_10300() {
    let mut bench = Bench::online();
    let song = SharedFile {
        root: Some([0xab; 16]),
        bitrate: 128,
        frequency: 44_100,
        duration: 9,
        ..file(1, "s.mp3", 77)
    };
    let told = bench.command(Command::Share(song));
    assert_eq!(told, [(100, format!("\"Throng\\s.mp3\" {} 77 128 44100 9", "ab".repeat(16)))]);
    assert_eq!(bench.events(), [Event::Shared(directory(), 1)]);
    let film = SharedFile { kind: FileKind::Video, ..file(2, "f.mkv", 5 << 30) };
    assert_eq!(bench.command(Command::Share(film)), [(10300, "\"Throng\\f.mkv\" 5368709120 0 video".into())]);
}

#[test]
fn files_of_a_directory_go_together_in_frames_within_the_limit_and_come_back_after_a_loss() {
    let mut probe = Probe::new(Client::new(config()));
    for content in 0..1_000 {
        probe.command(Command::Share(file(
            content,
            &format!("dir {}/song {content}.mp3", content / 500),
            1 + u64::from(content),
        )));
    }
    let mut outs = probe.command(Command::Join(vec![directory()]));
    for _ in 0..2 {
        let (stream, _) = called(&outs).expect("a call");
        probe.stream(stream, StreamInput::Opened);
        let mut told = frames(&probe.stream(stream, StreamInput::Bytes(&frame(3, "x"))), stream);
        assert!(
            told.iter().map(|(_, data)| data.len()).sum::<usize>() < 40_000,
            "no faster than they are taken"
        );
        for _ in 0..100 {
            told.extend(frames(&probe.stream(stream, StreamInput::Flushed(8 << 10)), stream));
        }
        assert!(told.iter().all(|(kind, _)| *kind == 870), "{}", told.len());
        let files: usize = told.iter().map(|(_, data)| data.matches(".mp3\"").count()).sum();
        assert_eq!(files, 1_000);
        assert!(told.len() < 40, "{} frames", told.len());
        assert!(told.iter().all(
            |(_, data)| data.starts_with("\"dir 0\\\" \"song") || data.starts_with("\"dir 1\\\" \"song")
        ));
        assert!(probe.take_events().contains(&Event::Shared(directory(), 1_000)));
        probe.stream(stream, StreamInput::Closed(StreamEnd::Broken));
        outs = probe.advance(Duration::from_secs(10));
    }
}

#[test]
fn an_empty_file_is_not_put_where_it_would_be_refused() {
    let mut probe = Probe::new(Client::new(config()));
    for (content, size) in [(1, 0), (2, 4 << 30), (3, 5), (4, 6)] {
        probe.command(Command::Share(file(content, &format!("d/{content}.mp3"), size)));
    }
    let outs = probe.command(Command::Join(vec![directory()]));
    let (stream, _) = called(&outs).unwrap();
    probe.stream(stream, StreamInput::Opened);
    let told = frames(&probe.stream(stream, StreamInput::Bytes(&frame(3, "x"))), stream);
    let kinds: Vec<u16> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [100, 100, 870]);
}

#[test]
fn duplicates_are_refused_here_and_taken_back_files_are_unshared_by_their_bare_name() {
    let mut bench = Bench::online();
    bench.command(Command::Share(file(1, "x/Song.mp3", 5)));
    assert_eq!(bench.command(Command::Share(file(2, "X/sONG.mp3", 5))), []);
    assert!(bench.events().contains(&Event::NotShared(ContentId(2))));
    assert_eq!(bench.command(Command::Unshare(ContentId(1))), [(102, "x\\Song.mp3".into())]);
    assert_eq!(bench.command(Command::Unshare(ContentId(1))), []);
    assert_eq!(bench.command(Command::Share(file(2, "X/sONG.mp3", 5))).len(), 1);
}

#[test]
fn a_full_server_is_told_no_more() {
    let mut bench = Bench::online();
    bench.hear(404, "You may only share 5000 files");
    assert_eq!(bench.command(Command::Share(file(1, "x.mp3", 5))), []);
    assert!(bench.events().contains(&Event::NotShared(ContentId(1))));
}
