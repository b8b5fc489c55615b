//! The process-wide workers: threads with a tokio runtime each.
//!
//! Owns: the threads. Environments of all JavaScript threads share one pool,
//! which starts when one of them first needs a worker and is joined with the last.
//! Runs on: any (the pool), worker (the runtimes).

use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

use super::sentinel::Sentinel;

/// Names how many workers there are.
const THREADS_VARIABLE: &str = "FERROWS_IO_THREADS";
const MOST_THREADS: usize = 64;

static SHARED: Mutex<Weak<Pool>> = Mutex::new(Weak::new());

/// All workers.
#[derive(Debug)]
pub struct Pool {
    workers: Vec<Handle>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<[Notify]>,
    sentinel: Sentinel,
}

impl Pool {
    /// The pool of this process, started if need be.
    ///
    /// # Errors
    /// When a thread or its event loop cannot be created.
    pub fn shared() -> io::Result<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = shared.upgrade() {
            return Ok(pool);
        }
        let pool = Arc::new(Self::start(Self::size())?);
        *shared = Arc::downgrade(&pool);
        Ok(pool)
    }

    /// How many workers the pool of this process has: from the environment, else half the cores,
    /// 1 to 4.
    #[must_use]
    pub fn size() -> usize {
        let asked = std::env::var(THREADS_VARIABLE)
            .ok()
            .and_then(|text| text.parse::<usize>().ok());
        match asked {
            Some(count @ 1..) => count.min(MOST_THREADS),
            _ => (super::cpu::available() / 2).clamp(1, 4),
        }
    }

    /// Starts `count` workers of its own, apart from the shared ones.
    ///
    /// # Errors
    /// As for [`Pool::shared`].
    pub fn start(count: usize) -> io::Result<Self> {
        let stop: Arc<[Notify]> = (0..count).map(|_| Notify::new()).collect();
        let mut pool = Self {
            workers: Vec::new(),
            threads: Vec::new(),
            stop: Arc::clone(&stop),
            sentinel: Sentinel::start()?,
        };
        for index in 0..count {
            let runtime = Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .build()?;
            pool.workers.push(runtime.handle().clone());
            let stop = Arc::clone(&stop);
            let thread = thread::Builder::new()
                .name(format!("ferrows-io-{index}"))
                .spawn(move || {
                    runtime.block_on(stop[index].notified());
                    // Nobody waits for a name that is being looked up.
                    runtime.shutdown_background();
                })?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Looks after the JavaScript threads of the process.
    pub(super) fn sentinel(&self) -> &Sentinel {
        &self.sentinel
    }

    /// Runs a task on a worker; those of one index share one.
    pub(crate) fn spawn(&self, index: usize, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(worker) = self.workers.get(index % self.workers.len().max(1)) {
            worker.spawn(task);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for stop in self.stop.iter() {
            stop.notify_one();
        }
        for thread in self.threads.drain(..) {
            // A worker that panicked has nothing left to join.
            let _ = thread.join();
        }
    }
}
