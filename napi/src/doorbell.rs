//! The doorbell of an environment: a threadsafe function without arguments.
//!
//! Runs on: any (`ring`), js (the rest).

use ferrows_core::bridge::Ring;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Result, Status};

/// Keeps the event loop alive.
type Strong = ThreadsafeFunction<(), (), (), Status, false, false, 0>;
/// Lets the event loop end.
type Weak = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

struct Bell<F>(F);

impl Ring for Bell<Strong> {
    fn ring(&self) {
        // A bell whose environment is closing has nobody to call, and need not.
        let _ = self.0.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

impl Ring for Bell<Weak> {
    fn ring(&self) {
        // As above.
        let _ = self.0.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

/// Makes a bell that calls `drain`; a referenced one keeps the process alive.
pub(crate) fn bell(drain: &Function<'_, (), ()>, referenced: bool) -> Result<Box<dyn Ring>> {
    let builder = drain.build_threadsafe_function().callee_handled::<false>();
    Ok(if referenced {
        Box::new(Bell::<Strong>(builder.weak::<false>().build()?))
    } else {
        Box::new(Bell::<Weak>(builder.weak::<true>().build()?))
    })
}
