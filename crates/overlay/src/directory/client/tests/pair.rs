//! Two clients and a directory: files really move, directly and by push, whole and resumed.

use std::time::Duration;

use bytes::Bytes;
use throng_machine::ContentId;

use super::super::*;
use super::world::{World, byte};
use crate::discovery::Ticket;

const SIZE: u64 = 100_003;
const SONG: ContentId = ContentId(5);
const COPY: ContentId = ContentId(9);
const ID: DownloadId = DownloadId(1);

/// Host 0 shares a song, host 1 finds it; what host 1 would download.
fn found(world: &mut World) -> Download {
    let song = SharedFile { root: Some([0xab; 16]), ..SharedFile::new(SONG, "a/zebra song.mp3", SIZE) };
    world.command(0, Command::Share(song));
    world.command(1, Command::Find(Ticket(1), Search::for_words(vec!["zebra".into()])));
    let hit = world.events(1).into_iter().find_map(|event| match event {
        Event::Found(_, file) => Some(*file),
        _ => None,
    });
    let hit = hit.expect("a hit");
    assert_eq!(hit.root, Some([0xab; 16]));
    Download {
        id: ID,
        server: hit.server,
        nick: hit.nick,
        name: hit.name,
        size: Some(hit.size),
        root: hit.root,
        content: COPY,
        resume: None,
        part: None,
        magnet: false,
    }
}

fn expected(from: u64) -> Vec<u8> {
    (from..SIZE).map(|at| byte(SONG, at)).collect()
}

#[test]
fn a_file_found_is_fetched_directly_in_segments_of_any_size() {
    for segment in [1, 3, 100, 1_460, 1 << 20] {
        let mut world = World::new(&[6700, 6701], segment);
        let download = found(&mut world);
        world.command(1, Command::Download(Box::new(download)));
        assert!(world.hosts[1].stored[&COPY] == expected(0), "segments of {segment}");
        let events = world.events(1);
        assert!(events.contains(&Event::Began(ID, 0, SIZE)) && events.contains(&Event::Downloaded(ID)));
        assert!(world.events(0).contains(&Event::Uploaded(SONG, b"host1".to_vec())));
        assert_eq!(world.hosts[0].probe.machine.upload_load(), (0, 0));
        for host in 0..2 {
            assert_eq!(*world.hosts[host].probe.machine.violations(), Violations::default());
        }
    }
}

#[test]
fn a_firewalled_uploader_pushes() {
    for segment in [1, 1_460] {
        let mut world = World::new(&[0, 6701], segment);
        let download = found(&mut world);
        world.command(1, Command::Download(Box::new(download)));
        assert!(world.hosts[1].stored[&COPY] == expected(0), "segments of {segment}");
        assert!(world.events(1).contains(&Event::Downloaded(ID)));
        assert!(world.events(0).contains(&Event::Uploaded(SONG, b"host1".to_vec())));
    }
}

#[test]
fn two_firewalled_hosts_give_up() {
    let mut world = World::new(&[0, 0], 1_460);
    let download = found(&mut world);
    world.command(1, Command::Download(Box::new(download)));
    assert!(world.events(1).contains(&Event::DownloadFailed(ID, DownloadError::BothFirewalled, 0)));
}

#[test]
fn a_part_that_is_had_is_not_fetched_again() {
    for port in [6700, 0] {
        let mut world = World::new(&[port, 6701], 1_460);
        let download = found(&mut world);
        let tail: Bytes = (49_000..50_000).map(|at| byte(SONG, at)).collect();
        let resume = Some(Resume { offset: 50_000, tail });
        world.command(1, Command::Download(Box::new(Download { resume, ..download })));
        // The offset may have another digit.
        world.pass(Duration::from_secs(1));
        assert!(world.hosts[1].stored[&COPY][50_000..] == expected(50_000), "port {port}");
        assert!(world.hosts[1].stored[&COPY][..50_000].iter().all(|byte| *byte == 0));
        assert!(world.events(1).contains(&Event::Downloaded(ID)));
    }
}

#[test]
fn a_part_of_another_file_is_fetched_anew() {
    let mut world = World::new(&[6700, 6701], 1_460);
    let download = found(&mut world);
    let resume = Some(Resume { offset: 50_000, tail: Bytes::from_static(b"something else") });
    world.command(1, Command::Download(Box::new(Download { resume, ..download })));
    world.pass(Duration::from_secs(1));
    world.pass(Duration::from_secs(2));
    assert!(world.hosts[1].stored[&COPY] == expected(0));
    let events = world.events(1);
    assert!(events.contains(&Event::Restarted(ID)) && events.contains(&Event::Downloaded(ID)));
}

#[test]
fn two_of_our_nodes_go_on_as_a_swarm() {
    for ports in [[6700, 6701], [0, 6701]] {
        let mut world = World::new(&ports, 7);
        let download = found(&mut world);
        world.command(1, Command::Download(Box::new(Download { magnet: true, ..download })));
        world.pass(Duration::from_secs(1));
        let link = Bytes::from_static(b"magnet:?xt=urn:btmh:1220");
        let told = |event: &Event| matches!(event, Event::Magnet(ID, told, _) if *told == link);
        assert!(world.events(1).iter().any(told), "{ports:?}");
        assert!(world.hosts[1].stored.is_empty());
        assert_eq!(world.hosts[0].probe.machine.upload_load(), (0, 0));
    }
}

#[test]
fn lists_cross_directly_both_ways() {
    for ports in [[6700, 6701], [0, 6701]] {
        let mut world = World::new(&ports, 13);
        for content in 0..500 {
            world.command(
                0,
                Command::Share(SharedFile::new(ContentId(content), &format!("d/{content}.mp3"), 7)),
            );
        }
        world.command(1, Command::BrowseDirectly(Ticket(2), super::directory(), b"host0".to_vec()));
        world.pass(Duration::from_secs(1));
        let events = world.events(1);
        let listed = events.iter().filter(|event| matches!(event, Event::Listed(..))).count();
        assert_eq!((listed, events.last()), (500, Some(&Event::Finished(Ticket(2)))), "{ports:?}");
    }
}
