//! Memory in large pages.
//!
//! Memory comes in pages of 4 KiB, and the processor keeps the places of no more than a few thousand at hand: a
//! pass over some megabytes looks up every one of them again. Linux gives pages of 2 MiB to those who
//! ask; elsewhere asking does nothing.

/// Bytes of a large page.
const LARGE: usize = 2 << 20;

/// Asks for large pages where `memory` covers whole ones. Best before it is written to for the first time.
pub(crate) fn prefer_large<T>(memory: &mut [T]) {
    let bytes = memory.as_mut_ptr_range();
    let start = (bytes.start as usize).next_multiple_of(LARGE);
    let end = bytes.end as usize / LARGE * LARGE;
    if start < end {
        advise(start, end - start);
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn advise(start: usize, bytes: usize) {
    // SAFETY: the advice changes how the memory is mapped and not what it holds; a system without large
    // pages refuses, and nothing is lost.
    unsafe { libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_: usize, _: usize) {}
