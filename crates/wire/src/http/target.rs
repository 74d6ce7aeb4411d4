//! What a request names: a file by hash or number, its tree, the list of all, a push (sections 11.1, 11.7, 11.9; 8).

use crate::gnutella::{Guid, Urn};
use data_encoding::HEXLOWER_PERMISSIVE;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;

/// What is left as it is in a name.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What a path names. Never a path of a file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// `/uri-res/N2R?urn:…`: a file.
    Urn(Urn),
    /// `/uri-res/N2X?urn:…`: its hash tree.
    Tree(Urn),
    /// `/get/INDEX/NAME`: a file by its number in a hit; both must fit.
    Indexed {
        /// Its number.
        index: u32,
        /// Its name, unescaped.
        name: Vec<u8>,
    },
    /// `/.hash=HEX`: a file by its FTHash.
    FtHash([u8; 20]),
    /// `/`: all files.
    List,
    /// `/gnutella/push-proxy?ServerId=…` or `/gnet/push-proxy?guid=…`: have a servent call.
    PushProxy {
        /// Who is to call.
        servent: Guid,
        /// With which file.
        index: u32,
    },
}

/// Why a path names nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TargetError {
    /// No such thing: 404.
    #[error("nothing has this name")]
    Unknown,
    /// A push without a servent's id, or a hash that is none: 400.
    #[error("the request is malformed")]
    Malformed,
}

impl Target {
    /// Reads a path, as it came.
    pub fn parse(path: &str) -> Result<Target, TargetError> {
        let path = without_host(path);
        let (place, query) = path.split_once('?').unwrap_or((path, ""));
        if place == "/" && query.is_empty() {
            return Ok(Target::List);
        }
        if let Some(resolver) = strip(place, "/uri-res/") {
            let urn = percent_decode_str(query).collect::<Vec<u8>>();
            let urn = Urn::parse(&urn).ok_or(TargetError::Malformed);
            return match resolver {
                _ if resolver.eq_ignore_ascii_case("N2R") => urn.map(Target::Urn),
                _ if resolver.eq_ignore_ascii_case("N2X") => urn.map(Target::Tree),
                _ => Err(TargetError::Unknown),
            };
        }
        if let Some(hash) = strip(place, "/.hash=") {
            let bytes = HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).map_err(|_| TargetError::Malformed)?;
            return bytes.try_into().map(Target::FtHash).map_err(|_| TargetError::Malformed);
        }
        if let Some(file) = strip(path, "/get/") {
            return indexed(file).ok_or(TargetError::Unknown);
        }
        if ["/gnutella/push-proxy", "/gnet/push-proxy"].contains(&place) {
            return push_proxy(query).ok_or(TargetError::Malformed);
        }
        Err(TargetError::Unknown)
    }
}

/// A path of a request to a proxy has the host before it.
fn without_host(path: &str) -> &str {
    let Some(rest) = strip(path, "http://") else { return path };
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn strip<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = path.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn indexed(file: &str) -> Option<Target> {
    let (index, name) = file.split_once('/')?;
    // Of 0.4: `/get/INDEX/NAME/`.
    let name = name.strip_suffix('/').unwrap_or(name);
    Some(Target::Indexed { index: index.parse().ok()?, name: percent_decode_str(name).collect() })
}

fn push_proxy(query: &str) -> Option<Target> {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let by_hex = value("guid").and_then(|text| Guid::from_hex(text.as_bytes()));
    let servent = by_hex.or_else(|| Guid::from_base32(value("ServerId")?.as_bytes()))?;
    let index = value("file").and_then(|index| index.parse().ok()).unwrap_or(0);
    Some(Target::PushProxy { servent, index })
}

/// Writes a name so that nothing in it can be taken for anything else.
pub fn escape(name: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(name, PLAIN)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Urn(urn) => write!(f, "/uri-res/N2R?{urn}"),
            Target::Tree(urn) => write!(f, "/uri-res/N2X?{urn}"),
            Target::Indexed { index, name } => {
                write!(f, "/get/{index}/{}", percent_encoding::percent_encode(name, PLAIN))
            }
            Target::FtHash(hash) => write!(f, "/.hash={}", data_encoding::HEXLOWER.encode(hash)),
            Target::List => f.write_str("/"),
            Target::PushProxy { servent, index } => {
                write!(f, "/gnutella/push-proxy?ServerId={}&file={index}", servent.base32())
            }
        }
    }
}
