//! The product of two 128-bit integers, modulo 2^128.

/// The low 128 bits of `a * b`, which are the same for signed and unsigned operands.
#[unsafe(no_mangle)]
extern "unadjusted" fn __multi3(a: u128, b: u128) -> u128 {
    let (a_high, a_low) = ((a >> 64) as u64, a as u64);
    let (b_high, b_low) = ((b >> 64) as u64, b as u64);
    let (high, low) = widening_product(a_low, b_low);
    let high = high.wrapping_add(a_high.wrapping_mul(b_low)).wrapping_add(a_low.wrapping_mul(b_high));
    (u128::from(high) << 64) | u128::from(low)
}

/// The 128-bit product of two 64-bit integers as (high, low), from four 32-bit products (schoolbook
/// multiplication; Knuth, The Art of Computer Programming, volume 2, 4.3.1, algorithm M). No sum overflows:
/// (2^32 - 1)^2 + 2 * (2^32 - 1) = 2^64 - 1.
fn widening_product(a: u64, b: u64) -> (u64, u64) {
    const LOW_HALF: u64 = 0xffff_ffff;
    let (a_high, a_low) = (a >> 32, a & LOW_HALF);
    let (b_high, b_low) = (b >> 32, b & LOW_HALF);
    let low = a_low.wrapping_mul(b_low);
    let first_middle = a_high.wrapping_mul(b_low).wrapping_add(low >> 32);
    let second_middle = a_low.wrapping_mul(b_high).wrapping_add(first_middle & LOW_HALF);
    let high = a_high.wrapping_mul(b_high).wrapping_add(first_middle >> 32).wrapping_add(second_middle >> 32);
    (high, (second_middle << 32) | (low & LOW_HALF))
}
