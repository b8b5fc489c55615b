//! What threads share: atomics, locks, waiting.
//!
//! Owns: the choice between the real ones and those of the model checker, which
//! tries every order in which threads may run and every value that a load may see
//! (`cfg(models)`, CONTRIBUTING.md). All that synchronises in `bridge`, `driver`, the
//! backbone's queues and the reactors' memory network is named through here. Runs on: any.

#[cfg(all(test, models))]
mod modelled;
#[cfg(all(test, models))]
pub(crate) use modelled::*;

#[cfg(not(all(test, models)))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

#[cfg(all(unix, feature = "driver", not(all(test, models))))]
pub(crate) use self::driver::*;

#[cfg(all(unix, feature = "driver", not(all(test, models))))]
mod driver {
    pub(crate) use std::thread;
    pub(crate) use tokio::sync::Notify;
    #[cfg(feature = "backbone")]
    pub(crate) use tokio::time::timeout;

    pub(crate) mod parking_lot {
        pub(crate) use ::parking_lot::Mutex;
    }
}
