//! Whether a peer of a swarm is there: the handshake of BitTorrent, and nothing more.

use super::common::{Common, Happening};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use throng_machine::Entropy as _;
use throng_overlay::discovery::Source;
use throng_runtime::entropy::SystemEntropy;
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
    /// Asks a source whether it takes part in the swarm; told as [`Happening::Probed`]. False if it is not asked.
    pub(super) fn ask(&self, common: &Common, hit: &str, source: &Source, info_hash: [u8; 20]) -> bool {
        let Source::Swarm(endpoint) = source else { return false };
        let at = endpoint.socket_addr();
        if self.0.get() >= AT_ONCE || !endpoint.is_dialable() || !common.bittorrent.may_call(at) {
            return false;
        }
        self.0.set(self.0.get() + 1);
        let (running, teller) = (Rc::clone(&self.0), common.teller());
        let (hit, source) = (hit.to_owned(), source.clone());
        spawn_local(async move {
            let live = tokio::time::timeout(PATIENCE, greets(at, info_hash)).await.ok().flatten().is_some();
            running.set(running.get().saturating_sub(1));
            let _ = teller.send(Happening::Probed { hit, source, live });
        });
        true
    }
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
