//! Atomics, locks and threads of the model checker.
//!
//! Owns: what makes loom fit. Its sequentially consistent accesses are weaker than
//! those of the language, which would fail protocols that are right: one thread
//! stores, then loads; the other one the other way round. So a sequentially
//! consistent load issues the fence that an earlier such store of its thread owes. No
//! other access does: a protocol that relies on a weaker one still fails.
#![allow(
    unreachable_pub,
    reason = "types in the signatures of public functions"
)]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Condvar;
pub use loom::sync::{Mutex, MutexGuard};

/// Runs a model in every order that has at most `preemptions` switches away from a thread that
/// could go on; `None` means all. `LOOM_MAX_PREEMPTIONS` overrides a bound, but does not set one.
pub fn check(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = preemptions.map(|bound| builder.preemption_bound.unwrap_or(bound));
    builder.check(model);
}

/// Runs a future on a thread of a model. loom's own wakes up for nothing now and then, which
/// hides a wake-up that is lost.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let sleeper = Arc::<Sleeper>::default();
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        let mut woken = sleeper.woken.lock().expect("nobody panicked");
        while !std::mem::take(&mut *woken) {
            woken = sleeper.condition.wait(woken).expect("nobody panicked");
        }
    }
}

/// tokio's, where no time passes.
#[allow(clippy::unused_async, reason = "tokio's fails")]
pub async fn timeout<T>(
    _limit: std::time::Duration,
    future: impl Future<Output = T>,
) -> Result<T, std::convert::Infallible> {
    Ok(future.await)
}

#[derive(Debug, Default)]
struct Sleeper {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().expect("nobody panicked") = true;
        self.condition.notify_one();
    }
}

pub mod atomic {
    //! Atomics.
    use std::cell::Cell;

    pub use std::sync::atomic::Ordering;

    use loom::sync::atomic as modelled;

    loom::thread_local! {
        static OWED: Cell<bool> = Cell::new(false);
    }

    /// A fence.
    pub fn fence(ordering: Ordering) {
        modelled::fence(ordering);
    }

    fn before_load(ordering: Ordering) {
        if ordering == Ordering::SeqCst && OWED.with(|owed| owed.replace(false)) {
            modelled::fence(Ordering::SeqCst);
        }
    }

    fn after_store(ordering: Ordering) {
        if ordering == Ordering::SeqCst {
            OWED.with(|owed| owed.set(true));
        }
    }

    macro_rules! atomics {
        ($($name:ident of $value:ty),*) => {$(
            #[derive(Debug, Default)]
            pub struct $name(modelled::$name);

            #[allow(dead_code, reason = "not each is used with each type")]
            impl $name {
                pub fn new(value: $value) -> Self {
                    Self(modelled::$name::new(value))
                }

                pub fn load(&self, ordering: Ordering) -> $value {
                    before_load(ordering);
                    self.0.load(ordering)
                }

                pub fn store(&self, value: $value, ordering: Ordering) {
                    if ordering == Ordering::SeqCst {
                        // A place among all changes, of which others may be swaps.
                        self.0.swap(value, Ordering::Release);
                    } else {
                        self.0.store(value, ordering);
                    }
                    after_store(ordering);
                }

                pub fn swap(&self, value: $value, ordering: Ordering) -> $value {
                    self.change(ordering, |inner| inner.swap(value, ordering))
                }

                fn change<T>(&self, ordering: Ordering, act: impl FnOnce(&modelled::$name) -> T) -> T {
                    before_load(ordering);
                    let before = act(&self.0);
                    after_store(ordering);
                    before
                }
            }
        )*};
    }

    atomics!(AtomicBool of bool, AtomicU8 of u8, AtomicU32 of u32, AtomicU64 of u64, AtomicUsize of usize);

    macro_rules! counters {
        ($($name:ident of $value:ty),*) => {$(
            impl $name {
                pub fn fetch_add(&self, value: $value, ordering: Ordering) -> $value {
                    self.change(ordering, |inner| inner.fetch_add(value, ordering))
                }

                #[allow(dead_code, reason = "not each is used with each type")]
                pub fn fetch_sub(&self, value: $value, ordering: Ordering) -> $value {
                    self.change(ordering, |inner| inner.fetch_sub(value, ordering))
                }
            }
        )*};
    }

    counters!(AtomicU64 of u64, AtomicUsize of usize);
}

pub mod parking_lot {
    //! Locks that are not poisoned.
    use std::sync::PoisonError;

    pub use loom::sync::MutexGuard;

    #[derive(Debug, Default)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        pub fn is_locked(&self) -> bool {
            self.try_lock().is_none()
        }
    }
}

pub mod thread {
    //! Threads.
    use std::time::Duration;

    pub use loom::thread::{Builder, JoinHandle, Thread, park};

    /// Any time may pass: others run first.
    pub fn park_timeout(_limit: Duration) {
        loom::thread::yield_now();
    }

    /// As [`park_timeout`].
    pub fn sleep(_time: Duration) {
        loom::thread::yield_now();
    }
}

/// tokio's, for one who waits: a call that nobody waits for is kept.
#[derive(Debug, Default)]
pub struct Notify(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    called: bool,
    waiting: Option<Waker>,
}

impl Notify {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn notify_one(&self) {
        let waiting = {
            let mut calls = self.0.lock().expect("nobody panicked");
            calls.called = true;
            calls.waiting.take()
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    pub async fn notified(&self) {
        std::future::poll_fn(|context| {
            let mut calls = self.0.lock().expect("nobody panicked");
            if std::mem::take(&mut calls.called) {
                return Poll::Ready(());
            }
            calls.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
