//! How a connection between supernodes begins.

use super::{Error, Standing};
use crate::fasttrack::number::{array, u8, u16};
use std::net::Ipv4Addr;

/// The first four bytes. Genuine nodes begin with random ones: one in four thousand million is mistaken, and then
/// closed for its version.
pub const MAGIC: [u8; 4] = [0xb7, b'T', b'S', b'N'];
/// The version spoken here.
pub const VERSION: u8 = 1;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A lasting link.
    Link,
    /// To see that who claims to be reachable is: the answer carries the same nonce, and the connection ends.
    Probe,
    /// One question or order, after which the caller closes.
    Errand,
}

/// The first bytes of both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preamble {
    /// What the caller wants; the answer repeats it.
    pub purpose: Purpose,
    /// Where the speaker listens, at the address it comes from; 0 for nowhere.
    pub port: u16,
    /// The speaker's, drawn at its start: tells a call to oneself, and that a call back reached the same program.
    pub instance: u64,
    /// Drawn by the caller, repeated in the answer.
    pub nonce: u64,
    /// The other side's address as the speaker sees it.
    pub sees: Ipv4Addr,
    /// How the speaker stands.
    pub standing: Standing,
}

impl Preamble {
    /// Bytes on the wire.
    pub const LEN: usize = 38;

    /// Reads it; a version that is not ours is refused.
    pub fn parse(mut whole: &[u8]) -> Result<Preamble, Error> {
        let bytes = &mut whole;
        if array::<4>(bytes)? != MAGIC || u8(bytes)? != VERSION {
            return Err(Error::Value);
        }
        let purpose = match u8(bytes)? {
            0 => Purpose::Link,
            1 => Purpose::Probe,
            2 => Purpose::Errand,
            _ => return Err(Error::Value),
        };
        let port = u16(bytes)?;
        let [instance, nonce] = [array(bytes)?, array(bytes)?].map(u64::from_be_bytes);
        let sees = array::<4>(bytes)?.into();
        Ok(Preamble { purpose, port, instance, nonce, sees, standing: Standing::take(bytes)? })
    }

    /// Appends it.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, self.purpose as u8]);
        out.extend_from_slice(&self.port.to_be_bytes());
        out.extend_from_slice(&self.instance.to_be_bytes());
        out.extend_from_slice(&self.nonce.to_be_bytes());
        out.extend_from_slice(&self.sees.octets());
        self.standing.put(out);
    }
}
