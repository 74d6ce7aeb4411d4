//! The thread that brings records to the disk: it takes all that waits, commits it as one, and says so.
//!
//! The queue needs no bound of its own: the machine bounds what it has asked for and not yet been answered.

use super::records::{Records, RecordsError};
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{SystemTime, UNIX_EPOCH};
use throng_overlay::chord::{Change, PersistId};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// Jobs committed as one at most.
const MAX_BATCH: usize = 1024;

/// What the thread is asked.
pub(super) enum Job {
    Persist(PersistId, Vec<Change>),
    Contacts(Vec<SocketAddr>),
    /// Answered once all jobs before it are done.
    Flush(oneshot::Sender<()>),
    #[cfg(test)]
    FillUp(bool),
}

/// What came of jobs.
#[derive(Debug)]
pub(super) struct Done {
    /// Those committed, or those not.
    pub(super) ids: Vec<PersistId>,
    pub(super) result: Result<(), RecordsError>,
}

/// The thread's other end; the thread ends with it.
pub(super) struct Writer {
    jobs: Sender<Job>,
}

impl Writer {
    /// Starts the thread, which tells `done` of every commit.
    pub(super) fn start(records: Records, done: UnboundedSender<Done>) -> io::Result<Writer> {
        let (jobs, inbox) = channel();
        std::thread::Builder::new().name("ring-disk".into()).spawn(move || work(records, &inbox, &done))?;
        Ok(Writer { jobs })
    }

    /// Asks for one thing.
    pub(super) fn ask(&self, job: Job) {
        // The thread ends only after this end of the channel.
        let _ = self.jobs.send(job);
    }
}

/// Seconds since 1970; 0 with a clock before that.
pub(super) fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn work(mut records: Records, inbox: &Receiver<Job>, done: &UnboundedSender<Done>) {
    while let Ok(first) = inbox.recv() {
        let (mut ids, mut changes, mut rest) = (Vec::new(), Vec::new(), None);
        for job in std::iter::once(first).chain(inbox.try_iter()) {
            match job {
                Job::Persist(id, of_it) => {
                    ids.push(id);
                    changes.extend(of_it);
                }
                other => rest = Some(other),
            }
            if rest.is_some() || ids.len() >= MAX_BATCH {
                break;
            }
        }
        if !ids.is_empty() {
            let result = records.apply(changes.iter(), wall_clock());
            // Nobody listens any more at the end of the driver: what is committed is committed.
            let _ = done.send(Done { ids, result });
        }
        if let Some(job) = rest {
            other(&mut records, job, done);
        }
    }
}

fn other(records: &mut Records, job: Job, done: &UnboundedSender<Done>) {
    match job {
        Job::Persist(..) => {}
        Job::Contacts(contacts) => {
            let result = records.keep_contacts(&contacts);
            let _ = done.send(Done { ids: Vec::new(), result });
        }
        Job::Flush(reply) => _ = reply.send(()),
        #[cfg(test)]
        Job::FillUp(full) => records.fill_up(full),
    }
}
