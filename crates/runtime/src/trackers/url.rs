//! The few URLs trackers have: `http`, `https` and `udp` with host, port, path and query (RFC 3986, without the rest).

use std::net::IpAddr;

/// How a tracker is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    /// BEP 3.
    Http,
    /// BEP 3 over TLS.
    Https,
    /// BEP 15.
    Udp,
}

/// A tracker's address, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Url {
    /// The protocol.
    pub(crate) scheme: Scheme,
    /// Host name or address, without brackets.
    pub(crate) host: String,
    /// The port, the scheme's own if none is named.
    pub(crate) port: u16,
    /// Path and query, beginning with `/`.
    pub(crate) target: String,
}

impl Url {
    /// Takes a URL apart; `None` if it is none we can speak to. User information and fragments are dropped.
    pub(crate) fn parse(text: &str) -> Option<Url> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "udp" => Scheme::Udp,
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = split_port(authority)?;
        let port = match (port, scheme) {
            ("", Scheme::Http | Scheme::Udp) => 80,
            ("", Scheme::Https) => 443,
            (digits, _) => digits.parse().ok().filter(|port| *port != 0)?,
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        let url = Url { scheme, host: host.to_owned(), port, target: format!("{slash}{target}") };
        url.is_sendable().then_some(url)
    }

    /// The URL a `Location` header names, seen from this one.
    pub(crate) fn join(&self, location: &str) -> Option<Url> {
        if location.contains("://") {
            return Url::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
            return Url::parse(&format!("{scheme}://{rest}"));
        }
        let location = location.split('#').next().unwrap_or_default();
        let target = if location.starts_with('/') {
            location.to_owned()
        } else {
            let folder = self.path().rfind('/').map_or("/", |slash| &self.path()[..=slash]);
            format!("{folder}{location}")
        };
        Some(Url { target, ..self.clone() }).filter(Url::is_sendable)
    }

    /// The path, without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Host and port as the `Host` header has them.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// The address, if the host is one and needs no look-up.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Nothing in it may end a header line or a request line early.
    fn is_sendable(&self) -> bool {
        let graphic = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        !self.host.is_empty() && graphic(&self.host) && graphic(&self.target)
    }
}

/// Host and port, the port empty if there is none; brackets around an IPv6 address are taken off.
fn split_port(authority: &str) -> Option<(&str, &str)> {
    match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            Some((host, rest.strip_prefix(':').unwrap_or(rest)))
        }
        None => Some(authority.rsplit_once(':').unwrap_or((authority, ""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(Scheme, String, u16, String)> {
        Url::parse(text).map(|url| (url.scheme, url.host, url.port, url.target))
    }

    #[test]
    fn urls_are_taken_apart() {
        let expect =
            |scheme, host: &str, port, target: &str| Some((scheme, host.into(), port, target.into()));
        assert_eq!(parts("http://a.b/announce?k=1#x"), expect(Scheme::Http, "a.b", 80, "/announce?k=1"));
        assert_eq!(parts("HTTPS://me:pw@a.b:8443"), expect(Scheme::Https, "a.b", 8443, "/"));
        assert_eq!(parts("udp://[::1]:6969/announce"), expect(Scheme::Udp, "::1", 6969, "/announce"));
        assert_eq!(parts("http://a.b?x=1"), expect(Scheme::Http, "a.b", 80, "/?x=1"));
    }

    #[test]
    fn what_is_no_tracker_url_is_refused() {
        for text in
            ["", "http://", "ftp://a/b", "wss://a/b", "http://a:0/", "http://a:99999/", "http://a/\r\nX: y"]
        {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[test]
    fn locations_are_seen_from_where_we_are() {
        let url = Url::parse("https://a.b/x/announce?k=1").unwrap();
        assert_eq!(url.join("/y").unwrap().target, "/y");
        assert_eq!(url.join("y?z").unwrap().target, "/x/y?z");
        assert_eq!(url.join("//c.d/y").unwrap(), Url::parse("https://c.d/y").unwrap());
        assert_eq!(url.join("http://c.d/").unwrap().host, "c.d");
        assert_eq!(url.join("/a b"), None);
    }
}
