//! Threads for what is slow: hashing passwords, writing the store.
//!
//! All jobs of a nick go to one thread, so that a login right after a registration finds the password. Writes between
//! two passwords are one transaction.

use super::passwords;
use super::run::Ask;
use super::store::{Store, Write};
use crate::entropy::SystemEntropy;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use throng_machine::Entropy as _;
use throng_overlay::directory::server::{Account, CheckId, Command};
use tokio::sync::mpsc::UnboundedSender;

/// Passwords waiting to be hashed; registrations beyond are taken back, as each costs 20 ms. Checks are bounded by the
/// machine.
const MAX_WAITING: usize = 1_024;
/// Writes of one transaction.
const BATCH: usize = 1_024;

/// What is to be done apart.
pub(super) enum Job {
    Check(CheckId, Vec<u8>, Vec<u8>),
    Create(Account, Vec<u8>),
    Change(Vec<u8>, Vec<u8>),
    Write(Write),
}

impl Job {
    fn nick(&self) -> &[u8] {
        match self {
            Job::Check(_, nick, _) | Job::Change(nick, _) => nick,
            Job::Create(account, _) => &account.nick,
            Job::Write(
                Write::Account(Account { nick, .. }, _)
                | Write::Password(nick, _)
                | Write::Email(nick, _)
                | Write::Seen(nick, _),
            ) => nick,
        }
    }

    fn is_slow(&self) -> bool {
        !matches!(self, Job::Write(_))
    }
}

/// The threads; dropping them waits until all jobs are done.
pub(super) struct Workers {
    doors: Vec<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    waiting: Arc<AtomicUsize>,
    store: Arc<Mutex<Store>>,
}

impl Workers {
    pub(super) fn start(store: Store, count: usize, asks: &UnboundedSender<Ask>) -> io::Result<Workers> {
        let (store, waiting) = (Arc::new(Mutex::new(store)), Arc::default());
        let mut workers = Workers { doors: Vec::new(), threads: Vec::new(), waiting, store };
        for number in 0..count.max(1) {
            let (door, jobs) = channel();
            let worker = Worker {
                store: Arc::clone(&workers.store),
                waiting: Arc::clone(&workers.waiting),
                asks: asks.clone(),
                entropy: SystemEntropy::from_system()?,
                writes: Vec::new(),
            };
            let thread = std::thread::Builder::new().name(format!("passwords-{number}"));
            workers.threads.push(thread.spawn(move || worker.run(&jobs))?);
            workers.doors.push(door);
        }
        Ok(workers)
    }

    /// Hands a job over; a registration or change of password that finds too many waiting comes back.
    pub(super) fn hand(&self, job: Job) -> Result<(), Job> {
        if job.is_slow() {
            if !matches!(job, Job::Check(..)) && self.waiting.load(Ordering::Relaxed) >= MAX_WAITING {
                return Err(job);
            }
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
        let sum = job
            .nick()
            .iter()
            .fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.to_ascii_lowercase().into()));
        self.doors[sum % self.doors.len()].send(job).map_err(|error| error.0)
    }

    /// The store, for short looks.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.doors.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that writes accounts panicked");
            }
        }
    }
}

struct Worker {
    store: Arc<Mutex<Store>>,
    waiting: Arc<AtomicUsize>,
    asks: UnboundedSender<Ask>,
    entropy: SystemEntropy,
    writes: Vec<Write>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            self.work(job);
            while self.writes.len() < BATCH
                && let Ok(job) = jobs.try_recv()
            {
                self.work(job);
            }
            self.flush();
        }
    }

    fn work(&mut self, job: Job) {
        let slow = job.is_slow();
        match job {
            Job::Check(check, nick, password) => {
                self.flush();
                let kept = lock(&self.store).password(&nick);
                let kept = kept.map_err(|error| self.say(Ask::StoreFailed(error.to_string()))).ok().flatten();
                let right = kept.is_some_and(|kept| passwords::is_right(&password, &kept));
                self.say(Ask::Command(Command::PasswordChecked { check, right }));
            }
            Job::Create(account, password) => {
                if let Some(hash) = self.hash(&password) {
                    self.writes.push(Write::Account(account, hash));
                }
            }
            Job::Change(nick, password) => {
                if let Some(hash) = self.hash(&password) {
                    self.writes.push(Write::Password(nick, hash));
                }
            }
            Job::Write(write) => self.writes.push(write),
        }
        if slow {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn hash(&mut self, password: &[u8]) -> Option<Vec<u8>> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        passwords::hash(password, salt)
    }

    fn flush(&mut self) {
        if self.writes.is_empty() {
            return;
        }
        let written = lock(&self.store).write(&self.writes);
        self.writes.clear();
        if let Err(error) = written {
            self.say(Ask::StoreFailed(error.to_string()));
        }
    }

    fn say(&self, ask: Ask) {
        // The directory has stopped: nobody waits for it.
        let _ = self.asks.send(ask);
    }
}

/// A panic elsewhere leaves no half-done change: SQLite rolls it back.
fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}
