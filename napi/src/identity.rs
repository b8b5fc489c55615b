//! Which build this is.
//!
//! Runs on: js, at load time. `lib/loading` refuses a binary of another version;
//! `scripts/release` finds the text in the bytes of binaries that it cannot run.

use napi_derive::napi;

/// `ferrows/VERSION/SOURCES/`, where SOURCES is a digest in release builds.
#[napi]
pub fn identity() -> &'static str {
    concat!(
        "ferrows/",
        env!("CARGO_PKG_VERSION"),
        "/",
        env!("FERROWS_SOURCES"),
        "/"
    )
}
