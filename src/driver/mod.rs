//! Who turns the reactors: the JavaScript thread or a worker, whichever has CPU
//! to spare.
//!
//! ```text
//!             stuck in one turn · busy while a core is free · much to compress
//!           ┌──────────────────────────────────────────────────────────────────┐
//!           │                                                                  ▼
//!      ┌────┴─────┐                                                       ┌──────────┐
//!      │  Inline  │  the JavaScript thread's loop                         │  Worker  │
//!      │          │  watches the descriptor                               │          │
//!      └──────────┘                                                       └────┬─────┘
//!           ▲                                                                  │
//!           └──────────────────────────────────────────────────────────────────┘
//!                        idle enough · measured to be faster inline
//! ```
//!
//! Every reactor sits in a [`Seat`] behind a lock, and whoever holds the lock may
//! turn it: a change of driver changes who watches for news, never who may touch
//! what, so that it can neither lose nor double anything. A [`Fleet`] is the seats
//! of one environment, the [`Helm`] decides for all of them, by [`policy`], on what
//! a sentinel measures. tokio runs the workers ([`Pool`]).

mod cpu;
mod fleet;
mod helm;
mod hub;
#[cfg(all(test, models))]
pub(crate) mod models;
pub mod policy;
mod pool;
mod recording;
mod seat;
mod sentinel;
mod turns;
#[cfg_attr(all(test, models), path = "models/watched.rs")]
mod watched;
mod worker;

pub use fleet::Fleet;
pub use helm::{Helm, Setting};
pub use hub::{Carried, Carrier, Joined, LocalTopic, Mark, Membership, Message};
pub use policy::Driver;
pub use pool::Pool;
pub use recording::Note;
pub use seat::{Incoming, Seat, Vacated};
pub use turns::{Activity, TURN_BOUNDS, Turns};
