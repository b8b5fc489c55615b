//! The bridge between a JavaScript thread and its reactors: records in batches,
//! never one call per message.
//!
//! One [`Environment`] stands for one instance of the JavaScript facade. It has
//! one [`Lane`] to each reactor; a lane is a command slab and an [`Outbox`] (towards
//! the reactor), an [`Inbox`] (events towards JavaScript) and a few shared status
//! words. The bridge knows neither tokio nor Node-API: JavaScript is told through a
//! [`Ring`].

mod block;
mod budget;
mod doorbell;
mod inbox;
mod landing;
mod lane;
pub mod layout;
#[cfg(all(test, models))]
mod models;
mod outbox;
mod record;
mod settings;
mod slab;
mod slot;
mod table;

pub use block::{Block, BlockPool};
pub use budget::Budget;
pub use doorbell::{Doorbell, Ring};
pub use inbox::{Batch, Drained, Inbox};
pub use landing::Landing;
pub use lane::{Environment, Lane, Piece};
pub use outbox::{Command, Commands, Outbox};
pub use record::{Records, words_of};
pub use settings::{BackpressureOptions, HeartbeatOptions, InboundLimitOptions, Policy, Settings};
pub use slab::SharedSlab;
pub use slot::{Addresses, SlotId};
pub use table::{Chunk, WrittenTable, publish};
