//! Whether a source is there, before a hit counts: a peer of a swarm is greeted, a server of Gnutella's or FastTrack's
//! HTTP asked for the file without its bytes. Whoever must be pushed or asked through others is not asked.

use super::common::{Common, Happening};
use super::system::LocalWork;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::Endpoint;
use throng_machine::Entropy as _;
use throng_overlay::discovery::{Item, Source};
use throng_runtime::entropy::SystemEntropy;
use throng_wire::gnutella::Urn;
use throng_wire::http::Target;
use throng_wire::ids::{InfoHash, PeerId};
use throng_wire::peer::{HANDSHAKE_LEN, Handshake, Reserved};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

/// How long a peer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Probes at once: strangers name whom to call.
const AT_ONCE: u32 = 16;

/// Probes under way.
#[derive(Clone, Default)]
pub(super) struct Probes(Rc<Cell<u32>>);

impl Probes {
    /// Asks a source whether it has the item; told as [`Happening::Probed`]. False if it is not asked.
    pub(super) fn ask(&self, common: &Common, hit: &str, item: &Item, source: &Source) -> bool {
        let may_call = |at: &Endpoint| at.is_dialable() && common.bittorrent.may_call(at.socket_addr());
        if self.0.get() >= AT_ONCE {
            return false;
        }
        let Some(work) = question(item, source, may_call) else { return false };
        self.0.set(self.0.get() + 1);
        let (running, teller) = (Rc::clone(&self.0), common.teller());
        let (hit, source) = (hit.to_owned(), source.clone());
        spawn_local(async move {
            let live = tokio::time::timeout(PATIENCE, work).await.unwrap_or(false);
            running.set(running.get().saturating_sub(1));
            let _ = teller.send(Happening::Probed { hit, source, live: Some(live) });
        });
        true
    }
}

/// What is asked of a source, if it can be asked; whether it has the item.
fn question(item: &Item, source: &Source, may_call: impl Fn(&Endpoint) -> bool) -> Option<LocalWork<bool>> {
    match source {
        Source::Swarm(at) if may_call(at) => {
            let (at, info_hash) = (at.socket_addr(), item.info_hash?);
            Some(Box::pin(async move { greets(at, info_hash).await.is_some() }))
        }
        Source::Gnutella { at, index, name, firewalled: false, .. } if may_call(at) => {
            let target = match item.sha1 {
                Some(sha1) => Target::Urn(Urn::Sha1(sha1)),
                None => Target::Indexed { index: *index, name: name.clone() },
            };
            Some(Box::pin(serves(at.socket_addr(), format!("HEAD {target} HTTP/1.1\r\n"))))
        }
        // HEAD is Gnutella's alone; a byte says as much.
        Source::Supernode { at, firewalled: false, .. } if may_call(at) => {
            let target = Target::FtHash(item.ft_hash?);
            let request = format!("GET {target} HTTP/1.1\r\nRange: bytes=0-0\r\n");
            Some(Box::pin(serves(at.socket_addr(), request)))
        }
        _ => None,
    }
}

/// Whether a server has what is asked for, now or when it is its turn.
async fn serves(at: SocketAddr, request: String) -> bool {
    const STATUS: usize = b"HTTP/1.1 200".len();
    let ask = async {
        let mut stream = TcpStream::connect(at).await.ok()?;
        let agent = concat!("User-Agent: Throng/", env!("CARGO_PKG_VERSION"));
        let request = format!("{request}Host: {at}\r\n{agent}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = [0; STATUS];
        stream.read_exact(&mut answer).await.ok()?;
        let status = std::str::from_utf8(&answer).ok()?.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok()?;
        Some(matches!(status, 200u16 | 206 | 503))
    };
    ask.await.unwrap_or(false)
}

async fn greets(at: SocketAddr, info_hash: [u8; 20]) -> Option<()> {
    let mut id = *b"-Tg0100-probe-------";
    SystemEntropy::from_system().ok()?.fill(id.get_mut(14..)?);
    let mut stream = TcpStream::connect(at).await.ok()?;
    let own =
        Handshake { reserved: Reserved::default(), info_hash: InfoHash(info_hash), peer_id: PeerId(id) };
    stream.write_all(&own.encode()).await.ok()?;
    let mut answer = [0; HANDSHAKE_LEN];
    stream.read_exact(&mut answer).await.ok()?;
    let answer = Handshake::decode(&answer).ok()??;
    (answer.info_hash == InfoHash(info_hash)).then_some(())
}
