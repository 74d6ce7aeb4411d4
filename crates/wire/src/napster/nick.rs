//! Which nicks servers accept (N3).

/// The longest nick of both servers.
pub const MAX_NICK: usize = 19;

/// The longest client string servers keep (N2).
pub const MAX_CLIENT: usize = 32;

/// Names of services, which no user may have.
const RESERVED: [&[u8]; 4] = [b"operserv", b"chanserv", b"nickserv", b"operator"];

/// Whether both A and G take it: 1 to 19 characters from `!` to `~`, none with a meaning, not a service.
pub fn is_valid_nick(nick: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(byte, b'!'..=b'~') && !b"%$*?.!\",\\".contains(byte);
    let reserved = RESERVED.iter().any(|name| name.eq_ignore_ascii_case(nick));
    let start = nick.first().is_some_and(|first| !b"#&:-".contains(first));
    start && nick.len() <= MAX_NICK && nick.iter().all(plain) && !reserved
}
