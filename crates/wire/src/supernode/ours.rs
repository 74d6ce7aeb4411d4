//! What our ordinary nodes and our supernodes say to each other inside a FastTrack session, as messages of a type that
//! FastTrack does not have; others pass over it.

use super::Error;
use crate::fasttrack::number::{address, array, put_address, u8, u16, u32};
use std::net::SocketAddrV4;

/// The type of the FastTrack message that holds one of these.
pub const OURS: u16 = 0x7e;

const CANDIDATE: u8 = 1;
const PROMOTE: u8 = 2;
const MOVE: u8 = 3;

/// A message of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ours {
    /// From an ordinary node: what it is, and whether it would be a supernode.
    Candidate(Candidate),
    /// From a supernode: become one.
    Promote,
    /// From a supernode: go to that one, this one has too many or stops.
    Move(SocketAddrV4),
}

/// What an ordinary node says of itself; a supernode measures what it can.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Whether it would be a supernode if asked.
    pub willing: bool,
    /// Where it listens, at the address it comes from.
    pub port: u16,
    /// Its number, which the answer to a probe must have.
    pub instance: u64,
    /// MiB of memory it could give.
    pub mebibytes: u32,
    /// Minutes it has run.
    pub minutes: u32,
}

impl Ours {
    /// Reads the body.
    pub fn parse(mut body: &[u8]) -> Result<Ours, Error> {
        let bytes = &mut body;
        Ok(match u8(bytes)? {
            CANDIDATE => {
                let (willing, port) = (u8(bytes)? != 0, u16(bytes)?);
                let instance = array(bytes).map(u64::from_be_bytes)?;
                let (mebibytes, minutes) = (u32(bytes)?, u32(bytes)?);
                Ours::Candidate(Candidate { willing, port, instance, mebibytes, minutes })
            }
            PROMOTE => Ours::Promote,
            MOVE => Ours::Move(address(bytes)?),
            _ => return Err(Error::Value),
        })
    }

    /// Appends the body.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Ours::Candidate(candidate) => {
                out.extend_from_slice(&[CANDIDATE, u8::from(candidate.willing)]);
                out.extend_from_slice(&candidate.port.to_be_bytes());
                out.extend_from_slice(&candidate.instance.to_be_bytes());
                out.extend_from_slice(&candidate.mebibytes.to_be_bytes());
                out.extend_from_slice(&candidate.minutes.to_be_bytes());
            }
            Ours::Promote => out.push(PROMOTE),
            Ours::Move(to) => {
                out.push(MOVE);
                put_address(out, *to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn our_messages_are_read_as_written_and_cut_ones_refused() {
        let candidate = Candidate { willing: true, port: 1214, instance: 9, mebibytes: 64, minutes: 11 };
        let to = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 1214);
        for (ours, length) in [(Ours::Candidate(candidate), 20), (Ours::Promote, 1), (Ours::Move(to), 7)] {
            let mut out = Vec::new();
            ours.put(&mut out);
            assert_eq!(out.len(), length);
            assert_eq!(Ours::parse(&out), Ok(ours));
            assert!(Ours::parse(&out[..length - 1]).is_err());
        }
        assert_eq!(Ours::parse(&[9]), Err(Error::Value));
    }
}
