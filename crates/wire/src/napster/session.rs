//! Login, registration and the session itself (4.1).

use super::Speed;
use super::message::record;

record! {
    /// Login (2) and registration (6).
    pub struct Login<'a> {
        /// The nick asked for.
        word nick: &'a [u8],
        /// The password, in clear.
        word password: &'a [u8],
        /// The data port as it was given, 0 for a firewalled client; A refuses numbers over 65,535, G keeps 16 bits.
        number port: u32,
        /// The program's name; servers keep 32 characters.
        quoted client: &'a [u8],
        /// Speed of the line, not yet checked.
        speed speed: Speed,
        /// Mail address (6) or a build number (2).
        maybe_word email: Option<&'a [u8]>,
        /// What TekNap sends as the seventh field.
        maybe_word build: Option<&'a [u8]>,
        /// G takes an eighth field as a zlib level and dies of 0 (N5): a client never sends it. Any word is read, as
        /// fields behind the known ones are nobody's.
        maybe_word zlib_level: Option<&'a [u8]>,
    }
}

record! {
    /// Login done (3).
    pub struct LoginAck<'a> {
        /// The mail address the server has, or `anon@` and its name.
        loose email: &'a [u8],
        /// All that follows is one zlib stream of that level (N5).
        maybe_number zlib_level: Option<u32>,
    }
}

record! {
    /// Is that the password of that nick (11)?
    pub struct PasswordCheck<'a> {
        /// The nick.
        word nick: &'a [u8],
        /// The password, in clear.
        word password: &'a [u8],
    }
}

record! {
    /// Totals of the server or cluster (214).
    pub struct Stats {
        /// Users online.
        long users: u64,
        /// Files shared.
        long files: u64,
        /// Their size in gigabytes.
        long gigabytes: u64,
    }
}

record! {
    /// A ping (751) or pong (752) between users; the server swaps the nick and passes the rest byte for byte.
    pub struct Ping<'a> {
        /// To or from whom.
        word nick: &'a [u8],
        /// What followed the nick, with the space before it: nothing, a space, or a space and words.
        tail args: &'a [u8],
    }
}

record! {
    /// Go to another server (821).
    pub struct Redirect<'a> {
        /// Its name or address.
        word host: &'a [u8],
        /// Its port.
        port port: u16,
    }
}

record! {
    /// The first frame of TekNap with its capability switch (920); never sent by us (T9).
    pub struct Capability<'a> {
        /// 62 announces big-endian headers.
        number number: u32,
        /// Whatever follows.
        maybe_word more: Option<&'a [u8]>,
    }
}

record! {
    /// A new speed of our own line (700).
    pub struct NewSpeed {
        /// Not yet checked: A answers a bad one with 404 `invalid speed`, G with silence.
        speed speed: Speed,
    }
}
