//! How a payment is split between the receiver and the fee recipient. The receiver pays the fee: it is a part of what is
//! captured and adds nothing to it.

/// A basis point is this part of a whole.
pub const BASIS_POINTS: u16 = 10_000;

/// The highest fee on `amount` base units, rounded down, in the receiver's favour. At most `amount` where
/// `maximum_fee_bps` is at most [`BASIS_POINTS`].
pub fn maximum_fee(amount: u64, maximum_fee_bps: u16) -> u64 {
    let fee = u128::from(amount) * u128::from(maximum_fee_bps) / u128::from(BASIS_POINTS);
    u64::try_from(fee).unwrap_or(u64::MAX)
}

/// The fee part of `paid`, which raises what is captured to `captured`: the signed fee as far as `captured` allows it,
/// less what was `taken` before, and never more than `paid`. All in base units.
///
/// A capture that was relayed with a higher or lower fee before changes who gets how much of `paid`, and never whether
/// it can be paid.
pub fn fee_due(signed_fee: u64, taken: u64, captured: u64, maximum_fee_bps: u16, paid: u64) -> u64 {
    signed_fee.min(maximum_fee(captured, maximum_fee_bps)).saturating_sub(taken).min(paid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highest_fee_is_rounded_down_and_holds_at_the_largest_numbers() {
        assert_eq!(maximum_fee(199, 50), 0);
        assert_eq!(maximum_fee(200, 50), 1);
        assert_eq!(maximum_fee(u64::MAX, BASIS_POINTS), u64::MAX);
        assert_eq!(maximum_fee(u64::MAX, u16::MAX), u64::MAX);
    }

    #[test]
    fn fee_is_bounded_by_signature_maximum_and_payment() {
        assert_eq!(fee_due(5, 0, 1000, 100, 1000), 5);
        assert_eq!(fee_due(50, 0, 1000, 100, 1000), 10);
        assert_eq!(fee_due(10, 4, 1000, 100, 500), 6);
        assert_eq!(fee_due(10, 0, 1000, 100, 3), 3);
        assert_eq!(fee_due(0, 1, 1000, 100, 500), 0);
    }
}
