//! Sites: folders published under a signed name, whose newest version the ring knows (BEP 46 over our ring).
//!
//! A site's name is the publisher's ed25519 key in base32 (52 characters fit into a host name; hexadecimal would not), with
//! a label of the publisher's before it if there is one: `LABEL.KEY.localhost`. The ring keeps, signed by that key under
//! `site:LABEL`, the info-hash of the newest version, and where it was published. Values of the ring are signed and only
//! their writer's newest counts, so nobody else can move a site, or move it back.

use super::Shared;
use super::answer::ApiError;
use crate::daemon::report::{
    Bytes, GetRequest, PublicationReport, PublishRequest, PublishStep, PutRequest, SiteAnswer, SiteRequest,
};
use crate::daemon::request::{self, Request};
use axum::extract::{Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use std::net::SocketAddr;
use std::str::FromStr as _;
use throng_wire::bencode::{self, Encoder};
use throng_wire::magnet::Magnet;
use tokio::sync::mpsc;

/// The host names of sites end so; browsers never look such names up (RFC 6761).
const DOMAIN: &str = ".localhost";
/// Characters of a label: what is left of a host name's part.
const MAX_LABEL: usize = 63;
/// The ring keeps it for so long unless it is renewed, which the node does while it runs: 7 days.
const LASTS: u64 = 7 * 86_400;

/// Which site.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct SiteName {
    key: [u8; 32],
    label: String,
}

/// What the ring says of a site's newest version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Version {
    pub(super) info_hash: [u8; 20],
    pub(super) title: String,
    pub(super) peers: Vec<SocketAddr>,
}

impl SiteName {
    /// That of a Host header, with or without a port; `None` if it names no site.
    pub(super) fn of_host(host: &str) -> Option<SiteName> {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => name,
            _ => host,
        };
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(DOMAIN)?;
        let (label, key) = name.rsplit_once('.').unwrap_or(("", name));
        if !label.is_empty() && !is_label(label) {
            return None;
        }
        let key = BASE32_NOPAD.decode(key.to_ascii_uppercase().as_bytes()).ok()?.try_into().ok()?;
        Some(SiteName { key, label: label.to_owned() })
    }

    /// As a host name.
    pub(super) fn host(&self) -> String {
        let key = BASE32_NOPAD.encode(&self.key).to_ascii_lowercase();
        let dot = if self.label.is_empty() { "" } else { "." };
        format!("{}{dot}{key}{DOMAIN}", self.label)
    }

    /// As a folder's name.
    pub(super) fn folder(&self) -> String {
        self.host().trim_end_matches(DOMAIN).to_owned()
    }

    fn entry(label: &str) -> Bytes {
        Bytes::Text(format!("site:{label}"))
    }

    /// What the ring says of it now.
    pub(super) async fn newest(&self, shared: &Shared) -> Result<Version, ApiError> {
        let get = GetRequest { key: SiteName::entry(&self.label), writer: Some(HEXLOWER.encode(&self.key)) };
        let answer = shared.ask(|reply| Request::Get(get, reply)).await?;
        let value = answer.values.into_iter().next().and_then(|value| value.value.into_bytes());
        value.as_deref().and_then(Version::decode).ok_or_else(|| {
            ApiError::new(StatusCode::BAD_GATEWAY, "what the ring has of this site is no version of one")
        })
    }
}

fn is_label(label: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    label.len() <= MAX_LABEL && label.bytes().all(known) && !label.starts_with('-') && !label.ends_with('-')
}

impl Version {
    /// `ih` as BEP 46 has it; `n` and `x` are ours: the title, and addresses that have it.
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.begin_dict()
            .entry_bytes("ih", self.info_hash)
            .entry_bytes("n", &self.title)
            .key("x")
            .begin_list();
        self.peers.iter().for_each(|peer| _ = out.bytes(peer.to_string()));
        out.end().end();
        out.finish()
    }

    fn decode(bytes: &[u8]) -> Option<Version> {
        let document = bencode::decode(bytes).ok()?;
        let root = document.root();
        let peers = root.get(b"x").and_then(|peers| peers.as_list()).into_iter().flatten();
        Some(Version {
            info_hash: root.get(b"ih")?.as_bytes()?.try_into().ok()?,
            title: root.get(b"n").and_then(|title| title.as_str()).unwrap_or_default().to_owned(),
            peers: peers.filter_map(|peer| peer.as_str()?.parse().ok()).take(8).collect(),
        })
    }
}

/// Publishes a folder, and says in the ring that it is the site's newest version.
pub(super) async fn publish(
    State(shared): State<Shared>,
    request: HttpRequest,
) -> Result<Response, ApiError> {
    let SiteRequest { path, label } = super::routes::body(request).await?;
    if !label.is_empty() && !is_label(&label) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "a label has small letters, digits and - only"));
    }
    let status = shared.ask(Request::Status).await?;
    let publication = publish_folder(&shared, path).await?;
    let magnet = Magnet::from_str(&publication.magnet).ok();
    let info_hash = magnet.as_ref().and_then(|magnet| magnet.swarms().next()).map(|hash| hash.0);
    let info_hash = info_hash.ok_or_else(|| ApiError::new(StatusCode::CONFLICT, "it has no info-hash"))?;
    let own = status.systems.iter().filter_map(|system| {
        serde_json::to_value(system).ok()?["address"].as_str()?.parse::<SocketAddr>().ok()
    });
    let mut peers: Vec<_> = own.filter(|at| !at.ip().is_unspecified()).collect();
    peers.sort_unstable();
    peers.dedup();
    let title = publication.title.chars().take(100).collect();
    let value = Version { info_hash, title, peers }.encode();
    let put =
        PutRequest { key: SiteName::entry(&label), value: Some(Bytes::of(&value)), ttl_seconds: Some(LASTS) };
    let kept = shared.ask(|reply| Request::Put(put, reply)).await?;
    let key = HEXLOWER.decode(status.key.as_bytes()).ok().and_then(|key| key.try_into().ok());
    let host = SiteName { key: key.unwrap_or_default(), label }.host();
    let url = format!("http://{host}:{}/", status.api.port());
    let answer =
        SiteAnswer { host, url, id: publication.id, seq: kept.seq, copies: kept.copies, of: kept.of };
    super::routes::respond(Ok(answer))
}

async fn publish_folder(shared: &Shared, path: String) -> Result<PublicationReport, ApiError> {
    let publish = PublishRequest { paths: vec![path], title: None, tags: Vec::new() };
    let (tell, mut steps) = mpsc::channel(request::STEPS);
    shared.ask(|reply| Request::Publish(publish, tell, reply)).await?;
    while let Some(step) = steps.recv().await {
        match step {
            PublishStep::Published { publication } => return Ok(*publication),
            PublishStep::Failed { error, .. } => return Err(ApiError::new(StatusCode::CONFLICT, error)),
            _ => {}
        }
    }
    Err(ApiError::stopping())
}

#[cfg(test)]
mod unit {
    use super::*;

    const KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn a_sites_name_is_a_key_with_or_without_a_label() {
        let plain = SiteName::of_host(&format!("{KEY}.localhost:7118")).unwrap();
        assert_eq!((plain.key, plain.label.as_str()), ([0; 32], ""));
        assert_eq!(plain.host(), format!("{KEY}.localhost"));
        let labelled = SiteName::of_host(&format!("My-Blog.{}.LOCALHOST", KEY.to_uppercase())).unwrap();
        assert_eq!((labelled.label.as_str(), labelled.folder()), ("my-blog", format!("my-blog.{KEY}")));
        assert_eq!(SiteName::of_host(&labelled.host()), Some(labelled));
        for host in [
            "localhost",
            "localhost:7118",
            "127.0.0.1",
            "x.localhost",
            &format!("{KEY}.localhost.evil.example"),
            &format!("{KEY}.example"),
            &format!("a_b.{KEY}.localhost"),
            &format!("a.b.{KEY}.localhost"),
            &format!("-a.{KEY}.localhost"),
            &format!(".{KEY}.localhost"),
        ] {
            assert_eq!(
                SiteName::of_host(host).filter(|site| !site.label.is_empty() || host.starts_with("aaaa")),
                None,
                "{host}"
            );
        }
    }

    #[test]
    fn a_version_goes_through_the_ring_and_nonsense_is_none() {
        let version =
            Version {
                info_hash: [7; 20], title: "päge".into(), peers: vec!["192.0.2.7:1".parse().unwrap()]
            };
        assert_eq!(Version::decode(&version.encode()), Some(version));
        for wrong in [&b""[..], b"de", b"d2:ih3:abce", b"i1e", b"d2:ihi1ee"] {
            assert_eq!(Version::decode(wrong), None);
        }
    }
}
