//! The handle on a running driver, its timer, and what connections ask of it.

use super::connection::Connection;
use super::core::{Core, Slot, State, Traffic};
use super::port::{Guest, Port, Protocol};
use super::socket::{self, Source};
use super::{Application, accept};
use crate::clock::Clock;
use crate::entropy::SystemEntropy;
use bytes::Bytes;
use std::cell::{Cell, RefCell, RefMut};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;
use throng_machine::{
    Context, Datagram, Endpoint, Extent, Instant, Machine, StreamEnd, StreamId, StreamInput, Via,
};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Notify;
use tokio::task::spawn_local;

/// Choices for a driver.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// Where to listen; port 0 lets the system choose; `None` only connects.
    pub listen: Option<SocketAddr>,
    /// Whether to take datagrams on the same port; off.
    pub datagrams: bool,
    /// Where outgoing connections leave from; the system's choice.
    pub source: Source,
    /// A connection not made by then is refused; 10 s, two retransmissions of a SYN and some.
    pub connect_timeout: Duration,
    /// Streams in all; accepting pauses there. 900, within the usual 1,024 open files.
    pub max_streams: usize,
}

impl Default for NetConfig {
    fn default() -> NetConfig {
        NetConfig {
            listen: None,
            datagrams: false,
            source: Source::default(),
            connect_timeout: Duration::from_secs(10),
            max_streams: 900,
        }
    }
}

/// Listening sockets, bound before the machine is made so that it can be told its port.
#[derive(Default)]
pub struct Sockets {
    tcp: Option<TcpListener>,
    udp: Option<UdpSocket>,
    shared: Option<(Port, Protocol)>,
}

impl Sockets {
    /// Binds what the configuration asks for; within a tokio runtime.
    pub fn bind(config: &NetConfig) -> io::Result<Sockets> {
        let Some(at) = config.listen else { return Ok(Sockets::default()) };
        let tcp = socket::listen(at)?;
        let at = SocketAddr::new(at.ip(), tcp.local_addr()?.port());
        let udp = config.datagrams.then(|| socket::datagrams(at)).transpose()?;
        Ok(Sockets { tcp: Some(tcp), udp, shared: None })
    }

    /// What of a shared port is of one protocol.
    pub fn shared(port: &Port, protocol: Protocol) -> Sockets {
        Sockets { tcp: None, udp: None, shared: Some((port.clone(), protocol)) }
    }

    /// Where we listen.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match (&self.tcp, &self.shared) {
            (Some(tcp), _) => tcp.local_addr().ok(),
            (None, Some((port, _))) => Some(port.local_addr()),
            (None, None) => None,
        }
    }
}

/// A running driver; clones are handles on the same one.
pub struct Driver<A: Application>(Rc<Shared<A>>);

struct Shared<A: Application> {
    core: RefCell<Core<A>>,
    clock: Clock,
    config: NetConfig,
    /// What the timer waits for.
    armed: Cell<Option<Instant>>,
    rearm: Notify,
    stream_gone: Notify,
    /// Told when no more connections are wanted.
    stop_listening: Notify,
}

impl<A: Application> Clone for Driver<A> {
    fn clone(&self) -> Self {
        Driver(Rc::clone(&self.0))
    }
}

impl<A: Application> Driver<A> {
    /// Starts the driver's tasks on the current `LocalSet`; they live as long as that.
    pub fn start(machine: A::Machine, app: A, sockets: Sockets, config: NetConfig) -> io::Result<Driver<A>> {
        let clock = Clock::start();
        let mut core = Core::new(machine, app, SystemEntropy::from_system()?, clock);
        let udp = sockets.udp.map(Rc::new);
        let shared = sockets.shared.as_ref().map(|(port, _)| port.udp());
        core.udp = udp.clone().or(shared.clone());
        let driver = Driver(Rc::new(Shared {
            core: RefCell::new(core),
            clock,
            config,
            armed: Cell::new(None),
            rearm: Notify::new(),
            stream_gone: Notify::new(),
            stop_listening: Notify::new(),
        }));
        spawn_local(driver.clone().keep_time());
        if let Some(tcp) = sockets.tcp {
            let listening = driver.clone();
            spawn_local(async move {
                tokio::select! {
                    () = accept::streams(listening.clone(), tcp) => {}
                    () = listening.0.stop_listening.notified() => {}
                }
            });
        }
        if let Some(udp) = udp {
            spawn_local(accept::datagrams(driver.clone(), udp));
        }
        if let Some(udp) = shared {
            spawn_local(accept::send_datagrams(driver.clone(), udp));
        }
        if let Some((port, protocol)) = sockets.shared {
            port.attach(protocol, Rc::new(driver.clone()));
        }
        Ok(driver)
    }

    /// Gives the machine a command.
    pub fn command(&self, command: <A::Machine as Machine>::Command) {
        let mut core = self.core();
        core.turn(None, &[], |machine, cx| machine.handle_command(command, cx));
        self.after_turn(core);
    }

    /// Lets the application act; commands it pushes are handled before this returns. Not from within a turn.
    pub fn with_app<R>(
        &self,
        act: impl FnOnce(&mut A, &mut Vec<<A::Machine as Machine>::Command>) -> R,
    ) -> R {
        let mut core = self.core();
        let result = core.with_app(act);
        self.after_turn(core);
        result
    }

    /// Gives the machine bytes that came another way than by a stream; what it places is taken from them.
    pub fn feed(
        &self,
        bytes: &[u8],
        act: impl FnOnce(&mut A::Machine, &mut Context<'_, <A::Machine as Machine>::Event>),
    ) {
        let mut core = self.core();
        core.turn(None, bytes, act);
        self.after_turn(core);
    }

    /// Looks at the machine and the application.
    pub fn look<R>(&self, look: impl FnOnce(&A::Machine, &A) -> R) -> R {
        let core = self.core();
        look(&core.machine, &core.app)
    }

    /// Closes the listening socket once its task runs, so that the next server can have the port; streams go on.
    pub fn stop_listening(&self) {
        self.0.stop_listening.notify_one();
    }

    /// Streams open or opening.
    pub fn streams(&self) -> usize {
        self.core().streams.len()
    }

    /// What the sockets have carried.
    pub fn traffic(&self) -> Traffic {
        self.core().traffic
    }

    /// The driver's clock.
    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    pub(super) fn core(&self) -> RefMut<'_, Core<A>> {
        self.0.core.borrow_mut()
    }

    /// Starts what the turn opened and keeps the timer right.
    pub(super) fn after_turn(&self, mut core: RefMut<'_, Core<A>>) {
        for (stream, via, to) in core.opens.drain(..) {
            spawn_local(self.clone().connect(stream, via, to));
        }
        let next = core.deadline();
        let sooner = next.is_some_and(|next| self.0.armed.get().is_none_or(|armed| next < armed));
        if sooner {
            self.0.armed.set(next);
            self.0.rearm.notify_one();
        }
    }

    /// Whether there is room for one more stream.
    pub(super) fn has_room(&self) -> bool {
        self.core().streams.len() < self.0.config.max_streams
    }

    /// Waits until a stream has gone.
    pub(super) async fn stream_gone(&self) {
        self.0.stream_gone.notified().await;
    }

    /// Takes over a connection that came to us.
    pub(super) fn accepted(&self, socket: TcpStream, from: SocketAddr) {
        let from = Endpoint::from(from);
        let mut core = self.core();
        let stream = core.accept();
        spawn_local(Connection::new(self.clone(), stream, socket).run());
        core.turn(Some(stream), &[], |machine, cx| {
            machine.handle_stream(stream, StreamInput::Accepted { from, via: Via::Tcp }, cx);
        });
        self.after_turn(core);
    }

    /// A datagram that was received elsewhere.
    fn received(&self, bytes: &[u8], from: SocketAddr) {
        let mut core = self.core();
        core.traffic.datagrams_in += 1;
        core.traffic.bytes_in += bytes.len() as u64;
        let datagram = Datagram { via: Via::Udp, from: Endpoint::from(from), bytes };
        core.turn(None, bytes, |machine, cx| machine.handle_datagram(datagram, cx));
        self.after_turn(core);
    }

    async fn connect(self, stream: StreamId, via: Via, to: SocketAddr) {
        let result = tokio::select! {
            biased;
            () = self.closed(stream) => return self.forget(stream),
            result = self.dial(via, to) => result,
        };
        match result {
            Ok(socket) => {
                self.input(stream, StreamInput::Opened);
                Connection::new(self, stream, socket).run().await;
            }
            Err(_) => self.ended(stream, StreamEnd::Refused),
        }
    }

    async fn dial(&self, via: Via, to: SocketAddr) -> io::Result<TcpStream> {
        if via != Via::Tcp {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let connecting = socket::outgoing(to, &self.0.config.source)?.connect(to);
        let socket = tokio::time::timeout(self.0.config.connect_timeout, connecting).await??;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    /// Waits until the machine has closed the stream.
    async fn closed(&self, stream: StreamId) {
        poll_fn(|cx| match self.watch(stream, cx.waker()) {
            Some(State::Open) => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// The stream's state; its task is woken when it changes or output comes. `None` once it is gone.
    pub(super) fn watch(&self, stream: StreamId, waker: &Waker) -> Option<State> {
        let mut core = self.core();
        let slot = core.streams.get_mut(&stream)?;
        slot.set_waker(waker);
        Some(if slot.closing { State::Closing } else { State::Open })
    }

    /// Whether nothing waits to leave.
    pub(super) fn is_empty(&self, stream: StreamId) -> bool {
        self.core().streams.get(&stream).is_none_or(|slot| slot.out.is_empty())
    }

    /// Data that was read elsewhere.
    pub(super) fn fill_in(&self, stream: StreamId, extent: Extent, bytes: &Bytes) {
        if let Some(slot) = self.core().streams.get_mut(&stream) {
            slot.out.fill_in(extent, bytes);
        }
    }

    /// Tells the machine that bytes have left, unless it closed the stream.
    pub(super) fn flushed(&self, stream: StreamId, count: u32) {
        self.input(stream, StreamInput::Flushed(count));
    }

    fn input(&self, stream: StreamId, input: StreamInput<'_>) {
        let mut core = self.core();
        if core.streams.get(&stream).is_some_and(|slot| !slot.closing) {
            core.turn(Some(stream), &[], |machine, cx| machine.handle_stream(stream, input, cx));
            self.after_turn(core);
        }
    }

    /// The stream ended on its own: the machine is told, unless it closed it meanwhile.
    pub(super) fn ended(&self, stream: StreamId, end: StreamEnd) {
        let mut core = self.core();
        let removed = core.streams.remove(&stream);
        self.0.stream_gone.notify_one();
        if removed.is_some_and(|Slot { closing, .. }| !closing) {
            core.turn(None, &[], |machine, cx| machine.handle_stream(stream, StreamInput::Closed(end), cx));
            self.after_turn(core);
        }
    }

    /// The stream is gone and the machine knows.
    pub(super) fn forget(&self, stream: StreamId) {
        self.core().streams.remove(&stream);
        self.0.stream_gone.notify_one();
    }

    /// Calls the machine at its deadlines.
    async fn keep_time(self) {
        loop {
            let next = self.core().deadline();
            self.0.armed.set(next);
            let Some(next) = next else {
                self.0.rearm.notified().await;
                continue;
            };
            let wait = self.0.clock.until(next);
            if !wait.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.0.rearm.notified() => continue,
                }
            }
            self.deadline_passed();
            tokio::task::yield_now().await;
        }
    }

    fn deadline_passed(&self) {
        let mut core = self.core();
        core.turn(None, &[], |machine, cx| machine.handle_timeout(cx));
        self.after_turn(core);
    }
}

impl<A: Application> Guest for Driver<A> {
    fn connection(&self, socket: TcpStream, from: SocketAddr) {
        if self.has_room() {
            self.accepted(socket, from);
        }
    }

    fn datagram(&self, bytes: &[u8], from: SocketAddr) {
        self.received(bytes, from);
    }
}
