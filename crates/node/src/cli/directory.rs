//! `throng directory`

use super::ListenAddress;
use clap::Args;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use throng_overlay::directory::server::{Banned, Level};

#[derive(Args, Debug)]
#[command(
    after_help = "Speaks the OpenNap protocol, to clients and to other servers. Accounts and bans are kept in \
                  directory.sqlite in the home directory. Ends with exit code 130 when interrupted: it stops listening \
                  at once, tells everybody, and is gone within a second.\n\nWith --ban, --unban or --level it only \
                  changes accounts and bans, and ends; a directory that runs from the same home follows within two \
                  seconds.\n\nLinks must form a tree, and both servers must name each other. An opennap server takes a \
                  link only if the name resolves to the address it comes from.\n\nExamples: throng directory --name \
                  hub.example --motd motd.txt\n          throng directory --listen 10.0.0.2:8888 --name east --link \
                  west=10.0.0.3:8888,secret"
)]
pub(crate) struct DirectoryArgs {
    /// Where to listen: IP:PORT, [v6]:PORT or HOST:PORT; port 0 takes any
    #[arg(long, value_name = "ADDR", default_value = "[::]:8888")]
    pub(crate) listen: ListenAddress,
    /// The server's name, a word, unique among linked servers
    #[arg(long, value_name = "NAME", default_value = "directory", value_parser = word)]
    pub(crate) name: String,
    /// A text file that clients are shown when they log in
    #[arg(long, value_name = "FILE")]
    pub(crate) motd: Option<PathBuf>,
    /// A server to link with: called at HOST:PORT, or only let in from HOST if no port is given. OURS is the password we
    /// send, THEIRS the one they must send [default: the same]; may be repeated
    #[arg(long, value_name = "NAME=HOST[:PORT],OURS[,THEIRS]")]
    pub(crate) link: Vec<LinkTo>,
    /// The IPv4 address that others are told of users who come from this machine (127.x)
    #[arg(long, value_name = "IP")]
    pub(crate) public_address: Option<Ipv4Addr>,
    /// Let in registered nicks only
    #[arg(long)]
    pub(crate) registered_only: bool,
    /// Connections at once; the system's limit of open files is raised to it where it may be
    #[arg(long, value_name = "N", default_value_t = 120_000, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    pub(crate) max_connections: u32,
    /// Connections at once from one address
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_per_address: u32,
    /// Files a user may share
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub(crate) max_files: u32,
    /// Messages a minute that a user may send for long
    #[arg(long, value_name = "N", default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_messages: u32,
    /// Searches a minute that a user may do for long
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_searches: u32,
    /// Seconds between two lines of statistics; 0 for none
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub(crate) stats_interval: u64,
    /// When it stops, send clients on to this server: HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) redirect: Option<HostPort>,
    /// Let nobody in of this nick or IP address, and end; may be repeated
    #[arg(long, value_name = "WHO", value_parser = whom)]
    pub(crate) ban: Vec<Banned>,
    /// Why, for them to read
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, requires = "ban")]
    pub(crate) reason: String,
    /// Take a ban back, and end; may be repeated
    #[arg(long, value_name = "WHO", value_parser = whom)]
    pub(crate) unban: Vec<Banned>,
    /// Make a registered user a leech, user, moderator, admin or elite, and end; may be repeated
    #[arg(long, value_name = "NICK=LEVEL", value_parser = level)]
    pub(crate) level: Vec<(String, Level)>,
}

impl DirectoryArgs {
    /// Whether only the store is to be changed.
    pub(crate) fn only_changes(&self) -> bool {
        !(self.ban.is_empty() && self.unban.is_empty() && self.level.is_empty())
    }
}

/// Another server of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkTo {
    pub(crate) name: String,
    pub(crate) host: String,
    /// Where it is called, if it is.
    pub(crate) port: Option<u16>,
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

impl FromStr for LinkTo {
    type Err = String;

    fn from_str(text: &str) -> Result<LinkTo, String> {
        let wrong = || String::from("not a server; write NAME=HOST:PORT,OURS or NAME=HOST,OURS,THEIRS");
        let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
        let (at, passwords) = rest.split_once(',').ok_or_else(wrong)?;
        let (ours, theirs) = passwords.split_once(',').unwrap_or((passwords, passwords));
        let name = word(name)?;
        let (ours, theirs) = (word(ours)?, word(theirs)?);
        let (host, port) =
            match at.rsplit_once(':').filter(|(host, _)| !host.ends_with(':') && !host.is_empty()) {
                Some((host, port)) if host.starts_with('[') || !host.contains(':') => {
                    (host, Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?))
                }
                _ => (at, None),
            };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() { Err(wrong()) } else { Ok(LinkTo { name, host, port, ours, theirs }) }
    }
}

/// A host and a port, passed on as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort(pub(crate) String, pub(crate) u16);

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<HostPort, String> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let parts = parts.filter(|(host, port)| *port > 0 && word(host).is_ok());
        let (host, port) = parts.ok_or_else(|| String::from("not an address; write HOST:PORT"))?;
        Ok(HostPort(host.to_owned(), port))
    }
}

/// What the protocol can write without quotes.
fn word(text: &str) -> Result<String, String> {
    let is_word = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if is_word {
        Ok(text.to_owned())
    } else {
        Err("must be one word of at most 64 letters, without quotes".into())
    }
}

fn whom(text: &str) -> Result<Banned, String> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(Banned::Address(address)),
        Err(_) => Ok(Banned::Nick(word(text)?.to_ascii_lowercase().into_bytes())),
    }
}

fn level(text: &str) -> Result<(String, Level), String> {
    let wrong = || String::from("write NICK=LEVEL, with leech, user, moderator, admin or elite");
    let (nick, level) = text.split_once('=').ok_or_else(wrong)?;
    Ok((word(nick)?, Level::from_word(level.as_bytes()).ok_or_else(wrong)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_with_and_without_a_port() {
        let called: LinkTo = "west=10.0.0.3:8888,secret".parse().unwrap();
        assert_eq!((called.host.as_str(), called.port), ("10.0.0.3", Some(8888)));
        assert_eq!((called.ours.as_str(), called.theirs.as_str()), ("secret", "secret"));
        let let_in: LinkTo = "west=hub.example,a,b".parse().unwrap();
        assert_eq!((let_in.host.as_str(), let_in.port), ("hub.example", None));
        assert_eq!((let_in.ours.as_str(), let_in.theirs.as_str()), ("a", "b"));
        let v6: LinkTo = "west=[::1]:8888,a".parse().unwrap();
        assert_eq!((v6.host.as_str(), v6.port), ("::1", Some(8888)));
        assert_eq!("west=::1,a".parse::<LinkTo>().unwrap().host, "::1");
        for text in [
            "",
            "west",
            "west=host:1",
            "=host:1,a",
            "west=host:0,a",
            "west=host:1,a b",
            "we st=h,a",
            "west=,a",
        ] {
            assert!(text.parse::<LinkTo>().is_err(), "{text}");
        }
    }

    #[test]
    fn bans_and_levels_are_read_as_people_write_them() {
        assert_eq!(whom("10.0.0.3"), Ok(Banned::Address("10.0.0.3".parse().unwrap())));
        assert_eq!(whom("Ben"), Ok(Banned::Nick(b"ben".to_vec())));
        assert_eq!(level("ben=Admin"), Ok(("ben".into(), Level::Admin)));
        assert!(level("ben=king").is_err() && level("ben").is_err() && whom("a b").is_err());
    }
}
