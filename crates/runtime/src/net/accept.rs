//! What comes to our port: connections, paused while there is no room, and datagrams.

use super::Application;
use super::driver::Driver;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use throng_machine::{Datagram, Endpoint, Machine, Via};
use tokio::net::{TcpListener, UdpSocket};

/// After an error of `accept` (out of file descriptors, most likely) we wait, for a full table does not empty at once.
const PAUSE: Duration = Duration::from_millis(250);
/// Datagrams read before other tasks get their turn.
const BUDGET: u32 = 64;

/// Accepts connections for ever.
pub(super) async fn streams<A: Application>(driver: Driver<A>, listener: TcpListener) {
    loop {
        while !driver.has_room() {
            driver.stream_gone().await;
        }
        match listener.accept().await {
            Ok((socket, from)) => {
                if socket.set_nodelay(true).is_ok() {
                    driver.accepted(socket, from);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Receives datagrams, and sends those that found the socket full, for ever.
pub(super) async fn datagrams<A: Application>(driver: Driver<A>, udp: Rc<UdpSocket>) {
    poll_fn(|cx| poll_datagrams(&driver, &udp, cx)).await
}

/// Sends the datagrams that found a socket full that others send from too, for ever.
pub(super) async fn send_datagrams<A: Application>(driver: Driver<A>, udp: Rc<UdpSocket>) {
    loop {
        poll_fn(|cx| {
            let mut core = driver.core();
            core.datagram_waker = Some(cx.waker().clone());
            if core.datagrams.is_empty() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        // Unlike `poll_send_ready`, this may be waited for by several.
        if udp.writable().await.is_err() {
            tokio::task::yield_now().await;
        }
        driver.core().send_queued(&udp);
    }
}

fn poll_datagrams<A: Application>(driver: &Driver<A>, udp: &UdpSocket, cx: &mut Context<'_>) -> Poll<()> {
    for _ in 0..BUDGET {
        let sent = send_queued(driver, udp, cx);
        if !receive_one(driver, udp, cx) && !sent {
            return Poll::Pending;
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Whether something was done; if not, the task is woken when there is.
fn receive_one<A: Application>(driver: &Driver<A>, udp: &UdpSocket, cx: &mut Context<'_>) -> bool {
    if udp.poll_recv_ready(cx).is_pending() {
        return false;
    }
    let mut core = driver.core();
    // An error here belongs to an earlier datagram (ICMP unreachable): nobody waits for it.
    if let Ok((len, from)) = udp.try_recv_from(&mut core.scratch) {
        core.traffic.datagrams_in += 1;
        core.traffic.bytes_in += len as u64;
        core.turn_scratch(None, len, |machine, bytes, cx| {
            machine.handle_datagram(Datagram { via: Via::Udp, from: Endpoint::from(from), bytes }, cx);
        });
        driver.after_turn(core);
    }
    true
}

/// Whether something was done; if not, the task is woken when there is.
fn send_queued<A: Application>(driver: &Driver<A>, udp: &UdpSocket, cx: &mut Context<'_>) -> bool {
    let mut core = driver.core();
    core.datagram_waker = Some(cx.waker().clone());
    if core.datagrams.is_empty() || udp.poll_send_ready(cx).is_pending() {
        return false;
    }
    core.send_queued(udp);
    true
}
