//! One port for all systems of a node: connections are told apart by their first bytes, datagrams by their form.
//!
//! Only protocols whose callers speak first can share a port; Napster's data port, where the called side does, is one
//! of its own. What nobody takes part in is closed. Who says nothing is let go after ten seconds; a bounded number is
//! waited for at once, and the oldest of them goes when another comes.

use super::socket;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

/// How long a caller may take to say which protocol it speaks.
const PATIENCE: Duration = Duration::from_secs(10);
/// Callers that have not said it yet, at most.
const UNDECIDED: usize = 256;
/// Bytes that decide in every case: `GET /.hash=`.
const DECISIVE: usize = 11;
/// A part of a first line may come alone; so long is waited for more of it before it is looked at again.
const LOOK: Duration = Duration::from_millis(10);
/// After an error of `accept` (out of file descriptors, most likely).
const PAUSE: Duration = Duration::from_millis(250);
/// Largest datagram read.
const DATAGRAM: usize = 64 << 10;

/// What is spoken on the shared port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// The ring's, TCP and UDP.
    Chord,
    /// BitTorrent's peer protocol.
    BitTorrent,
    /// Gnutella links, its HTTP, GIV and QUEUE, and its UDP.
    Gnutella,
    /// FastTrack sessions, its HTTP and GIVE, links between supernodes.
    Supernode,
}

/// Who takes connections and datagrams of one protocol, on the port's thread.
pub trait Guest {
    /// A connection of the protocol; nothing of it was read. It is dropped where there is no room.
    fn connection(&self, socket: TcpStream, from: SocketAddr);
    /// A datagram of the protocol.
    fn datagram(&self, bytes: &[u8], from: SocketAddr);
}

/// A bound port; clones are handles on the same one.
#[derive(Clone)]
pub struct Port(Rc<Shared>);

struct Shared {
    local_addr: SocketAddr,
    udp: Rc<UdpSocket>,
    tcp: RefCell<Option<TcpListener>>,
    guests: RefCell<BTreeMap<Protocol, Rc<dyn Guest>>>,
    /// Ends the wait for callers that have not said what they speak, oldest first.
    undecided: RefCell<VecDeque<oneshot::Sender<()>>>,
}

impl Port {
    /// Binds TCP and UDP at one address; with port 0 the system chooses. Nothing is taken before [`Port::serve`].
    pub fn bind(at: SocketAddr) -> io::Result<Port> {
        let tcp = socket::listen(at)?;
        let local_addr = tcp.local_addr()?;
        let udp = Rc::new(socket::datagrams(SocketAddr::new(at.ip(), local_addr.port()))?);
        let (guests, undecided) = (RefCell::default(), RefCell::default());
        Ok(Port(Rc::new(Shared { local_addr, udp, tcp: RefCell::new(Some(tcp)), guests, undecided })))
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr
    }

    /// The socket its datagrams leave from.
    pub(super) fn udp(&self) -> Rc<UdpSocket> {
        Rc::clone(&self.0.udp)
    }

    /// Gives what is of this protocol to a guest from now on.
    pub fn attach(&self, protocol: Protocol, guest: Rc<dyn Guest>) {
        self.0.guests.borrow_mut().insert(protocol, guest);
    }

    /// Begins to take connections and datagrams, on the current `LocalSet`; a second call does nothing.
    pub fn serve(&self) {
        if let Some(tcp) = self.0.tcp.borrow_mut().take() {
            spawn_local(self.clone().streams(tcp));
            spawn_local(self.clone().datagrams());
        }
    }

    async fn streams(self, tcp: TcpListener) {
        loop {
            match tcp.accept().await {
                Ok((socket, from)) => {
                    if socket.set_nodelay(true).is_ok() {
                        let over = self.wait_for_one_more();
                        spawn_local(self.clone().decide(socket, from, over));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Room for one more undecided caller: the oldest goes if there is none.
    fn wait_for_one_more(&self) -> oneshot::Receiver<()> {
        let (end, over) = oneshot::channel();
        let mut undecided = self.0.undecided.borrow_mut();
        undecided.retain(|one| !one.is_closed());
        if undecided.len() >= UNDECIDED {
            // Dropping its sender ends its wait.
            undecided.pop_front();
        }
        undecided.push_back(end);
        over
    }

    async fn decide(self, socket: TcpStream, from: SocketAddr, over: oneshot::Receiver<()>) {
        let protocol = tokio::select! {
            protocol = tokio::time::timeout(PATIENCE, first_bytes(&socket)) => protocol.ok().flatten(),
            _ = over => None,
        };
        let guest = protocol.and_then(|protocol| self.guest(protocol));
        if let Some(guest) = guest {
            guest.connection(socket, from);
        }
    }

    /// Who takes part in the protocol; plain HTTP is answered by whoever of the two that speak it is there.
    fn guest(&self, protocol: Protocol) -> Option<Rc<dyn Guest>> {
        let guests = self.0.guests.borrow();
        let other = match protocol {
            Protocol::Gnutella => Some(Protocol::Supernode),
            Protocol::Supernode => Some(Protocol::Gnutella),
            _ => None,
        };
        guests.get(&protocol).or_else(|| guests.get(&other?)).cloned()
    }

    async fn datagrams(self) {
        let mut bytes = vec![0; DATAGRAM];
        loop {
            // An error here belongs to an earlier datagram (ICMP unreachable): nobody waits for it.
            let Ok((len, from)) = self.0.udp.recv_from(&mut bytes).await else {
                tokio::task::yield_now().await;
                continue;
            };
            let datagram = bytes.get(..len).unwrap_or_default();
            let guest = self.0.guests.borrow().get(&datagram_protocol(datagram)).cloned();
            if let Some(guest) = guest {
                guest.datagram(datagram, from);
            }
        }
    }
}

/// Waits for enough bytes to know the protocol; `None` if the caller went away.
async fn first_bytes(socket: &TcpStream) -> Option<Protocol> {
    let mut bytes = [0; DECISIVE];
    loop {
        let count = socket.peek(&mut bytes).await.ok().filter(|count| *count > 0)?;
        match stream_protocol(bytes.get(..count)?) {
            Some(protocol) => return Some(protocol),
            // The socket stays readable, so waiting for that would not wait.
            None => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Which protocol a connection that begins so speaks; `None` while more could decide otherwise.
fn stream_protocol(bytes: &[u8]) -> Option<Protocol> {
    const CHORD: &[u8] = &throng_wire::chord::STREAM_START;
    /// In the order they are tried: the longer of two that begin alike comes first.
    const STARTS: [(&[u8], Protocol); 11] = [
        (CHORD, Protocol::Chord),
        (b"\x13BitTorrent", Protocol::BitTorrent),
        (b"GET /.hash=", Protocol::Supernode),
        (b"GIVE", Protocol::Supernode),
        (b"GET ", Protocol::Gnutella),
        (b"HEAD ", Protocol::Gnutella),
        (b"GNUTELLA ", Protocol::Gnutella),
        (b"GIV ", Protocol::Gnutella),
        (b"QUEUE ", Protocol::Gnutella),
        (b"\n\n", Protocol::Gnutella),
        // A TLS record with a ClientHello.
        (b"\x16\x03", Protocol::Gnutella),
    ];
    for (start, protocol) in STARTS {
        if bytes.starts_with(start) {
            return Some(protocol);
        }
        if start.starts_with(bytes) {
            return None;
        }
    }
    // A FastTrack session begins with any four bytes.
    Some(Protocol::Supernode)
}

/// Which protocol a datagram is of.
fn datagram_protocol(bytes: &[u8]) -> Protocol {
    /// A FastTrack ping or pong is shorter than the 23 bytes of a Gnutella header.
    const FASTTRACK: usize = 23;
    match bytes {
        _ if bytes.starts_with(&throng_wire::chord::MAGIC.to_be_bytes()) => Protocol::Chord,
        [0x27..=0x29, ..] if bytes.len() < FASTTRACK => Protocol::Supernode,
        _ => Protocol::Gnutella,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::sync::mpsc;
    use tokio::task::LocalSet;

    #[test]
    fn first_bytes_tell_protocols_apart_as_soon_as_they_can() {
        let of = |text: &str| stream_protocol(text.as_bytes());
        let hello = [0, 0, 0, 24, 1, 0xc3, 0x52];
        assert_eq!(stream_protocol(&hello), Some(Protocol::Chord));
        assert!((0..hello.len()).all(|count| stream_protocol(&hello[..count]).is_none()));
        assert_eq!(stream_protocol(&[0, 0, 0, 24, 1, 0xc3, 0]), Some(Protocol::Supernode));
        assert_eq!(of("\x13BitTorrent protocol"), Some(Protocol::BitTorrent));
        assert_eq!(of("GNUTELLA CONNECT/0.6\r\n"), Some(Protocol::Gnutella));
        assert_eq!(of("GET /.hash=00"), Some(Protocol::Supernode));
        assert_eq!(of("GET /uri-res/N2R?"), Some(Protocol::Gnutella));
        assert_eq!(of("GET / HTTP/1.1"), Some(Protocol::Gnutella));
        assert_eq!(of("GIVE 17\r\n"), Some(Protocol::Supernode));
        assert_eq!(of("GIV 1:00"), Some(Protocol::Gnutella));
        assert_eq!(stream_protocol(&[0xfa, 0, 0xb6, 0x2b]), Some(Protocol::Supernode));
        for undecided in ["", "G", "GE", "GET ", "GET /", "GET /.hash", "GI", "GIV", "\x13Bit"] {
            assert_eq!(of(undecided), None, "{undecided:?}");
        }
        assert_eq!(datagram_protocol(&[0xc3, 0x52]), Protocol::Chord);
        assert_eq!(datagram_protocol(b"\x27\0\0\0\xa9\x80KaZaA\0"), Protocol::Supernode);
        assert_eq!(datagram_protocol(&[0x27; 40]), Protocol::Gnutella);
    }

    struct Teller(Protocol, mpsc::UnboundedSender<(Protocol, usize)>);

    impl Guest for Teller {
        fn connection(&self, socket: TcpStream, _: SocketAddr) {
            let mut bytes = [0; 64];
            let count = socket.try_read(&mut bytes).unwrap();
            self.1.send((self.0, count)).unwrap();
        }

        fn datagram(&self, bytes: &[u8], _: SocketAddr) {
            self.1.send((self.0, bytes.len())).unwrap();
        }
    }

    #[test]
    fn each_guest_gets_its_own_whole_from_the_first_byte() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let port = Port::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let (tell, mut told) = mpsc::unbounded_channel();
            for protocol in [Protocol::Chord, Protocol::BitTorrent, Protocol::Gnutella] {
                port.attach(protocol, Rc::new(Teller(protocol, tell.clone())));
            }
            port.serve();
            let at = port.local_addr();
            for (bytes, protocol) in [
                (&b"\x13BitTorrent protocol"[..], Protocol::BitTorrent),
                (b"GNUTELLA CONNECT/0.6\r\n", Protocol::Gnutella),
                (b"GET /.hash=00 HTTP/1.1\r\n", Protocol::Gnutella),
                (&throng_wire::chord::STREAM_START[..], Protocol::Chord),
            ] {
                let mut socket = TcpStream::connect(at).await.unwrap();
                let (start, rest) = bytes.split_at(2);
                socket.write_all(start).await.unwrap();
                socket.write_all(rest).await.unwrap();
                let (by, count) = told.recv().await.unwrap();
                assert_eq!(by, protocol, "{bytes:?}");
                assert!(count >= 2, "nothing was read before");
            }
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            udp.send_to(b"\xc3\x52\x01", at).await.unwrap();
            assert_eq!(told.recv().await.unwrap(), (Protocol::Chord, 3));
            udp.send_to(&[1; 30], at).await.unwrap();
            assert_eq!(told.recv().await.unwrap(), (Protocol::Gnutella, 30));
        });
    }
}
