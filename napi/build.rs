//! Tells the linker that Node's symbols are found at load time, and the addon
//! what it is built from.

use std::env;

fn main() {
    napi_build::setup();
    // Threads of the library outlive the worker thread of Node that loaded it; without this their
    // code would be unmapped under them.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    println!("cargo:rerun-if-env-changed=FERROWS_SOURCES");
    let sources = env::var("FERROWS_SOURCES").unwrap_or_else(|_| "unstated".into());
    println!("cargo:rustc-env=FERROWS_SOURCES={sources}");
}
