//! What the system's allocator is told.
//!
//! Owns: what glibc does with free memory; other allocators decide for themselves.
//! Called by the reactor when it gives memory back, and once by whoever makes
//! reactors. Runs on: any. Tests: here.
#![allow(unsafe_code)]

/// The largest piece that comes from the heap once one of this size was freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAP_PIECE: usize = 16 << 20;

/// Gives free pages back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn return_pages() {
    // SAFETY: the function takes the allocator's own locks and touches free memory only.
    unsafe { libc::malloc_trim(0) };
}

/// Nothing to do where the allocator gives pages back by itself.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn return_pages() {}

/// Has large pieces, the memory of messages in JavaScript among them, come from the heap and stay
/// there for the next ones when they are freed: twice [`HEAP_PIECE`] at most.
///
/// PERF: glibc learns this from the size of mappings that are freed. As it begins, it gives most of what
/// a large message took back to the system, and each page is cleared and faulted in for the next one:
/// half of the time of an echo of 1 MiB. Whoever has set `MALLOC_TRIM_THRESHOLD_` or the like is obeyed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_pages() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // None of its pages is touched.
    ONCE.call_once(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(HEAP_PIECE))));
}

/// As above.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_pages() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn large_pieces_come_from_the_heap() {
        keep_pages();
        let length = HEAP_PIECE - (1 << 20);
        let mut piece = Vec::<u8>::with_capacity(length);
        // SAFETY: a live allocation.
        let usable = unsafe { libc::malloc_usable_size(piece.as_mut_ptr().cast()) };
        // A mapping of its own consists of whole pages.
        assert!(usable - length < 64, "{usable} for {length}");
    }
}
