//! How often memory was asked for, and how much of it is in use.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Calls of the allocator that give memory, growing included.
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// The bytes that were asked for and not given back, as they were asked for: what the allocator adds
/// is not in it.
pub fn in_use() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

fn given(bytes: usize) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    IN_USE.fetch_add(bytes, Ordering::Relaxed);
}

fn given_back(bytes: usize) {
    IN_USE.fetch_sub(bytes, Ordering::Relaxed);
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all is done by the system's allocator, to which everything is handed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        given(layout.size());
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        given(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        given_back(layout.size());
        given(size);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}
