//! What the application tells a directory and is told: accounts, bans, operators' wishes, links.

use std::net::IpAddr;
use throng_machine::Endpoint;

/// What a user may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Level {
    /// Less than others.
    Leech,
    /// The usual.
    #[default]
    User,
    /// May throw out users.
    Moderator,
    /// May speak to everybody, and see servers.
    Admin,
    /// May link and stop servers.
    Elite,
}

impl Level {
    const ALL: [Level; 5] = [Level::Leech, Level::User, Level::Moderator, Level::Admin, Level::Elite];

    /// As the protocol writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Leech => "Leech",
            Level::User => "User",
            Level::Moderator => "Moderator",
            Level::Admin => "Admin",
            Level::Elite => "Elite",
        }
    }

    /// The level of that word, in any case.
    pub fn from_word(word: &[u8]) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.word().as_bytes().eq_ignore_ascii_case(word))
    }
}

/// A registered nick. The hash of its password is the application's alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// As it was registered; compared without regard to ASCII case.
    pub nick: Vec<u8>,
    /// What its user may do.
    pub level: Level,
    /// Mail address, a word.
    pub email: Vec<u8>,
    /// Unix time in seconds.
    pub created: u64,
    /// Unix time in seconds.
    pub last_seen: u64,
}

/// Whom a ban is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Banned {
    /// A nick, in lower case.
    Nick(Vec<u8>),
    /// An address.
    Address(IpAddr),
}

/// Names a password being checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CheckId(pub u32);

/// What the application may ask of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An account from the store; also one whose level was changed.
    LoadAccount(Account),
    /// The account is gone; who is logged in stays.
    ForgetAccount {
        /// Its nick.
        nick: Vec<u8>,
    },
    /// The answer to [`Event::CheckPassword`].
    PasswordChecked {
        /// Which.
        check: CheckId,
        /// Whether it is the password.
        right: bool,
    },
    /// Lets nobody in of that nick or address, and throws out who is in.
    Ban {
        /// Whom.
        banned: Banned,
        /// Why, for them to read.
        reason: Vec<u8>,
    },
    /// Takes a ban back.
    Unban(Banned),
    /// Throws a user out.
    Kick {
        /// Whom.
        nick: Vec<u8>,
        /// Why, for them to read.
        reason: Vec<u8>,
    },
    /// A 404 to everybody here.
    Announce(Vec<u8>),
    /// Calls a server of the configuration now.
    Link(String),
    /// Ends a link.
    Unlink(String),
    /// Tells everybody, sends them on to another server if one is named (821), and closes all connections.
    Shutdown {
        /// For people, for example that the server is back in a minute.
        notice: Vec<u8>,
        /// Host and port.
        redirect: Option<(String, u16)>,
    },
}

/// What a directory tells the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Is that the password of that account? To be answered by [`Command::PasswordChecked`].
    CheckPassword {
        /// To be named in the answer.
        check: CheckId,
        /// Whose.
        nick: Vec<u8>,
        /// In clear.
        password: Vec<u8>,
    },
    /// A nick was registered: to be stored with a hash of its password.
    AccountCreated {
        /// The account.
        account: Account,
        /// In clear.
        password: Vec<u8>,
    },
    /// A password was changed.
    PasswordChanged {
        /// Whose.
        nick: Vec<u8>,
        /// In clear.
        password: Vec<u8>,
    },
    /// A mail address was changed.
    EmailChanged {
        /// Whose.
        nick: Vec<u8>,
        /// The new one.
        email: Vec<u8>,
    },
    /// The user of an account has left.
    AccountSeen {
        /// Whose.
        nick: Vec<u8>,
        /// Unix time in seconds.
        at: u64,
    },
    /// A user was thrown out by another.
    Killed {
        /// Whom.
        nick: Vec<u8>,
        /// By whom.
        by: Vec<u8>,
        /// Why.
        reason: Vec<u8>,
    },
    /// A server was linked.
    Linked {
        /// Its name.
        server: Vec<u8>,
    },
    /// A link was lost or could not be made.
    Unlinked {
        /// The server's name, as far as known.
        server: Vec<u8>,
        /// For people.
        reason: &'static str,
    },
    /// Somebody does what no honest client does.
    Violation {
        /// From where.
        from: Endpoint,
        /// What.
        violation: Violation,
    },
    /// An operator wants the server to stop.
    StopRequested {
        /// Who.
        by: Vec<u8>,
    },
    /// An operator wants the configuration to be read again.
    ReloadRequested {
        /// Who.
        by: Vec<u8>,
    },
    /// After [`Command::Shutdown`]: every connection is told and closed.
    Closed,
}

/// What no honest client does; the connection is closed unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Violation {
    /// A frame with more data than may be.
    FrameTooLong,
    /// A frame that was begun and not ended in time.
    FrameTooSlow,
    /// No login in time.
    LoginTooSlow,
    /// Something else than a login first.
    NoLogin,
    /// More messages than a person or a client could mean.
    Flood,
    /// It does not read what it asked for, or what others tell it.
    SlowReader,
    /// A wrong password.
    WrongPassword,
    /// More passwords or connections from an address than may be; refused.
    TooManyFromAddress,
    /// A server that is not one of ours, or does not know the password.
    FalseServer,
    /// A link speaks for a user that is not behind it, or names an address that is not the user's; not passed on.
    FalseOrigin,
    /// A link that makes a circle, or cannot be read.
    BadLink,
}

impl Violation {
    /// How many there are.
    pub(super) const COUNT: usize = Violation::BadLink as usize + 1;
}
