//! Which addresses a tracker's URL may make us contact: a torrent must not turn us against the machines around us.
//!
//! Rules (SECURITY.md, SSRF): never from a public address on to a private one by redirect; on this machine only paths
//! that are a tracker's.

use super::url::{Scheme, Url};
use std::net::IpAddr;

/// How near an address is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Reach {
    /// This machine.
    Loopback,
    /// This network.
    Private,
    /// Anywhere.
    Public,
}

/// How near an address is; unspecified ones reach this machine.
pub(crate) fn reach(ip: IpAddr) -> Reach {
    match ip.to_canonical() {
        ip if ip.is_loopback() || ip.is_unspecified() => Reach::Loopback,
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            if ip.is_private() || ip.is_link_local() || shared { Reach::Private } else { Reach::Public }
        }
        IpAddr::V6(ip) => {
            let near = ip.is_unique_local() || ip.is_unicast_link_local();
            if near { Reach::Private } else { Reach::Public }
        }
    }
}

/// Whether a redirect from somewhere as near as `from` may lead to `ip`: all there is to check of a URL that the person
/// named themselves.
pub(crate) fn may_follow(ip: IpAddr, from: Option<Reach>) -> Result<(), String> {
    if from.is_some_and(|from| reach(ip) < from) {
        return Err(String::from("it redirects to a private address"));
    }
    Ok(())
}

/// Whether `url` at `ip` may be contacted, having come by redirect from somewhere as near as `from`.
pub(crate) fn may_contact(url: &Url, ip: IpAddr, from: Option<Reach>) -> Result<(), String> {
    may_follow(ip, from)?;
    let to = reach(ip);
    let is_announce = url.path().rsplit('/').next().is_some_and(|last| last.starts_with("announce"));
    if to == Reach::Loopback && url.scheme != Scheme::Udp && !is_announce {
        return Err(String::from("on this machine only /announce is asked"));
    }
    Ok(())
}

/// Whether a web seed's `url` at `ip` may be asked, having come by redirect from somewhere as near as `from`: a torrent
/// must not make us say things to the machines around us.
pub(crate) fn may_read(url: &Url, ip: IpAddr, from: Option<Reach>) -> Result<(), String> {
    may_follow(ip, from)?;
    if reach(ip) < Reach::Public && url.target.contains('?') {
        return Err(String::from("a server near us is asked nothing but paths"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, from: Option<Reach>) -> bool {
        let url = Url::parse(url).unwrap();
        may_contact(&url, url.ip().unwrap(), from).is_ok()
    }

    #[test]
    fn a_redirect_leads_outwards_only() {
        assert!(check("http://192.168.0.1/announce", None));
        assert!(!check("http://192.168.0.1/announce", Some(Reach::Public)));
        assert!(!check("http://[::ffff:127.0.0.1]/announce", Some(Reach::Private)));
        assert!(check("http://1.1.1.1/x", Some(Reach::Private)));
        assert!(!check("http://169.254.169.254/latest", Some(Reach::Public)));
        assert!(!check("http://100.64.0.1/", Some(Reach::Public)));
        assert!(!check("http://[fd00::1]/", Some(Reach::Public)));
    }

    #[test]
    fn on_this_machine_only_announce_paths_are_asked() {
        assert!(check("http://127.0.0.1:6969/announce", None));
        assert!(check("http://127.0.0.1:6969/key/announce.php?x=1", None));
        assert!(!check("http://127.0.0.1:8080/api/v2/app/shutdown", None));
        assert!(!check("http://0.0.0.0:8080/quit?announce", None));
        assert!(check("udp://127.0.0.1:6969", None));
    }
}
