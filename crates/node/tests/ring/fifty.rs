//! Fifty processes: joins, writes, twenty killed at once, a minute of partition, and what must be left of it all.

use crate::member::{Member, PORT, each};
use crate::wanted;
use serde_json::Value;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use throng_bench::switch::Switch;

const MEMBERS: u8 = 50;
/// Of ten neighbours in a row, so many die at once: one less than the copies of a record, 20 in all.
const KILLED_OF_TEN: usize = 4;
/// The network as the issue wants it.
const LOSS: f64 = 0.1;
const DELAY: Duration = Duration::from_millis(200);
/// How long the ring is cut in two.
const CUT: Duration = Duration::from_secs(60);
/// So many join at once.
const WAVE: usize = 7;
/// How long each thing that must happen may take.
const JOINING: Duration = Duration::from_secs(90);
const MENDING: Duration = Duration::from_secs(150);
/// Twenty stabilisation periods: old contacts are asked once a minute, and two rings grow into one pair by pair.
const MEETING: Duration = Duration::from_secs(300);
/// How often the ring is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Losses follow from it.
const SEED: u64 = 3;

type Entry = (String, String);

struct Stage {
    switch: Switch,
    members: Vec<Member>,
    /// What was acknowledged.
    entries: Vec<Entry>,
    began: Instant,
    _folder: TempDir,
}

impl Stage {
    /// A ring of all, on a good network.
    fn new() -> Stage {
        let (began, folder) = (Instant::now(), tempfile::tempdir().unwrap());
        let switch = Switch::new(MEMBERS, SEED).unwrap();
        let hosts = switch.hosts();
        let first = format!("{}:{PORT}", hosts[0].address);
        let deadline = Instant::now() + JOINING;
        let mut members = vec![Member::start(&hosts[0], folder.path(), "new")];
        members[0].wait_joined(deadline);
        for wave in hosts[1..].chunks(WAVE) {
            let mut wave: Vec<_> =
                wave.iter().map(|host| Member::start(host, folder.path(), &first)).collect();
            wave.iter_mut().for_each(|member| member.wait_joined(deadline));
            members.append(&mut wave);
        }
        Stage { switch, members, entries: Vec::new(), began, _folder: folder }
    }

    fn say(&self, what: &str) {
        eprintln!("{:>5.1} s: {what}", self.began.elapsed().as_secs_f64());
    }

    /// Stores so many entries, each by another member; those acknowledged must be there for ever.
    fn write(&mut self, name: &str, count: usize, from: &[usize]) {
        let wanted: Vec<(usize, Entry)> = (0..count)
            .map(|number| {
                (from[number % from.len()], (format!("{name} {number}"), format!("value of {name} {number}")))
            })
            .collect();
        let members = &self.members;
        let stored = each(&wanted, |(by, (key, value))| members[*by].put(key, value));
        let acknowledged =
            wanted.into_iter().zip(stored).filter(|(_, stored)| *stored).map(|((_, entry), _)| entry);
        let before = self.entries.len();
        self.entries.extend(acknowledged);
        let count_stored = self.entries.len() - before;
        self.say(&format!("{count_stored} of {count} {name} entries were acknowledged"));
    }

    /// Waits until the living are one ring in the right order.
    fn wait_one(&self, within: Duration) {
        let deadline = Instant::now() + within;
        while let Err(why) = is_one(&self.members) {
            let picture = || each(&self.members, Member::picture).join("\n");
            assert!(Instant::now() < deadline, "no ring after {within:?}: {why}\n{}", picture());
            std::thread::sleep(LOOK);
        }
        self.say(&format!("{} members are one ring", self.members.len()));
    }

    /// Every acknowledged entry is read by some member; a read may have to be repeated on such a network.
    fn read_all(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let numbered: Vec<_> = self.entries.iter().enumerate().collect();
        let missing = each(&numbered, |(number, (key, value))| {
            let mut attempt = 0;
            loop {
                let reader = &self.members[(number + attempt) % self.members.len()];
                let got = reader.get(key);
                if got.as_deref() == Ok(value) {
                    return None;
                }
                if Instant::now() >= deadline {
                    return Some(format!("{key}: {got:?} at {}", reader.host.address));
                }
                attempt += 1;
            }
        });
        let missing: Vec<_> = missing.into_iter().flatten().collect();
        assert!(
            missing.is_empty(),
            "{} of {} entries are lost: {missing:#?}",
            missing.len(),
            self.entries.len()
        );
        self.say(&format!("all {} entries are there", self.entries.len()));
    }

    /// Puts the members in the order of the ring.
    fn sort(&mut self) {
        let ids = each(&self.members, |member| member.ring().map(|ring| id_of(&ring["nodes"][0])));
        let mut sorted: Vec<_> = ids.into_iter().zip(self.members.drain(..)).collect();
        sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
        self.members = sorted.into_iter().map(|(_, member)| member).collect();
    }

    /// Kills neighbours at once, fewer in a row than there are copies.
    fn kill(&mut self) {
        for (number, member) in self.members.iter_mut().enumerate() {
            if number % 10 < KILLED_OF_TEN {
                member.kill();
            }
        }
        let mut number = 0;
        self.members.retain(|_| {
            number += 1;
            (number - 1) % 10 >= KILLED_OF_TEN
        });
        self.say(&format!("{} members are left", self.members.len()));
    }
}

fn id_of(node: &Value) -> String {
    node["id"].as_str().unwrap_or_default().to_owned()
}

/// An error unless each member's neighbours are those of the ring of all, and each owns its keys.
fn is_one(members: &[Member]) -> Result<(), String> {
    let rings = each(members, Member::ring);
    let mut places = Vec::new();
    for (member, ring) in members.iter().zip(rings) {
        let ring = ring.ok_or_else(|| format!("{} does not answer", member.host.address))?;
        let place = &ring["nodes"][0];
        if place["active"] != true {
            return Err(format!("{} owns nothing, mode {}", member.host.address, ring["mode"]));
        }
        places.push((
            id_of(place),
            id_of(&place["successors"][0]),
            id_of(&place["predecessor"]),
            member.host.address,
        ));
    }
    places.sort();
    for (number, (_, successor, predecessor, at)) in places.iter().enumerate() {
        let next = &places[(number + 1) % places.len()];
        let before = &places[(number + places.len() - 1) % places.len()];
        if *successor != next.0 {
            return Err(format!("{at} is not followed by {}", next.3));
        }
        if *predecessor != before.0 {
            return Err(format!("{at} does not follow {}", before.3));
        }
    }
    Ok(())
}

#[test]
fn fifty_processes_lose_nothing_they_acknowledged_and_become_one_ring_again() {
    if !wanted::possible() {
        return;
    }
    let mut stage = Stage::new();
    stage.say("all have joined");
    stage.wait_one(MENDING);
    let all: Vec<usize> = (0..stage.members.len()).collect();
    stage.write("early", 50, &all);
    assert_eq!(stage.entries.len(), 50, "on a good network everything is stored");
    let good = stage.switch.carried().unwrap();
    stage.switch.link(LOSS, DELAY).unwrap();
    stage.write("late", 50, &all);
    assert!(stage.entries.len() >= 90, "on a bad network nearly everything is stored");
    stage.read_all(MENDING);
    stage.sort();
    cut_in_two(&mut stage);
    stage.wait_one(MEETING);
    stage.read_all(MENDING);
    stage.kill();
    stage.wait_one(MENDING);
    stage.read_all(MENDING);
    let carried = stage.switch.carried().unwrap();
    let (delivered, lost) = (carried.delivered - good.delivered, carried.lost - good.lost);
    assert!(lost > delivered / 20, "the network was not bad at all: {lost} lost, {delivered} delivered");
    let memory: Vec<u64> = stage.members.iter_mut().map(Member::peak_memory).collect();
    let most = memory.iter().max().unwrap() >> 10;
    stage.say(&format!("at most {most} KiB of memory a process; packets: {good:?}, then {carried:?}"));
}

/// Half of the ring, every other neighbour, is cut off for a minute; both halves go on and write.
fn cut_in_two(stage: &mut Stage) {
    let (left, right): (Vec<usize>, Vec<usize>) =
        (0..stage.members.len()).partition(|number| number % 2 == 0);
    let side: Vec<_> = left.iter().map(|number| stage.members[*number].host.clone()).collect();
    stage.switch.split(&side).unwrap();
    let healing = Instant::now() + CUT;
    stage.say("the ring is cut in two");
    stage.write("left", 20, &left);
    stage.write("right", 20, &right);
    std::thread::sleep(healing.saturating_duration_since(Instant::now()));
    stage.switch.heal().unwrap();
    stage.say("the cut is mended");
}
