//! `throng join --directory`

use super::Address;
use clap::Args;
use std::str::FromStr;

/// The node as a user of directories.
#[derive(Args, Debug)]
pub(crate) struct MemberArgs {
    /// Be a user of the directory (a Napster server) at ADDR; may be repeated, all are joined at once
    #[arg(long, value_name = "ADDR")]
    pub(crate) directory: Vec<Address>,
    /// The name there: 1 to 19 letters; digits are put behind it where it is taken [default: made from the node's key]
    #[arg(long, value_name = "NICK", value_parser = nick)]
    pub(crate) directory_nick: Option<String>,
    /// Where users of directories fetch from this node, TCP; `none` if nobody can call this machine, files are pushed then
    /// [default: 6699, or any port if that is taken]
    #[arg(long, value_name = "PORT|none")]
    pub(crate) directory_port: Option<DataPort>,
    /// Go where a directory sends its users without being asked
    #[arg(long)]
    pub(crate) directory_follow: bool,
}

/// Where peers fetch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DataPort {
    /// Nowhere.
    None,
    /// There; 0 lets the system choose.
    At(u16),
}

impl FromStr for DataPort {
    type Err = String;

    fn from_str(text: &str) -> Result<DataPort, String> {
        match text {
            "none" => Ok(DataPort::None),
            port => port.parse().map(DataPort::At).map_err(|_| "write a port, or the word none".into()),
        }
    }
}

/// What every server takes (N3 of the note).
fn nick(text: &str) -> Result<String, String> {
    if throng_wire::napster::is_valid_nick(text.as_bytes()) {
        Ok(text.to_owned())
    } else {
        Err("write 1 to 19 letters or digits, none of them accented".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_nicks_are_read_as_people_write_them() {
        assert_eq!("none".parse(), Ok(DataPort::None));
        assert_eq!("6699".parse(), Ok(DataPort::At(6699)));
        assert!("70000".parse::<DataPort>().is_err() && "".parse::<DataPort>().is_err());
        assert!(
            nick("zoe").is_ok() && nick("a b").is_err() && nick("operserv").is_err() && nick("").is_err()
        );
    }
}
