//! The functions LLVM calls for 128-bit `*`, `/` and `%` (and for every overflow-checked 64-bit `*`).
//!
//! LLVM passes both operands in r1 to r4 and reads the result from r0 and r2. Stock rustc passes and
//! returns anything over 64 bits through memory on this target, in its Rust and C conventions alike, so
//! the compiler's own versions have the wrong shape: they end in an access violation or, worse, in a
//! wrong product. `extern "unadjusted"` hands the values to LLVM as they are.
//!
//! Nothing here may use a 128-bit `*`, `/` or `%`: it would call itself.

#![no_std]
#![feature(abi_unadjusted)]
#![allow(internal_features)]

mod comparison;
mod division;
mod multiplication;

// Linked for its memcpy, memmove, memset and memcmp, which call Solana's system calls.
use solana_compiler_builtins as _;
