//! The process-wide workers.
//!
//! Owns: the threads. Environments of all JavaScript threads share one pool,
//! which starts with the first of them and is joined with the last.
//! Runs on: any (the pool), worker (the loop).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::{Builder, LocalOptions};
use tokio::time::{Instant, sleep};

use super::core::Core;
use super::records::{self, Control};
use crate::bridge::{Command, Outbox, Registry, WrittenTable};

/// Names how many workers there are.
const THREADS_VARIABLE: &str = "FERROWS_IO_THREADS";
const MOST_THREADS: usize = 64;
/// Tasks that run before the event loop is asked for news.
const EVENT_INTERVAL: u32 = 256;
/// How long unsubmitted records may wait for a handler that blocks.
const WATCH_INTERVAL: Duration = Duration::from_millis(1);

static SHARED: Mutex<Weak<Pool>> = Mutex::new(Weak::new());

thread_local! {
    static CORE: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

/// What other threads see of a worker.
#[derive(Debug, Default)]
pub struct Worker {
    /// Commands towards it.
    pub outbox: Outbox<Control>,
    /// Its slots.
    pub registry: Registry,
    /// What its connections have written.
    pub table: WrittenTable,
}

/// All workers.
#[derive(Debug)]
pub struct Pool {
    workers: Vec<Arc<Worker>>,
    threads: Vec<JoinHandle<()>>,
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
        let pool = Arc::new(Self::start(thread_count())?);
        *shared = Arc::downgrade(&pool);
        Ok(pool)
    }

    /// Starts `count` workers of its own, apart from the shared ones.
    ///
    /// # Errors
    /// As for [`Pool::shared`].
    pub fn start(count: usize) -> io::Result<Self> {
        let workers: Vec<Arc<Worker>> = (0..count).map(|_| Arc::default()).collect();
        let mut pool = Self {
            workers: workers.clone(),
            threads: Vec::new(),
        };
        for (index, worker) in workers.iter().enumerate() {
            let (worker, peers) = (Arc::clone(worker), workers.clone());
            let (report, started) = std::sync::mpsc::channel();
            let thread = thread::Builder::new()
                .name(format!("ferrows-io-{index}"))
                .spawn(move || run(&worker, peers, &report))?;
            pool.threads.push(thread);
            match started.recv() {
                Ok(outcome) => outcome?,
                Err(_) => return Err(io::Error::other("an I/O worker ended as it started")),
            }
        }
        Ok(pool)
    }

    /// The workers.
    #[must_use]
    pub fn workers(&self) -> &[Arc<Worker>] {
        &self.workers
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.outbox.push(Command::Control(Control::Stop));
        }
        for thread in self.threads.drain(..) {
            // A worker that panicked has nothing left to join.
            let _ = thread.join();
        }
    }
}

/// From the environment, else half the cores, 1 to 4.
fn thread_count() -> usize {
    let asked = std::env::var(THREADS_VARIABLE)
        .ok()
        .and_then(|text| text.parse::<usize>().ok());
    match asked {
        Some(count @ 1..) => count.min(MOST_THREADS),
        _ => (thread::available_parallelism().map_or(1, usize::from) / 2).clamp(1, 4),
    }
}

fn run(
    worker: &Arc<Worker>,
    peers: Vec<Arc<Worker>>,
    report: &std::sync::mpsc::Sender<io::Result<()>>,
) {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .event_interval(EVENT_INTERVAL)
        .on_thread_park(|| with_core(|core| core.before_park()))
        .on_thread_unpark(|| with_core(|core| core.after_unpark()))
        .build_local(LocalOptions::default());
    let (runtime, outcome) = match runtime {
        Ok(runtime) => (Some(runtime), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let told = report.send(outcome).is_ok();
    let (Some(runtime), true) = (runtime, told) else {
        return;
    };
    let core = Core::new(Arc::clone(worker), peers);
    CORE.set(Some(Rc::clone(&core)));
    let commands = runtime.spawn_local(command_task(core));
    // An error here means that the command task panicked; the thread has to end either way.
    let _ = runtime.block_on(commands);
    CORE.set(None);
}

fn with_core(act: impl FnOnce(&Core)) {
    CORE.with_borrow(|core| {
        if let Some(core) = core {
            act(core);
        }
    });
}

/// Runs commands, and looks after records whose JavaScript thread is busy elsewhere.
async fn command_task(core: Rc<Core>) {
    let mut timer = pin!(sleep(Duration::ZERO));
    poll_fn(|cx| {
        core.worker.outbox.set_waker(cx.waker());
        if !records::run(&core) {
            return Poll::Ready(());
        }
        if core.watch.take() && !core.watching.replace(true) {
            timer.as_mut().reset(Instant::now() + WATCH_INTERVAL);
        }
        if core.watching.get() && timer.poll_unpin(cx).is_ready() {
            core.watching.set(false);
            let lanes = core.lanes.borrow().clone();
            for state in &lanes {
                state.lane.steal(&core.worker.outbox);
            }
            if !records::run(&core) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    })
    .await;
}
