//! A deterministic discrete-event simulator that runs the shipping machines.
//!
//! One thread and virtual time (µs) drive up to 16 million hosts. A host is an [`App`]: a
//! [`Machine`](throng_machine::Machine) and the application that answers its events. [`Sim`] gives it a link, a NAT,
//! a disk and peers; [`Scenario`] is a run as data; [`assert_reproducible`] runs one twice and compares the hash of
//! everything delivered.
//!
//! # The model
//! * **Order** is by time, then by the order of scheduling. A host's randomness is seeded by (seed, host), a
//!   datagram's fate by (seed, link, number of the packet at its sender), a stream's by (seed, link, stream, offset).
//! * **Addresses**: host 0 is 10.0.0.1, and so on; the port is the profile's.
//! * **Datagrams** take latency and jitter, wait for limited links (in order, without regard to streams), and may be
//!   lost, doubled, held back, filtered by a NAT, or dropped if larger than the MTU.
//! * **Streams** connect in a round trip and stay in order. An uplink serves its streams in turn, one chunk of at
//!   most 16.5 KiB each; `Flushed` is told when a chunk has left it. Chunks are stored and forwarded by the
//!   receiver's downlink. A stream may have [`Network::window`] bytes under way. There is no congestion control and
//!   no header overhead. `Close` lets everything written arrive; the peer then sees `Finished`.
//! * **File data** has no bytes: `Op::WriteExtent` asks [`App::on_read`] and travels as a count; the receiver's
//!   `Op::Place` becomes [`App::on_place`], marked corrupt if the sender's copy was, or if it was placed at another
//!   offset than it was sent from.
//! * **Partitions** hold streams up; those still split after [`Network::silence`] break.
//!
//! # Example
//! ```
//! use std::time::Duration;
//! use throng_machine::{Context, Datagram, Endpoint, Instant, Machine, StreamId, StreamInput, Via};
//! use throng_sim::{App, HostIo, Network, ProfileId, Sim};
//!
//! /// Answers every datagram that is not an answer.
//! struct Ping;
//!
//! impl Machine for Ping {
//!     type Command = Endpoint;
//!     type Event = Vec<u8>;
//!     fn handle_command(&mut self, to: Endpoint, cx: &mut Context<'_, Vec<u8>>) {
//!         cx.send(Via::Udp, to, |out| out.extend_from_slice(b"ping"));
//!     }
//!     fn handle_datagram(&mut self, datagram: Datagram<'_>, cx: &mut Context<'_, Vec<u8>>) {
//!         cx.emit(datagram.bytes.to_vec());
//!         if datagram.bytes == b"ping" {
//!             cx.send(datagram.via, datagram.from, |out| out.extend_from_slice(b"pong"));
//!         }
//!     }
//!     fn handle_stream(&mut self, _: StreamId, _: StreamInput<'_>, _: &mut Context<'_, Vec<u8>>) {}
//!     fn handle_timeout(&mut self, _: &mut Context<'_, Vec<u8>>) {}
//!     fn poll_timeout(&self) -> Option<Instant> {
//!         None
//!     }
//! }
//!
//! struct Host {
//!     machine: Ping,
//!     heard: Vec<(Instant, Vec<u8>)>,
//! }
//!
//! impl App for Host {
//!     type Machine = Ping;
//!     fn machine(&mut self) -> &mut Ping {
//!         &mut self.machine
//!     }
//!     fn on_event(&mut self, event: Vec<u8>, io: &mut HostIo<'_, Self>) {
//!         self.heard.push((io.now(), event));
//!     }
//! }
//!
//! let mut sim = Sim::new(1, Network::default());
//! let [a, b] = [(); 2].map(|()| sim.add(Host { machine: Ping, heard: Vec::new() }, ProfileId(0)));
//! sim.command(a, sim.endpoint(b));
//! sim.run_for(Duration::from_secs(1));
//! // 20 ms each way.
//! assert_eq!(sim.app(a).heard, [(Instant::from_micros(40_000), b"pong".to_vec())]);
//! assert_eq!(sim.probe().totals.datagrams_delivered, 2);
//! ```

mod app;
mod churn;
mod config;
mod datagram;
mod fault;
mod host;
mod link;
mod nat;
mod payload;
mod pool;
mod probe;
mod queue;
mod run;
mod scenario;
mod sim;
mod stream;
mod trace;
mod world;

pub use app::{App, HostIo, Placed, ReadOutcome};
pub use churn::{Arrivals, Churn, Departure, Lasting};
pub use config::{Disk, Latency, Nat, Network, Profile};
pub use fault::{Hosts, Incident};
pub use host::{HostId, ProfileId};
pub use probe::{Histogram, HostCounters, Probe, Totals};
pub use scenario::{Group, Scenario, assert_reproducible};
pub use sim::Sim;
pub use trace::Trace;
