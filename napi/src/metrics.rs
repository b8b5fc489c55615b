//! What an environment counts, as JavaScript sees it.
//!
//! Owns: conversions only. Made by `bridge.rs`, read by `lib/metrics/`. Runs on: js.

use ferrows_core::driver::{TURN_BOUNDS, Turns};
use napi_derive::napi;

/// What the connections of a server have done in one lane.
#[napi(object)]
pub struct Tallied {
    /// By the constants `TALLY_…`.
    pub numbers: Vec<f64>,
    /// Whether there are events to drain.
    pub outcome: u32,
}

/// Bytes that wait for JavaScript.
#[napi(object)]
pub struct Budget {
    /// How many do.
    pub waiting: f64,
    /// How many may.
    pub limit: f64,
}

/// What has become of a reactor so far.
#[napi(object)]
pub struct Activity {
    /// How often who drives has changed.
    pub hand_overs: f64,
    /// Turns on the JavaScript thread.
    pub inline: TurnTimes,
    /// Turns on other threads.
    pub worker: TurnTimes,
}

/// Turns by how long they took. Times are seconds.
#[napi(object)]
pub struct TurnTimes {
    /// How many took at most as long as each of `turnBounds()` and longer than the one before, and how
    /// many longer than all.
    pub classes: Vec<f64>,
    /// The time of all of them.
    pub total: f64,
    /// The time of the longest one.
    pub longest: f64,
}

impl From<Turns> for TurnTimes {
    fn from(turns: Turns) -> Self {
        Self {
            classes: turns.classes.iter().map(|count| *count as f64).collect(),
            total: seconds(turns.total),
            longest: seconds(turns.longest),
        }
    }
}

/// Upper bounds of the classes of turns, in seconds.
#[napi]
pub fn turn_bounds() -> Vec<f64> {
    TURN_BOUNDS.iter().map(|bound| seconds(*bound)).collect()
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}
