//! Arithmetic against naive models, hex snapshots with a legend for every message, round trips, truncation, refusals.

mod id;
mod layout;
mod material;
mod messages;
mod records;
mod refused;
mod snapshots;
mod store_snapshots;
mod stream;

use super::*;

/// The bytes of a snapshot: in each line the first word is hex, the others are its legend.
fn hex(snapshot: &str) -> Vec<u8> {
    let digits: String = snapshot.lines().filter_map(|line| line.split_whitespace().next()).collect();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).expect("a snapshot starts its lines with hex")
}

fn v4(last: u8) -> Contact {
    Contact::new(([192, 0, 2, last], 0x1ae1).into(), 1, 0x0a0b_0c0d)
}

fn v6(last: u16) -> Contact {
    Contact::new(([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], 0x1ae1).into(), 2, 0x0a0b_0c0d)
}

fn filled(byte: u8) -> RingId {
    RingId([byte; 20])
}

const ACTIVE: Claim = Claim::Active { low: RingId([0xee; 20]), epoch: 7 };

const HEADER: Header = Header {
    net_id: 0x0102_0304,
    txid: 0x1112_1314_1516_1718,
    source: 3,
    destination: 5,
    flags: Flags::LEAF,
    incarnation: 0x2122_2324,
    token: 0x3132_3334_3536_3738,
};

fn encoded(message: Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    Datagram { header: HEADER, message }.encode(&mut out).expect("it fits");
    out
}
