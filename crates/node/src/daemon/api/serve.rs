//! Connections: so many at once, each with a time to say what it wants, and a short one to finish at the end.

use super::{Shared, routes};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Connections at once; more wait to be accepted. A browser opens six.
const MAX_CONNECTIONS: u32 = 64;
/// How long a request's head may take, and how long a connection may idle.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// After an error of `accept` (out of file descriptors, most likely).
const PAUSE: Duration = Duration::from_millis(250);

/// The running API.
pub(crate) struct Server {
    local_addr: SocketAddr,
    slots: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Server {
    /// Listens; nothing is answered before [`Server::serve`]. Within a runtime.
    pub(crate) fn bind(at: SocketAddr) -> io::Result<(Server, TcpListener)> {
        Server::on(throng_runtime::net::socket::listen(at)?)
    }

    /// On a socket that listens already.
    pub(crate) fn on(listener: TcpListener) -> io::Result<(Server, TcpListener)> {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
        let server = Server { local_addr: listener.local_addr()?, slots, closing: watch::Sender::new(false) };
        Ok((server, listener))
    }

    /// Where it listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Answers from now on, on tasks of the current runtime.
    pub(crate) fn serve(&self, listener: TcpListener, shared: Shared) {
        let router = routes::router(shared);
        tokio::spawn(accept(listener, router, Arc::clone(&self.slots), self.closing.subscribe()));
    }

    /// Takes no more requests and lets those under way be answered, within a time.
    pub(crate) async fn close(&self, within: Duration) {
        self.closing.send_replace(true);
        // Those that are not done then end with the process.
        let _ = tokio::time::timeout(within, self.slots.acquire_many(MAX_CONNECTIONS)).await;
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    slots: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
) {
    let mut over = closing.clone();
    let mut over = pin!(over.wait_for(|closing| *closing));
    loop {
        let accepted = tokio::select! {
            _ = &mut over => return,
            accepted = next(&listener, &slots) => accepted,
        };
        match accepted {
            Some((socket, slot)) => {
                tokio::spawn(connection(socket, router.clone(), slot, closing.clone()));
            }
            None => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn next(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    let (socket, _) = listener.accept().await.ok()?;
    socket.set_nodelay(true).ok()?;
    Some((socket, slot))
}

async fn connection(
    socket: TcpStream,
    router: Router,
    _slot: OwnedSemaphorePermit,
    mut closing: watch::Receiver<bool>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router)));
    tokio::select! {
        // An error is the client's: it went away, or spoke no HTTP.
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
