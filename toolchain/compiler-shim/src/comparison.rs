//! `memcmp` and `bcmp` that stay functions. Those of solana-compiler-builtins are merged into every comparison of two
//! addresses, of which a program has hundreds.

use core::ffi::c_void;

/// C's `memcmp`: the difference of the first two bytes that differ, or 0.
///
/// # Safety
/// Both pointers are readable for `length` bytes.
#[unsafe(no_mangle)]
#[inline(never)]
pub unsafe extern "C" fn memcmp(left: *const c_void, right: *const c_void, length: usize) -> i32 {
    let (left, right) = (left.cast::<u8>(), right.cast::<u8>());
    // SAFETY: `at` stays below `length`.
    unsafe {
        let mut at = equal_words(left, right, length);
        while at < length {
            let (left, right) = (*left.add(at), *right.add(at));
            if left != right {
                return i32::from(left) - i32::from(right);
            }
            at += 1;
        }
    }
    0
}

/// C's `bcmp`: 0 if the bytes are equal.
///
/// # Safety
/// Both pointers are readable for `length` bytes.
#[unsafe(no_mangle)]
#[inline(never)]
pub unsafe extern "C" fn bcmp(left: *const c_void, right: *const c_void, length: usize) -> i32 {
    // SAFETY: the caller's.
    unsafe { memcmp(left, right, length) }
}

/// How many bytes are equal, in whole words from the start.
///
/// # Safety
/// Both pointers are readable for `length` bytes.
#[inline(always)]
unsafe fn equal_words(left: *const u8, right: *const u8, length: usize) -> usize {
    let mut at = 0;
    while at + 8 <= length {
        // SAFETY: `at + 8` is at most `length`; words need no alignment.
        let (left, right) = unsafe {
            (left.add(at).cast::<u64>().read_unaligned(), right.add(at).cast::<u64>().read_unaligned())
        };
        if left != right {
            break;
        }
        at += 8;
    }
    at
}
