//! People: who is there, what they are, and channels (4.5).

use super::Speed;
use super::message::record;

record! {
    /// A user and the speed of their line (209, 601).
    pub struct NickSpeed<'a> {
        /// Who.
        word nick: &'a [u8],
        /// How fast.
        speed speed: Speed,
    }
}

record! {
    /// What the server knows of a user online (604).
    pub struct Whois<'a> {
        /// Who.
        word nick: &'a [u8],
        /// Leech, User, Moderator, Admin, Elite.
        quoted level: &'a [u8],
        /// Seconds online.
        long seconds: u64,
        /// A space, then each channel with a space behind it.
        quoted channels: &'a [u8],
        /// Active, Muzzled, Cloaked and more; may be several words.
        quoted status: &'a [u8],
        /// Files shared.
        number shared: u32,
        /// Downloads under way.
        number downloads: u32,
        /// Uploads under way.
        number uploads: u32,
        /// Speed of the line.
        speed speed: Speed,
        /// The program.
        quoted client: &'a [u8],
        /// Downloads ever; this and the rest only for moderators.
        maybe_number total_downloads: Option<u32>,
        /// Uploads ever.
        maybe_number total_uploads: Option<u32>,
        /// The address in dots.
        maybe_word address: Option<&'a [u8]>,
        /// The port of the session.
        maybe_number connect_port: Option<u32>,
        /// The data port.
        maybe_number data_port: Option<u32>,
        /// The mail address.
        maybe_word email: Option<&'a [u8]>,
        /// The server; only for administrators.
        maybe_word server: Option<&'a [u8]>,
    }
}

record! {
    /// What the server knows of a registered user who is not there (605).
    pub struct Whowas<'a> {
        /// Who.
        word nick: &'a [u8],
        /// Level.
        quoted level: &'a [u8],
        /// Last seen, Unix time in seconds.
        long last_seen: u64,
    }
}

record! {
    /// Throw a user out (610).
    pub struct Kill<'a> {
        /// Whom.
        word nick: &'a [u8],
        /// Why.
        maybe_quoted reason: Option<&'a [u8]>,
    }
}

record! {
    /// A line said in a channel (402, 824 from clients: the channel and the text).
    pub struct Say<'a> {
        /// The channel.
        word channel: &'a [u8],
        /// The text.
        text text: &'a [u8],
    }
}

record! {
    /// A line said in a channel (403, 824 from servers).
    pub struct Said<'a> {
        /// The channel.
        word channel: &'a [u8],
        /// Who said it.
        word nick: &'a [u8],
        /// The text.
        text text: &'a [u8],
    }
}

record! {
    /// A member of a channel (406, 407, 408).
    pub struct Member<'a> {
        /// The channel.
        word channel: &'a [u8],
        /// Who.
        word nick: &'a [u8],
        /// Files shared.
        number shared: u32,
        /// Speed of the line.
        speed speed: Speed,
    }
}

record! {
    /// A channel of the short list (618).
    pub struct ChannelEntry<'a> {
        /// Its name.
        word channel: &'a [u8],
        /// Members.
        number users: u32,
        /// Its topic.
        text topic: &'a [u8],
    }
}

record! {
    /// A channel of the full list (828).
    pub struct ChannelDetails<'a> {
        /// Its name.
        word channel: &'a [u8],
        /// Members.
        number users: u32,
        /// 1 if users made it.
        number user_made: u32,
        /// Level needed to join.
        number level: u32,
        /// Members at most.
        number limit: u32,
        /// Its topic.
        quoted topic: &'a [u8],
    }
}
