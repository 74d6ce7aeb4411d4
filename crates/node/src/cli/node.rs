//! `throng join`, `status`, `leave`, `put` and `get`.

use super::{Address, GnutellaArgs, ListenAddress, MemberArgs, ResourceArgs};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Args, Debug)]
#[command(
    after_help = "Runs in the foreground until `throng leave`, Ctrl-C or SIGTERM; then it hands over what it holds \
                        and says goodbye (a second Ctrl-C stops at once). Ends with exit code 130 when interrupted. \
                        One home (--home) runs one node; another node on this machine needs another home.\n\n\
                        Example: throng join --chord new --listen 0.0.0.0:7117\n\
                        Example: throng join --chord ring.example.org:7117\n\
                        Example: throng join --directory hub.example.org:8888 --directory 192.0.2.7:8888\n\
                        Example: throng join --gnutella ultrapeer\n\
                        Example: throng join --gnutella 192.0.2.7:7117\n\
                        Example: throng join --supernode 192.0.2.7:7117\n\
                        Example: throng join --supernode serve --listen 0.0.0.0:1214"
)]
pub(crate) struct JoinArgs {
    /// Where other nodes reach this one, UDP and TCP: IP:PORT, [v6]:PORT or HOST:PORT; port 0 takes any [default:
    /// [::]:7117, or any port if that is taken]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<ListenAddress>,
    /// Take part in the ring: the address of any node in it (may be repeated), or `new` to start a ring
    #[arg(long, value_name = "ADDR|new")]
    pub(crate) chord: Vec<Chord>,
    /// Begin a ring together with the hosts that FILE names, one address a line, this one among them; each is given the
    /// same file and waits until all have answered. For servers: later starts join the ring there is
    #[arg(long, value_name = "FILE", conflicts_with = "chord")]
    pub(crate) chord_founders: Option<PathBuf>,
    /// How many places to take on the ring, by what this machine can carry: 1 to 64
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) chord_places: u8,
    #[command(flatten)]
    pub(crate) member: MemberArgs,
    /// Take part in the network of supernodes (FastTrack): the address of any supernode (may be repeated), `serve` to be
    /// one, or `ordinary` never to become one; without either word this node becomes one when it is asked to
    #[arg(long, value_name = "ADDR|serve|ordinary")]
    pub(crate) supernode: Vec<Supernode>,
    /// A tracker that is told of what this node publishes: http, https or udp (may be repeated)
    #[arg(long, value_name = "URL")]
    pub(crate) tracker: Vec<String>,
    /// Most bytes a second to send to swarms, like 500000, 512KiB or 4MiB; 0 is no limit [default: no limit]
    #[arg(long, value_name = "N", value_parser = crate::units::parse_rate)]
    pub(crate) upload_limit: Option<u64>,
    /// Most bytes a second to receive from swarms; 0 is no limit [default: no limit]
    #[arg(long, value_name = "N", value_parser = crate::units::parse_rate)]
    pub(crate) download_limit: Option<u64>,
    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
    #[command(flatten)]
    pub(crate) gnutella: GnutellaArgs,
    /// Where the HTTP API listens [default: 127.0.0.1:7118, or any port if that is taken]
    #[arg(long, value_name = "ADDR")]
    pub(crate) api: Option<ListenAddress>,
    /// Where what is fetched goes unless it is said with the request [default: downloads in the home]
    #[arg(long, value_name = "DIR")]
    pub(crate) downloads: Option<PathBuf>,
    /// The token that opens the API and the page, kept in this file, for programs that are told it once; made if the file
    /// is not there [default: a new token at each start]
    #[arg(long, value_name = "FILE")]
    pub(crate) api_token_file: Option<PathBuf>,
    /// Read more options from this file; see `throng config init` [default: config.toml in the home, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How long handing over may take when leaving, like 30s or 2m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) leave_timeout: Duration,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Shows each joined system: its neighbours, for the ring the finger table as well, what it keeps, and \
                        its counters.\n\nExample: throng status --watch"
)]
pub(crate) struct StatusArgs {
    /// Show it again every second until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "The link holds the token that opens this node until it stops: give it to nobody.\n\n\
                        Example: xdg-open \"$(throng page)\""
)]
pub(crate) struct PageArgs {}

#[derive(Args, Debug)]
#[command(
    after_help = "Returns when the node has handed over and is gone; fails if it had to stop before all was handed \
                        over.\n\nExample: throng leave"
)]
pub(crate) struct LeaveArgs {}

#[derive(Args, Debug)]
#[command(
    after_help = "Returns when enough hosts have the value on their disks. The last write wins; each writer's newest \
                        value is kept.\n\nExample: throng put motd 'hello, ring'\n\
                        Example: throng put config - < config.toml"
)]
pub(crate) struct PutArgs {
    /// The key: 1 to 255 bytes
    #[arg(value_name = "KEY")]
    pub(crate) key: OsString,
    /// The value: at most 1,000 bytes; `-` reads it from standard input
    #[arg(value_name = "VALUE", required_unless_present = "remove")]
    pub(crate) value: Option<OsString>,
    /// How long it is kept unless it is put again, like 90s, 15m, 24h or 7d; this node renews it while it runs
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) ttl: Duration,
    /// Remove what this node has put under the key
    #[arg(long, conflicts_with_all = ["value", "ttl"])]
    pub(crate) remove: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Writes the newest value's bytes to standard output and nothing else (with --json: key, value, seq, \
                        writer and hops). Exits with 1 if there is none.\n\nExample: throng get motd"
)]
pub(crate) struct GetArgs {
    /// The key: 1 to 255 bytes
    #[arg(value_name = "KEY")]
    pub(crate) key: OsString,
    /// Only what the holder of this ed25519 key (64 hexadecimal digits) has put
    #[arg(long, value_name = "KEY")]
    pub(crate) writer: Option<String>,
}

/// A way into the ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Chord {
    /// Start one.
    New,
    /// Through a node of it.
    At(Address),
}

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Chord, String> {
        if text == "new" {
            return Ok(Chord::New);
        }
        text.parse()
            .map(Chord::At)
            .map_err(|_| "write IP:PORT, [v6]:PORT or HOST:PORT, or the word new".into())
    }
}

/// A way into the network of supernodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Supernode {
    /// Be one.
    Serve,
    /// Never be one.
    Ordinary,
    /// Through one.
    At(Address),
}

impl FromStr for Supernode {
    type Err = String;

    fn from_str(text: &str) -> Result<Supernode, String> {
        match text {
            "serve" => Ok(Supernode::Serve),
            "ordinary" => Ok(Supernode::Ordinary),
            address => {
                let wrong = |_| "write IP:PORT or HOST:PORT, or the word serve or ordinary".into();
                address.parse().map(Supernode::At).map_err(wrong)
            }
        }
    }
}

/// Reads a time span such as `90s`, `15m`, `24h` or `7d`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || String::from("not a time; write it like 90s, 15m, 24h or 7d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    match u64::from(number) * factor {
        0 => Err("it must be longer than nothing".into()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ways_into_the_ring_are_read_as_people_write_them() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "0", "-1s", "1.5h", "1w", "99999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!("new".parse(), Ok(Chord::New));
        assert!(matches!("localhost:7117".parse(), Ok(Chord::At(_))));
        assert!("New:".parse::<Chord>().is_err());
        assert_eq!("serve".parse(), Ok(Supernode::Serve));
        assert!(matches!("localhost:1214".parse(), Ok(Supernode::At(_))));
        assert!("Serve".parse::<Supernode>().is_err());
    }
}
