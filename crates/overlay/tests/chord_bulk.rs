//! A large library in the simulated ring: it goes to its owners by stream, and from them to the other holders.

#[path = "chord/store.rs"]
mod store;

use std::collections::BTreeMap;
use std::time::Duration;
use store::{Rings, config, s};
use throng_overlay::chord::{Command, Config, Event, Quotas, Storing};
use throng_overlay::discovery::{self, Item, Ticket};
use throng_sim::{Departure, Incident};

/// Files of the library.
const FILES: u32 = 1_500;

fn roomy() -> Config {
    let quotas = Quotas { spare_percent: 75, ..Quotas::default() };
    Config { storing: Storing { quotas, ..Storing::default() }, ..config() }
}

fn title(n: u32) -> String {
    format!("Band{} Album{} Song{n:04}", n % 40, n % 120)
}

fn item(n: u32) -> Item {
    let mut root = [7; 32];
    root[..4].copy_from_slice(&n.to_be_bytes());
    Item { title: title(n), size: 10_000, root: Some(root), sha1: Some([5; 20]), ..Item::default() }
}

/// At how many of its places each file is by what was told last.
fn told(ring: &mut Rings, host: u32, spread: &mut BTreeMap<Ticket, (u32, u32)>) {
    for event in ring.events(host) {
        if let Event::Discovery(discovery::Event::Published { ticket, at, of }) = event {
            spread.insert(ticket, (at, of));
        }
    }
}

fn publish(ring: &mut Rings, host: u32) {
    ring.events(host);
    for n in 0..FILES {
        ring.command(host, Command::Discovery(discovery::Command::Publish(Ticket(n), item(n))));
    }
}

/// Seconds until all files are at all of their places.
fn until_stored(ring: &mut Rings, host: u32, most: u32) -> u32 {
    let mut spread = BTreeMap::new();
    for tenths in 0..most * 10 {
        told(ring, host, &mut spread);
        if spread.len() == FILES as usize && spread.values().all(|(at, of)| at == of) {
            return tenths.div_ceil(10);
        }
        ring.run(Duration::from_millis(100));
    }
    let whole = spread.values().filter(|(at, of)| at == of).count();
    unreachable!("after {most} s {} of {FILES} files are told of, {whole} are stored whole", spread.len());
}

#[test]
fn a_library_is_stored_and_found_within_seconds_and_every_record_has_its_copies() {
    let mut ring = Rings::new(1, 12, roomy());
    ring.settle();
    publish(&mut ring, 3);
    let took = until_stored(&mut ring, 3, 20);
    assert!(took <= 10, "{took} s");
    for n in (0..FILES).step_by(97) {
        assert_eq!(ring.find(7, &format!("band{} song{n:04}", n % 40)), [title(n)]);
    }
    assert_eq!(ring.find_many(5, "album7", 50).len(), (FILES as usize - 7).div_ceil(120));
    ring.run(s(60));
    // Four records a file, its root and three words; of each word so many of one key.
    assert!(ring.copies().iter().all(|copies| copies % 5 == 0), "five copies of each");
    assert_eq!(ring.copies().iter().sum::<usize>(), FILES as usize * 4 * 5);
}

/// Each owner takes a tenth of what it is given in a burst, and the rest at a rate.
#[test]
fn what_owners_take_slowly_is_stored_as_fast_as_they_take_it() {
    let slow = roomy();
    let storing = Storing { spare_puts: (50, 100), ..slow.storing };
    let mut ring = Rings::new(4, 12, Config { storing, ..slow });
    ring.settle();
    publish(&mut ring, 3);
    // The largest range is some three of twelve: 1,500 of the 6,000 records.
    let took = until_stored(&mut ring, 3, 60);
    assert!(took >= 8, "{took} s");
}

#[test]
fn what_a_holder_takes_with_it_in_the_middle_is_stored_at_others() {
    let mut ring = Rings::new(2, 12, roomy());
    ring.settle();
    publish(&mut ring, 3);
    ring.run(Duration::from_millis(400));
    ring.sim.incident(Incident::Stop(8..9, Departure::Silent));
    let took = until_stored(&mut ring, 3, 180);
    assert!(took > 0);
    for n in (0..FILES).step_by(97) {
        assert_eq!(ring.find(7, &format!("song{n:04}")), [title(n)]);
    }
}

#[test]
fn what_is_taken_back_is_gone_from_all_words() {
    let mut ring = Rings::new(3, 12, roomy());
    ring.settle();
    publish(&mut ring, 3);
    until_stored(&mut ring, 3, 20);
    for n in 0..FILES {
        ring.command(3, Command::Discovery(discovery::Command::Withdraw(Ticket(n))));
    }
    ring.run(s(20));
    for n in (0..FILES).step_by(97) {
        assert_eq!(ring.find(7, &format!("song{n:04}")), Vec::<String>::new());
    }
    assert_eq!(ring.find_many(5, "album7", 50), Vec::<String>::new());
    // The same under another name, at once: tombstones on their way remove nothing of it.
    let renamed = Item { title: "Song0097 Renamed".into(), ..item(97) };
    ring.command(3, Command::Discovery(discovery::Command::Publish(Ticket(97), renamed)));
    ring.run(s(20));
    assert_eq!(ring.find(7, "renamed song0097"), ["Song0097 Renamed"]);
}
