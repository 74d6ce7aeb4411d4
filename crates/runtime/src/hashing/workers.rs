//! A few threads for what would keep the network thread waiting: hashing, writing, reading from a cold disk.
//!
//! Jobs start in the order they came. Dropping the pool lets all jobs end first, so that what was received whole is
//! stored.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    running: usize,
    stop: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
    idle: Condvar,
}

/// A fixed number of threads and a queue; its length is bounded by those who spawn (by the memory their jobs hold).
pub struct Workers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("threads", &self.threads.len())
            .field("pending", &self.pending())
            .finish()
    }
}

impl Workers {
    /// Starts `threads` threads; 0 means one a core.
    pub fn new(threads: usize) -> std::io::Result<Workers> {
        let shared = Arc::new(Shared::default());
        let count = if threads == 0 { cores() } else { threads };
        let mut workers = Workers { shared, threads: Vec::with_capacity(count) };
        for _ in 0..count {
            let shared = workers.shared.clone();
            let thread =
                std::thread::Builder::new().name("throng-disk".into()).spawn(move || shared.work())?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Queues a job.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.shared.lock().jobs.push_back(Box::new(job));
        self.shared.ready.notify_one();
    }

    /// Jobs waiting and running.
    pub fn pending(&self) -> usize {
        let queue = self.shared.lock();
        queue.jobs.len() + queue.running
    }

    /// Waits until all jobs have ended.
    pub fn wait(&self) {
        let mut queue = self.shared.lock();
        while !queue.jobs.is_empty() || queue.running > 0 {
            queue = self.shared.idle.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Processors this process may use, at least one.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                queue.running += 1;
                drop(queue);
                job();
                queue = self.lock();
                queue.running -= 1;
                if queue.jobs.is_empty() && queue.running == 0 {
                    self.idle.notify_all();
                }
            } else if queue.stop {
                return;
            } else {
                queue = self.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.ready.notify_all();
        for thread in self.threads.drain(..) {
            // A job that panicked has ended its thread; there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn all_jobs_end_before_the_pool_does() {
        let done = Arc::new(AtomicU32::new(0));
        let workers = Workers::new(3).unwrap();
        let spawn = |count| {
            for _ in 0..count {
                let done = done.clone();
                workers.spawn(move || _ = done.fetch_add(1, Ordering::SeqCst));
            }
        };
        spawn(50);
        workers.wait();
        assert_eq!((done.load(Ordering::SeqCst), workers.pending()), (50, 0));
        spawn(50);
        drop(workers);
        assert_eq!(done.load(Ordering::SeqCst), 100);
    }
}
