//! Quotients and remainders of 128-bit integers.
//!
//! Rust checks for a zero divisor and for `i128::MIN / -1` before it divides, so neither arrives here.

/// `numerator / divisor`.
#[unsafe(no_mangle)]
extern "unadjusted" fn __udivti3(numerator: u128, divisor: u128) -> u128 {
    divide(numerator, divisor).0
}

/// `numerator % divisor`.
#[unsafe(no_mangle)]
extern "unadjusted" fn __umodti3(numerator: u128, divisor: u128) -> u128 {
    divide(numerator, divisor).1
}

/// `numerator / divisor`, rounded towards zero.
#[unsafe(no_mangle)]
extern "unadjusted" fn __divti3(numerator: i128, divisor: i128) -> i128 {
    let quotient = divide(numerator.unsigned_abs(), divisor.unsigned_abs()).0 as i128;
    if (numerator < 0) == (divisor < 0) { quotient } else { quotient.wrapping_neg() }
}

/// `numerator % divisor`, with the sign of the numerator.
#[unsafe(no_mangle)]
extern "unadjusted" fn __modti3(numerator: i128, divisor: i128) -> i128 {
    let remainder = divide(numerator.unsigned_abs(), divisor.unsigned_abs()).1 as i128;
    if numerator < 0 { remainder.wrapping_neg() } else { remainder }
}

/// The quotient and the remainder, by one machine division where both fit 64 bits, else bit by bit: at most
/// 128 rounds of a shift, a comparison and a subtraction.
fn divide(numerator: u128, divisor: u128) -> (u128, u128) {
    if divisor > numerator {
        return (0, numerator);
    }
    if let (Ok(numerator), Ok(divisor)) = (u64::try_from(numerator), u64::try_from(divisor)) {
        return (u128::from(numerator / divisor), u128::from(numerator % divisor));
    }
    let rounds = divisor.leading_zeros() - numerator.leading_zeros();
    let mut quotient = 0;
    let mut remainder = numerator;
    let mut subtrahend = divisor << rounds;
    for _ in 0..=rounds {
        quotient <<= 1;
        if remainder >= subtrahend {
            remainder = remainder.wrapping_sub(subtrahend);
            quotient |= 1;
        }
        subtrahend >>= 1;
    }
    (quotient, remainder)
}
