//! From the queue to the machines and back.

use crate::app::{HostIo, Later, Placed, ReadOutcome};
use crate::config::micros;
use crate::link::{Delivery, Run};
use crate::payload::Blank;
use crate::queue::Event;
use crate::trace::Kind;
use crate::world::Task;
use crate::{App, Departure, Incident, Sim};
use throng_machine::{
    Context, Datagram, Endpoint, Extent, Machine, Op, StreamEnd, StreamId, StreamInput, Via,
};

type Cx<'a, A> = Context<'a, <<A as App>::Machine as Machine>::Event>;

impl<A: App> Sim<A> {
    pub(crate) fn dispatch(&mut self, event: Event) {
        match event {
            Event::Timer(host) => self.on_timer(host),
            Event::Sent(host) => {
                if let Some((stream, len)) = self.world.sent(host) {
                    self.input(host, stream, StreamInput::Flushed(len), None);
                    self.finish(host);
                }
            }
            Event::Packet(index) => self.on_packet(index),
            Event::Arrive(index) => self.on_arrival(index),
            Event::Deliver(index) => self.deliver(index),
            Event::Syn(conn) => {
                if let Some((host, stream, from)) = self.world.syn(conn) {
                    self.input(host, stream, StreamInput::Accepted { from, via: Via::Tcp }, None);
                    self.finish(host);
                }
            }
            Event::Opened(end) => {
                if let Some((host, stream)) = self.world.opened(end) {
                    self.input(host, stream, StreamInput::Opened, None);
                    self.finish(host);
                }
            }
            Event::Refused(end) => self.end_stream(end, StreamEnd::Refused),
            Event::Broken(end) => self.end_stream(end, StreamEnd::Broken),
            Event::Finished(end) => self.end_stream(end, StreamEnd::Finished),
            Event::Doom(conn) => {
                if self.world.is_split(conn) {
                    self.world.break_both(conn * 2);
                }
                self.world.release(conn * 2);
            }
            Event::Command(index) => self.on_later(index),
            Event::Task(index) => {
                if let Some(task) = self.world.tasks.remove(index) {
                    self.on_task(task);
                }
            }
            Event::Start(host) => self.start(host),
        }
    }

    /// A host starts, unless it is up.
    pub(crate) fn start(&mut self, host: u32) {
        if self.world.start(host) {
            self.visit(host, |app, io| app.on_start(io));
        }
    }

    fn stop(&mut self, host: u32, departure: Departure) {
        if self.world.stop(host, departure) {
            self.apps[host as usize].on_stop();
        }
    }

    fn on_task(&mut self, task: Task) {
        let is_current = |sim: &Self, host, life| {
            let slot = sim.world.slot(host);
            slot.up && slot.life == life
        };
        let now = self.world.now;
        match task {
            Task::Tick { host, life, tag } if is_current(self, host, life) => {
                self.world.trace.note(now, host, Kind::Tick, tag);
                self.visit(host, |app, io| app.on_tick(tag, io));
            }
            Task::Disk { host, life, tag, bytes, ok } if is_current(self, host, life) => {
                self.world.probe.totals.disk_operations += 1;
                self.world.trace.note(
                    now,
                    host,
                    Kind::Disk,
                    tag ^ bytes.rotate_left(32) ^ u64::from(ok) << 63,
                );
                self.visit(host, |app, io| app.on_disk(tag, ok, io));
            }
            Task::Stop { host, life, departure } if is_current(self, host, life) => {
                self.stop(host, departure);
                if let Some(absence) = self.world.kind(host).profile.absence() {
                    let away = micros(absence.draw(&mut self.world.hosts[host as usize].rng));
                    self.world.after(away, Event::Start(host));
                }
            }
            Task::Incident(incident) => self.on_incident(incident),
            _ => {}
        }
    }

    pub(crate) fn on_incident(&mut self, incident: Incident) {
        match incident {
            Incident::Start(hosts) => self.world.existing(&hosts).for_each(|host| self.start(host)),
            Incident::Stop(hosts, departure) => {
                self.world.existing(&hosts).for_each(|host| self.stop(host, departure));
            }
            Incident::Partition(groups) => self.repartition(&groups),
            Incident::Heal => self.repartition(&[]),
            Incident::Cut(hosts) => self.world.existing(&hosts).for_each(|host| self.world.cut(host)),
            Incident::Change(hosts, profile) => self.world.change(&hosts, profile),
        }
    }

    fn repartition(&mut self, groups: &[crate::Hosts]) {
        for chunk in self.world.partition(groups) {
            self.on_arrival(chunk);
        }
    }

    /// Runs a callback of the application and what follows from it.
    pub(crate) fn visit(&mut self, host: u32, act: impl FnOnce(&mut A, &mut HostIo<'_, A>)) {
        self.ask(host, act);
        self.settle(host, None);
        self.finish(host);
    }

    fn ask<R>(&mut self, host: u32, act: impl FnOnce(&mut A, &mut HostIo<'_, A>) -> R) -> R {
        let Sim { world, apps, commands, later, .. } = self;
        act(&mut apps[host as usize], &mut HostIo { host, world, commands, later })
    }

    fn call(&mut self, host: u32, act: impl FnOnce(&mut A::Machine, &mut Cx<'_, A>)) {
        let now = self.world.instant();
        let slot = &mut self.world.hosts[host as usize];
        let mut cx =
            Context::new(now, &mut slot.rng, &mut slot.next_stream, &mut self.outbox, &mut self.events);
        act(self.apps[host as usize].machine(), &mut cx);
    }

    /// Tells a machine about a stream; `run` is the file data or bytes that a `Place` would refer to.
    fn input(&mut self, host: u32, stream: StreamId, input: StreamInput<'_>, run: Option<Run<'_>>) {
        self.note_input(host, stream, &input, run);
        self.call(host, |machine, cx| machine.handle_stream(stream, input, cx));
        self.settle(host, run);
    }

    fn note_input(&mut self, host: u32, stream: StreamId, input: &StreamInput<'_>, run: Option<Run<'_>>) {
        let corrupt = matches!(run, Some(Run::Blank(Blank { corrupt: true, .. })));
        let (kind, detail) = match input {
            StreamInput::Accepted { from, .. } => (Kind::Accepted, u64::from(from.port())),
            StreamInput::Opened => (Kind::Opened, 0),
            StreamInput::Bytes(bytes) => (Kind::Bytes, bytes.len() as u64),
            StreamInput::Blank(len) => (if corrupt { Kind::Corrupt } else { Kind::Blank }, u64::from(*len)),
            StreamInput::Flushed(len) => (Kind::Flushed, u64::from(*len)),
            StreamInput::Closed(StreamEnd::Finished) => (Kind::Finished, 0),
            StreamInput::Closed(StreamEnd::Broken) => (Kind::Broken, 0),
            StreamInput::Closed(StreamEnd::Refused) => (Kind::Refused, 0),
        };
        self.world.trace.note(self.world.now, host, kind, detail << 32 | u64::from(stream.0));
        if let StreamInput::Bytes(bytes) = input {
            self.world.trace.bytes(bytes);
        }
    }

    /// Does what the machine wants, lets the application answer, and again, until both are quiet.
    pub(crate) fn settle(&mut self, host: u32, run: Option<Run<'_>>) {
        let mut run = run;
        loop {
            if !self.outbox.is_empty() {
                self.drain(host, run.take());
            }
            if !self.events.is_empty() {
                let mut events = std::mem::take(&mut self.events);
                self.ask(host, |app, io| events.drain(..).for_each(|event| app.on_event(event, io)));
                self.events = events;
            }
            let Some(command) = self.commands.pop_front() else { return };
            self.world.probe.totals.commands += 1;
            self.world.trace.note(self.world.now, host, Kind::Command, 0);
            self.call(host, |machine, cx| machine.handle_command(command, cx));
        }
    }

    /// After all inputs of one event: starts the uplink and looks at the deadline.
    pub(crate) fn finish(&mut self, host: u32) {
        self.world.kick(host);
        let Some(deadline) = self.apps[host as usize].machine().poll_timeout() else { return };
        let at = deadline.max(self.world.instant());
        let slot = &mut self.world.hosts[host as usize];
        if slot.timer.is_none_or(|live| at < live) {
            slot.timer = Some(at);
            self.world.queue.push(at.as_micros(), Event::Timer(host));
        }
    }

    fn on_timer(&mut self, host: u32) {
        let now = self.world.instant();
        let slot = &mut self.world.hosts[host as usize];
        if slot.timer != Some(now) {
            return;
        }
        slot.timer = None;
        let is_due = |sim: &mut Self| {
            sim.apps[host as usize].machine().poll_timeout().is_some_and(|deadline| deadline <= now)
        };
        if !is_due(self) {
            return self.finish(host);
        }
        self.world.probe.totals.timers += 1;
        self.world.trace.note(now.as_micros(), host, Kind::Timer, 0);
        self.call(host, A::Machine::handle_timeout);
        self.settle(host, None);
        if is_due(self) {
            // A real driver would spin; here time moves on, and tests can ask for `spins`.
            self.world.probe.totals.spins += 1;
            let at = now + std::time::Duration::from_micros(1);
            self.world.hosts[host as usize].timer = Some(at);
            self.world.queue.push(at.as_micros(), Event::Timer(host));
            return self.world.kick(host);
        }
        self.finish(host);
    }

    fn on_later(&mut self, index: u32) {
        let Some(Later { host, life, command }) = self.later.remove(index) else { return };
        if self.world.slot(host).up && self.world.slot(host).life == life {
            self.commands.push_back(command);
            self.settle(host, None);
            self.finish(host);
        }
    }

    fn on_packet(&mut self, index: u32) {
        if !self.world.packet_arrives(index) {
            return;
        }
        let packet = self.world.packets.remove(index);
        let (host, from, bytes) = (packet.to, packet.source(), packet.message.bytes());
        self.world.probe.totals.datagrams_delivered += 1;
        self.world.probe.received(host, bytes.len() as u64);
        let source = u64::from(packet.from) << 16 | u64::from(from.port());
        self.world.trace.note(self.world.now, host, Kind::Datagram, source);
        self.world.trace.bytes(bytes);
        self.call(host, |machine, cx| {
            machine.handle_datagram(Datagram { via: Via::Udp, from, bytes }, cx);
        });
        self.settle(host, None);
        self.finish(host);
    }

    fn on_arrival(&mut self, chunk: u32) {
        if self.world.arrives(chunk) {
            self.deliver(chunk);
        }
    }

    fn deliver(&mut self, index: u32) {
        let Some(delivery) = self.world.begin_delivery(index) else { return };
        let Delivery { host, stream, .. } = delivery;
        let receiver = delivery.chunk.end ^ 1;
        for run in delivery.runs() {
            let input = match run {
                Run::Bytes(bytes) => StreamInput::Bytes(bytes),
                Run::Blank(blank) => StreamInput::Blank(blank.extent.len),
            };
            self.input(host, stream, input, Some(run));
            if !self.world.end(receiver).attached {
                break;
            }
        }
        if let Some((host, stream)) = self.world.end_delivery(index, delivery) {
            self.input(host, stream, StreamInput::Closed(StreamEnd::Finished), None);
        }
        self.finish(host);
    }

    fn end_stream(&mut self, end: u32, how: StreamEnd) {
        let Some((host, stream)) = self.world.ended(end) else { return };
        match how {
            StreamEnd::Refused => self.world.probe.totals.refusals += 1,
            StreamEnd::Broken => self.world.probe.totals.breaks += 1,
            StreamEnd::Finished => {}
        }
        self.input(host, stream, StreamInput::Closed(how), None);
        self.finish(host);
    }

    /// Does what the outbox says, in order.
    fn drain(&mut self, host: u32, run: Option<Run<'_>>) {
        let mut outbox = std::mem::take(&mut self.outbox);
        for op in outbox.ops() {
            match op {
                Op::Send { via, to, bytes } => {
                    self.world.send_datagram(host, *via, *to, outbox.bytes(*bytes));
                }
                Op::Open { stream, via, to } => self.open(host, *stream, *via, *to),
                Op::Write { stream, bytes } => self.world.write(host, *stream, outbox.bytes(*bytes)),
                Op::WriteBytes { stream, bytes } => self.world.write(host, *stream, bytes),
                Op::WriteExtent { stream, head, extent } => {
                    self.write_extent(host, *stream, outbox.bytes(*head), *extent);
                }
                Op::Place { extent, at } => self.place(host, *extent, *at, run),
                Op::Close { stream } => self.world.close(host, *stream),
            }
        }
        outbox.clear();
        self.outbox = outbox;
    }

    fn open(&mut self, host: u32, stream: StreamId, via: Via, to: Endpoint) {
        self.world.open(host, stream, via, to);
    }

    fn write_extent(&mut self, host: u32, stream: StreamId, head: &[u8], extent: Extent) {
        match self.ask(host, |app, io| app.on_read(extent, io)) {
            ReadOutcome::Failed => self.world.break_stream(host, stream),
            outcome => {
                self.world.write_extent(host, stream, head, (extent, outcome == ReadOutcome::Corrupt));
            }
        }
    }

    fn place(&mut self, host: u32, extent: Extent, at: u32, run: Option<Run<'_>>) {
        let range = at as usize..(at as usize).saturating_add(extent.len as usize);
        let (corrupt, bytes) = match run {
            Some(Run::Bytes(bytes)) => (bytes.get(range.clone()).is_none(), bytes.get(range)),
            Some(Run::Blank(blank)) => {
                let sent = blank.extent;
                let misplaced = sent.offset.saturating_add(u64::from(at)) != extent.offset;
                (blank.corrupt || misplaced || range.end > sent.len as usize, None)
            }
            None => (true, None),
        };
        self.ask(host, |app, io| app.on_place(Placed { extent, corrupt, bytes }, io));
    }
}
