//! `throng join --gnutella`

use super::Address;
use clap::Args;
use std::str::FromStr;
use throng_overlay::gnutella::Role;

/// The node as a Gnutella servent.
#[derive(Args, Debug)]
pub(crate) struct GnutellaArgs {
    /// Be a Gnutella servent: through the servent at ADDR (may be repeated), as a leaf that may be elected an ultrapeer
    /// unless `leaf`, `ultrapeer` (searches for leaves, may begin a network) or `plain` (floods, as in 2000; links with its own kind only) is given as well
    #[arg(long, value_name = "ADDR|ultrapeer|plain")]
    pub(crate) gnutella: Vec<Gnutella>,
    /// A UDP host cache that is asked for servents where none is known that can be called (may be repeated; none are
    /// asked but these); any ultrapeer of ours is one
    #[arg(long, value_name = "ADDR")]
    pub(crate) gnutella_cache: Vec<Address>,
    /// Links of an ultrapeer with others
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) gnutella_ultrapeers: u16,
    /// Leaves of an ultrapeer
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(0..=500))]
    pub(crate) gnutella_leaves: u16,
}

/// A way into the network, or a role in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Gnutella {
    /// As this.
    As(Role),
    /// Through a servent.
    At(Address),
}

impl FromStr for Gnutella {
    type Err = String;

    fn from_str(text: &str) -> Result<Gnutella, String> {
        match text {
            "leaf" => Ok(Gnutella::As(Role::Leaf)),
            "ultrapeer" => Ok(Gnutella::As(Role::Ultrapeer)),
            "plain" => Ok(Gnutella::As(Role::Plain)),
            address => {
                let wrong =
                    |_| "write IP:PORT, [v6]:PORT or HOST:PORT, or the word ultrapeer, leaf or plain".into();
                address.parse().map(Gnutella::At).map_err(wrong)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_addresses_are_told_apart() {
        assert_eq!("ultrapeer".parse(), Ok(Gnutella::As(Role::Ultrapeer)));
        assert_eq!("plain".parse(), Ok(Gnutella::As(Role::Plain)));
        assert!(matches!("192.0.2.1:6346".parse(), Ok(Gnutella::At(_))));
        assert!("ultra".parse::<Gnutella>().is_err());
    }
}
