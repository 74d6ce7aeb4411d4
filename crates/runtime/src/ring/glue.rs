//! The application's side of the ring's driver: answers to those who asked, changes to the disk, news to the program.

use super::handle::{Got, Kept};
use super::records::RecordsError;
use super::writer::{Done, Job, Writer};
use crate::net::{Application, Read};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use throng_machine::{Extent, Machine};
use throng_overlay::chord::{Command, Event, Failure, Put, Want};
use throng_overlay::discovery::{self, Ticket};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// What the program is told of the ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// It has lost everyone it knew and looks for the ring again.
    Isolated,
    /// Joined, left, or news of a publication or search.
    Discovery(discovery::Event),
    /// The disk refuses records (one line for people), or takes them again (`None`).
    Disk(Option<String>),
}

/// What was asked of the ring here and what came of it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Values stored.
    pub puts: u64,
    /// Reads answered, also those that found nothing.
    pub gets: u64,
    /// Puts and gets that came to nothing.
    pub failures: u64,
    /// Groups of changes brought to the disk.
    pub persisted: u64,
    /// Groups of changes that the disk refused.
    pub not_persisted: u64,
}

/// Tickets of puts and gets have this bit, those of publications and searches do not.
const OWN_TICKET: u32 = 1 << 31;

enum Answer {
    Kept(Kept),
    Got(Got),
    Failed(Failure),
}

enum Waiting {
    Put(oneshot::Sender<Result<Kept, Failure>>),
    Get(oneshot::Sender<Result<Got, Failure>>),
}

/// Between the machine and the program.
pub(super) struct Glue<M> {
    pub(super) writer: Writer,
    told: UnboundedSender<Told>,
    waiting: BTreeMap<Ticket, Waiting>,
    next: u32,
    pub(super) counts: Counts,
    /// What the disk last said, until it works again.
    pub(super) trouble: Option<String>,
    machine: PhantomData<M>,
}

impl<M> Glue<M> {
    pub(super) fn new(writer: Writer, told: UnboundedSender<Told>) -> Glue<M> {
        let (waiting, counts) = (BTreeMap::new(), Counts::default());
        Glue { writer, told, waiting, next: 0, counts, trouble: None, machine: PhantomData }
    }

    fn wait(&mut self, waiting: Waiting) -> Ticket {
        let ticket = Ticket(OWN_TICKET | self.next);
        self.next = self.next.wrapping_add(1) % OWN_TICKET;
        // An older one of this number is two billion operations old: its sender goes, and so it ends.
        self.waiting.insert(ticket, waiting);
        ticket
    }

    /// Stores; the answer comes when the ring has it.
    pub(super) fn put(
        &mut self,
        put: Put,
        commands: &mut Vec<Command>,
    ) -> oneshot::Receiver<Result<Kept, Failure>> {
        let (reply, answer) = oneshot::channel();
        commands.push(Command::Put(self.wait(Waiting::Put(reply)), put));
        answer
    }

    /// Reads.
    pub(super) fn get(
        &mut self,
        want: Want,
        commands: &mut Vec<Command>,
    ) -> oneshot::Receiver<Result<Got, Failure>> {
        let (reply, answer) = oneshot::channel();
        commands.push(Command::Get(self.wait(Waiting::Get(reply)), want));
        answer
    }

    /// The disk thread has finished something.
    pub(super) fn on_done(&mut self, done: Done, commands: &mut Vec<Command>) {
        let trouble = done.result.as_ref().err().map(RecordsError::to_string);
        let stored = trouble.is_none();
        let counted = if stored { &mut self.counts.persisted } else { &mut self.counts.not_persisted };
        *counted += done.ids.len() as u64;
        if trouble != self.trouble {
            self.trouble = trouble;
            self.tell(Told::Disk(self.trouble.clone()));
        }
        commands.extend(done.ids.into_iter().map(|id| Command::Persisted(id, stored)));
    }

    fn tell(&self, told: Told) {
        // Nobody listens any more at the end of the program.
        let _ = self.told.send(told);
    }

    /// Those who asked may have gone.
    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        match (self.waiting.remove(&ticket), answer) {
            (Some(Waiting::Put(reply)), Answer::Kept(kept)) => {
                self.counts.puts += 1;
                let _ = reply.send(Ok(kept));
            }
            (Some(Waiting::Get(reply)), Answer::Got(got)) => {
                self.counts.gets += 1;
                let _ = reply.send(Ok(got));
            }
            (Some(waiting), Answer::Failed(failure)) => {
                self.counts.failures += 1;
                match waiting {
                    Waiting::Put(reply) => _ = reply.send(Err(failure)),
                    Waiting::Get(reply) => _ = reply.send(Err(failure)),
                }
            }
            _ => {}
        }
    }
}

impl<M> Application for Glue<M>
where
    M: Machine<Command = Command, Event = Event> + 'static,
{
    type Machine = M;

    fn on_event(&mut self, event: Event, _: &mut Vec<Command>) {
        match event {
            Event::Joined => self.tell(Told::Discovery(discovery::Event::Joined)),
            Event::Left => self.tell(Told::Discovery(discovery::Event::Left)),
            Event::Isolated => self.tell(Told::Isolated),
            Event::Discovery(event) => self.tell(Told::Discovery(event)),
            Event::Stored { ticket, copies, of, seq, hash } => {
                self.answer(ticket, Answer::Kept(Kept { copies, of, seq, hash }));
            }
            Event::Failed { ticket, failure } => self.answer(ticket, Answer::Failed(failure)),
            Event::Got { ticket, values, hops } => self.answer(ticket, Answer::Got(Got { values, hops })),
            // Measuring is the simulator's.
            Event::Measured { .. } => {}
            Event::Persist(id, changes) => self.writer.ask(Job::Persist(id, changes)),
        }
    }

    fn place(&mut self, _: Extent, _: &[u8]) {
        debug_assert!(false, "the ring has no file data");
    }

    fn read_now(&mut self, _: Extent, _: &mut [u8]) -> Read {
        Read::Failed
    }

    fn read_later(&mut self, _: Extent) -> oneshot::Receiver<Option<Bytes>> {
        oneshot::channel().1
    }
}
