//! How a session begins: seeds and encryption type in clear, then names.

use super::Error;
use super::number::u32;

/// The seed our supernode sends; fixed, so that nobody needs the function that hides the type.
pub const SERVER_SEED: u32 = 0x1234_5678;
/// The seed our node sends, the one of the free programs.
pub const CLIENT_SEED: u32 = 0xfacb_1238;
/// The type our supernode chooses: the generator alone.
pub const ENCRYPTION_TYPE: u32 = 0x40;
/// The type nodes ask for; the answer may differ.
pub const REQUESTED_TYPE: u32 = 0x29;
/// What both sides say first, with a zero byte behind it.
pub const NETWORK_NAME: &[u8] = b"KaZaA";
/// What hides the type, for the two seeds.
const HIDES_SERVER: u32 = 0x0a56_0342;
const HIDES_CLIENT: u32 = 0x3209_d21b;
/// First word of a hello, as the free programs send it; ignored.
const RANDOM: u32 = 0xfa00_b62b;

/// What a node sends first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientHello {
    /// Its seed.
    pub seed: u32,
    /// The type it asks for, hidden by a function of its seed.
    pub hidden_type: u32,
}

impl ClientHello {
    /// Bytes on the wire.
    pub const LEN: usize = 12;

    /// Our node's.
    pub const fn ours() -> ClientHello {
        ClientHello { seed: CLIENT_SEED, hidden_type: HIDES_CLIENT ^ REQUESTED_TYPE }
    }

    /// Reads it; any 12 bytes are one.
    pub fn parse(bytes: &[u8; Self::LEN]) -> ClientHello {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        ClientHello { seed: word(4), hidden_type: word(8) }
    }

    /// Writes it.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&RANDOM.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.seed.to_be_bytes());
        bytes[8..].copy_from_slice(&self.hidden_type.to_be_bytes());
        bytes
    }
}

/// What a supernode answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerHello {
    /// Its seed.
    pub seed: u32,
    /// The type it chose, for both directions, hidden by a function of its seed.
    pub hidden_type: u32,
}

impl ServerHello {
    /// Bytes on the wire.
    pub const LEN: usize = 8;

    /// Our supernode's.
    pub const fn ours() -> ServerHello {
        ServerHello { seed: SERVER_SEED, hidden_type: HIDES_SERVER ^ ENCRYPTION_TYPE }
    }

    /// Reads it.
    pub fn parse(mut bytes: &[u8]) -> Result<ServerHello, Error> {
        let bytes = &mut bytes;
        Ok(ServerHello { seed: u32(bytes)?, hidden_type: u32(bytes)? })
    }

    /// Writes it.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.seed.to_be_bytes());
        bytes[4..].copy_from_slice(&self.hidden_type.to_be_bytes());
        bytes
    }

    /// The type it chose, if the seed is one whose function is known.
    pub fn encryption_type(&self) -> Option<u32> {
        let known = [
            (SERVER_SEED, HIDES_SERVER),
            (CLIENT_SEED, HIDES_CLIENT),
            (0, 0x48a0_0a33),
            (1, 0x0a24_408d),
            (0xffff_ffff, 0x3e8a_5476),
            (0xdead_beef, 0x4c00_0410),
        ];
        known.iter().find(|(seed, _)| *seed == self.seed).map(|(_, hides)| hides ^ self.hidden_type)
    }
}

/// Whether a peer's network name is one that the free programs take; case does not matter.
pub fn is_known_name(name: &[u8]) -> bool {
    [&b"kazaa"[..], b"fileshare", b"grokster"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The byte that tells a bandwidth in kbit/s, about 14 log2 + 59; 0 for none.
pub fn speed_code(kilobits: u32) -> u8 {
    if kilobits == 0 {
        return 0;
    }
    (14.0 * f64::from(kilobits).log2() + 59.0).round().clamp(0.0, 255.0) as u8
}

/// The kbit/s that a byte tells.
pub fn kilobits(code: u8) -> u32 {
    (0.049_510_5 * f64::from(code) - 2.921_120_2).exp().round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_hidden_as_in_the_note() {
        assert_eq!(ClientHello::ours().hidden_type, 0x3209_d232);
        assert_eq!(ServerHello::ours().hidden_type, 0x0a56_0302);
        assert_eq!(ServerHello::ours().encryption_type(), Some(0x40));
        assert_eq!(ServerHello::ours().encode(), [0x12, 0x34, 0x56, 0x78, 0x0a, 0x56, 0x03, 0x02]);
        assert_eq!(ClientHello::parse(&ClientHello::ours().encode()), ClientHello::ours());
        assert_eq!(ServerHello::parse(&ServerHello::ours().encode()), Ok(ServerHello::ours()));
        assert_eq!(ServerHello::parse(&[0; 7]), Err(Error::Truncated));
    }

    #[test]
    fn bandwidths_are_told_as_the_programs_do() {
        assert_eq!(kilobits(0xd1), 1_680);
        assert_eq!(speed_code(0), 0);
        assert!((i32::from(speed_code(1_680)) - 0xd1).abs() <= 1);
    }
}
